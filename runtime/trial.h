/* trial: one kernel on one attention problem, from a schedule's name to the numbers that say whether it was
 * right. `warploom run` and the correctness grid are both this.
 *
 *     wl_trial_prepare   schedule ─► plan ─► PTX; the problem's sizes checked
 *     wl_trial_run       module; tensors made or given, rounded to the dtype; launch; compared with float64
 */
#ifndef WL_TRIAL_H
#define WL_TRIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "gen/arena.h"
#include "gen/plan.h"
#include "runtime/attention.h"
#include "runtime/compare.h"
#include "runtime/input.h"

struct wl_trial {
    const char *schedule;         /* path or shipped name */
    const char *const *overrides; /* key=value */
    int override_count;
    int64_t batch, heads, heads_kv, seq_q, seq_k;
    int head_dim, head_dim_v; /* 0: the schedule's */
    int dtype, causal;     /* -1: the schedule's */
    double scale;          /* 0: 1 / sqrt(head_dim) */
    const float *given[3]; /* Q, K, V in (batch, seq, head, dim) order; NULL: made from input and seed */
    enum wl_input input;
    uint64_t seed;
    bool check; /* compare with float64 */
    int64_t clusters; /* at once, at most; 0: what the device holds. Fewer make persistent ones take more tiles */
};

/* Start from a zeroed one; wl_trial_fini frees what it holds. */
struct wl_trial_result {
    struct wl_plan plan;
    struct wl_attention problem; /* addresses are the host's after a run */
    struct wl_text ptx;
    double emit_ms, load_ms, run_ms; /* run: launch until done */
    int registers, local_bytes; /* what the driver says of the kernel; local memory is stack and spills */
    uint16_t *tensors[4];       /* Q, K, V, O as the kernel saw them, dense (batch, seq, head, dim) */
    float *lse;                 /* dense (batch, head, seq_q) */
    struct wl_compare compare;  /* filled where trial->check */
    double reference_ms;
};

enum wl_status wl_trial_prepare(const struct wl_trial *trial, struct wl_trial_result *result,
                                struct wl_error *error);

/* The driver must be open for result->plan's target. WL_ERR_WRONG: it ran and the check failed; all is
 * filled. */
enum wl_status wl_trial_run(struct wl_driver *driver, const struct wl_trial *trial,
                            struct wl_trial_result *result, struct wl_error *error);
void wl_trial_fini(struct wl_trial_result *result);

#endif
