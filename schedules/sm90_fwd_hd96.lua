-- Attention forward on sm_90a (H100, H200), head dimensions 72 to 96. See sm90_fwd_hd128.lua for what the knobs do.
return {
  target       = "sm_90a",
  pass         = "forward",
  head_dim     = 96,
  head_dim_min = 72,
  dtype        = "bf16",
  causal       = false,

  tile_m       = 192,
  tile_n       = 96,
  stages_q     = 1,
  stages_kv    = 7,            -- 24576 B each: TMA brings blocks of 64 columns, so 96 take the room of 128; wgmma skips the rest
  ping_pong    = true,         -- tile_m = 128 with tile_n = 128 is 20 % quicker at 1k and 8 % slower at 16k on an H200
  rescale      = "early",

  exp2_degree       = 3,
  exp2_share        = 0.0,
  rescale_threshold = 8.0,
  rescale_weight    = 0.0625,

  regs_consumer = 160,
  regs_load     = 24,

  scheduler     = "auto",
}
