/* jit: a kernel's image (PTX text or a cubin) becomes a loaded function with its launch record. */
#ifndef WL_JIT_H
#define WL_JIT_H

#include <stddef.h>

#include "gen/error.h"
#include "gen/launch.h"
#include "runtime/driver.h"

struct wl_trace;

struct wl_kernel { /* read only; owned by the caller, ended by wl_jit_unload() */
    struct wl_driver *driver;
    CUmodule module;
    CUfunction function;
    struct wl_launch launch;
    const struct wl_trace *trace; /* where launches leave a line (dump.h); NULL: nowhere */
    int registers;   /* per thread, as the driver says */
    int local_bytes; /* per thread: stack and spills */
    int static_smem_bytes;
    int64_t resident; /* clusters that the device holds at once; of a persistent grid only, else 0 */
};

/* Loads the image and finds launch->entry. name stands for the image in messages ("fwd_hd128.ptx"; may be
 * NULL). When the driver's log names a PTX line, the error's line is that one and its text quotes it; the log
 * follows. */
enum wl_status wl_jit_load(struct wl_kernel *kernel, struct wl_driver *driver, const void *image,
                           size_t bytes, const char *name, const struct wl_launch *launch,
                           struct wl_error *error);
void wl_jit_unload(struct wl_kernel *kernel); /* a zeroed one allowed */

#endif
