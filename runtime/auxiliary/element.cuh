// element: tensors of (batch, seq, head, dim) of any element type, read and written as float32. No CUDA header is
// needed: NVRTC alone compiles this. struct array is struct wl_array of warploom.h with the type as a number.
typedef long long i64;
typedef unsigned short u16;

enum { BF16, FP16, FP32 };

#define NOTHING __int_as_float(0xff800000) // -inf: the logarithm of no weight at all

struct array {
    unsigned long long address;
    int element, unused;
    i64 stride[4];
};

static __device__ i64 place(const array &a, i64 batch, i64 seq, i64 head) {
    return batch * a.stride[0] + seq * a.stride[1] + head * a.stride[2];
}

static __device__ float get(const array &a, i64 at) {
    if (a.element == FP32) return ((const float *)a.address)[at];
    u16 bits = ((const u16 *)a.address)[at];
    float value;
    if (a.element == BF16) return __uint_as_float((unsigned)bits << 16);
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(bits));
    return value;
}

// Rounded to nearest, ties to even.
static __device__ void put(const array &a, i64 at, float value) {
    u16 bits;
    if (a.element == FP32) {
        ((float *)a.address)[at] = value;
        return;
    }
    if (a.element == BF16) asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    else asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(value));
    ((u16 *)a.address)[at] = bits;
}

// One warp a row: warps take rows in turn.
static __device__ i64 first_row() { return ((i64)blockIdx.x * blockDim.x + threadIdx.x) / 32; }
static __device__ i64 row_step() { return (i64)gridDim.x * blockDim.x / 32; }
static __device__ int lane() { return threadIdx.x % 32; }
