-- Attention forward on sm_100a, head dimensions 8 to 64. See sm100_fwd_hd128.lua for what the knobs do; here is what
-- differs and why. exp2 weighs twice as much against the MMAs as with head_dim 128, so MUFU is the bound.
return {
  target       = "sm_100a",
  pass         = "forward",
  head_dim     = 64,
  head_dim_min = 8,
  head_dim_v   = 0,            -- V and O have the head dimension of Q and K
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 128,
  q_tiles      = 2,
  stages_kv    = 10,           -- slots of 16384 B; 11 do not fit
  cta_pair     = false,
  o_over_q     = false,

  exp2_degree       = 3,
  exp2_share        = 0.171875, -- 11 of 64 pairs: 106 MUFU, FlashAttention-4: 113 [UNPROVEN: needs a B200]
  rescale_threshold = 8.0,
  rescale_weight    = 0.03125,
  rescale_always    = false,
  p_split           = 96,

  warp_softmax    = 0,
  warp_correction = 8,
  warp_mma        = 12,
  warp_epilogue   = 13,
  warp_load       = 14,

  regs_softmax    = 192,       -- 200 spill with exp2_share of 0.25 and more [ptxas 13.0]
  regs_correction = 80,
  regs_other      = 48,        -- 2 * 192 + 80 + 48 = 512

  scheduler       = "auto",
  head_order      = "auto",
}
