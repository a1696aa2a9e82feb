/* api_memory: allocation, host memory that kernels may use, and what is known of an address. */
#include "runtime/emu/api.h"

#include <string.h>

static CUresult allocate(CUdeviceptr *address, size_t bytes, enum emu_memory kind, unsigned int flags) {
    if (!address || !bytes) return CUDA_ERROR_INVALID_VALUE;
    uint64_t got = emu_device_alloc(emu_driver.device, bytes);
    if (!got) return CUDA_ERROR_OUT_OF_MEMORY;
    emu_device_claim(emu_driver.device, got, kind, emu_context(), flags);
    *address = got;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemAlloc_v2(CUdeviceptr *address, size_t bytes) {
    return allocate(address, bytes, EMU_MEMORY_DEVICE, 0);
}

CUresult emu_cuMemAllocPitch_v2(CUdeviceptr *address, size_t *pitch, size_t width, size_t height,
                                unsigned int element_bytes) {
    if (!address || !pitch || !width || !height) return CUDA_ERROR_INVALID_VALUE;
    if (element_bytes != 4 && element_bytes != 8 && element_bytes != 16) return CUDA_ERROR_INVALID_VALUE;
    size_t row = (width + 511) & ~(size_t)511, bytes;
    if (row < width || __builtin_mul_overflow(row, height, &bytes)) return CUDA_ERROR_OUT_OF_MEMORY;
    CUresult result = allocate(address, bytes, EMU_MEMORY_DEVICE, 0);
    if (!result) *pitch = row;
    return result;
}

CUresult emu_cuMemAllocManaged(CUdeviceptr *address, size_t bytes, unsigned int flags) {
    if (flags != 1 && flags != 2) return CUDA_ERROR_INVALID_VALUE; /* CU_MEM_ATTACH_GLOBAL, _HOST */
    return allocate(address, bytes, EMU_MEMORY_MANAGED, flags);
}

/* A line that a program allocated, of one of these kinds, starting just here. */
static bool owned_at(uint64_t address, struct emu_range *range) {
    return emu_device_find(emu_driver.device, address, range) && range->address == address && range->owner;
}

void emu_memory_release(const struct emu_range *range) {
    if (range->pool) emu_pool_freed(range->pool, range->bytes);
    if (!emu_device_free(emu_driver.device, range->address)) emu_device_unregister(emu_driver.device, range->address);
}

CUresult emu_cuMemFree_v2(CUdeviceptr address) {
    if (!address) return CUDA_SUCCESS;
    struct emu_range range;
    bool freeable =
        owned_at(address, &range) && (range.kind == EMU_MEMORY_DEVICE || range.kind == EMU_MEMORY_MANAGED);
    if (!freeable) return CUDA_ERROR_INVALID_VALUE;
    emu_memory_release(&range);
    return CUDA_SUCCESS;
}

CUresult emu_cuMemGetInfo_v2(size_t *free, size_t *total) {
    if (!free || !total) return CUDA_ERROR_INVALID_VALUE;
    *total = emu_driver.config.profile->memory_bytes;
    *free = *total - emu_device_used(emu_driver.device);
    return CUDA_SUCCESS;
}

CUresult emu_cuMemGetAddressRange_v2(CUdeviceptr *start, size_t *bytes, CUdeviceptr address) {
    struct emu_range range;
    if (!emu_device_find(emu_driver.device, address, &range)) return CUDA_ERROR_NOT_FOUND;
    if (start) *start = range.address;
    if (bytes) *bytes = range.bytes;
    return CUDA_SUCCESS;
}

/* ---- host memory ---- */

CUresult emu_cuMemHostAlloc(void **pointer, size_t bytes, unsigned int flags) {
    unsigned int known = CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
    if (!pointer || flags & ~known) return CUDA_ERROR_INVALID_VALUE;
    *pointer = NULL;
    if (!bytes) return CUDA_SUCCESS; /* [H200] */
    CUdeviceptr address;
    CUresult result = allocate(&address, bytes, EMU_MEMORY_HOST, flags | CU_MEMHOSTALLOC_DEVICEMAP);
    if (!result) *pointer = (void *)(uintptr_t)address;
    return result;
}

CUresult emu_cuMemAllocHost_v2(void **pointer, size_t bytes) { return emu_cuMemHostAlloc(pointer, bytes, 0); }

CUresult emu_cuMemFreeHost(void *pointer) {
    struct emu_range range;
    if (!pointer) return CUDA_SUCCESS;
    if (!owned_at((uintptr_t)pointer, &range) || range.kind != EMU_MEMORY_HOST)
        return CUDA_ERROR_INVALID_VALUE;
    emu_device_free(emu_driver.device, range.address);
    return CUDA_SUCCESS;
}

static bool host_range(const void *pointer, struct emu_range *range) {
    return emu_device_find(emu_driver.device, (uintptr_t)pointer, range) &&
           (range->kind == EMU_MEMORY_HOST || range->kind == EMU_MEMORY_REGISTERED);
}

CUresult emu_cuMemHostGetDevicePointer_v2(CUdeviceptr *address, void *pointer, unsigned int flags) {
    struct emu_range range;
    if (!address || flags || !host_range(pointer, &range)) return CUDA_ERROR_INVALID_VALUE;
    *address = (uintptr_t)pointer;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemHostGetFlags(unsigned int *flags, void *pointer) {
    struct emu_range range;
    if (!flags || !host_range(pointer, &range)) return CUDA_ERROR_INVALID_VALUE;
    *flags = range.flags;
    return CUDA_SUCCESS;
}

CUresult emu_cuMemHostRegister_v2(void *pointer, size_t bytes, unsigned int flags) {
    unsigned int known =
        CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_READ_ONLY;
    if (!pointer || !bytes || bytes - 1 > UINTPTR_MAX - (uintptr_t)pointer || flags & ~known)
        return CUDA_ERROR_INVALID_VALUE;
    if (!emu_device_register(emu_driver.device, (uintptr_t)pointer, bytes))
        return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    emu_device_claim(emu_driver.device, (uintptr_t)pointer, EMU_MEMORY_REGISTERED, emu_context(),
                     flags | CU_MEMHOSTREGISTER_DEVICEMAP);
    return CUDA_SUCCESS;
}

CUresult emu_cuMemHostUnregister(void *pointer) {
    if (!pointer) return CUDA_ERROR_INVALID_VALUE;
    bool done = emu_device_unregister(emu_driver.device, (uintptr_t)pointer);
    return done ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}

/* ---- what is known of an address ---- */

union answer {
    void *pointer;
    uint64_t number;
    int integer;
};

/* The answer and its size; 0: this address has none. */
static size_t pointer_attribute(union answer *answer, CUpointer_attribute attribute,
                                const struct emu_range *range, uint64_t address) {
    bool host = range->kind == EMU_MEMORY_HOST || range->kind == EMU_MEMORY_REGISTERED;
    *answer = (union answer){0};
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT: answer->pointer = range->owner; return sizeof(void *);
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        answer->integer = host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE;
        return sizeof(int);
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: answer->number = address; return sizeof(uint64_t);
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        answer->number = address;
        return host || range->kind == EMU_MEMORY_MANAGED ? sizeof(uint64_t) : 0;
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: answer->integer = 1; return sizeof(int); /* every copy here is */
    case CU_POINTER_ATTRIBUTE_BUFFER_ID: answer->number = range->id; return sizeof(uint64_t);
    case CU_POINTER_ATTRIBUTE_IS_MANAGED: answer->integer = range->kind == EMU_MEMORY_MANAGED; return 1;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: return sizeof(int);
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE: return 1; /* bool: no */
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: answer->number = range->address; return sizeof(uint64_t);
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: answer->number = range->bytes; return sizeof(uint64_t);
    case CU_POINTER_ATTRIBUTE_MAPPED: answer->integer = 1; return 1;
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES: return sizeof(uint64_t);
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
        answer->integer = CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE;
        return sizeof(int);
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE: answer->pointer = range->pool; return sizeof(void *);
    default: return 0;
    }
}

static bool known_attribute(CUpointer_attribute attribute) {
    return attribute >= CU_POINTER_ATTRIBUTE_CONTEXT &&
           attribute <= CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE;
}

CUresult emu_cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr address) {
    struct emu_range range;
    if (!data || !known_attribute(attribute)) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_device_find(emu_driver.device, address, &range)) return CUDA_ERROR_INVALID_VALUE;
    union answer answer;
    size_t bytes = pointer_attribute(&answer, attribute, &range, address);
    memcpy(data, &answer, bytes);
    return bytes ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* For an address that nothing is known of, every attribute is 0, but the device -2 [H200]. */
static size_t unknown_address(union answer *answer, CUpointer_attribute attribute) {
    static const struct emu_range nothing = {.kind = EMU_MEMORY_HOST};
    size_t bytes = pointer_attribute(answer, attribute, &nothing, 0);
    *answer = (union answer){0};
    if (attribute == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL) answer->integer = -2;
    return bytes;
}

CUresult emu_cuPointerGetAttributes(unsigned int count, CUpointer_attribute *attributes, void **data,
                                    CUdeviceptr address) {
    if (!count || !attributes || !data) return CUDA_ERROR_INVALID_VALUE;
    struct emu_range range;
    bool found = emu_device_find(emu_driver.device, address, &range);
    for (unsigned int i = 0; i < count; i++) {
        union answer answer;
        if (!known_attribute(attributes[i])) return CUDA_ERROR_INVALID_VALUE;
        size_t bytes = found ? pointer_attribute(&answer, attributes[i], &range, address)
                             : unknown_address(&answer, attributes[i]);
        if (!bytes) bytes = unknown_address(&answer, attributes[i]);
        memcpy(data[i], &answer, bytes);
    }
    return CUDA_SUCCESS;
}
