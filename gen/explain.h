/* explain: the plan, its resource maps and the cost model, for people (text, SVG) and programs (JSON). */
#ifndef WL_EXPLAIN_H
#define WL_EXPLAIN_H

#include "gen/arena.h"
#include "gen/plan.h"

enum wl_explain_form { WL_EXPLAIN_TEXT, WL_EXPLAIN_JSON, WL_EXPLAIN_SVG };

/* One share of a unit's work: amount / rate = clocks. */
struct wl_cost_row {
    const char *unit; /* "mma" ... "tmem" */
    const char *what; /* "K and V written by TMA" */
    const char *of;   /* what amount and rate count: "FLOP", "B", ... */
    double amount, rate, clocks;
};
#define WL_COST_MAX_ROWS 24
#define WL_COST_UNITS    7

/* Clocks that each unit of an SM needs for one step: all query tiles in flight against one K/V tile, no key
 * of which is masked. A napkin's model: the units are taken to work side by side, each at its rate of
 * gen/arch.c. */
struct wl_cost {
    double mma, mufu, fma, alu, smem, issue, tmem;
    const char *bound; /* the largest: "mma", ... */
    double bound_clocks;
    double peak_share; /* mma / bound_clocks */
    double mask_alu, mask_fma; /* what a step that the mask crosses adds */
    struct wl_cost_row rows[WL_COST_MAX_ROWS];
    int row_count;
};

enum wl_status wl_cost_estimate(const struct wl_plan *plan, struct wl_cost *cost, struct wl_error *error);
/* A problem on a device: what each unit needs for it, beside the time that it took. */
struct wl_explain_device {
    const char *name; /* "NVIDIA H200" */
    int64_t batch, heads, heads_kv, seq;
    double steps;    /* that an SM takes */
    double ghz;      /* of an SM while it worked; 0: not known, gen/arch.c's is taken */
    double bytes;    /* Q, K, V, O and LSE, each moved once */
    double gb_per_s; /* of device memory; 0: not known */
    double ms;       /* of a launch; 0: not measured, as an emulated device's time says nothing */
    double spread;   /* see struct wl_measurement */
    double tflops;
    int launches;
};
/* What a unit needs for the problem, busiest first: those of wl_cost, and "memory". */
#define WL_EXPLAIN_UNITS (WL_COST_UNITS + 1)
struct wl_explain_unit {
    const char *name;
    double ms; /* 0: none of it, or not known */
};
void wl_explain_units(const struct wl_plan *plan, const struct wl_cost *cost,
                      const struct wl_explain_device *device, struct wl_explain_unit units[WL_EXPLAIN_UNITS]);

/* device: NULL for the plan alone; not for the drawing. */
enum wl_status wl_explain(const struct wl_plan *plan, enum wl_explain_form form,
                          const struct wl_explain_device *device, struct wl_text *out,
                          struct wl_error *error);

#endif
