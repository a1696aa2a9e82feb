/* explain: see explain.h. What the forms share is here; text, JSON and SVG have a file each. */
#include "gen/explain_parts.h"

#include <string.h>

void wl_cost_units(const struct wl_cost *cost, struct wl_cost_unit units[WL_COST_UNITS]) {
    const struct wl_cost_unit all[WL_COST_UNITS] = {
        {"mma", "tensor cores", cost->mma},          {"mufu", "special functions (exp2)", cost->mufu},
        {"fma", "float32 multiply-add", cost->fma},  {"alu", "maxima, compares, conversions", cost->alu},
        {"smem", "shared memory", cost->smem},       {"issue", "warp schedulers", cost->issue},
        {"tmem", "tensor memory reads", cost->tmem},
    };
    for (int i = 0; i < WL_COST_UNITS; i++) { /* insertion: equal ones keep their order */
        int at = i;
        for (; at > 0 && units[at - 1].clocks < all[i].clocks; at--) units[at] = units[at - 1];
        units[at] = all[i];
    }
}

double wl_cost_tflops(const struct wl_plan *plan, const struct wl_cost *cost) {
    const struct wl_arch *arch = plan->arch;
    double useful = 2.0 * plan->head_dim / (plan->head_dim_qk + plan->head_dim_pv);
    return cost->peak_share * useful * arch->sms * arch->mma_flops_16bit * arch->clock_ghz / 1000;
}

static int region_end(const struct wl_plan_region *r) {
    return r->offset + r->stride * (r->count - 1) + r->size;
}

/* Interleaved regions (S0 P0 S1 P1) count as overlapping when any two of their pieces do. */
static bool overlap(const struct wl_plan_region *a, const struct wl_plan_region *b) {
    if (a->offset >= region_end(b) || b->offset >= region_end(a)) return false;
    for (int i = 0; i < a->count; i++)
        for (int j = 0; j < b->count; j++) {
            int x = a->offset + i * a->stride, y = b->offset + j * b->stride;
            if (x < y + b->size && y < x + a->size) return true;
        }
    return false;
}

int wl_region_layers(const struct wl_plan_region *regions, int count, int *layer) {
    int layers = count > 0;
    for (int i = 0; i < count; i++) {
        layer[i] = 0;
        for (int j = 0; j < i; j++)
            if (layer[j] == layer[i] && overlap(&regions[i], &regions[j])) {
                layer[i]++;
                j = -1; /* look at this layer from its start */
            }
        if (layer[i] + 1 > layers) layers = layer[i] + 1;
    }
    return layers;
}

void wl_explain_units(const struct wl_plan *plan, const struct wl_cost *cost,
                      const struct wl_explain_device *device,
                      struct wl_explain_unit units[WL_EXPLAIN_UNITS]) {
    double ghz = device->ghz > 0 ? device->ghz : plan->arch->clock_ghz;
    double memory_ms = device->gb_per_s > 0 ? device->bytes / (device->gb_per_s * 1e6) : 0;
    struct wl_cost_unit sorted[WL_COST_UNITS];
    int at = 0;
    wl_cost_units(cost, sorted);
    for (int i = 0; i < WL_COST_UNITS; i++) {
        double ms = sorted[i].clocks * device->steps / (ghz * 1e6);
        if (at == i && memory_ms > ms) units[at++] = (struct wl_explain_unit){"memory", memory_ms};
        units[at++] = (struct wl_explain_unit){sorted[i].name, ms};
    }
    if (at == WL_COST_UNITS) units[at] = (struct wl_explain_unit){"memory", memory_ms};
}

enum wl_status wl_explain(const struct wl_plan *plan, enum wl_explain_form form,
                          const struct wl_explain_device *device, struct wl_text *out,
                          struct wl_error *error) {
    struct wl_cost cost;
    enum wl_status status = wl_cost_estimate(plan, &cost, error);
    if (status != WL_OK) return status;
    switch (form) {
    case WL_EXPLAIN_TEXT: wl_explain_text(plan, &cost, device, out); break;
    case WL_EXPLAIN_JSON: wl_explain_json(plan, &cost, device, out); break;
    case WL_EXPLAIN_SVG: wl_explain_svg(plan, &cost, out); break;
    }
    return out->failed ? wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory") : WL_OK;
}
