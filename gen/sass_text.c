/* sass_text: machine code's counts for people. */
#include "gen/explain_parts.h"
#include "gen/sass_report.h"

#include <stdio.h>
#include <string.h>

#define BAR_CELLS 40
#define GOAL      0.95 /* of FlashAttention-4's count */

static void put_title(const struct wl_sass_report *r, struct wl_text *out) {
    wl_text_printf(out, "%s  %s", r->name, r->target);
    if (r->plan) wl_text_printf(out, "  (%s)", r->plan->schedule.source);
    wl_text_printf(out, "\n  %d instructions, %d registers a thread at launch", r->instructions,
                   r->registers);
    if (r->assembled)
        wl_text_printf(out, "; ptxas %s: %d B spilled, %d B stack", r->ptxas, r->spill_bytes, r->stack_bytes);
    wl_text_printf(out, "\n");
}

/* A pipe that nobody uses gets no column. */
static bool used(const struct wl_sass_report *r, int pipe) {
    for (int i = 0; i < r->role_count; i++)
        if (r->roles[i].loop >= 0 && (r->roles[i].always.pipe[pipe] || r->roles[i].mask.pipe[pipe] ||
                                      r->roles[i].sometimes.pipe[pipe]))
            return true;
    return false;
}

static void put_counts(const struct wl_sass_report *r, const char *name, const char *warps, const char *sign,
                       const struct wl_sass_counts *c, struct wl_text *out) {
    char all[16];
    snprintf(all, sizeof all, "%s%d", sign, c->all);
    wl_text_printf(out, "  %-14s %5s %6s", name, warps, all);
    for (int p = 0; p < WL_SASS_PIPE_COUNT; p++)
        if (used(r, p)) wl_text_printf(out, " %7d", c->pipe[p]);
    wl_text_printf(out, "\n");
}

static void put_role(const struct wl_sass_report *r, const struct wl_sass_role *role, struct wl_text *out) {
    const struct wl_plan_role *planned = r->plan ? wl_plan_role(r->plan, role->name) : NULL;
    char name[48], warps[16] = "";
    if (role->loop < 0) return;
    if (!r->plan && !strcmp(role->name, "loop")) snprintf(name, sizeof name, "loop at %04x", role->address);
    else snprintf(name, sizeof name, role->turns > 1 ? "%s x%d" : "%s", role->name, role->turns);
    if (planned) snprintf(warps, sizeof warps, "%d", planned->warps);
    put_counts(r, name, warps, "", &role->always, out);
    if (role->mask.all) put_counts(r, "  masked", "", "+", &role->mask, out);
    if (role->sometimes.all) put_counts(r, "  at times", "", "+", &role->sometimes, out);
}

/* What each role has beside its step: once a tile or once in all. */
static void put_outside(const struct wl_sass_report *r, struct wl_text *out) {
    wl_text_printf(out, "  beside the step:");
    for (int i = 0; i < r->role_count; i++) {
        const struct wl_sass_role *role = &r->roles[i];
        int turn = role->turns > 1 ? role->in_turn * (role->turns - 1) : 0;
        int step = wl_sass_step(role, true, true) - turn;
        wl_text_printf(out, " %s %d%s", role->name, role->whole.all - step,
                       i + 1 < r->role_count ? "," : "\n");
    }
}

static void put_table(const struct wl_sass_report *r, struct wl_text *out) {
    wl_text_printf(out, "\ninstructions of a warp in a step%s", r->plan ? "" : " of each loop");
    if (r->plan)
        wl_text_printf(out, ": %d query rows against %d keys", (int)r->plan->launch.rows_per_tile / r->plan->cluster,
                       r->plan->schedule.tile_n);
    wl_text_printf(out, "\n  %-14s %5s %6s", "role", r->plan ? "warps" : "", "all");
    for (int p = 0; p < WL_SASS_PIPE_COUNT; p++)
        if (used(r, p)) wl_text_printf(out, " %7s", wl_sass_pipe_names[p]);
    wl_text_printf(out, "\n");
    for (int i = 0; i < r->role_count; i++) put_role(r, &r->roles[i], out);
    if (r->plan) put_outside(r, out);
}

static void put_peers(const struct wl_sass_report *r, struct wl_text *out) {
    if (!r->peer_count) return;
    wl_text_printf(
        out, "\nbeside FlashAttention-4's kernel from ptxas 13.0 (softmax: a warp, 128 rows x 128 keys; "
             "others: both query tiles)\n");
    for (int i = 0; i < r->peer_count; i++) {
        const struct wl_sass_peer *p = &r->peers[i];
        int goal = (int)(GOAL * p->theirs);
        wl_text_printf(out, "  %-11s %-15s %5d  theirs %4d  %.2f  %s %d\n", p->role, p->what, p->ours,
                       p->theirs, (double)p->ours / p->theirs, p->ours <= goal ? "within" : "above", goal);
    }
}

static double model_of(const struct wl_cost *cost, const char *unit) {
    struct wl_cost_unit units[WL_COST_UNITS];
    wl_cost_units(cost, units);
    for (int u = 0; u < WL_COST_UNITS; u++)
        if (!strcmp(units[u].name, unit)) return units[u].clocks;
    return 0;
}

static void put_clocks(const struct wl_sass_report *r, struct wl_text *out) {
    static const char bar[] = "########################################";
    struct wl_cost_unit units[WL_COST_UNITS];
    wl_cost_units(&r->counted, units);
    wl_text_printf(out,
                   "\nclocks of a step, every unit at the rate of gen/arch.c (mma and smem are the plan's)\n"
                   "  %-5s %8s %8s\n",
                   "unit", "clocks", "explain");
    for (int u = 0; u < WL_COST_UNITS; u++) {
        int cells = (int)(units[u].clocks * BAR_CELLS / r->counted.bound_clocks + 0.5);
        if (units[u].clocks <= 0) continue;
        wl_text_printf(out, "  %-5s %8.0f %8.0f  %-*.*s  %s\n", units[u].name, units[u].clocks,
                       model_of(&r->model, units[u].name), BAR_CELLS, cells, bar, units[u].what);
    }
    wl_text_printf(out, "  a step that the mask crosses adds %.0f to alu, %.0f to fma (explain: %.0f, %.0f)\n", r->counted.mask_alu,
                   r->counted.mask_fma, r->model.mask_alu, r->model.mask_fma);
    wl_text_printf(
        out,
        "  bound: %s, %.0f clocks; tensor cores busy %.0f %%: at best %.0f TFLOP/s on %d SMs at %.2f GHz\n",
        r->counted.bound, r->counted.bound_clocks, r->counted.peak_share * 100,
        wl_cost_tflops(r->plan, &r->counted), r->plan->arch->sms, r->plan->arch->clock_ghz);
    wl_text_printf(out, "  explain: %s, %.0f clocks: %.3f of it\n", r->model.bound, r->model.bound_clocks,
                   r->counted.bound_clocks / r->model.bound_clocks);
}

void wl_sass_text(const struct wl_sass_report *report, struct wl_text *out) {
    put_title(report, out);
    put_table(report, out);
    put_peers(report, out);
    if (report->plan) put_clocks(report, out);
}
