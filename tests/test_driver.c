/* The runtime's side of a driver: which device it opens, what it says when it cannot, how it loads a kernel
 * and what the kernel gets at a launch. All on the emulated device. */
#include "gen/arena.h"
#include "runtime/attention.h"
#include "runtime/driver.h"
#include "runtime/jit.h"
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct wl_driver *open_emulated(void) {
    struct wl_driver *driver = NULL;
    struct wl_error error = {0};
    cr_assert_eq(wl_driver_open(&driver, "emu", NULL, &error), WL_OK, "%s", error.text);
    return driver;
}

/* ---- opening ---- */

Test(driver, emulated_device) {
    struct wl_driver *driver = open_emulated();
    cr_expect(driver->emulated);
    cr_expect(strstr(driver->name, "B200"), "%s", driver->name);
    cr_expect(driver->cc_major == 10 && driver->cc_minor == 0 && driver->sms == 148 &&
              driver->smem_per_block == 232448);
    cr_expect(strstr(driver->path, "libwarploom_cuda.so"), "%s", driver->path);
    cr_expect_not_null(wl_driver_symbol(driver, "wlemu_set_progress"));
    cr_expect_null(wl_driver_symbol(driver, "wlemu_nothing"));
    wl_driver_close(driver);
    wl_driver_close(NULL);
}

static const struct opening {
    const char *device, *target, *variable, *value; /* variable set to value first */
    enum wl_status status;
    const char *text;
} openings[] = {
    {"emu", "sm_100a", NULL, NULL, WL_OK, ""},
    {"emu", "sm_90a", "WARPLOOM_EMU_DEVICE", "h100", WL_OK, ""},
    {"emu", "sm_90a", NULL, NULL, WL_OK, ""}, /* what is emulated follows the target... */
    {"emu", "sm_90a", "WARPLOOM_EMU_DEVICE", "b200", WL_ERR_ENVIRONMENT, /* ... unless somebody chose */
     "has compute capability 10.0 and cannot run sm_90a code"},
    {"emu", "sm_100a", "WARPLOOM_EMU_DEVICE", "a100", WL_ERR_ENVIRONMENT, "WARPLOOM_EMU_DEVICE chooses"},
    {"emu", NULL, "WARPLOOM_EMU_DEVICE", "x", WL_ERR_ENVIRONMENT,
     "WARPLOOM_EMU_DEVICE=x: must be b200, h100 or a100"},
    {"emu", NULL, "WARPLOOM_EMU_LIBRARY", "/nowhere/lib.so", WL_ERR_ENVIRONMENT, "/nowhere/lib.so"},
    {"gpu", NULL, NULL, NULL, WL_ERR_USAGE, "'gpu'; auto, emu and cuda:N are"},
    {"cuda:", NULL, NULL, NULL, WL_ERR_USAGE, "cuda:N"},
    {"cuda:1x", NULL, NULL, NULL, WL_ERR_USAGE, "cuda:N"},
    {"cuda:-1", NULL, NULL, NULL, WL_ERR_USAGE, "cuda:N"},
    {"cuda:99999", NULL, NULL, NULL, WL_ERR_USAGE, "cuda:N"},
    {NULL, NULL, "WARPLOOM_DEVICE", "nonsense", WL_ERR_USAGE, "'nonsense'"},
    {"emu", NULL, "WARPLOOM_DEVICE", "nonsense", WL_OK, ""}, /* the argument goes before the variable */
    {"cuda:4321", NULL, NULL, NULL, WL_ERR_ENVIRONMENT, ""}, /* no driver at all, or not that many GPUs */
};

ParameterizedTestParameters(driver, opening) { return wl_test_rows(WL_LEN(openings)); }
ParameterizedTest(size_t *i, driver, opening) {
    const struct opening *o = &openings[*i];
    if (o->variable) setenv(o->variable, o->value, 1);
    struct wl_driver *driver = NULL;
    struct wl_error error = {0};
    enum wl_status status = wl_driver_open(&driver, o->device, o->target, &error);
    cr_expect_eq(status, o->status, "row %zu: status %d: %s", *i, status, error.text);
    cr_expect(strstr(error.text, o->text), "row %zu: %s", *i, error.text);
    cr_expect_eq(driver != NULL, status == WL_OK);
    wl_driver_close(driver);
}

/* No part of this machine has an sm_10099 GPU: auto ends at the emulated device and says about both. */
Test(driver, auto_says_why_neither_does) {
    struct wl_driver *driver;
    struct wl_error error = {0};
    cr_expect_eq(wl_driver_open(&driver, "auto", "sm_10099", &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "cannot run sm_10099 code"), "%s", error.text);
    cr_expect(strstr(error.text, "and no GPU: "), "%s", error.text);
}

static const struct fitting {
    int major, minor;
    const char *target;
    bool runs;
} fittings[] = {
    {10, 0, "sm_100a", true},  {10, 3, "sm_100a", false},  {10, 3, "sm_103a", true},
    {10, 3, "sm_100f", true},  {10, 0, "sm_103f", false},  {12, 0, "sm_100f", false},
    {12, 0, "sm_100", true},   {9, 0, "sm_100", false},    {9, 0, "sm_90a", true},
    {10, 0, "sm_90a", false},  {10, 0, "sm_90", true},     {8, 6, "sm_80", true},
    {8, 0, "sm_86", false},    {10, 0, "sm_", false},      {10, 0, "compute_100", false},
    {10, 0, "sm_100x", false}, {10, 0, "sm_100aa", false},
};

Test(driver, targets) {
    for (size_t i = 0; i < WL_LEN(fittings); i++) {
        const struct fitting *f = &fittings[i];
        cr_expect_eq(wl_driver_can_run(f->major, f->minor, f->target), f->runs, "%s on %d.%d", f->target,
                     f->major, f->minor);
    }
}

/* ---- memory ---- */

Test(driver, memory) {
    struct wl_driver *driver = open_emulated();
    struct wl_error error = {0};
    CUdeviceptr p = 0;
    int out = 5, back = 0;
    cr_expect_eq(wl_driver_alloc(driver, 4, &p, &error), WL_OK);
    cr_expect_eq(wl_driver_upload(driver, p, &out, 4, &error), WL_OK);
    cr_expect_eq(wl_driver_download(driver, &back, p, 4, &error), WL_OK);
    cr_expect_eq(back, 5);
    cr_expect_eq(wl_driver_synchronize(driver, &error), WL_OK);
    cr_expect_eq(wl_driver_download(driver, &back, p, 8, &error), WL_ERR_DRIVER);
    cr_expect_str_eq(error.text, "cuMemcpyDtoH: CUDA_ERROR_INVALID_VALUE (1): invalid argument");
    error = (struct wl_error){0};
    cr_expect_eq(wl_driver_alloc(driver, (size_t)1 << 50, &p, &error), WL_ERR_NO_MEMORY);
    cr_expect(strstr(error.text, "cuMemAlloc of 1125899906842624 bytes: CUDA_ERROR_OUT_OF_MEMORY (2)"), "%s",
              error.text);
    wl_driver_free(driver, p);
    wl_driver_free(driver, 0);
    wl_driver_close(driver);
}

/* ---- loading ---- */

#define HEAD ".version 8.6\n.target sm_100a\n.address_size 64\n"

static const struct loading {
    const char *ptx, *target, *entry;
    uint32_t smem_bytes;
    enum wl_status status;
    int line;
    const char *text;
} loadings[] = {
    {HEAD ".visible .entry k() { ret; }\n", "sm_100a", "k", 232448, WL_OK, 0, ""},
    {HEAD ".visible .entry k()\n{\n    frobnicate.b32 %r1;\n}\n", "sm_100a", "k", 0, WL_ERR_DRIVER, 6,
     "\n    frobnicate.b32 %r1;"},
    {HEAD ".visible .entry k() { ret; }\n", "sm_100a", "other", 0, WL_ERR_INPUT, 0,
     "the image has no entry other"},
    {HEAD ".visible .entry k() { ret; }\n", "sm_100a", "k", 232449, WL_ERR_FIT, 0,
     "k needs 232449 bytes of dynamic shared memory, NVIDIA B200 (emulated) has 232448 left"},
    {HEAD ".visible .entry k() { ret; }\n", "sm_90a", "k", 0, WL_ERR_ENVIRONMENT, 0,
     "the kernel is for sm_90a"},
    {"\x7f"
     "ELF cubin",
     "sm_100a", "k", 0, WL_ERR_DRIVER, 0, "the image is a cubin; the emulated device executes PTX text only"},
    {"", "sm_100a", "k", 0, WL_ERR_DRIVER, 0, "CUDA_ERROR_INVALID_IMAGE"},
};

ParameterizedTestParameters(driver, loading) { return wl_test_rows(WL_LEN(loadings)); }
ParameterizedTest(size_t *i, driver, loading) {
    const struct loading *l = &loadings[*i];
    struct wl_driver *driver = open_emulated();
    struct wl_launch launch = {.threads = 32, .cluster = 1, .smem_bytes = l->smem_bytes};
    snprintf(launch.entry, sizeof launch.entry, "%s", l->entry);
    snprintf(launch.target, sizeof launch.target, "%s", l->target);
    struct wl_kernel kernel;
    struct wl_error error = {0};
    enum wl_status status = wl_jit_load(&kernel, driver, l->ptx, strlen(l->ptx), "test.ptx", &launch, &error);
    cr_expect_eq(status, l->status, "row %zu: status %d: %s", *i, status, error.text);
    cr_expect_eq(error.line, l->line, "row %zu: line %d", *i, error.line);
    cr_expect(strstr(error.text, l->text), "row %zu: %s", *i, error.text);
    if (status) cr_expect_str_eq(error.file, "test.ptx");
    else cr_expect(kernel.registers >= 4 && kernel.local_bytes == 0 && kernel.static_smem_bytes == 0);
    wl_jit_unload(&kernel);
    cr_expect_null(kernel.module);
    wl_driver_close(driver);
}

/* What a real driver writes for this text [H200, 580.159]. */
static CUresult real_refusal(CUmodule *module, const void *image, unsigned int count, CUjit_option *options,
                             void **values) {
    (void)module, (void)image;
    for (unsigned int i = 0; i < count; i++)
        if (options[i] == CU_JIT_ERROR_LOG_BUFFER)
            strcpy(
                values[i],
                "ptxas application ptx input, line 6; error   : Unknown modifier '.bar'\n"
                "ptxas application ptx input, line 6; error   : Not a name of any known instruction: 'foo'\n"
                "ptxas fatal   : Ptx assembly aborted due to errors");
    return CUDA_ERROR_INVALID_PTX;
}

Test(driver, a_real_drivers_log_is_read) {
    struct wl_driver *driver = open_emulated();
    const char *ptx = HEAD ".visible .entry k()\n{\n\tfoo.bar;\n}\n";
    struct wl_launch launch = {.entry = "k", .target = "sm_100a", .threads = 32, .cluster = 1};
    struct wl_kernel kernel;
    struct wl_error error = {0};
    char text[4096];
    driver->fn.cuModuleLoadDataEx = real_refusal;
    cr_expect_eq(wl_jit_load(&kernel, driver, ptx, strlen(ptx), "test.ptx", &launch, &error), WL_ERR_DRIVER);
    cr_expect_str_eq(
        wl_error_format(&error, text, sizeof text),
        "test.ptx:6: cuModuleLoadDataEx: CUDA_ERROR_INVALID_PTX (218): ptxas application ptx input, line 6; "
        "error   : Unknown modifier '.bar'\n    foo.bar;\n"
        "ptxas application ptx input, line 6; error   : Not a name of any known instruction: 'foo'\n"
        "ptxas fatal   : Ptx assembly aborted due to errors");
    wl_driver_close(driver);
}

/* ---- launching ---- */

/* Stores what it was given, from one thread of each block, at p + 64 * block: the numbers, then the grid's
 * size, then the first three words of the tensor map. */
static const char echo[] = HEAD
    ".visible .entry echo(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 a, .param .u32 b, "
    ".param .u32 c,\n"
    "    .param .u32 d, .param .u32 e, .param .u32 f, .param .u32 g, .param .u32 h, .param .f32 s) .reqntid "
    "32 {\n"
    "  .reg .b64 %p, %q; .reg .b32 %r; .reg .pred %first;\n"
    "  mov.u32 %r, %tid.x; setp.ne.u32 %first, %r, 0; @%first ret;\n"
    "  ld.param.u64 %p, [out]; mov.u32 %r, %ctaid.x; mul.wide.u32 %q, %r, 64; add.u64 %p, %p, %q;\n"
    "  ld.param.u32 %r, [a]; st.global.u32 [%p], %r; ld.param.u32 %r, [b]; st.global.u32 [%p+4], %r;\n"
    "  ld.param.u32 %r, [c]; st.global.u32 [%p+8], %r; ld.param.u32 %r, [d]; st.global.u32 [%p+12], %r;\n"
    "  ld.param.u32 %r, [e]; st.global.u32 [%p+16], %r; ld.param.u32 %r, [f]; st.global.u32 [%p+20], %r;\n"
    "  ld.param.u32 %r, [g]; st.global.u32 [%p+24], %r; ld.param.u32 %r, [h]; st.global.u32 [%p+28], %r;\n"
    "  ld.param.b32 %r, [s]; st.global.u32 [%p+32], %r; mov.u32 %r, %nctaid.x; st.global.u32 [%p+36], %r;\n"
    "  ld.param.u64 %q, [map]; st.global.u64 [%p+40], %q; ld.param.u64 %q, [map+8]; st.global.u64 [%p+48], "
    "%q;\n"
    "  mov.u32 %r, %cluster_nctaid.x; st.global.u32 [%p+56], %r; ret; }\n";

static const struct wl_launch record = {.entry = "echo",
                                        .target = "sm_100a",
                                        .threads = 32,
                                        .cluster = 1,
                                        .smem_bytes = 100000,
                                        .grid = WL_GRID_TILES,
                                        .rows_per_tile = 128,
                                        .head_dim = 64,
                                        .head_dim_v = 64,
                                        .dtype = WL_FP16,
                                        .causal = 1,
                                        .param_count = 11,
                                        .params = {{.kind = WL_PARAM_TENSOR_MAP,
                                                    .tensor = WL_TENSOR_K,
                                                    .box = {.box = {64, 128, 1, 1}, .swizzle_bytes = 128}},
                                                   {.kind = WL_PARAM_POINTER, .tensor = WL_TENSOR_LSE},
                                                   {.kind = WL_PARAM_SEQLEN_Q},
                                                   {.kind = WL_PARAM_SEQLEN_K},
                                                   {.kind = WL_PARAM_BATCH},
                                                   {.kind = WL_PARAM_HEADS},
                                                   {.kind = WL_PARAM_HEADS_KV},
                                                   {.kind = WL_PARAM_HEAD_RATIO},
                                                   {.kind = WL_PARAM_TILES},
                                                   {.kind = WL_PARAM_M_TILES},
                                                   {.kind = WL_PARAM_SCALE_LOG2}}};

struct fixture {
    struct wl_driver *driver;
    struct wl_kernel kernel;
    struct wl_attention problem;
    CUdeviceptr memory;
};

static struct fixture start(const struct wl_launch *launch) {
    struct fixture f = {.driver = open_emulated()};
    struct wl_error error = {0};
    cr_assert_eq(wl_jit_load(&f.kernel, f.driver, echo, strlen(echo), NULL, launch, &error), WL_OK, "%s",
                 error.text);
    cr_assert_eq(wl_driver_alloc(f.driver, 1 << 20, &f.memory, &error), WL_OK);
    f.problem = (struct wl_attention){.batch = 3,
                                      .heads = 6,
                                      .heads_kv = 2,
                                      .seqlen_q = 300,
                                      .seqlen_k = 70,
                                      .head_dim = 64,
                                      .dtype = WL_FP16,
                                      .causal = true,
                                      .lse = f.memory};
    wl_attention_dense(&f.problem);
    f.problem.q.address = f.problem.k.address = f.problem.v.address = f.problem.o.address = f.memory;
    f.problem.k.address += 4096;
    return f;
}

static void finish(struct fixture *f) {
    wl_driver_free(f->driver, f->memory);
    wl_jit_unload(&f->kernel);
    wl_driver_close(f->driver);
}

Test(driver, a_kernel_gets_its_parameters) {
    struct fixture f = start(&record);
    struct wl_error error = {0};
    cr_assert_eq(wl_attention_launch(&f.kernel, &f.problem, NULL, &error), WL_OK, "%s: %s", error.field,
                 error.text);
    cr_assert_eq(wl_driver_synchronize(f.driver, &error), WL_OK, "%s", error.text);
    static uint32_t got[54][16]; /* 54 tiles: 3 of a head, 6 heads, 3 sequences */
    cr_assert_eq(wl_driver_download(f.driver, got, f.memory, sizeof got, &error), WL_OK);
    for (size_t block = 0; block < 54; block++) {
        const uint32_t wanted[8] = {300, 70, 3, 6, 2, 3, 54, 3};
        cr_expect_eq(memcmp(got[block], wanted, sizeof wanted), 0, "block %zu", block);
        float scale;
        memcpy(&scale, &got[block][8], 4);
        cr_expect_float_eq(scale, 0.125 * 1.4426950408889634, 1e-8);
        cr_expect_eq(got[block][9], 54);
        uint64_t address;
        memcpy(&address, &got[block][10], 8);
        cr_expect_eq(address, f.problem.k.address);
        cr_expect_eq(got[block][14], 1);
    }
    finish(&f);
}

/* 100 kB of shared memory: two blocks on each of 148 SMs. */
Test(driver, a_persistent_grid_is_what_fits) {
    struct wl_launch launch = record;
    launch.grid = WL_GRID_PERSISTENT;
    struct fixture f = start(&launch);
    struct wl_error error = {0};
    uint32_t got[16];
    f.problem.heads = f.problem.heads_kv = 100;
    f.problem.o.batch_stride = f.problem.q.batch_stride = 300 * 64 * 100; /* nobody reads them here */
    wl_attention_dense(&f.problem);
    cr_assert_eq(wl_attention_launch(&f.kernel, &f.problem, NULL, &error), WL_OK, "%s: %s", error.field,
                 error.text);
    cr_assert_eq(wl_driver_download(f.driver, got, f.memory, sizeof got, &error), WL_OK, "%s", error.text);
    cr_expect_eq(got[6], 900);
    cr_expect_eq(got[9], 296);
    finish(&f);
}

Test(driver, clusters_multiply_the_grid) {
    struct wl_launch launch = record;
    launch.cluster = 2;
    struct fixture f = start(&launch);
    struct wl_error error = {0};
    uint32_t got[16];
    cr_assert_eq(wl_attention_launch(&f.kernel, &f.problem, NULL, &error), WL_OK, "%s: %s", error.field,
                 error.text);
    cr_assert_eq(wl_driver_download(f.driver, got, f.memory, sizeof got, &error), WL_OK, "%s", error.text);
    cr_expect_eq(got[9], 108);
    cr_expect_eq(got[14], 2);
    finish(&f);
}

static const struct misfit {
    int64_t head_dim, batch;
    enum wl_dtype dtype;
    bool causal;
    const char *field;
} misfits[] = {
    {128, 3, WL_FP16, true, "head_dim"},
    {64, 3, WL_BF16, true, "dtype"},
    {64, 3, WL_FP16, false, "causal"},
    {64, INT32_MAX, WL_FP16, true, "batch"}, /* more tiles than a grid has */
    {64, 0, WL_FP16, true, "batch"},
};

Test(driver, problems_of_other_kernels) {
    struct fixture f = start(&record);
    for (size_t i = 0; i < WL_LEN(misfits); i++) {
        struct wl_attention problem = f.problem;
        struct wl_error error = {0};
        problem.head_dim = misfits[i].head_dim, problem.batch = misfits[i].batch;
        problem.dtype = misfits[i].dtype, problem.causal = misfits[i].causal;
        wl_attention_dense(&problem);
        cr_expect_eq(wl_attention_launch(&f.kernel, &problem, NULL, &error), WL_ERR_INPUT, "row %zu", i);
        cr_expect_str_eq(error.field, misfits[i].field, "row %zu: %s: %s", i, error.field, error.text);
    }
    finish(&f);
}

/* What a kernel does wrong comes with the emulator's report. */
Test(driver, a_failing_kernel_is_reported) {
    struct fixture f = start(&record);
    struct wl_error error = {0};
    f.problem.lse = 64;
    cr_expect_eq(wl_attention_launch(&f.kernel, &f.problem, NULL, &error), WL_OK, "%s", error.text);
    cr_expect_eq(wl_driver_synchronize(f.driver, &error), WL_ERR_DRIVER);
    cr_expect(strstr(error.text, "cuCtxSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (700)"), "%s", error.text);
    cr_expect(strstr(error.text, "\necho: PTX line 9: st.global.u32"), "%s", error.text);
    finish(&f);
}

/* ---- without memory ---- */

static int allocations_left;

static void *scarce(void *pointer, size_t bytes) {
    if (!bytes) return free(pointer), NULL;
    return allocations_left-- > 0 ? realloc(pointer, bytes) : NULL;
}

/* Each allocation in turn fails: an error or a result, and nothing left behind. */
Test(driver, no_memory) {
    bool done = false;
    for (int allowed = 0; !done && allowed < 50; allowed++) {
        struct wl_driver *driver = NULL;
        struct wl_kernel kernel = {0};
        struct wl_error error = {0};
        allocations_left = allowed;
        wl_set_realloc(scarce);
        enum wl_status status = wl_driver_open(&driver, "emu", NULL, &error);
        if (!status) status = wl_jit_load(&kernel, driver, echo, strlen(echo), NULL, &record, &error);
        wl_set_realloc(NULL);
        done = !status;
        if (status) cr_expect_eq(status, WL_ERR_NO_MEMORY, "%d allowed: %s", allowed, error.text);
        wl_jit_unload(&kernel);
        wl_driver_close(driver);
    }
    cr_expect(done);
}
