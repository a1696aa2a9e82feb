/* A driver that says yes to everything and does nothing, for what cannot run beside the emulated one
 * (ThreadSanitizer's own address space). Says that it is emulated, so that it is given PTX. */
#include <string.h>

#include "runtime/cuda_api.h"

static int thing; /* what every handle points to */

const char *wlemu_version(void) { return "null"; }

#define YES(name, parameters, ...)                                                                           \
    CUresult name parameters {                                                                               \
        __VA_ARGS__;                                                                                         \
        return CUDA_SUCCESS;                                                                                 \
    }
#pragma GCC diagnostic ignored "-Wunused-parameter"
YES(cuInit, (unsigned int flags))
YES(cuDriverGetVersion, (int *version), *version = 13000)
YES(cuGetErrorName, (CUresult error, const char **name), *name = "none")
YES(cuGetErrorString, (CUresult error, const char **text), *text = "none")
YES(cuDeviceGetCount, (int *count), *count = 1)
YES(cuDeviceGet, (CUdevice * device, int ordinal), *device = ordinal)
YES(cuDeviceGetName, (char *name, int bytes, CUdevice device), strncpy(name, "nothing", (size_t)bytes))
YES(cuDeviceGetAttribute, (int *value, CUdevice_attribute attribute, CUdevice device),
    *value = attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR   ? 10
             : attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR ? 0
                                                                         : 232448)
YES(cuDeviceTotalMem_v2, (size_t * bytes, CUdevice device), *bytes = 0)
YES(cuDevicePrimaryCtxRetain, (CUcontext * context, CUdevice device), *context = (CUcontext)(void *)&thing)
YES(cuDevicePrimaryCtxRelease_v2, (CUdevice device))
YES(cuCtxPushCurrent_v2, (CUcontext context))
YES(cuCtxPopCurrent_v2, (CUcontext * context), *context = NULL)
YES(cuCtxGetCurrent, (CUcontext * context), *context = NULL)
YES(cuCtxGetDevice, (CUdevice * device), *device = 0)
YES(cuCtxSynchronize, (void))
YES(cuModuleLoadDataEx,
    (CUmodule * module, const void *image, unsigned int count, CUjit_option *options, void **values),
    *module = (CUmodule)(void *)&thing)
YES(cuModuleUnload, (CUmodule module))
YES(cuModuleGetFunction, (CUfunction * function, CUmodule module, const char *name),
    *function = (CUfunction)(void *)&thing)
YES(cuFuncGetAttribute, (int *value, CUfunction_attribute attribute, CUfunction function), *value = 0)
YES(cuFuncSetAttribute, (CUfunction function, CUfunction_attribute attribute, int value))
YES(cuOccupancyMaxActiveBlocksPerMultiprocessor, (int *blocks, CUfunction function, int size, size_t smem),
    *blocks = 1)
YES(cuOccupancyMaxActiveClusters, (int *clusters, CUfunction function, const CUlaunchConfig *config),
    *clusters = 1)
YES(cuMemAlloc_v2, (CUdeviceptr * address, size_t bytes), *address = 4096)
YES(cuMemFree_v2, (CUdeviceptr address))
YES(cuMemGetInfo_v2, (size_t * free, size_t *total), *free = *total = 0)
YES(cuMemcpyHtoD_v2, (CUdeviceptr to, const void *from, size_t bytes))
YES(cuMemcpyDtoH_v2, (void *to, CUdeviceptr from, size_t bytes))
YES(cuMemsetD8_v2, (CUdeviceptr to, unsigned char value, size_t bytes))
YES(cuStreamSynchronize, (CUstream stream))
YES(cuEventCreate, (CUevent * event, unsigned int flags), *event = NULL)
YES(cuEventDestroy_v2, (CUevent event))
YES(cuEventRecord, (CUevent event, CUstream stream))
YES(cuEventSynchronize, (CUevent event))
YES(cuEventElapsedTime, (float *milliseconds, CUevent start, CUevent end), *milliseconds = 0)
YES(cuLaunchKernelEx, (const CUlaunchConfig *config, CUfunction function, void **parameters, void **extra))
YES(cuTensorMapEncodeTiled,
    (CUtensorMap * map, CUtensorMapDataType type, cuuint32_t rank, void *address, const cuuint64_t *dims,
     const cuuint64_t *strides, const cuuint32_t *box, const cuuint32_t *element_strides,
     CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle, CUtensorMapL2promotion l2,
     CUtensorMapFloatOOBfill fill),
    memset(map, 0, sizeof *map))
