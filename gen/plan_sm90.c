/* plan_sm90: roles, registers, shared memory and barriers of the sm_90a forward kernel.
 *
 * One CTA: a warpgroup whose first two warps load and store by TMA, and tile_m / 64 consumer warpgroups. The CTAs of a
 * cluster take row tiles side by side and share K and V. */
#include "gen/plan_sm90.h"
#include "gen/plan_parts.h"

enum { CONSUMER_ROWS = 64 };

static enum wl_status plan_roles(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    int groups = s->tile_m / CONSUMER_ROWS;
    wl_plan_add_role(plan, "load", 0, 1, s->regs_load);
    wl_plan_add_role(plan, "store", 1, 1, s->regs_load);
    wl_plan_add_role(plan, "consumer", WL_WARPGROUP, WL_WARPGROUP * groups, s->regs_consumer);
    enum wl_status status = wl_plan_registers(plan, s->regs_load, WL_FIELD_regs_consumer, groups, error);
    if (status != WL_OK) return status;
    if (s->regs_load > plan->regs_launch)
        return wl_plan_refuse(plan, error, WL_FIELD_regs_load, "%d is more than the %d that %d threads are launched with", s->regs_load,
                              plan->regs_launch, plan->threads);
    if (s->regs_consumer < plan->regs_launch)
        return wl_plan_refuse(plan, error, WL_FIELD_regs_consumer, "%d is less than the %d that %d threads are launched with", s->regs_consumer,
                              plan->regs_launch, plan->threads);
    return WL_OK;
}

/* S, P and O of a thread live in registers: what does not fit would spill. */
static enum wl_status check_accumulators(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    int needed = s->tile_n / 2 + s->tile_n / 4 + plan->head_dim_pv / 2;
    if (needed <= s->regs_consumer) return WL_OK;
    int fits = (s->regs_consumer - plan->head_dim_pv / 2) * 4 / 3 / 16 * 16;
    return wl_plan_refuse(plan, error, WL_FIELD_tile_n, "S, P and O need %d registers a thread, regs_consumer is %d (%d fits)", needed,
                          s->regs_consumer, fits);
}

static void plan_barriers(struct wl_plan *plan) {
    const struct wl_schedule *s = &plan->schedule;
    const int groups = s->tile_m / CONSUMER_ROWS, q = s->stages_q, kv = s->stages_kv;
    const struct wl_plan_barrier rows[] = {
        /* clang-format off */
        {"q_full",   0, q,  1,                         "load",     "consumer", "Q in shared memory"},
        {"q_empty",  0, q,  1,                         "store",    "load",     "Q's shared memory, where O was, until TMA has read it"},
        {"kv_full",  0, kv, s->cluster,                "load",     "consumer", "the K or V tile of a ring slot"},
        {"kv_empty", 0, kv, groups * s->cluster,       "consumer", "load",     "a ring slot, until its wgmmas have read it, in all CTAs of the cluster"},
        {"o_full",   0, q,  groups * WL_GROUP_THREADS, "consumer", "store",    "the O tile in shared memory"},
        /* clang-format on */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) wl_plan_add_barrier(plan, rows[i]);
    wl_plan_close_barriers(plan);
}

/* Each CTA of a cluster loads its part of the rows of every K and V tile. */
static void share_loads(struct wl_launch *launch, const struct wl_schedule *s) {
    for (uint32_t i = 0; i < launch->param_count; i++) {
        struct wl_param *p = &launch->params[i];
        if (p->kind == WL_PARAM_TENSOR_MAP && (p->tensor == WL_TENSOR_K || p->tensor == WL_TENSOR_V))
            p->box.box[1] = (uint16_t)(s->tile_n / s->cluster);
    }
}

enum wl_status wl_plan_sm90_forward(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    plan->kernel = "sm90/forward/kernel";
    plan->cluster = s->cluster;
    if (plan->scheduler == WL_SCHEDULER_CLC)
        return wl_plan_refuse(plan, error, WL_FIELD_scheduler, "clc: cluster launch control begins with sm_100: auto, single, persistent or lpt");
    enum wl_status status = plan_roles(plan, error);
    if (status == WL_OK) status = check_accumulators(plan, error);
    if (status != WL_OK) return status;
    plan_barriers(plan);
    wl_plan_add_smem(plan, "Q", wl_plan_tile_bytes(&plan->qk, s->tile_m), s->stages_q, WL_TILE_ALIGN);
    status = wl_plan_add_ring(plan, wl_plan_tile_bytes(&plan->qk, s->tile_n), wl_plan_tile_bytes(&plan->v, s->tile_n), error);
    if (status != WL_OK) return status;
    wl_plan_launch_forward(plan, s->tile_m * s->cluster, s->tile_m);
    share_loads(&plan->launch, s);
    return WL_OK;
}
