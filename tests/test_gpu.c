/* The runtime on a real GPU (`make device-test`): machine code by way of ptxas, the disk cache, a bundle, the
 * linkers; threads, CUDA graphs, the auxiliary kernels. Without a GPU every test is left out. */
#include "tests/test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/file.h"
#include "gen/arena.h"
#include "runtime/runtime.h"
#include "tests/attend.h"

static char folder[200];
static struct wl_runtime *runtime;
static struct wl_error error;

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-gpu.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    setenv("WARPLOOM_CACHE_DIR", folder, 1);
    setenv("WARPLOOM_DEVICE", "cuda:0", 1);
}

static void tear_down(void) {
    char command[300];
    wl_close(runtime);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static void open_runtime(const struct wl_options *options) {
    error = (struct wl_error){0};
    enum wl_status status = wl_open(&runtime, options, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    if (!runtime->target) cr_skip_test("no kernel is made for %s", runtime->driver->name);
}

static struct wl_kernel_report info_of(int head_dim, bool causal) {
    struct wl_kernel_report info;
    const struct wl_kernel *kernel;
    const struct wl_problem problem = {head_dim, WL_BF16, causal, NULL};
    cr_assert_eq(wl_specialize(runtime, &problem, &kernel, &error), WL_OK, "%s", error.text);
    wl_kernel_info(kernel, &info);
    return info;
}

static const struct wl_attention small = {
    .batch = 2, .heads = 4, .heads_kv = 2, .seqlen_q = 333, .seqlen_k = 500, .head_dim = 128, .causal = true};

static void forward_is_right(const char *what) {
    struct attend a;
    attend_upload(&a, runtime, &small);
    attend_spoil(&a, runtime);
    cr_assert_eq(wl_attention_forward(runtime, &a.problem, NULL, &error), WL_OK, "%s: %s", error.field,
                 error.text);
    attend_expect_right(&a, runtime, what);
    attend_release(&a, runtime);
}

static void say(const char *what, const struct wl_kernel_report *i) {
    cr_log_info("%s: cache %.2f ms, generate %.1f ms, assemble %.0f ms, load %.1f ms, %d registers, %d B "
                "local, cubin %zu B\n",
                what, i->cache_ms, i->generate_ms, i->assemble_ms, i->load_ms, i->registers, i->local_bytes,
                i->cubin_bytes);
}

Test(gpu, cold_warm_and_in_process, .init = set_up, .fini = tear_down) {
    static const char *const names[] = {"cold", "warm"};
    for (int round = 0; round < 2; round++) {
        open_runtime(NULL);
        struct wl_kernel_report i = info_of(128, true);
        cr_expect_eq(i.origin, round ? WL_FROM_DISK : WL_BUILT);
        cr_expect_eq(i.local_bytes, 0, "%d bytes of spills", i.local_bytes);
        if (round) cr_expect_eq(i.generate_ms + i.assemble_ms, 0);
        say(names[round], &i);
        forward_is_right(names[round]);
        wl_close(runtime);
    }
    open_runtime(&(struct wl_options){.device = "cuda:0", .no_cache = true});
    forward_is_right("no cache");
}

Test(gpu, captured_and_replayed, .init = set_up, .fini = tear_down) {
    open_runtime(NULL);
    attend_captured(runtime, &small);
}

Test(gpu, dumped, .init = set_up, .fini = tear_down) {
    char path[400], *bytes;
    size_t size;
    setenv("WARPLOOM_DUMP", "cubin,trace", 1);
    setenv("WARPLOOM_DUMP_DIR", folder, 1);
    open_runtime(NULL);
    struct wl_kernel_report i = info_of(128, true);
    if (!i.cubin_bytes) cr_skip_test("no ptxas");
    forward_is_right("dumped");
    snprintf(path, sizeof path, "%s/%s.cubin", folder, i.key);
    cr_assert_eq(wl_file_read(path, &bytes, &size, &error), WL_OK, "%s", error.text);
    cr_expect(size == i.cubin_bytes && !memcmp(bytes, "\177ELF", 4));
    wl_free(bytes);
    snprintf(path, sizeof path, "%s/%s.trace.txt", folder, i.key);
    cr_expect_eq(access(path, R_OK), 0);
}

/* ---- who assembles ---- */

static const char *const assemblers[] = {"ptxas", "driver", "nvjitlink", "none"};

ParameterizedTestParameters(gpu, assembled_by) { return wl_test_rows(WL_LEN(assemblers)); }
ParameterizedTest(size_t *row, gpu, assembled_by, .init = set_up, .fini = tear_down) {
    const char *by = assemblers[*row];
    setenv("WARPLOOM_ASSEMBLER", by, 1);
    setenv("CUDA_CACHE_DISABLE", "1", 1); /* the driver's own */
    open_runtime(NULL);
    struct wl_kernel_report i = info_of(128, true);
    say(by, &i);
    if (*row == 0 && !i.cubin_bytes) cr_skip_test("no ptxas");
    if (*row == 3) cr_expect_eq(i.cubin_bytes, 0);
    if (*row == 0 || *row == 3) cr_expect_eq(i.local_bytes, 0, "setmaxnreg is kept, so nothing spills");
    forward_is_right(by);
}

/* ---- ahead of time ---- */

static void warploom(const char *arguments) {
    char binary[600], command[1200];
    const char *given = getenv("WARPLOOM_BINARY");
    ssize_t length = readlink("/proc/self/exe", binary, sizeof binary - 32);
    cr_assert(length > 0);
    binary[length] = '\0';
    strcpy(strrchr(binary, '/'), "/../warploom");
    snprintf(command, sizeof command, "cd '%s' && '%s' %s", folder, given ? given : binary, arguments);
    int state = system(command);
    if (state == 3 << 8) cr_skip_test("%s: there is nothing here to assemble with", arguments);
    cr_assert_eq(state, 0, "%s", command);
}

Test(gpu, bundle, .init = set_up, .fini = tear_down, .timeout = 100) {
    char path[300], arguments[200];
    open_runtime(NULL);
    bool hopper = !strcmp(runtime->target, "sm_90a");
    wl_close(runtime);
    runtime = NULL;
    snprintf(arguments, sizeof arguments, "pack -o b.wlb %s --head-dim 64,128 --causal both",
             hopper ? "sm90_fwd_hd64 sm90_fwd_hd128" : "sm100_fwd_hd64 sm100_fwd_hd128");
    warploom(arguments);
    snprintf(path, sizeof path, "%s/b.wlb", folder);
    open_runtime(&(struct wl_options){.bundle = path, .bundle_only = true, .no_cache = true});
    struct wl_kernel_report i = info_of(128, true);
    say("bundle", &i);
    cr_expect(i.origin == WL_FROM_BUNDLE && i.cubin_bytes && !i.local_bytes);
    forward_is_right("bundle");
}

Test(gpu, fatbin, .init = set_up, .fini = tear_down, .timeout = 100) {
    char path[300], *bytes;
    size_t size;
    CUmodule module;
    CUfunction function;
    open_runtime(NULL);
    warploom(!strcmp(runtime->target, "sm_90a") ? "emit sm90_fwd_hd64 name=k --fatbin -o k.fatbin"
                                                : "emit sm100_fwd_hd64 name=k --fatbin -o k.fatbin");
    snprintf(path, sizeof path, "%s/k.fatbin", folder);
    cr_assert_eq(wl_file_read(path, &bytes, &size, &error), WL_OK);
    cr_assert_eq(wl_driver_enter(runtime->driver, NULL), WL_OK);
    cr_expect_eq(runtime->driver->fn.cuModuleLoadDataEx(&module, bytes, 0, NULL, NULL), 0);
    cr_expect_eq(runtime->driver->fn.cuModuleGetFunction(&function, module, "k_bf16_d64_full"), 0);
    wl_driver_leave(runtime->driver);
    wl_free(bytes);
}

/* ---- the auxiliary kernels ---- */

Test(gpu, auxiliary, .init = set_up, .fini = tear_down) {
    struct attend a;
    open_runtime(NULL);
    enum wl_status status = wl_prepare_auxiliary(runtime, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s", error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    attend_upload(&a, runtime, &small);
    attend_spoil(&a, runtime);
    cr_assert_eq(wl_attention_plain(runtime, &a.problem, NULL, &error), WL_OK, "%s", error.text);
    attend_expect_right(&a, runtime, "plain");
    /* the fast kernel on two halves of the keys, then made one; small's mask would cut them: the full problem
     */
    struct wl_attention p = a.problem, part;
    size_t o_bytes = a.count[3] * 2, lse_bytes = a.rows * 4;
    uint64_t parts, part_lse;
    p.causal = false;
    a.problem.causal = false;
    cr_assert_eq(wl_device_alloc(runtime, 2 * o_bytes, &parts, &error), WL_OK);
    cr_assert_eq(wl_device_alloc(runtime, 2 * lse_bytes, &part_lse, &error), WL_OK);
    attend_spoil(&a, runtime);
    for (int i = 0; i < 2; i++) {
        int64_t at = i ? 123 : 0;
        part = p;
        part.seqlen_k = i ? p.seqlen_k - 123 : 123;
        part.k.address += (uint64_t)(2 * at * p.k.seq_stride),
            part.v.address += (uint64_t)(2 * at * p.v.seq_stride);
        part.o.address = parts + (uint64_t)i * o_bytes, part.lse = part_lse + (uint64_t)i * lse_bytes;
        cr_assert_eq(wl_attention_forward(runtime, &part, NULL, &error), WL_OK, "%s", error.text);
    }
    const struct wl_array o = {
        p.o.address, WL_ELEMENT_BF16, {p.o.batch_stride, p.o.seq_stride, p.o.head_stride, 1}};
    struct wl_array first = o;
    first.address = parts;
    const struct wl_combine c = {
        2, p.batch, p.seqlen_q, p.heads, p.head_dim, first, (int64_t)a.count[3], part_lse, o, p.lse};
    cr_assert_eq(wl_attention_combine(runtime, &c, NULL, &error), WL_OK, "%s: %s", error.field, error.text);
    attend_expect_right(&a, runtime, "combined");
    /* float32 in (batch, head, dim, seq) and back gives the same bits */
    uint64_t wide;
    const int64_t size[4] = {p.batch, p.seqlen_q, p.heads, p.head_dim};
    uint16_t *before = malloc(o_bytes), *after = malloc(o_bytes);
    cr_assert_eq(wl_device_alloc(runtime, 2 * o_bytes, &wide, &error), WL_OK);
    const struct wl_array turned = {
        wide, WL_ELEMENT_FP32, {p.heads * p.head_dim * p.seqlen_q, 1, p.head_dim * p.seqlen_q, p.seqlen_q}};
    cr_assert_eq(wl_device_download(runtime, before, o.address, o_bytes, &error), WL_OK);
    cr_assert_eq(wl_copy(runtime, &turned, &o, size, NULL, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_copy(runtime, &first, &turned, size, NULL, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_synchronize(runtime, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_device_download(runtime, after, first.address, o_bytes, &error), WL_OK);
    cr_expect_eq(memcmp(before, after, o_bytes), 0);
    free(before), free(after);
    wl_device_free(runtime, parts), wl_device_free(runtime, part_lse), wl_device_free(runtime, wide);
    attend_release(&a, runtime);
}

/* ---- many threads ---- */

enum { THREADS = 16, DIMS = 6 };
static const int dims[DIMS] = {32, 64, 96, 128, 192, 256};
static _Atomic int failed;

static void *serve(void *user) {
    for (int i = 0; i < 2 * DIMS; i++) {
        const struct wl_kernel *kernel;
        struct wl_error e = {0};
        const struct wl_problem problem = {dims[(i + (int)(size_t)user) % DIMS], WL_BF16, i >= DIMS, NULL};
        enum wl_status status = wl_specialize(runtime, &problem, &kernel, &e);
        failed += status != WL_OK && !strstr(e.text, "no schedule serves");
    }
    return NULL;
}

Test(gpu, threads, .init = set_up, .fini = tear_down, .timeout = 100) {
    pthread_t ids[THREADS];
    open_runtime(NULL);
    for (size_t t = 0; t < THREADS; t++) cr_assert_eq(pthread_create(&ids[t], NULL, serve, (void *)t), 0);
    for (int t = 0; t < THREADS; t++) pthread_join(ids[t], NULL);
    cr_expect_eq(failed, 0);
    forward_is_right("after all");
}

Test(gpu, current_context, .init = set_up, .fini = tear_down) {
    open_runtime(NULL);
    struct wl_runtime *first = runtime;
    cr_assert_eq(wl_driver_enter(first->driver, NULL), WL_OK);
    open_runtime(&(struct wl_options){.device = "current"});
    forward_is_right("on the caller's context");
    wl_close(runtime);
    wl_driver_leave(first->driver);
    runtime = first;
    forward_is_right("on the first, which is still there");
}
