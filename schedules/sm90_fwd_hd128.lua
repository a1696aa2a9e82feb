-- Attention forward on sm_90a (H100, H200), head dimensions 104 to 128.
return {
  target       = "sm_90a",
  pass         = "forward",
  head_dim     = 128,          -- largest; 104, 112, 120 are zero-filled by TMA
  head_dim_min = 104,
  dtype        = "bf16",       -- or "fp16"
  causal       = false,        -- or true: bottom-right aligned

  tile_m       = 128,          -- 64 rows a consumer warpgroup
  tile_n       = 128,          -- keys a step; S takes tile_n / 2 registers a thread, P half of that, O 64
  stages_q     = 2,            -- the next tile of Q is loaded while this one is computed
  stages_kv    = 5,            -- ring slots of 32768 B shared by K and V; 6 do not fit
  ping_pong    = true,         -- off it is 0 to 6 % slower on an H200 on 2026-12-01; cluster = 2 is as quick, causal up to 9 % slower
  rescale      = "early",      -- 4 to 8 % above "late" at every length, on an H200 on 2026-11-25; also tried then:
                               -- tile_n = 144 and 160 (stages_kv = 4), 10 % slower at 1k and no quicker at 16k;
                               -- tile_m = 192 with tile_n = 80, 15 % slower at 1k

  exp2_degree       = 3,
  exp2_share        = 0.0,     -- of exp2 on the FMA pipe
  rescale_threshold = 8.0,     -- log2 units: how far P may grow over 1 before O is rescaled
  rescale_weight    = 0.0625,  -- but not by a key that has more than 1/16 of its row, so that its P is 1 exactly

  regs_consumer = 240,
  regs_load     = 24,          -- 2 * 240 + 24 = 504: all that 384 threads get

  scheduler     = "auto",    -- lpt where causal (573 against 548 TFLOP/s at 4k on an H200), else persistent (565 against 539 at 1k)
  head_order    = "auto",    -- section with lpt: heads whose K and V fit in L2; else a head after the other
}
