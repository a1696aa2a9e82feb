/* aot: a kernel that was made when this program was built, launched with nothing but the Driver API. All of V
 * is 1, so all of O must be. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h" /* made by `warploom emit --c-header` */

/* The Driver API's types and functions; with a CUDA toolkit, #include <cuda.h> does. */
#include "runtime/cuda_api.h"
#define WL_CU_FN(name, parameters) CUresult name parameters;
#include "runtime/cuda_functions.def"

#define KERNEL(what) attention_bf16_d64_full_##what
#define NEED(call)                                                                                           \
    do {                                                                                                     \
        CUresult result = call;                                                                              \
        if (result) return printf("%s: %d\n", #call, result), 1;                                             \
    } while (0)

enum { SEQ = 300, HEADS = 3, DIM = 64, COUNT = SEQ * HEADS * DIM };

union argument { /* one parameter */
    CUtensorMap map;
    uint64_t address;
    uint32_t number;
    float real;
};

static CUdeviceptr tensors[5]; /* by enum wl_aot_tensor; LSE stays 0: not wanted */

static int tensor_map(CUtensorMap *map, const struct wl_aot_param *p) {
    const cuuint64_t size[] = {DIM, SEQ, HEADS, 1}, strides[] = {HEADS * DIM * 2, DIM * 2, COUNT * 2};
    const cuuint32_t box[] = {p->box[0], p->box[1], p->box[2], p->box[3]}, ones[] = {1, 1, 1, 1};
    int swizzle = p->swizzle_bytes == 128  ? CU_TENSOR_MAP_SWIZZLE_128B
                  : p->swizzle_bytes == 64 ? CU_TENSOR_MAP_SWIZZLE_64B
                  : p->swizzle_bytes == 32 ? CU_TENSOR_MAP_SWIZZLE_32B
                                           : CU_TENSOR_MAP_SWIZZLE_NONE;
    return cuTensorMapEncodeTiled(map, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 4,
                                  (void *)(size_t)tensors[p->tensor], size, strides, box, ones,
                                  CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                                  CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

static int fill(union argument *a, const struct wl_aot_param *p, uint32_t m_tiles) {
    switch (p->kind) {
    case WL_AOT_TENSOR_MAP: return tensor_map(&a->map, p);
    case WL_AOT_POINTER: a->address = tensors[p->tensor]; break;
    case WL_AOT_SEQLEN_Q:
    case WL_AOT_SEQLEN_K: a->number = SEQ; break;
    case WL_AOT_BATCH:
    case WL_AOT_HEAD_RATIO: a->number = 1; break;
    case WL_AOT_HEADS:
    case WL_AOT_HEADS_KV: a->number = HEADS; break;
    case WL_AOT_M_TILES: a->number = m_tiles; break;
    case WL_AOT_TILES: a->number = m_tiles * HEADS; break;
    case WL_AOT_SCALE_LOG2: a->real = (float)(1.4426950408889634 / sqrt(DIM)); break;
    default: return -1;
    }
    return 0;
}

int main(void) {
    const struct wl_aot_launch *l = &KERNEL(launch);
    static uint16_t ones[COUNT], out[COUNT];
    static union argument arguments[24];
    void *pointers[24];
    CUcontext context;
    CUmodule module;
    CUfunction function;
    int sms, blocks;
    for (int i = 0; i < COUNT; i++) ones[i] = 0x3f80;
    NEED(cuInit(0));
    NEED(cuDevicePrimaryCtxRetain(&context, 0));
    NEED(cuCtxPushCurrent_v2(context));
    NEED(cuModuleLoadDataEx(&module, KERNEL(image), 0, NULL, NULL));
    NEED(cuModuleGetFunction(&function, module, l->entry));
    NEED(cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)l->smem_bytes));
    NEED(cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
    NEED(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, function, (int)l->threads, l->smem_bytes));
    for (int i = WL_AOT_Q; i <= WL_AOT_O; i++) {
        NEED(cuMemAlloc_v2(&tensors[i], sizeof ones));
        NEED(cuMemcpyHtoD_v2(tensors[i], ones, sizeof ones));
    }
    uint32_t m_tiles = (SEQ + l->rows_per_tile - 1) / l->rows_per_tile, tiles = m_tiles * HEADS;
    for (uint32_t i = 0; i < l->param_count; i++) {
        NEED(fill(&arguments[i], &l->params[i], m_tiles));
        pointers[i] = &arguments[i];
    }
    CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                 .value.clusterDim = {l->cluster, 1, 1}};
    uint32_t resident = (uint32_t)(sms * blocks) / l->cluster;
    uint32_t clusters = l->persistent && tiles > resident ? resident : tiles;
    CUlaunchConfig config = {clusters * l->cluster, 1,    1,        l->threads,    1, 1,
                             l->smem_bytes,         NULL, &cluster, l->cluster > 1};
    NEED(cuMemsetD8_v2(tensors[WL_AOT_O], 0, sizeof out));
    NEED(cuLaunchKernelEx(&config, function, pointers, NULL));
    NEED(cuCtxSynchronize());
    NEED(cuMemcpyDtoH_v2(out, tensors[WL_AOT_O], sizeof out));
    for (int i = WL_AOT_Q; i <= WL_AOT_O; i++) NEED(cuMemFree_v2(tensors[i]));
    NEED(cuModuleUnload(module));
    NEED(cuDevicePrimaryCtxRelease_v2(0));
    puts(memcmp(ones, out, sizeof out) ? "wrong" : "right");
    return memcmp(ones, out, sizeof out) != 0;
}
