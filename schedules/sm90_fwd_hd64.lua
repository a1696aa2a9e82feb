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
  ping_pong    = true,         -- 476 against 453 TFLOP/s full at 4k on an H200

  exp2_degree       = 3,
  exp2_share        = 0.0,
  rescale_threshold = 4.0,

  regs_consumer = 160,
  regs_load     = 32,

  scheduler     = "auto",
  head_order    = "auto",
}
