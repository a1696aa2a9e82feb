-- Attention forward without a mask on sm_100a, head dimensions 104 to 128, on pairs of CTAs. See sm100_fwd_hd128.lua for
-- what the knobs do; here is what differs and why. It goes before sm100_fwd_hd128 because files are looked at by name.
return {
  target       = "sm_100a",
  pass         = "forward",
  head_dim     = 128,
  head_dim_min = 104,
  head_dim_v   = 0,
  masks        = "full",       -- a pair walks the keys that the last of its 512 rows needs: under the causal mask 20 % more steps
                               -- than CTAs alone for 1k rows, 6 % for 4k
  dtype        = "bf16",
  causal       = false,

  tile_m       = 128,
  tile_n       = 128,
  q_tiles      = 2,
  stages_kv    = 6,            -- slots of 16384 B, half a tile each: the bytes of sm100_fwd_hd128's 3
  cta_pair     = true,         -- shared memory 1296 clocks a step instead of 2064, so that the MMAs (2048) are the bound, as in
                               -- FlashAttention-4 [model: warploom explain; UNPROVEN: needs a B200]
  o_over_q     = false,

  exp2_degree       = 3,
  exp2_share        = 0.234375, -- 15 of 64 pairs: 98 MUFU a row of 128 keys, FlashAttention-4: 105 [UNPROVEN: needs a B200]
  rescale_threshold = 8.0,
  rescale_weight    = 0.03125,
  rescale_always    = false,
  p_split           = 96,

  warp_softmax    = 0,
  warp_correction = 8,
  warp_mma        = 12,
  warp_epilogue   = 13,
  warp_load       = 14,

  regs_softmax    = 176,
  regs_correction = 104,       -- 64 columns of O at a time, with scheduler = "clc" too
  regs_other      = 56,        -- 2 * 176 + 104 + 56 = 512

  scheduler       = "auto",
  head_order      = "auto",
}
