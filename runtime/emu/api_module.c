/* api_module: modules. The emulated device executes PTX text; machine code is refused, saying so. */
#include "runtime/emu/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/module.h"

static void __attribute__((format(printf, 2, 3))) put(struct emu_log *log, const char *format, ...) {
    if (!log->buffer || log->used >= log->bytes) return;
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(log->buffer + log->used, log->bytes - log->used, format, arguments);
    va_end(arguments);
    size_t left = log->bytes - log->used - 1;
    if (wanted > 0) log->used += (size_t)wanted < left ? (size_t)wanted : left;
}

/* Options that only steer a compiler are accepted: there is none to steer. Those that name or override
 * something of the program itself are not. */
CUresult emu_logs_read(struct emu_logs *logs, unsigned int count, const CUjit_option *options,
                             void **values) {
    *logs = (struct emu_logs){0};
    if (count && (!options || !values)) return CUDA_ERROR_INVALID_VALUE;
    for (unsigned int i = 0; i < count; i++) {
        switch (options[i]) {
        case CU_JIT_INFO_LOG_BUFFER: logs->info.buffer = values[i]; break;
        case CU_JIT_ERROR_LOG_BUFFER: logs->error.buffer = values[i]; break;
        case CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES:
            logs->info.bytes = (uint32_t)(uintptr_t)values[i];
            logs->info.length = &values[i];
            break;
        case CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES:
            logs->error.bytes = (uint32_t)(uintptr_t)values[i];
            logs->error.length = &values[i];
            break;
        case CU_JIT_LOG_VERBOSE: logs->verbose = (uintptr_t)values[i] != 0; break;
        case CU_JIT_WALL_TIME:
            memset(&values[i], 0, sizeof(float));
            break; /* an output: milliseconds compiling */
        case CU_JIT_GLOBAL_SYMBOL_NAMES:
        case CU_JIT_GLOBAL_SYMBOL_ADDRESSES:
        case CU_JIT_GLOBAL_SYMBOL_COUNT:
        case CU_JIT_LTO:
        case CU_JIT_OVERRIDE_DIRECTIVE_VALUES: return CUDA_ERROR_NOT_SUPPORTED;
        default:
            if (options[i] < 0 || options[i] > CU_JIT_SPLIT_COMPILE) return CUDA_ERROR_INVALID_VALUE;
        }
    }
    if (logs->info.buffer && logs->info.bytes) logs->info.buffer[0] = '\0';
    if (logs->error.buffer && logs->error.bytes) logs->error.buffer[0] = '\0';
    return CUDA_SUCCESS;
}

void emu_logs_finish(struct emu_logs *logs) {
    if (logs->info.length) *logs->info.length = (void *)logs->info.used;
    if (logs->error.length) *logs->error.length = (void *)logs->error.used;
}

CUresult emu_logs_fail(struct emu_logs *logs, CUresult result, const char *text) {
    put(&logs->error, "%s\n", text);
    emu_report_quietly(text);
    return result;
}

static void describe(struct emu_logs *logs, const struct emu_module *loaded) {
    for (uint32_t i = 0; logs->verbose && i < loaded->ptx->function_count; i++) {
        const struct emu_function *fn = &loaded->functions[i];
        if (!fn->source || !fn->source->entry || !fn->code) continue;
        put(&logs->info,
            "emulated device: entry %s: at most %d registers, %u bytes shared, %d bytes local memory\n",
            fn->source->name, emu_function_registers(fn), fn->static_smem_bytes, emu_function_local(fn));
    }
}

CUresult emu_module_create(CUmodule *module, const char *ptx, struct ptx_error *error) {
    struct CUmod_st *fresh = emu_object_create(EMU_KIND_MODULE, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    fresh->loaded = emu_module_load(emu_driver.device, ptx, strlen(ptx), error);
    if (!fresh->loaded) {
        emu_object_destroy(&fresh->object);
        return CUDA_ERROR_INVALID_PTX;
    }
    *module = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_logs_ptx_error(struct emu_logs *logs, const struct ptx_error *error) {
    char text[512];
    int place = error->line ? snprintf(text, sizeof text, "%u:%u: ", error->line, error->column) : 0;
    snprintf(text + place, sizeof text - (size_t)place, "%s", error->text);
    return emu_logs_fail(logs, CUDA_ERROR_INVALID_PTX, text);
}

CUresult emu_cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count,
                                CUjit_option *options, void **values) {
    if (!module || !image) return CUDA_ERROR_INVALID_VALUE;
    struct emu_logs logs;
    struct ptx_error error = {0};
    char *text = NULL;
    CUresult result = emu_logs_read(&logs, count, options, values);
    if (!result) result = emu_image_text(&text, image, &logs);
    if (!result) {
        result = emu_module_create(module, text, &error);
        if (result == CUDA_ERROR_INVALID_PTX) emu_logs_ptx_error(&logs, &error);
    }
    if (!result) describe(&logs, (*module)->loaded);
    wl_free(text);
    emu_logs_finish(&logs);
    return result;
}

CUresult emu_cuModuleLoadData(CUmodule *module, const void *image) {
    return emu_cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

CUresult emu_cuModuleLoadFatBinary(CUmodule *module, const void *image) {
    return emu_cuModuleLoadDataEx(module, image, 0, NULL, NULL);
}

CUresult emu_cuModuleLoad(CUmodule *module, const char *path) {
    if (!module || !path) return CUDA_ERROR_INVALID_VALUE;
    CUresult result;
    char *image = emu_file_read(path, &result);
    if (image) result = emu_cuModuleLoadData(module, image);
    wl_free(image);
    return result;
}

void emu_module_object_fini(struct emu_object *object) {
    struct CUmod_st *module = (struct CUmod_st *)object;
    for (struct CUfunc_st *function = module->functions, *next; function; function = next) {
        next = function->next;
        emu_handle_remove(function);
        wl_free(function);
    }
    if (module->library) emu_library_forget(module);
    if (module->loaded) emu_module_unload(module->loaded);
}

CUresult emu_cuModuleUnload(CUmodule module) {
    if (!emu_handle_is(module, EMU_KIND_MODULE)) return CUDA_ERROR_INVALID_HANDLE;
    emu_object_destroy(&module->object);
    return CUDA_SUCCESS;
}

CUresult emu_cuModuleGetLoadingMode(CUmoduleLoadingMode *mode) {
    if (!mode) return CUDA_ERROR_INVALID_VALUE;
    *mode = CU_MODULE_EAGER_LOADING;
    return CUDA_SUCCESS;
}

void emu_function_init(struct CUfunc_st *function, struct CUmod_st *module, const struct emu_function *fn) {
    *function = (struct CUfunc_st){.module = module, .fn = fn, .carveout = -1};
    function->max_dynamic_smem = fn->static_smem_bytes < 49152 ? 49152 - (int)fn->static_smem_bytes : 0;
    memcpy(function->required_cluster, fn->source->reqnctapercluster, sizeof function->required_cluster);
}

struct CUfunc_st *emu_function_get(struct CUmod_st *module, const struct emu_function *fn) {
    for (struct CUfunc_st *known = module->functions; known; known = known->next)
        if (known->fn == fn) return known;
    struct CUfunc_st *function = wl_realloc(NULL, sizeof *function);
    if (!function) return NULL;
    emu_function_init(function, module, fn);
    function->next = module->functions;
    if (!emu_handle_add(function, EMU_KIND_FUNCTION)) {
        wl_free(function);
        return NULL;
    }
    return module->functions = function;
}

CUresult emu_cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    if (!function || !name) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(module, EMU_KIND_MODULE)) return CUDA_ERROR_INVALID_HANDLE;
    const struct emu_function *fn = emu_module_function(module->loaded, name);
    if (!fn) return CUDA_ERROR_NOT_FOUND;
    struct CUfunc_st *known = emu_function_get(module, fn);
    if (!known) return CUDA_ERROR_OUT_OF_MEMORY;
    *function = known;
    return CUDA_SUCCESS;
}

static bool is_entry(const struct emu_module *loaded, uint32_t index) {
    return loaded->functions[index].code && loaded->ptx->functions[index].entry;
}

CUresult emu_cuModuleGetFunctionCount(unsigned int *count, CUmodule module) {
    if (!count) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(module, EMU_KIND_MODULE)) return CUDA_ERROR_INVALID_HANDLE;
    *count = 0;
    for (uint32_t i = 0; i < module->loaded->ptx->function_count; i++) *count += is_entry(module->loaded, i);
    return CUDA_SUCCESS;
}

CUresult emu_cuModuleEnumerateFunctions(CUfunction *functions, unsigned int count, CUmodule module) {
    if (!functions) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(module, EMU_KIND_MODULE)) return CUDA_ERROR_INVALID_HANDLE;
    for (uint32_t i = 0; i < module->loaded->ptx->function_count && count; i++) {
        if (!is_entry(module->loaded, i)) continue;
        *functions = emu_function_get(module, &module->loaded->functions[i]);
        if (!*functions++) return CUDA_ERROR_OUT_OF_MEMORY;
        count--;
    }
    return CUDA_SUCCESS;
}

CUresult emu_cuModuleGetGlobal_v2(CUdeviceptr *address, size_t *bytes, CUmodule module, const char *name) {
    if (!name || (!address && !bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(module, EMU_KIND_MODULE)) return CUDA_ERROR_INVALID_HANDLE;
    uint64_t where;
    size_t size;
    if (!emu_module_global(module->loaded, name, &where, &size)) return CUDA_ERROR_NOT_FOUND;
    if (address) *address = where;
    if (bytes) *bytes = size;
    return CUDA_SUCCESS;
}
