/* image: see image.h. */
#include "runtime/image.h"

#include <stdio.h>
#include <stdlib.h>
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

bool wl_image_lines(void) {
    const char *wanted = getenv("WARPLOOM_LINEINFO");
    return wanted && *wanted && strcmp(wanted, "0");
}

/* The PTX with its .loc lines blank: other lines keep their numbers. NULL: no memory. */
static char *without_loc(const char *ptx, size_t bytes) {
    char *out = wl_realloc(NULL, bytes + 1);
    if (!out) return NULL;
    memcpy(out, ptx, bytes + 1);
    for (char *line = out; *line;) {
        size_t length = strcspn(line, "\n"), indent = strspn(line, " \t");
        if (!strncmp(line + indent, ".loc ", 5)) memset(line, ' ', length);
        line += length + (line[length] == '\n');
    }
    return out;
}

/* What is refused is shown with the template's line, so it is assembled again as it is. */
enum wl_status wl_image_cubin(struct wl_image *image, const struct wl_driver *driver, bool keep_setmaxnreg,
                              struct wl_ptxas_report *report, struct wl_error *error) {
    struct wl_error why = {0};
    const char *target = image->launch.target;
    double start = now_ms();
    char *quick = wl_image_lines() ? NULL : without_loc(image->ptx, image->ptx_bytes);
    enum wl_status status = WL_ERR_INTERNAL;
    if (quick) status = wl_assemble(quick, image->ptx_bytes, target, driver, keep_setmaxnreg, report, &why);
    wl_free(quick);
    if (status == WL_ERR_INTERNAL) {
        why = (struct wl_error){0};
        status = wl_assemble(image->ptx, image->ptx_bytes, target, driver, keep_setmaxnreg, report, &why);
    }
    image->assemble_ms = now_ms() - start;
    image->cubin = report->cubin;
    image->cubin_bytes = report->cubin_bytes;
    report->cubin = NULL;
    return status ? wl_fail(error, status, why.file, why.line, why.field, "%s", why.text) : WL_OK;
}

/* The driver itself assembles the PTX that it is given, and keeps setmaxnreg, which linkers do not. */
enum wl_status wl_image_assemble(struct wl_image *image, const struct wl_driver *driver,
                                 const struct wl_log *log, struct wl_error *error) {
    struct wl_ptxas_report report;
    struct wl_error why = {0};
    enum wl_status status = wl_image_cubin(image, driver, true, &report, &why);
    if (!status) return WL_OK;
    if (status != WL_ERR_ENVIRONMENT)
        return wl_fail(error, status, why.file, why.line, why.field, "%s", why.text);
    wl_log_line(log, WL_LOG_INFO, "the driver is given PTX: %s", why.text);
    return WL_OK;
}
