/* arch: see arch.h. A tag says how each figure is known:
 *   [ISA]   PTX ISA 9.1, or follows from it
 *   [H200]  measured on an H200; for sm_100 presumed where no other tag stands beside it
 *   [3P]    published by others (data sheets, the FlashAttention-4 paper, B300 micro-benchmarks), not checked
 * here [DEC]   decoded from FlashAttention-4's own sm_100a kernels [UNPROVEN: a micro-benchmark on the part
 * would settle it] */
#include "gen/arch.h"

#include <stddef.h>
#include <string.h>

/* What all three share: 227 KiB of dynamic shared memory a CTA [DEC][3P], 65536 registers an SM, 255 a thread
 * [ISA], four schedulers that issue a warp instruction each [3P], 128 FP32 FMA lanes
 * [H200: 125], 128 B of shared memory a clock [3P]. alu: min, max, shift, logic, compare, cvt.rn.bf16x2 run
 * at 64 lanes a clock [H200]; [UNPROVEN] for sm_100.
 *
 * l2_bytes: 62914560 on the H200 [H200]; 126 MB reported for B200 [3P].
 *
 * mma_flops_16bit: 2.25 PFLOP/s dense at 148 SMs and 1.86 GHz are 8192 a clock and SM [3P]; Hopper has half
 * [3P]. mufu: 16 ex2 a clock [H200], the same on sm_100 [3P]; sm_103 has twice that (NVIDIA: 10.7 instead of
 * 5 tera-ex2 a second) [3P]. tmem_read_bytes: 57 B a clock and warp were measured on a B300, four warps
 * together 228 [3P]. */
/* clang-format off */
static const struct wl_arch archs[] = {
    {.name = "sm_100a", .ptx_version = "8.8", .smem_bytes = 232448, .regs_per_sm = 65536, .regs_per_thread_max = 255,
     .tmem_cols = 512, .tmem_lanes = 128, .l2_bytes = 126 << 20, .sms = 148,
     .mma_flops_16bit = 8192, .mufu = 16, .fma = 128, .alu = 64, .smem_bytes_clk = 128, .issue_warps = 4,
     .tmem_read_bytes = 228, .clock_ghz = 1.86},
    {.name = "sm_103a", .ptx_version = "8.8", .smem_bytes = 232448, .regs_per_sm = 65536, .regs_per_thread_max = 255,
     .tmem_cols = 512, .tmem_lanes = 128, .l2_bytes = 126 << 20, .sms = 148,
     .mma_flops_16bit = 8192, .mufu = 32, .fma = 128, .alu = 64, .smem_bytes_clk = 128, .issue_warps = 4,
     .tmem_read_bytes = 228, .clock_ghz = 1.86},
    {.name = "sm_90a",  .ptx_version = "8.0", .smem_bytes = 232448, .regs_per_sm = 65536, .regs_per_thread_max = 255,
     .tmem_cols = 0, .tmem_lanes = 0, .l2_bytes = 60 << 20, .sms = 132,
     .mma_flops_16bit = 4096, .mufu = 16, .fma = 128, .alu = 64, .smem_bytes_clk = 128, .issue_warps = 4,
     .tmem_read_bytes = 0, .clock_ghz = 1.83},
};
/* clang-format on */

const struct wl_arch *wl_arch_at(int index) {
    return index >= 0 && index < (int)(sizeof archs / sizeof archs[0]) ? &archs[index] : NULL;
}

const struct wl_arch *wl_arch_find(const char *name) {
    const struct wl_arch *arch;
    for (int i = 0; (arch = wl_arch_at(i)); i++)
        if (strcmp(arch->name, name) == 0) return arch;
    return NULL;
}
