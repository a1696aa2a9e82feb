/* explain_json: the plan for programs. */
#include "gen/explain_parts.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "gen/json.h"

/* Numbers and booleans as such; the name is text even where it reads "true". */
static void put_value(struct wl_json *json, const char *value, enum wl_field field) {
    bool is_number = isdigit((unsigned char)value[0]) || value[0] == '-';
    if (field != WL_FIELD_name && is_number) wl_json_number(json, "value", strtod(value, NULL));
    else if (field != WL_FIELD_name && (!strcmp(value, "true") || !strcmp(value, "false")))
        wl_json_bool(json, "value", value[0] == 't');
    else wl_json_text(json, "value", value);
}

static void put_schedule(const struct wl_plan *plan, struct wl_json *json) {
    char value[64], origin[300];
    wl_json_open(json, "schedule", '{');
    for (int f = 0; f < WL_FIELD_COUNT; f++) {
        if (!wl_field_applies(f, plan->arch->name)) continue;
        wl_json_open(json, wl_field_name(f), '{');
        put_value(json, wl_schedule_value(&plan->schedule, f, value, sizeof value), f);
        wl_json_text(json, "from", wl_schedule_origin(&plan->schedule, f, origin, sizeof origin));
        wl_json_close(json);
    }
    wl_json_close(json);
}

static void put_exp2(const struct wl_plan *plan, struct wl_json *json) {
    wl_json_open(json, "exp2", '{');
    wl_json_int(json, "values_on_fma", plan->exp2_pairs * 2);
    wl_json_int(json, "values", plan->schedule.tile_n);
    wl_json_int(json, "degree", plan->poly.degree);
    wl_json_number(json, "worst_relative_error", plan->poly.worst);
    wl_json_number(json, "magic", plan->poly.magic);
    wl_json_number(json, "k", plan->poly.k);
    wl_json_number(json, "r", plan->poly.r);
    wl_json_open(json, "a", '[');
    for (int i = 0; i <= plan->poly.degree - 2; i++) wl_json_number(json, NULL, plan->poly.a[i]);
    wl_json_close(json);
    wl_json_close(json);
}

static void put_tiles(const struct wl_plan *plan, struct wl_json *json) {
    char choice[32];
    wl_json_open(json, "tiles", '{');
    wl_json_int(json, "rows", plan->launch.rows_per_tile);
    wl_json_int(json, "ctas", plan->cluster);
    wl_json_text(json, "scheduler",
                 wl_field_choice(WL_FIELD_scheduler, plan->scheduler, choice, sizeof choice));
    wl_json_text(json, "head_order",
                 wl_field_choice(WL_FIELD_head_order, plan->head_order, choice, sizeof choice));
    wl_json_bool(json, "last_rows_first", plan->longest_first);
    wl_json_int(json, "keys_in_l2", plan->l2_keys);
    wl_json_close(json);
}

static void put_roles(const struct wl_plan *plan, struct wl_json *json) {
    wl_json_int(json, "threads", plan->threads);
    wl_json_int(json, "registers_at_launch", plan->regs_launch);
    wl_json_open(json, "roles", '[');
    for (int i = 0; i < plan->role_count; i++) {
        wl_json_open(json, NULL, '{');
        wl_json_text(json, "name", plan->roles[i].name);
        wl_json_int(json, "warp", plan->roles[i].warp);
        wl_json_int(json, "warps", plan->roles[i].warps);
        wl_json_int(json, "registers", plan->roles[i].regs);
        wl_json_close(json);
    }
    wl_json_close(json);
}

static void put_memory(struct wl_json *json, const char *key, const struct wl_plan_region *regions, int count,
                       int used, int room) {
    wl_json_open(json, key, '{');
    wl_json_int(json, "used", used);
    wl_json_int(json, "available", room);
    wl_json_open(json, "regions", '[');
    for (int i = 0; i < count; i++) {
        wl_json_open(json, NULL, '{');
        wl_json_text(json, "name", regions[i].name);
        wl_json_int(json, "offset", regions[i].offset);
        wl_json_int(json, "size", regions[i].size);
        wl_json_int(json, "count", regions[i].count);
        wl_json_int(json, "stride", regions[i].stride);
        wl_json_close(json);
    }
    wl_json_close(json);
    wl_json_close(json);
}

static void put_barriers(const struct wl_plan *plan, struct wl_json *json) {
    wl_json_open(json, "barriers", '[');
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        wl_json_open(json, NULL, '{');
        wl_json_text(json, "name", b->name);
        wl_json_int(json, "offset", b->offset);
        wl_json_int(json, "count", b->count);
        wl_json_int(json, "arrivals", b->arrivals);
        wl_json_text(json, "from", b->from);
        wl_json_text(json, "to", b->to);
        wl_json_text(json, "protects", b->protects);
        wl_json_close(json);
    }
    wl_json_close(json);
}

static void put_cost(const struct wl_plan *plan, const struct wl_cost *cost, struct wl_json *json) {
    struct wl_cost_unit units[WL_COST_UNITS];
    wl_cost_units(cost, units);
    wl_json_open(json, "clocks_of_a_step", '{');
    for (int u = 0; u < WL_COST_UNITS; u++) wl_json_number(json, units[u].name, units[u].clocks);
    wl_json_close(json);
    wl_json_open(json, "work_of_a_step", '[');
    for (int i = 0; i < cost->row_count; i++) {
        wl_json_open(json, NULL, '{');
        wl_json_text(json, "unit", cost->rows[i].unit);
        wl_json_text(json, "what", cost->rows[i].what);
        wl_json_number(json, "amount", cost->rows[i].amount);
        wl_json_text(json, "of", cost->rows[i].of);
        wl_json_number(json, "per_clock", cost->rows[i].rate);
        wl_json_number(json, "clocks", cost->rows[i].clocks);
        wl_json_close(json);
    }
    wl_json_close(json);
    wl_json_number(json, "mask_adds_to_alu", cost->mask_alu);
    wl_json_number(json, "mask_adds_to_fma", cost->mask_fma);
    wl_json_text(json, "bound", cost->bound);
    wl_json_number(json, "bound_clocks", cost->bound_clocks);
    wl_json_number(json, "peak_share", cost->peak_share);
    wl_json_number(json, "tflops_at_best", wl_cost_tflops(plan, cost));
}

static void put_device(const struct wl_plan *plan, const struct wl_cost *cost,
                       const struct wl_explain_device *d, struct wl_json *json) {
    struct wl_explain_unit units[WL_EXPLAIN_UNITS];
    wl_explain_units(plan, cost, d, units);
    wl_json_open(json, "on_device", '{');
    wl_json_text(json, "device", d->name);
    wl_json_int(json, "batch", d->batch);
    wl_json_int(json, "heads", d->heads);
    wl_json_int(json, "kv_heads", d->heads_kv);
    wl_json_int(json, "seq", d->seq);
    wl_json_bool(json, "measured", d->ms > 0);
    if (d->ms > 0) {
        wl_json_number(json, "median_ms", d->ms);
        wl_json_number(json, "spread", d->spread);
        wl_json_int(json, "launches", d->launches);
        wl_json_number(json, "tflops", d->tflops);
    }
    wl_json_number(json, "ghz", d->ghz > 0 ? d->ghz : plan->arch->clock_ghz);
    wl_json_bool(json, "ghz_measured", d->ghz > 0);
    wl_json_number(json, "steps_an_sm", d->steps);
    wl_json_number(json, "bytes", d->bytes);
    wl_json_number(json, "gb_per_s", d->gb_per_s);
    wl_json_open(json, "bound_ms", '{');
    for (int u = 0; u < WL_EXPLAIN_UNITS; u++) wl_json_number(json, units[u].name, units[u].ms);
    wl_json_close(json);
    wl_json_close(json);
}

void wl_explain_json(const struct wl_plan *plan, const struct wl_cost *cost,
                     const struct wl_explain_device *device, struct wl_text *out) {
    struct wl_json json = {.text = out};
    wl_json_open(&json, NULL, '{');
    wl_json_text(&json, "entry", plan->launch.entry);
    wl_json_text(&json, "source", plan->schedule.source);
    wl_json_text(&json, "target", plan->arch->name);
    wl_json_text(&json, "dtype", plan->dtype == WL_BF16 ? "bf16" : "fp16");
    wl_json_int(&json, "head_dim", plan->head_dim);
    wl_json_int(&json, "head_dim_v", plan->head_dim_v);
    wl_json_bool(&json, "causal", plan->causal);
    put_schedule(plan, &json);
    put_exp2(plan, &json);
    put_tiles(plan, &json);
    put_roles(plan, &json);
    put_memory(&json, "shared_memory", plan->smem, plan->smem_count, plan->smem_bytes,
               plan->arch->smem_bytes);
    put_memory(&json, "tensor_memory", plan->tmem, plan->tmem_count, plan->tmem_cols, plan->arch->tmem_cols);
    put_barriers(plan, &json);
    put_cost(plan, cost, &json);
    if (device) put_device(plan, cost, device, &json);
    wl_json_close(&json);
}
