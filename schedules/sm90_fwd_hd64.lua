-- Attention forward on sm_90a (H100, H200), head dimensions 8 to 64. See sm90_fwd_hd128.lua for what the knobs do.
return {
  target       = "sm_90a",
  pass         = "forward",
  head_dim     = 64,
  head_dim_min = 8,
  dtype        = "bf16",
  causal       = false,

  tile_m       = 192,
  tile_n       = 128,
  stages_q     = 2,
  stages_kv    = 8,
  ping_pong    = true,         -- off it is 8 % slower at 16k
  rescale      = "early",

  exp2_degree       = 3,
  exp2_share        = 0.0625,  -- a sixteenth: 2 to 4 % above 0 on an H200, which leaves MUFU the busiest; 0.09375 is slower
  rescale_threshold = 0.0,     -- with 8 there is more to do in a step than is saved: up to 4 % slower on an H200 on 2026-12-01
  rescale_weight    = 0.0625,  -- has a say only with a threshold

  regs_consumer = 160,
  regs_load     = 32,

  scheduler     = "auto",
  head_order    = "auto",
}
