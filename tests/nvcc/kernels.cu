// Kernels as nvcc compiles them, for tests/test_emu_nvcc.c, which has the same functions in C.
//     nvcc -arch=compute_90 -ptx -o tests/nvcc/kernels.ptx tests/nvcc/kernels.cu
//     nvcc -G -arch=compute_90 -ptx -o tests/nvcc/kernels_debug.ptx tests/nvcc/kernels.cu    (its .section blocks cut out)
#include <assert.h>
#include <stdint.h>
#include <stdio.h>

__device__ int calls;
__constant__ float table[4] = {1.5f, 2.5f, 3.5f, 4.5f};
__device__ double added[3] = {1, 2, 3};

__device__ __noinline__ float poly(float x, int n) {
    float s = 0;
    for (int i = 0; i < n; i++) s = s * x + table[i & 3];
    return s;
}

extern "C" __global__ void floats(const float *a, const float *b, float *o, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    float x = a[i], y = b[i];
    o += i * 12;
    o[0] = sinf(x), o[1] = expf(x * 0.1f), o[2] = logf(fabsf(x) + 1e-3f), o[3] = powf(fabsf(x), y * 0.1f);
    o[4] = erff(x * .1f), o[5] = x / y, o[6] = sqrtf(fabsf(x)), o[7] = fmodf(x, y), o[8] = tanhf(x), o[9] = cbrtf(x);
    o[10] = poly(x * 0.01f, 7), o[11] = rintf(x) + floorf(y) + ceilf(x) + truncf(y);
}

extern "C" __global__ void doubles(const double *a, const double *b, double *o, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    double x = a[i], y = b[i];
    o += i * 8;
    o[0] = sin(x), o[1] = exp(x * 0.1), o[2] = log(fabs(x) + 1e-3), o[3] = pow(fabs(x), y * 0.1), o[4] = x / y;
    o[5] = sqrt(fabs(x)), o[6] = (double)(long long)x + (double)(unsigned)(fabs(y)), o[7] = fma(x, y, added[i % 3]);
}

extern "C" __global__ void integers(const long long *a, const long long *b, long long *o, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    long long x = a[i], y = b[i];
    int p = (int)x, q = (int)y;
    short s = (short)p;
    signed char c = (signed char)q;
    unsigned __int128 w = (unsigned __int128)(unsigned long long)x * (unsigned long long)y + (unsigned long long)x;
    o += i * 8;
    o[0] = x / (y | 1), o[1] = x % (y | 1), o[2] = (long long)((unsigned long long)x / ((unsigned long long)y | 1));
    o[3] = __popcll(x) + __clz(p) + __ffs(q), o[4] = p / (q | 1) + p % (q | 1);
    o[5] = (long long)((unsigned long long)x << (q & 63)) ^ (x >> (p & 63));
    o[6] = (long long)(w >> 64) ^ (long long)w, o[7] = s * c + (s >> 3) - c * 4 + (unsigned char)p % 7;
}

extern "C" __global__ void reduce(const int *a, int *o, int n) {
    __shared__ int s[256];
    int t = threadIdx.x, v = 0;
    for (int i = blockIdx.x * 256 + t; i < n; i += gridDim.x * 256) v += a[i];
    s[t] = v;
    __syncthreads();
    for (int d = 128; d >= 32; d >>= 1) {
        if (t < d) s[t] += s[t + d];
        __syncthreads();
    }
    if (t >= 32) return;
    v = s[t];
    for (int d = 16; d; d >>= 1) v += __shfl_down_sync(~0u, v, d);
    if (t == 0) {
        atomicAdd(o, v);
        atomicMax(o + 1, v);
        o[2 + blockIdx.x] = atomicAdd(&calls, 1);
    }
}

__device__ int split(int *v, int lo, int hi) {
    int p = v[hi], i = lo;
    for (int j = lo; j < hi; j++)
        if (v[j] < p) {
            int t = v[i];
            v[i] = v[j], v[j] = t, i++;
        }
    int t = v[i];
    v[i] = v[hi], v[hi] = t;
    return i;
}

extern "C" __global__ void sort(int *data, int m) {
    int v[64], stack[128], top = 0, i = blockIdx.x * blockDim.x + threadIdx.x;
    for (int j = 0; j < m; j++) v[j] = data[i * m + j];
    stack[top++] = 0, stack[top++] = m - 1;
    while (top) {
        int hi = stack[--top], lo = stack[--top];
        if (lo >= hi) continue;
        int p = split(v, lo, hi);
        stack[top++] = lo, stack[top++] = p - 1, stack[top++] = p + 1, stack[top++] = hi;
    }
    for (int j = 0; j < m; j++) data[i * m + j] = v[j];
}

extern "C" __global__ void matmul(const float *a, const float *b, float *c, int n) {
    __shared__ float as[16][16], bs[16][17];
    int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, col = blockIdx.x * 16 + x;
    float s = 0;
    for (int k = 0; k < n; k += 16) {
        as[y][x] = a[row * n + k + x], bs[y][x] = b[(k + y) * n + col];
        __syncthreads();
#pragma unroll
        for (int j = 0; j < 16; j++) s = fmaf(as[y][j], bs[j][x], s);
        __syncthreads();
    }
    c[row * n + col] = s;
}

extern "C" __global__ void branches(const int *a, int *o, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x, r;
    if (i >= n) return;
    switch (a[i] % 11) {
    case 0: r = a[i] * 3; break;
    case 1: r = a[i] + 7; break;
    case 2: r = ~a[i]; break;
    case 3: r = a[i] ^ 0x55; break;
    case 4: r = __popc(a[i]); break;
    case 5: r = a[i] / 3; break;
    case 6: r = -a[i]; break;
    case 7: r = a[i] % 13; break;
    case 8: r = a[i] * 8; break;
    case 9: r = 1; break;
    default: r = a[i] > 5 ? 4 : 2;
    }
    for (int j = 0; j < (a[i] & 7); j++) {
        if (((r >> j) & 3) == 2) continue;
        if (r == 17) break;
        r = (int)((unsigned)r * 5u + (unsigned)j);
    }
    o[i] = r;
}

// Lanes of one warp take the same lock: no lane may wait at the end of the loop for the one that has it.
extern "C" __global__ void locked(int *lock, volatile int *value, int n) {
    for (int k = 0; k < n; k++)
        for (bool done = false; !done;)
            if (atomicCAS(lock, 0, 1) == 0) {
                __threadfence();
                *value = *value + 1;
                __threadfence();
                atomicExch(lock, 0);
                done = true;
            }
}

extern "C" __global__ void says(int n) {
    if (threadIdx.x % 16 == 3)
        printf("%d of %d: %8.3f|%-5s|%c %llx %5u%% %*d\n", threadIdx.x, n, 1.5 * threadIdx.x, "abc", 'z', 0x123456789abcull, 7u, 4, -1);
    assert(threadIdx.x < 40);
}
