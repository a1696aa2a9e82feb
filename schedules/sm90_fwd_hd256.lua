-- Attention forward on sm_90a (H100, H200), head dimensions 200 to 256. See sm90_fwd_hd128.lua for what the knobs do.
return {
  target       = "sm_90a",
  pass         = "forward",
  head_dim     = 256,
  head_dim_min = 200,
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 64,           -- with five ring slots 3 % above 80 with four on an H200
  stages_kv    = 5,
  ping_pong    = true,
  rescale      = "early",

  exp2_degree       = 3,
  exp2_share        = 0.0,
  rescale_threshold = 8.0,
  rescale_weight    = 0.0625,

  regs_consumer = 240,
  regs_load     = 24,

  scheduler     = "auto",
  head_order    = "auto",
}
