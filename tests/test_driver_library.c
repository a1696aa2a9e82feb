/* driver_library: libraries, the linker, and images that are no plain text; the same tests run on a real driver. */
#include "tests/client.h"
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD ".version 8.0\n.target sm_80\n.address_size 64\n"

static const char kernels[] =
    HEAD ".visible .global .align 4 .u32 counter = 7;\n"
         ".visible .entry bump(.param .u64 p, .param .u32 by) {\n"
         "  .reg .b64 %a; .reg .b32 %x, %v;\n"
         "  ld.param.u64 %a, [p]; ld.param.u32 %v, [by]; ld.global.u32 %x, [counter]; add.u32 %x, %x, %v;\n"
         "  st.global.u32 [counter], %x; st.global.u32 [%a], %x; ret; }\n"
         ".visible .entry wide() .maxntid 64 { ret; }\n";

static unsigned int bump(const struct client *client, CUfunction function, unsigned int by) {
    struct client cuda = *client;
    CUdeviceptr p;
    unsigned int value = 0;
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p, &by};
    GIVES(cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(&value, p, 4));
    return value;
}

/* ---- libraries ---- */

Test(driver_library, kernels_of_a_library) {
    struct client cuda = client_start();
    CUlibrary library, back;
    CUkernel kernel, all[4] = {0};
    CUfunction function;
    CUmodule module;
    CUdeviceptr counter;
    const char *name;
    unsigned int count = 0, value;
    size_t bytes, offset;
    NEEDS(cuda.cuLibraryLoadData(&library, kernels, NULL, NULL, 0, NULL, NULL, 0));
    GIVES(cuda.cuLibraryGetKernelCount(&count, library), CUDA_SUCCESS);
    cr_expect_eq(count, 2u);
    GIVES(cuda.cuLibraryEnumerateKernels(all, 2, library), CUDA_SUCCESS);
    GIVES(cuda.cuLibraryGetKernel(&kernel, library, "none"), CUDA_ERROR_NOT_FOUND);
    GIVES(cuda.cuLibraryGetKernel(&kernel, library, "bump"), CUDA_SUCCESS);
    cr_expect(all[0] == kernel || all[1] == kernel);
    GIVES(cuda.cuKernelGetName(&name, kernel), CUDA_SUCCESS);
    cr_expect_str_eq(name, "bump");
    GIVES(cuda.cuKernelGetLibrary(&back, kernel), CUDA_SUCCESS);
    cr_expect_eq(back, library);
    GIVES(cuda.cuKernelGetParamInfo(kernel, 1, &offset, &bytes), CUDA_SUCCESS);
    cr_expect_eq(offset, 8u);
    cr_expect_eq(bytes, 4u);
    GIVES(cuda.cuKernelGetParamInfo(kernel, 2, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuKernelGetFunction(&function, kernel), CUDA_SUCCESS);
    cr_expect_eq(bump(&cuda, function, 1), 8u);
    cr_expect_eq(bump(&cuda, (CUfunction)kernel, 2), 10u); /* a kernel goes where a function does */
    GIVES(cuda.cuLibraryGetGlobal(&counter, &bytes, library, "counter"), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(&value, counter, 4));
    cr_expect_eq(value, 10u);
    GIVES(cuda.cuLibraryGetModule(&module, library), CUDA_SUCCESS);
    GIVES(cuda.cuModuleGetFunctionCount(&count, module), CUDA_SUCCESS);
    cr_expect_eq(count, 2u);
    GIVES(cuda.cuLibraryUnload(library), CUDA_SUCCESS);
}

/* What is set on a kernel holds for its function too. */
Test(driver_library, attributes_of_a_kernel) {
    struct client cuda = client_start();
    CUlibrary library;
    CUkernel kernel;
    CUfunction function;
    int value = 0;
    NEEDS(cuda.cuLibraryLoadData(&library, kernels, NULL, NULL, 0, NULL, NULL, 0));
    NEEDS(cuda.cuLibraryGetKernel(&kernel, library, "wide"));
    GIVES(cuda.cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, 0), CUDA_SUCCESS);
    cr_expect_eq(value, 64, "%d threads", value);
    GIVES(cuda.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000, kernel, 0), CUDA_SUCCESS);
    GIVES(cuda.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1, kernel, 0), CUDA_SUCCESS);
    GIVES(cuda.cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1 << 24, kernel, 0),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel, 0), CUDA_SUCCESS);
    cr_expect_eq(value, 100000);
    NEEDS(cuda.cuKernelGetFunction(&function, kernel));
    GIVES(cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, function), CUDA_SUCCESS);
    cr_expect_eq(value, 100000);
    GIVES(cuda.cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, function), CUDA_SUCCESS);
    cr_expect_eq(value, 1);
    GIVES(cuda.cuLaunchKernel((CUfunction)kernel, 1, 1, 1, 32, 1, 1, 90000, NULL, NULL, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSynchronize(), CUDA_SUCCESS);
}

/* A library outlives contexts, and has variables of its own in each. */
Test(driver_library, contexts_come_and_go) {
    struct client cuda = client_open();
    CUlibrary library;
    CUkernel kernel;
    CUfunction function;
    CUcontext first, second;
    NEEDS(cuda.cuInit(0));
    NEEDS(cuda.cuCtxCreate_v2(&first, 0, 0));
    NEEDS(cuda.cuLibraryLoadData(&library, kernels, NULL, NULL, 0, NULL, NULL, 0));
    NEEDS(cuda.cuLibraryGetKernel(&kernel, library, "bump"));
    NEEDS(cuda.cuKernelGetFunction(&function, kernel));
    cr_expect_eq(bump(&cuda, function, 1), 8u);
    NEEDS(cuda.cuCtxCreate_v2(&second, 0, 0));
    cr_expect_eq(bump(&cuda, (CUfunction)kernel, 1), 8u);
    cr_expect_eq(bump(&cuda, (CUfunction)kernel, 1), 9u);
    NEEDS(cuda.cuCtxDestroy_v2(second));
    NEEDS(cuda.cuCtxSetCurrent(first));
    cr_expect_eq(bump(&cuda, function, 1), 9u);
    NEEDS(cuda.cuCtxDestroy_v2(first));
    GIVES(cuda.cuLibraryUnload(library), CUDA_SUCCESS);
}

Test(driver_library, bad_images) {
    struct client cuda = client_start();
    char log[1024] = "";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)sizeof log};
    CUlibrary library;
    GIVES(cuda.cuLibraryLoadFromFile(&library, "/nowhere/k.ptx", NULL, NULL, 0, NULL, NULL, 0), CUDA_ERROR_FILE_NOT_FOUND);
    if (!cuda.emulated) return; /* a real driver loads lazily: it compiles when a kernel is asked for */
    GIVES(cuda.cuLibraryLoadData(&library, HEAD ".visible .entry k(){ foo.bar; ret; }\n", options, values, 2, NULL, NULL, 0),
          CUDA_ERROR_INVALID_PTX);
    cr_expect(strstr(log, "foo"), "%s", log);
    GIVES(cuda.cuLibraryUnload((CUlibrary)log), CUDA_ERROR_INVALID_HANDLE);
}

/* ---- the linker ---- */

static const char caller[] = HEAD ".extern .func (.param .b32 r) seven(.param .b32 x);\n"
                                  ".visible .entry run(.param .u64 p) {\n"
                                  "  .reg .b64 %a; .reg .b32 %x;\n"
                                  "  ld.param.u64 %a, [p]; mov.u32 %x, 6;\n"
                                  "  { .param .b32 q; .param .b32 r; st.param.b32 [q], %x;\n"
                                  "    call.uni (r), seven, (q); ld.param.b32 %x, [r]; }\n"
                                  "  st.global.u32 [%a], %x; ret; }\n";
static const char callee[] = ".version 8.3\n.target sm_80\n.address_size 64\n"
                             ".visible .func (.param .b32 r) seven(.param .b32 x) {\n"
                             "  .reg .b32 %v; ld.param.b32 %v, [x]; mul.lo.u32 %v, %v, 7; st.param.b32 [r], %v; ret; }\n";

Test(driver_library, two_texts_are_linked) {
    struct client cuda = client_start();
    CUlinkState state;
    CUmodule module;
    CUfunction function;
    CUdeviceptr p;
    void *image = NULL;
    size_t bytes = 0;
    unsigned int value = 0;
    NEEDS(cuda.cuLinkCreate_v2(0, NULL, NULL, &state));
    GIVES(cuda.cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, (void *)caller, sizeof caller, "caller", 0, NULL, NULL),
          CUDA_SUCCESS);
    GIVES(cuda.cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, (void *)callee, sizeof callee, "callee", 0, NULL, NULL),
          CUDA_SUCCESS);
    GIVES(cuda.cuLinkComplete(state, &image, &bytes), CUDA_SUCCESS);
    cr_assert(image && bytes);
    NEEDS(cuda.cuModuleLoadData(&module, image));
    GIVES(cuda.cuLinkDestroy(state), CUDA_SUCCESS);
    NEEDS(cuda.cuModuleGetFunction(&function, module, "run"));
    NEEDS(cuda.cuMemAlloc_v2(&p, 4));
    void *parameters[] = {&p};
    GIVES(cuda.cuLaunchKernel(function, 1, 1, 1, 1, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(&value, p, 4));
    cr_expect_eq(value, 42u);
}

Test(driver_library, what_the_linker_refuses) {
    struct client cuda = client_start();
    char log[1024] = "";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)sizeof log}, *image;
    CUlinkState state;
    size_t bytes;
    static const char broken[] = HEAD ".visible .entry k(){ foo.bar; ret; }\n";
    NEEDS(cuda.cuLinkCreate_v2(2, options, values, &state));
    GIVES(cuda.cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, (void *)broken, sizeof broken, "broken", 0, NULL, NULL),
          CUDA_ERROR_INVALID_PTX);
    cr_expect(strstr(log, "foo"), "%s", log);
    GIVES(cuda.cuLinkDestroy(state), CUDA_SUCCESS);
    NEEDS(cuda.cuLinkCreate_v2(2, options, values, &state));
    NEEDS(cuda.cuLinkAddData_v2(state, CU_JIT_INPUT_PTX, (void *)caller, sizeof caller, "caller", 0, NULL, NULL));
    CUresult result = cuda.cuLinkComplete(state, &image, &bytes); /* seven is nowhere */
    cr_expect_neq(result, CUDA_SUCCESS);
    cr_expect(strstr(log, "seven"), "%s", log);
    GIVES(cuda.cuLinkDestroy(state), CUDA_SUCCESS);
    if (cuda.emulated)
        GIVES(cuda.cuLinkAddFile_v2(state, CU_JIT_INPUT_PTX, "/nowhere", 0, NULL, NULL), CUDA_ERROR_INVALID_HANDLE);
}

/* ---- fatbins ---- */

static const struct fatbin {
    const char *path;
    int on_90; /* what a device from sm_90 on adds: it takes the newer text */
} fatbins[] = {
    {"tests/nvcc/plain.fatbin", 0}, {"tests/nvcc/lz4.fatbin", 0}, {"tests/nvcc/zstd.fatbin", 0}, {"tests/nvcc/two.fatbin", 1000},
};

ParameterizedTestParameters(driver_library, fatbins) { return wl_test_rows(WL_LEN(fatbins)); }
ParameterizedTest(size_t *i, driver_library, fatbins) {
    const struct fatbin *f = &fatbins[*i];
    struct client cuda = client_start();
    CUmodule module;
    CUfunction twice;
    CUdeviceptr p, calls;
    int values[40], n = 40, major, wanted;
    if (access(f->path, R_OK)) cr_skip_test("not run from the repository's root");
    CUresult result = cuda.cuModuleLoad(&module, f->path);
    cr_assert_eq(result, CUDA_SUCCESS, "%s: %s: %s", f->path, client_name(&cuda, result), client_report(&cuda));
    NEEDS(cuda.cuDeviceGetAttribute(&major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, 0));
    NEEDS(cuda.cuModuleGetFunction(&twice, module, "twice"));
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof values));
    for (int k = 0; k < n; k++) values[k] = k;
    NEEDS(cuda.cuMemcpyHtoD_v2(p, values, sizeof values));
    void *parameters[] = {&p, &n};
    GIVES(cuda.cuLaunchKernel(twice, 2, 1, 1, 32, 1, 1, 0, NULL, parameters, NULL), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(values, p, sizeof values));
    for (int k = 0; k < n; k++) {
        wanted = 2 * k + (major >= 9 ? f->on_90 : 0);
        cr_expect_eq(values[k], wanted, "element %d is %d, not %d", k, values[k], wanted);
    }
    NEEDS(cuda.cuModuleGetGlobal_v2(&calls, NULL, module, "calls"));
    NEEDS(cuda.cuMemcpyDtoH_v2(values, calls, 4));
    cr_expect_eq(values[0], 42);
}

Test(driver_library, a_fatbin_of_machine_code) {
    struct client cuda = client_start();
    CUmodule module;
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    if (access("tests/nvcc/machine.fatbin", R_OK)) cr_skip_test("not run from the repository's root");
    GIVES(cuda.cuModuleLoad(&module, "tests/nvcc/machine.fatbin"), CUDA_ERROR_NO_BINARY_FOR_GPU);
    cr_expect(strstr(client_report(&cuda), "machine code for sm_80"), "%s", client_report(&cuda));
}

/* Every cut and many flipped bits of a fatbin: an error, or text that loads; never a crash. */
Test(driver_library, damaged_fatbins) {
    struct client cuda = client_start();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    for (size_t f = 0; f < WL_LEN(fatbins); f++) {
        FILE *file = fopen(fatbins[f].path, "rb");
        if (!file) cr_skip_test("not run from the repository's root");
        unsigned char whole[8192] = {0}, hurt[8192];
        size_t bytes = fread(whole, 1, sizeof whole / 2, file);
        fclose(file);
        uint32_t random = 12345;
        for (int i = 0; i < 400; i++) {
            CUmodule module;
            memcpy(hurt, whole, sizeof hurt);
            random = random * 1664525 + 1013904223;
            size_t at = random >> 8;
            if (i & 1) hurt[16 + at % (bytes - 16)] ^= (unsigned char)(1u << (random >> 29));
            else memset(hurt + 16 + at % (bytes - 16), 0, sizeof hurt - 16 - at % (bytes - 16));
            CUresult result = cuda.cuModuleLoadData(&module, hurt);
            if (!result) NEEDS(cuda.cuModuleUnload(module));
        }
    }
}

Test(driver_library, functions_are_loaded) {
    CUmodule module;
    struct client cuda = client_load(kernels, &module);
    CUfunction functions[4] = {0}, bumps;
    CUfunctionLoadingState state = 7;
    unsigned int count;
    NEEDS(cuda.cuModuleGetFunction(&bumps, module, "bump"));
    GIVES(cuda.cuFuncLoad(bumps), CUDA_SUCCESS);
    GIVES(cuda.cuFuncIsLoaded(&state, bumps), CUDA_SUCCESS);
    cr_expect_eq(state, CU_FUNCTION_LOADING_STATE_LOADED);
    GIVES(cuda.cuModuleGetFunctionCount(&count, module), CUDA_SUCCESS);
    cr_expect_eq(count, 2u);
    GIVES(cuda.cuModuleEnumerateFunctions(functions, 2, module), CUDA_SUCCESS);
    cr_expect(functions[0] == bumps || functions[1] == bumps);
}
