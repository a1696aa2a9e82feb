/* plan: resolves what is asked for, then hands over to the planner of the kernel. */
#include "gen/plan.h"
#include "gen/plan_parts.h"
#include "gen/plan_sm100.h"
#include "gen/plan_sm90.h"

#include <math.h>
#include <string.h>

static enum wl_status resolve_head_dim(struct wl_plan *plan, int head_dim, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    if (head_dim <= 0) head_dim = s->head_dim;
    if (head_dim % 8 != 0)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%d is not a multiple of 8 (TMA moves 16-byte units)", head_dim);
    if (head_dim < s->head_dim_min || head_dim > s->head_dim)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim", "%d is outside what schedule %s serves: %d to %d", head_dim,
                       s->name, s->head_dim_min, s->head_dim);
    plan->head_dim = head_dim;
    return WL_OK;
}

static enum wl_status resolve_head_dim_v(struct wl_plan *plan, int head_dim_v, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    if (head_dim_v <= 0) head_dim_v = s->head_dim_v ? s->head_dim_v : plan->head_dim;
    plan->head_dim_v = head_dim_v;
    if (head_dim_v % 8 != 0)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim_v", "%d is not a multiple of 8 (TMA moves 16-byte units)", head_dim_v);
    if (!s->head_dim_v && head_dim_v != plan->head_dim)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim_v", "%d is not head_dim, %d: schedule %s serves V and O of the same only", head_dim_v,
                       plan->head_dim, s->name);
    if (s->head_dim_v && head_dim_v > s->head_dim_v)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "head_dim_v", "%d is outside what schedule %s serves: 8 to %d", head_dim_v, s->name,
                       s->head_dim_v);
    return WL_OK;
}

enum wl_status wl_plan_make(struct wl_plan *plan, const struct wl_schedule *schedule,
                            const struct wl_specialization *special, struct wl_error *error) {
    memset(plan, 0, sizeof *plan);
    plan->schedule = *schedule;
    plan->arch = wl_arch_find(schedule->target);
    if (!plan->arch)
        return wl_fail(error, WL_ERR_INPUT, wl_schedule_file(schedule, WL_FIELD_target), schedule->line[WL_FIELD_target], "target", "%s is not known",
                       schedule->target);
    plan->dtype = special && special->dtype >= 0 ? (enum wl_dtype)special->dtype : schedule->dtype;
    plan->causal = special && special->causal >= 0 ? special->causal != 0 : schedule->causal;
    if (!wl_schedule_serves(schedule, plan->causal))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "causal", "%s is not what schedule %s serves: masks = \"%s\"", plan->causal ? "true" : "false",
                       schedule->name, plan->causal ? "full" : "causal");
    enum wl_status status = resolve_head_dim(plan, special ? special->head_dim : 0, error);
    if (status == WL_OK) status = resolve_head_dim_v(plan, special ? special->head_dim_v : 0, error);
    if (status != WL_OK) return status;
    status = wl_exp2poly_fit(&plan->poly, schedule->exp2_degree, error);
    if (status != WL_OK) return status;
    plan->exp2_pairs = (int)lround(schedule->exp2_share * schedule->tile_n / 2);
    plan->scheduler = schedule->scheduler;
    if (plan->scheduler == WL_SCHEDULER_AUTO) plan->scheduler = plan->causal ? WL_SCHEDULER_LPT : WL_SCHEDULER_PERSISTENT;
    plan->longest_first = plan->scheduler == WL_SCHEDULER_LPT || (plan->causal && plan->scheduler != WL_SCHEDULER_PERSISTENT);
    plan->head_order = schedule->head_order;
    if (plan->head_order == WL_HEAD_ORDER_AUTO) plan->head_order = plan->longest_first ? WL_HEAD_ORDER_SECTION : WL_HEAD_ORDER_HEAD;
    plan->l2_keys = plan->arch->l2_bytes / 6 * 5 / (2 * (plan->head_dim + plan->head_dim_v));
    plan->head_dim_qk = wl_round_up(plan->head_dim, 16); /* K of an MMA */
    plan->head_dim_pv = wl_round_up(plan->head_dim_v, 16); /* N */
    plan->qk = plan->pv = plan->v = wl_plan_tile_of(plan->head_dim, WL_BLOCK_DIM);
    plan->cluster = 1;
    plan->kv_rows = schedule->tile_n;
    return strcmp(plan->arch->name, "sm_90a") == 0 ? wl_plan_sm90_forward(plan, error) : wl_plan_sm100_forward(plan, error);
}

const struct wl_plan_region *wl_plan_smem(const struct wl_plan *plan, const char *name) {
    for (int i = 0; i < plan->smem_count; i++)
        if (strcmp(plan->smem[i].name, name) == 0) return &plan->smem[i];
    return NULL;
}

const struct wl_plan_region *wl_plan_tmem(const struct wl_plan *plan, const char *name) {
    for (int i = 0; i < plan->tmem_count; i++)
        if (strcmp(plan->tmem[i].name, name) == 0) return &plan->tmem[i];
    return NULL;
}

const struct wl_plan_barrier *wl_plan_barrier(const struct wl_plan *plan, const char *name) {
    for (int i = 0; i < plan->barrier_count; i++)
        if (strcmp(plan->barriers[i].name, name) == 0) return &plan->barriers[i];
    return NULL;
}

const struct wl_plan_role *wl_plan_role(const struct wl_plan *plan, const char *name) {
    for (int i = 0; i < plan->role_count; i++)
        if (strcmp(plan->roles[i].name, name) == 0) return &plan->roles[i];
    return NULL;
}
