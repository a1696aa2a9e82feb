/* api_context: contexts, which of them is current in a thread, and what they own. */
#include "runtime/emu/api.h"

#include <string.h>
#include "gen/arena.h"

#define STACK_DEPTH 64

static _Thread_local struct {
    struct CUctx_st *entries[STACK_DEPTH]; /* the last is current; entry 0 may be set with nothing pushed */
    int depth;
} current;

struct CUctx_st *emu_context(void) {
    return current.depth ? current.entries[current.depth - 1] : NULL;
}

/* ---- objects ---- */

void *emu_object_create(enum emu_kind kind, size_t bytes) {
    struct CUctx_st *context = emu_context();
    struct emu_object *object = wl_realloc(NULL, bytes);
    if (!object) return NULL;
    memset(object, 0, bytes);
    object->kind = kind;
    object->context = context;
    if (!emu_handle_add(object, kind)) {
        wl_free(object);
        return NULL;
    }
    object->next = context->objects;
    if (object->next) object->next->previous = object;
    context->objects = object;
    return object;
}

void emu_object_destroy(struct emu_object *object) {
    if (object->kind == EMU_KIND_MODULE) emu_module_object_fini(object);
    if (object->kind == EMU_KIND_STREAM) emu_capture_stream_gone((CUstream)object);
    if (object->kind == EMU_KIND_EVENT) emu_nodes_clear(&((CUevent)object)->after);
    if (object->previous) object->previous->next = object->next;
    else object->context->objects = object->next;
    if (object->next) object->next->previous = object->previous;
    emu_handle_remove(object);
    wl_free(object);
}

/* ---- making and ending ---- */

static const struct {
    size_t value; /* of a new context */
    bool supported, settable;
} limits[EMU_LIMITS] = {
    [CU_LIMIT_STACK_SIZE] = {1024, true, true},
    [CU_LIMIT_PRINTF_FIFO_SIZE] = {8650752, true, true},
    [CU_LIMIT_MALLOC_HEAP_SIZE] = {8388608, true, true},
    [CU_LIMIT_DEV_RUNTIME_PENDING_LAUNCH_COUNT] = {2048, true, true},
    [CU_LIMIT_MAX_L2_FETCH_GRANULARITY] = {64, true, true},
    [CU_LIMIT_PERSISTING_L2_CACHE_SIZE] = {0, true, true},
    [CU_LIMIT_SHMEM_SIZE] = {0, true, false}, /* of the device */
    [CU_LIMIT_CIG_ENABLED] = {0, true, false},
};

static void start(struct CUctx_st *context, unsigned int flags, unsigned int version) {
    *context = (struct CUctx_st){.alive = true,
                                 .primary = context->primary,
                                 .flags = flags,
                                 .version = version,
                                 .id = ++emu_driver.ids};
    for (int i = 0; i < EMU_LIMITS; i++) context->limits[i] = limits[i].value;
    context->limits[CU_LIMIT_SHMEM_SIZE] = (size_t)emu_driver.config.profile->smem_per_block;
}

/* What was allocated and registered goes with it; the struct stays, so that later calls can tell what
 * happened. */
static void end(struct CUctx_st *context) {
    while (context->objects) emu_object_destroy(context->objects);
    struct emu_range range;
    while (emu_device_owned(emu_driver.device, context, &range))
        emu_memory_release(&range);
    context->alive = false;
    context->retained = 0;
    context->failed = CUDA_SUCCESS;
}

static struct CUctx_st *allocate(void) {
    struct CUctx_st *context = wl_realloc(NULL, sizeof *context);
    if (!context) return NULL;
    *context = (struct CUctx_st){0};
    if (emu_handle_add(context, EMU_KIND_CONTEXT)) return context;
    wl_free(context);
    return NULL;
}

static bool legal_device(CUdevice device) { return device >= 0 && device < EMU_DEVICE_COUNT; }
static bool legal_flags(unsigned int flags) {
    return flags <= CU_CTX_FLAGS_MASK && (flags & CU_CTX_SCHED_MASK) != 3 && (flags & CU_CTX_SCHED_MASK) < 5;
}

static CUresult create(CUcontext *context, unsigned int flags, CUdevice device, unsigned int version) {
    if (!context || !legal_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (current.depth == STACK_DEPTH) return CUDA_ERROR_OUT_OF_MEMORY;
    struct CUctx_st *fresh = allocate();
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    start(fresh, flags, version);
    current.entries[current.depth++] = fresh;
    *context = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxCreate_v2(CUcontext *context, unsigned int flags, CUdevice device) {
    return create(context, flags, device, 3020);
}

CUresult emu_cuCtxCreate_v3(CUcontext *context, CUexecAffinityParam *affinity, int count, unsigned int flags,
                            CUdevice device) {
    if (affinity || count) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    return create(context, flags, device, 3020);
}

CUresult emu_cuCtxCreate_v4(CUcontext *context, CUctxCreateParams *parameters, unsigned int flags,
                            CUdevice device) {
    if (parameters && (parameters->execAffinityParams || parameters->numExecAffinityParams))
        return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
    if (parameters && parameters->cigParams) return CUDA_ERROR_NOT_SUPPORTED;
    return create(context, flags, device, 3020);
}

CUresult emu_cuCtxDestroy_v2(CUcontext context) {
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_CONTEXT;
    if (context->primary) return CUDA_ERROR_INVALID_CONTEXT; /* released, not destroyed */
    if (!context->alive) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    end(context);
    if (emu_context() == context) current.depth--;
    return CUDA_SUCCESS;
}
CUresult emu_cuCtxDestroy(CUcontext context) { return emu_cuCtxDestroy_v2(context); }

/* ---- the primary context ---- */

CUresult emu_cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device) {
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (!emu_driver.primary) {
        emu_driver.primary = allocate();
        if (!emu_driver.primary) return CUDA_ERROR_OUT_OF_MEMORY;
        emu_driver.primary->primary = true;
    }
    struct CUctx_st *primary = emu_driver.primary;
    if (!primary->alive) start(primary, primary->flags, 3020);
    primary->retained++;
    *context = primary;
    return CUDA_SUCCESS;
}

CUresult emu_cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    struct CUctx_st *primary = emu_driver.primary;
    if (!primary || !primary->alive || !primary->retained) return CUDA_ERROR_INVALID_CONTEXT;
    if (--primary->retained) return CUDA_SUCCESS;
    end(primary);
    primary->flags = 0;
    return CUDA_SUCCESS;
}
CUresult emu_cuDevicePrimaryCtxRelease(CUdevice device) { return emu_cuDevicePrimaryCtxRelease_v2(device); }

/* Ends what the context holds, for all who retain it; who retains it goes on with an empty one. */
CUresult emu_cuDevicePrimaryCtxReset_v2(CUdevice device) {
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    struct CUctx_st *primary = emu_driver.primary;
    if (!primary || !primary->alive) return CUDA_SUCCESS;
    int retained = primary->retained;
    end(primary);
    if (retained) {
        start(primary, primary->flags, primary->version);
        primary->retained = retained;
    }
    return CUDA_SUCCESS;
}
CUresult emu_cuDevicePrimaryCtxReset(CUdevice device) { return emu_cuDevicePrimaryCtxReset_v2(device); }

CUresult emu_cuDevicePrimaryCtxSetFlags_v2(CUdevice device, unsigned int flags) {
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (!legal_flags(flags)) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_driver.primary) { /* they wait for whoever retains it first */
        emu_driver.primary = allocate();
        if (!emu_driver.primary) return CUDA_ERROR_OUT_OF_MEMORY;
        emu_driver.primary->primary = true;
    }
    emu_driver.primary->flags = flags;
    return CUDA_SUCCESS;
}
CUresult emu_cuDevicePrimaryCtxSetFlags(CUdevice device, unsigned int flags) {
    return emu_cuDevicePrimaryCtxSetFlags_v2(device, flags);
}

CUresult emu_cuDevicePrimaryCtxGetState(CUdevice device, unsigned int *flags, int *active) {
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (!flags || !active) return CUDA_ERROR_INVALID_VALUE;
    *flags = emu_driver.primary ? emu_driver.primary->flags : 0;
    *active = emu_driver.primary && emu_driver.primary->alive;
    return CUDA_SUCCESS;
}

/* ---- which one is current ---- */

CUresult emu_cuCtxSetCurrent(CUcontext context) {
    if (!context) {
        if (current.depth) current.depth--;
        return CUDA_SUCCESS;
    }
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_CONTEXT;
    if (!current.depth) current.depth = 1;
    current.entries[current.depth - 1] = context;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxGetCurrent(CUcontext *context) {
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    *context = emu_context();
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxPushCurrent_v2(CUcontext context) {
    if (!context) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_CONTEXT;
    if (current.depth == STACK_DEPTH) return CUDA_ERROR_OUT_OF_MEMORY;
    current.entries[current.depth++] = context;
    return CUDA_SUCCESS;
}
CUresult emu_cuCtxPushCurrent(CUcontext context) { return emu_cuCtxPushCurrent_v2(context); }

CUresult emu_cuCtxPopCurrent_v2(CUcontext *context) {
    if (!current.depth) return CUDA_ERROR_INVALID_CONTEXT;
    current.depth--;
    if (context) *context = current.entries[current.depth];
    return CUDA_SUCCESS;
}
CUresult emu_cuCtxPopCurrent(CUcontext *context) { return emu_cuCtxPopCurrent_v2(context); }

/* ---- its properties ---- */

CUresult emu_cuCtxGetDevice(CUdevice *device) {
    if (!device) return CUDA_ERROR_INVALID_VALUE;
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxGetFlags(unsigned int *flags) {
    if (!flags) return CUDA_ERROR_INVALID_VALUE;
    *flags = emu_context()->flags;
    return CUDA_SUCCESS;
}

/* The context asked about: NULL stands for the current one. */
static CUresult choose(CUcontext *context) {
    if (!*context) *context = emu_context();
    if (!emu_handle_is(*context, EMU_KIND_CONTEXT)) return CUDA_ERROR_INVALID_CONTEXT;
    return (*context)->alive ? CUDA_SUCCESS : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

CUresult emu_cuCtxGetId(CUcontext context, unsigned long long *id) {
    CUresult result = id ? choose(&context) : CUDA_ERROR_INVALID_VALUE;
    if (!result) *id = context->id;
    return result;
}

CUresult emu_cuCtxGetApiVersion(CUcontext context, unsigned int *version) {
    CUresult result = version ? choose(&context) : CUDA_ERROR_INVALID_VALUE;
    if (!result) *version = context->version;
    return result;
}

CUresult emu_cuCtxSynchronize(void) { return CUDA_SUCCESS; } /* a failed kernel has been answered already */

static CUresult legal_limit(CUlimit limit) {
    if (limit < 0 || limit >= EMU_LIMITS) return CUDA_ERROR_INVALID_VALUE;
    return limits[limit].supported ? CUDA_SUCCESS : CUDA_ERROR_UNSUPPORTED_LIMIT;
}

CUresult emu_cuCtxGetLimit(size_t *value, CUlimit limit) {
    CUresult result = value ? legal_limit(limit) : CUDA_ERROR_INVALID_VALUE;
    if (!result) *value = emu_context()->limits[limit];
    return result;
}

/* Kept and answered; the emulated device itself runs into none of them. */
CUresult emu_cuCtxSetLimit(CUlimit limit, size_t value) {
    CUresult result = legal_limit(limit);
    if (result) return result;
    if (!limits[limit].settable) return CUDA_ERROR_INVALID_VALUE;
    emu_context()->limits[limit] = value;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxGetCacheConfig(CUfunc_cache *config) {
    if (!config) return CUDA_ERROR_INVALID_VALUE;
    *config = emu_context()->cache;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxSetCacheConfig(CUfunc_cache config) {
    if (config < CU_FUNC_CACHE_PREFER_NONE || config > CU_FUNC_CACHE_PREFER_EQUAL)
        return CUDA_ERROR_INVALID_VALUE;
    emu_context()->cache = config;
    return CUDA_SUCCESS;
}

CUresult emu_cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
}
