/* emit: puts the plan's numbers into the templates' environment, expands the kernel, and writes the header comment. */
#include "gen/emit.h"
#include "gen/emit_check.h"
#include "gen/template.h"
#include "gen/umma.h"
#include "gen/version.h"

#include <lua.h>
#include <stdio.h>
#include <string.h>

static void set_int(lua_State *L, const char *key, lua_Integer value) {
    lua_pushinteger(L, value);
    lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value) {
    lua_pushnumber(L, value);
    lua_setfield(L, -2, key);
}

static void set_bool(lua_State *L, const char *key, bool value) {
    lua_pushboolean(L, value);
    lua_setfield(L, -2, key);
}

static void set_text(lua_State *L, const char *key, const char *value) {
    lua_pushstring(L, value);
    lua_setfield(L, -2, key);
}

/* name -> first offset; templates add 8 for each further one */
static void push_barriers(lua_State *L, const struct wl_plan *plan) {
    lua_newtable(L);
    for (int i = 0; i < plan->barrier_count; i++) set_int(L, plan->barriers[i].name, plan->barriers[i].offset);
}

/* array of rows, for the initialisation */
static void push_barrier_rows(lua_State *L, const struct wl_plan *plan) {
    lua_newtable(L);
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        lua_newtable(L);
        set_text(L, "name", b->name);
        set_text(L, "from", b->from);
        set_text(L, "to", b->to);
        set_text(L, "protects", b->protects);
        set_int(L, "offset", b->offset);
        set_int(L, "count", b->count);
        set_int(L, "arrivals", b->arrivals);
        lua_rawseti(L, -2, i + 1);
    }
}

static void push_smem(lua_State *L, const struct wl_plan *plan) {
    lua_newtable(L);
    for (int i = 0; i < plan->smem_count; i++) {
        const struct wl_plan_region *r = &plan->smem[i];
        lua_newtable(L);
        set_int(L, "offset", r->offset);
        set_int(L, "size", r->size);
        set_int(L, "stride", r->stride);
        lua_setfield(L, -2, r->name);
    }
}

/* tmem.S[i]: column of the i-th S; tmem.S_stride */
static void push_tmem(lua_State *L, const struct wl_plan *plan) {
    lua_newtable(L);
    for (int i = 0; i < plan->tmem_count; i++) {
        const struct wl_plan_region *r = &plan->tmem[i];
        char stride[32];
        lua_newtable(L);
        for (int k = 0; k < r->count; k++) {
            lua_pushinteger(L, r->offset + k * r->stride);
            lua_rawseti(L, -2, k);
        }
        lua_setfield(L, -2, r->name);
        snprintf(stride, sizeof stride, "%s_stride", r->name);
        set_int(L, stride, r->stride);
    }
}

static void push_role(lua_State *L, const struct wl_plan_role *r) {
    char warps[32];
    if (r->warps > 1) snprintf(warps, sizeof warps, "%d-%d", r->warp, r->warp + r->warps - 1);
    else snprintf(warps, sizeof warps, "%d", r->warp);
    lua_newtable(L);
    set_text(L, "name", r->name);
    set_text(L, "warps", warps);
    set_int(L, "warp", r->warp);
    set_int(L, "warp_count", r->warps);
    set_int(L, "regs", r->regs);
}

static void push_roles(lua_State *L, const struct wl_plan *plan, bool by_name) {
    lua_newtable(L);
    for (int i = 0; i < plan->role_count; i++) {
        push_role(L, &plan->roles[i]);
        if (by_name) lua_setfield(L, -2, plan->roles[i].name);
        else lua_rawseti(L, -2, i + 1);
    }
}

/* As a PTX literal. */
static void push_float(lua_State *L, float value) {
    char bits[16];
    uint32_t u;
    memcpy(&u, &value, sizeof u);
    snprintf(bits, sizeof bits, "0f%08X", u);
    lua_pushstring(L, bits);
}

static void set_float(lua_State *L, const char *key, float value) {
    push_float(L, value);
    lua_setfield(L, -2, key);
}

/* The pairs of a row that the FMA pipe takes lie evenly among the others, so that both pipes stay fed. */
static void push_exp2(lua_State *L, const struct wl_plan *plan) {
    const int pairs = plan->schedule.tile_n / 2;
    lua_newtable(L);
    for (int i = 0; i < pairs; i++) {
        lua_pushboolean(L, (i + 1) * plan->exp2_pairs / pairs != i * plan->exp2_pairs / pairs);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "exp2_on_fma");
    const struct wl_exp2poly *poly = &plan->poly;
    lua_newtable(L);
    set_float(L, "magic", poly->magic);
    set_float(L, "k", poly->k);
    set_float(L, "minus_k", -poly->k);
    set_float(L, "r", poly->r);
    for (int i = 0; i <= poly->degree - 2; i++) {
        push_float(L, poly->a[i]);
        lua_rawseti(L, -2, i);
    }
    lua_setfield(L, -2, "exp2_poly");
    set_int(L, "exp2_pairs", plan->exp2_pairs);
    set_int(L, "exp2_degree", poly->degree);
}

static void push_tile(lua_State *L, const char *key, const struct wl_plan_tile *tile) {
    lua_newtable(L);
    set_int(L, "blocks", tile->blocks);
    set_int(L, "columns", tile->columns);
    set_int(L, "row_bytes", tile->row_bytes);
    lua_setfield(L, -2, key);
}

static void push_descriptors(lua_State *L, const struct wl_plan *plan) {
    const struct wl_schedule *s = &plan->schedule;
    const uint32_t k_span = (uint32_t)plan->qk.row_bytes, n_span = (uint32_t)plan->v.row_bytes;
    const struct wl_smem_desc k_major = {.sbo = 8 * k_span, .swizzle_bytes = k_span};
    /* V has head_dim along N: the next column block's elements are a block away */
    const struct wl_smem_desc n_major = {
        .lbo = plan->v.blocks > 1 ? (uint32_t)s->tile_n * n_span : 0, .sbo = 8 * n_span, .swizzle_bytes = n_span};
    uint64_t (*const desc)(const struct wl_smem_desc *) = plan->arch->tmem_cols ? wl_umma_smem_desc : wl_wgmma_smem_desc;
    set_int(L, "desc_high", (lua_Integer)(desc(&k_major) >> 32));
    set_int(L, "v_desc_high", (lua_Integer)(desc(&n_major) >> 32));
    set_int(L, "v_low_or", (lua_Integer)(desc(&n_major) & 0xffffffffu));
    if (!plan->arch->tmem_cols) return; /* wgmma has its shape in the instruction's name */
    const int m = plan->cluster * s->tile_m;
    const struct wl_instr_desc qk = {.ab = plan->dtype, .d_f32 = true, .m = m, .n = s->tile_n};
    const struct wl_instr_desc pv = {
        .ab = plan->dtype, .d_f32 = true, .b_major = WL_MAJOR_MN, .m = m, .n = plan->head_dim_pv};
    set_int(L, "idesc_qk", wl_umma_instr_desc(&qk));
    set_int(L, "idesc_pv", wl_umma_instr_desc(&pv));
}

static void push_plan(lua_State *L, const struct wl_plan *plan) {
    const struct wl_schedule *s = &plan->schedule;
    char choice[32];
    lua_newtable(L);
    set_text(L, "entry", plan->launch.entry);
    set_text(L, "target", plan->arch->name);
    set_text(L, "ptx_version", plan->arch->ptx_version);
    set_text(L, "scheduler", wl_field_choice(WL_FIELD_scheduler, plan->scheduler, choice, sizeof choice));
    set_text(L, "rescale", wl_field_choice(WL_FIELD_rescale, s->rescale, choice, sizeof choice));
    set_text(L, "head_order", wl_field_choice(WL_FIELD_head_order, plan->head_order, choice, sizeof choice));
    set_bool(L, "longest_first", plan->longest_first);
    set_bool(L, "turns_unrolled", plan->turns_unrolled);
    set_text(L, "dtype", plan->dtype == WL_BF16 ? "bf16" : "f16");
    set_text(L, "cvt_pack", plan->dtype == WL_BF16 ? "cvt.rn.bf16x2.f32" : "cvt.rn.f16x2.f32");
    set_bool(L, "causal", plan->causal);
    set_number(L, "rescale_threshold", s->rescale_threshold);
    set_number(L, "rescale_weight", s->rescale_weight);
    set_bool(L, "rescale_always", s->rescale_always);
    set_bool(L, "ping_pong", s->ping_pong && s->tile_m > 64);
    set_int(L, "warpgroups", s->tile_m / 64);
    set_int(L, "threads", plan->threads);
    set_int(L, "regs_launch", plan->regs_launch);
    set_int(L, "tile_m", s->tile_m);
    set_int(L, "tile_n", s->tile_n);
    set_int(L, "q_tiles", s->q_tiles);
    set_int(L, "s_stages", s->s_stages);
    set_int(L, "stages_kv", s->stages_kv);
    const struct wl_plan_barrier *tile_full = wl_plan_barrier(plan, "tile_full");
    set_int(L, "tile_slots", tile_full ? tile_full->count : 0);
    set_int(L, "stages_q", s->stages_q);
    set_int(L, "p_split", plan->p_split);
    set_int(L, "rows_per_tile", plan->launch.rows_per_tile);
    push_tile(L, "qk", &plan->qk);
    push_tile(L, "pv", &plan->pv);
    push_tile(L, "v", &plan->v);
    set_int(L, "cluster", plan->cluster);
    set_bool(L, "cta_pair", s->cta_pair);
    set_int(L, "kv_rows", plan->kv_rows);
    set_int(L, "kv_shift", plan->kv_shift);
    set_bool(L, "o_over_q", s->o_over_q);
    set_int(L, "head_dim_pv", plan->head_dim_pv);
    set_int(L, "qk_steps", plan->head_dim_qk / 16);
    set_int(L, "pv_steps", s->tile_n / 16);
    set_int(L, "tmem_cols", plan->tmem_cols);
    set_int(L, "l2_keys", plan->l2_keys);
    set_int(L, "sms", plan->arch->sms);
    push_exp2(L, plan);
    push_descriptors(L, plan);
    push_barrier_rows(L, plan);
    lua_setfield(L, -2, "barriers");
    push_roles(L, plan, false);
    lua_setfield(L, -2, "roles");
}

static int push_globals(lua_State *L, const void *data) {
    const struct wl_plan *plan = data;
    push_plan(L, plan);
    lua_setfield(L, -2, "plan");
    push_barriers(L, plan);
    lua_setfield(L, -2, "bar");
    push_smem(L, plan);
    lua_setfield(L, -2, "smem");
    push_tmem(L, plan);
    lua_setfield(L, -2, "tmem");
    push_roles(L, plan, true);
    lua_setfield(L, -2, "role");
    return 0;
}

/* ---- the header comment ---- */

static void header_schedule(const struct wl_plan *plan, struct wl_text *ptx) {
    char value[64];
    for (int f = 0; f < WL_FIELD_COUNT; f++)
        if (wl_field_applies(f, plan->arch->name)) wl_text_printf(ptx, "//   %-18s %s\n", wl_field_name(f), wl_schedule_value(&plan->schedule, f, value, sizeof value));
}

static void header(const struct wl_plan *plan, struct wl_text *ptx) {
    wl_text_printf(ptx, "// %s: attention forward, head_dim %d, %s, %s; by warploom %s\n//\n// schedule\n", plan->launch.entry,
                   plan->head_dim, plan->dtype == WL_BF16 ? "bf16" : "fp16", plan->causal ? "causal" : "full", WL_VERSION);
    header_schedule(plan, ptx);
    wl_text_printf(ptx, "//\n// warps: %d threads, %d registers each at launch\n", plan->threads, plan->regs_launch);
    if (plan->cluster > 1) wl_text_printf(ptx, "// cluster: %d CTAs; what follows is each one's\n", plan->cluster);
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        wl_text_printf(ptx, "//   %-12s warps %2d to %2d, %3d registers\n", r->name, r->warp, r->warp + r->warps - 1, r->regs);
    }
    wl_text_printf(ptx, "//\n// shared memory: %d of %d B\n", plan->smem_bytes, plan->arch->smem_bytes);
    for (int i = 0; i < plan->smem_count; i++) {
        const struct wl_plan_region *r = &plan->smem[i];
        wl_text_printf(ptx, "//   %6d  %-12s %d x %d B\n", r->offset, r->name, r->count, r->size);
    }
    wl_text_printf(ptx, "//\n// tensor memory: %d columns\n", plan->tmem_cols);
    for (int i = 0; i < plan->tmem_count; i++) {
        const struct wl_plan_region *r = &plan->tmem[i];
        for (int k = 0; k < r->count; k++)
            wl_text_printf(ptx, "//   [%3d, %3d)  %s%d\n", r->offset + k * r->stride, r->offset + k * r->stride + r->size, r->name, k);
    }
    wl_text_printf(ptx, "//\n// mbarriers: offset, count, arrivals a phase\n");
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        wl_text_printf(ptx, "//   %4d %3d %4d  %-12s %s -> %s: %s\n", b->offset, b->count, b->arrivals, b->name, b->from, b->to, b->protects);
    }
    wl_text_printf(ptx, "\n");
}

enum wl_status wl_emit(const struct wl_plan *plan, struct wl_text *ptx, struct wl_error *error) {
    header(plan, ptx);
    enum wl_status status = wl_template_expand(plan->kernel, push_globals, plan, ptx, error);
    if (status != WL_OK) return status;
    if (ptx->failed) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory writing the PTX");
    return wl_emit_check(plan, ptx->bytes, error);
}
