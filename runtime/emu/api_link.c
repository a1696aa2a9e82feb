/* api_link: the linker. The emulated device executes PTX, so what comes out is PTX: the inputs as one module, their
 * bodies one behind the other under the first one's head. The line tables of all but the first are left out. */
#include "runtime/emu/api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/module.h"

struct CUlinkState_st {
    struct emu_logs logs; /* the program's buffers, alive as long as the state is */
    char *text;           /* so far */
    size_t bytes;
    double version; /* the newest of all inputs */
    bool complete;
};

CUresult emu_cuLinkCreate_v2(unsigned int count, CUjit_option *options, void **values, CUlinkState *state) {
    if (!state) return CUDA_ERROR_INVALID_VALUE;
    struct emu_logs logs;
    CUresult result = emu_logs_read(&logs, count, options, values);
    if (result) return result;
    struct CUlinkState_st *fresh = wl_realloc(NULL, sizeof *fresh);
    if (!fresh) return CUDA_ERROR_OUT_OF_MEMORY;
    *fresh = (struct CUlinkState_st){.logs = logs};
    if (!emu_handle_add(fresh, EMU_KIND_LINK)) {
        wl_free(fresh);
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *state = fresh;
    return CUDA_SUCCESS;
}

CUresult emu_cuLinkDestroy(CUlinkState state) {
    if (!emu_handle_is(state, EMU_KIND_LINK)) return CUDA_ERROR_INVALID_HANDLE;
    emu_handle_remove(state);
    wl_free(state->text);
    wl_free(state);
    return CUDA_SUCCESS;
}

/* ---- joining ---- */

static bool starts(const char *line, const char *word) {
    line += strspn(line, " \t");
    size_t n = strlen(word);
    return !strncmp(line, word, n) && strchr(" \t", line[n]) && line[n];
}

/* What a second module must not bring along: its head, and line tables, whose file numbers are taken. */
static bool left_out(const char *line) {
    static const char *const words[] = {".version", ".target", ".address_size", ".file", ".loc"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (starts(line, words[i])) return true;
    return false;
}

static double version_of(const char *ptx) {
    const char *at = strstr(ptx, ".version");
    return at ? strtod(at + 8, NULL) : 0;
}

/* Raises the number behind the first .version, which has room: "8.0" and "9.3" are as long, "10.0" is not. */
static void raise_version(struct CUlinkState_st *state) {
    char *at = strstr(state->text, ".version"), wanted[16], *end;
    at += 8 + strspn(at + 8, " \t");
    strtod(at, &end);
    if (snprintf(wanted, sizeof wanted, "%.1f", state->version) == end - at) memcpy(at, wanted, (size_t)(end - at));
}

static bool append(struct CUlinkState_st *state, const char *ptx) {
    bool first = !state->text;
    size_t length = strlen(ptx);
    char *text = wl_realloc(state->text, state->bytes + length + 2);
    if (!text) return false;
    state->text = text;
    for (const char *line = ptx, *next; *line; line = next) {
        size_t n = strcspn(line, "\n");
        next = line + n + (line[n] == '\n');
        if (!first && left_out(line)) continue;
        memcpy(text + state->bytes, line, (size_t)(next - line));
        state->bytes += (size_t)(next - line);
    }
    text[state->bytes++] = '\n';
    text[state->bytes] = '\0';
    double version = version_of(ptx);
    if (version > state->version) state->version = version;
    return true;
}

/* Errors are found where a text is added, as the real linker finds them; only in one that waits for another's names,
 * what parses may still prove wrong at the end. */
static CUresult check_text(const char *ptx, struct emu_logs *logs) {
    struct ptx_error error = {0};
    struct emu_module *trial = emu_module_load(emu_driver.device, ptx, strlen(ptx), &error);
    emu_module_unload(trial);
    if (trial) return CUDA_SUCCESS;
    struct ptx_error in_text = {0};
    struct ptx_module *parsed = strstr(ptx, ".extern") ? ptx_parse(ptx, strlen(ptx), &in_text) : NULL;
    if (!parsed) return emu_logs_ptx_error(logs, in_text.line ? &in_text : &error);
    wl_arena_destroy(parsed->arena);
    return CUDA_SUCCESS;
}

static CUresult add(struct CUlinkState_st *state, const void *image, struct emu_logs *logs) {
    char *ptx = NULL;
    CUresult result = emu_image_text(&ptx, image, logs);
    if (!result) result = check_text(ptx, logs);
    if (!result && !append(state, ptx)) result = CUDA_ERROR_OUT_OF_MEMORY;
    wl_free(ptx);
    return result;
}

CUresult emu_cuLinkAddData_v2(CUlinkState state, CUjitInputType type, void *data, size_t size, const char *name,
                              unsigned int count, CUjit_option *options, void **values) {
    if (!emu_handle_is(state, EMU_KIND_LINK)) return CUDA_ERROR_INVALID_HANDLE;
    if (!data || !size || type < CU_JIT_INPUT_CUBIN || type > CU_JIT_INPUT_LIBRARY || state->complete)
        return CUDA_ERROR_INVALID_VALUE;
    struct emu_logs own;
    CUresult result = emu_logs_read(&own, count, options, values);
    if (result) return result;
    struct emu_logs *logs = own.error.buffer ? &own : &state->logs;
    if (type == CU_JIT_INPUT_OBJECT || type == CU_JIT_INPUT_LIBRARY || type == CU_JIT_INPUT_CUBIN) {
        char said[256];
        snprintf(said, sizeof said, "%s: machine code cannot be linked: the emulated device executes PTX only",
                 name ? name : "an input");
        result = emu_logs_fail(logs, CUDA_ERROR_NO_BINARY_FOR_GPU, said);
    } else {
        char *copy = wl_realloc(NULL, size + 16); /* text may end at size, without a zero */
        if (!copy) return CUDA_ERROR_OUT_OF_MEMORY;
        memcpy(copy, data, size);
        memset(copy + size, 0, 16);
        result = add(state, copy, logs);
        wl_free(copy);
    }
    emu_logs_finish(&own);
    return result;
}

CUresult emu_cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, unsigned int count,
                              CUjit_option *options, void **values) {
    if (!emu_handle_is(state, EMU_KIND_LINK)) return CUDA_ERROR_INVALID_HANDLE;
    if (!path) return CUDA_ERROR_INVALID_VALUE;
    CUresult result;
    char *image = emu_file_read(path, &result);
    if (!image) return result;
    FILE *file = fopen(path, "rb"); /* its size: an image may hold zeros */
    long bytes = file && !fseek(file, 0, SEEK_END) ? ftell(file) : 0;
    if (file) fclose(file);
    result = emu_cuLinkAddData_v2(state, type, image, bytes > 0 ? (size_t)bytes : 0, path, count, options, values);
    wl_free(image);
    return result;
}

CUresult emu_cuLinkComplete(CUlinkState state, void **image, size_t *bytes) {
    if (!image) return CUDA_ERROR_INVALID_VALUE;
    if (!emu_handle_is(state, EMU_KIND_LINK)) return CUDA_ERROR_INVALID_HANDLE;
    if (!state->text) return CUDA_ERROR_INVALID_VALUE;
    raise_version(state);
    struct ptx_error error = {0};
    struct emu_module *trial = emu_module_load(emu_driver.device, state->text, state->bytes, &error);
    CUresult result = trial ? CUDA_SUCCESS : emu_logs_ptx_error(&state->logs, &error);
    emu_module_unload(trial);
    emu_logs_finish(&state->logs);
    if (result) return result;
    state->complete = true;
    *image = state->text;
    if (bytes) *bytes = state->bytes + 1;
    return CUDA_SUCCESS;
}
