/* api_copy: copies and fills. Every one is a box of bytes, a CUDA_MEMCPY3D or a CUDA_MEMSET_NODE_PARAMS, so that a
 * graph's nodes and the calls for one, two and three dimensions are one. Device and host addresses are one space
 * here; what must be device memory is checked whole. */
#include "runtime/emu/api.h"

#include <string.h>

/* Whether all of it is the device's, or host memory that the device may use. */
static bool on_device(uint64_t address, size_t bytes) {
    return emu_device_contains(emu_driver.device, address, bytes);
}

/* An address that cuMemcpy takes: inside an allocation whole, or no allocation at all, so the host's own. */
static bool on_either(uint64_t address, size_t bytes) {
    struct emu_range range;
    if (emu_device_find(emu_driver.device, address, &range)) return on_device(address, bytes);
    return address >= 4096;
}

/* ---- copies ---- */

struct side { /* where a copy comes from, or goes to */
    uint64_t address;
    size_t pitch, slice; /* bytes from row to row, from plane to plane */
    bool device;
};

static CUresult take_side(struct side *side, CUmemorytype type, const void *host, CUdeviceptr device, size_t x, size_t y,
                          size_t z, size_t pitch, size_t height, const CUDA_MEMCPY3D *copy) {
    if (type == CU_MEMORYTYPE_ARRAY) return CUDA_ERROR_NOT_SUPPORTED;
    if (type < CU_MEMORYTYPE_HOST || type > CU_MEMORYTYPE_UNIFIED) return CUDA_ERROR_INVALID_VALUE;
    if (!pitch) pitch = copy->WidthInBytes + x; /* one row after the other */
    if (!height) height = copy->Height + y;
    if (x + copy->WidthInBytes > pitch && (copy->Height > 1 || copy->Depth > 1)) return CUDA_ERROR_INVALID_VALUE;
    if (y + copy->Height > height && copy->Depth > 1) return CUDA_ERROR_INVALID_VALUE;
    side->device = type == CU_MEMORYTYPE_DEVICE;
    side->pitch = pitch;
    side->slice = pitch * height;
    side->address = (type == CU_MEMORYTYPE_HOST ? (uintptr_t)host : device) + z * side->slice + y * pitch + x;
    return CUDA_SUCCESS;
}

static CUresult take_sides(struct side *from, struct side *to, const CUDA_MEMCPY3D *c) {
    if (c->srcLOD || c->dstLOD) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = take_side(from, c->srcMemoryType, c->srcHost, c->srcDevice, c->srcXInBytes, c->srcY, c->srcZ,
                                c->srcPitch, c->srcHeight, c);
    if (result) return result;
    return take_side(to, c->dstMemoryType, c->dstHost, c->dstDevice, c->dstXInBytes, c->dstY, c->dstZ, c->dstPitch,
                     c->dstHeight, c);
}

CUresult emu_copy_check(const CUDA_MEMCPY3D *copy) {
    struct side from, to;
    return take_sides(&from, &to, copy);
}

static bool usable(const struct side *side, const CUDA_MEMCPY3D *copy) {
    size_t span = (copy->Depth - 1) * side->slice + (copy->Height - 1) * side->pitch + copy->WidthInBytes;
    return side->device ? on_device(side->address, span) : on_either(side->address, span);
}

CUresult emu_copy_run(const CUDA_MEMCPY3D *copy) {
    struct side from, to;
    CUresult result = take_sides(&from, &to, copy);
    if (result || !copy->WidthInBytes || !copy->Height || !copy->Depth) return result;
    if (!usable(&from, copy) || !usable(&to, copy)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t z = 0; z < copy->Depth; z++)
        for (size_t y = 0; y < copy->Height; y++)
            memmove((void *)(uintptr_t)(to.address + z * to.slice + y * to.pitch),
                    (const void *)(uintptr_t)(from.address + z * from.slice + y * from.pitch), copy->WidthInBytes);
    return CUDA_SUCCESS;
}

static CUresult submit(CUstream stream, const CUDA_MEMCPY3D *copy) {
    struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_MEMCPY, .copy = *copy};
    return emu_submit(stream, &work);
}

/* ---- in one dimension ---- */

static CUresult line(CUstream stream, CUmemorytype to_type, uint64_t to, CUmemorytype from_type, uint64_t from,
                     size_t bytes) {
    CUDA_MEMCPY3D copy = {.srcMemoryType = from_type,
                          .srcHost = (const void *)(uintptr_t)from,
                          .srcDevice = from,
                          .dstMemoryType = to_type,
                          .dstHost = (void *)(uintptr_t)to,
                          .dstDevice = to,
                          .WidthInBytes = bytes,
                          .Height = 1,
                          .Depth = 1};
    return submit(stream, &copy);
}

CUresult emu_cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return line(stream, CU_MEMORYTYPE_UNIFIED, to, CU_MEMORYTYPE_UNIFIED, from, bytes);
}
CUresult emu_cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    return line(stream, CU_MEMORYTYPE_DEVICE, to, CU_MEMORYTYPE_HOST, (uintptr_t)from, bytes);
}
CUresult emu_cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return line(stream, CU_MEMORYTYPE_HOST, (uintptr_t)to, CU_MEMORYTYPE_DEVICE, from, bytes);
}
CUresult emu_cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return line(stream, CU_MEMORYTYPE_DEVICE, to, CU_MEMORYTYPE_DEVICE, from, bytes);
}

CUresult emu_cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return emu_cuMemcpyAsync(to, from, bytes, NULL);
}
CUresult emu_cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
    return emu_cuMemcpyHtoDAsync_v2(to, from, bytes, NULL);
}
CUresult emu_cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
    return emu_cuMemcpyDtoHAsync_v2(to, from, bytes, NULL);
}
CUresult emu_cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return emu_cuMemcpyDtoDAsync_v2(to, from, bytes, NULL);
}

/* ---- in two and three ---- */

CUresult emu_cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D *c, CUstream stream) {
    if (!c) return CUDA_ERROR_INVALID_VALUE;
    CUDA_MEMCPY3D copy = {.srcXInBytes = c->srcXInBytes,
                          .srcY = c->srcY,
                          .srcMemoryType = c->srcMemoryType,
                          .srcHost = c->srcHost,
                          .srcDevice = c->srcDevice,
                          .srcPitch = c->srcPitch,
                          .dstXInBytes = c->dstXInBytes,
                          .dstY = c->dstY,
                          .dstMemoryType = c->dstMemoryType,
                          .dstHost = c->dstHost,
                          .dstDevice = c->dstDevice,
                          .dstPitch = c->dstPitch,
                          .WidthInBytes = c->WidthInBytes,
                          .Height = c->Height,
                          .Depth = 1};
    return submit(stream, &copy);
}
CUresult emu_cuMemcpy2D_v2(const CUDA_MEMCPY2D *copy) { return emu_cuMemcpy2DAsync_v2(copy, NULL); }
CUresult emu_cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D *copy) { return emu_cuMemcpy2DAsync_v2(copy, NULL); }

CUresult emu_cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *copy, CUstream stream) {
    return copy ? submit(stream, copy) : CUDA_ERROR_INVALID_VALUE;
}
CUresult emu_cuMemcpy3D_v2(const CUDA_MEMCPY3D *copy) { return emu_cuMemcpy3DAsync_v2(copy, NULL); }

/* ---- fills ---- */

CUresult emu_fill_check(const CUDA_MEMSET_NODE_PARAMS *fill) {
    size_t element = fill->elementSize, row;
    if (element != 1 && element != 2 && element != 4) return CUDA_ERROR_INVALID_VALUE;
    if (fill->dst % element || __builtin_mul_overflow(fill->width, element, &row)) return CUDA_ERROR_INVALID_VALUE;
    if (fill->height > 1 && (fill->pitch % element || fill->pitch < row)) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
}

CUresult emu_fill_run(const CUDA_MEMSET_NODE_PARAMS *fill) {
    size_t element = fill->elementSize, row = fill->width * element, pitch = fill->height > 1 ? fill->pitch : row, all;
    if (!row || !fill->height) return CUDA_SUCCESS;
    if (__builtin_mul_overflow(pitch, fill->height - 1, &all) || __builtin_add_overflow(all, row, &all))
        return CUDA_ERROR_INVALID_VALUE;
    if (!on_device(fill->dst, all)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t y = 0; y < fill->height; y++) {
        unsigned char *out = (unsigned char *)(uintptr_t)(fill->dst + y * pitch);
        if (element == 1) memset(out, (int)fill->value, row);
        else
            for (size_t i = 0; i < row; i += element) memcpy(out + i, &fill->value, element); /* little endian */
    }
    return CUDA_SUCCESS;
}

static CUresult fill(CUstream stream, uint64_t to, size_t pitch, uint32_t value, size_t width, size_t height,
                     unsigned int element) {
    struct emu_work work = {.kind = CU_GRAPH_NODE_TYPE_MEMSET,
                            .fill = {.dst = to,
                                     .pitch = pitch,
                                     .value = value,
                                     .elementSize = element,
                                     .width = width,
                                     .height = height}};
    return emu_submit(stream, &work);
}

CUresult emu_cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
    return fill(stream, to, 0, value, count, 1, 1);
}
CUresult emu_cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
    return fill(stream, to, 0, value, count, 1, 2);
}
CUresult emu_cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
    return fill(stream, to, 0, value, count, 1, 4);
}
CUresult emu_cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
    return emu_cuMemsetD8Async(to, value, count, NULL);
}
CUresult emu_cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
    return emu_cuMemsetD16Async(to, value, count, NULL);
}
CUresult emu_cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
    return emu_cuMemsetD32Async(to, value, count, NULL);
}

CUresult emu_cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height,
                               CUstream stream) {
    return fill(stream, to, pitch, value, width, height, 1);
}
CUresult emu_cuMemsetD2D16Async(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height,
                                CUstream stream) {
    return fill(stream, to, pitch, value, width, height, 2);
}
CUresult emu_cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height,
                                CUstream stream) {
    return fill(stream, to, pitch, value, width, height, 4);
}
CUresult emu_cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height) {
    return fill(NULL, to, pitch, value, width, height, 1);
}
CUresult emu_cuMemsetD2D16_v2(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height) {
    return fill(NULL, to, pitch, value, width, height, 2);
}
CUresult emu_cuMemsetD2D32_v2(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height) {
    return fill(NULL, to, pitch, value, width, height, 4);
}

/* ---- where managed memory lies: in one place here, whatever is asked ---- */

static CUresult managed(CUdeviceptr address, size_t bytes) {
    struct emu_range range;
    if (!bytes || !emu_device_find(emu_driver.device, address, &range) || !on_device(address, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    return range.kind == EMU_MEMORY_MANAGED ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

static CUresult legal_place(CUmemLocation place) {
    if (place.type < CU_MEM_LOCATION_TYPE_DEVICE || place.type > CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT)
        return CUDA_ERROR_INVALID_VALUE;
    bool known = place.type != CU_MEM_LOCATION_TYPE_DEVICE || (place.id >= 0 && place.id < EMU_DEVICE_COUNT);
    return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult emu_cuMemPrefetchAsync_v2(CUdeviceptr address, size_t count, CUmemLocation location, unsigned int flags,
                                   CUstream stream) {
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_stream_valid(stream)) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = legal_place(location);
    return result ? result : managed(address, count);
}

static CUmemLocation place_of(CUdevice device) { /* CU_DEVICE_CPU is -1 */
    return (CUmemLocation){device == -1 ? CU_MEM_LOCATION_TYPE_HOST : CU_MEM_LOCATION_TYPE_DEVICE, device};
}

CUresult emu_cuMemPrefetchAsync(CUdeviceptr address, size_t count, CUdevice to, CUstream stream) {
    return emu_cuMemPrefetchAsync_v2(address, count, place_of(to), 0, stream);
}

CUresult emu_cuMemAdvise_v2(CUdeviceptr address, size_t count, CUmem_advise advice, CUmemLocation location) {
    if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
        return CUDA_ERROR_INVALID_VALUE;
    CUresult result = legal_place(location);
    return result ? result : managed(address, count);
}

CUresult emu_cuMemAdvise(CUdeviceptr address, size_t count, CUmem_advise advice, CUdevice device) {
    return emu_cuMemAdvise_v2(address, count, advice, place_of(device));
}
