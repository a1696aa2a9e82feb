-- Attention forward on sm_100a, head dimensions 104 to 128. Every knob is written out; what is derived (shared-memory
-- offsets, tensor-memory columns, barriers) is the planner's: `warploom explain sm100_fwd_hd128` shows it.
-- Nobody has run this on a B200 yet: evidence is ptxas 13.0, the emulated device, and FlashAttention-4's public choices.
return {
  target       = "sm_100a",    -- or "sm_103a"
  pass         = "forward",
  head_dim     = 128,          -- largest; 104, 112 and 120 are zero-filled by TMA
  head_dim_min = 104,          -- smaller ones: sm100_fwd_hd96, sm100_fwd_hd64
  head_dim_v   = 0,            -- V and O have the head dimension of Q and K
  dtype        = "bf16",       -- or "fp16"
  causal       = false,        -- or true: bottom-right aligned

  tile_m       = 128,          -- query rows of an MMA: all lanes of tensor memory
  tile_n       = 128,          -- keys a step; 128 is what tensor memory holds beside two O tiles
  q_tiles      = 2,            -- one computes softmax while the other's MMAs run; 1 for short sequences
  stages_kv    = 3,            -- ring slots of 32768 B shared by K and V; 4 do not fit
  cta_pair     = false,
  o_over_q     = false,

  exp2_degree       = 3,       -- worst relative error 8.9e-5, far under bf16's rounding of P
  exp2_share        = 0.171875, -- of the row's exp2 on the FMA pipe, 11 of 64 pairs: 106 MUFU, FlashAttention-4: 113 causal, 105 full [UNPROVEN: needs a B200]
  rescale_threshold = 8.0,      -- log2 units: how far P may grow over 1 before O is rescaled, as FlashAttention-4
  rescale_weight    = 0.03125,  -- but not by a key that has more than 1/32 of its row: its P is 1 exactly. Errors are then as with
                                -- exact maxima, without it up to 1.9 of that: `make exp2-table`
  rescale_always    = false,    -- true: in every step, by 1 where no maximum has grown, without vote and branch (AVO, arXiv 2603.24517) [UNPROVEN: needs a B200]
  p_split           = 96,      -- PV starts when 3/4 of P are there

  warp_softmax    = 0,         -- warps 0-3 and 4-7
  warp_correction = 8,         -- warps 8-11
  warp_mma        = 12,
  warp_epilogue   = 13,
  warp_load       = 14,

  regs_softmax    = 192,       -- a row of S is 128 registers
  regs_correction = 80,        -- 64 columns of O at a time; 32 with clc, which keeps more
  regs_other      = 48,        -- 2 * 192 + 80 + 48 = 512: all registers of the SM

  scheduler       = "auto",    -- persistent; longest tiles first under the mask
  head_order      = "auto",    -- section with lpt: heads whose K and V fit in L2; else a head after the other
}
