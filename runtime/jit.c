/* jit: see jit.h. */
#include "runtime/jit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"

#define LOG_BYTES   8192
#define QUOTE_BYTES 200

/* ---- the log ---- */

/* The first PTX line that a log names: "ptxas application ptx input, line 12; error : ..." of the real
 * driver, "12:5: ..." of the emulated one. 0: none. */
static int line_in_log(const char *log) {
    unsigned int line, column;
    char colon;
    const char *place = strstr(log, ", line ");
    if (place && sscanf(place + 7, "%u", &line) == 1) return (int)line;
    if (sscanf(log, "%u:%u%c", &line, &column, &colon) == 3 && colon == ':') return (int)line;
    return 0;
}

/* Line number `line` of a text without its indentation, cut to fit; "" where there is none. */
static void quote_line(const char *text, int line, char out[QUOTE_BYTES]) {
    out[0] = '\0';
    for (int i = 1; text && i < line; i++) {
        text = strchr(text, '\n');
        if (text) text++;
    }
    if (!text || line < 1) return;
    text += strspn(text, " \t");
    snprintf(out, QUOTE_BYTES, "%.*s", (int)strcspn(text, "\r\n"), text);
}

/* "8.0" of ".version 8.0": what a PTX text asks of a driver. */
static void version_of(const char *ptx, char out[16]) {
    const char *directive = ptx ? strstr(ptx, ".version ") : NULL;
    out[0] = '\0';
    if (directive) sscanf(directive, ".version %15[0-9.]", out);
}

/* The log's first line goes with the error, after the file and line; then the PTX line; then the rest of the
 * log. */
static enum wl_status load_failed(const struct wl_driver *driver, CUresult result, const char *ptx,
                                  const char *name, char *log, struct wl_error *error) {
    const char *error_name = NULL;
    driver->fn.cuGetErrorName(result, &error_name);
    char quote[QUOTE_BYTES], version[16];
    if (result == CUDA_ERROR_OUT_OF_MEMORY)
        return wl_driver_check(driver, result, "cuModuleLoadDataEx", error);
    if (result == CUDA_ERROR_UNSUPPORTED_PTX_VERSION) {
        version_of(ptx, version);
        return wl_fail(error, WL_ERR_ENVIRONMENT, name, 0, NULL,
                       "cuModuleLoadDataEx: %s (%d): the kernel is PTX %s, which a driver for CUDA %d.%d "
                       "does not know: it "
                       "needs a newer driver, or ptxas to assemble it",
                       error_name ? error_name : "unknown error", result, version, driver->version / 1000,
                       driver->version % 1000 / 10);
    }
    int line = line_in_log(log);
    quote_line(ptx, line, quote);
    char *rest = strchr(log, '\n');
    if (rest) *rest++ = '\0';
    return wl_fail(error, WL_ERR_DRIVER, name, line, NULL, "cuModuleLoadDataEx: %s (%d): %s%s%s%s%s",
                   error_name ? error_name : "unknown error", result, log[0] ? log : "the driver gave no log",
                   quote[0] ? "\n    " : "", quote, rest && *rest ? "\n" : "", rest ? rest : "");
}

/* ---- loading ---- */

static enum wl_status load_module(struct wl_kernel *kernel, const char *image, bool is_ptx, const char *name,
                                  struct wl_error *error) {
    char *log = wl_realloc(NULL, LOG_BYTES);
    if (!log) return wl_fail(error, WL_ERR_NO_MEMORY, name, 0, NULL, "no memory for the driver's log");
    log[0] = '\0';
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_GENERATE_LINE_INFO};
    void *values[] = {log, (void *)(uintptr_t)(LOG_BYTES - 1), (void *)(uintptr_t)1};
    CUresult result = kernel->driver->fn.cuModuleLoadDataEx(&kernel->module, image, 3, options, values);
    log[LOG_BYTES - 1] = '\0';
    enum wl_status status = WL_OK;
    if (result) {
        kernel->module = NULL;
        status = load_failed(kernel->driver, result, is_ptx ? image : NULL, name, log, error);
    }
    wl_free(log);
    return status;
}

static enum wl_status find_function(struct wl_kernel *kernel, const char *name, struct wl_error *error) {
    const struct wl_driver *driver = kernel->driver;
    CUresult result = driver->fn.cuModuleGetFunction(&kernel->function, kernel->module, kernel->launch.entry);
    if (result == CUDA_ERROR_NOT_FOUND)
        return wl_fail(error, WL_ERR_INPUT, name, 0, NULL, "the image has no entry %s", kernel->launch.entry);
    enum wl_status status = wl_driver_check(driver, result, "cuModuleGetFunction", error);
    const struct {
        CUfunction_attribute attribute;
        int *value;
    } rows[] = {{CU_FUNC_ATTRIBUTE_NUM_REGS, &kernel->registers},
                {CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES, &kernel->local_bytes},
                {CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES, &kernel->static_smem_bytes}};
    for (size_t i = 0; !status && i < sizeof rows / sizeof *rows; i++) {
        result = driver->fn.cuFuncGetAttribute(rows[i].value, rows[i].attribute, kernel->function);
        status = wl_driver_check(driver, result, "cuFuncGetAttribute", error);
    }
    return status;
}

static enum wl_status allow_smem(struct wl_kernel *kernel, const char *name, struct wl_error *error) {
    const struct wl_driver *driver = kernel->driver;
    int wanted = (int)kernel->launch.smem_bytes, most = driver->smem_per_block - kernel->static_smem_bytes;
    if (kernel->launch.smem_bytes > (uint32_t)(most > 0 ? most : 0))
        return wl_fail(error, WL_ERR_FIT, name, 0, NULL,
                       "%s needs %u bytes of dynamic shared memory, %s has %d left", kernel->launch.entry,
                       kernel->launch.smem_bytes, driver->name, most);
    CUresult result = driver->fn.cuFuncSetAttribute(kernel->function,
                                                    CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, wanted);
    enum wl_status status =
        wl_driver_check(driver, result, "cuFuncSetAttribute of dynamic shared memory", error);
    if (!status && kernel->launch.cluster > 8) { /* more than every device promises */
        result = driver->fn.cuFuncSetAttribute(kernel->function,
                                               CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1);
        status = wl_driver_check(driver, result, "cuFuncSetAttribute of the cluster size", error);
    }
    return status;
}

/* How many clusters the device holds at once: asked here, since a launch may not ask. */
static enum wl_status count_resident(struct wl_kernel *kernel, const char *name, struct wl_error *error) {
    const struct wl_driver *driver = kernel->driver;
    const struct wl_launch *launch = &kernel->launch;
    CUlaunchAttribute attribute = {.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                                   .value.clusterDim = {.x = launch->cluster, .y = 1, .z = 1}};
    CUlaunchConfig config = {launch->cluster, 1, 1, launch->threads, 1, 1, launch->smem_bytes, NULL,
                             &attribute,      1};
    int count = 0;
    CUresult result;
    const char *call;
    if (launch->cluster > 1) {
        call = "cuOccupancyMaxActiveClusters";
        result = driver->fn.cuOccupancyMaxActiveClusters(&count, kernel->function, &config);
    } else {
        call = "cuOccupancyMaxActiveBlocksPerMultiprocessor";
        result = driver->fn.cuOccupancyMaxActiveBlocksPerMultiprocessor(
            &count, kernel->function, (int)launch->threads, launch->smem_bytes);
    }
    kernel->resident = (int64_t)count * (launch->cluster > 1 ? 1 : driver->sms);
    enum wl_status status = wl_driver_check(driver, result, call, error);
    if (status || kernel->resident > 0) return status;
    return wl_fail(error, WL_ERR_FIT, name, 0, NULL,
                   "%s: not one cluster of %u blocks with %u threads, %d registers a thread and %u bytes of "
                   "shared memory fits on %s",
                   launch->entry, launch->cluster, launch->threads, kernel->registers, launch->smem_bytes,
                   driver->name);
}

enum wl_status wl_jit_load(struct wl_kernel *kernel, struct wl_driver *driver, const void *image,
                           size_t bytes, const char *name, const struct wl_launch *launch,
                           struct wl_error *error) {
    *kernel = (struct wl_kernel){.driver = driver, .launch = *launch};
    if (!wl_driver_can_run(driver->cc_major, driver->cc_minor, launch->target))
        return wl_fail(error, WL_ERR_ENVIRONMENT, name, 0, NULL,
                       "the kernel is for %s; %s has compute capability %d.%d", launch->target, driver->name,
                       driver->cc_major, driver->cc_minor);
    bool is_ptx = bytes < 4 || memcmp(image,
                                      "\x7f"
                                      "ELF",
                                      4) != 0;
    char *copy = wl_realloc(NULL, bytes + 1); /* the driver wants text to be terminated */
    if (!copy) return wl_fail(error, WL_ERR_NO_MEMORY, name, 0, NULL, "no memory for a copy of the image");
    memcpy(copy, image, bytes);
    copy[bytes] = '\0';
    enum wl_status status = wl_driver_enter(driver, error);
    if (!status) {
        status = load_module(kernel, copy, is_ptx, name, error);
        if (!status) status = find_function(kernel, name, error);
        if (!status) status = allow_smem(kernel, name, error);
        if (!status && launch->grid == WL_GRID_PERSISTENT) status = count_resident(kernel, name, error);
        if (status && kernel->module) driver->fn.cuModuleUnload(kernel->module);
        wl_driver_leave(driver);
    }
    if (status) *kernel = (struct wl_kernel){0};
    wl_free(copy);
    return status;
}

void wl_jit_unload(struct wl_kernel *kernel) {
    if (kernel->module && !wl_driver_enter(kernel->driver, NULL)) {
        kernel->driver->fn.cuModuleUnload(kernel->module);
        wl_driver_leave(kernel->driver);
    }
    *kernel = (struct wl_kernel){0};
}
