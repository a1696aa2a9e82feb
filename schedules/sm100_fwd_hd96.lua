-- Attention forward on sm_100a, head dimensions 72 to 96. See sm100_fwd_hd128.lua for what the knobs do; here is what
-- differs and why. Q, K, V and O lie in blocks of 32 columns (64B swizzle): 24 kB a tile where blocks of 64 take 32 kB.
return {
  target       = "sm_100a",
  pass         = "forward",
  head_dim     = 96,           -- largest; 72, 80 and 88 are zero-filled by TMA
  head_dim_min = 72,           -- smaller ones: sm100_fwd_hd64
  head_dim_v   = 0,            -- V and O have the head dimension of Q and K
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 128,
  q_tiles      = 2,
  stages_kv    = 5,            -- ring slots of 24576 B; 6 do not fit
  cta_pair     = false,
  o_over_q     = false,

  exp2_degree       = 3,
  exp2_share        = 0.25,    -- MUFU then takes as long as the MMAs: 1552 and 1536 clocks a step; 0.125: 1808 [model, ptxas 13.0]
  rescale_threshold = 8.0,
  rescale_weight    = 0.03125,
  rescale_always    = false,
  p_split           = 96,

  warp_softmax    = 0,
  warp_correction = 8,
  warp_mma        = 12,
  warp_epilogue   = 13,
  warp_load       = 14,

  regs_softmax    = 192,
  regs_correction = 80,
  regs_other      = 48,        -- 2 * 192 + 80 + 48 = 512

  scheduler       = "auto",
  head_order      = "auto",
}
