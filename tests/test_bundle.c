/* Bundles: what goes in comes out, by any driver; what is wrong with a file is said in one line. */
#include "tests/test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "runtime/bundle.h"
#include "runtime/runtime.h"

enum { COUNT = 5 };

static char folder[200], path[256];

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-bundle.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/b.wlb", folder);
    setenv("WARPLOOM_DEVICE", "emu", 1);
}

static void tear_down(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

/* ---- made-up kernels ---- */

static struct wl_key key_of(int number) { /* not in order */
    const struct wl_problem problem = {8 * number + 8, WL_BF16, false, NULL};
    struct wl_key key;
    wl_choose_bundle_key(&key, &(struct wl_choice){NULL, number % 2 ? "sm_90a" : "sm_100a", &problem, NULL});
    return key;
}

static void make_image(struct wl_image *image, int number) {
    *image = (struct wl_image){.ptx_bytes = 60 + (size_t)number, .cubin_bytes = number % 3 ? 40 : 0};
    image->ptx = wl_realloc(NULL, image->ptx_bytes + 1);
    memset(image->ptx, 'a' + number, image->ptx_bytes);
    image->ptx[image->ptx_bytes] = '\0';
    if (image->cubin_bytes) image->cubin = memset(wl_realloc(NULL, 40), number, 40);
    snprintf(image->schedule, sizeof image->schedule, "test");
    snprintf(image->launch.entry, sizeof image->launch.entry, "kernel_%d", number);
    snprintf(image->launch.target, sizeof image->launch.target, number % 2 ? "sm_90a" : "sm_100a");
    image->launch.threads = image->launch.cluster = image->launch.rows_per_tile = 1;
}

static enum wl_status write_bundle(int count, bool twice, struct wl_error *error) {
    struct wl_bundle_item items[COUNT];
    for (int i = 0; i < count; i++) {
        items[i].key = key_of(twice ? 0 : i);
        make_image(&items[i].image, i);
    }
    enum wl_status status = wl_bundle_write(path, items, (size_t)count, error);
    for (int i = 0; i < count; i++) wl_image_fini(&items[i].image);
    return status;
}

static bool holds(const struct wl_bundle *bundle, int number) {
    struct wl_image image = {0}, wanted;
    struct wl_key key = key_of(number);
    struct wl_error error = {0};
    bool found;
    cr_assert_eq(wl_bundle_load(bundle, &key, &image, &found, &error), WL_OK, "%s", error.text);
    if (!found) return false;
    make_image(&wanted, number);
    cr_expect_str_eq(image.ptx, wanted.ptx);
    cr_expect(image.cubin_bytes == wanted.cubin_bytes &&
              (!image.cubin_bytes || !memcmp(image.cubin, wanted.cubin, image.cubin_bytes)));
    cr_expect_eq(memcmp(&image.launch, &wanted.launch, sizeof image.launch), 0);
    wl_image_fini(&image);
    wl_image_fini(&wanted);
    return true;
}

Test(bundle, what_goes_in_comes_out, .init = set_up, .fini = tear_down) {
    for (int count = 0; count <= COUNT; count++) {
        struct wl_bundle *bundle;
        struct wl_error error = {0};
        cr_assert_eq(write_bundle(count, false, &error), WL_OK, "%s", error.text);
        cr_assert_eq(wl_bundle_open(&bundle, path, &error), WL_OK, "%s", error.text);
        for (int i = 0; i < COUNT; i++) cr_expect_eq(holds(bundle, i), i < count, "%d of %d", i, count);
        if (count == 1) cr_expect_str_eq(wl_bundle_targets(bundle), "sm_100a");
        if (count > 1) cr_expect_eq(strlen(wl_bundle_targets(bundle)), strlen("sm_90a,sm_100a"));
        wl_bundle_close(bundle);
    }
    struct wl_error error = {0};
    cr_expect_eq(write_bundle(2, true, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "two kernels for one problem"), "%s", error.text);
}

/* Opens what lies there and reads every kernel. */
static enum wl_status read_all(struct wl_error *error) {
    struct wl_bundle *bundle;
    enum wl_status status = wl_bundle_open(&bundle, path, error);
    for (int i = 0; i < 2 && !status; i++) {
        struct wl_image image = {0};
        struct wl_key key = key_of(i);
        bool found;
        status = wl_bundle_load(bundle, &key, &image, &found, error);
        if (!status && !found) status = WL_ERR_WRONG; /* a file that opens has all that was put in */
        wl_image_fini(&image);
    }
    wl_bundle_close(bundle);
    return status;
}

static void put(const void *bytes, size_t size) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, size) == (ssize_t)size && !close(fd));
}

/* Every bit, and every length: each is refused with one line that names the file. */
Test(bundle, no_bit_may_change, .init = set_up, .fini = tear_down, .timeout = 60) {
    char *bytes;
    size_t size;
    struct wl_error error = {0};
    cr_assert_eq(write_bundle(2, false, &error), WL_OK, "%s", error.text);
    cr_assert_eq(read_all(&error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_file_read(path, &bytes, &size, &error), WL_OK);
    int fd = open(path, O_RDWR);
    for (size_t bit = 0; bit < 8 * size; bit += 1 + bit / 2000) {
        char flipped = (char)(bytes[bit / 8] ^ 1 << bit % 8);
        error = (struct wl_error){0};
        cr_assert_eq(pwrite(fd, &flipped, 1, (off_t)bit / 8), 1);
        cr_expect_eq(read_all(&error), WL_ERR_INPUT, "bit %zu: %s", bit, error.text);
        cr_expect(!strcmp(error.file, path) && !strchr(error.text, '\n'), "bit %zu: %s", bit, error.text);
        cr_assert_eq(pwrite(fd, &bytes[bit / 8], 1, (off_t)bit / 8), 1);
    }
    for (size_t length = 0; length < size; length += 1 + length / 100) {
        error = (struct wl_error){0};
        put(bytes, length);
        cr_expect_eq(read_all(&error), WL_ERR_INPUT, "%zu bytes", length);
        cr_expect(strstr(error.text, "cut short"), "%zu bytes: %s", length, error.text);
    }
    put(bytes, size);
    cr_expect_eq(read_all(&error), WL_OK);
    close(fd);
    wl_free(bytes);
}

static const struct spoil {
    const char *command; /* on $F */
    const char *text;
} spoils[] = {
    {"truncate -s -1 $F", "cut short"},
    {"echo >>$F", "too long"},
    {"printf X | dd of=$F bs=1 conv=notrunc status=none", "is no bundle of warploom"},
    {"printf '\\2' | dd of=$F bs=1 seek=8 conv=notrunc status=none",
     "format 2, this program reads 1; pack it again"},
    {"printf 9 | dd of=$F bs=1 seek=16 conv=notrunc status=none", "of warploom 9"},
    {"printf X | dd of=$F bs=1 seek=70 conv=notrunc status=none", "index's hash differs"},
    {"printf X | dd of=$F bs=1 seek=1500 conv=notrunc status=none", "hash differs: a bit has changed"},
    {"rm $F", "cannot open the bundle: No such file"},
    {"rm $F; mkdir $F", "no regular file"},
    {"rm $F; mkfifo $F", "no regular file"},
    {"rm $F; cp Makefile $F", "is no bundle"},
};

Test(bundle, spoilt, .init = set_up, .fini = tear_down) {
    for (size_t i = 0; i < WL_LEN(spoils); i++) {
        struct wl_error error = {0};
        char clean[300];
        snprintf(clean, sizeof clean, "rm -rf '%s'", path);
        setenv("F", path, 1);
        cr_assert_eq(system(clean), 0);
        cr_assert_eq(write_bundle(2, false, &error), WL_OK, "%s", error.text);
        cr_assert_eq(system(spoils[i].command), 0, "%s", spoils[i].command);
        cr_expect_eq(read_all(&error), WL_ERR_INPUT, "row %zu", i);
        cr_expect(strstr(error.text, spoils[i].text), "row %zu: %s", i, error.text);
        cr_expect_str_eq(error.file, path);
    }
}

/* ---- packed by the command, served by the runtime ---- */

static int warploom(const char *arguments, char *out, size_t room) {
    char binary[512], command[1200];
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 32);
    cr_assert(length > 0);
    binary[length] = '\0';
    strcpy(strrchr(binary, '/'), "/../warploom");
    snprintf(command, sizeof command, "cd '%s' && '%s' %s 2>&1", folder, binary, arguments);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    size_t got = fread(out, 1, room - 1, pipe);
    out[got] = '\0';
    int state = pclose(pipe);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128;
}

/* clang-format off */
static const struct row {
    const char *arguments; int exit_code; const char *text;
} rows[] = {
    {"pack",                                                        2, "-o: pack needs -o FILE"},
    {"pack -o x --head-dim 48 --target sm_90a --ptx",               0, "1 kernels in x"},
    {"pack -o x --head-dim 4096",                                   2, "no schedule given serves 4096"},
    {"pack -o x nonsense",                                          2, "no shipped schedule has that name"},
    {"pack -o x sm100_fwd_hd64 --head-dim 1,,2",                    2, "whole numbers"},
    {"pack -o x sm100_fwd_hd64 --head-dim 96",                      2, "no schedule given serves 96"},
    {"pack -o x sm100_fwd_hd64 --target sm_90a",                    2, "no schedule given serves 64 on sm_90a"},
    {"pack -o x sm100_fwd_hd64 --target sm_1",                      2, "\"sm_1\": kernels are made for"},
    {"pack -o x sm100_fwd_hd64 --dtype fp8",                        2, "none of bf16|fp16|bf16,fp16"},
    {"pack -o /nowhere/x sm100_fwd_hd64 --head-dim 64 --ptx",       3, "/nowhere/x: cannot create"},
    {"pack -o x sm100_fwd_hd64 sm90_fwd_hd64 sm90_fwd_hd96 --head-dim 64,96 --dtype bf16,fp16 --causal both --ptx",
                                                                    0, "12 kernels in x"},
    {"pack --list x",                                               0, "12 kernels, all whole, for sm_"},
    {"pack --list x --json",                                        0, "\"entry\": \"sm90_fwd_hd96_fp16_d96_causal\""},
    {"pack -o y sm100_fwd_hd64 --head-dim 64 --target sm_103a --ptx", 0, "sm_103a  sm100_fwd_hd64_bf16_d64_full"},
    {"pack -o y --head-dim 128 --causal both --target sm_100a --ptx", 0, "sm_100a  sm100_fwd_hd128_bf16_d128_causal"},
    {"pack -o y --head-dim 128 --causal both --target sm_90a --ptx", 0, "sm_90a   sm90_fwd_hd128_bf16_d128_causal"},
    {"pack -o y --head-dim 192 --head-dim-v 128 --target sm_100a --ptx", 0, "sm100_fwd_hd192_bf16_d192v128_full"},
    {"pack -o y sm100_fwd_full_hd128 --head-dim 128 --causal yes",  2, "no schedule given serves 128"},
    {"pack --list z",                                               2, "z: cannot open the bundle"},
};
/* clang-format on */

Test(bundle, the_command, .init = set_up, .fini = tear_down, .timeout = 60) {
    static char out[20000];
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        int code = warploom(rows[i].arguments, out, sizeof out);
        cr_expect_eq(code, rows[i].exit_code, "%s: exit code %d: %s", rows[i].arguments, code, out);
        cr_expect(strstr(out, rows[i].text), "%s: %s", rows[i].arguments, out);
    }
    setenv("WARPLOOM_ASSEMBLER", "none", 1);
    cr_expect_eq(warploom("pack -o w sm100_fwd_hd64 --head-dim 64", out, sizeof out), 3);
    cr_expect(strstr(out, "nothing here can assemble"), "%s", out);
    char file[300];
    snprintf(file, sizeof file, "%s/w", folder);
    cr_expect_neq(access(file, F_OK), 0, "half a bundle was left");
}

static enum wl_status open_and_ask(const struct wl_options *options, int head_dim, const char *schedule,
                                   struct wl_kernel_report *info, struct wl_error *error) {
    static struct wl_runtime *runtime; /* the last one stays open: its report is looked at */
    const struct wl_problem problem = {head_dim, WL_BF16, true, schedule};
    const struct wl_kernel *kernel;
    wl_close(runtime);
    enum wl_status status = wl_open(&runtime, options, error);
    if (status) return status;
    status = wl_specialize(runtime, &problem, &kernel, error);
    if (!status && info) wl_kernel_info(kernel, info);
    return status;
}

static void pack(const char *arguments) {
    static char out[20000];
    cr_assert_eq(warploom(arguments, out, sizeof out), 0, "%s", out);
}

Test(bundle, the_runtime_looks_there_first, .init = set_up, .fini = tear_down, .timeout = 60) {
    struct wl_error error = {0};
    struct wl_kernel_report info;
    pack("pack -o b.wlb sm100_fwd_hd64 --head-dim 64 --causal yes --ptx");
    struct wl_options o = {.bundle = path, .no_cache = true};
    cr_assert_eq(open_and_ask(&o, 64, NULL, &info, &error), WL_OK, "%s", error.text);
    cr_expect_eq(info.origin, WL_FROM_BUNDLE);
    cr_expect_eq(info.generate_ms, 0, "no Lua runs");
    char *bundled = strdup(info.ptx);
    cr_assert_eq(open_and_ask(&(struct wl_options){.no_cache = true}, 64, NULL, &info, &error), WL_OK);
    cr_expect_eq(info.origin, WL_BUILT);
    cr_expect_str_eq(info.ptx, bundled);
    free(bundled);
    cr_assert_eq(open_and_ask(&o, 128, NULL, &info, &error), WL_OK, "%s", error.text);
    cr_expect_eq(info.origin, WL_BUILT, "what it lacks is built");
    cr_assert_eq(open_and_ask(&o, 64, "sm100_fwd_hd64", &info, &error), WL_OK, "%s", error.text);
    cr_expect_eq(info.origin, WL_BUILT, "a named schedule is that schedule");
    setenv("WARPLOOM_BUNDLE", path, 1);
    cr_assert_eq(open_and_ask(NULL, 64, NULL, &info, &error), WL_OK, "%s", error.text);
    cr_expect_eq(info.origin, WL_FROM_BUNDLE);
}

Test(bundle, the_runtime_says_what_is_wrong, .init = set_up, .fini = tear_down, .timeout = 60) {
    struct wl_error error = {0};
    struct wl_kernel_report info;
    char command[400];
    struct wl_options o = {.bundle = path, .no_cache = true, .bundle_only = true};
    pack("pack -o b.wlb sm90_fwd_hd64 --head-dim 64 --causal yes --ptx");
    cr_assert_eq(open_and_ask(&o, 64, NULL, &info, &error), WL_OK, "%s", error.text);
    cr_expect_str_eq(info.target, "sm_90a", "the emulated device is one that runs the bundle");
    cr_expect_eq(open_and_ask(&o, 128, NULL, NULL, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "no kernel for 128, bf16, causal on sm_90a"), "%s", error.text);
    error = (struct wl_error){0};
    cr_expect_eq(open_and_ask(&o, 64, "sm90_fwd_hd64", NULL, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "a bundle knows no names"), "%s", error.text);
    o.target = "sm_100a";
    error = (struct wl_error){0};
    setenv("WARPLOOM_EMU_DEVICE", "b200", 1);
    cr_expect_eq(open_and_ask(&o, 64, NULL, NULL, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "kernels are for sm_90a: NVIDIA B200"), "%s", error.text);
    o.target = NULL;
    error = (struct wl_error){0};
    cr_expect_eq(open_and_ask(&o, 64, NULL, NULL, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "kernels are for sm_90a: ") && strstr(error.text, "cannot run sm_90a"), "%s",
              error.text);
    cr_expect_str_eq(error.file, path);
    setenv("WARPLOOM_EMU_DEVICE", "h100", 1);
    snprintf(command, sizeof command, "printf '\\377' | dd of='%s' bs=1 seek=5000 conv=notrunc status=none",
             path);
    cr_assert_eq(system(command), 0);
    error = (struct wl_error){0};
    cr_expect_eq(open_and_ask(&o, 64, NULL, NULL, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "hash differs") && !strcmp(error.file, path), "%s", error.text);
    error = (struct wl_error){0};
    cr_expect_eq(open_and_ask(&(struct wl_options){.bundle_only = true}, 64, NULL, NULL, &error),
                 WL_ERR_USAGE);
}

/* ---- each allocation in turn ---- */

static long allocations_left, held;

static void *scarce(void *pointer, size_t bytes) {
    if (!bytes) {
        held -= pointer != NULL;
        return free(pointer), NULL;
    }
    if (allocations_left-- <= 0) return NULL;
    held += !pointer;
    return realloc(pointer, bytes);
}

Test(bundle, no_memory, .init = set_up, .fini = tear_down) {
    struct wl_error error = {0};
    cr_assert_eq(write_bundle(2, false, &error), WL_OK, "%s", error.text);
    enum wl_status status = WL_ERR_NO_MEMORY;
    for (long allowed = 0; status && allowed < 100; allowed++) {
        error = (struct wl_error){0};
        allocations_left = allowed, held = 0;
        wl_set_realloc(scarce);
        status = read_all(&error);
        wl_set_realloc(NULL);
        cr_expect_eq(held, 0, "%ld allowed: %ld blocks left behind", allowed, held);
        if (status) cr_expect_eq(status, WL_ERR_NO_MEMORY, "%ld allowed: %s", allowed, error.text);
    }
    cr_expect_eq(status, WL_OK);
}
