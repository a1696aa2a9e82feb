/* A driver between a program and the emulated one: it counts the calls, and makes the n-th fail. Built as
 * build/tests/libfault_cuda.so; WARPLOOM_EMU_LIBRARY names it. Not for several threads at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/cuda_api.h"

static void *real;
static long calls, fail_at; /* fail_at 0: none */
static const char *failed = "", *fail_name = ""; /* fail_name: of calls that all fail */
static int fail_result = CUDA_ERROR_UNKNOWN;

static void *entry(const char *name) {
    char path[PATH_MAX + 32];
    Dl_info info;
    if (!real && dladdr((void *)entry, &info)) {
        snprintf(path, sizeof path, "%s", info.dli_fname);
        char *slash = strrchr(path, '/');
        snprintf(slash ? slash : path, 32, "/../libwarploom_cuda.so");
        real = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    }
    void *found = real ? dlsym(real, name) : NULL;
    if (!found) {
        fprintf(stderr, "no %s behind the faulty driver\n", name);
        exit(99);
    }
    return found;
}

/* ---- each call, counted by name ---- */

enum {
#define WL_API(symbol, name, version, need, parameters, arguments) CALL_##symbol,
#include "runtime/emu/api.def"
    CALL_COUNT
};
#undef WL_API
static const char *const names[] = {
#define WL_API(symbol, name, version, need, parameters, arguments) #symbol,
#include "runtime/emu/api.def"
};
#undef WL_API
static long good[CALL_COUNT], tried[CALL_COUNT];

static int hit(int call) {
    tried[call]++;
    if (!strncmp(names[call], "cuGetError", 10)) return 0; /* what tells of the failure */
    if (++calls != fail_at && strcmp(names[call], fail_name)) return 0;
    failed = names[call];
    return 1;
}

#define WL_API(symbol, name, version, need, parameters, arguments)                                           \
    CUresult symbol parameters {                                                                             \
        static CUresult(*next) parameters;                                                                   \
        if (!next) {                                                                                         \
            void *found = entry(#symbol);                                                                    \
            memcpy(&next, &found, sizeof found);                                                             \
        }                                                                                                    \
        if (hit(CALL_##symbol)) return (CUresult)fail_result;                                                   \
        CUresult result = next arguments;                                                                    \
        good[CALL_##symbol] += !result;                                                                      \
        return result;                                                                                       \
    }
#include "runtime/emu/api.def"

/* ---- what the emulated driver has beside the API ---- */

const char *wlemu_version(void) { return "1"; }

const char *wlemu_last_report(void) {
    const char *(*next)(void);
    void *found = entry("wlemu_last_report");
    memcpy(&next, &found, sizeof found);
    return next();
}

/* ---- for the test ---- */

void fault_at(long n) { /* the n-th call from now; 0: none */
    calls = 0;
    fail_at = n;
    failed = "";
}
void fault_in(const char *name, int result) { /* each call of it, with this result; "": none */
    fail_name = name;
    fail_result = result;
}
const char *fault_failed(void) { return failed; }
long fault_calls(void) { return calls; }

long fault_tried(const char *name) {
    for (int i = 0; i < CALL_COUNT; i++)
        if (!strcmp(names[i], name)) return tried[i];
    return -1;
}

/* What was taken and not given back. */
long fault_held(void) {
    return good[CALL_cuDevicePrimaryCtxRetain] - good[CALL_cuDevicePrimaryCtxRelease_v2] +
           good[CALL_cuModuleLoadDataEx] - good[CALL_cuModuleUnload] + good[CALL_cuMemAlloc_v2] -
           good[CALL_cuMemFree_v2] + good[CALL_cuCtxPushCurrent_v2] - good[CALL_cuCtxPopCurrent_v2];
}
