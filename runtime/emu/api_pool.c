/* api_pool: memory allocated in the order of a stream. All work here is done when it is asked for, so an allocation
 * is there at once and a freed one is gone; what a pool would keep for later, this one gives back. */
#include "runtime/emu/api.h"

#include <string.h>
#include "gen/arena.h"

struct CUmemPoolHandle_st {
    bool standard; /* the device's own: never destroyed */
    uint64_t used, used_high, release_threshold, max_bytes;
    int flags[3]; /* the three REUSE attributes */
};

static struct CUmemPoolHandle_st standard_pool = {.standard = true, .flags = {1, 1, 1}};
static CUmemoryPool current; /* NULL: the standard one */

static CUmemoryPool standard(void) {
    if (!emu_handle_is(&standard_pool, EMU_KIND_POOL) && !emu_handle_add(&standard_pool, EMU_KIND_POOL)) return NULL;
    return &standard_pool;
}

static bool legal_device(CUdevice device) { return device >= 0 && device < EMU_DEVICE_COUNT; }

CUresult emu_cuDeviceGetDefaultMemPool(CUmemoryPool *pool, CUdevice device) {
    if (!pool) return CUDA_ERROR_INVALID_VALUE;
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    *pool = standard();
    return *pool ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult emu_cuDeviceGetMemPool(CUmemoryPool *pool, CUdevice device) {
    CUresult result = emu_cuDeviceGetDefaultMemPool(pool, device);
    if (!result && current) *pool = current;
    return result;
}

CUresult emu_cuDeviceSetMemPool(CUdevice device, CUmemoryPool pool) {
    if (!legal_device(device)) return CUDA_ERROR_INVALID_DEVICE;
    if (!emu_handle_is(pool, EMU_KIND_POOL)) return CUDA_ERROR_INVALID_VALUE;
    current = pool;
    return CUDA_SUCCESS;
}

/* ---- pools ---- */

CUresult emu_cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *props) {
    if (!pool || !props || props->allocType != CU_MEM_ALLOCATION_TYPE_PINNED) return CUDA_ERROR_INVALID_VALUE;
    if (props->location.type != CU_MEM_LOCATION_TYPE_DEVICE || !legal_device(props->location.id))
        return CUDA_ERROR_INVALID_VALUE;
    if (props->handleTypes) return CUDA_ERROR_NOT_SUPPORTED; /* shared with other processes */
    struct CUmemPoolHandle_st *fresh = wl_realloc(NULL, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    *fresh = (struct CUmemPoolHandle_st){.flags = {1, 1, 1}, .max_bytes = props->maxSize};
    if (!emu_handle_add(fresh, EMU_KIND_POOL)) {
        wl_free(fresh);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *pool = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemPoolDestroy(CUmemoryPool pool) {
    if (!emu_handle_is(pool, EMU_KIND_POOL) || pool->standard) return CUDA_ERROR_INVALID_VALUE;
    if (current == pool) current = NULL;
    emu_device_disown(emu_driver.device, pool); /* what was allocated from it lives on */
    emu_handle_remove(pool);
    wl_free(pool);
    return CUDA_SUCCESS;
}

CUresult emu_cuMemPoolTrimTo(CUmemoryPool pool, size_t bytes) {
    (void)bytes; /* nothing is kept that could be given back */
    return emu_handle_is(pool, EMU_KIND_POOL) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult emu_cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value) {
    if (!value || !emu_handle_is(pool, EMU_KIND_POOL)) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES: memcpy(&pool->flags[attribute - 1], value, sizeof(int)); break;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: memcpy(&pool->release_threshold, value, sizeof(uint64_t)); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH: { /* may be reset, to nothing but 0 */
        uint64_t zero;
        memcpy(&zero, value, sizeof zero);
        if (zero) return CUDA_ERROR_INVALID_VALUE;
        pool->used_high = pool->used;
        break;
    }
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

CUresult emu_cuMemPoolGetAttribute(CUmemoryPool pool, CUmemPool_attribute attribute, void *value) {
    if (!value || !emu_handle_is(pool, EMU_KIND_POOL)) return CUDA_ERROR_INVALID_VALUE;
    switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES: memcpy(value, &pool->flags[attribute - 1], sizeof(int)); break;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: memcpy(value, &pool->release_threshold, sizeof(uint64_t)); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT: /* as much as is used: nothing is kept */
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT: memcpy(value, &pool->used, sizeof(uint64_t)); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH: memcpy(value, &pool->used_high, sizeof(uint64_t)); break;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_SUCCESS;
}

/* There is one device, which reads and writes its own memory. */
CUresult emu_cuMemPoolSetAccess(CUmemoryPool pool, const CUmemAccessDesc *map, size_t count) {
    if (!emu_handle_is(pool, EMU_KIND_POOL) || (count && !map)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; i++)
        if (map[i].location.type != CU_MEM_LOCATION_TYPE_DEVICE || !legal_device(map[i].location.id) ||
            map[i].flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE)
            return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemPoolGetAccess(CUmemAccess_flags *flags, CUmemoryPool pool, CUmemLocation *location) {
    if (!flags || !location || !emu_handle_is(pool, EMU_KIND_POOL)) return CUDA_ERROR_INVALID_VALUE;
    if (location->type != CU_MEM_LOCATION_TYPE_DEVICE || !legal_device(location->id)) return CUDA_ERROR_INVALID_VALUE;
    *flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
    return CUDA_SUCCESS;
}

/* ---- allocation ---- */

CUresult emu_cuMemAllocFromPoolAsync(CUdeviceptr *address, size_t bytes, CUmemoryPool pool, CUstream stream) {
    struct emu_capture *capture;
    if (!address || !emu_handle_is(pool, EMU_KIND_POOL)) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = emu_capture_of(stream, &capture);
    if (result) return result;
    *address = 0;
    if (!bytes) return CUDA_SUCCESS; /* [H200] */
    if (capture) return CUDA_ERROR_NOT_SUPPORTED; /* a graph with memory of its own */
    if (pool->max_bytes && bytes > pool->max_bytes - pool->used) return CUDA_ERROR_OUT_OF_MEMORY;
    uint64_t got = emu_device_alloc(emu_driver.device, bytes);
    if (!got) return CUDA_ERROR_OUT_OF_MEMORY;
    emu_device_claim(emu_driver.device, got, EMU_MEMORY_DEVICE, emu_context(), 0);
    emu_device_set_pool(emu_driver.device, got, pool);
    pool->used += bytes;
    if (pool->used > pool->used_high) pool->used_high = pool->used;
    *address = got;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream stream) {
    CUmemoryPool pool;
    CUresult result = emu_cuDeviceGetMemPool(&pool, 0);
    return result ? result : emu_cuMemAllocFromPoolAsync(address, bytes, pool, stream);
}

CUresult emu_cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
    struct emu_capture *capture;
    struct emu_range range;
    CUresult result = emu_capture_of(stream, &capture);
    if (result) return result;
    if (capture) return CUDA_ERROR_NOT_SUPPORTED;
    if (!emu_device_find(emu_driver.device, address, &range)) return CUDA_ERROR_INVALID_VALUE;
    return emu_cuMemFree_v2(address);
}

void emu_pool_freed(CUmemoryPool pool, size_t bytes) { pool->used -= bytes; }
