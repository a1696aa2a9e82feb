/* gpu: what the capture programs use of a real driver. */
#ifndef CAPTURE_GPU_H
#define CAPTURE_GPU_H

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>

typedef unsigned long long gpu_address;

static struct gpu {
    int (*init)(unsigned), (*retain)(void **, int), (*set)(void *), (*name)(char *, int, int), (*version)(int *);
    int (*alloc)(gpu_address *, size_t), (*free)(gpu_address), (*upload)(gpu_address, const void *, size_t);
    int (*download)(void *, gpu_address, size_t), (*load)(void **, const void *), (*unload)(void *);
    int (*function)(void **, void *, const char *), (*wait)(void);
    int (*launch)(const void *, void *, void **, void **);
    int (*encode)(void *, int, unsigned, void *, const uint64_t *, const uint64_t *, const uint32_t *,
                  const uint32_t *, int, int, int, int);
} gpu;

static inline int gpu_open(void) {
    void *lib = dlopen("libcuda.so.1", RTLD_NOW), *context;
    if (!lib) return 1;
    const struct {
        void *slot;
        const char *symbol;
    } symbols[] = {
        {&gpu.init, "cuInit"},
        {&gpu.retain, "cuDevicePrimaryCtxRetain"},
        {&gpu.set, "cuCtxSetCurrent"},
        {&gpu.name, "cuDeviceGetName"},
        {&gpu.version, "cuDriverGetVersion"},
        {&gpu.alloc, "cuMemAlloc_v2"},
        {&gpu.free, "cuMemFree_v2"},
        {&gpu.upload, "cuMemcpyHtoD_v2"},
        {&gpu.download, "cuMemcpyDtoH_v2"},
        {&gpu.load, "cuModuleLoadData"},
        {&gpu.unload, "cuModuleUnload"},
        {&gpu.function, "cuModuleGetFunction"},
        {&gpu.wait, "cuCtxSynchronize"},
        {&gpu.launch, "cuLaunchKernelEx"},
        {&gpu.encode, "cuTensorMapEncodeTiled"},
    };
    for (size_t k = 0; k < sizeof symbols / sizeof *symbols; k++)
        if (!(*(void **)symbols[k].slot = dlsym(lib, symbols[k].symbol))) return 1;
    return gpu.init(0) || gpu.retain(&context, 0) || gpu.set(context);
}

/* grid, block and cluster of one dimension */
static inline int gpu_run(void *function, uint32_t grid, uint32_t block, uint32_t cluster, void **params) {
    struct {
        uint32_t id, pad, value[16];
    } attribute = {4, 0, {cluster, 1, 1}}; /* CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION */
    struct {
        uint32_t grid[3], block[3], shared;
        void *stream, *attributes;
        uint32_t count;
    } config = {{grid, 1, 1}, {block, 1, 1}, 0, NULL, &attribute, cluster > 1};
    int rc = gpu.launch(&config, function, params, NULL);
    return rc ? rc : gpu.wait();
}

/* "# NVIDIA H200, driver 580.159.04 (CUDA 13.0), 2026-12-01\n" */
static inline void gpu_describe(char *out, size_t bytes, const char *date) {
    char name[128] = "?", driver[64] = "?";
    int version = 0;
    gpu.name(name, sizeof name, 0);
    gpu.version(&version);
    FILE *file = fopen("/sys/module/nvidia/version", "r");
    if (file) {
        if (fscanf(file, "%63s", driver) != 1) driver[0] = '\0';
        fclose(file);
    }
    snprintf(out, bytes, "# %s, driver %s (CUDA %d.%d), %s\n", name, driver, version / 1000, version % 1000 / 10, date);
}

#endif
