// Images as nvcc 13.0 writes them, for tests/test_driver_library.c:
//     nvcc -fatbin -arch=compute_80 -o tests/nvcc/zstd.fatbin tests/nvcc/fatbin.cu
//     nvcc -fatbin -arch=compute_80 -compress-mode=speed -o tests/nvcc/lz4.fatbin tests/nvcc/fatbin.cu
//     nvcc -fatbin -arch=compute_80 -no-compress -o tests/nvcc/plain.fatbin tests/nvcc/fatbin.cu
//     nvcc -fatbin -gencode arch=compute_80,code=compute_80 -gencode arch=compute_90,code=compute_90 -o tests/nvcc/two.fatbin tests/nvcc/fatbin.cu
//     nvcc -fatbin -gencode arch=compute_80,code=sm_80 -o tests/nvcc/machine.fatbin tests/nvcc/fatbin.cu
__device__ int calls = 40;
__constant__ int step = 2;

extern "C" __global__ void twice(int *p, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) p[i] = p[i] * 2 + (__CUDA_ARCH__ == 900) * 1000;
    if (i == 0) calls += step;
}
