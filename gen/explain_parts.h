/* explain_parts: the three forms of explain.h; used by explain.c alone. */
#ifndef WL_EXPLAIN_PARTS_H
#define WL_EXPLAIN_PARTS_H

#include "gen/explain.h"

void wl_explain_text(const struct wl_plan *plan, const struct wl_cost *cost,
                     const struct wl_explain_device *device, struct wl_text *out);
void wl_explain_json(const struct wl_plan *plan, const struct wl_cost *cost,
                     const struct wl_explain_device *device, struct wl_text *out);
void wl_explain_svg(const struct wl_plan *plan, const struct wl_cost *cost, struct wl_text *out);

/* The units of wl_cost, busiest first. */
struct wl_cost_unit {
    const char *name, *what; /* "mufu", "exp2 and other special functions" */
    double clocks;
};
void wl_cost_units(const struct wl_cost *cost, struct wl_cost_unit units[WL_COST_UNITS]);

/* TFLOP/s of the whole part when every SM is as busy as the cost model says, of real work (not of padding).
 */
double wl_cost_tflops(const struct wl_plan *plan, const struct wl_cost *cost);

/* A drawn map shows regions that overlap in layers, one line each. The layer of each region; returns how
 * many. */
int wl_region_layers(const struct wl_plan_region *regions, int count, int *layer);

#endif
