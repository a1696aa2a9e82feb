-- Attention forward on sm_100a, head dimensions 136 to 256, on a pair of CTAs. See sm100_fwd_hd128.lua for what the knobs
-- do; here is what differs and why. O takes up to 256 of the 512 columns of tensor memory, so one query tile is in flight,
-- with two S tiles: QK of the next step runs while softmax works on this one's.
return {
  target       = "sm_100a",
  pass         = "forward",
  head_dim     = 256,          -- largest; 136, 144, .. 248 are zero-filled by TMA
  head_dim_min = 136,
  head_dim_v   = 0,            -- V and O have the head dimension of Q and K
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 128,
  q_tiles      = 1,
  s_stages     = 2,            -- with 1 the MMAs would wait for each softmax
  stages_kv    = 3,            -- slots of 32768 B: half a K or V tile; 4 do not fit beside Q and O, 65536 B each
  cta_pair     = true,         -- one CTA has no room for two slots of whole tiles
  o_over_q     = false,

  exp2_degree       = 3,
  exp2_share        = 0,       -- the MMAs take twice as long as MUFU: 2048 and 1032 clocks a step [model]
  rescale_threshold = 8.0,
  rescale_weight    = 0.03125,
  rescale_always    = false,
  p_split           = 96,

  warp_softmax    = 0,
  warp_correction = 4,
  warp_mma        = 8,
  warp_epilogue   = 9,
  warp_load       = 10,

  regs_softmax    = 216,       -- 384 threads are launched with 168 each: 216 + 168 + 120 = 504
  regs_correction = 168,
  regs_other      = 120,

  scheduler       = "auto",
  head_order      = "auto",
}
