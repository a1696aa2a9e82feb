#include "gen/plan_parts.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int wl_round_up(int value, int unit) { return (value + unit - 1) / unit * unit; }

struct wl_plan_tile wl_plan_tile_of(int head_dim, int columns) {
    return (struct wl_plan_tile){
        .blocks = wl_round_up(head_dim, columns) / columns, .columns = columns, .row_bytes = columns * WL_ELEMENT_BYTES};
}

int wl_plan_tile_bytes(const struct wl_plan_tile *tile, int rows) { return tile->blocks * rows * tile->row_bytes; }

enum wl_status wl_plan_refuse(const struct wl_plan *plan, struct wl_error *error, enum wl_field field, const char *format, ...) {
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const struct wl_schedule *s = &plan->schedule;
    return wl_fail(error, WL_ERR_FIT, wl_schedule_file(s, field), s->line[field], wl_field_name(field), "%s", text);
}

void wl_plan_add_role(struct wl_plan *plan, const char *name, int warp, int warps, int regs) {
    plan->roles[plan->role_count++] = (struct wl_plan_role){.name = name, .warp = warp, .warps = warps, .regs = regs};
}

void wl_plan_add_barrier(struct wl_plan *plan, struct wl_plan_barrier barrier) {
    const struct wl_plan_barrier *before = plan->barrier_count ? &plan->barriers[plan->barrier_count - 1] : NULL;
    barrier.offset = before ? before->offset + 8 * before->count : 0;
    plan->barriers[plan->barrier_count++] = barrier;
}

void wl_plan_close_barriers(struct wl_plan *plan) {
    const struct wl_plan_barrier *last = &plan->barriers[plan->barrier_count - 1];
    plan->smem[0] = (struct wl_plan_region){.name = "barriers", .size = last->offset + 8 * last->count, .count = 1, .align = 8};
    plan->smem_count = 1;
}

void wl_plan_add_smem(struct wl_plan *plan, const char *name, int size, int count, int align) {
    const struct wl_plan_region *before = &plan->smem[plan->smem_count - 1];
    int offset = wl_round_up(before->offset + before->stride * (before->count - 1) + before->size, align);
    int stride = wl_round_up(size, align);
    plan->smem[plan->smem_count++] = (struct wl_plan_region){
        .name = name, .offset = offset, .size = size, .count = count, .stride = stride, .align = align};
    plan->smem_bytes = offset + stride * (count - 1) + size;
}

/* Bytes of a ring of so many slots, which take K and V by turns. */
static int ring_bytes(const struct wl_plan *plan, int slots, int k_bytes, int v_bytes) {
    if (!plan->kv_shift) return slots * (k_bytes > v_bytes ? k_bytes : v_bytes);
    return slots / 2 * (k_bytes + v_bytes) + slots % 2 * k_bytes;
}

/* Where K tiles are larger, slots are large and small by turns: [K V K]. In an odd number of them each slot takes both
 * in turn, and K in a small one begins before it, where the slot before then has a V that leaves room: [V K V]. */
enum wl_status wl_plan_add_ring(struct wl_plan *plan, int k_bytes, int v_bytes, struct wl_error *error) {
    int stages = plan->schedule.stages_kv, room = plan->arch->smem_bytes - wl_round_up(plan->smem_bytes, WL_TILE_ALIGN);
    bool uneven = k_bytes > v_bytes && (k_bytes - v_bytes) / 2 % WL_TILE_ALIGN == 0 && plan->cluster == 1 &&
                  plan->schedule.s_stages == 1; /* by turns: with two S tiles a second K comes before the first V */
    plan->kv_shift = uneven ? (k_bytes - v_bytes) / 2 : 0;
    int stride = uneven ? (k_bytes + v_bytes) / 2 : ring_bytes(plan, 1, k_bytes, v_bytes), fit = 0;
    wl_plan_add_smem(plan, "KV", stride, stages, WL_TILE_ALIGN);
    struct wl_plan_region *ring = &plan->smem[plan->smem_count - 1];
    ring->size = ring_bytes(plan, stages, k_bytes, v_bytes) - (stages - 1) * stride;
    plan->smem_bytes = ring->offset + ring_bytes(plan, stages, k_bytes, v_bytes);
    if (plan->smem_bytes <= plan->arch->smem_bytes) return WL_OK;
    while (ring_bytes(plan, fit + 1, k_bytes, v_bytes) <= room) fit++;
    if (fit < 2)
        return wl_plan_refuse(plan, error, WL_FIELD_tile_n,
                              "two stages of %d B need %d B of shared memory with the rest, %s has %d B: choose smaller tiles",
                              stride, plan->arch->smem_bytes - room + ring_bytes(plan, 2, k_bytes, v_bytes), plan->arch->name, plan->arch->smem_bytes);
    return wl_plan_refuse(plan, error, WL_FIELD_stages_kv,
                          "%d stages of %d B need %d B of shared memory with the rest, %s has %d B (%d fit)", stages, stride,
                          plan->smem_bytes, plan->arch->name, plan->arch->smem_bytes, fit);
}

static int warp_regs(const struct wl_plan *plan, int warp, int idle_regs) {
    for (int i = 0; i < plan->role_count; i++)
        if (warp >= plan->roles[i].warp && warp < plan->roles[i].warp + plan->roles[i].warps) return plan->roles[i].regs;
    return idle_regs;
}

/* A warpgroup keeps what setmaxnreg gives it (all its warps the same); together no more than the CTA was launched with. */
enum wl_status wl_plan_registers(struct wl_plan *plan, int idle_regs, enum wl_field many, int groups_of_many, struct wl_error *error) {
    int last = 0;
    for (int i = 0; i < plan->role_count; i++)
        if (plan->roles[i].warp + plan->roles[i].warps > last) last = plan->roles[i].warp + plan->roles[i].warps;
    int groups = wl_round_up(last, WL_WARPGROUP) / WL_WARPGROUP, limit = plan->arch->regs_per_thread_max / 8 * 8;
    plan->threads = groups * WL_GROUP_THREADS;
    plan->regs_launch = plan->arch->regs_per_sm / plan->threads / 8 * 8;
    if (plan->regs_launch > limit) plan->regs_launch = limit;
    int pool = plan->regs_launch * groups, sum = 0, of_many = 0;
    for (int g = 0; g < groups; g++) sum += warp_regs(plan, g * WL_WARPGROUP, idle_regs);
    if (sum <= pool) return WL_OK;
    for (int i = 0; i < plan->role_count; i++)
        if (plan->roles[i].regs > of_many) of_many = plan->roles[i].regs;
    int fits = (of_many - (sum - pool + groups_of_many - 1) / groups_of_many) / 8 * 8;
    return wl_plan_refuse(plan, error, many,
                          "the warpgroups' budgets sum to %d registers a thread, %d x %d = %d are there (%s = %d fits)", sum, groups,
                          plan->regs_launch, pool, wl_field_name(many), fits);
}

static void add_param(struct wl_launch *launch, enum wl_param_kind kind, enum wl_tensor tensor, int bytes,
                      const struct wl_plan_tile *tile, int rows, int *offset) {
    struct wl_param *p = &launch->params[launch->param_count++];
    *offset = wl_round_up(*offset, kind == WL_PARAM_TENSOR_MAP ? 64 : bytes);
    *p = (struct wl_param){.kind = kind, .tensor = tensor, .offset = *offset};
    if (kind == WL_PARAM_TENSOR_MAP)
        p->box = (struct wl_tensor_box){.box = {tile->columns, rows, 1, 1}, .swizzle_bytes = tile->row_bytes};
    *offset += bytes;
}

/* An identifier: the schedule's name and what the kernel is specialised for. */
static void entry_name(const struct wl_plan *plan, char *out, size_t bytes) {
    int length = snprintf(out, bytes, "%s_%s_d%d", plan->schedule.name, plan->dtype == WL_BF16 ? "bf16" : "fp16", plan->head_dim);
    if (plan->head_dim_v != plan->head_dim && length < (int)bytes)
        length += snprintf(out + length, bytes - (size_t)length, "v%d", plan->head_dim_v);
    if (length < (int)bytes) snprintf(out + length, bytes - (size_t)length, "_%s", plan->causal ? "causal" : "full");
    for (char *c = out; *c; c++)
        if (!isalnum((unsigned char)*c)) *c = '_';
    if (isdigit((unsigned char)out[0])) out[0] = '_';
}

void wl_plan_launch_forward(struct wl_plan *plan, int rows_per_tile, int o_rows) {
    struct wl_launch *l = &plan->launch;
    const struct wl_schedule *s = &plan->schedule;
    entry_name(plan, l->entry, sizeof l->entry);
    snprintf(l->target, sizeof l->target, "%s", plan->arch->name);
    l->threads = plan->threads;
    l->cluster = plan->cluster;
    l->smem_bytes = plan->smem_bytes;
    l->grid = plan->scheduler == WL_SCHEDULER_PERSISTENT || plan->scheduler == WL_SCHEDULER_LPT ? WL_GRID_PERSISTENT : WL_GRID_TILES;
    l->rows_per_tile = rows_per_tile;
    l->head_dim = plan->head_dim;
    l->head_dim_v = plan->head_dim_v;
    l->dtype = plan->dtype;
    l->causal = plan->causal;
    int offset = 0;
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_Q, 128, &plan->qk, s->tile_m, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_K, 128, &plan->qk, plan->kv_rows, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_V, 128, &plan->v, s->tile_n, &offset);
    add_param(l, WL_PARAM_TENSOR_MAP, WL_TENSOR_O, 128, &plan->pv, o_rows, &offset);
    add_param(l, WL_PARAM_POINTER, WL_TENSOR_LSE, 8, NULL, 0, &offset);
    static const enum wl_param_kind scalars[] = {WL_PARAM_SEQLEN_Q, WL_PARAM_SEQLEN_K, WL_PARAM_HEADS,     WL_PARAM_HEAD_RATIO,
                                                 WL_PARAM_M_TILES,  WL_PARAM_TILES,    WL_PARAM_SCALE_LOG2};
    for (size_t i = 0; i < sizeof scalars / sizeof scalars[0]; i++) add_param(l, scalars[i], WL_TENSOR_Q, 4, NULL, 0, &offset);
}
