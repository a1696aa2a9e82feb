/* The Driver API of the emulated driver, second part: modules, functions, launches, and what becomes of a
 * kernel that fails. As test_driver_api.c: what each call answers was read off a real driver (client.h says
 * how to run it on one). */
#include "tests/client.h"
#include "tests/test.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD ".version 8.0\n.target sm_90\n.address_size 64\n"

static const char kernels[] =
    HEAD ".visible .global .align 4 .u32 counter = 7;\n"
         ".visible .entry store(.param .u64 p, .param .u32 v) {\n"
         "  .reg .b64 %a; .reg .b32 %v;\n"
         "  ld.param.u64 %a, [p]; ld.param.u32 %v, [v]; st.global.u32 [%a], %v; ret; }\n"
         ".visible .entry ids(.param .u64 p) {\n" /* p[global thread] = block << 16 | thread */
         "  .reg .b64 %a, %o; .reg .b32 %t, %c, %n, %i;\n"
         "  ld.param.u64 %a, [p]; mov.u32 %t, %tid.x; mov.u32 %c, %ctaid.x; mov.u32 %n, %ntid.x;\n"
         "  mad.lo.u32 %i, %c, %n, %t; mul.wide.u32 %o, %i, 4; add.u64 %a, %a, %o;\n"
         "  shl.b32 %c, %c, 16; or.b32 %c, %c, %t; st.global.u32 [%a], %c; ret; }\n"
         ".visible .entry req(.param .u64 p) .reqntid 64,1,1 { ret; }\n"
         ".visible .entry maxn(.param .u64 p) .maxntid 64,1,1 { ret; }\n"
         ".visible .entry pair(.param .u64 p) .reqnctapercluster 2,1,1 { ret; }\n"
         ".visible .entry smem() { .shared .align 16 .b8 s[64]; .reg .b32 %r; mov.u32 %r, s; st.shared.u32 "
         "[%r], 1; ret; }\n"
         ".visible .entry trapping() { trap; ret; }\n"
         ".visible .entry misaligned() { .reg .b64 %a; mov.u64 %a, counter; st.global.u32 [%a+1], 1; ret; }\n"
         ".visible .entry forever() { L: bra L; }\n"
         ".visible .entry meet(.param .u64 p) {\n" /* the first thread of every block waits until all blocks
                                                      have come */
         "  .reg .b64 %a; .reg .b32 %n, %c; .reg .pred %p;\n"
         "  mov.u32 %c, %tid.x; setp.ne.u32 %p, %c, 0; @%p ret;\n"
         "  ld.param.u64 %a, [p]; mov.u32 %n, %nctaid.x; atom.global.add.u32 %c, [%a], 1;\n"
         "L: ld.acquire.gpu.global.u32 %c, [%a]; setp.lt.u32 %p, %c, %n; @%p bra L; ret; }\n";

static CUfunction function(const struct client *client, CUmodule module, const char *name) {
    struct client cuda = *client;
    CUfunction found = NULL;
    NEEDS(cuda.cuModuleGetFunction(&found, module, name));
    return found;
}

/* ---- modules ---- */

static const struct image {
    const char *ptx;
    CUresult result, real; /* on the emulated device; on a real one, 0: any */
    const char *log;       /* part of the error log; NULL: none */
} images[] = {
    {kernels, CUDA_SUCCESS, CUDA_SUCCESS, NULL},
    {HEAD ".visible .entry k(){ foo.bar; ret; }\n", CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_PTX, "foo"},
    {HEAD ".visible .entry k(){ ret;\n", CUDA_ERROR_INVALID_PTX, CUDA_ERROR_INVALID_PTX, ""},
    {".version 8.6\n.target sm_120a\n.address_size 64\n.visible .entry k(){ ret; }\n", CUDA_ERROR_INVALID_PTX,
     CUDA_ERROR_INVALID_PTX, "sm_"},
    {"", CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_IMAGE, ""},
    {"hello world", CUDA_ERROR_INVALID_IMAGE, CUDA_ERROR_INVALID_IMAGE, ""},
    {"\x7f"
     "ELF\2\1\1",
     CUDA_ERROR_NO_BINARY_FOR_GPU, 0, "PTX text only"},
    {"\x50\xed\x55\xba", CUDA_ERROR_NO_BINARY_FOR_GPU, 0, "the fatbin holds no PTX"},
};

Test(driver_launch, images) {
    struct client cuda = client_start();
    for (size_t i = 0; i < WL_LEN(images); i++) {
        char log[2048] = "####", padded[8192] = "";
        memcpy(padded, images[i].ptx,
               strlen(images[i].ptx)); /* a real driver may look further than a short one */
        CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                                  CU_JIT_LOG_VERBOSE};
        void *values[] = {log, (void *)sizeof log, (void *)1};
        CUmodule module;
        CUresult wanted = cuda.emulated ? images[i].result : images[i].real;
        CUresult result = cuda.cuModuleLoadDataEx(&module, padded, 3, options, values);
        if (cuda.emulated || images[i].real)
            cr_expect_eq(result, wanted, "image %zu: %s: %s", i, client_name(&cuda, result), log);
        size_t length = (size_t)values[1];
        if (cuda.emulated && images[i].log) {
            cr_expect(strstr(log, images[i].log), "image %zu: log '%s'", i, log);
            cr_expect_eq(length, strlen(log), "image %zu: %zu bytes for '%s'", i, length, log);
        }
        if (!images[i].log) cr_expect_eq(length, 0);
    }
}

/* The log says where: line 6, column 3. */
Test(driver_launch, log_names_line_and_column) {
    struct client cuda = client_start();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    char log[256], small[8] = "#######";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)sizeof log}, *cut[] = {small, (void *)4};
    CUmodule module;
    const char *ptx = HEAD ".visible .entry k()\n{\n  frobnicate.b32;\n}\n";
    GIVES(cuda.cuModuleLoadDataEx(&module, ptx, 2, options, values), CUDA_ERROR_INVALID_PTX);
    cr_expect(!strncmp(log, "6:3: ", 5) && strstr(log, "frobnicate"), "%s", log);
    GIVES(cuda.cuModuleLoadDataEx(&module, ptx, 2, options, cut), CUDA_ERROR_INVALID_PTX);
    cr_expect(!memcmp(small, "6:3\0###", 7), "%s", small); /* cut, terminated, nothing behind it touched */
    cr_expect_eq((size_t)cut[1], 3);
    GIVES(cuda.cuModuleLoadDataEx(&module, ptx, 2, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
}

Test(driver_launch, modules) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction f, again;
    CUdeviceptr counter;
    size_t bytes = 0;
    unsigned int value = 0;
    GIVES(cuda.cuModuleLoadData(&module, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuModuleGetFunction(&f, module, "nope"), CUDA_ERROR_NOT_FOUND);
    GIVES(cuda.cuModuleGetFunction(&f, module, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuModuleGetFunction(&f, NULL, "store"), CUDA_ERROR_INVALID_HANDLE);
    GIVES(cuda.cuModuleGetFunction(&f, module, "store"), CUDA_SUCCESS);
    GIVES(cuda.cuModuleGetFunction(&again, module, "store"), CUDA_SUCCESS);
    cr_expect_eq(f, again);
    GIVES(cuda.cuModuleGetGlobal_v2(&counter, &bytes, module, "counter"), CUDA_SUCCESS);
    cr_expect_eq(bytes, 4);
    NEEDS(cuda.cuMemcpyDtoH_v2(&value, counter, 4));
    cr_expect_eq(value, 7);
    GIVES(cuda.cuModuleGetGlobal_v2(NULL, &bytes, module, "counter"), CUDA_SUCCESS);
    GIVES(cuda.cuModuleGetGlobal_v2(&counter, NULL, module, "counter"), CUDA_SUCCESS);
    GIVES(cuda.cuModuleGetGlobal_v2(&counter, &bytes, module, "nope"), CUDA_ERROR_NOT_FOUND);
    /* The variable is the module's, not the program's; a real driver lets a program free it, to its own harm.
     */
    if (cuda.emulated) GIVES(cuda.cuMemFree_v2(counter), CUDA_ERROR_INVALID_VALUE);
    const char *name = NULL;
    CUmodule owner;
    GIVES(cuda.cuFuncGetName(&name, f), CUDA_SUCCESS);
    cr_expect_str_eq(name, "store");
    GIVES(cuda.cuFuncGetModule(&owner, f), CUDA_SUCCESS);
    cr_expect_eq(owner, module);
    size_t offset = 0;
    GIVES(cuda.cuFuncGetParamInfo(f, 1, &offset, &bytes), CUDA_SUCCESS);
    cr_expect(offset == 8 && bytes == 4);
    GIVES(cuda.cuFuncGetParamInfo(f, 2, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuModuleUnload(module), CUDA_SUCCESS);
    GIVES(cuda.cuModuleUnload(NULL), CUDA_ERROR_INVALID_HANDLE);
    if (!cuda.emulated) return;
    GIVES(cuda.cuModuleUnload(module), CUDA_ERROR_INVALID_HANDLE);
    GIVES(cuda.cuFuncGetName(&name, f), CUDA_ERROR_INVALID_HANDLE);
}

Test(driver_launch, module_from_a_file) {
    struct client cuda = client_start();
    char path[] = "/tmp/warploom_module_XXXXXX";
    int fd = mkstemp(path);
    cr_assert(fd >= 0 && write(fd, kernels, sizeof kernels - 1) == (ssize_t)sizeof kernels - 1);
    close(fd);
    CUmodule module;
    GIVES(cuda.cuModuleLoad(&module, path), CUDA_SUCCESS);
    unlink(path);
    GIVES(cuda.cuModuleLoad(&module, path), CUDA_ERROR_FILE_NOT_FOUND);
}

/* ---- functions ---- */

Test(driver_launch, function_attributes) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    const struct {
        const char *function;
        CUfunction_attribute attribute;
        int value;
    } rows[] = {{"smem", CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, 64},
                {"smem", CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 49152 - 64},
                {"store", CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 49152},
                {"store", CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, 0},
                {"store", CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES, 0},
                {"store", CU_FUNC_ATTRIBUTE_PTX_VERSION, 90},
                {"store", CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024},
                {"store", CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, -1},
                {"store", CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 0},
                {"pair", CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH, 2},
                {"pair", CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH, 1},
                {"pair", CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 0}};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        int value = -99;
        CUfunction f = function(&cuda, module, rows[i].function);
        GIVES(cuda.cuFuncGetAttribute(&value, rows[i].attribute, f), CUDA_SUCCESS);
        cr_expect_eq(value, rows[i].value, "%s: attribute %d is %d, not %d", rows[i].function,
                     rows[i].attribute, value, rows[i].value);
    }
    int value = 0;
    CUfunction f = function(&cuda, module, "store");
    GIVES(cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, f), CUDA_SUCCESS);
    cr_expect(value >= 4 && value <= 255);
    GIVES(cuda.cuFuncGetAttribute(&value, 99, f), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_NUM_REGS, 3), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 100), CUDA_SUCCESS);
    GIVES(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 101),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(f, 99, 0), CUDA_ERROR_INVALID_VALUE);
}

Test(driver_launch, occupancy) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction f = function(&cuda, module, "store");
    int blocks = -1;
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 0), CUDA_SUCCESS);
    cr_expect_eq(blocks, 32);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 1024, 0), CUDA_SUCCESS);
    cr_expect_eq(blocks, 2);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 100000), CUDA_SUCCESS);
    cr_expect_eq(blocks, 0); /* not allowed yet */
    NEEDS(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 232448));
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 100000), CUDA_SUCCESS);
    cr_expect_eq(blocks, 2);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(&blocks, f, 32, 232448, 0), CUDA_SUCCESS);
    cr_expect_eq(blocks, 1);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 232449), CUDA_SUCCESS);
    cr_expect_eq(blocks, 0);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 1025, 0), CUDA_SUCCESS);
    cr_expect_eq(blocks, 0);
    GIVES(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 0, 0), CUDA_ERROR_INVALID_VALUE);
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                   .value.clusterDim = {2, 1, 1}};
    CUlaunchConfig config = {16, 1, 1, 32, 1, 1, 0, NULL, &attribute, 1};
    int clusters = -1;
    GIVES(cuda.cuOccupancyMaxActiveClusters(&clusters, f, &config), CUDA_SUCCESS);
    cr_expect(clusters >= 32);
    attribute.value.clusterDim.x = 16;
    GIVES(cuda.cuOccupancyMaxActiveClusters(&clusters, f, &config), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    NEEDS(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    GIVES(cuda.cuOccupancyMaxActiveClusters(&clusters, f, &config), CUDA_SUCCESS);
}

/* ---- launches ---- */

Test(driver_launch, kernels_run) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    enum { BLOCKS = 5, THREADS = 70 };
    unsigned int values[BLOCKS * THREADS];
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof values));
    void *parameters[] = {&p};
    CUfunction f = function(&cuda, module, "ids");
    GIVES(cuda.cuLaunchKernel(f, BLOCKS, 1, 1, THREADS, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(values, p, sizeof values));
    for (unsigned int i = 0; i < BLOCKS * THREADS; i++)
        cr_expect_eq(values[i], i / THREADS << 16 | i % THREADS, "thread %u wrote 0x%x", i, values[i]);
}

static const struct shape {
    unsigned int grid[3], block[3], smem;
    CUresult result;
} shapes[] = {
    {{1, 1, 1}, {1, 1, 1}, 0, CUDA_SUCCESS},
    {{0, 1, 1}, {1, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 0}, {1, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 1}, {0, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 1}, {1024, 1, 1}, 0, CUDA_SUCCESS},
    {{1, 1, 1}, {1025, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 1}, {512, 2, 2}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 1}, {1, 1, 65}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 65536, 1}, {1, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{0x80000000u, 1, 1}, {1, 1, 1}, 0, CUDA_ERROR_INVALID_VALUE},
    {{1, 1, 1}, {32, 1, 1}, 49152, CUDA_SUCCESS},
    {{1, 1, 1}, {32, 1, 1}, 49153, CUDA_ERROR_INVALID_VALUE},
};

Test(driver_launch, shapes) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    unsigned int v = 5;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &v};
    CUfunction f = function(&cuda, module, "store");
    for (size_t i = 0; i < WL_LEN(shapes); i++) {
        const struct shape *s = &shapes[i];
        CUresult result = cuda.cuLaunchKernel(f, s->grid[0], s->grid[1], s->grid[2], s->block[0], s->block[1],
                                              s->block[2], s->smem, NULL, parameters, NULL);
        cr_expect_eq(result, s->result, "shape %zu: %s", i, client_name(&cuda, result));
    }
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuLaunchKernel(NULL, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_ERROR_INVALID_HANDLE);
    static const struct {
        const char *function;
        unsigned int grid, block;
        CUresult result;
    } declared[] = {{"req", 1, 32, CUDA_ERROR_INVALID_VALUE},
                    {"req", 1, 64, CUDA_SUCCESS},
                    {"maxn", 1, 32, CUDA_SUCCESS},
                    {"maxn", 1, 65, CUDA_ERROR_INVALID_VALUE},
                    {"pair", 2, 32, CUDA_SUCCESS},
                    {"pair", 3, 32, CUDA_ERROR_INVALID_CLUSTER_SIZE}};
    for (size_t i = 0; i < WL_LEN(declared); i++) {
        CUfunction g = function(&cuda, module, declared[i].function);
        CUresult result = cuda.cuLaunchKernel(g, declared[i].grid, 1, 1, declared[i].block, 1, 1, 0, NULL,
                                              parameters, NULL);
        cr_expect_eq(result, declared[i].result, "%s: %s", declared[i].function, client_name(&cuda, result));
    }
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
}

Test(driver_launch, dynamic_shared_memory_must_be_allowed) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    unsigned int v = 5;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &v};
    CUfunction f = function(&cuda, module, "store"), smem = function(&cuda, module, "smem");
    CUfunction_attribute attribute = CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
    GIVES(cuda.cuFuncSetAttribute(f, attribute, 232449), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(f, attribute, -1), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 232448, NULL, parameters, NULL),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(f, attribute, 232448), CUDA_SUCCESS);
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 232448, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuFuncSetAttribute(f, attribute, 1000), CUDA_SUCCESS);
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 32, 1, 1, 1001, NULL, parameters, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(smem, attribute, 232448), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuFuncSetAttribute(smem, attribute, 232448 - 64), CUDA_SUCCESS);
}

Test(driver_launch, parameter_buffer) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    unsigned int v = 55, back = 0;
    char buffer[16];
    size_t bytes = 12;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    memcpy(buffer, &p, 8);
    memcpy(buffer + 8, &v, 4);
    void *parameters[] = {&p, &v};
    void *extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, buffer, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                     CU_LAUNCH_PARAM_END};
    CUfunction f = function(&cuda, module, "store");
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(&back, p, 4));
    cr_expect_eq(back, 55);
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, extra), CUDA_ERROR_INVALID_VALUE);
    bytes = 16;
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    bytes = 8;
    if (cuda.emulated)
        GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, extra), CUDA_ERROR_INVALID_VALUE);
}

Test(driver_launch, clusters) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    unsigned int v = 5;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &v};
    CUfunction f = function(&cuda, module, "store"), pair = function(&cuda, module, "pair");
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                   .value.clusterDim = {1, 1, 1}};
    CUlaunchConfig config = {1, 1, 1, 32, 1, 1, 0, NULL, &attribute, 1};
    for (unsigned int size = 0; size <= 18; size++) {
        attribute.value.clusterDim.x = size;
        config.gridDimX = size ? size : 1;
        CUresult result = cuda.cuLaunchKernelEx(&config, f, parameters, NULL);
        CUresult wanted = size >= 1 && size <= 8 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CLUSTER_SIZE;
        cr_expect_eq(result, wanted, "cluster of %u: %s", size, client_name(&cuda, result));
    }
    config.gridDimX = 16;
    attribute.value.clusterDim.x = 3;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    attribute.value.clusterDim.x = 16;
    NEEDS(cuda.cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1));
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_SUCCESS);
    attribute.value.clusterDim.x = 4;
    GIVES(cuda.cuLaunchKernelEx(&config, pair, parameters, NULL), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    attribute.value.clusterDim.x = 2;
    GIVES(cuda.cuLaunchKernelEx(&config, pair, parameters, NULL), CUDA_SUCCESS);
    attribute.value.clusterDim.y = 0;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_ERROR_INVALID_CLUSTER_SIZE);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
}

Test(driver_launch, other_attributes) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr p;
    unsigned int v = 5;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &v};
    CUfunction f = function(&cuda, module, "store");
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_COOPERATIVE, .value.cooperative = 1};
    CUlaunchConfig config = {16, 1, 1, 32, 1, 1, 0, NULL, &attribute, 1};
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_SUCCESS);
    config.gridDimX = 1000000;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    config.gridDimX = 1;
    attribute.id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
    attribute.value.programmaticStreamSerializationAllowed = 1;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_SUCCESS);
    attribute.id = 77;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_ERROR_INVALID_VALUE);
    attribute.id = CU_LAUNCH_ATTRIBUTE_IGNORE;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_SUCCESS);
    config.numAttrs = 0;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_SUCCESS);
    config.attrs = NULL;
    config.numAttrs = 1;
    GIVES(cuda.cuLaunchKernelEx(&config, f, parameters, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuLaunchCooperativeKernel(f, 1, 1, 1, 32, 1, 1, 0, NULL, parameters), CUDA_SUCCESS);
    GIVES(cuda.cuLaunchCooperativeKernel(f, 1000000, 1, 1, 32, 1, 1, 0, NULL, parameters),
          CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
}

/* As many blocks as the device holds, all waiting for each other: none may be left for later. */
Test(driver_launch, cooperative_blocks_meet) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction f = function(&cuda, module, "meet");
    CUdeviceptr p;
    int sms, blocks;
    unsigned int count = 0;
    NEEDS(cuda.cuDeviceGetAttribute(&sms, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 0));
    NEEDS(cuda.cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 1024, 0));
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    NEEDS(cuda.cuMemsetD32_v2(p, 0, 1));
    void *parameters[] = {&p};
    unsigned int grid = (unsigned int)(sms * blocks);
    GIVES(cuda.cuLaunchCooperativeKernel(f, grid, 1, 1, 1024, 1, 1, 0, NULL, parameters), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(&count, p, 4));
    cr_expect_eq(count, grid);
    GIVES(cuda.cuLaunchCooperativeKernel(f, grid + 1, 1, 1, 1024, 1, 1, 0, NULL, parameters),
          CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
}

/* ---- kernels that fail ---- */

static const struct failure {
    const char *function;
    CUresult result;
    const char *report;
} failures[] = {
    {"store", CUDA_ERROR_ILLEGAL_ADDRESS, "st.global.u32"}, /* to address 0 */
    {"trapping", CUDA_ERROR_LAUNCH_FAILED, "trap"},
    {"misaligned", CUDA_ERROR_MISALIGNED_ADDRESS, "st.global.u32"},
};

/* The launch succeeds, the next synchronisation fails, and so does nearly everything after it. */
ParameterizedTestParameters(driver_launch, failures_stick) { return wl_test_rows(WL_LEN(failures)); }
ParameterizedTest(size_t *i, driver_launch, failures_stick) {
    const struct failure *x = &failures[*i];
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUdeviceptr zero = 0, p;
    unsigned int v = 5, type;
    CUstream stream;
    CUevent event;
    CUcontext context;
    CUdevice device;
    int value;
    size_t a, b;
    NEEDS(cuda.cuMemAlloc_v2(&p, 64));
    NEEDS(cuda.cuStreamCreate(&stream, 0));
    NEEDS(cuda.cuEventCreate(&event, 0));
    void *parameters[] = {&zero, &v};
    CUfunction f = function(&cuda, module, x->function);
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, stream, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(stream), x->result);
    GIVES(cuda.cuStreamSynchronize(stream), x->result);
    GIVES(cuda.cuCtxSynchronize(), x->result);
    if (cuda.emulated) {
        cr_expect(strstr(client_report(&cuda), x->function), "%s", client_report(&cuda));
        cr_expect(strstr(client_report(&cuda), x->report), "%s", client_report(&cuda));
    }
    GIVES(cuda.cuMemAlloc_v2(&zero, 4), x->result);
    GIVES(cuda.cuMemFree_v2(p), x->result);
    GIVES(cuda.cuMemcpyDtoH_v2(&v, p, 4), x->result);
    GIVES(cuda.cuMemGetInfo_v2(&a, &b), x->result);
    GIVES(cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NUM_REGS, f), x->result);
    GIVES(cuda.cuModuleGetFunction(&f, module, "store"), x->result);
    GIVES(cuda.cuModuleUnload(module), x->result);
    GIVES(cuda.cuStreamQuery(stream), x->result);
    GIVES(cuda.cuEventRecord(event, stream), x->result);
    GIVES(cuda.cuStreamDestroy_v2(stream), x->result);
    GIVES(cuda.cuLaunchKernel(f, 0, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), x->result);
    GIVES(cuda.cuCtxGetDevice(&device), CUDA_SUCCESS);
    GIVES(cuda.cuCtxGetCurrent(&context), CUDA_SUCCESS);
    GIVES(cuda.cuCtxPushCurrent_v2(cuda.context), CUDA_SUCCESS);
    GIVES(cuda.cuCtxPopCurrent_v2(&context), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetAttribute(&value, 1, 0), CUDA_SUCCESS);
    GIVES(cuda.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p), CUDA_SUCCESS);
    GIVES(cuda.cuCtxDestroy_v2(cuda.context), CUDA_SUCCESS);
    if (!cuda.emulated)
        return; /* a real device stays lost to the process; here a new context is a fresh start */
    NEEDS(cuda.cuCtxCreate_v2(&context, 0, 0));
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_SUCCESS);
}

/* A host pointer is no device pointer until it is registered. */
Test(driver_launch, registered_host_memory) {
    CUmodule module;
    setenv("WARPLOOM_EMU_HMM", "0", 1);
    struct client cuda = client_load(kernels, &module);
    static unsigned int own[1024] __attribute__((aligned(4096)));
    unsigned int v = 77;
    CUdeviceptr p;
    NEEDS(cuda.cuMemHostRegister_v2(own, sizeof own, 0));
    NEEDS(cuda.cuMemHostGetDevicePointer_v2(&p, own, 0));
    void *parameters[] = {&p, &v};
    CUfunction f = function(&cuda, module, "store");
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
    cr_expect_eq(own[0], 77);
    NEEDS(cuda.cuMemHostUnregister(own));
    if (!cuda.emulated) return;
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
}

Test(driver_launch, timeout) {
    setenv("WARPLOOM_EMU_TIMEOUT", "0.2", 1);
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    CUfunction f = function(&cuda, module, "forever");
    GIVES(cuda.cuLaunchKernel(f, 1, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_ERROR_LAUNCH_TIMEOUT);
    cr_expect(strstr(client_report(&cuda), "forever"), "%s", client_report(&cuda));
}

static struct { unsigned long long calls, last, total; } progress;

static void on_progress(void *user, uint64_t done, uint64_t total) {
    cr_assert_eq(user, &progress);
    __atomic_add_fetch(&progress.calls, 1, __ATOMIC_RELAXED);
    if (done > progress.last) progress.last = done;
    progress.total = total;
}

Test(driver_launch, progress_is_told) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    void (*set)(void (*)(void *, uint64_t, uint64_t), void *);
    void *address = dlsym(cuda.library, "wlemu_set_progress");
    memcpy(&set, &address, sizeof address);
    CUdeviceptr p;
    unsigned int v = 5;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &v};
    set(on_progress, &progress);
    GIVES(cuda.cuLaunchKernel(function(&cuda, module, "store"), 9, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL),
          CUDA_SUCCESS);
    cr_expect(progress.calls >= 1 && progress.last == 9 && progress.total == 9, "%llu calls, %llu of %llu",
              progress.calls, progress.last, progress.total);
    set(NULL, NULL);
    GIVES(cuda.cuLaunchKernel(function(&cuda, module, "store"), 9, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL),
          CUDA_SUCCESS);
    cr_expect_leq(progress.calls, 9);
}
