/* image: see image.h. */
#include "runtime/image.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "gen/emit.h"
#include "gen/plan.h"
#include "gen/ptxas.h"

#define LOG_BYTES 4096

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void wl_image_fini(struct wl_image *image) {
    wl_free(image->ptx);
    wl_free(image->cubin);
    *image = (struct wl_image){0};
}

static enum wl_status generate(struct wl_image *image, const struct wl_choice *choice,
                               struct wl_error *error) {
    const struct wl_problem *p = choice->problem;
    const struct wl_specialization special = {p->head_dim, (int)p->dtype, p->causal};
    struct wl_schedule schedule;
    struct wl_text ptx = {0};
    double start = now_ms();
    struct wl_plan *plan = wl_realloc(NULL, sizeof *plan);
    if (!plan) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a plan");
    enum wl_status status = wl_choose_schedule(&schedule, choice, NULL, error);
    if (!status) status = wl_plan_make(plan, &schedule, &special, error);
    if (!status) status = wl_emit(plan, &ptx, error);
    if (!status) {
        image->launch = plan->launch;
        snprintf(image->schedule, sizeof image->schedule, "%s", schedule.source);
        image->ptx = ptx.bytes;
        image->ptx_bytes = ptx.length;
    } else wl_text_fini(&ptx);
    wl_free(plan);
    image->generate_ms = now_ms() - start;
    return status;
}

/* ---- the driver's own assembler, for machines without ptxas ---- */

struct linker { /* not all drivers have it: the emulated one does not */
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

/* The linker's cubin lives until it is destroyed. */
static enum wl_status link_with(const struct linker *linker, struct wl_image *image,
                                const struct wl_driver *driver, char *log, struct wl_error *error) {
    CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
                              CU_JIT_GENERATE_LINE_INFO};
    void *values[] = {log, (void *)(uintptr_t)(LOG_BYTES - 1), (void *)(uintptr_t)1};
    CUlinkState state = NULL;
    void *cubin = NULL;
    size_t bytes = 0;
    const char *call = "cuLinkCreate";
    CUresult result = linker->create(3, options, values, &state);
    if (!result) {
        call = "cuLinkAddData";
        result = linker->add(state, CU_JIT_INPUT_PTX, image->ptx, image->ptx_bytes + 1, image->launch.entry,
                             0, NULL, NULL);
    }
    if (!result) result = linker->complete(state, &cubin, &bytes), call = "cuLinkComplete";
    enum wl_status status = wl_driver_check(driver, result, call, error);
    if (!status && !(image->cubin = wl_realloc(NULL, bytes)))
        status = wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a cubin of %zu bytes", bytes);
    if (!status) {
        memcpy(image->cubin, cubin, bytes);
        image->cubin_bytes = bytes;
    }
    if (state) linker->destroy(state);
    return status;
}

static enum wl_status assemble_by_driver(struct wl_image *image, const struct wl_driver *driver,
                                         struct wl_error *error) {
    struct linker linker;
    char log[LOG_BYTES] = "";
    if (!find_linker(&linker, driver))
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "the driver has no linker");
    enum wl_status status = wl_driver_enter(driver, error);
    if (status) return status;
    status = link_with(&linker, image, driver, log, error);
    wl_driver_leave(driver);
    return status;
}

/* ---- the way to a cubin ---- */

static enum wl_status assemble(struct wl_image *image, const struct wl_driver *driver,
                               const struct wl_log *log, struct wl_error *error) {
    struct wl_ptxas_report report;
    struct wl_error why = {0};
    enum wl_status status = wl_ptxas_run(image->ptx, image->ptx_bytes, image->launch.target, &report, &why);
    if (!status) {
        image->cubin = report.cubin;
        image->cubin_bytes = report.cubin_bytes;
        report.cubin = NULL;
    }
    wl_ptxas_fini(&report);
    if (!status) return WL_OK;
    if (status != WL_ERR_ENVIRONMENT && status != WL_ERR_IO)
        return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    wl_log_line(log, WL_LOG_DEBUG, "no ptxas: %s; the driver assembles", why.text);
    why = (struct wl_error){0};
    status = assemble_by_driver(image, driver, &why);
    if (status == WL_ERR_NO_MEMORY) return wl_fail(error, status, NULL, 0, NULL, "%s", why.text);
    if (status) wl_log_line(log, WL_LOG_INFO, "the driver is given PTX: %s", why.text);
    return WL_OK;
}

enum wl_status wl_image_build(struct wl_image *image, const struct wl_choice *choice,
                              const struct wl_driver *driver, const struct wl_log *log,
                              struct wl_error *error) {
    *image = (struct wl_image){0};
    enum wl_status status = generate(image, choice, error);
    double start = now_ms();
    if (!status && !driver->emulated) status = assemble(image, driver, log, error);
    image->assemble_ms = now_ms() - start;
    if (status) wl_image_fini(image);
    return status;
}
