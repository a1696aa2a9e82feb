/* bench_runtime: what the runtime costs: the launch path above the driver's own call, finding a kernel in the
 * process, on disk, and building it. `make bench-runtime` prints it; on a GPU with WARPLOOM_DEVICE=cuda:0. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/measure.h"
#include "runtime/runtime.h"

#define ROUNDS  9
#define CALLS   2000
#define THREADS 16

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void die(const struct wl_error *error) {
    char text[4096];
    fprintf(stderr, "bench_runtime: %s\n", wl_error_format(error, text, sizeof text));
    exit(wl_exit_code(error->status));
}
#define NEED(call)                                                                                           \
    do                                                                                                       \
        if (call) die(&error);                                                                               \
    while (0)

static struct wl_error error;

/* ---- the launch path ---- */

struct bare { /* the same launch by hand: nothing but cuLaunchKernelEx */
    struct wl_driver *driver;
    const struct wl_kernel *kernel;
    CUlaunchConfig config;
    char block[128 * WL_LAUNCH_MAX_PARAMS + 128];
    void *pointers[WL_LAUNCH_MAX_PARAMS];
};

static CUlaunchConfig captured;
static CUfunction captured_function;
static CUresult (*real_launch)(const CUlaunchConfig *, CUfunction, void **, void **);
static struct bare bare;

/* Keeps what the runtime hands to the driver. */
static CUresult capture(const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra) {
    char *block = bare.block + (-(uintptr_t)bare.block & 127);
    captured = *config;
    captured.attrs = NULL, captured.numAttrs = 0;
    captured_function = function;
    for (uint32_t i = 0; i < bare.kernel->launch.param_count; i++) {
        bool map = bare.kernel->launch.params[i].kind == WL_PARAM_TENSOR_MAP;
        memcpy(block + 128 * i, parameters[i],
               map                                                      ? 128
               : bare.kernel->launch.params[i].kind == WL_PARAM_POINTER ? 8
                                                                        : 4);
        bare.pointers[i] = block + 128 * i;
    }
    return real_launch(config, function, parameters, extra);
}

static double least(const double *values, int count) {
    double best = values[0];
    for (int i = 1; i < count; i++) best = values[i] < best ? values[i] : best;
    return best;
}

static void bench_launch(struct wl_runtime *runtime) {
    struct wl_driver *driver = runtime->driver;
    struct wl_attention p = {
        .batch = 1, .heads = 4, .heads_kv = 4, .seqlen_q = 128, .seqlen_k = 128, .head_dim = 128};
    const struct wl_problem special = {128, WL_BF16, false, NULL, 0};
    double direct[ROUNDS], ours[ROUNDS], moving[ROUNDS];
    int calls =
        driver->emulated ? CALLS : 500; /* fewer than a GPU's queue holds: what is timed is not waiting */
    NEED(wl_measure_tensors(driver, &p, &error));
    NEED(wl_specialize(runtime, &special, &bare.kernel, &error));
    void *noop = wl_driver_symbol(driver, "wlemu_set_noop");
    if (noop) ((void (*)(int))(uintptr_t)noop)(1);
    NEED(wl_driver_enter(driver, &error));
    real_launch = driver->fn.cuLaunchKernelEx;
    driver->fn.cuLaunchKernelEx = capture;
    NEED(wl_attention_forward(runtime, &p, NULL, &error));
    driver->fn.cuLaunchKernelEx = real_launch;
    uint64_t q = p.q.address;
    for (int r = 0; r < ROUNDS; r++) {
        NEED(wl_synchronize(runtime, &error));
        double start = now_ns();
        for (int i = 0; i < calls; i++) real_launch(&captured, captured_function, bare.pointers, NULL);
        direct[r] = (now_ns() - start) / calls;
        NEED(wl_synchronize(runtime, &error));
        start = now_ns();
        for (int i = 0; i < calls; i++) NEED(wl_attention_forward(runtime, &p, NULL, &error));
        ours[r] = (now_ns() - start) / calls;
        NEED(wl_synchronize(runtime, &error));
        start = now_ns();
        for (int i = 0; i < calls; i++) { /* a Q nobody has seen: its map is encoded anew */
            p.q.address = q + 16 * (uint64_t)(r * calls + i) % 4096;
            NEED(wl_attention_forward(runtime, &p, NULL, &error));
        }
        moving[r] = (now_ns() - start) / calls;
        p.q.address = q;
    }
    NEED(wl_synchronize(runtime, &error));
    wl_driver_leave(driver);
    if (noop) ((void (*)(int))(uintptr_t)noop)(0);
    wl_measure_free(driver, &p);
    double base = least(direct, ROUNDS);
    printf("launch     cuLaunchKernelEx%s %7.0f ns\n", noop ? " (no-op)" : "        ", base);
    printf("           wl_attention_forward adds %4.0f ns   (to reach: 1000)\n", least(ours, ROUNDS) - base);
    printf("           ... when Q has moved    %4.0f ns\n", least(moving, ROUNDS) - base);
}

/* ---- finding a kernel ---- */

struct finder {
    struct wl_runtime *runtime;
    atomic_int *go;
    double ns;
};

static void *find(void *user) {
    struct finder *f = user;
    const struct wl_problem special = {128, WL_BF16, false, NULL, 0};
    const struct wl_kernel *kernel;
    while (!atomic_load(f->go)) {}
    double start = now_ns();
    for (int i = 0; i < 200000; i++) wl_specialize(f->runtime, &special, &kernel, NULL);
    f->ns = (now_ns() - start) / 200000;
    return NULL;
}

static void bench_find(struct wl_runtime *runtime) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    double alone = 0;
    for (int threads = 1; threads <= THREADS; threads *= 4) {
        pthread_t ids[THREADS];
        struct finder finders[THREADS];
        atomic_int go = 0;
        for (int t = 0; t < threads; t++) {
            finders[t] = (struct finder){runtime, &go, 0};
            if (pthread_create(&ids[t], NULL, find, &finders[t])) exit(3);
        }
        double start = now_ns();
        atomic_store(&go, 1);
        for (int t = 0; t < threads; t++) pthread_join(ids[t], NULL);
        double all = now_ns() - start;
        double rate = 200000e3 * threads / all; /* millions a second */
        if (threads == 1) {
            alone = rate;
            printf("in process 1 thread   %6.1f ns a look-up   (to reach: 200)\n", finders[0].ns);
        } else
            printf("           %2d threads %6.1f million a second on %ld cores, %.2f of 1 thread's per core   (to scale: near 1)\n",
                   threads, rate, cores, rate / alone / (threads < cores ? threads : (double)cores));
    }
}

/* ---- disk, and nothing ---- */

static double bench_start(const char *folder, bool warm) {
    const struct wl_options options = {.cache_dir = folder};
    const struct wl_problem special = {128, WL_BF16, false, NULL, 0};
    struct wl_kernel_report best = {0};
    for (int i = 0; i < 5; i++) {
        struct wl_runtime *runtime;
        const struct wl_kernel *kernel;
        struct wl_kernel_report report;
        char command[600];
        snprintf(command, sizeof command, "rm -rf '%s'", folder);
        if (!warm && system(command)) exit(3);
        NEED(wl_open(&runtime, &options, &error));
        NEED(wl_specialize(runtime, &special, &kernel, &error));
        wl_kernel_info(kernel, &report);
        if (!i || report.cache_ms + report.generate_ms + report.assemble_ms <
                      best.cache_ms + best.generate_ms + best.assemble_ms)
            best = report;
        wl_close(runtime);
    }
    double all = best.cache_ms + best.generate_ms + best.assemble_ms;
    if (warm) printf("warm       %.2f ms from disk   (to reach: 2); the driver's loading %.1f ms\n", all, best.load_ms);
    else {
        printf("cold       generate %.1f ms   (to reach: 10); cache %.1f ms; the driver's loading %.1f ms\n",
               best.generate_ms, best.cache_ms, best.load_ms);
        if (best.cubin_bytes)
            printf("           schedule to cubin %.0f ms, of which assembling %.0f ms   (to reach: 350)\n", all,
                   best.assemble_ms);
    }
    return best.generate_ms;
}

/* On the emulated device nothing is assembled: what ptxas takes is measured beside it. */
static double children_ms(void) { /* processor time of the processes that were waited for */
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-3;
}

static void bench_ptxas(struct wl_runtime *runtime, double generate_ms) {
    const struct wl_problem special = {128, WL_BF16, false, NULL, 0};
    const struct wl_kernel *kernel;
    struct wl_kernel_report report;
    struct wl_error why = {0};
    double best = 0, whole = 0, cpu = 0;
    NEED(wl_specialize(runtime, &special, &kernel, &error));
    wl_kernel_info(kernel, &report);
    for (int i = 0; i < 5; i++) {
        struct wl_image image = {.ptx = (char *)report.ptx, .ptx_bytes = report.ptx_bytes};
        struct wl_ptxas_report ptxas;
        snprintf(image.launch.target, sizeof image.launch.target, "%s", report.target);
        double before = children_ms();
        if (wl_image_cubin(&image, runtime->driver, true, &ptxas, &why)) {
            printf("           schedule to cubin: left out: %s\n", why.text);
            return;
        }
        double mine = children_ms() - before;
        if (!i || image.assemble_ms < whole) whole = image.assemble_ms;
        if (!i || mine < cpu) cpu = mine;
        if (!i || ptxas.ms < best) best = ptxas.ms;
        wl_free(image.cubin);
    }
    printf("           schedule to cubin %.0f ms: generate %.1f, ptxas %.0f (%.0f of processor time), its files %.1f   "
           "(to reach: 350)\n",
           generate_ms + whole, generate_ms, best, cpu, whole - best);
}

int main(void) {
    char folder[] = "/tmp/wl-bench.XXXXXX", command[64];
    struct wl_runtime *runtime;
    struct wl_runtime_report report;
    if (!mkdtemp(folder)) return 3;
    const struct wl_options options = {.cache_dir = folder};
    NEED(wl_open(&runtime, &options, &error));
    wl_runtime_info(runtime, &report);
    printf("%s, %s\n", report.device, report.target);
    bench_launch(runtime);
    bench_find(runtime);
    bench_start(folder, true);
    double generate_ms = bench_start(folder, false);
    if (report.emulated) bench_ptxas(runtime, generate_ms);
    wl_close(runtime);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) ? 3 : 0;
}
