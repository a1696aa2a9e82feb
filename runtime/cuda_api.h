/* cuda_api: warploom's own declarations of the CUDA Driver API: the ABI's types, enums and structures, as far
 * as the runtime calls them and the emulated driver answers them. No cuda.h is needed to build; where one is
 * found, a test checks every constant, layout and prototype here against it.
 *
 * Enums of the API are plain ints (CUresult, CUdevice_attribute, ...): same size, same passing. */
#ifndef WL_CUDA_API_H
#define WL_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

typedef int CUresult;
typedef int CUdevice;
typedef unsigned long long CUdeviceptr;
typedef uint32_t cuuint32_t;
typedef uint64_t cuuint64_t;

typedef struct CUctx_st *CUcontext;
typedef struct CUmod_st *CUmodule;
typedef struct CUfunc_st *CUfunction;
typedef struct CUstream_st *CUstream;
typedef struct CUevent_st *CUevent;
typedef struct CUlinkState_st *CUlinkState;

typedef int CUdevice_attribute, CUfunction_attribute, CUpointer_attribute, CUlimit, CUjit_option, CUjitInputType, CUmoduleLoadingMode,
    CUfunc_cache;
typedef int CUtensorMapDataType, CUtensorMapInterleave, CUtensorMapSwizzle, CUtensorMapL2promotion;
typedef int CUtensorMapFloatOOBfill, CUlaunchAttributeID, CUstreamCaptureStatus,
    CUdriverProcAddressQueryResult;

typedef struct CUuuid_st {
    char bytes[16];
} CUuuid;

typedef struct CUtensorMap_st {
    _Alignas(128) cuuint64_t opaque[16];
} CUtensorMap;

typedef struct CUexecAffinityParam_st CUexecAffinityParam;
typedef struct CUctxCreateParams_st {
    CUexecAffinityParam *execAffinityParams;
    int numExecAffinityParams;
    void *cigParams;
} CUctxCreateParams;

typedef union CUlaunchAttributeValue_union {
    char pad[64];
    void *align;
    int cooperative;
    struct {
        unsigned int x, y, z;
    } clusterDim, preferredClusterDim;
    int clusterSchedulingPolicyPreference;
    int programmaticStreamSerializationAllowed;
    struct {
        CUevent event;
        int flags;
        int triggerAtBlockStart;
    } programmaticEvent;
    struct {
        CUevent event;
        int flags;
    } launchCompletionEvent;
    int priority;
    unsigned int sharedMemCarveout;
} CUlaunchAttributeValue;

typedef struct CUlaunchAttribute_st {
    CUlaunchAttributeID id;
    char pad[4];
    CUlaunchAttributeValue value;
} CUlaunchAttribute;

typedef struct CUlaunchConfig_st {
    unsigned int gridDimX, gridDimY, gridDimZ;
    unsigned int blockDimX, blockDimY, blockDimZ;
    unsigned int sharedMemBytes;
    CUstream hStream;
    CUlaunchAttribute *attrs;
    unsigned int numAttrs;
} CUlaunchConfig;

typedef void (*CUhostFn)(void *user);
typedef void (*CUstreamCallback)(CUstream stream, CUresult status, void *user);
typedef size_t (*CUoccupancyB2DSize)(int block_size);

#define WL_CU_ERROR(name, value, text) name = (value),
enum {
#include "runtime/cuda_errors.def"
};
#undef WL_CU_ERROR
#define WL_CU_CONST(name, value) name = (value),
enum {
#include "runtime/cuda_constants.def"
};
#undef WL_CU_CONST
#define WL_CU_SIZE(type, bytes, align)                                                                       \
    _Static_assert(sizeof(type) == (bytes) && _Alignof(type) == (align), "size of " #type);
#define WL_CU_FIELD(type, field, offset) _Static_assert(offsetof(type, field) == (offset), #type "." #field);
#include "runtime/cuda_structs.def"
#undef WL_CU_SIZE
#undef WL_CU_FIELD

/* Values that cuda.h writes as macros or casts. */
#define CU_STREAM_LEGACY               ((CUstream)0x1)
#define CU_STREAM_PER_THREAD           ((CUstream)0x2)
#define CU_LAUNCH_PARAM_END            ((void *)0x00)
#define CU_LAUNCH_PARAM_BUFFER_POINTER ((void *)0x01)
#define CU_LAUNCH_PARAM_BUFFER_SIZE    ((void *)0x02)

#endif
