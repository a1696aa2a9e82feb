/* plan_sm100: roles, registers, shared memory, tensor memory and barriers of the sm_100a forward kernel.
 *
 * One CTA: a softmax warpgroup per query tile, a correction warpgroup, and a warp each for mma, load and epilogue.
 * A pair of CTAs (cta_pair) has twice the query rows; an MMA of M = 256 works on a query tile of each. The leader, the one
 * of even rank, issues all of them. Each CTA holds half of a K tile's rows and half of a V tile's columns. */
#include "gen/plan_sm100.h"
#include "gen/plan_parts.h"

#include <string.h>

enum { WARPS_MAX = 16, STATS_BYTES = 4, S_STRIDE = 128, TILE_SLOTS = 2, TILE_RESPONSE_BYTES = 16 };

/* Roles of four warps own the lanes of tensor memory by quarter (warp mod 4) and the registers by warpgroup. */
static enum wl_status check_roles(struct wl_plan *plan, struct wl_error *error) {
    static const enum wl_field fields[] = {WL_FIELD_warp_softmax, WL_FIELD_warp_correction, WL_FIELD_warp_mma,
                                           WL_FIELD_warp_load, WL_FIELD_warp_epilogue};
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        int end = r->warp + r->warps;
        if (r->warps > 1 && r->warp % WL_WARPGROUP != 0)
            return wl_plan_refuse(plan, error, fields[i], "%d does not start a warpgroup: %s needs whole ones, so a multiple of 4", r->warp, r->name);
        if (end > WARPS_MAX)
            return wl_plan_refuse(plan, error, fields[i], "%s would take warps %d to %d, a CTA of this kernel has %d", r->name, r->warp, end - 1, WARPS_MAX);
        for (int j = 0; j < i; j++) {
            const struct wl_plan_role *o = &plan->roles[j];
            if (r->warp < o->warp + o->warps && o->warp < end)
                return wl_plan_refuse(plan, error, fields[i], "warp %d is taken by %s (warps %d to %d)", r->warp > o->warp ? r->warp : o->warp,
                                      o->name, o->warp, o->warp + o->warps - 1);
        }
    }
    return WL_OK;
}

/* The warp that asks for tiles: the last that no role has taken. Three roles of one warp leave one of a warpgroup free. */
static int free_warp(const struct wl_plan *plan) {
    int warp = plan->threads / WL_WARP_THREADS - 1;
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        if (warp < r->warp || warp >= r->warp + r->warps) continue;
        warp = r->warp - 1;
        i = -1; /* the new one may be another role's */
    }
    return warp;
}

static enum wl_status plan_roles(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    wl_plan_add_role(plan, "softmax", s->warp_softmax, WL_WARPGROUP * s->q_tiles, s->regs_softmax);
    wl_plan_add_role(plan, "correction", s->warp_correction, WL_WARPGROUP, s->regs_correction);
    wl_plan_add_role(plan, "mma", s->warp_mma, 1, s->regs_other);
    wl_plan_add_role(plan, "load", s->warp_load, 1, s->regs_other);
    wl_plan_add_role(plan, "epilogue", s->warp_epilogue, 1, s->regs_other);
    enum wl_status status = check_roles(plan, error);
    if (status == WL_OK) status = wl_plan_registers(plan, s->regs_other, WL_FIELD_regs_softmax, s->q_tiles, error);
    if (status == WL_OK && plan->scheduler == WL_SCHEDULER_CLC) wl_plan_add_role(plan, "scheduler", free_warp(plan), 1, s->regs_other);
    return status;
}

static void add_tmem(struct wl_plan *plan, const char *name, int column, int columns, int count, int stride) {
    plan->tmem[plan->tmem_count++] = (struct wl_plan_region){
        .name = name, .offset = column, .size = columns, .count = count, .stride = stride, .align = 1};
}

static enum wl_status plan_tmem(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    /* a second S of the same query tile stands at the first's address with one bit flipped: all columns are taken, from 0 */
    const int s_tiles = s->q_tiles * s->s_stages, s_stride = s->s_stages > 1 ? S_STRIDE : s->tile_n;
    int o_cols = wl_round_up(plan->head_dim_pv, 32), total = s_tiles * s_stride + s->q_tiles * o_cols;
    if (s->q_tiles > 1 && s->q_tiles * (o_cols + 32) > plan->arch->tmem_cols)
        return wl_plan_refuse(plan, error, WL_FIELD_q_tiles, "O of %d query tiles of head_dim %d leaves S no columns of tensor memory: 1 fits",
                              s->q_tiles, plan->head_dim_v);
    if (total > plan->arch->tmem_cols)
        return wl_plan_refuse(plan, error, WL_FIELD_tile_n, "S and O of %d query tiles need %d columns of tensor memory, %s has %d (%d fits)",
                              s->q_tiles, total, plan->arch->name, plan->arch->tmem_cols, (plan->arch->tmem_cols / s->q_tiles - o_cols) / s->s_stages / 32 * 32);
    /* P, half as wide, lies in the upper half of its S: S is in registers by the time P is written */
    add_tmem(plan, "S", 0, s->tile_n, s_tiles, s_stride);
    add_tmem(plan, "P", s->tile_n - s->tile_n / 2, s->tile_n / 2, s_tiles, s_stride);
    add_tmem(plan, "O", s_tiles * s_stride, plan->head_dim_pv, s->q_tiles, o_cols);
    plan->tmem_cols = s->s_stages > 1 ? plan->arch->tmem_cols : 32;
    while (plan->tmem_cols < total) plan->tmem_cols *= 2;
    return WL_OK;
}

#define TILE_READERS "softmax+correction+mma+load+epilogue"

static bool has_barrier(const struct wl_plan *plan, const char *name) {
    if (strcmp(name, "o_smem_empty") == 0) return !plan->schedule.o_over_q;
    if (strcmp(name, "p_last") == 0) return plan->p_split < plan->schedule.tile_n;
    return strncmp(name, "tile_", 5) != 0 || plan->scheduler == WL_SCHEDULER_CLC;
}

static void plan_barriers(struct wl_plan *plan) {
    const struct wl_schedule *s = &plan->schedule;
    /* of a pair, only the leader's q_full, kv_full, p_full and p_last are used, by both CTAs; what mma signals goes to both.
    ** The leader asks for tiles: its tile_wanted and tile_empty alone are used, the response goes to both */
    const int q = s->q_tiles, st = q * s->s_stages, kv = s->stages_kv, group = WL_GROUP_THREADS, both = plan->cluster * group;
    /* every thread that walks along; of a pair's second CTA, all but the MMA warp */
    const int tile_readers = plan->cluster * (q * group + group + 1 + 1) + WL_WARP_THREADS;
    const struct wl_plan_barrier rows[] = {
        /* clang-format off */
        {"q_full",       0, q,  1,         "load",               "mma",        "Q in shared memory"},
        {"q_empty",      0, q,  1,         s->o_over_q ? "epilogue" : "mma", "load",
         s->o_over_q ? "Q's shared memory, where O was, until TMA has read it" : "Q's shared memory, until all QK have read it"},
        {"kv_full",      0, kv, 1,         "load",               "mma",        "the K or V tile of a ring slot"},
        {"kv_empty",     0, kv, 1,         "mma",                "load",       "a ring slot, until its MMAs have read it"},
        {"s_full",       0, st, 1,         "mma",                "softmax",    s->s_stages > 1 ? "S in tensor memory" : "S in tensor memory; PV of the step before is done too"},
        {"p_full",       0, st, 2 * both,  "softmax+correction", "mma",        "the first p_split columns of P, and O rescaled"},
        {"p_last",       0, st, both,      "softmax",            "mma",        "the other columns of P"},
        {"stats_full",   0, st, group,     "softmax",            "correction", "a row's factor, at the end its sum"},
        {"stats_empty",  0, q,  group,     "correction",         "softmax",    "the sums follow when all factors have been read"},
        {"o_full",       0, q,  1,         "mma",                "correction", s->s_stages > 1 ? "O in tensor memory, a step further" : "the finished O in tensor memory"},
        {"o_smem_full",  0, q,  group,     "correction",         "epilogue",   "the O tile in shared memory"},
        {"o_smem_empty", 0, q,  1,         "epilogue",           "correction", "the O tile's shared memory, until TMA has read it"},
        {"tile_wanted",  0, 1,  1,         "load",               "scheduler",  "how far ahead is asked: for the next tile once load is at this one"},
        {"tile_full",    0, TILE_SLOTS, 1, "scheduler",          TILE_READERS "+scheduler", "the response that says which tile is next"},
        {"tile_empty",   0, TILE_SLOTS, tile_readers, TILE_READERS, "scheduler", "a response's slot, until all have read it"},
        /* clang-format on */
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (has_barrier(plan, rows[i].name)) wl_plan_add_barrier(plan, rows[i]);
    wl_plan_close_barriers(plan);
}

static enum wl_status plan_smem(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    wl_plan_add_smem(plan, "tmem_address", 4, 1, 16);
    /* factor[q_tiles][128], then sum[q_tiles][128]; as many again for a second S tile */
    wl_plan_add_smem(plan, "stats", 2 * s->q_tiles * s->s_stages * s->tile_m * STATS_BYTES, 1, 16);
    if (!plan->causal) wl_plan_add_smem(plan, "tail", s->tile_n * 4, 1, 16); /* 0 or -inf for each key of the last block */
    if (plan->scheduler == WL_SCHEDULER_CLC) wl_plan_add_smem(plan, "tile", TILE_RESPONSE_BYTES, TILE_SLOTS, 16);
    if (!s->o_over_q) wl_plan_add_smem(plan, "O", wl_plan_tile_bytes(&plan->pv, s->tile_m), s->q_tiles, WL_TILE_ALIGN);
    wl_plan_add_smem(plan, "Q", wl_plan_tile_bytes(&plan->qk, s->tile_m), s->q_tiles, WL_TILE_ALIGN);
    if (s->o_over_q) { /* seen as O too, not counted again */
        struct wl_plan_region o = plan->smem[plan->smem_count - 1];
        o.name = "O";
        o.size = wl_plan_tile_bytes(&plan->pv, s->tile_m);
        if (o.size > o.stride)
            return wl_plan_refuse(plan, error, WL_FIELD_o_over_q, "an O tile of %d B does not fit where a Q tile of %d B was: false", o.size, o.stride);
        plan->smem[plan->smem_count] = plan->smem[plan->smem_count - 1]; /* what follows is laid behind Q */
        plan->smem[plan->smem_count++ - 1] = o;
    }
    return wl_plan_add_ring(plan, wl_plan_tile_bytes(&plan->qk, plan->kv_rows), wl_plan_tile_bytes(&plan->v, s->tile_n), error);
}

/* Blocks of 32 columns where they are filled better: 8 to 32, 72 to 96. */
static struct wl_plan_tile tile_of(int columns) {
    return wl_plan_tile_of(columns, wl_round_up(columns, WL_BLOCK_DIM_HALF) % WL_BLOCK_DIM ? WL_BLOCK_DIM_HALF : WL_BLOCK_DIM);
}

static void plan_tiles(struct wl_plan *plan) {
    plan->qk = tile_of(plan->head_dim);
    plan->pv = plan->v = tile_of(plan->head_dim_v);
    if (!plan->schedule.cta_pair) return;
    /* a pair's MMAs split N, the keys of K and the columns of V, between the CTAs */
    plan->cluster = 2;
    plan->kv_rows = plan->schedule.tile_n / 2;
    plan->head_dim_pv = wl_round_up(plan->head_dim_v, 32); /* N of a pair's MMA with A in tensor memory [oracle: cutlass] */
    plan->v = tile_of(plan->head_dim_pv / 2);
}

enum wl_status wl_plan_sm100_forward(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    if (s->tile_m != 128) return wl_plan_refuse(plan, error, WL_FIELD_tile_m, "%d is not 128: an MMA fills the 128 lanes of tensor memory", s->tile_m);
    if (s->tile_n % 32 != 0 || s->tile_n > 128)
        return wl_plan_refuse(plan, error, WL_FIELD_tile_n, "%d is not 32, 64, 96 or 128, what tensor memory is read and held in", s->tile_n);
    if (s->s_stages > 1 && s->q_tiles > 1)
        return wl_plan_refuse(plan, error, WL_FIELD_s_stages, "%d S tiles are for one query tile, q_tiles is %d: q_tiles = 1 or s_stages = 1 fits",
                              s->s_stages, s->q_tiles);
    plan->kernel = "sm100/forward/kernel";
    plan_tiles(plan);
    /* code of its own for each query tile: 12 instructions less a step [ptxas 13.0] */
    plan->turns_unrolled = s->q_tiles > 1 && plan->head_dim_pv <= 128;
    plan->p_split = s->p_split < s->tile_n ? s->p_split : s->tile_n;
    enum wl_status status = plan_roles(plan, error);
    if (status == WL_OK) status = plan_tmem(plan, error);
    if (status != WL_OK) return status;
    plan_barriers(plan);
    status = plan_smem(plan, error);
    if (status == WL_OK) wl_plan_launch_forward(plan, plan->cluster * s->tile_m * s->q_tiles, s->tile_m);
    return status;
}
