-- Attention forward on sm_100a, head dimensions 136 to 192 of Q and K with up to 128 of V and O (DeepSeek's 192 and 128).
-- See sm100_fwd_hd128.lua for what the knobs do; here is what differs and why.
return {
  target       = "sm_100a",
  pass         = "forward",
  head_dim     = 192,          -- of Q and K, largest; 136, 144, .. 184 are zero-filled by TMA
  head_dim_min = 136,
  head_dim_v   = 128,          -- of V and O, largest; 8, 16, .. 120 are zero-filled by TMA
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 128,
  q_tiles      = 2,
  stages_kv    = 3,            -- ring slots of 49152, 32768 and 49152 B, K and V by turns; 4 do not fit
  cta_pair     = false,
  o_over_q     = true,         -- with O's own 65536 B no two ring slots would fit

  exp2_degree       = 3,
  exp2_share        = 0,       -- MUFU needs 2064 clocks a step, the MMAs 2560 [model, ptxas 13.0]
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
