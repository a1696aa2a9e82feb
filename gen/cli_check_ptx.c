/* cli_check_ptx: one entry of a PTX text: what its declaration says, and one launch of it. */
#include "gen/cli_check.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "gen/arena.h"
#include "runtime/driver.h"

#define DEFAULT_BLOCK 128

/* ---- the declaration ---- */

static bool ends_word(char c) { return !isalnum((unsigned char)c) && c != '_' && c != '$' && c != '%' && c != '.'; }

/* Past blanks and comments. */
static const char *skip(const char *p) {
    for (;;) {
        p += strspn(p, " \t\r\n");
        if (p[0] == '/' && p[1] == '/') p += strcspn(p, "\n");
        else if (p[0] == '/' && p[1] == '*') p = strstr(p, "*/") ? strstr(p, "*/") + 2 : p + strlen(p);
        else return p;
    }
}

/* The name behind the next .entry, from p on; NULL: no more. Comments are not entries. */
static const char *next_entry(const char *p, char *name, size_t room) {
    for (; *(p = skip(p)); p++) {
        if (strncmp(p, ".entry", 6) || !ends_word(p[6])) continue;
        p = skip(p + 6);
        size_t n = 0;
        while (!ends_word(p[n])) n++;
        snprintf(name, room, "%.*s", (int)n, p);
        return p + n;
    }
    return NULL;
}

static int take_params(const char *p, char out[32][160]) {
    int count = 0;
    p = skip(p);
    if (*p != '(') return 0;
    for (p = skip(p + 1); *p && *p != ')' && count < 32; p = skip(p)) {
        size_t n = 0;
        while (*p && *p != ',' && *p != ')') { /* one declaration, blanks made one */
            if (isspace((unsigned char)*p)) {
                p = skip(p);
                if (*p != ',' && *p != ')' && n < 158) out[count][n++] = ' ';
                continue;
            }
            if (n < 158) out[count][n++] = *p;
            p++;
        }
        out[count++][n] = '\0';
        if (*p == ',') p++;
    }
    return count;
}

/* The three numbers of a directive between the entry's parameters and its body. */
static bool directive(const char *from, const char *word, unsigned int out[3]) {
    const char *end = strchr(from, '{'), *at = strstr(from, word);
    if (!at || (end && at > end) || !ends_word(at[strlen(word)])) return false;
    out[0] = out[1] = out[2] = 1;
    return sscanf(at + strlen(word), "%u , %u , %u", &out[0], &out[1], &out[2]) >= 1 && out[0] && out[1] && out[2];
}

static enum wl_status take_size(const char *option, const char *text, unsigned int out[3], struct wl_error *error) {
    int64_t numbers[3] = {1, 1, 1};
    int count;
    enum wl_status status = wl_cli_numbers(option, text, numbers, 3, &count, error);
    for (int i = 0; i < 3; i++) out[i] = i < 3 ? (unsigned int)numbers[i] : 1;
    for (int i = count; i < 3; i++) out[i] = 1;
    return status;
}

static enum wl_status choose_entry(struct wl_check_kernel *k, const char *wanted, const char **declaration,
                                   struct wl_error *error) {
    char name[256], names[512] = "";
    int count = 0;
    *declaration = NULL;
    for (const char *p = k->ptx; (p = next_entry(p, name, sizeof name)); count++) {
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", name);
        if (wanted ? strcmp(wanted, name) != 0 : count > 0) continue;
        *declaration = p;
        snprintf(k->entry, sizeof k->entry, "%s", name);
    }
    if (!count) return wl_fail(error, WL_ERR_INPUT, k->path, 0, NULL, "there is no .entry in it: no PTX, or no kernel");
    if (!wanted && count > 1)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--entry", "is missing: %s has %s", k->path, names);
    if (!*declaration)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--entry", "%s has no entry \"%s\"; it has %s", k->path, wanted, names);
    return WL_OK;
}

enum wl_status wl_check_kernel(struct wl_check_kernel *k, const struct wl_check_values *v, struct wl_error *error) {
    const char *declaration, *target = strstr(k->ptx, ".target");
    enum wl_status status = choose_entry(k, v->entry, &declaration, error);
    if (status) return status;
    if (target) sscanf(target, ".target %31[a-z0-9_]", k->target);
    k->param_count = take_params(declaration, k->params);
    if (!directive(declaration, ".reqntid", k->block) && !directive(declaration, ".maxntid", k->block)) {
        k->block[0] = DEFAULT_BLOCK;
        k->block[1] = k->block[2] = 1;
    }
    k->grid[0] = k->grid[1] = k->grid[2] = 1;
    unsigned int cluster[3];
    if (directive(declaration, ".reqnctapercluster", cluster)) memcpy(k->grid, cluster, sizeof cluster);
    if (v->grid) status = take_size("--grid", v->grid, k->grid, error);
    if (!status && v->block) status = take_size("--block", v->block, k->block, error);
    if (!status && v->cluster) status = take_size("--cluster", v->cluster, k->cluster, error);
    return status;
}

static const char *suggestion(const char *declaration) {
    if (strstr(declaration, "[128]")) return "map:bf16[64,128]:box=64,64:swizzle=128";
    if (strstr(declaration, "[8]")) return "f32[1024]=random (a buffer), or hex:0011223344556677";
    if (strchr(declaration, '[')) return "hex:00.. (two digits a byte)";
    if (strstr(declaration, "64 ")) return strstr(declaration, ".f64") ? "f64=1" : "f32[1024]=random (a buffer), or u64=1";
    if (strstr(declaration, ".f32")) return "f32=1";
    return strstr(declaration, "32 ") ? "u32=1" : strstr(declaration, "16 ") ? "u16=1" : "u8=1";
}

enum wl_status wl_check_list(const struct wl_check_kernel *kernel, struct wl_text *out) {
    char name[256], params[32][160];
    for (const char *p = kernel->ptx; (p = next_entry(p, name, sizeof name));) {
        int count = take_params(p, params);
        wl_text_printf(out, "%s%s\n", name, count ? "" : " (no parameters)");
        for (int i = 0; i < count; i++) wl_text_printf(out, "  %2d  %-48s  --arg %s\n", i + 1, params[i], suggestion(params[i]));
    }
    return WL_OK;
}

/* ---- a launch ---- */

static enum wl_status load(struct wl_driver *d, const struct wl_check_kernel *k, CUfunction *function,
                           struct wl_error *error) {
    char log[2048] = "";
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
    void *values[] = {log, (void *)sizeof log};
    CUmodule module;
    CUresult result = d->fn.cuModuleLoadDataEx(&module, k->ptx, 2, options, values);
    log[strcspn(log, "\n")] = '\0';
    if (result == CUDA_ERROR_OUT_OF_MEMORY) return wl_driver_check(d, result, "cuModuleLoadDataEx", error);
    if (result) {
        int line = 0, taken = 0; /* "line:column: text" */
        if (sscanf(log, "%d:%*d: %n", &line, &taken) < 1) taken = 0;
        return wl_fail(error, WL_ERR_INPUT, k->path, line, NULL, "%s", log + taken);
    }
    return wl_driver_check(d, d->fn.cuModuleGetFunction(function, module, k->entry), "cuModuleGetFunction", error);
}

static enum wl_status make_args(struct wl_driver *d, const struct wl_check_kernel *k, const struct wl_check_values *v,
                                CUfunction function, struct wl_check_arg *args, void **pointers, struct wl_error *error) {
    CUresult (*info)(CUfunction, size_t, size_t *, size_t *);
    void *symbol = wl_driver_symbol(d, "cuFuncGetParamInfo");
    memcpy(&info, &symbol, sizeof symbol);
    for (int i = 0; i < k->param_count; i++) {
        size_t offset, size;
        if (i >= v->args.count)
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--arg",
                           "entry %s has %d parameter%s, %d %s given; the next is \"%s\": --arg %s (--list shows all)", k->entry,
                           k->param_count, k->param_count == 1 ? "" : "s", v->args.count,
                           v->args.count == 1 ? "is" : "are", k->params[i], suggestion(k->params[i]));
        enum wl_status status = wl_driver_check(d, info(function, (size_t)i, &offset, &size), "cuFuncGetParamInfo", error);
        if (!status) status = wl_check_arg(&args[i], v->args.at[i], size, d, error);
        if (status) return status;
        pointers[i] = args[i].bytes;
    }
    if (v->args.count > k->param_count)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--arg", "entry %s has %d parameters, %d are given", k->entry,
                       k->param_count, v->args.count);
    return WL_OK;
}

static enum wl_status refused(const struct wl_driver *d, CUresult result, const struct wl_check_kernel *k,
                              const struct wl_check_values *v, struct wl_error *error) {
    const char *name = "an error";
    d->fn.cuGetErrorName(result, &name);
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL,
                   "the launch is refused (%s): grid %u,%u,%u block %u,%u,%u cluster %u,%u,%u with %lld bytes of dynamic "
                   "shared memory do not fit entry %s or the device",
                   name, k->grid[0], k->grid[1], k->grid[2], k->block[0], k->block[1], k->block[2], k->cluster[0],
                   k->cluster[1], k->cluster[2], (long long)v->smem, k->entry);
}

static enum wl_status launch(struct wl_driver *d, const struct wl_check_kernel *k, const struct wl_check_values *v,
                             CUfunction function, void **pointers, struct wl_error *error) {
    CUlaunchAttribute cluster = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION};
    memcpy(&cluster.value.clusterDim, k->cluster, sizeof k->cluster);
    CUlaunchConfig config = {.gridDimX = k->grid[0], .gridDimY = k->grid[1], .gridDimZ = k->grid[2],
                             .blockDimX = k->block[0], .blockDimY = k->block[1], .blockDimZ = k->block[2],
                             .sharedMemBytes = (unsigned int)v->smem, .attrs = &cluster,
                             .numAttrs = k->cluster[0] ? 1 : 0};
    if (v->smem) {
        CUresult result =
            d->fn.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)v->smem);
        if (result) return refused(d, result, k, v, error);
    }
    d->fn.cuFuncSetAttribute(function, CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1);
    CUresult result = d->fn.cuLaunchKernelEx(&config, function, pointers, NULL);
    return result ? refused(d, result, k, v, error) : WL_OK;
}

static enum wl_status hash_buffers(struct wl_driver *d, const struct wl_check_arg *args, int count, uint64_t hashes[32],
                                   struct wl_error *error) {
    enum wl_status status = WL_OK;
    for (int i = 0; i < count && !status; i++) {
        if (!args[i].buffer) continue;
        void *bytes = wl_realloc(NULL, args[i].buffer_bytes);
        if (!bytes) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory to read a buffer");
        status = wl_driver_download(d, bytes, args[i].buffer, args[i].buffer_bytes, error);
        if (!status) hashes[i] = XXH3_64bits(bytes, args[i].buffer_bytes);
        wl_free(bytes);
    }
    return status;
}

enum wl_status wl_check_launch(const struct wl_check_kernel *k, const struct wl_check_values *v, uint64_t hashes[32],
                               struct wl_error *error) {
    struct wl_driver *d;
    CUfunction function;
    static struct wl_check_arg args[32];
    void *pointers[33] = {0};
    memset(hashes, 0, 32 * sizeof *hashes);
    enum wl_status status = wl_driver_open(&d, "emu", k->target[0] ? k->target : NULL, error);
    if (status) return status;
    status = wl_driver_enter(d, error);
    if (!status) status = load(d, k, &function, error);
    if (!status) status = make_args(d, k, v, function, args, pointers, error);
    if (!status) status = launch(d, k, v, function, pointers, error);
    if (!status && d->fn.cuCtxSynchronize()) return WL_OK; /* it failed: the report says how */
    if (!status) status = hash_buffers(d, args, k->param_count, hashes, error);
    return status; /* a process of its own: its end frees all */
}
