// Kernels of CTAs and warps that work together, as nvcc compiles them, for tests/test_emu_nvcc.c.
//     nvcc -arch=compute_90 -ptx -o tests/nvcc/cluster.ptx tests/nvcc/cluster.cu
#include <cooperative_groups.h>
#include <cuda_fp16.h>
#include <cuda_pipeline.h>
#include <stdint.h>

namespace cg = cooperative_groups;

// How often each value occurs: a cluster's CTAs hold 64 bins each and add into each other's.
extern "C" __global__ void __cluster_dims__(4, 1, 1) histogram(const uint8_t *values, int n, int *bins) {
    __shared__ int mine[64];
    cg::cluster_group cluster = cg::this_cluster();
    int rank = cluster.block_rank();
    for (int i = threadIdx.x; i < 64; i += blockDim.x) mine[i] = 0;
    cluster.sync();
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
        int v = values[i];
        atomicAdd(cluster.map_shared_rank(mine, v / 64) + v % 64, 1);
    }
    cluster.sync();
    for (int i = threadIdx.x; i < 64; i += blockDim.x) atomicAdd(bins + rank * 64 + i, mine[i]);
}

// Sums of rows of 256, staged by cp.async two tiles ahead.
extern "C" __global__ void staged(const float *a, float *sums, int rows) {
    __shared__ float tile[3][256];
    int t = threadIdx.x;
    for (int k = 0; k < 2; k++) {
        if (k < rows) __pipeline_memcpy_async(&tile[k][t], a + k * 256 + t, 4);
        __pipeline_commit();
    }
    for (int row = 0; row < rows; row++) {
        if (row + 2 < rows) __pipeline_memcpy_async(&tile[(row + 2) % 3][t], a + (row + 2) * 256 + t, 4);
        __pipeline_commit();
        __pipeline_wait_prior(2);
        __syncthreads();
        float v = tile[row % 3][255 - t];
        for (int d = 16; d; d >>= 1) v += __shfl_xor_sync(~0u, v, d);
        if (t % 32 == 0) atomicAdd(sums + row, v);
        __syncthreads();
    }
}

// Integer reductions of a warp, votes and matches, packed halves.
extern "C" __global__ void warps(const int *a, int *o, __half2 *h) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, v = a[i];
    cg::coalesced_group odd = cg::coalesced_threads();
    o[i * 8] = __reduce_add_sync(~0u, v), o[i * 8 + 1] = __reduce_max_sync(~0u, v);
    o[i * 8 + 2] = (int)__reduce_xor_sync(~0u, (unsigned)v), o[i * 8 + 3] = (int)__match_any_sync(~0u, v & 3);
    if (v & 1) {
        cg::coalesced_group some = cg::coalesced_threads();
        o[i * 8 + 4] = some.size() * 100 + some.thread_rank();
    }
    o[i * 8 + 5] = (int)__ballot_sync(~0u, v > 0), o[i * 8 + 6] = (int)odd.size();
    o[i * 8 + 7] = __dp4a(v, 0x01020304, 7);
    atomicAdd(h + threadIdx.x % 4, __floats2half2_rn((float)(v & 7), 0.5f));
}
