/* cli_check: the parts of warploom check: what one argument of a kernel is, and a kernel's PTX run under one order. */
#ifndef WL_CLI_CHECK_H
#define WL_CLI_CHECK_H

#include "gen/cli.h"

struct wl_driver;

struct wl_check_values {
    const char *entry, *grid, *block, *cluster, *order, *level;
    struct wl_cli_texts args;
    int64_t smem;
    double timeout;
    bool list, json;
};

struct wl_check_kernel { /* one entry of a PTX text, and how it is launched */
    const char *path, *ptx;
    char entry[256], target[32];
    unsigned int grid[3], block[3], cluster[3]; /* cluster[0] 0: as the PTX says */
    char params[32][160];                       /* their declarations, as the PTX writes them */
    int param_count;
};

/* Reads the text's head and the entry's declaration; what is missing or ambiguous is an error that says what to write. */
enum wl_status wl_check_kernel(struct wl_check_kernel *kernel, const struct wl_check_values *v, struct wl_error *error);
/* Every entry with its parameters, and what might be given for each. */
enum wl_status wl_check_list(const struct wl_check_kernel *kernel, struct wl_text *out);
/* Loads and launches it on the emulated device as the environment sets it up. What the device finds goes where
 * WARPLOOM_EMU_REPORT says; here an error is a bad argument or kernel. hashes: one a buffer, of what it holds at the
 * end, 0 for what is none. */
enum wl_status wl_check_launch(const struct wl_check_kernel *kernel, const struct wl_check_values *v, uint64_t hashes[32],
                               struct wl_error *error);

/* ---- arguments (cli_check_args.c) ---- */
struct wl_check_arg {
    uint8_t bytes[128]; /* the argument itself */
    size_t size;
    unsigned long long buffer; /* device memory behind it, or 0 */
    size_t buffer_bytes;
};
/* From a SPEC; allocates and fills device memory. WL_ERR_USAGE: not a SPEC, or not one for a parameter of `size` bytes. */
enum wl_status wl_check_arg(struct wl_check_arg *arg, const char *spec, size_t size, struct wl_driver *driver,
                            struct wl_error *error);
#define WL_CHECK_SPECS "f32[1024]=random (a buffer), u32=7 (a scalar), map:bf16[64,128]:box=64,64:swizzle=128 (a tensor map)"

#endif
