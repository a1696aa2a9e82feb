/* plan_sm100: roles, registers, shared memory, tensor memory and barriers of the sm_100a forward kernel.
 *
 * One CTA: a softmax warpgroup per query tile, a correction warpgroup, and a warp each for mma, load and epilogue. */
#include "gen/plan_sm100.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { WARPGROUP = 4, WARP_THREADS = 32, BLOCK_DIM = 64, BLOCK_ROW_BYTES = 128, TILE_ALIGN = 1024, STATS_BYTES = 4 };

static enum wl_status fit(struct wl_plan *plan, struct wl_error *error, enum wl_field field, const char *text) {
    const struct wl_schedule *s = &plan->schedule;
    return wl_fail(error, WL_ERR_FIT, s->source, s->line[field], wl_field_name(field), "%s", text);
}

static int round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

/* ---- roles and registers ---- */

static void add_role(struct wl_plan *plan, const char *name, int warp, int warps, int regs) {
    plan->roles[plan->role_count++] = (struct wl_plan_role){.name = name, .warp = warp, .warps = warps, .regs = regs};
}

/* The warp_* field that places a role, for messages. */
static enum wl_field role_field(int role) {
    static const enum wl_field fields[] = {WL_FIELD_warp_softmax, WL_FIELD_warp_correction, WL_FIELD_warp_mma,
                                           WL_FIELD_warp_load, WL_FIELD_warp_epilogue};
    return fields[role];
}

/* Roles of four warps own the lanes of tensor memory by quarter (warp mod 4) and the registers by warpgroup. */
static enum wl_status check_roles(struct wl_plan *plan, struct wl_error *error) {
    char text[200];
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        int group_of_many = r->warps > 1;
        if (group_of_many && r->warp % WARPGROUP != 0) {
            snprintf(text, sizeof text, "%d does not start a warpgroup: %s needs whole ones, so a multiple of 4", r->warp, r->name);
            return fit(plan, error, role_field(i), text);
        }
        if (r->warp + r->warps > 16) {
            snprintf(text, sizeof text, "%s would take warps %d to %d, a CTA of this kernel has 16", r->name, r->warp, r->warp + r->warps - 1);
            return fit(plan, error, role_field(i), text);
        }
        for (int j = 0; j < i; j++) {
            const struct wl_plan_role *o = &plan->roles[j];
            int first = o->warps > 1 ? o->warp : o->warp, end = o->warp + o->warps;
            if (r->warp < end && first < r->warp + r->warps) {
                snprintf(text, sizeof text, "warp %d is taken by %s (warps %d to %d)", r->warp > first ? r->warp : first, o->name, first, end - 1);
                return fit(plan, error, role_field(i), text);
            }
        }
    }
    return WL_OK;
}

static int warp_regs(const struct wl_plan *plan, int warp) {
    for (int i = 0; i < plan->role_count; i++)
        if (warp >= plan->roles[i].warp && warp < plan->roles[i].warp + plan->roles[i].warps) return plan->roles[i].regs;
    return plan->schedule.regs_other;
}

/* Every warpgroup keeps what setmaxnreg gives it; together no more than the CTA was launched with. */
static enum wl_status plan_registers(struct wl_plan *plan, struct wl_error *error) {
    int groups = plan->threads / (WARPGROUP * WARP_THREADS);
    int launch = plan->arch->regs_per_sm / plan->threads / 8 * 8;
    if (launch > plan->arch->regs_per_thread_max / 8 * 8) launch = plan->arch->regs_per_thread_max / 8 * 8;
    int pool = launch * groups, sum = 0;
    for (int g = 0; g < groups; g++) sum += warp_regs(plan, g * WARPGROUP);
    plan->regs_launch = launch;
    if (sum > pool) {
        char text[200];
        int softmax = plan->schedule.q_tiles;
        int fits = (plan->schedule.regs_softmax - (sum - pool + softmax - 1) / softmax) / 8 * 8;
        snprintf(text, sizeof text, "the warpgroups' budgets sum to %d registers a thread, %d x %d = %d are there (regs_softmax = %d fits)",
                 sum, groups, launch, pool, fits);
        return fit(plan, error, WL_FIELD_regs_softmax, text);
    }
    return WL_OK;
}

static enum wl_status plan_roles(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    add_role(plan, "softmax", s->warp_softmax, WARPGROUP * s->q_tiles, s->regs_softmax);
    add_role(plan, "correction", s->warp_correction, WARPGROUP, s->regs_correction);
    add_role(plan, "mma", s->warp_mma, 1, s->regs_other);
    add_role(plan, "load", s->warp_load, 1, s->regs_other);
    add_role(plan, "epilogue", s->warp_epilogue, 1, s->regs_other);
    enum wl_status status = check_roles(plan, error);
    if (status != WL_OK) return status;
    int last = 0;
    for (int i = 0; i < plan->role_count; i++)
        if (plan->roles[i].warp + plan->roles[i].warps > last) last = plan->roles[i].warp + plan->roles[i].warps;
    plan->threads = round_up(last, WARPGROUP) * WARP_THREADS;
    return plan_registers(plan, error);
}

/* ---- tensor memory ---- */

static void add_tmem(struct wl_plan *plan, const char *name, int column, int columns, int count, int stride) {
    plan->tmem[plan->tmem_count++] = (struct wl_plan_region){
        .name = name, .offset = column, .size = columns, .count = count, .stride = stride, .align = 1};
}

static enum wl_status plan_tmem(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    int o_cols = round_up(plan->head_dim_pv, 32);
    int total = s->q_tiles * (s->tile_n + o_cols);
    if (total > plan->arch->tmem_cols) {
        char text[200];
        int fits = (plan->arch->tmem_cols / s->q_tiles - o_cols) / 32 * 32;
        snprintf(text, sizeof text, "S and O of %d query tiles need %d columns of tensor memory, %s has %d (%d fits)", s->q_tiles,
                 total, plan->arch->name, plan->arch->tmem_cols, fits);
        return fit(plan, error, WL_FIELD_tile_n, text);
    }
    /* P, half as wide, lies in the upper half of its S: S is in registers by the time P is written */
    add_tmem(plan, "S", 0, s->tile_n, s->q_tiles, s->tile_n);
    add_tmem(plan, "P", s->tile_n - s->tile_n / 2, s->tile_n / 2, s->q_tiles, s->tile_n);
    add_tmem(plan, "O", s->q_tiles * s->tile_n, plan->head_dim_pv, s->q_tiles, o_cols);
    plan->tmem_cols = 32;
    while (plan->tmem_cols < total) plan->tmem_cols *= 2;
    return WL_OK;
}

/* ---- barriers ---- */

static void plan_barriers(struct wl_plan *plan) {
    const struct wl_schedule *s = &plan->schedule;
    const int q = s->q_tiles, kv = s->stages_kv, group = WARPGROUP * WARP_THREADS;
    const struct wl_plan_barrier rows[] = {
        /* clang-format off */
        {"q_full",       0, q,  1,         "load",               "mma",        "Q in shared memory"},
        {"q_empty",      0, q,  1,         "mma",                "load",       "Q's shared memory, until all QK have read it"},
        {"kv_full",      0, kv, 1,         "load",               "mma",        "the K or V tile of a ring slot"},
        {"kv_empty",     0, kv, 1,         "mma",                "load",       "a ring slot, until its MMAs have read it"},
        {"s_full",       0, q,  1,         "mma",                "softmax",    "S in tensor memory; PV of the step before is done too"},
        {"p_full",       0, q,  2 * group, "softmax+correction", "mma",        "the first p_split columns of P, and O rescaled"},
        {"p_last",       0, q,  group,     "softmax",            "mma",        "the other columns of P"},
        {"stats_full",   0, q,  group,     "softmax",            "correction", "a row's factor, at the end its sum"},
        {"stats_empty",  0, q,  group,     "correction",         "softmax",    "the row sums, until they have been read"},
        {"o_full",       0, q,  1,         "mma",                "correction", "the finished O in tensor memory"},
        {"o_smem_full",  0, q,  group,     "correction",         "epilogue",   "the O tile in shared memory"},
        {"o_smem_empty", 0, q,  1,         "epilogue",           "correction", "the O tile's shared memory, until TMA has read it"},
        /* clang-format on */
    };
    int offset = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].name, "p_last") == 0 && plan->p_split >= s->tile_n) continue;
        struct wl_plan_barrier *b = &plan->barriers[plan->barrier_count++];
        *b = rows[i];
        b->offset = offset;
        offset += 8 * b->count;
    }
    plan->smem[0] = (struct wl_plan_region){.name = "barriers", .size = offset, .count = 1, .align = 8};
    plan->smem_count = 1;
}

/* ---- shared memory ---- */

static void add_smem(struct wl_plan *plan, const char *name, int size, int count, int align) {
    const struct wl_plan_region *before = &plan->smem[plan->smem_count - 1];
    int offset = round_up(before->offset + before->stride * (before->count - 1) + before->size, align);
    plan->smem[plan->smem_count++] = (struct wl_plan_region){
        .name = name, .offset = offset, .size = size, .count = count, .stride = round_up(size, align), .align = align};
    plan->smem_bytes = offset + round_up(size, align) * (count - 1) + size;
}

static enum wl_status plan_smem(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    int q_bytes = plan->dim_blocks * s->tile_m * BLOCK_ROW_BYTES, kv_bytes = plan->dim_blocks * s->tile_n * BLOCK_ROW_BYTES;
    add_smem(plan, "tmem_address", 4, 1, 16);
    /* factor[q_tiles][128], then sum[q_tiles][128] */
    add_smem(plan, "stats", 2 * s->q_tiles * s->tile_m * STATS_BYTES, 1, 16);
    add_smem(plan, "O", q_bytes, s->q_tiles, TILE_ALIGN);
    add_smem(plan, "Q", q_bytes, s->q_tiles, TILE_ALIGN);
    int fixed = round_up(plan->smem_bytes, TILE_ALIGN);
    add_smem(plan, "KV", kv_bytes, s->stages_kv, TILE_ALIGN);
    if (plan->smem_bytes > plan->arch->smem_bytes) {
        char text[200];
        snprintf(text, sizeof text, "%d stages of %d B need %d B of shared memory with the rest, %s has %d B (%d fit)", s->stages_kv,
                 kv_bytes, plan->smem_bytes, plan->arch->name, plan->arch->smem_bytes, (plan->arch->smem_bytes - fixed) / kv_bytes);
        return fit(plan, error, WL_FIELD_stages_kv, text);
    }
    return WL_OK;
}

/* ---- the launch record ---- */

static void add_param(struct wl_launch *launch, enum wl_param_kind kind, enum wl_tensor tensor, int bytes, int rows, int *offset) {
    struct wl_param *p = &launch->params[launch->param_count++];
    *offset = round_up(*offset, kind == WL_PARAM_TENSOR_MAP ? 64 : bytes);
    *p = (struct wl_param){.kind = kind, .tensor = tensor, .offset = *offset};
    if (kind == WL_PARAM_TENSOR_MAP)
        p->box = (struct wl_tensor_box){.box = {BLOCK_DIM, rows, 1, 1}, .swizzle_bytes = BLOCK_ROW_BYTES};
    *offset += bytes;
}

/* An identifier: the schedule's name and what the kernel is specialised for. */
static void entry_name(const struct wl_plan *plan, char *out, size_t bytes) {
    snprintf(out, bytes, "%s_%s_d%d_%s", plan->schedule.name, plan->dtype == WL_BF16 ? "bf16" : "fp16", plan->head_dim,
             plan->causal ? "causal" : "full");
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    if (isdigit((unsigned char)out[0])) out[0] = '_';
}

static void plan_launch(struct wl_plan *plan) {
    struct wl_launch *l = &plan->launch;
    const struct wl_schedule *s = &plan->schedule;
    entry_name(plan, l->entry, sizeof l->entry);
    snprintf(l->target, sizeof l->target, "%s", plan->arch->name);
    l->threads = plan->threads;
    l->cluster = 1;
    l->smem_bytes = plan->smem_bytes;
    l->grid = s->scheduler == WL_SCHEDULER_SINGLE ? WL_GRID_TILES : WL_GRID_PERSISTENT;
    l->rows_per_tile = s->tile_m * s->q_tiles;
    l->head_dim = plan->head_dim;
    l->dtype = plan->dtype;
    l->causal = plan->causal;
    int offset = 0;
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_Q, 128, s->tile_m, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_K, 128, s->tile_n, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_V, 128, s->tile_n, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_O, 128, s->tile_m, &offset);
    add_param(l, WL_PARAM_POINTER, WL_TENSOR_LSE, 8, 0, &offset);
    static const enum wl_param_kind scalars[] = {WL_PARAM_SEQLEN_Q, WL_PARAM_SEQLEN_K, WL_PARAM_HEADS,     WL_PARAM_HEAD_RATIO,
                                                 WL_PARAM_M_TILES,  WL_PARAM_TILES,    WL_PARAM_SCALE_LOG2};
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) add_param(l, scalars[i], WL_TENSOR_Q, 4, 0, &offset);
}

enum wl_status wl_plan_sm100_forward(struct wl_plan *plan, struct wl_error *error) {
    const struct wl_schedule *s = &plan->schedule;
    if (s->cta_pair) return fit(plan, error, WL_FIELD_cta_pair, "this version plans kernels of one CTA only: false is allowed");
    plan->kernel = "sm100/forward/kernel";
    plan->head_dim_qk = round_up(plan->head_dim, 16);
    plan->head_dim_pv = round_up(plan->head_dim, 16);
    plan->dim_blocks = round_up(plan->head_dim, BLOCK_DIM) / BLOCK_DIM;
    plan->p_split = s->p_split < s->tile_n ? s->p_split : s->tile_n;
    plan->exp2_pairs = (int)lround(s->exp2_share * s->tile_n / 2);
    enum wl_status status = wl_exp2poly_fit(&plan->poly, s->exp2_degree, error);
    if (status == WL_OK) status = plan_roles(plan, error);
    if (status == WL_OK) status = plan_tmem(plan, error);
    if (status != WL_OK) return status;
    plan_barriers(plan);
    status = plan_smem(plan, error);
    if (status == WL_OK) plan_launch(plan);
    return status;
}
