/* The Driver API of the emulated driver, as a client program meets it: devices, contexts, memory, streams.
 * What each call answers was read off a real driver; client.h says how to run these tests on one. */
#include "tests/client.h"
#include "tests/test.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- before and at cuInit ---- */

Test(driver_api, nothing_goes_before_init) {
    struct client cuda = client_open();
    int count;
    CUdeviceptr p;
    CUcontext context;
    GIVES(cuda.cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_ERROR_NOT_INITIALIZED);
    GIVES(cuda.cuCtxGetCurrent(&context), CUDA_ERROR_NOT_INITIALIZED);
    GIVES(cuda.cuDriverGetVersion(&count), CUDA_SUCCESS);
    cr_expect(count >= 12000);
    GIVES(cuda.cuInit(1), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuInit(0), CUDA_SUCCESS);
    GIVES(cuda.cuInit(0), CUDA_SUCCESS);
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxSynchronize(), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuMemGetInfo_v2(NULL, NULL), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxGetCurrent(&context), CUDA_SUCCESS);
    cr_expect_null(context);
}

static const struct setting {
    const char *name, *value;
    bool legal;
} settings[] = {
    {"WARPLOOM_EMU_ORDER", "eager", true},     {"WARPLOOM_EMU_ORDER", "late", true},
    {"WARPLOOM_EMU_ORDER", "random:7", true},  {"WARPLOOM_EMU_ORDER", "random:0xffffffffffffffff", true},
    {"WARPLOOM_EMU_ORDER", "random", false},   {"WARPLOOM_EMU_ORDER", "random:", false},
    {"WARPLOOM_EMU_ORDER", "random:x", false}, {"WARPLOOM_EMU_ORDER", "random:-1", false},
    {"WARPLOOM_EMU_ORDER", "Late", false},     {"WARPLOOM_EMU_ORDER", "random:18446744073709551616", false},
    {"WARPLOOM_EMU_CHECK", "0", true},         {"WARPLOOM_EMU_CHECK", "1", true},
    {"WARPLOOM_EMU_CHECK", "strict", true},    {"WARPLOOM_EMU_CHECK", "yes", false},
    {"WARPLOOM_EMU_TIMEOUT", "0", true},       {"WARPLOOM_EMU_TIMEOUT", "2.5", true},
    {"WARPLOOM_EMU_TIMEOUT", "-1", false},     {"WARPLOOM_EMU_TIMEOUT", "nan", false},
    {"WARPLOOM_EMU_TIMEOUT", "5s", false},     {"WARPLOOM_EMU_THREADS", "3", true},
    {"WARPLOOM_EMU_THREADS", "0", false},      {"WARPLOOM_EMU_THREADS", "1000000", false},
    {"WARPLOOM_EMU_DEVICE", "h100", true},     {"WARPLOOM_EMU_DEVICE", "a100", true},
    {"WARPLOOM_EMU_DEVICE", "rtx", false},     {"WARPLOOM_EMU_DEVICE", "", true},
};

ParameterizedTestParameters(driver_api, environment) { return wl_test_rows(WL_LEN(settings)); }
ParameterizedTest(size_t *i, driver_api, environment) {
    const struct setting *s = &settings[*i];
    struct client cuda = client_open();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    setenv(s->name, s->value, 1);
    CUresult result = cuda.cuInit(0);
    cr_expect_eq(result, s->legal ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE, "%s=%s", s->name, s->value);
    if (s->legal) return;
    cr_expect(strstr(client_report(&cuda), s->name) && strstr(client_report(&cuda), "must be"), "%s",
              client_report(&cuda));
    int count;
    GIVES(cuda.cuDeviceGetCount(&count), CUDA_ERROR_NOT_INITIALIZED);
}

/* ---- devices ---- */

static const struct profile {
    const char *key, *name;
    int major, sms, smem_per_block, cluster;
} profiles[] = {
    {"b200", "NVIDIA B200", 10, 148, 232448, 1},
    {"h100", "NVIDIA H100", 9, 132, 232448, 1},
    {"a100", "NVIDIA A100", 8, 108, 166912, 0},
};

ParameterizedTestParameters(driver_api, devices) { return wl_test_rows(WL_LEN(profiles)); }
ParameterizedTest(size_t *i, driver_api, devices) {
    const struct profile *p = &profiles[*i];
    struct client cuda = client_open();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    setenv("WARPLOOM_EMU_DEVICE", p->key, 1);
    NEEDS(cuda.cuInit(0));
    const struct {
        CUdevice_attribute attribute;
        int value;
    } rows[] = {{CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, p->major},
                {CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, 0},
                {CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, p->sms},
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, p->smem_per_block},
                {CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, 49152},
                {CU_DEVICE_ATTRIBUTE_CLUSTER_LAUNCH, p->cluster},
                {CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED, p->cluster},
                {CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32},
                {CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING, 1},
                {CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X, 0x7fffffff}};
    for (size_t j = 0; j < WL_LEN(rows); j++) {
        int value = -1;
        GIVES(cuda.cuDeviceGetAttribute(&value, rows[j].attribute, 0), CUDA_SUCCESS);
        cr_expect_eq(value, rows[j].value, "%s: attribute %d is %d, not %d", p->key, rows[j].attribute, value,
                     rows[j].value);
    }
    char name[100];
    NEEDS(cuda.cuDeviceGetName(name, sizeof name, 0));
    cr_expect(!strncmp(name, p->name, strlen(p->name)), "%s", name);
}

Test(driver_api, device_queries) {
    struct client cuda = client_open();
    NEEDS(cuda.cuInit(0));
    int value = -1;
    CUdevice device;
    GIVES(cuda.cuDeviceGetCount(&value), CUDA_SUCCESS);
    cr_expect_geq(value, 1);
    GIVES(cuda.cuDeviceGetCount(NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuDeviceGet(&device, 0), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGet(&device, 97), CUDA_ERROR_INVALID_DEVICE);
    GIVES(cuda.cuDeviceGet(&device, -1), CUDA_ERROR_INVALID_DEVICE);
    GIVES(cuda.cuDeviceGetAttribute(&value, 0, 0), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuDeviceGetAttribute(&value, 10000, 0), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuDeviceGetAttribute(&value, 1, 97), CUDA_ERROR_INVALID_DEVICE);
    GIVES(cuda.cuDeviceGetAttribute(NULL, 1, 0), CUDA_ERROR_INVALID_VALUE);
    for (int attribute = 1; attribute <= 147; attribute++) /* all of CUDA 13.0 */
        GIVES(cuda.cuDeviceGetAttribute(&value, attribute, 0), CUDA_SUCCESS);
    char name[5] = "####";
    GIVES(cuda.cuDeviceGetName(name, 3, 0), CUDA_SUCCESS);
    cr_expect_eq(name[3], '#');
    CUuuid uuid, again;
    GIVES(cuda.cuDeviceGetUuid_v2(&uuid, 0), CUDA_SUCCESS);
    GIVES(cuda.cuDeviceGetUuid(&again, 0), CUDA_SUCCESS);
    cr_expect_eq(memcmp(&uuid, &again, sizeof uuid), 0);
    size_t bytes = 0;
    GIVES(cuda.cuDeviceTotalMem_v2(&bytes, 0), CUDA_SUCCESS);
    cr_expect_gt(bytes, (size_t)1 << 30);
    char id[32];
    GIVES(cuda.cuDeviceGetPCIBusId(id, sizeof id, 0), CUDA_SUCCESS);
    device = -1;
    GIVES(cuda.cuDeviceGetByPCIBusId(&device, id), CUDA_SUCCESS);
    cr_expect_eq(device, 0);
}

/* ---- contexts ---- */

Test(driver_api, contexts) {
    struct client cuda = client_start();
    CUcontext current, other;
    CUdevice device = -1;
    unsigned int version;
    GIVES(cuda.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    cr_expect_eq(current, cuda.context);
    GIVES(cuda.cuCtxGetDevice(&device), CUDA_SUCCESS);
    cr_expect_eq(device, 0);
    GIVES(cuda.cuCtxGetApiVersion(cuda.context, &version), CUDA_SUCCESS);
    cr_expect_eq(version, 3020);
    GIVES(cuda.cuCtxPushCurrent_v2(NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuCtxCreate_v2(&other, 0, 97), CUDA_ERROR_INVALID_DEVICE);
    GIVES(cuda.cuCtxCreate_v4(&other, NULL, 0, 0), CUDA_SUCCESS);
    GIVES(cuda.cuCtxPopCurrent_v2(&current), CUDA_SUCCESS);
    cr_expect_eq(current, other);
    GIVES(cuda.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    cr_expect_eq(current, cuda.context);
    GIVES(cuda.cuCtxDestroy_v2(other), CUDA_SUCCESS);
    if (cuda.emulated)
        GIVES(cuda.cuCtxDestroy_v2(other),
              CUDA_ERROR_CONTEXT_IS_DESTROYED);              /* a real one may have forgotten it */
    GIVES(cuda.cuCtxDestroy_v2(cuda.context), CUDA_SUCCESS); /* it is current: then none is */
    GIVES(cuda.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    cr_expect_null(current);
    CUdeviceptr p;
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    if (!cuda.emulated) return; /* a real driver follows any pointer */
    int garbage;
    GIVES(cuda.cuCtxSetCurrent((CUcontext)&garbage), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxPushCurrent_v2((CUcontext)&garbage), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxDestroy_v2((CUcontext)&garbage), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxDestroy_v2(NULL), CUDA_ERROR_INVALID_CONTEXT);
}

Test(driver_api, primary_context) {
    struct client cuda = client_start();
    CUcontext primary, again;
    unsigned int flags = 9;
    int active = -1;
    CUdeviceptr p;
    GIVES(cuda.cuDevicePrimaryCtxGetState(0, &flags, &active), CUDA_SUCCESS);
    cr_expect(flags == 0 && active == 0);
    GIVES(cuda.cuDevicePrimaryCtxRelease_v2(0), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuDevicePrimaryCtxRetain(&primary, 0), CUDA_SUCCESS);
    GIVES(cuda.cuDevicePrimaryCtxRetain(&again, 0), CUDA_SUCCESS);
    cr_expect_eq(primary, again);
    GIVES(cuda.cuDevicePrimaryCtxSetFlags_v2(0, CU_CTX_SCHED_BLOCKING_SYNC), CUDA_SUCCESS);
    GIVES(cuda.cuDevicePrimaryCtxGetState(0, &flags, &active), CUDA_SUCCESS);
    cr_expect(flags == CU_CTX_SCHED_BLOCKING_SYNC && active == 1);
    GIVES(cuda.cuCtxDestroy_v2(primary), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    GIVES(cuda.cuCtxSetCurrent(primary), CUDA_SUCCESS);
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_SUCCESS);
    GIVES(cuda.cuDevicePrimaryCtxRelease_v2(0), CUDA_SUCCESS);
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_ERROR_CONTEXT_IS_DESTROYED);
    GIVES(cuda.cuDevicePrimaryCtxGetState(0, &flags, &active), CUDA_SUCCESS);
    cr_expect_eq(active, 0);
}

static void *current_of_thread(void *argument) {
    struct client cuda = *(struct client *)argument;
    CUcontext current = (CUcontext)argument;
    CUdeviceptr p;
    GIVES(cuda.cuCtxGetCurrent(&current), CUDA_SUCCESS);
    cr_expect_null(current);
    GIVES(cuda.cuMemAlloc_v2(&p, 4), CUDA_ERROR_INVALID_CONTEXT);
    GIVES(cuda.cuCtxSetCurrent(cuda.context), CUDA_SUCCESS);
    for (int i = 0; i < 50; i++) {
        GIVES(cuda.cuMemAlloc_v2(&p, 1000), CUDA_SUCCESS);
        GIVES(cuda.cuMemFree_v2(p), CUDA_SUCCESS);
    }
    return NULL;
}

Test(driver_api, a_context_is_current_by_thread) {
    struct client cuda = client_start();
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, current_of_thread, &cuda);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
}

Test(driver_api, limits) {
    struct client cuda = client_start();
    size_t value;
    GIVES(cuda.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE), CUDA_SUCCESS);
    cr_expect_eq(value, 1024);
    GIVES(cuda.cuCtxSetLimit(CU_LIMIT_STACK_SIZE, 4096), CUDA_SUCCESS);
    GIVES(cuda.cuCtxGetLimit(&value, CU_LIMIT_STACK_SIZE), CUDA_SUCCESS);
    cr_expect_eq(value, 4096);
    GIVES(cuda.cuCtxGetLimit(&value, CU_LIMIT_DEV_RUNTIME_SYNC_DEPTH), CUDA_ERROR_UNSUPPORTED_LIMIT);
    GIVES(cuda.cuCtxGetLimit(&value, 99), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuCtxSetLimit(99, 1), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuCtxGetLimit(NULL, CU_LIMIT_STACK_SIZE), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuCtxSetLimit(CU_LIMIT_PRINTF_FIFO_SIZE, 1 << 20), CUDA_SUCCESS);
}

/* ---- memory ---- */

Test(driver_api, allocation) {
    struct client cuda = client_start();
    CUdeviceptr p, q, start;
    size_t before, after, total, bytes;
    GIVES(cuda.cuMemGetInfo_v2(&before, &total), CUDA_SUCCESS);
    GIVES(cuda.cuMemAlloc_v2(&p, 0), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemAlloc_v2(NULL, 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemAlloc_v2(&q, (size_t)1 << 50), CUDA_ERROR_OUT_OF_MEMORY);
    GIVES(cuda.cuMemAlloc_v2(&q, (size_t)-1), CUDA_ERROR_OUT_OF_MEMORY);
    NEEDS(cuda.cuMemAlloc_v2(&p, 4 << 20));
    NEEDS(cuda.cuMemAlloc_v2(&q, 1));
    cr_expect(p % 256 == 0 && q % 256 == 0);
    GIVES(cuda.cuMemGetInfo_v2(&after, &total), CUDA_SUCCESS);
    cr_expect(after <= before - (4 << 20) && before <= total);
    GIVES(cuda.cuMemGetAddressRange_v2(&start, &bytes, p + 5), CUDA_SUCCESS);
    cr_expect(start == p && bytes == 4 << 20);
    GIVES(cuda.cuMemGetAddressRange_v2(&start, &bytes, 16), CUDA_ERROR_NOT_FOUND);
    GIVES(cuda.cuMemFree_v2(0), CUDA_SUCCESS);
    GIVES(cuda.cuMemFree_v2(p + 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemFree_v2(0x1234), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemFree_v2(p), CUDA_SUCCESS);
    GIVES(cuda.cuMemFree_v2(p), CUDA_ERROR_INVALID_VALUE);
    size_t pitch = 0;
    GIVES(cuda.cuMemAllocPitch_v2(&p, &pitch, 100, 3, 4), CUDA_SUCCESS);
    cr_expect(pitch >= 100 && pitch % 16 == 0);
    GIVES(cuda.cuMemAllocPitch_v2(&p, &pitch, 100, 3, 3), CUDA_ERROR_INVALID_VALUE);
}

/* What a kernel does not write must not look like a result. */
Test(driver_api, fresh_memory_is_nan) {
    struct client cuda = client_start();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    CUdeviceptr p;
    float values[64];
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof values));
    NEEDS(cuda.cuMemcpyDtoH_v2(values, p, sizeof values));
    for (size_t i = 0; i < WL_LEN(values); i++) cr_expect(isnan(values[i]));
}

Test(driver_api, copies) {
    struct client cuda = client_start();
    CUdeviceptr p;
    static char host[4096], back[4096];
    for (int i = 0; i < 1000; i++) host[i] = (char)(i * 7);
    NEEDS(cuda.cuMemAlloc_v2(&p, 1000));
    GIVES(cuda.cuMemcpyHtoD_v2(p, host, 1000), CUDA_SUCCESS);
    GIVES(cuda.cuMemcpyHtoD_v2(p, host, 1001), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyHtoD_v2(p + 1, host, 1000), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyDtoH_v2(back, p, 4096), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyHtoD_v2(0, host, 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyHtoD_v2(p, NULL, 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyHtoD_v2(p, host, 0), CUDA_SUCCESS);
    GIVES(cuda.cuMemcpyHtoD_v2((uintptr_t)host, host + 2048, 16), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemcpyDtoH_v2(back, p, 1000), CUDA_SUCCESS);
    cr_expect_eq(memcmp(host, back, 1000), 0);
    GIVES(cuda.cuMemcpyDtoD_v2(p, p + 500, 500), CUDA_SUCCESS);
    GIVES(cuda.cuMemcpy((uintptr_t)back, p, 1000), CUDA_SUCCESS);
    cr_expect(!memcmp(back, host + 500, 500) && !memcmp(back + 500, host + 500, 500));
    GIVES(cuda.cuMemcpy(p, (uintptr_t)host, 1000), CUDA_SUCCESS);
    GIVES(cuda.cuMemcpyDtoHAsync_v2(back, p, 1000, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(NULL), CUDA_SUCCESS);
    cr_expect_eq(memcmp(host, back, 1000), 0);
}

Test(driver_api, fills) {
    struct client cuda = client_start();
    CUdeviceptr p;
    unsigned char back[1000];
    NEEDS(cuda.cuMemAlloc_v2(&p, sizeof back));
    GIVES(cuda.cuMemsetD32_v2(p, 0x04030201, 250), CUDA_SUCCESS);
    GIVES(cuda.cuMemsetD16_v2(p + 4, 0x0605, 2), CUDA_SUCCESS);
    GIVES(cuda.cuMemsetD8_v2(p + 9, 7, 1), CUDA_SUCCESS);
    GIVES(cuda.cuMemsetD32Async(p + 12, 0x0d0c0b0a, 1, NULL), CUDA_SUCCESS);
    NEEDS(cuda.cuMemcpyDtoH_v2(back, p, sizeof back));
    static const unsigned char wanted[] = {1, 2, 3,   4,   5,   6,   5, 6, 1, 7,
                                           3, 4, 0xa, 0xb, 0xc, 0xd, 1, 2, 3, 4};
    cr_expect_eq(memcmp(back, wanted, sizeof wanted), 0);
    cr_expect(back[996] == 1 && back[999] == 4);
    GIVES(cuda.cuMemsetD32_v2(p, 5, 251), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemsetD32_v2(p + 1, 5, 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemsetD16_v2(p + 1, 5, 4), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemsetD32_v2(0, 5, 1), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemsetD8_v2(p, 1, 0), CUDA_SUCCESS);
}

Test(driver_api, host_memory) {
    struct client cuda = client_start();
    static char stack[64];
    void *pointer = NULL;
    CUdeviceptr address = 0;
    unsigned int flags = 0;
    GIVES(cuda.cuMemAllocHost_v2(&pointer, 0), CUDA_SUCCESS);
    GIVES(cuda.cuMemAllocHost_v2(&pointer, 1000), CUDA_SUCCESS);
    memset(pointer, 3, 1000);
    GIVES(cuda.cuMemHostGetDevicePointer_v2(&address, pointer, 0), CUDA_SUCCESS);
    cr_expect_eq(address, (uintptr_t)pointer);
    GIVES(cuda.cuMemHostGetFlags(&flags, pointer), CUDA_SUCCESS);
    cr_expect_eq(flags, CU_MEMHOSTALLOC_DEVICEMAP);
    GIVES(cuda.cuMemHostGetFlags(&flags, stack), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemFreeHost(stack), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuMemFreeHost(pointer), CUDA_SUCCESS);
    char *own = malloc(10000);
    GIVES(cuda.cuMemHostRegister_v2(own, 10000, 0), CUDA_SUCCESS);
    GIVES(cuda.cuMemHostRegister_v2(own, 10000, 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    GIVES(cuda.cuMemHostUnregister(own), CUDA_SUCCESS);
    GIVES(cuda.cuMemHostUnregister(own), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    free(own);
}

Test(driver_api, pointer_attributes) {
    struct client cuda = client_start();
    static char nothing[64];
    CUdeviceptr p, range;
    void *host, *pointer = NULL;
    unsigned int type = 9;
    int ordinal = 9;
    size_t bytes;
    CUcontext context = NULL;
    NEEDS(cuda.cuMemAlloc_v2(&p, 100));
    NEEDS(cuda.cuMemAllocHost_v2(&host, 100));
    GIVES(cuda.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 50), CUDA_SUCCESS);
    cr_expect_eq(type, CU_MEMORYTYPE_DEVICE);
    GIVES(cuda.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t)host), CUDA_SUCCESS);
    cr_expect_eq(type, CU_MEMORYTYPE_HOST);
    GIVES(cuda.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, p + 100),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, (uintptr_t)nothing),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuPointerGetAttribute(&pointer, CU_POINTER_ATTRIBUTE_HOST_POINTER, p),
          CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuPointerGetAttribute(&pointer, CU_POINTER_ATTRIBUTE_HOST_POINTER, (uintptr_t)host),
          CUDA_SUCCESS);
    cr_expect_eq(pointer, host);
    GIVES(cuda.cuPointerGetAttribute(&bytes, CU_POINTER_ATTRIBUTE_RANGE_SIZE, p + 8), CUDA_SUCCESS);
    GIVES(cuda.cuPointerGetAttribute(&range, CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, p + 8), CUDA_SUCCESS);
    cr_expect(bytes == 100 && range == p);
    CUpointer_attribute attributes[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_CONTEXT,
                                        CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
    void *data[] = {&type, &context, &ordinal};
    GIVES(cuda.cuPointerGetAttributes(3, attributes, data, p), CUDA_SUCCESS);
    cr_expect(type == CU_MEMORYTYPE_DEVICE && context == cuda.context && ordinal == 0);
    GIVES(cuda.cuPointerGetAttributes(3, attributes, data, (uintptr_t)nothing), CUDA_SUCCESS);
    cr_expect(type == 0 && context == NULL && ordinal == -2);
}

/* A context takes its memory with it. */
Test(driver_api, destroying_a_context_frees) {
    struct client cuda = client_start();
    CUcontext other;
    CUdeviceptr p;
    size_t before, after, total;
    NEEDS(cuda.cuMemGetInfo_v2(&before, &total));
    NEEDS(cuda.cuCtxCreate_v2(&other, 0, 0));
    NEEDS(cuda.cuMemAlloc_v2(&p, 64 << 20));
    NEEDS(cuda.cuCtxDestroy_v2(other));
    NEEDS(cuda.cuCtxSetCurrent(cuda.context));
    NEEDS(cuda.cuMemGetInfo_v2(&after, &total));
    cr_expect_geq(after, before - (32 << 20));
}

/* ---- streams and events ---- */

static void add_one(void *user) { ++*(int *)user; }

Test(driver_api, streams) {
    struct client cuda = client_start();
    CUstream stream;
    unsigned int flags = 9;
    int priority = 9, least = 9, greatest = 9, calls = 0;
    CUcontext context;
    GIVES(cuda.cuStreamCreate(&stream, 99), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuStreamCreate(NULL, 0), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuCtxGetStreamPriorityRange(&least, &greatest), CUDA_SUCCESS);
    cr_expect_lt(greatest, least);
    GIVES(cuda.cuStreamCreateWithPriority(&stream, CU_STREAM_NON_BLOCKING, -1000), CUDA_SUCCESS);
    GIVES(cuda.cuStreamGetPriority(stream, &priority), CUDA_SUCCESS);
    cr_expect_eq(priority, greatest);
    GIVES(cuda.cuStreamGetFlags(stream, &flags), CUDA_SUCCESS);
    cr_expect_eq(flags, CU_STREAM_NON_BLOCKING);
    GIVES(cuda.cuStreamGetFlags(NULL, &flags), CUDA_SUCCESS);
    cr_expect_eq(flags, 0);
    GIVES(cuda.cuStreamGetCtx(stream, &context), CUDA_SUCCESS);
    cr_expect_eq(context, cuda.context);
    GIVES(cuda.cuLaunchHostFunc(stream, add_one, &calls), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(stream), CUDA_SUCCESS);
    cr_expect_eq(calls, 1);
    GIVES(cuda.cuStreamQuery(stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(CU_STREAM_LEGACY), CUDA_SUCCESS);
    GIVES(cuda.cuStreamSynchronize(CU_STREAM_PER_THREAD), CUDA_SUCCESS);
    GIVES(cuda.cuStreamDestroy_v2(stream), CUDA_SUCCESS);
    GIVES(cuda.cuStreamDestroy_v2(NULL), CUDA_ERROR_INVALID_HANDLE);
    if (cuda.emulated) GIVES(cuda.cuStreamSynchronize(stream), CUDA_ERROR_INVALID_HANDLE);
}

Test(driver_api, events) {
    struct client cuda = client_start();
    CUevent start, end, untimed;
    float ms = -1;
    GIVES(cuda.cuEventCreate(&start, 99), CUDA_ERROR_INVALID_VALUE);
    NEEDS(cuda.cuEventCreate(&start, 0));
    NEEDS(cuda.cuEventCreate(&end, CU_EVENT_BLOCKING_SYNC));
    NEEDS(cuda.cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING));
    GIVES(cuda.cuEventQuery(start), CUDA_SUCCESS); /* never recorded: complete */
    GIVES(cuda.cuEventElapsedTime(&ms, start, start), CUDA_ERROR_INVALID_HANDLE);
    GIVES(cuda.cuEventRecord(start, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuStreamWaitEvent(NULL, start, 0), CUDA_SUCCESS);
    GIVES(cuda.cuStreamWaitEvent(NULL, start, 7), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuEventRecord(end, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuEventSynchronize(end), CUDA_SUCCESS);
    GIVES(cuda.cuEventElapsedTime(&ms, start, end), CUDA_SUCCESS);
    cr_expect(ms >= 0 && ms < 10000);
    GIVES(cuda.cuEventRecord(untimed, NULL), CUDA_SUCCESS);
    GIVES(cuda.cuEventElapsedTime(&ms, start, untimed), CUDA_ERROR_INVALID_HANDLE);
    GIVES(cuda.cuEventDestroy_v2(start), CUDA_SUCCESS);
    GIVES(cuda.cuEventDestroy_v2(NULL), CUDA_ERROR_INVALID_HANDLE);
    if (cuda.emulated) GIVES(cuda.cuEventQuery(start), CUDA_ERROR_INVALID_HANDLE);
}

/* ---- errors and entry points ---- */

Test(driver_api, error_names) {
    struct client cuda = client_open();
    const char *text = NULL;
    GIVES(cuda.cuGetErrorName(CUDA_ERROR_ILLEGAL_ADDRESS, &text), CUDA_SUCCESS);
    cr_expect_str_eq(text, "CUDA_ERROR_ILLEGAL_ADDRESS");
    GIVES(cuda.cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text), CUDA_SUCCESS);
    cr_expect_str_eq(text, "out of memory");
    GIVES(cuda.cuGetErrorName(12345, &text), CUDA_ERROR_INVALID_VALUE);
    cr_expect_null(text);
    GIVES(cuda.cuGetErrorString(12345, &text), CUDA_ERROR_INVALID_VALUE);
}

static const struct lookup {
    const char *name;
    int version;
    CUresult result, status;
    const char *symbol; /* that the answer is; NULL: not checked */
} lookups[] = {
    {"cuInit", 13000, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuInit"},
    {"cuCtxCreate", 13000, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuCtxCreate_v4"},
    {"cuCtxCreate", 12040, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuCtxCreate_v3"},
    {"cuCtxCreate", 11000, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuCtxCreate_v2"},
    {"cuMemAlloc", 12000, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuMemAlloc_v2"},
    {"cuLaunchKernelEx", 11000, 0, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT, NULL},
    {"cuCtxCreate", 1000, 0, CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT, NULL},
    {"cuNope", 13000, 0, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND, NULL},
    {"cuCtxCreate_v2", 13000, 0, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND, NULL},
    {"", 13000, 0, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND, NULL},
    {"cuGraphCreate", 13000, 0, CU_GET_PROC_ADDRESS_SUCCESS, "cuGraphCreate"}, /* refused when it is called */
    {"cuInit", 99000, CUDA_ERROR_INVALID_VALUE, -1, NULL},
};

void *dlsym(void *library, const char *name);

Test(driver_api, entry_points_by_name) {
    struct client cuda = client_open();
    NEEDS(cuda.cuInit(0));
    for (size_t i = 0; i < WL_LEN(lookups); i++) {
        const struct lookup *l = &lookups[i];
        void *address = &cuda;
        CUdriverProcAddressQueryResult status = -1;
        CUresult result = cuda.cuGetProcAddress_v2(l->name, &address, l->version, 0, &status);
        cr_expect_eq(result, l->result, "%s at %d: %s", l->name, l->version, client_name(&cuda, result));
        if (!result) cr_expect_eq(status, l->status, "%s at %d: status %d", l->name, l->version, status);
        if (l->status > 0) cr_expect_null(address, "%s at %d", l->name, l->version);
        if (l->symbol && cuda.emulated)
            cr_expect_eq(address, dlsym(cuda.library, l->symbol), "%s at %d is not %s", l->name, l->version,
                         l->symbol);
    }
    if (!cuda.emulated) return; /* a real driver crashes */
    void *address;
    GIVES(cuda.cuGetProcAddress_v2(NULL, &address, 13000, 0, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGetProcAddress_v2("cuInit", NULL, 13000, 0, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGetProcAddress_v2("cuInit", &address, 13000, 7, NULL), CUDA_ERROR_INVALID_VALUE);
    GIVES(cuda.cuGetProcAddress("cuNope", &address, 13000, 0), CUDA_ERROR_NOT_FOUND);
    GIVES(cuda.cuGetProcAddress("cuInit", &address, 13000, 0), CUDA_SUCCESS);
}

Test(driver_api, what_is_not_there_is_refused) {
    struct client cuda = client_start();
    if (!cuda.emulated) cr_skip_test("of the emulated driver");
    CUresult (*destroy)(void *context);
    void *address = dlsym(cuda.library, "cuGreenCtxDestroy");
    memcpy(&destroy, &address, sizeof address);
    GIVES(destroy(NULL), CUDA_ERROR_NOT_SUPPORTED);
    GIVES(destroy(NULL), CUDA_ERROR_NOT_SUPPORTED);
    const void *table = &cuda;
    CUuuid id = {{1}};
    GIVES(cuda.cuGetExportTable(&table, &id), CUDA_ERROR_NOT_SUPPORTED);
    cr_expect_null(table);
    cr_expect_null(dlsym(cuda.library, "emu_context")); /* nothing but the API is visible */
}

/* ---- tensor maps ---- */

static const struct map {
    CUresult result;
    CUtensorMapDataType type;
    uint32_t rank;
    uint64_t address;
    uint64_t dim0, stride;
    uint32_t box0, element_stride;
    CUtensorMapSwizzle swizzle;
} maps[] = {
    {0, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_128B},
    {0, CU_TENSOR_MAP_DATA_TYPE_BFLOAT16, 2, 0x1010, 40, 80, 8, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {0, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 1, 0x1000, 64, 0, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1008, 64, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 130, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 1ull << 40, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 0, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 0, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 512, 1024, 257, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 72, 1, CU_TENSOR_MAP_SWIZZLE_128B},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 4, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 64, 9, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 6, 0x1000, 64, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 0, 0x1000, 64, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, 99, 2, 0x1000, 64, 128, 64, 1, CU_TENSOR_MAP_SWIZZLE_NONE},
    {1, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, 0x1000, 64, 128, 64, 1, 99},
};

Test(driver_api, tensor_maps) {
    struct client cuda = client_start();
    for (size_t i = 0; i < WL_LEN(maps); i++) {
        const struct map *m = &maps[i];
        CUtensorMap map = {{0}};
        const cuuint64_t dims[6] = {m->dim0, 100, 1, 1, 1, 1},
                         strides[5] = {m->stride, 1024, 1024, 1024, 1024};
        const cuuint32_t box[6] = {m->box0, 16, 1, 1, 1, 1}, steps[6] = {1, m->element_stride, 1, 1, 1, 1};
        CUresult result =
            cuda.cuTensorMapEncodeTiled(&map, m->type, m->rank, (void *)(uintptr_t)m->address, dims, strides,
                                        box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, m->swizzle, 0, 0);
        cr_expect_eq(result, m->result, "map %zu: %s %s", i, client_name(&cuda, result),
                     client_report(&cuda));
        if (!result) cr_expect_eq(map.opaque[0], m->address, "map %zu", i);
    }
}

/* As on an H200 with driver 580.159.04, although nothing of a context goes into a map. */
Test(driver_api, tensor_maps_need_a_context) {
    struct client cuda = client_start();
    const cuuint64_t dims[2] = {64, 100}, strides[1] = {128};
    const cuuint32_t box[2] = {64, 16}, steps[2] = {1, 1};
    CUtensorMap map;
    CUcontext popped;
    for (int current = 1; current >= 0; current--) {
        GIVES(cuda.cuTensorMapEncodeTiled(&map, CU_TENSOR_MAP_DATA_TYPE_FLOAT16, 2, (void *)0x1000, dims,
                                          strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                                          CU_TENSOR_MAP_SWIZZLE_128B, 0, 0),
              current ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT);
        if (current) NEEDS(cuda.cuCtxPopCurrent_v2(&popped));
    }
}
