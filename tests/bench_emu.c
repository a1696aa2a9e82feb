/* bench_emu: how quick the emulated device is: attention forward and matrix products, with its checks off and on, on
 * one core and on all. `make bench-emu` prints it.
 *
 * Each figure is a process of its own, since the device reads its settings once, and the best of some launches. GFLOP/s
 * are of the wall clock; beside them the same of the processor's time, which a machine that does other things too does
 * not spoil. The products are the kernels of tests/oracle, which multiply matrices of any size. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gen/file.h"
#include "runtime/driver.h"
#include "runtime/half.h"
#include "runtime/trial.h"

enum { SIZE = 1024, ROUNDS = 3 }; /* a product is launched once: it takes seconds */

static const struct gemm { /* C = A B, SIZE each way: bf16 to float, or fp16 to fp16 with B as [n][k] */
    const char *name, *path, *entry, *target;
    unsigned int threads, smem, scratch, rows, columns; /* scratch: bytes a CTA; rows, columns: of its tile */
    enum wl_dtype type;
} gemms[] = {
    {"gemm mma.sync, pointers", "tests/oracle/gemm_bf16_80.ptx", "gemm", "sm_80", 128, 8192, 0, 64, 32, WL_BF16},
    {"gemm wgmma, TMA", "tests/oracle/tma_ws_90.ptx", "tma_gemm", "sm_90a", 384, 65976, 512, 128, 64, WL_FP16},
    {"gemm tcgen05, TMA", "tests/oracle/tma_ws_100.ptx", "tma_gemm", "sm_100a", 256, 49340, 384, 128, 64, WL_FP16},
};

static struct wl_error error;
static void need(enum wl_status status) {
    char text[4096];
    if (!status) return;
    fprintf(stderr, "bench_emu: %s\n", wl_error_format(&error, text, sizeof text));
    _exit(wl_exit_code(status));
}

static double seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct figure {
    double wall, cpu; /* of the quickest launch */
};

static void take(struct figure *best, double wall, double cpu) {
    if (!best->wall || wall < best->wall) best->wall = wall;
    if (!best->cpu || cpu < best->cpu) best->cpu = cpu;
}

/* ---- attention ---- */

/* A launch of the emulated device is over when the call is: what it takes is measured around it alone. */
static CUresult (*real_launch)(const CUlaunchConfig *, CUfunction, void **, void **);
static struct figure measured;
static CUresult timed_launch(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    CUresult result = real_launch(config, function, parameters, extra);
    take(&measured, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    return result;
}

static struct figure attention(void) {
    struct wl_trial trial = {.schedule = "sm100_fwd_hd128", .batch = 1, .heads = 1, .heads_kv = 1, .seq_q = 2048,
                             .seq_k = 2048, .dtype = -1, .causal = -1, .seed = 1};
    for (int i = 0; i < ROUNDS; i++) {
        struct wl_trial_result result = {0};
        struct wl_driver *driver;
        need(wl_trial_prepare(&trial, &result, &error));
        need(wl_driver_open(&driver, "emu", result.plan.launch.target, &error));
        real_launch = driver->fn.cuLaunchKernelEx;
        driver->fn.cuLaunchKernelEx = timed_launch;
        need(wl_trial_run(driver, &trial, &result, &error));
        wl_trial_fini(&result);
        wl_driver_close(driver);
    }
    return measured;
}

/* ---- matrix products ---- */

/* -1, 0 and 1: every sum is a whole number up to SIZE, and exact in fp16. */
static uint16_t element(enum wl_dtype type, uint64_t i) {
    return wl_dtype_from_float(type, (float)(int)((i * 2654435761u >> 13) % 3) - 1);
}

static void check(const struct gemm *g, const uint16_t *a, const uint16_t *b, const void *c) {
    for (uint64_t i = 0; i < 2000; i++) {
        uint64_t row = i * 7919 % SIZE, column = i * 104729 % SIZE, at = row * SIZE + column;
        float sum = 0, got = g->type == WL_FP16 ? wl_half_to_float(((const uint16_t *)c)[at]) : ((const float *)c)[at];
        for (uint64_t k = 0; k < SIZE; k++)
            sum += wl_dtype_to_float(g->type, a[row * SIZE + k]) *
                   wl_dtype_to_float(g->type, b[g->type == WL_FP16 ? column * SIZE + k : k * SIZE + column]);
        if (got == sum) continue;
        fprintf(stderr, "bench_emu: %s: element %d,%d is %g, not %g\n", g->name, (int)row, (int)column, (double)got,
                (double)sum);
        _exit(1);
    }
}

static struct figure gemm(const struct gemm *g) {
    struct figure best = {0};
    struct wl_driver *d;
    char *ptx;
    size_t bytes, elements = (size_t)SIZE * SIZE;
    CUmodule module;
    CUfunction function;
    CUdeviceptr a, b, c, scratch, none = 0;
    int m = SIZE, n = SIZE, k = SIZE;
    unsigned int across = SIZE / g->rows, down = SIZE / g->columns;
    uint16_t *x = malloc(2 * elements), *y = malloc(2 * elements);
    void *z = malloc(4 * elements);
    for (size_t i = 0; i < elements; i++) x[i] = element(g->type, i), y[i] = element(g->type, i + elements);
    need(wl_file_read(g->path, &ptx, &bytes, &error));
    need(wl_driver_open(&d, "emu", g->target, &error));
    need(wl_driver_enter(d, &error));
    need(wl_driver_check(d, d->fn.cuModuleLoadDataEx(&module, ptx, 0, NULL, NULL), "cuModuleLoadDataEx", &error));
    need(wl_driver_check(d, d->fn.cuModuleGetFunction(&function, module, g->entry), "cuModuleGetFunction", &error));
    d->fn.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)g->smem);
    need(wl_driver_alloc(d, 2 * elements, &a, &error));
    need(wl_driver_alloc(d, 2 * elements, &b, &error));
    need(wl_driver_alloc(d, 4 * elements, &c, &error));
    need(wl_driver_alloc(d, (size_t)g->scratch * across * down + 1, &scratch, &error));
    need(wl_driver_upload(d, a, x, 2 * elements, &error));
    need(wl_driver_upload(d, b, y, 2 * elements, &error));
    void *parameters[] = {&a, &b, &c, &m, &n, &k, &scratch, &none};
    CUlaunchConfig config = {.gridDimX = across, .gridDimY = down, .gridDimZ = 1, .blockDimX = g->threads, .blockDimY = 1,
                             .blockDimZ = 1, .sharedMemBytes = g->smem};
    double cpu = seconds(CLOCK_PROCESS_CPUTIME_ID), wall = seconds(CLOCK_MONOTONIC);
    CUresult result = d->fn.cuLaunchKernelEx(&config, function, parameters, NULL);
    if (!result) result = d->fn.cuCtxSynchronize();
    need(wl_driver_check(d, result, g->name, &error));
    take(&best, seconds(CLOCK_MONOTONIC) - wall, seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    need(wl_driver_download(d, z, c, (g->type == WL_FP16 ? 2 : 4) * elements, &error));
    check(g, x, y, z);
    return best;
}

/* ---- a process a figure ---- */

static struct figure measure(int which, const char *level, long threads) {
    struct figure figure = {0};
    int ends[2], state;
    char text[32];
    if (pipe(ends)) _exit(3);
    fflush(stdout);
    pid_t pid = fork();
    if (!pid) {
        snprintf(text, sizeof text, "%ld", threads);
        setenv("WARPLOOM_EMU_CHECK", level, 1);
        setenv("WARPLOOM_EMU_THREADS", text, 1);
        figure = which < 0 ? attention() : gemm(&gemms[which]);
        _exit(write(ends[1], &figure, sizeof figure) == sizeof figure ? 0 : 3);
    }
    close(ends[1]);
    bool got = pid > 0 && read(ends[0], &figure, sizeof figure) == sizeof figure;
    close(ends[0]);
    if (pid > 0) waitpid(pid, &state, 0);
    if (!got) exit(WIFEXITED(state) && WEXITSTATUS(state) ? WEXITSTATUS(state) : 3);
    return figure;
}

/* The products are other people's kernels: of what only the manual demands they are not clean. */
static void row(const char *name, int which, double gflop) {
    static const char *const levels[] = {"0", "error", "strict"};
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double off = 0;
    for (int i = 0; i < (which < 0 ? 3 : 2); i++) {
        struct figure one = measure(which, levels[i], 1), all = measure(which, levels[i], cores);
        if (!i) off = gflop / one.cpu;
        printf("%-26s %-8s %8.2f %10.2f %10.2f %12.2f\n", i ? "" : name, i ? levels[i] : "off", gflop / one.wall,
               gflop / one.cpu, gflop / all.wall, gflop / one.cpu / off);
    }
}

/* A word of the command line takes only the rows whose names hold it. */
int main(int argc, char **argv) {
    const char *only = argc > 1 ? argv[1] : "";
    printf("GFLOP/s on the emulated device; attention: best of %d launches. 1 core: by the wall clock, and by processor time (what a core\n"
           "gives when it has nothing else to do); all: %ld cores by the wall clock; share: of the speed with checks off\n\n"
           "%-26s %-8s %8s %10s %10s %12s\n",
           ROUNDS, sysconf(_SC_NPROCESSORS_ONLN), "", "checks", "1 core", "(cpu time)", "all", "share");
    if (strstr("attention hd128, 2048", only)) row("attention hd128, 2048", -1, 4.0 * 2048 * 2048 * 128 * 1e-9);
    for (size_t i = 0; i < sizeof gemms / sizeof *gemms; i++)
        if (strstr(gemms[i].name, only)) row(gemms[i].name, (int)i, 2.0 * SIZE * SIZE * SIZE * 1e-9);
    return 0;
}
