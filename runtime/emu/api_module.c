/* api_module: modules. The emulated device executes PTX text; machine code is refused, saying so. */
#include "runtime/emu/api.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/module.h"

#define MAX_IMAGE_BYTES ((long)1 << 30)

/* The two logs that a program may ask for: where its buffers are and which option slots take the lengths. */
struct logs {
    struct log {
        char *buffer;
        size_t bytes, used;
        void **length; /* receives used */
    } info, error;
    bool verbose;
};

static void __attribute__((format(printf, 2, 3))) put(struct log *log, const char *format, ...) {
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
static CUresult read_options(struct logs *logs, unsigned int count, const CUjit_option *options,
                             void **values) {
    *logs = (struct logs){0};
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

static void finish_logs(struct logs *logs) {
    if (logs->info.length) *logs->info.length = (void *)logs->info.used;
    if (logs->error.length) *logs->error.length = (void *)logs->error.used;
}

/* What an image is that is no text; NULL: it may be PTX. */
static const char *machine_code(const char *image) {
    if (!strncmp(image,
                 "\x7f"
                 "ELF",
                 4))
        return "a cubin";
    if (!strncmp(image, "\x50\xed\x55\xba", 4)) return "a fatbin";
    if (!strncmp(image, "\xb1\x43\x62\x46", 4)) return "a fatbin"; /* its wrapper */
    return NULL;
}

static CUresult fail(struct logs *logs, CUresult result, const char *text) {
    put(&logs->error, "%s\n", text);
    emu_report_quietly(text);
    return result;
}

static void describe(struct logs *logs, const struct emu_module *loaded) {
    for (uint32_t i = 0; logs->verbose && i < loaded->ptx->function_count; i++) {
        const struct emu_function *fn = &loaded->functions[i];
        if (!fn->source || !fn->source->entry || !fn->code) continue;
        put(&logs->info,
            "emulated device: entry %s: at most %d registers, %u bytes shared, %d bytes local memory\n",
            fn->source->name, emu_function_registers(fn), fn->static_smem_bytes, emu_function_local(fn));
    }
}

static CUresult load(CUmodule *module, const char *image, struct logs *logs) {
    const char *other = machine_code(image);
    char text[512];
    if (other) {
        snprintf(text, sizeof text, "the image is %s; the emulated device executes PTX text only", other);
        return fail(logs, CUDA_ERROR_NO_BINARY_FOR_GPU, text);
    }
    if (!strstr(image, ".version"))
        return fail(logs, CUDA_ERROR_INVALID_IMAGE, "the image is no PTX text: it has no .version directive");
    struct CUmod_st *fresh = emu_object_create(EMU_KIND_MODULE, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    struct ptx_error error = {0};
    fresh->loaded = emu_module_load(emu_driver.device, image, strlen(image), &error);
    if (!fresh->loaded) {
        emu_object_destroy(&fresh->object);
        int place = error.line ? snprintf(text, sizeof text, "%u:%u: ", error.line, error.column) : 0;
        snprintf(text + place, sizeof text - (size_t)place, "%s", error.text);
        return fail(logs, CUDA_ERROR_INVALID_PTX, text);
    }
    describe(logs, fresh->loaded);
    *module = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int count,
                                CUjit_option *options, void **values) {
    if (!module || !image) return CUDA_ERROR_INVALID_VALUE;
    struct logs logs;
    CUresult result = read_options(&logs, count, options, values);
    if (!result) result = load(module, image, &logs);
    finish_logs(&logs);
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
    FILE *file = fopen(path, "rb");
    if (!file) return CUDA_ERROR_FILE_NOT_FOUND;
    long bytes = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    char *image = bytes >= 0 && bytes < MAX_IMAGE_BYTES ? wl_realloc(NULL, (size_t)bytes + 1) : NULL;
    CUresult result = CUDA_ERROR_INVALID_IMAGE;
    rewind(file);
    if (image && fread(image, 1, (size_t)bytes, file) == (size_t)bytes) {
        image[bytes] = '\0';
        result = emu_cuModuleLoadData(module, image);
    }
    wl_free(image);
    fclose(file);
    return result;
}

void emu_module_object_fini(struct emu_object *object) {
    struct CUmod_st *module = (struct CUmod_st *)object;
    for (struct CUfunc_st *function = module->functions, *next; function; function = next) {
        next = function->next;
        emu_handle_remove(function);
        wl_free(function);
    }
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

static struct CUfunc_st *add_function(struct CUmod_st *module, const struct emu_function *fn) {
    struct CUfunc_st *function = wl_realloc(NULL, sizeof *function);
    if (!function) return NULL;
    *function = (struct CUfunc_st){.module = module, .fn = fn, .carveout = -1, .next = module->functions};
    function->max_dynamic_smem = fn->static_smem_bytes < 49152 ? 49152 - (int)fn->static_smem_bytes : 0;
    memcpy(function->required_cluster, fn->source->reqnctapercluster, sizeof function->required_cluster);
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
    struct CUfunc_st *known = module->functions;
    while (known && known->fn != fn) known = known->next;
    if (!known) known = add_function(module, fn);
    if (!known) return CUDA_ERROR_OUT_OF_MEMORY;
    *function = known;
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
