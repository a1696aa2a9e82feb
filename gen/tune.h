/* tune: all ways to combine a schedule's candidates, those that have a plan, and how good the model thinks
 * they are.
 *
 *     schedule with tune = {...} ─► candidates ─► plans (the others are dropped) ─► PTX, cubin, counts ─►
 * estimate
 *
 * Measuring is the caller's business (gen/cli_tune.c); here is all that needs no device. */
#ifndef WL_TUNE_H
#define WL_TUNE_H

#include "gen/explain.h"
#include "gen/plan.h"

#define WL_TUNE_MAX_CANDIDATES 4096
#define WL_TUNE_MAX_PROBLEMS   16

struct wl_tune_problem {
    int64_t batch, heads, heads_kv, seq;
    bool causal;
};

enum wl_tune_state {
    WL_TUNE_OPEN,
    WL_TUNE_DROPPED, /* no plan, spills, or refused by ptxas or the device: `why` says it */
    WL_TUNE_PRUNED,  /* measured until it was plainly slower than the best */
    WL_TUNE_DONE,
};

struct wl_tune_candidate {
    char choice[320]; /* "tile_n=128 stages_kv=3": what differs in it from key to key; "" without knobs */
    unsigned char value[WL_TUNE_MAX_KNOBS]; /* index into each knob's values */
    uint64_t key;                           /* hash of its PTX for all masks: what a result belongs to */
    enum wl_tune_state state;
    double ms[WL_TUNE_MAX_PROBLEMS]; /* of each problem; 0: not known */
    double score;                    /* geometric mean of the problems' TFLOP/s; 0: not known */
    char why[200];
};

struct wl_tune {
    const char *path;             /* of the schedule */
    const char *const *overrides; /* key=value that hold for all */
    int override_count;
    int head_dim;
    struct wl_schedule base; /* with the overrides */
    struct wl_tune_problem problems[WL_TUNE_MAX_PROBLEMS];
    int problem_count;
    struct wl_tune_candidate *candidates; /* [0] is the schedule as it stands */
    int count;
};

/* Loads the schedule and lists the candidates; problems may be added after it. WL_ERR_INPUT: it has no `tune`
 * table, or one with more than WL_TUNE_MAX_CANDIDATES combinations. */
enum wl_status wl_tune_init(struct wl_tune *tune, const char *path, const char *const *overrides, int count,
                            int head_dim, struct wl_error *error);
void wl_tune_fini(struct wl_tune *tune);

/* The plan of a candidate for one mask. */
enum wl_status wl_tune_plan(const struct wl_tune *tune, const struct wl_tune_candidate *candidate,
                            bool causal, struct wl_plan *plan, struct wl_error *error);

/* Plans and expands every candidate for every mask of the problems; those without a plan are dropped. Returns
 * how many stay, -1 where memory ran out. */
int wl_tune_expand(struct wl_tune *tune);

/* Whether the problems have this mask. */
bool wl_tune_has(const struct wl_tune *tune, bool causal);

/* Sets the score from ms[]; 0 while any is missing. */
void wl_tune_score(const struct wl_tune *tune, struct wl_tune_candidate *candidate);

/* Steps (those of wl_cost) that an SM takes for a problem: every tile's, dealt over the SMs of the part that
 * gen/arch.c describes. */
double wl_tune_steps(const struct wl_plan *plan, const struct wl_tune_problem *problem);

/* Milliseconds that the cost gives for a problem; a step takes the norm of order 8 of its units' clocks,
 * which is the busiest unit and a little for what comes close to it. */
double wl_tune_estimate(const struct wl_plan *plan, const struct wl_cost *cost,
                        const struct wl_tune_problem *problem);

/* Builds a candidate (ptxas, nvdisasm) and fills ms[] by estimate from its machine code's counts; where a
 * tool is missing from explain's model alone, and *counted becomes false. A candidate that spills is dropped.
 */
enum wl_status wl_tune_model(const struct wl_tune *tune, struct wl_tune_candidate *candidate, bool *counted,
                             struct wl_error *error);

/* The done candidates, best first, in order[]; returns how many. Those within a thousandth of the best by how little they change. */
int wl_tune_rank(const struct wl_tune *tune, int *order);

/* The schedule of a candidate as Lua, each tuned field with its evidence. device: what was measured on; how:
 * "median of events" or "cost model". */
void wl_tune_lua(const struct wl_tune *tune, const struct wl_tune_candidate *candidate, const char *device,
                 const char *how, struct wl_text *out);

/* The state file: what is known of each candidate. It belongs to `device` and to the problems: one that says
 * otherwise, or that cannot be read, is passed over. */
void wl_tune_save(const struct wl_tune *tune, const char *device, struct wl_text *out);
int wl_tune_resume(struct wl_tune *tune, const char *device,
                   const char *text); /* how many results were taken */

#endif
