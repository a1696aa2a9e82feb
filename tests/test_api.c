/* The runtime as a program meets it: warploom.h, on the emulated device. */
#include "tests/test.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/compare.h"
#include "runtime/half.h"
#include "runtime/input.h"
#include "runtime/reference.h"
#include "runtime/runtime.h"
#include "tests/attend.h"

static char folder[200];

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-api.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    setenv("WARPLOOM_CACHE_DIR", folder, 1);
    setenv("WARPLOOM_DEVICE", "emu", 1);
    setenv("WARPLOOM_EMU_CHECK", "strict", 1);
}

static void tear_down(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static struct wl_runtime *open_runtime(const struct wl_options *options) {
    struct wl_runtime *runtime;
    struct wl_error error = {0};
    cr_assert_eq(wl_open(&runtime, options, &error), WL_OK, "%s", error.text);
    return runtime;
}

static struct wl_kernel_report specialize(struct wl_runtime *runtime, int head_dim, const char *schedule) {
    struct wl_kernel_report info;
    struct wl_error error = {0};
    const struct wl_kernel *kernel;
    const struct wl_problem problem = {head_dim, WL_BF16, false, schedule, 0};
    cr_assert_eq(wl_specialize(runtime, &problem, &kernel, &error), WL_OK, "%s: %s", error.field, error.text);
    wl_kernel_info(kernel, &info);
    return info;
}

/* A file beside the tests: build/tests/all -> build/tests/name. */
static void beside(const char *name, char *out, size_t room) {
    ssize_t length = readlink("/proc/self/exe", out, room - 64);
    cr_assert(length > 0);
    out[length] = '\0';
    strcpy(strrchr(out, '/') + 1, name);
}

/* ---- a problem with its tensors ---- */

#define SEQ   150
#define HEADS 2
#define DIM   64
#define COUNT (SEQ * HEADS * DIM)

struct tensors {
    uint16_t host[4][COUNT];
    float lse[SEQ * HEADS];
    uint64_t device[5];
    struct wl_attention problem;
};

static void upload(struct wl_runtime *runtime, struct tensors *t) {
    struct wl_error error = {0};
    t->problem = (struct wl_attention){.batch = 1,
                                       .heads = HEADS,
                                       .heads_kv = HEADS,
                                       .seqlen_q = SEQ,
                                       .seqlen_k = SEQ,
                                       .head_dim = DIM,
                                       .dtype = WL_BF16,
                                       .causal = true};
    wl_attention_dense(&t->problem);
    struct wl_view *const views[] = {&t->problem.q, &t->problem.k, &t->problem.v, &t->problem.o};
    for (int i = 0; i < 4; i++) {
        struct wl_input_stream stream;
        float row[DIM];
        wl_input_start(&stream, WL_INPUT_NORMAL, i, 3);
        for (size_t r = 0; r < SEQ * HEADS; r++) {
            wl_input_row(&stream, r, row, DIM);
            wl_dtype_narrow(WL_BF16, t->host[i] + r * DIM, row, DIM);
        }
        cr_assert_eq(wl_device_alloc(runtime, sizeof t->host[i], &t->device[i], &error), WL_OK, "%s",
                     error.text);
        cr_assert_eq(wl_device_upload(runtime, t->device[i], t->host[i], sizeof t->host[i], &error), WL_OK);
        views[i]->address = t->device[i];
    }
    cr_assert_eq(wl_device_alloc(runtime, sizeof t->lse, &t->device[4], &error), WL_OK);
    t->problem.lse = t->device[4];
}

static void release(struct wl_runtime *runtime, struct tensors *t) {
    for (int i = 0; i < 5; i++) wl_device_free(runtime, t->device[i]);
}

static void expect_right(struct wl_runtime *runtime, struct tensors *t) {
    static double exact[COUNT], exact_lse[SEQ * HEADS];
    static float plain[COUNT];
    struct wl_error error = {0};
    struct wl_compare compare;
    struct wl_attention host = t->problem;
    cr_assert_eq(wl_synchronize(runtime, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_device_download(runtime, t->host[3], t->device[3], sizeof t->host[3], &error), WL_OK);
    cr_assert_eq(wl_device_download(runtime, t->lse, t->device[4], sizeof t->lse, &error), WL_OK);
    host.q.address = (uintptr_t)t->host[0], host.k.address = (uintptr_t)t->host[1];
    host.v.address = (uintptr_t)t->host[2], host.o.address = (uintptr_t)t->host[3];
    cr_assert_eq(wl_reference_exact(&host, exact, exact_lse, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_reference_plain(&host, plain, 0, &error), WL_OK);
    wl_compare_output(&compare, &host, exact, plain);
    wl_compare_lse(&compare, &host, t->lse, exact_lse);
    cr_expect(compare.right, "%s", compare.worst);
}

/* ---- what is meant to happen ---- */

Test(api, forward_is_right_built_and_from_disk, .init = set_up, .fini = tear_down) {
    static struct tensors t;
    for (int round = 0; round < 2; round++) {
        struct wl_runtime *runtime = open_runtime(NULL);
        struct wl_error error = {0};
        upload(runtime, &t);
        for (int i = 0; i < 2; i++)
            cr_assert_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_OK, "%s: %s",
                         error.field, error.text);
        expect_right(runtime, &t);
        const struct wl_kernel *a, *b;
        const struct wl_problem problem = {DIM, WL_BF16, true, NULL, 0};
        cr_assert_eq(wl_specialize(runtime, &problem, &a, &error), WL_OK);
        cr_assert_eq(wl_specialize(runtime, &problem, &b, &error), WL_OK);
        cr_expect_eq(a, b);
        struct wl_kernel_report info;
        wl_kernel_info(a, &info);
        cr_expect_eq(info.origin, round ? WL_FROM_DISK : WL_BUILT);
        cr_expect(strstr(info.ptx, ".visible .entry") && info.ptx_bytes == strlen(info.ptx) &&
                  info.smem_bytes > 0 && info.registers > 0 && !strcmp(info.target, "sm_100a") &&
                  strstr(info.schedule, "sm100_fwd_hd64"));
        if (round) cr_expect_eq(info.generate_ms, 0, "a warm start runs no Lua");
        release(runtime, &t);
        wl_close(runtime);
    }
}

Test(api, current_context, .init = set_up, .fini = tear_down) {
    struct wl_runtime *runtime = NULL, *first = open_runtime(NULL);
    struct wl_error error = {0};
    const struct wl_options options = {.device = "current"};
    cr_expect_eq(wl_open(&runtime, &options, &error), WL_ERR_ENVIRONMENT);
    cr_expect(strstr(error.text, "no current CUDA context"), "%s", error.text);
    cr_assert_eq(wl_driver_enter(first->driver, NULL), WL_OK);
    runtime = open_runtime(&options);
    specialize(runtime, 64, NULL);
    wl_close(runtime);
    specialize(first, 64, NULL); /* its context is still there */
    wl_driver_leave(first->driver);
    wl_close(first);
}

static const struct refusal {
    struct wl_problem problem;
    enum wl_status status;
    const char *text;
} refusals[] = {
    {{0, WL_BF16, false, NULL, 0}, WL_ERR_INPUT, "multiple of 8"},
    {{100, WL_BF16, false, NULL, 0}, WL_ERR_INPUT, "multiple of 8"},
    {{-8, WL_BF16, false, NULL, 0}, WL_ERR_INPUT, "multiple of 8"},
    {{64, (enum wl_dtype)7, false, NULL, 0}, WL_ERR_INPUT, "must be bf16 or fp16"},
    {{64, WL_BF16, false, NULL, 20}, WL_ERR_INPUT, "20: must be a multiple of 8, or 0"},
    {{128, WL_BF16, false, NULL, 64},
     WL_ERR_INPUT,
     "no schedule serves head dimension 128 with 64 for V on sm_100a"},
    {{128, WL_BF16, false, "sm100_fwd_hd128", 64},
     WL_ERR_INPUT,
     "serves V and O of the head dimension of Q and K"},
    {{192, WL_BF16, false, NULL, 136}, WL_ERR_INPUT, "serves V and O of head dimension 8 to 128"},
    {{1024, WL_BF16, false, NULL, 0}, WL_ERR_INPUT, "no schedule serves head dimension 1024 on sm_100a"},
    {{64, WL_BF16, false, "nonsense", 0}, WL_ERR_INPUT, "no shipped schedule has that name"},
    {{64, WL_BF16, false, "sm90_fwd_hd64", 0}, WL_ERR_INPUT, "is for sm_90a"},
    {{64, WL_BF16, false, "sm100_fwd_hd128", 0}, WL_ERR_INPUT, "serves head dimensions 104 to 128"},
};

Test(api, refusals, .init = set_up, .fini = tear_down) {
    struct wl_runtime *runtime = open_runtime(NULL);
    for (size_t i = 0; i < WL_LEN(refusals); i++)
        for (int again = 0; again < 2; again++) { /* a failure leaves nothing behind */
            struct wl_error error = {0};
            const struct wl_kernel *kernel = (const void *)runtime;
            cr_expect_eq(wl_specialize(runtime, &refusals[i].problem, &kernel, &error), refusals[i].status,
                         "row %zu", i);
            cr_expect(strstr(error.text, refusals[i].text), "row %zu: %s", i, error.text);
            cr_expect_null(kernel);
        }
    wl_close(runtime);
}

/* ---- a user's schedules ---- */

static void write_schedule(const char *name, const char *text) {
    char path[300];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(text, file) >= 0 && !fclose(file));
}

Test(api, user_schedules_go_first, .init = set_up, .fini = tear_down) {
    static const char mine[] = "local f = include '_facts.lua'\nreturn {target = 'sm_100a', head_dim = 64, "
                               "head_dim_min = 64, stages_kv = f.stages}\n";
    char cache[300];
    snprintf(cache, sizeof cache, "%s/cache", folder);
    write_schedule("b.lua", mine);
    write_schedule("a.lua", "return {target = 'sm_90a', head_dim = 64}");
    write_schedule("_facts.lua", "return {stages = 4}");
    char keys[3][33];
    for (int i = 0; i < 3; i++) {
        if (i == 2) write_schedule("_facts.lua", "return {stages = 5}");
        struct wl_runtime *runtime =
            open_runtime(&(struct wl_options){.schedules = folder, .cache_dir = cache});
        struct wl_kernel_report info = specialize(runtime, 64, NULL);
        cr_expect(strstr(info.schedule, "/b.lua"), "%s", info.schedule);
        cr_expect_eq(info.origin, i == 1 ? WL_FROM_DISK : WL_BUILT, "round %d", i);
        memcpy(keys[i], info.key, sizeof keys[i]);
        cr_expect(strstr(specialize(runtime, 128, NULL).schedule, "embedded:sm100_fwd_full_hd128"));
        wl_close(runtime);
    }
    cr_expect_str_eq(keys[0], keys[1]);
    cr_expect_str_neq(keys[1], keys[2], "what is included counts");
    write_schedule("a.lua", "return {nonsense");
    struct wl_runtime *runtime = open_runtime(&(struct wl_options){.schedules = folder, .cache_dir = cache});
    struct wl_error error = {0};
    const struct wl_kernel *kernel;
    cr_expect_eq(wl_specialize(runtime, &(struct wl_problem){64, WL_BF16, false, NULL, 0}, &kernel, &error),
                 WL_ERR_INPUT);
    cr_expect(strstr(error.file, "a.lua"), "%s: %s", error.file, error.text);
    wl_close(runtime);
}

/* ---- the disk is no use: a right answer and one line ---- */

static int lines;
static char last_line[1024];
static void listen(void *user, enum wl_log_level level, const char *line) {
    (void)user;
    if (level <= WL_LOG_WARN) lines++, snprintf(last_line, sizeof last_line, "%s", line);
}

static const struct useless {
    const char *command, *cache, *text; /* in the test's folder */
} useless[] = {
    {"touch x", "x/y", "cannot be created"},
    {"mkdir x && ln -s x y", "y", "symbolic link"},
    {"mkdir -m 777 x", "x", "others may write it"},
    {"true", NULL, "nor HOME"},
};

ParameterizedTestParameters(api, no_cache) { return wl_test_rows(WL_LEN(useless)); }
ParameterizedTest(size_t *i, api, no_cache, .init = set_up, .fini = tear_down) {
    char command[400], path[300];
    snprintf(command, sizeof command, "cd '%s' && %s", folder, useless[*i].command);
    snprintf(path, sizeof path, "%s/%s", folder, useless[*i].cache ? useless[*i].cache : "");
    cr_assert_eq(system(command), 0);
    unsetenv("WARPLOOM_CACHE_DIR"), unsetenv("XDG_CACHE_HOME"), unsetenv("HOME");
    struct wl_runtime *runtime =
        open_runtime(&(struct wl_options){.log = listen, .cache_dir = useless[*i].cache ? path : NULL});
    cr_expect_eq(specialize(runtime, 64, NULL).origin, WL_BUILT);
    cr_expect_eq(specialize(runtime, 128, NULL).origin, WL_BUILT);
    cr_expect_eq(lines, 1);
    cr_expect(strstr(last_line, useless[*i].text), "%s", last_line);
    wl_close(runtime);
}

/* ---- what fails in turn ---- */

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

static enum wl_status whole_life(int head_dim, struct wl_error *error) {
    struct wl_runtime *runtime;
    const struct wl_kernel *kernel;
    enum wl_status status = wl_open(&runtime, NULL, error);
    if (!status)
        status =
            wl_specialize(runtime, &(struct wl_problem){head_dim, WL_BF16, false, NULL, 0}, &kernel, error);
    wl_close(runtime);
    return status;
}

/* Every allocation in turn, built (steps, since templates allocate thousands of times) and from disk (each).
 */
Test(api, no_memory, .init = set_up, .fini = tear_down, .timeout = 200) {
    struct wl_error error = {0};
    setenv("WARPLOOM_LOG", "error", 1);
    for (int warm = 0; warm < 2; warm++) {
        bool done = false;
        long step = 1;
        for (long allowed = 0; !done && allowed < 1000000; allowed += step) {
            error = (struct wl_error){0};
            allocations_left = allowed, held = 0;
            wl_set_realloc(scarce);
            enum wl_status status = whole_life(64, &error);
            wl_set_realloc(NULL);
            cr_expect_eq(held, 0, "%ld allowed: %ld blocks left behind", allowed, held);
            if (status) cr_expect_eq(status, WL_ERR_NO_MEMORY, "%ld allowed: %s", allowed, error.text);
            done = !status && allocations_left > 0;
            step = !warm && allowed > 40 ? 1 + allowed / 12 : 1;
        }
        cr_expect(done);
        if (!warm) cr_assert_eq(whole_life(64, &error), WL_OK, "%s", error.text);
    }
}

/* Each call of the driver in turn. */
Test(api, no_driver_call_can_be_trusted, .init = set_up, .fini = tear_down) {
    static struct tensors t;
    char path[512];
    struct wl_error error = {0};
    beside("libfault_cuda.so", path, sizeof path);
    void *library = dlopen(path, RTLD_NOW);
    cr_assert(library, "%s", dlerror());
    void (*fault_at)(long) = (void (*)(long))dlsym(library, "fault_at");
    long (*fault_calls)(void) = (long (*)(void))dlsym(library, "fault_calls");
    long (*fault_held)(void) = (long (*)(void))dlsym(library, "fault_held");
    const char *(*fault_failed)(void) = (const char *(*)(void))dlsym(library, "fault_failed");
    setenv("WARPLOOM_EMU_LIBRARY", path, 1);
    for (long n = 1, all = 2; n <= all; n++) {
        struct wl_runtime *runtime = NULL;
        const struct wl_kernel *kernel = NULL;
        error = (struct wl_error){0};
        fault_at(n);
        enum wl_status status = wl_open(&runtime, NULL, &error);
        if (!status)
            status =
                wl_specialize(runtime, &(struct wl_problem){DIM, WL_BF16, true, NULL, 0}, &kernel, &error);
        all = fault_calls() > n ? fault_calls() : n;
        fault_at(0);
        if (status) {
            char call[64];
            snprintf(call, sizeof call, "%.*s", (int)strcspn(fault_failed(), "_"), fault_failed());
            cr_expect(status == WL_ERR_DRIVER || status == WL_ERR_ENVIRONMENT, "call %ld: status %d", n,
                      status);
            cr_expect(strstr(error.text, call), "call %ld, %s: %s", n, call, error.text);
        } else if (n < all) /* a call whose failure changes nothing: letting go of the context */
            cr_expect(strstr(fault_failed(), "cuCtxPopCurrent"), "call %ld, %s", n, fault_failed());
        bool popped = !strncmp(fault_failed(), "cuCtxPopCurrent", 15);
        wl_close(runtime);
        cr_expect_eq(fault_held(), 0 + popped, "call %ld, %s: %ld left", n, fault_failed(), fault_held());
        if (popped) { /* what that one left */
            CUresult (*pop)(CUcontext *) = (CUresult(*)(CUcontext *))dlsym(library, "cuCtxPopCurrent_v2");
            CUcontext context;
            pop(&context);
        }
    }
    /* and on the launch path, where nothing but these may be called at all */
    struct wl_runtime *runtime = open_runtime(NULL);
    error = (struct wl_error){0};
    upload(runtime, &t);
    cr_assert_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_OK, "%s", error.text);
    fault_at(0);
    cr_assert_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_OK, "%s", error.text);
    cr_expect_eq(fault_calls(), 4, "get, push, launch, pop; not %ld calls", fault_calls());
    fault_at(3);
    cr_expect_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_ERR_DRIVER);
    cr_expect(strstr(error.text, "cuLaunchKernelEx"), "%s", error.text);
    fault_at(0);
    expect_right(runtime, &t);
    release(runtime, &t);
    wl_close(runtime);
    cr_expect_eq(fault_held(), 0);
}

/* What a user's machine may lack: one clear error each. */
static const struct lack {
    const char *emulated, *schedule, *call;
    int result;
    enum wl_status status;
    const char *text[2];
} lacks[] = {
    {"h100",
     NULL,
     "cuModuleLoadDataEx",
     CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
     WL_ERR_ENVIRONMENT,
     {"the kernel is PTX 8.0, which a driver for CUDA 13.0 does not know",
      "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)"}},
    {"b200",
     NULL,
     "cuModuleLoadDataEx",
     CUDA_ERROR_UNSUPPORTED_PTX_VERSION,
     WL_ERR_ENVIRONMENT,
     {"the kernel is PTX 8.8", ""}},
    {"h100",
     NULL,
     "cuModuleLoadDataEx",
     CUDA_ERROR_OUT_OF_MEMORY,
     WL_ERR_NO_MEMORY,
     {"cuModuleLoadDataEx: CUDA_ERROR_OUT_OF_MEMORY (2): out of memory", ""}},
    {"h100",
     NULL,
     "cuDevicePrimaryCtxRetain",
     CUDA_ERROR_OUT_OF_MEMORY,
     WL_ERR_NO_MEMORY,
     {"cuDevicePrimaryCtxRetain: CUDA_ERROR_OUT_OF_MEMORY", ""}},
    {"a100", NULL, "", 0, WL_ERR_ENVIRONMENT, {"A100", "8.0"}},
    {"h100", "sm100_fwd_hd64", "", 0, WL_ERR_INPUT, {"on sm_90a: ", "sm100_fwd_hd64.lua is for sm_100a"}},
    {"b200", "sm90_fwd_hd64", "", 0, WL_ERR_INPUT, {"on sm_100a: ", "sm90_fwd_hd64.lua is for sm_90a"}},
};

ParameterizedTestParameters(api, lack) { return wl_test_rows(WL_LEN(lacks)); }
ParameterizedTest(size_t *i, api, lack, .init = set_up, .fini = tear_down) {
    const struct lack *l = &lacks[*i];
    char path[512];
    struct wl_runtime *runtime = NULL;
    const struct wl_kernel *kernel = NULL;
    struct wl_error error = {0};
    beside("libfault_cuda.so", path, sizeof path);
    void *library = dlopen(path, RTLD_NOW);
    cr_assert(library, "%s", dlerror());
    void (*fault_in)(const char *, int) = (void (*)(const char *, int))dlsym(library, "fault_in");
    setenv("WARPLOOM_EMU_LIBRARY", path, 1);
    setenv("WARPLOOM_EMU_DEVICE", l->emulated, 1);
    fault_in(l->call, l->result);
    enum wl_status status = wl_open(&runtime, NULL, &error);
    if (!status)
        status =
            wl_specialize(runtime, &(struct wl_problem){64, WL_BF16, false, l->schedule, 0}, &kernel, &error);
    cr_expect_eq(status, l->status, "row %zu: status %d: %s", *i, status, error.text);
    for (int t = 0; t < 2; t++) cr_expect(strstr(error.text, l->text[t]), "row %zu: %s", *i, error.text);
    fault_in("", 0);
    wl_close(runtime);
}

Test(api, a_launch_allocates_nothing, .init = set_up, .fini = tear_down) {
    static struct tensors t;
    struct wl_runtime *runtime = open_runtime(NULL);
    struct wl_error error = {0};
    upload(runtime, &t);
    cr_assert_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_OK, "%s", error.text);
    allocations_left = 0;
    wl_set_realloc(scarce);
    cr_expect_eq(wl_attention_forward(runtime, &t.problem, NULL, &error), WL_OK, "%s", error.text);
    wl_set_realloc(NULL);
    expect_right(runtime, &t);
    release(runtime, &t);
    wl_close(runtime);
}

Test(api, a_graph_is_captured_and_replayed, .init = set_up, .fini = tear_down) {
    static const struct wl_attention small = {.batch = 1,
                                              .heads = 4,
                                              .heads_kv = 2,
                                              .seqlen_q = 150,
                                              .seqlen_k = 200,
                                              .head_dim = 64,
                                              .causal = true};
    struct wl_runtime *runtime = open_runtime(NULL);
    attend_captured(runtime, &small);
    wl_close(runtime);
}

/* ---- many at once ---- */

#define PROCESSES 8
#define THREADS   8

static const int dims[] = {16, 32, 48, 64, 96, 128}; /* WARPLOOM_STRESS=1: 50 problems */

static int problem_count(void) { return getenv("WARPLOOM_STRESS") ? 50 : (int)WL_LEN(dims); }

static struct wl_problem problem_at(int i) {
    if (!getenv("WARPLOOM_STRESS")) return (struct wl_problem){dims[i], WL_BF16, false, NULL, 0};
    return (struct wl_problem){8 + 8 * (i % 13), i / 13 % 2 ? WL_FP16 : WL_BF16, i / 26, NULL, 0};
}

struct crowd {
    struct wl_runtime *runtime;
    int first, count;
    const struct wl_kernel *got[64];
    char text[256];
};

static void *ask(void *user) {
    struct crowd *c = user;
    for (int i = 0; i < c->count; i++) {
        int at = (c->first + i) % c->count;
        struct wl_error error = {0};
        struct wl_problem problem = problem_at(at);
        if (wl_specialize(c->runtime, &problem, &c->got[at], &error))
            snprintf(c->text, sizeof c->text, "%.250s", error.text);
    }
    return NULL;
}

/* One process: every thread gets the same kernels. Its exit status is how many were built, or 200. */
static int crowd(void) {
    static struct crowd crowds[THREADS];
    pthread_t threads[THREADS];
    struct wl_runtime *runtime;
    struct wl_error error = {0};
    int built = 0, count = problem_count();
    if (wl_open(&runtime, NULL, &error)) return 200;
    for (int t = 0; t < THREADS; t++) {
        crowds[t] = (struct crowd){.runtime = runtime, .first = t * count / THREADS, .count = count};
        if (pthread_create(&threads[t], NULL, ask, &crowds[t])) return 200;
    }
    for (int t = 0; t < THREADS; t++) pthread_join(threads[t], NULL);
    for (int i = 0; i < count; i++) {
        struct wl_kernel_report info;
        for (int t = 0; t < THREADS; t++)
            if (!crowds[t].got[i] || crowds[t].got[i] != crowds[0].got[i]) return 200;
        wl_kernel_info(crowds[0].got[i], &info);
        built += info.origin == WL_BUILT;
    }
    wl_close(runtime);
    return built;
}

Test(api, many_processes_and_threads, .init = set_up, .fini = tear_down, .timeout = 280) {
    pid_t children[PROCESSES];
    int built = 0, state, count = problem_count();
    for (int p = 0; p < PROCESSES; p++)
        if (!(children[p] = fork())) _exit(crowd());
    for (int p = 0; p < PROCESSES; p++) {
        cr_assert_eq(waitpid(children[p], &state, 0), children[p]);
        cr_assert(WIFEXITED(state) && WEXITSTATUS(state) != 200, "process %d: %x", p, state);
        built += WEXITSTATUS(state);
    }
    cr_expect(built >= count && built <= 2 * count, "%d problems, %d builds", count, built);
    cr_log_info("%d problems, %d builds\n", count, built);
}

Test(api, prepare, .init = set_up, .fini = tear_down) {
    struct wl_runtime *runtime = open_runtime(NULL);
    struct wl_error error = {0};
    struct wl_problem problems[] = {{64, WL_BF16, true, NULL, 0},
                                    {64, WL_BF16, true, NULL, 0},
                                    {2000, WL_BF16, true, NULL, 0},
                                    {32, WL_FP16, true, NULL, 0},
                                    {4000, WL_BF16, true, NULL, 0}};
    cr_expect_eq(wl_prepare(runtime, problems, WL_LEN(problems), 4, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "2000"), "%s", error.text);
    cr_expect_eq(wl_prepare(runtime, problems, 2, 0, NULL), WL_OK);
    cr_expect_eq(wl_prepare(runtime, problems, 0, 0, NULL), WL_OK);
    cr_expect_eq(specialize(runtime, 32, NULL).origin, WL_BUILT);
    wl_close(runtime);
}

/* ---- the library as it is installed ---- */

Test(api, only_the_header_s_functions_are_visible) {
    char path[512], command[900], out[4096] = "";
    beside("../libwarploom.so", path, sizeof path);
    if (access(path, R_OK)) cr_skip_test("%s is not built", path);
    /* both sides sorted; the differences are what is printed */
    snprintf(
        command, sizeof command,
        "nm -D --defined-only '%s' | sed -n 's/.* [A-Z] \\([a-z_0-9]*\\)@.*/\\1/p' | sort >/tmp/wl-seen.%d; "
        "tr -s ' *\\n' '\\n' <runtime/warploom.h | sed -n 's/^\\(wl_[a-z_]*\\)(.*/\\1/p' | grep -v '_fn$' | "
        "sort -u | "
        "diff - /tmp/wl-seen.%d; rm /tmp/wl-seen.%d",
        path, getpid(), getpid(), getpid());
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    out[fread(out, 1, sizeof out - 1, pipe)] = '\0';
    pclose(pipe);
    cr_expect_str_empty(out, "%s", out);
}

static const char *const compilers[] = {"cc -x c -std=c11", "c++ -x c++ -std=c++11", "c++ -x c++ -std=c++20"};

Test(api, the_header_is_clean) {
    char command[300];
    for (size_t i = 0; i < WL_LEN(compilers); i++) {
        snprintf(command, sizeof command,
                 "command -v %.3s >/dev/null || exit 0; echo '#include \"runtime/warploom.h\"' | "
                 "%s -Wall -Wextra -Wshadow -pedantic -Werror -fsyntax-only -I. -",
                 compilers[i], compilers[i]);
        cr_expect_eq(system(command), 0, "%s", compilers[i]);
    }
}
