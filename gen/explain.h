/* explain: the plan, its resource maps and the cost model, for people (text, SVG) and programs (JSON). */
#ifndef WL_EXPLAIN_H
#define WL_EXPLAIN_H

#include "gen/arena.h"
#include "gen/plan.h"

enum wl_explain_form { WL_EXPLAIN_TEXT, WL_EXPLAIN_JSON, WL_EXPLAIN_SVG };

/* Clocks that each unit of an SM needs for one step: all q_tiles query tiles against one K/V tile. */
struct wl_cost {
    double mma, mufu, fma, alu, smem, issue, tmem;
    const char *bound;      /* the largest: "mma", ... */
    double bound_clocks;
    double peak_share;      /* mma / bound_clocks */
};

enum wl_status wl_cost_estimate(const struct wl_plan *plan, struct wl_cost *cost, struct wl_error *error);
enum wl_status wl_explain(const struct wl_plan *plan, enum wl_explain_form form, struct wl_text *out,
                          struct wl_error *error);

#endif
