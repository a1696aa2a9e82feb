/* assemble: see assemble.h. */
#include "runtime/assemble.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "gen/nvjitlink.h"

#define LOG_BYTES 4096

struct job {
    const char *ptx;
    size_t bytes;
    const char *target;
    const struct wl_driver *driver; /* may be NULL */
};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

/* ---- the driver's linker ---- */

struct linker {
    CUresult (*create)(unsigned int, CUjit_option *, void **, CUlinkState *);
    CUresult (*add)(CUlinkState, CUjitInputType, void *, size_t, const char *, unsigned int, CUjit_option *,
                    void **);
    CUresult (*complete)(CUlinkState, void **, size_t *);
    CUresult (*destroy)(CUlinkState);
};

static bool find_linker(struct linker *linker, const struct wl_driver *driver) {
    void *entries[] = {wl_driver_symbol(driver, "cuLinkCreate_v2"),
                       wl_driver_symbol(driver, "cuLinkAddData_v2"),
                       wl_driver_symbol(driver, "cuLinkComplete"), wl_driver_symbol(driver, "cuLinkDestroy")};
    _Static_assert(sizeof entries == sizeof *linker, "one entry each");
    memcpy(linker, entries, sizeof entries);
    return entries[0] && entries[1] && entries[2] && entries[3];
}

/* "sm_90a" as CU_JIT_TARGET takes it: 90 and the bit of the architecture's own instructions, or of its
 * family's. */
static uintptr_t jit_target(const char *target) {
    char *end;
    uintptr_t number = (uintptr_t)strtoul(target + 3, &end, 10);
    return number + (*end == 'a' ? 0x10000 : *end == 'f' ? 0x20000 : 0);
}

/* The linker's cubin lives until it is destroyed. */
static enum wl_status link_with(const struct linker *linker, const struct job *job, char logs[2][LOG_BYTES],
                                struct wl_ptxas_report *report, struct wl_error *error) {
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER,
                              CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_INFO_LOG_BUFFER,
                              CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_GENERATE_LINE_INFO,
                              CU_JIT_LOG_VERBOSE,
                              CU_JIT_TARGET};
    void *size = (void *)(uintptr_t)(LOG_BYTES - 1), *yes = (void *)(uintptr_t)1;
    void *values[] = {logs[0], size, logs[1], size, yes, yes, (void *)jit_target(job->target)};
    CUlinkState state = NULL;
    void *cubin = NULL;
    const char *call = "cuLinkCreate";
    CUresult result = linker->create(sizeof options / sizeof *options, options, values, &state);
    if (!result) {
        call = "cuLinkAddData";
        result = linker->add(state, CU_JIT_INPUT_PTX, (void *)job->ptx, job->bytes + 1, "kernel.ptx", 0, NULL,
                             NULL);
    }
    if (!result) result = linker->complete(state, &cubin, &report->cubin_bytes), call = "cuLinkComplete";
    enum wl_status status = wl_driver_check(job->driver, result, call, error);
    if (!status && !(report->cubin = wl_realloc(NULL, report->cubin_bytes)))
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a cubin of %zu bytes",
                         report->cubin_bytes);
    if (!status) memcpy(report->cubin, cubin, report->cubin_bytes);
    if (state) linker->destroy(state);
    return status;
}

static enum wl_status link_by(const struct job *job, struct wl_ptxas_report *report, struct wl_error *error) {
    struct linker linker;
    char logs[2][LOG_BYTES] = {"", ""};
    if (!find_linker(&linker, job->driver))
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "the driver has no linker");
    double start = now_ms();
    enum wl_status status = wl_driver_enter(job->driver, error);
    if (status) return status;
    status = link_with(&linker, job, logs, report, error);
    wl_driver_leave(job->driver);
    report->ms = now_ms() - start;
    snprintf(report->version, sizeof report->version, "%d.%d", job->driver->version / 1000,
             job->driver->version % 1000 / 10);
    if (!status) wl_ptxas_scan(logs[1], report);
    return status == WL_ERR_DRIVER ? WL_ERR_ENVIRONMENT
                                   : status; /* one that is too old for the target, mostly */
}

static enum wl_status by_driver(const struct job *job, struct wl_ptxas_report *report,
                                struct wl_error *error) {
    struct job own = *job;
    struct wl_driver *opened = NULL;
    *report = (struct wl_ptxas_report){.tool = "the driver's linker"};
    enum wl_status status = own.driver ? WL_OK : wl_driver_open(&opened, "cuda:0", NULL, error);
    if (status) return status;
    if (opened) own.driver = opened;
    status = link_by(&own, report, error);
    wl_driver_close(opened);
    return status;
}

/* ---- the others ---- */

static enum wl_status by_ptxas(const struct job *job, struct wl_ptxas_report *report,
                               struct wl_error *error) {
    return wl_ptxas_run(job->ptx, job->bytes, job->target, report, error);
}

static enum wl_status by_nvjitlink(const struct job *job, struct wl_ptxas_report *report,
                                   struct wl_error *error) {
    return wl_nvjitlink_run(job->ptx, job->bytes, job->target, report, error);
}

static const struct assembler {
    const char *name;
    enum wl_status (*run)(const struct job *job, struct wl_ptxas_report *report, struct wl_error *error);
    bool links;
} assemblers[] = {{"ptxas", by_ptxas, false}, {"driver", by_driver, true}, {"nvjitlink", by_nvjitlink, true}};
enum { COUNT = sizeof assemblers / sizeof *assemblers };

static enum wl_status chosen(const struct assembler **only, bool *none, struct wl_error *error) {
    const char *wanted = getenv("WARPLOOM_ASSEMBLER");
    *only = NULL;
    *none = false;
    if (!wanted || !*wanted) return WL_OK;
    if (!strcmp(wanted, "none")) return *none = true, WL_OK;
    for (int i = 0; i < COUNT; i++)
        if (!strcmp(wanted, assemblers[i].name)) return *only = &assemblers[i], WL_OK;
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, "WARPLOOM_ASSEMBLER",
                   "\"%s\": must be ptxas, driver, nvjitlink or none", wanted);
}

enum wl_status wl_assemble(const char *ptx, size_t bytes, const char *target, const struct wl_driver *driver,
                           bool keep_setmaxnreg, struct wl_ptxas_report *report, struct wl_error *error) {
    const struct job job = {ptx, bytes, target, driver};
    const struct assembler *only;
    bool none, loses = keep_setmaxnreg && strstr(ptx, "setmaxnreg");
    char seen[1800] = "";
    size_t length = 0;
    *report = (struct wl_ptxas_report){0};
    enum wl_status status = chosen(&only, &none, error);
    if (status) return status;
    for (int i = 0; !none && i < COUNT; i++) {
        const struct assembler *a = &assemblers[i];
        struct wl_error why = {0};
        if (only ? a != only : a->links && loses) continue;
        status = a->run(&job, report, &why);
        if (status != WL_ERR_ENVIRONMENT && status != WL_ERR_IO)
            return status ? wl_fail(error, status, why.file, why.line, why.field, "%s", why.text) : WL_OK;
        if (length < sizeof seen)
            length += (size_t)snprintf(seen + length, sizeof seen - length, "%s%s: %.*s", length ? "; " : "",
                                       a->name, (int)strcspn(why.text, "\n"), why.text);
    }
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "nothing here can assemble%s: %s",
                   loses && !only ? " and keep setmaxnreg" : "", none ? "WARPLOOM_ASSEMBLER is none" : seen);
}
