/* knobs: legal values of every schedule field that shapes a forward kernel, as overrides.
 * tests/test_emit.c shows that each changes the PTX, tests/test_attention.c that each stays correct. */
#ifndef WL_KNOBS_H
#define WL_KNOBS_H

struct wl_knob {
    const char *schedule;
    const char *overrides[6]; /* key=value; the first is the knob, the others make room for it */
    const char *base;         /* an override of both sides of the comparison; NULL: none */
};

/* clang-format off */
static const struct wl_knob wl_knobs[] = {
    {"sm100_fwd_hd128", {"causal=true"}, NULL},
    {"sm100_fwd_hd128", {"dtype=fp16"}, NULL},
    {"sm100_fwd_hd128", {"target=sm_103a"}, NULL},
    {"sm100_fwd_hd128", {"exp2_degree=2"}, NULL},
    {"sm100_fwd_hd128", {"exp2_degree=3"}, NULL},
    {"sm100_fwd_hd128", {"exp2_degree=4"}, NULL},
    {"sm100_fwd_hd128", {"exp2_degree=5"}, NULL},
    {"sm100_fwd_hd128", {"exp2_degree=2", "exp2_share=1"}, NULL},
    {"sm100_fwd_hd64",  {"exp2_degree=2", "exp2_share=0.5"}, NULL},
    {"sm100_fwd_hd128", {"exp2_share=0"}, NULL},
    {"sm100_fwd_hd128", {"exp2_share=0.25"}, NULL},
    {"sm100_fwd_hd128", {"exp2_share=0.5"}, NULL},
    {"sm100_fwd_hd128", {"exp2_share=1"}, NULL},
    {"sm100_fwd_hd128", {"rescale_threshold=0"}, NULL},
    {"sm100_fwd_hd128", {"rescale_threshold=4"}, NULL},
    {"sm100_fwd_hd128", {"rescale_threshold=8"}, NULL},
    {"sm100_fwd_hd128", {"rescale_threshold=2.5"}, NULL},
    {"sm100_fwd_hd128", {"stages_kv=2"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=2"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=3"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=7"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=10"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=32", "tile_n=32"}, NULL},
    {"sm100_fwd_hd128", {"tile_n=32"}, NULL},
    {"sm100_fwd_hd128", {"tile_n=64"}, NULL},
    {"sm100_fwd_hd128", {"tile_n=96"}, NULL},
    {"sm100_fwd_hd64",  {"tile_n=96"}, NULL},
    {"sm100_fwd_hd128", {"q_tiles=1"}, NULL},
    {"sm100_fwd_hd64",  {"q_tiles=1"}, NULL},
    {"sm100_fwd_hd128", {"p_split=16"}, NULL},
    {"sm100_fwd_hd128", {"p_split=64"}, NULL},
    {"sm100_fwd_hd128", {"p_split=80"}, NULL},
    {"sm100_fwd_hd128", {"p_split=112"}, NULL},
    {"sm100_fwd_hd128", {"p_split=128"}, NULL},
    {"sm100_fwd_hd128", {"regs_softmax=184", "regs_correction=88"}, NULL},
    {"sm100_fwd_hd128", {"regs_correction=72", "regs_other=56"}, NULL},
    {"sm100_fwd_hd128", {"regs_other=40"}, NULL},
    {"sm100_fwd_hd128", {"warp_mma=15"}, NULL},
    {"sm100_fwd_hd128", {"warp_load=15"}, NULL},
    {"sm100_fwd_hd128", {"warp_epilogue=15"}, NULL},
    {"sm100_fwd_hd128", {"warp_correction=0", "warp_softmax=4"}, NULL},
    {"sm100_fwd_hd128", {"warp_softmax=8", "warp_correction=4", "warp_mma=0", "warp_load=1", "warp_epilogue=2"}, NULL},
    {"sm100_fwd_hd128", {"scheduler=single"}, NULL},
    {"sm100_fwd_hd128", {"scheduler=lpt"}, "causal=false"},
    {"sm100_fwd_hd128", {"scheduler=persistent"}, "causal=true"}, /* what auto is for full attention */
    {"sm100_fwd_hd128", {"scheduler=auto"}, NULL},
    {"sm100_fwd_hd128", {"scheduler=single"}, "causal=true"},
    {"sm100_fwd_hd128", {"scheduler=clc"}, NULL},
    {"sm100_fwd_hd128", {"scheduler=clc"}, "causal=true"},
    {"sm100_fwd_hd64",  {"scheduler=clc", "q_tiles=1"}, NULL},
    {"sm100_fwd_hd64",  {"scheduler=clc", "warp_epilogue=15"}, NULL},
    {"sm100_fwd_hd64",  {"scheduler=clc", "head_order=group"}, NULL},
    {"sm100_fwd_hd128", {"head_order=group"}, NULL},
    {"sm100_fwd_hd128", {"head_order=section"}, NULL},
    {"sm100_fwd_hd128", {"head_order=section"}, "scheduler=single"},
    {"sm100_fwd_hd128", {"head_order=head"}, "causal=true"},
    {"sm100_fwd_hd128", {"head_order=group"}, "causal=true"},
    {"sm100_fwd_hd128", {"head_order=auto"}, NULL},
    {"sm100_fwd_hd96",  {"stages_kv=2"}, NULL},
    {"sm100_fwd_hd96",  {"tile_n=96"}, NULL},
    {"sm100_fwd_hd96",  {"q_tiles=1"}, NULL},
    {"sm100_fwd_hd96",  {"dtype=fp16"}, NULL},
    {"sm100_fwd_hd96",  {"causal=true"}, NULL},
    {"sm100_fwd_hd128", {"cta_pair=true"}, NULL},
    {"sm100_fwd_hd128", {"stages_kv=6"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"tile_n=32"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"tile_n=96"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"q_tiles=1"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"p_split=128"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"scheduler=single"}, "cta_pair=true"},
    {"sm100_fwd_hd128", {"head_order=section"}, "cta_pair=true"},
    {"sm100_fwd_hd64",  {"cta_pair=true"}, NULL},
    {"sm100_fwd_hd64",  {"stages_kv=20"}, "cta_pair=true"},
    {"sm100_fwd_hd96",  {"cta_pair=true"}, NULL},
    {"sm100_fwd_hd128", {"s_stages=2"}, "q_tiles=1"},
    {"sm100_fwd_hd64",  {"s_stages=2", "tile_n=64", "p_split=48"}, "q_tiles=1"},
    {"sm100_fwd_hd256", {"causal=true"}, NULL},
    {"sm100_fwd_hd256", {"dtype=fp16"}, NULL},
    {"sm100_fwd_hd256", {"s_stages=1"}, NULL},
    {"sm100_fwd_hd256", {"stages_kv=2"}, NULL},
    {"sm100_fwd_hd256", {"exp2_share=0.25"}, NULL},
    {"sm100_fwd_hd256", {"p_split=128"}, NULL},
    {"sm100_fwd_hd256", {"cta_pair=false", "tile_n=64"}, NULL},
    {"sm100_fwd_hd256", {"scheduler=single"}, NULL},
    {"sm100_fwd_hd128", {"name=another"}, NULL},
    {"sm90_fwd_hd64",   {"tile_m=64", "regs_consumer=248", "regs_load=40"}, NULL},
    {"sm90_fwd_hd64",   {"tile_m=128", "regs_consumer=240", "regs_load=24"}, NULL},
    {"sm90_fwd_hd64",   {"tile_m=256", "tile_n=64", "regs_consumer=112", "regs_load=24"}, NULL},
    {"sm90_fwd_hd128",  {"tile_n=48"}, NULL},
    {"sm90_fwd_hd128",  {"stages_kv=2"}, NULL},
    {"sm90_fwd_hd128",  {"stages_q=1"}, NULL},
    {"sm90_fwd_hd128",  {"ping_pong=false"}, NULL},
    {"sm90_fwd_hd128",  {"rescale=early"}, NULL},
    {"sm90_fwd_hd128",  {"rescale=late"}, NULL},
    {"sm90_fwd_hd128",  {"rescale_threshold=0"}, NULL},
    {"sm90_fwd_hd128",  {"exp2_share=0.25"}, NULL},
    {"sm90_fwd_hd128",  {"cluster=2"}, NULL},
    {"sm90_fwd_hd128",  {"cluster=2", "scheduler=single"}, NULL},
    {"sm90_fwd_hd64",   {"cluster=2", "ping_pong=false"}, NULL},
    {"sm90_fwd_hd64",   {"cluster=2", "tile_m=64", "regs_consumer=248", "regs_load=40", "stages_kv=2"}, NULL},
    {"sm90_fwd_hd128",  {"scheduler=single"}, NULL},
    {"sm90_fwd_hd128",  {"head_order=section"}, NULL},
};
/* clang-format on */

/* All overrides of a knob, the base's last; returns how many. */
static inline int wl_knob_overrides(const struct wl_knob *knob, const char *all[7]) {
    int count = 0;
    for (; count < 6 && knob->overrides[count]; count++) all[count] = knob->overrides[count];
    if (knob->base) all[count++] = knob->base;
    return count;
}

#endif
