/* tune_model: how quick a candidate should be, where there is no device to ask: explain's cost model with the
 * counts of the candidate's machine code in place of the model's own. */
#include "gen/tune.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "gen/emit.h"
#include "gen/ptxas.h"
#include "gen/sass_count.h"

static double step_clocks(const struct wl_cost *cost) {
    const double units[] = {cost->mma, cost->mufu, cost->fma, cost->alu, cost->smem, cost->issue, cost->tmem};
    double sum = 0, most = 0;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (units[i] > most) most = units[i];
    for (size_t i = 0; i < sizeof units / sizeof *units && most > 0; i++) sum += pow(units[i] / most, 8);
    return most * pow(sum, 1.0 / 8);
}

double wl_tune_steps(const struct wl_plan *plan, const struct wl_tune_problem *p) {
    int64_t rows = plan->launch.rows_per_tile, keys = plan->schedule.tile_n, steps = 0;
    int64_t row_tiles = (p->seq + rows - 1) / rows, longest = (p->seq + keys - 1) / keys;
    for (int64_t t = 0; t < row_tiles; t++) {
        int64_t last = p->causal && (t + 1) * rows < p->seq ? (t + 1) * rows : p->seq;
        steps += (last + keys - 1) / keys;
    }
    double heads = (double)p->heads * (double)p->batch, sms = (double)plan->arch->sms / plan->cluster, of_one;
    if (!p->causal) of_one = ceil((double)row_tiles * heads / sms) * (double)longest;
    else of_one = fmax((double)steps * heads / sms, (double)longest);
    /* an uneven end: on average half of the longest tile */
    if (p->causal && !plan->longest_first) of_one += (double)longest / 2;
    return of_one;
}

double wl_tune_estimate(const struct wl_plan *plan, const struct wl_cost *cost,
                        const struct wl_tune_problem *problem) {
    return wl_tune_steps(plan, problem) * step_clocks(cost) / (plan->arch->clock_ghz * 1e6);
}

/* Counts of the plan's machine code. WL_ERR_ENVIRONMENT: a tool is missing. */
static enum wl_status count(const struct wl_plan *plan, struct wl_cost *cost, int *spilled,
                            struct wl_error *error) {
    struct wl_text ptx = {0};
    struct wl_ptxas_report ptxas = {0};
    struct wl_arena *arena = wl_arena_create();
    struct wl_sass *sass = arena ? wl_arena_alloc(arena, sizeof *sass) : NULL;
    struct wl_sass_report *report = arena ? wl_arena_alloc(arena, sizeof *report) : NULL;
    enum wl_status status =
        sass && report ? WL_OK : wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    if (!status) status = wl_emit(plan, &ptx, error);
    if (!status) status = wl_ptxas_run(ptx.bytes, ptx.length, plan->arch->name, &ptxas, error);
    if (!status) status = wl_sass_read(arena, ptxas.cubin, ptxas.cubin_bytes, sass, error);
    if (!status) status = wl_sass_measure(arena, sass, &sass->functions[0], plan, report, error);
    if (!status) *cost = report->counted;
    *spilled = ptxas.spill_store_bytes + ptxas.spill_load_bytes;
    wl_ptxas_fini(&ptxas);
    wl_text_fini(&ptx);
    wl_arena_destroy(arena);
    return status;
}

static enum wl_status model_mask(const struct wl_tune *tune, struct wl_tune_candidate *c, bool causal,
                                 bool *counted, struct wl_error *error) {
    struct wl_plan *plan = wl_realloc(NULL, sizeof *plan);
    struct wl_cost cost;
    struct wl_error missing = {0};
    int spilled = 0;
    if (!plan) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    enum wl_status status = wl_tune_plan(tune, c, causal, plan, error);
    if (!status && *counted) {
        status = count(plan, &cost, &spilled, &missing);
        if (status == WL_ERR_ENVIRONMENT) *counted = false, status = WL_OK;
        else if (status)
            wl_fail(error, status, missing.file, missing.line, missing.field, "%s", missing.text);
    }
    if (!status && !*counted) status = wl_cost_estimate(plan, &cost, error);
    for (int p = 0; p < tune->problem_count && !status; p++)
        if (tune->problems[p].causal == causal) c->ms[p] = wl_tune_estimate(plan, &cost, &tune->problems[p]);
    if (!status && spilled) {
        c->state = WL_TUNE_DROPPED;
        snprintf(c->why, sizeof c->why, "spills %d B", spilled);
    }
    wl_free(plan);
    return status;
}

enum wl_status wl_tune_model(const struct wl_tune *tune, struct wl_tune_candidate *c, bool *counted,
                             struct wl_error *error) {
    enum wl_status status = WL_OK;
    for (int causal = 0; causal < 2 && !status && c->state == WL_TUNE_OPEN; causal++)
        if (wl_tune_has(tune, causal)) status = model_mask(tune, c, causal, counted, error);
    if (status || c->state != WL_TUNE_OPEN) return status;
    wl_tune_score(tune, c);
    c->state = WL_TUNE_DONE;
    return WL_OK;
}
