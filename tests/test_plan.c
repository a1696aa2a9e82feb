/* The planner: what fits is laid out without overlap, what does not is refused by name, number and way out. */
#include "gen/emit.h"
#include "gen/plan.h"
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

static enum wl_status plan(const char *schedule, const char *const *overrides, int count, int head_dim, struct wl_plan *out,
                           struct wl_error *error) {
    struct wl_schedule s;
    const struct wl_specialization special = {.head_dim = head_dim, .dtype = -1, .causal = -1};
    memset(error, 0, sizeof *error);
    enum wl_status status = wl_schedule_load(&s, schedule, overrides, count, error);
    return status == WL_OK ? wl_plan_make(out, &s, &special, error) : status;
}

/* ---- what does not fit ---- */

static const struct refusal {
    const char *schedule, *overrides[6];
    int head_dim;
    enum wl_status status;
    const char *field, *text; /* text: a part of the message */
} refusals[] = {
    {"sm100_fwd_hd128", {"stages_kv=4"}, 128, WL_ERR_FIT, "stages_kv", "(3 fit)"},
    {"sm100_fwd_hd64", {"stages_kv=11"}, 64, WL_ERR_FIT, "stages_kv", "(10 fit)"},
    {"sm100_fwd_hd128", {"regs_softmax=208"}, 128, WL_ERR_FIT, "regs_softmax", "sum to 544"},
    {"sm100_fwd_hd128", {"regs_other=64"}, 128, WL_ERR_FIT, "regs_softmax", "regs_softmax = 184 fits"},
    {"sm100_fwd_hd128", {"warp_softmax=2"}, 128, WL_ERR_FIT, "warp_softmax", "multiple of 4"},
    {"sm100_fwd_hd128", {"warp_correction=4"}, 128, WL_ERR_FIT, "warp_correction", "taken by softmax"},
    {"sm100_fwd_hd128", {"warp_mma=13"}, 128, WL_ERR_FIT, "warp_epilogue", "warp 13 is taken by mma"},
    {"sm100_fwd_hd128", {"warp_load=9"}, 128, WL_ERR_FIT, "warp_load", "taken by correction"},
    {"sm100_fwd_hd128", {"warp_softmax=12"}, 128, WL_ERR_FIT, "warp_softmax", "has 16"},
    {"sm90_fwd_hd128", {"scheduler=clc"}, 128, WL_ERR_FIT, "scheduler", "begins with sm_100"},
    {"sm100_fwd_hd192", {"stages_kv=4"}, 192, WL_ERR_FIT, "stages_kv", "(3 fit)"},
    {"sm100_fwd_hd192", {"o_over_q=false"}, 192, WL_ERR_FIT, "tile_n", "two stages"},
    {"sm100_fwd_hd64", {"o_over_q=true", "head_dim_v=128", "stages_kv=4"}, 64, WL_ERR_FIT, "o_over_q", "does not fit where a Q tile of 16384 B was"},
    {"sm100_fwd_hd192", {"head_dim_v=256"}, 192, WL_ERR_FIT, "q_tiles", "leaves S no columns"},
    {"sm90_fwd_hd192", {"head_dim_v=128"}, 192, WL_ERR_INPUT, "head_dim_v", "sm_90a"},
    {"sm100_fwd_hd96", {"stages_kv=6"}, 96, WL_ERR_FIT, "stages_kv", "(5 fit)"},
    {"sm100_fwd_hd96", {NULL}, 104, WL_ERR_INPUT, "head_dim", "72 to 96"},
    {"sm100_fwd_hd128", {NULL}, 64, WL_ERR_INPUT, "head_dim", "104 to 128"},
    {"sm100_fwd_hd128", {NULL}, 136, WL_ERR_INPUT, "head_dim", "104 to 128"},
    {"sm100_fwd_hd128", {"cta_pair=true", "stages_kv=7"}, 128, WL_ERR_FIT, "stages_kv", "(6 fit)"},
    {"sm100_fwd_hd64", {"cta_pair=true", "stages_kv=21"}, 64, WL_ERR_FIT, "stages_kv", "(20 fit)"},
    {"sm100_fwd_hd128", {"s_stages=2"}, 128, WL_ERR_FIT, "s_stages", "q_tiles = 1 or s_stages = 1 fits"},
    {"sm100_fwd_hd128", {"head_dim=256"}, 256, WL_ERR_FIT, "q_tiles", "1 fits"},
    {"sm100_fwd_hd256", {"cta_pair=false"}, 256, WL_ERR_FIT, "tile_n", "two stages of 65536 B"},
    {"sm100_fwd_hd256", {"stages_kv=4"}, 256, WL_ERR_FIT, "stages_kv", "(3 fit)"},
    {"sm100_fwd_full_hd128", {"causal=true"}, 128, WL_ERR_INPUT, "causal", "masks = \"full\""},
    {"sm90_fwd_hd128", {"masks=causal", "causal=false"}, 128, WL_ERR_INPUT, "causal", "masks = \"causal\""},
    {"sm90_fwd_hd128", {"cta_pair=true"}, 128, WL_ERR_INPUT, "cta_pair", "no such field"},
    {"sm100_fwd_hd128", {NULL}, 100, WL_ERR_INPUT, "head_dim", "multiple of 8"},
};

ParameterizedTestParameters(plan, refuses) { return wl_test_rows(WL_LEN(refusals)); }
ParameterizedTest(size_t *i, plan, refuses) {
    const struct refusal *r = &refusals[*i];
    struct wl_plan p;
    struct wl_error error;
    int count = 0;
    while (count < 6 && r->overrides[count]) count++;
    enum wl_status status = plan(r->schedule, r->overrides, count, r->head_dim, &p, &error);
    cr_expect_eq(status, r->status, "row %zu: status %d, %s", *i, status, error.text);
    cr_expect_str_eq(error.field, r->field, "row %zu: %s", *i, error.text);
    cr_expect(strstr(error.text, r->text), "row %zu: \"%s\" lacks \"%s\"", *i, error.text, r->text);
}

/* ---- what fits ---- */

static const struct fitting {
    const char *schedule, *overrides[6];
    int head_dim;
} fittings[] = {
    {"sm100_fwd_hd128", {NULL}, 128},
    {"sm100_fwd_hd128", {"causal=true", "dtype=fp16"}, 104},
    {"sm100_fwd_hd192", {NULL}, 192},
    {"sm100_fwd_hd192", {"stages_kv=2"}, 136},
    {"sm100_fwd_hd192", {"tile_n=64", "stages_kv=6", "p_split=32"}, 160},
    {"sm100_fwd_hd128", {"o_over_q=true", "stages_kv=5"}, 128},
    {"sm100_fwd_hd96", {NULL}, 96},
    {"sm100_fwd_hd96", {NULL}, 72},
    {"sm100_fwd_hd128", {"q_tiles=1", "stages_kv=4"}, 128},
    {"sm100_fwd_hd128", {"tile_n=32", "stages_kv=12", "p_split=16"}, 128},
    {"sm100_fwd_hd128", {"warp_softmax=4", "warp_correction=12", "warp_mma=0", "warp_epilogue=1", "warp_load=2"}, 128},
    {"sm100_fwd_hd128", {"cta_pair=true", "stages_kv=6", "causal=true"}, 104},
    {"sm100_fwd_hd96", {"cta_pair=true", "stages_kv=7"}, 72},
    {"sm100_fwd_hd64", {"cta_pair=true", "stages_kv=20"}, 8},
    {"sm100_fwd_full_hd128", {NULL}, 128},
    {"sm100_fwd_hd256", {NULL}, 256},
    {"sm100_fwd_hd256", {NULL}, 136},
    {"sm100_fwd_hd256", {"cta_pair=false", "tile_n=64"}, 256},
    {"sm100_fwd_hd128", {"q_tiles=1", "s_stages=2"}, 128},
    {"sm100_fwd_hd64", {NULL}, 64},
    {"sm100_fwd_hd64", {"scheduler=clc"}, 64},
    {"sm100_fwd_full_hd128", {"scheduler=clc"}, 128},
    {"sm100_fwd_hd64", {"scheduler=clc", "q_tiles=1", "warp_mma=8", "warp_load=9", "warp_epilogue=11", "warp_correction=4"}, 64},
    {"sm100_fwd_hd64", {"p_split=128"}, 40},
    {"sm100_fwd_hd64", {NULL}, 8},
};

static void expect_disjoint(const struct wl_plan_region *regions, int count, int limit, const char *what, size_t row) {
    for (int i = 0; i < count; i++) {
        int end = regions[i].offset + regions[i].stride * (regions[i].count - 1) + regions[i].size;
        cr_expect_eq(regions[i].offset % regions[i].align, 0, "row %zu: %s %s not aligned", row, what, regions[i].name);
        cr_expect_leq(end, limit, "row %zu: %s %s ends at %d of %d", row, what, regions[i].name, end, limit);
        for (int j = 0; j < i; j++) {
            bool over = strcmp(regions[j].name, "O") == 0 && strcmp(regions[i].name, "Q") == 0 && regions[i].offset == regions[j].offset;
            int end_j = regions[j].offset + regions[j].stride * (regions[j].count - 1) + regions[j].size;
            cr_expect(over || end <= regions[j].offset || end_j <= regions[i].offset, "row %zu: %s %s overlaps %s", row, what,
                      regions[i].name, regions[j].name);
        }
    }
}

ParameterizedTestParameters(plan, lays_out) { return wl_test_rows(WL_LEN(fittings)); }
ParameterizedTest(size_t *i, plan, lays_out) {
    const struct fitting *f = &fittings[*i];
    struct wl_plan p;
    struct wl_error error;
    int count = 0;
    while (count < 6 && f->overrides[count]) count++;
    cr_assert_eq(plan(f->schedule, f->overrides, count, f->head_dim, &p, &error), WL_OK, "row %zu: %s", *i, error.text);
    expect_disjoint(p.smem, p.smem_count, p.arch->smem_bytes, "smem", *i);
    int end = p.smem[0].size;
    for (int b = 0; b < p.barrier_count; b++) {
        cr_expect_leq(p.barriers[b].offset + 8 * p.barriers[b].count, end, "row %zu: barrier %s", *i, p.barriers[b].name);
        if (b) cr_expect_eq(p.barriers[b].offset, p.barriers[b - 1].offset + 8 * p.barriers[b - 1].count);
    }
    const struct wl_plan_region *s = wl_plan_tmem(&p, "S"), *in = wl_plan_tmem(&p, "P"), *o = wl_plan_tmem(&p, "O");
    cr_expect(in->offset >= s->offset && in->offset + in->size <= s->offset + s->size, "row %zu: P is not inside S", *i);
    cr_expect_geq(o->offset, s->offset + s->stride * s->count);
    cr_expect_leq(o->offset + o->stride * (o->count - 1) + o->size, p.tmem_cols);
    cr_expect_eq(p.tmem_cols & (p.tmem_cols - 1), 0);
    cr_expect_eq(p.launch.smem_bytes, (uint32_t)p.smem_bytes);
    cr_expect_eq(p.launch.threads % 128, 0u);
}

/* The header comments of the role templates are checked on every emission; here: that the check can fail. */
Test(emit_check, names_what_is_missing) {
    struct wl_plan p;
    struct wl_error error;
    cr_assert_eq(plan("sm100_fwd_hd128", NULL, 0, 128, &p, &error), WL_OK);
    struct wl_text ptx = {0};
    cr_assert_eq(wl_emit(&p, &ptx, &error), WL_OK, "%s", error.text);
    wl_text_fini(&ptx);
    for (int b = 0; b < p.barrier_count; b++)
        if (strcmp(p.barriers[b].name, "o_full") == 0) p.barriers[b].to = "epilogue";
    cr_expect_eq(wl_emit(&p, &ptx, &error), WL_ERR_INTERNAL);
    cr_expect(strstr(error.text, "o_full"), "%s", error.text);
    wl_text_fini(&ptx);
}
