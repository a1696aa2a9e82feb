/* knobs: legal values of every schedule field that shapes the sm_100a forward kernel, as overrides.
 * tests/test_emit.c shows that each changes the PTX, tests/test_attention.c that each stays correct. */
#ifndef WL_KNOBS_H
#define WL_KNOBS_H

struct wl_knob {
    const char *schedule;
    const char *overrides[6]; /* key=value; the first is the knob, the others make room for it */
};

/* clang-format off */
static const struct wl_knob wl_knobs[] = {
    {"sm100_fwd_hd128", {"causal=true"}},
    {"sm100_fwd_hd128", {"dtype=fp16"}},
    {"sm100_fwd_hd128", {"target=sm_103a"}},
    {"sm100_fwd_hd128", {"exp2_degree=2"}},
    {"sm100_fwd_hd128", {"exp2_degree=3"}},
    {"sm100_fwd_hd128", {"exp2_degree=4"}},
    {"sm100_fwd_hd128", {"exp2_degree=5"}},
    {"sm100_fwd_hd128", {"exp2_share=0"}},
    {"sm100_fwd_hd128", {"exp2_share=0.25"}},
    {"sm100_fwd_hd128", {"exp2_share=0.5"}},
    {"sm100_fwd_hd128", {"exp2_share=1"}},
    {"sm100_fwd_hd128", {"rescale_threshold=0"}},
    {"sm100_fwd_hd128", {"rescale_threshold=4"}},
    {"sm100_fwd_hd128", {"rescale_threshold=8"}},
    {"sm100_fwd_hd128", {"rescale_threshold=2.5"}},
    {"sm100_fwd_hd128", {"stages_kv=2"}},
    {"sm100_fwd_hd64",  {"stages_kv=2"}},
    {"sm100_fwd_hd64",  {"stages_kv=3"}},
    {"sm100_fwd_hd64",  {"stages_kv=7"}},
    {"sm100_fwd_hd64",  {"stages_kv=10"}},
    {"sm100_fwd_hd64",  {"stages_kv=32", "tile_n=32"}},
    {"sm100_fwd_hd128", {"tile_n=32"}},
    {"sm100_fwd_hd128", {"tile_n=64"}},
    {"sm100_fwd_hd128", {"tile_n=96"}},
    {"sm100_fwd_hd64",  {"tile_n=96"}},
    {"sm100_fwd_hd128", {"q_tiles=1"}},
    {"sm100_fwd_hd64",  {"q_tiles=1"}},
    {"sm100_fwd_hd128", {"p_split=16"}},
    {"sm100_fwd_hd128", {"p_split=64"}},
    {"sm100_fwd_hd128", {"p_split=80"}},
    {"sm100_fwd_hd128", {"p_split=112"}},
    {"sm100_fwd_hd128", {"p_split=128"}},
    {"sm100_fwd_hd128", {"regs_softmax=184", "regs_correction=88"}},
    {"sm100_fwd_hd128", {"regs_correction=80", "regs_other=48"}},
    {"sm100_fwd_hd128", {"regs_other=48"}},
    {"sm100_fwd_hd128", {"warp_mma=15"}},
    {"sm100_fwd_hd128", {"warp_load=15"}},
    {"sm100_fwd_hd128", {"warp_epilogue=15"}},
    {"sm100_fwd_hd128", {"warp_correction=0", "warp_softmax=4"}},
    {"sm100_fwd_hd128", {"warp_softmax=8", "warp_correction=4", "warp_mma=0", "warp_load=1", "warp_epilogue=2"}},
    {"sm100_fwd_hd128", {"scheduler=single"}},
    {"sm100_fwd_hd128", {"scheduler=persistent"}},
    {"sm100_fwd_hd128", {"scheduler=lpt"}},
    {"sm100_fwd_hd128", {"name=another"}},
};
/* clang-format on */

static inline int wl_knob_overrides(const struct wl_knob *knob) {
    int count = 0;
    while (count < 6 && knob->overrides[count]) count++;
    return count;
}

#endif
