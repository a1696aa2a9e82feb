/* driver_memory: pitched and boxed copies, pools, managed memory, occupancy; the same tests run on a real driver. */
#include "tests/client.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"

static const char kernels[] = HEAD
    ".visible .entry store(.param .u64 p, .param .u32 v) {\n"
    "  .reg .b64 %a; .reg .b32 %v; ld.param.u64 %a, [p]; ld.param.u32 %v, [v]; st.global.u32 [%a], %v; ret; }\n"
    ".visible .entry shared_user(.param .u64 p) .maxntid 256 {\n"
    "  .shared .align 4 .b8 s[8192]; .reg .b32 %t; mov.u32 %t, s; ret; }\n";

/* ---- boxes ---- */

static void fill_bytes(unsigned char *bytes, size_t count) {
    for (size_t i = 0; i < count; i++) bytes[i] = (unsigned char)(i * 7 + 3);
}

Test(driver_memory, copies_in_two_dimensions) {
    struct client cuda = client_start();
    enum { ROWS = 5, ROW = 12, FROM = 20, TO = 17 };
    unsigned char from[FROM * 9], to[TO * 9];
    CUdeviceptr p;
    size_t pitch;
    NEEDS(cuda.cuMemAllocPitch_v2(&p, &pitch, 64, ROWS + 3, 4));
    fill_bytes(from, sizeof from);
    memset(to, 0xee, sizeof to);
    CUDA_MEMCPY2D in = {.srcMemoryType = CU_MEMORYTYPE_HOST, .srcHost = from, .srcPitch = FROM, .srcXInBytes = 3, .srcY = 2,
                        .dstMemoryType = CU_MEMORYTYPE_DEVICE, .dstDevice = p, .dstPitch = pitch, .dstXInBytes = 8, .dstY = 1,
                        .WidthInBytes = ROW, .Height = ROWS};
    GIVES(cuda.cuMemcpy2D_v2(&in), CUDA_SUCCESS);
    CUDA_MEMCPY2D out = {.srcMemoryType = CU_MEMORYTYPE_UNIFIED, .srcDevice = p, .srcPitch = pitch, .srcXInBytes = 8, .srcY = 1,
                         .dstMemoryType = CU_MEMORYTYPE_HOST, .dstHost = to, .dstPitch = TO, .dstXInBytes = 1, .dstY = 3,
                         .WidthInBytes = ROW, .Height = ROWS};
    GIVES(cuda.cuMemcpy2DAsync_v2(&out, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < ROW; x++) cr_expect_eq(to[(y + 3) * TO + x + 1], from[(y + 2) * FROM + x + 3], "%d,%d", x, y);
    cr_expect_eq(to[3 * TO], 0xee);
    cr_expect_eq(to[3 * TO + 1 + ROW], 0xee);
    in.srcPitch = ROW - 1; /* rows that overlap */
    GIVES(cuda.cuMemcpy2D_v2(&in), CUDA_ERROR_INVALID_VALUE);
}

Test(driver_memory, copies_in_three_dimensions) {
    struct client cuda = client_start();
    enum { W = 6, H = 4, D = 3, PITCH = 10, HEIGHT = 7 };
    unsigned char from[PITCH * HEIGHT * 4], to[W * H * D];
    CUdeviceptr p;
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof from));
    fill_bytes(from, sizeof from);
    NEEDS(cuda.cuMemcpyHtoD_v2(p, from, sizeof from));
    CUDA_MEMCPY3D copy = {.srcMemoryType = CU_MEMORYTYPE_DEVICE, .srcDevice = p, .srcPitch = PITCH, .srcHeight = HEIGHT,
                          .srcXInBytes = 2, .srcY = 1, .srcZ = 1, .dstMemoryType = CU_MEMORYTYPE_HOST, .dstHost = to,
                          .dstPitch = W, .dstHeight = H, .WidthInBytes = W, .Height = H, .Depth = D};
    GIVES(cuda.cuMemcpy3D_v2(&copy), CUDA_SUCCESS);
    for (int i = 0; i < W * H * D; i++) {
        int x = i % W, y = i / W % H, z = i / W / H;
        cr_expect_eq(to[i], from[((z + 1) * HEIGHT + y + 1) * PITCH + x + 2], "%d,%d,%d", x, y, z);
    }
}

Test(driver_memory, fills_in_two_dimensions) {
    struct client cuda = client_start();
    enum { PITCH = 512, ROWS = 4 };
    unsigned short back[PITCH / 2 * ROWS];
    CUdeviceptr p;
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof back));
    NEEDS(cuda.cuMemsetD8_v2(p, 0, sizeof back));
    GIVES(cuda.cuMemsetD2D16_v2(p + 4, PITCH, 0x1234, 10, 3), CUDA_SUCCESS);
    GIVES(cuda.cuMemsetD2D32Async(p + 3 * PITCH, PITCH, 0xabcd5678, 2, 1, NULL), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(back, p, sizeof back));
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < PITCH / 2; x++) {
            unsigned short wanted = y < 3 ? (x >= 2 && x < 12 ? 0x1234 : 0) : x < 4 ? (x & 1 ? 0xabcd : 0x5678) : 0;
            cr_expect_eq(back[y * PITCH / 2 + x], wanted, "%d,%d: %04x", x, y, back[y * PITCH / 2 + x]);
        }
    GIVES(cuda.cuMemsetD2D16_v2(p + 1, PITCH, 1, 1, 2), CUDA_ERROR_INVALID_VALUE);
}

/* ---- pools ---- */

Test(driver_memory, allocation_in_stream_order) {
    struct client cuda = client_start();
    CUstream stream;
    CUdeviceptr p = 0, q = 0;
    CUmemoryPool pool, standard;
    int value = 0;
    NEEDS(cuda.cuStreamCreate(&stream, 0));
    NEEDS(cuda.cuDeviceGetAttribute(&value, CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED, 0));
    cr_expect_eq(value, 1);
    GIVES(cuda.cuDeviceGetDefaultMemPool(&standard, 0), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetMemPool(&pool, 0), CUDA_SUCCESS);
    cr_expect_eq(pool, standard);
    GIVES(cuda.cuMemAllocAsync(&p, 1 << 16, stream), CUDA_SUCCESS);
    GIVES(cuda.cuMemsetD32Async(p, 0x01020304, 1 << 14, stream), CUDA_SUCCESS);
    unsigned int back = 0;
    GIVES(cuda.cuMemcpyDtoHAsync_v2(&back, p + (1 << 16) - 4, 4, stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(stream), CUDA_SUCCESS);
    cr_expect_eq(back, 0x01020304u);
    cuuint64_t used = 0;
    GIVES(cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
    cr_expect_eq(used, 1u << 16, "%llu bytes", (unsigned long long)used);
    CUmemoryPool from = NULL;
    GIVES(cuda.cuPointerGetAttribute(&from, CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE, p), CUDA_SUCCESS);
    cr_expect_eq(from, pool);
    GIVES(cuda.cuMemFreeAsync(p, stream), CUDA_SUCCESS);
    GIVES(cuda.cuMemAllocAsync(&q, 64, stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(stream), CUDA_SUCCESS);
    GIVES(cuda.cuMemFree_v2(q), CUDA_SUCCESS); /* the plain one will do too */
    GIVES(cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
    if (cuda.emulated) cr_expect_eq(used, 0u); /* a real pool may take its time */
    GIVES(cuda.cuMemAllocAsync(&q, 0, stream), CUDA_SUCCESS);
    GIVES(cuda.cuMemPoolDestroy(standard), CUDA_ERROR_INVALID_VALUE);
}

Test(driver_memory, pools_of_ones_own) {
    struct client cuda = client_start();
    CUmemPoolProps props = {.allocType = CU_MEM_ALLOCATION_TYPE_PINNED, .location = {CU_MEM_LOCATION_TYPE_DEVICE, 0}};
    CUmemoryPool pool, current;
    CUdeviceptr p;
    cuuint64_t threshold = 1 << 20, back = 0;
    int reuse = 0;
    GIVES(cuda.cuMemPoolCreate(&pool, &props), CUDA_SUCCESS);
    GIVES(cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold), CUDA_SUCCESS);
    GIVES(cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &back), CUDA_SUCCESS);
    cr_expect_eq(back, threshold);
    GIVES(cuda.cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &reuse), CUDA_SUCCESS);
    reuse = 5;
    GIVES(cuda.cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC, &reuse), CUDA_SUCCESS);
    cr_expect_eq(reuse, 0);
    GIVES(cuda.cuMemAllocFromPoolAsync(&p, 1000, pool, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuMemFreeAsync(p, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceSetMemPool(0, pool), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetMemPool(&current, 0), CUDA_SUCCESS);
    cr_expect_eq(current, pool);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    GIVES(cuda.cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
    CUmemAccess_flags flags = 0;
    CUmemLocation here = {CU_MEM_LOCATION_TYPE_DEVICE, 0};
    GIVES(cuda.cuMemPoolGetAccess(&flags, pool, &here), CUDA_SUCCESS);
    cr_expect_eq(flags, CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    GIVES(cuda.cuMemPoolDestroy(pool), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetMemPool(&pool, 0), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetDefaultMemPool(&current, 0), CUDA_SUCCESS);
    cr_expect_eq(current, pool);
}

/* ---- managed and pageable memory ---- */

Test(driver_memory, managed_memory) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    CUfunction store;
    unsigned int value = 91;
    NEEDS(cuda.cuModuleGetFunction(&store, module, "store"));
    NEEDS(cuda.cuMemAllocManaged(&p, 4096, 1));
    GIVES(cuda.cuMemPrefetchAsync_v2(p, 4096, (CUmemLocation){CU_MEM_LOCATION_TYPE_DEVICE, 0}, 0, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuMemAdvise_v2(p, 4096, CU_MEM_ADVISE_SET_READ_MOSTLY, (CUmemLocation){CU_MEM_LOCATION_TYPE_DEVICE, 0}),
          CUDA_SUCCESS);
    void *parameters[] = {&p, &value};
    GIVES(cuda.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    cr_expect_eq(*(unsigned int *)(uintptr_t)p, 91u);
}

/* As on a system with heterogeneous memory management: memory of malloc is the kernel's too, where the device says so. */
Test(driver_memory, pageable_memory) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction store;
    int pageable = 0;
    unsigned int value = 55, *own = calloc(1 << 12, 4);
    NEEDS(cuda.cuDeviceGetAttribute(&pageable, CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS, 0));
    if (!pageable) cr_skip_test("this device does not reach pageable memory");
    CUdeviceptr p = (uintptr_t)&own[100];
    NEEDS(cuda.cuModuleGetFunction(&store, module, "store"));
    void *parameters[] = {&p, &value};
    GIVES(cuda.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    cr_expect_eq(own[100], 55u);
    cr_expect_eq(own[99], 0u);
    free(own);
}

static const struct wild { /* what even then is out of reach */
    const char *hmm;
    int64_t offset; /* from the start of 4096 bytes of the device's */
    bool host;      /* from a variable of the host instead */
} wilds[] = {{"1", 4096, false}, {"1", -4, false}, {"1", 1 << 20, false}, {"0", 0, true}};

ParameterizedTestParameters(driver_memory, out_of_reach) { return wl_test_rows(WL_LEN(wilds)); }
ParameterizedTest(size_t *i, driver_memory, out_of_reach) {
    static unsigned int own[4];
    CUmodule module;
    setenv("WARPLOOM_EMU_HMM", wilds[*i].hmm, 1);
    struct client cuda = client_load(kernels, &module);
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    CUfunction store;
    CUdeviceptr p;
    unsigned int value = 1;
    NEEDS(cuda.cuModuleGetFunction(&store, module, "store"));
    NEEDS(cuda.cuMemAlloc_v2(&p, 4096));
    p = wilds[*i].host ? (uintptr_t)own : p + (uint64_t)wilds[*i].offset;
    void *parameters[] = {&p, &value};
    GIVES(cuda.cuLaunchKernel(store, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
}

/* ---- occupancy ---- */

static size_t four_bytes_a_thread(int threads) { return (size_t)threads * 4; }

Test(driver_memory, what_fits) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction store, shared;
    int grid = 0, block = 0, sms = 0, per_sm = 0;
    size_t bytes = 0;
    NEEDS(cuda.cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
    NEEDS(cuda.cuModuleGetFunction(&store, module, "store"));
    NEEDS(cuda.cuModuleGetFunction(&shared, module, "shared_user"));
    GIVES(cuda.cuOccupancyMaxPotentialBlockSize(&grid, &block, store, NULL, 0, 0), CUDA_SUCCESS);
    cr_expect_eq(block, 1024);
    cr_expect_eq(grid, 2 * sms);
    GIVES(cuda.cuOccupancyMaxPotentialBlockSize(&grid, &block, store, four_bytes_a_thread, 0, 200), CUDA_SUCCESS);
    NEEDS(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, store, block, four_bytes_a_thread(block)));
    cr_expect(block <= 200 && block > 0, "block %d", block);
    cr_expect_eq(grid, per_sm * sms, "%d blocks, %d a SM of %d", grid, per_sm, sms);
    GIVES(cuda.cuOccupancyMaxPotentialBlockSize(&grid, &block, shared, NULL, 0, 0), CUDA_SUCCESS);
    cr_expect_leq(block, 256);
    GIVES(cuda.cuOccupancyAvailableDynamicSMemPerBlock(&bytes, shared, 2, 128), CUDA_SUCCESS);
    cr_expect(bytes > 40000 && bytes < 117000, "%zu bytes", bytes);
    NEEDS(cuda.cuFuncSetAttribute(shared, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)bytes));
    NEEDS(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&per_sm, shared, 128, bytes));
    cr_expect_geq(per_sm, 2);
    int size = 0, major;
    NEEDS(cuda.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
    if (major < 9) return;
    CUlaunchConfig config = {.gridDimX = 64, .gridDimY = 1, .gridDimZ = 1, .blockDimX = 128, .blockDimY = 1, .blockDimZ = 1};
    GIVES(cuda.cuOccupancyMaxPotentialClusterSize(&size, store, &config), CUDA_SUCCESS);
    cr_expect_eq(size, 8);
    NEEDS(cuda.cuFuncSetAttribute(store, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    GIVES(cuda.cuOccupancyMaxPotentialClusterSize(&size, store, &config), CUDA_SUCCESS);
    cr_expect_geq(size, 8);
}
