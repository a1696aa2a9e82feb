/* sass_json: machine code's counts for programs. */
#include "gen/explain_parts.h"
#include "gen/sass_report.h"

static void put_counts(struct wl_json *json, const char *key, const struct wl_sass_counts *c) {
    wl_json_open(json, key, '{');
    wl_json_int(json, "all", c->all);
    for (int p = 0; p < WL_SASS_PIPE_COUNT; p++)
        if (c->pipe[p]) wl_json_int(json, wl_sass_pipe_names[p], c->pipe[p]);
    wl_json_close(json);
}

static void put_role(const struct wl_sass_report *r, const struct wl_sass_role *role, struct wl_json *json) {
    const struct wl_plan_role *planned = r->plan ? wl_plan_role(r->plan, role->name) : NULL;
    wl_json_open(json, NULL, '{');
    wl_json_text(json, "name", role->name);
    if (planned) {
        wl_json_int(json, "warps", planned->warps);
        wl_json_int(json, "registers", planned->regs);
    }
    if (role->loop >= 0) {
        wl_json_int(json, "loop_address", role->address);
        wl_json_int(json, "turns", role->turns);
        put_counts(json, "step", &role->always);
        put_counts(json, "masked_adds", &role->mask);
        put_counts(json, "at_times_adds", &role->sometimes);
        wl_json_int(json, "waits_apart", role->apart);
    }
    put_counts(json, "whole", &role->whole);
    wl_json_close(json);
}

static void put_cost(const struct wl_sass_report *r, const char *key, const struct wl_cost *cost,
                     struct wl_json *json) {
    struct wl_cost_unit units[WL_COST_UNITS];
    wl_cost_units(cost, units);
    wl_json_open(json, key, '{');
    for (int u = 0; u < WL_COST_UNITS; u++) wl_json_number(json, units[u].name, units[u].clocks);
    wl_json_number(json, "mask_adds_to_alu", cost->mask_alu);
    wl_json_number(json, "mask_adds_to_fma", cost->mask_fma);
    wl_json_text(json, "bound", cost->bound);
    wl_json_number(json, "bound_clocks", cost->bound_clocks);
    wl_json_number(json, "peak_share", cost->peak_share);
    wl_json_number(json, "tflops_at_best", wl_cost_tflops(r->plan, cost));
    wl_json_close(json);
}

static void put_peers(const struct wl_sass_report *r, struct wl_json *json) {
    wl_json_open(json, "flash_attention_4", '[');
    for (int i = 0; i < r->peer_count; i++) {
        wl_json_open(json, NULL, '{');
        wl_json_text(json, "role", r->peers[i].role);
        wl_json_text(json, "what", r->peers[i].what);
        wl_json_int(json, "ours", r->peers[i].ours);
        wl_json_int(json, "theirs", r->peers[i].theirs);
        wl_json_close(json);
    }
    wl_json_close(json);
}

void wl_sass_json(const struct wl_sass_report *r, struct wl_json *json) {
    wl_json_open(json, NULL, '{');
    wl_json_text(json, "entry", r->name);
    if (r->plan) wl_json_text(json, "source", r->plan->schedule.source);
    wl_json_text(json, "target", r->target);
    wl_json_int(json, "instructions", r->instructions);
    wl_json_int(json, "registers_at_launch", r->registers);
    if (r->assembled) {
        wl_json_text(json, "ptxas", r->ptxas);
        wl_json_int(json, "spill_bytes", r->spill_bytes);
        wl_json_int(json, "stack_bytes", r->stack_bytes);
    }
    wl_json_open(json, "roles", '[');
    for (int i = 0; i < r->role_count; i++) put_role(r, &r->roles[i], json);
    wl_json_close(json);
    if (r->plan) {
        put_peers(r, json);
        put_cost(r, "clocks_of_a_step", &r->counted, json);
        put_cost(r, "explain", &r->model, json);
        wl_json_number(json, "of_explain", r->counted.bound_clocks / r->model.bound_clocks);
    }
    wl_json_close(json);
}
