/* image: see image.h. */
#include "runtime/image.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gen/arena.h"
#include "gen/emit.h"
#include "gen/plan.h"
#include "runtime/assemble.h"
#include "runtime/nvrtc.h"

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

enum wl_status wl_image_generate(struct wl_image *image, const struct wl_choice *choice,
                                 struct wl_error *error) {
    if (choice->auxiliary) return wl_nvrtc_generate(image, choice->auxiliary, choice->target, error);
    const struct wl_problem *p = choice->problem;
    const struct wl_specialization special = {p->head_dim, (int)p->dtype, p->causal,
                                              p->head_dim_v ? p->head_dim_v : p->head_dim};
    struct wl_schedule schedule;
    struct wl_text ptx = {0};
    double start = now_ms();
    *image = (struct wl_image){0};
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

/* The driver itself assembles the PTX that it is given, and keeps setmaxnreg, which linkers do not. */
enum wl_status wl_image_assemble(struct wl_image *image, const struct wl_driver *driver,
                                 const struct wl_log *log, struct wl_error *error) {
    struct wl_ptxas_report report;
    struct wl_error why = {0};
    double start = now_ms();
    enum wl_status status =
        wl_assemble(image->ptx, image->ptx_bytes, image->launch.target, driver, true, &report, &why);
    if (!status) {
        image->cubin = report.cubin;
        image->cubin_bytes = report.cubin_bytes;
        report.cubin = NULL;
    }
    wl_ptxas_fini(&report);
    image->assemble_ms = now_ms() - start;
    if (!status) return WL_OK;
    if (status != WL_ERR_ENVIRONMENT)
        return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    wl_log_line(log, WL_LOG_INFO, "the driver is given PTX: %s", why.text);
    return WL_OK;
}
