-- Attention forward under the causal mask on sm_90a, head dimensions 104 to 128. See sm90_fwd_hd128.lua for what the knobs
-- do and what else was tried; here is what differs and why. It goes before sm90_fwd_hd128 because files are looked at by name.
return {
  target       = "sm_90a",
  pass         = "forward",
  head_dim     = 128,
  head_dim_min = 104,
  masks        = "causal",
  dtype        = "bf16",
  causal       = true,

  tile_m       = 128,
  tile_n       = 128,
  stages_q     = 2,
  stages_kv    = 5,
  ping_pong    = false,        -- 445 / 553 / 647 TFLOP/s at 1k / 4k / 16k on an H200 on 2026-12-01, with it 422 / 533 / 621,
                               -- FlashAttention-4 beside them 369 / 521 / 619
  rescale      = "early",

  exp2_degree       = 3,
  exp2_share        = 0.0,
  rescale_threshold = 8.0,
  rescale_weight    = 0.0625,

  regs_consumer = 240,
  regs_load     = 24,          -- 2 * 240 + 24 = 504

  scheduler     = "auto",
  head_order    = "auto",
}
