/* knobs: legal values of every schedule field that shapes the sm_100a forward kernel, as overrides.
 * tests/test_emit.c shows that each changes the PTX, tests/test_attention.c that each stays correct. */
#ifndef WL_KNOBS_H
#define WL_KNOBS_H

struct wl_knob {
    const char *schedule;
    const char *overrides[6]; /* key=value; the first is the knob, the others make room for it */
    int changes; /* whether the PTX differs from the schedule's own; 0: this is the schedule's own value */
};

/* clang-format off */
static const struct wl_knob wl_knobs[] = {
    {"sm100_fwd_hd128", {"causal=true"}, 1},
    {"sm100_fwd_hd128", {"dtype=fp16"}, 1},
    {"sm100_fwd_hd128", {"target=sm_103a"}, 1},
    {"sm100_fwd_hd128", {"exp2_degree=2"}, 1},
    {"sm100_fwd_hd128", {"exp2_degree=3"}, 0},
    {"sm100_fwd_hd128", {"exp2_degree=4"}, 1},
    {"sm100_fwd_hd128", {"exp2_degree=5"}, 1},
    {"sm100_fwd_hd128", {"exp2_share=0"}, 1},
    {"sm100_fwd_hd128", {"exp2_share=0.25"}, 1},
    {"sm100_fwd_hd128", {"exp2_share=0.5"}, 1},
    {"sm100_fwd_hd128", {"exp2_share=1"}, 1},
    {"sm100_fwd_hd128", {"rescale_threshold=0"}, 1},
    {"sm100_fwd_hd128", {"rescale_threshold=8"}, 0},
    {"sm100_fwd_hd128", {"rescale_threshold=2.5"}, 1},
    {"sm100_fwd_hd128", {"stages_kv=2"}, 1},
    {"sm100_fwd_hd64",  {"stages_kv=2"}, 1},
    {"sm100_fwd_hd64",  {"stages_kv=3"}, 1},
    {"sm100_fwd_hd64",  {"stages_kv=7"}, 1},
    {"sm100_fwd_hd64",  {"stages_kv=10"}, 0},
    {"sm100_fwd_hd64",  {"stages_kv=32", "tile_n=32"}, 1},
    {"sm100_fwd_hd128", {"tile_n=32"}, 1},
    {"sm100_fwd_hd128", {"tile_n=64"}, 1},
    {"sm100_fwd_hd128", {"tile_n=96"}, 1},
    {"sm100_fwd_hd64",  {"tile_n=96"}, 1},
    {"sm100_fwd_hd128", {"q_tiles=1"}, 1},
    {"sm100_fwd_hd64",  {"q_tiles=1"}, 1},
    {"sm100_fwd_hd128", {"p_split=16"}, 1},
    {"sm100_fwd_hd128", {"p_split=64"}, 1},
    {"sm100_fwd_hd128", {"p_split=80"}, 1},
    {"sm100_fwd_hd128", {"p_split=112"}, 1},
    {"sm100_fwd_hd128", {"p_split=128"}, 1},
    {"sm100_fwd_hd128", {"regs_softmax=184", "regs_correction=88"}, 1},
    {"sm100_fwd_hd128", {"regs_correction=80", "regs_other=48"}, 1},
    {"sm100_fwd_hd128", {"regs_other=48"}, 1},
    {"sm100_fwd_hd128", {"warp_mma=15"}, 1},
    {"sm100_fwd_hd128", {"warp_load=15"}, 1},
    {"sm100_fwd_hd128", {"warp_epilogue=15"}, 1},
    {"sm100_fwd_hd128", {"warp_correction=0", "warp_softmax=4"}, 1},
    {"sm100_fwd_hd128", {"warp_softmax=8", "warp_correction=4", "warp_mma=0", "warp_load=1", "warp_epilogue=2"}, 1},
    {"sm100_fwd_hd128", {"scheduler=single"}, 1},
    {"sm100_fwd_hd128", {"scheduler=persistent"}, 1},
    {"sm100_fwd_hd128", {"scheduler=lpt"}, 0},
    {"sm100_fwd_hd128", {"name=another"}, 1},
};
/* clang-format on */

static inline int wl_knob_overrides(const struct wl_knob *knob) {
    int count = 0;
    while (count < 6 && knob->overrides[count]) count++;
    return count;
}

#endif
