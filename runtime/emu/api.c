/* api: the exported entries, made from the rows of api.def. See api.h. */
#include "runtime/emu/api.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

struct emu_driver emu_driver;

/* Recursive: a stream callback or a host function may call the driver again. */
static pthread_mutex_t lock;
static pthread_once_t lock_once = PTHREAD_ONCE_INIT;

static void make_lock(void) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

/* Whether the call may go through; the lock is held either way. */
static CUresult enter(enum emu_need need) {
    pthread_once(&lock_once, make_lock);
    pthread_mutex_lock(&lock);
    if (need == EMU_NEED_NOTHING) return CUDA_SUCCESS;
    if (!emu_driver.initialised) return CUDA_ERROR_NOT_INITIALIZED;
    if (need == EMU_NEED_INIT) return CUDA_SUCCESS;
    const struct CUctx_st *context = emu_context();
    if (!context) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context->alive) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    if (need == EMU_NEED_CONTEXT) return CUDA_SUCCESS;
    if (context->failed) return context->failed;
    return need == EMU_NEED_CALM ? emu_capture_calm() : CUDA_SUCCESS;
}

static CUresult leave(CUresult result) {
    pthread_mutex_unlock(&lock);
    return result;
}

#define WL_API(symbol, name, version, need, parameters, arguments)                                           \
    CUresult symbol parameters;                                                                              \
    CUresult symbol parameters {                                                                             \
        CUresult result = enter(EMU_NEED_##need);                                                            \
        return leave(result ? result : emu_##symbol arguments);                                              \
    }
#include "runtime/emu/api.def"
#undef WL_API

#define WL_API_TWIN(symbol, twin) extern __typeof__(twin) symbol __attribute__((alias(#twin)));
#include "runtime/emu/api_twins.def"
#undef WL_API_TWIN

/* Called with arguments that it does not look at, which the C calling conventions of Linux allow. */
#define WL_API_REFUSED(symbol)                                                                               \
    CUresult symbol(void);                                                                                   \
    CUresult symbol(void) {                                                                                  \
        static atomic_flag said = ATOMIC_FLAG_INIT;                                                          \
        if (!atomic_flag_test_and_set(&said))                                                                \
            fprintf(stderr, "warploom: the emulated driver has no %s (CUDA_ERROR_NOT_SUPPORTED)\n",          \
                    #symbol);                                                                                \
        return CUDA_ERROR_NOT_SUPPORTED;                                                                     \
    }
#include "runtime/emu/api_refused.def"
#undef WL_API_REFUSED

const struct emu_entry emu_entries[] = {
#define WL_API(symbol, name, version, need, parameters, arguments) {#symbol, #name, version, (void *)symbol},
#include "runtime/emu/api.def"
#undef WL_API
    {"cuGraphInstantiateWithFlags", "cuGraphInstantiate", 12000, (void *)cuGraphInstantiateWithFlags}, /* as cuda.h */
#define WL_API_REFUSED(symbol) {#symbol, NULL, 0, (void *)symbol},
#include "runtime/emu/api_refused.def"
#undef WL_API_REFUSED
};
const size_t emu_entry_count = sizeof emu_entries / sizeof *emu_entries;

const char *wlemu_version(void) { return "1"; }

void wlemu_suggest_target(const char *target) {
    enter(EMU_NEED_NOTHING);
    if (!emu_driver.initialised) emu_driver.suggested = emu_profile_for(target);
    leave(CUDA_SUCCESS);
}

void wlemu_set_noop(int on) {
    leave(enter(EMU_NEED_NOTHING));
    emu_driver.noop = on;
}

void wlemu_set_progress(void (*fn)(void *user, uint64_t done, uint64_t total), void *user) {
    leave(enter(EMU_NEED_NOTHING)); /* a launch under way ends before its callback changes */
    emu_driver.progress = fn;
    emu_driver.progress_user = user;
}
