/* api_copy: copies and fills. Device and host addresses are one space here; what must be device memory is
 * checked whole. */
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

static CUresult copy(uint64_t to, uint64_t from, size_t bytes, bool legal) {
    if (!bytes) return CUDA_SUCCESS;
    if (!legal) return CUDA_ERROR_INVALID_VALUE;
    memmove((void *)(uintptr_t)to, (const void *)(uintptr_t)from, bytes);
    return CUDA_SUCCESS;
}

CUresult emu_cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return copy(to, from, bytes, on_either(to, bytes) && on_either(from, bytes));
}

CUresult emu_cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes) {
    return copy(to, (uintptr_t)from, bytes, on_device(to, bytes) && on_either((uintptr_t)from, bytes));
}

CUresult emu_cuMemcpyDtoH_v2(void *to, CUdeviceptr from, size_t bytes) {
    return copy((uintptr_t)to, from, bytes, on_either((uintptr_t)to, bytes) && on_device(from, bytes));
}

CUresult emu_cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return copy(to, from, bytes, on_device(to, bytes) && on_device(from, bytes));
}

/* The streamed forms: the copy happens now, which any order of the stream allows. */
static CUresult streamed(CUstream stream) {
    return emu_stream_valid(stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult emu_cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : emu_cuMemcpy(to, from, bytes);
}

CUresult emu_cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : emu_cuMemcpyHtoD_v2(to, from, bytes);
}

CUresult emu_cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : emu_cuMemcpyDtoH_v2(to, from, bytes);
}

CUresult emu_cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : emu_cuMemcpyDtoD_v2(to, from, bytes);
}

/* Fills count elements of 1, 2 or 4 bytes. */
static CUresult fill(uint64_t to, uint32_t value, size_t count, size_t element) {
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) || to % element) return CUDA_ERROR_INVALID_VALUE;
    if (!count) return CUDA_SUCCESS;
    if (!on_device(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    unsigned char *out = (unsigned char *)(uintptr_t)to;
    if (element == 1) memset(out, (int)value, bytes);
    else
        for (size_t i = 0; i < bytes; i += element) memcpy(out + i, &value, element); /* little endian */
    return CUDA_SUCCESS;
}

CUresult emu_cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
    return fill(to, value, count, 1);
}
CUresult emu_cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
    return fill(to, value, count, 2);
}
CUresult emu_cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
    return fill(to, value, count, 4);
}

CUresult emu_cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : fill(to, value, count, 1);
}
CUresult emu_cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : fill(to, value, count, 2);
}
CUresult emu_cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
    CUresult result = streamed(stream);
    return result ? result : fill(to, value, count, 4);
}
