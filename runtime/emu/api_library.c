/* api_library: libraries belong to no context. One is loaded once, to find what is wrong with it and what it holds,
 * and again as a module into each context in which a kernel of it is used. What is set on a kernel holds in all. */
#include "runtime/emu/api.h"

#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/module.h"

struct CUkern_st {
    struct CUlib_st *library;
    struct CUfunc_st prototype; /* its attributes; not a function that can be launched */
};

struct CUlib_st {
    char *ptx;
    struct emu_module *master;
    struct CUkern_st *kernels;
    unsigned int kernel_count;
    struct CUmod_st *modules; /* by ->sibling, one a context */
};

/* ---- loading ---- */

static void destroy(struct CUlib_st *library) {
    while (library->modules) emu_object_destroy(&library->modules->object);
    for (unsigned int i = 0; i < library->kernel_count; i++) emu_handle_remove(&library->kernels[i]);
    emu_handle_remove(library);
    emu_module_unload(library->master);
    wl_free(library->kernels);
    wl_free(library->ptx);
    wl_free(library);
}

static bool list_kernels(struct CUlib_st *library) {
    const struct emu_module *master = library->master;
    uint32_t count = master->ptx->function_count;
    library->kernels = wl_realloc(NULL, (count + 1) * sizeof *library->kernels);
    if (!library->kernels) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!master->functions[i].code || !master->ptx->functions[i].entry) continue;
        struct CUkern_st *kernel = &library->kernels[library->kernel_count];
        kernel->library = library;
        emu_function_init(&kernel->prototype, NULL, &master->functions[i]);
        if (!emu_handle_add(kernel, EMU_KIND_KERNEL)) return false;
        library->kernel_count++;
    }
    return true;
}

static CUresult create(CUlibrary *out, char *ptx, struct emu_logs *logs) {
    struct CUlib_st *library = wl_realloc(NULL, sizeof *library);
    if (!library) {
        wl_free(ptx);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *library = (struct CUlib_st){.ptx = ptx};
    struct ptx_error error = {0};
    CUresult result = CUDA_SUCCESS;
    library->master = emu_module_load(emu_driver.device, ptx, strlen(ptx), &error);
    if (!library->master) result = emu_logs_ptx_error(logs, &error);
    else if (!list_kernels(library) || !emu_handle_add(library, EMU_KIND_LIBRARY)) result = CUDA_ERROR_OUT_OF_MEMORY;
    if (result) destroy(library);
    else *out = library;
    return result;
}

CUresult emu_cuLibraryLoadData(CUlibrary *library, const void *code, CUjit_option *options, void **values,
                               unsigned int count, CUlibraryOption *library_options, void **library_values,
                               unsigned int library_count) {
    if (!library || !code || (library_count && !library_options)) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned int i = 0; i < library_count; i++) {
        if (library_options[i] < 0 || library_options[i] > CU_LIBRARY_BINARY_IS_PRESERVED)
            return CUDA_ERROR_INVALID_VALUE;
        if (library_options[i] == CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE && library_values &&
            library_values[i])
            return CUDA_ERROR_NOT_SUPPORTED;
    }
    struct emu_logs logs;
    char *ptx = NULL;
    CUresult result = emu_logs_read(&logs, count, options, values);
    if (!result) result = emu_image_text(&ptx, code, &logs);
    if (!result) result = create(library, ptx, &logs);
    emu_logs_finish(&logs);
    return result;
}

CUresult emu_cuLibraryLoadFromFile(CUlibrary *library, const char *path, CUjit_option *options, void **values,
                                   unsigned int count, CUlibraryOption *library_options, void **library_values,
                                   unsigned int library_count) {
    if (!library || !path) return CUDA_ERROR_INVALID_VALUE;
    CUresult result;
    char *image = emu_file_read(path, &result);
    if (image)
        result = emu_cuLibraryLoadData(library, image, options, values, count, library_options, library_values,
                                       library_count);
    wl_free(image);
    return result;
}

CUresult emu_cuLibraryUnload(CUlibrary library) {
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    destroy(library);
    return CUDA_SUCCESS;
}

/* ---- its module in the current context ---- */

static CUresult module_here(struct CUmod_st **module, struct CUlib_st *library) {
    struct CUctx_st *context = emu_context();
    if (!context || !context->alive) return CUDA_ERROR_INVALID_CONTEXT;
    for (*module = library->modules; *module; *module = (*module)->sibling)
        if ((*module)->object.context == context) return CUDA_SUCCESS;
    struct ptx_error error = {0};
    CUresult result = emu_module_create(module, library->ptx, &error); /* only memory can be missing: it loaded once */
    if (result) return CUDA_ERROR_OUT_OF_MEMORY;
    (*module)->library = library;
    (*module)->sibling = library->modules;
    library->modules = *module;
    return CUDA_SUCCESS;
}

void emu_library_forget(struct CUmod_st *module) {
    struct CUmod_st **link = &module->library->modules;
    while (*link != module) link = &(*link)->sibling;
    *link = module->sibling;
}

static void take_settings(struct CUfunc_st *function, const struct CUfunc_st *from) {
    function->max_dynamic_smem = from->max_dynamic_smem;
    function->carveout = from->carveout;
    function->scheduling = from->scheduling;
    function->nonportable_cluster = from->nonportable_cluster;
    memcpy(function->required_cluster, from->required_cluster, sizeof function->required_cluster);
}

struct CUfunc_st *emu_kernel_function(CUkernel kernel, CUresult *result) {
    struct CUmod_st *module;
    *result = module_here(&module, kernel->library);
    if (*result) return NULL;
    const struct emu_function *fn = emu_module_function(module->loaded, kernel->prototype.fn->source->name);
    bool known = false;
    for (struct CUfunc_st *f = module->functions; f; f = f->next) known |= f->fn == fn;
    struct CUfunc_st *function = emu_function_get(module, fn);
    if (function && !known) take_settings(function, &kernel->prototype);
    if (!function) *result = CUDA_ERROR_OUT_OF_MEMORY;
    return function;
}

CUresult emu_cuLibraryGetModule(CUmodule *module, CUlibrary library) {
    if (!module) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    return module_here(module, library);
}

CUresult emu_cuLibraryGetGlobal(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name) {
    struct CUmod_st *module;
    if (!name || (!address && !bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    CUresult result = module_here(&module, library);
    return result ? result : emu_cuModuleGetGlobal_v2(address, bytes, module, name);
}

/* PTX of today's compilers holds managed variables as .global with an attribute, which the emulated device treats
 * as any other: there is none to be found here. */
CUresult emu_cuLibraryGetManaged(CUdeviceptr *address, size_t *bytes, CUlibrary library, const char *name) {
    if (!name || (!address && !bytes)) return CUDA_ERROR_INVALID_VALUE;
    return emu_handle_is(library, EMU_KIND_LIBRARY) ? CUDA_ERROR_NOT_FOUND : CUDA_ERROR_INVALID_HANDLE;
}

/* ---- kernels ---- */

CUresult emu_cuLibraryGetKernel(CUkernel *kernel, CUlibrary library, const char *name) {
    if (!kernel || !name) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    for (unsigned int i = 0; i < library->kernel_count; i++) {
        if (strcmp(library->kernels[i].prototype.fn->source->name, name)) continue;
        *kernel = &library->kernels[i];
        return CUDA_SUCCESS;
    }
    return CUDA_ERROR_NOT_FOUND;
}

CUresult emu_cuLibraryGetKernelCount(unsigned int *count, CUlibrary library) {
    if (!count) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    *count = library->kernel_count;
    return CUDA_SUCCESS;
}

CUresult emu_cuLibraryEnumerateKernels(CUkernel *kernels, unsigned int count, CUlibrary library) {
    if (!kernels) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(library, EMU_KIND_LIBRARY)) return CUDA_ERROR_INVALID_HANDLE;
    for (unsigned int i = 0; i < count && i < library->kernel_count; i++) kernels[i] = &library->kernels[i];
    return CUDA_SUCCESS;
}

CUresult emu_cuKernelGetFunction(CUfunction *function, CUkernel kernel) {
    CUresult result;
    if (!function) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(kernel, EMU_KIND_KERNEL)) return CUDA_ERROR_INVALID_HANDLE;
    struct CUfunc_st *found = emu_kernel_function(kernel, &result);
    if (found) *function = found;
    return result;
}

CUresult emu_cuKernelGetLibrary(CUlibrary *library, CUkernel kernel) {
    if (!library) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(kernel, EMU_KIND_KERNEL)) return CUDA_ERROR_INVALID_HANDLE;
    *library = kernel->library;
    return CUDA_SUCCESS;
}

CUresult emu_cuKernelGetName(const char **name, CUkernel kernel) {
    if (!name) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(kernel, EMU_KIND_KERNEL)) return CUDA_ERROR_INVALID_HANDLE;
    *name = kernel->prototype.fn->source->name;
    return CUDA_SUCCESS;
}

CUresult emu_cuKernelGetParamInfo(CUkernel kernel, size_t index, size_t *offset, size_t *bytes) {
    if (!emu_handle_is(kernel, EMU_KIND_KERNEL)) return CUDA_ERROR_INVALID_HANDLE;
    const struct ptx_function *source = kernel->prototype.fn->source;
    if (!offset || index >= source->param_count) return CUDA_ERROR_INVALID_VALUE;
    *offset = source->params[index]->slot;
    if (bytes) *bytes = source->params[index]->bytes;
    return CUDA_SUCCESS;
}

static CUresult check(CUkernel kernel, CUdevice device) {
    if (!emu_handle_is(kernel, EMU_KIND_KERNEL)) return CUDA_ERROR_INVALID_HANDLE;
    return device >= 0 && device < EMU_DEVICE_COUNT ? CUDA_SUCCESS : CUDA_ERROR_INVALID_DEVICE;
}

CUresult emu_cuKernelGetAttribute(int *value, CUfunction_attribute attribute, CUkernel kernel, CUdevice device) {
    if (!value) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = check(kernel, device);
    return result ? result : emu_function_attribute(value, attribute, &kernel->prototype);
}

CUresult emu_cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel kernel, CUdevice device) {
    CUresult result = check(kernel, device);
    if (!result) result = emu_function_set(&kernel->prototype, attribute, value);
    for (struct CUmod_st *module = kernel->library->modules; module && !result; module = module->sibling)
        for (struct CUfunc_st *f = module->functions; f; f = f->next)
            if (!strcmp(f->fn->source->name, kernel->prototype.fn->source->name))
                result = emu_function_set(f, attribute, value);
    return result;
}

/* A preference between caches that this device has not got. */
CUresult emu_cuKernelSetCacheConfig(CUkernel kernel, CUfunc_cache config, CUdevice device) {
    CUresult result = check(kernel, device);
    if (result) return result;
    bool legal = config >= CU_FUNC_CACHE_PREFER_NONE && config <= CU_FUNC_CACHE_PREFER_EQUAL;
    return legal ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
