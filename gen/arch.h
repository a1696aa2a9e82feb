/* arch: one const row per target: what the planner may use and the rates that explain computes with. */
#ifndef WL_ARCH_H
#define WL_ARCH_H

struct wl_arch {
    const char *name;        /* "sm_100a" */
    const char *ptx_version; /* least .version whose assembler knows what the templates use */
    int smem_bytes;          /* dynamic shared memory of one CTA */
    int regs_per_sm, regs_per_thread_max;
    int tmem_cols, tmem_lanes;
    int l2_bytes;            /* K and V of the heads that are walked together should fit */
    int sms;                 /* of the part that the rates are for */
    /* per clock and SM; sources in arch.c */
    int mma_flops_16bit;     /* dense FLOP */
    int mufu, fma, alu, smem_bytes_clk, issue_warps, tmem_read_bytes;
    double clock_ghz;
};

const struct wl_arch *wl_arch_find(const char *name); /* NULL: unknown */
const struct wl_arch *wl_arch_at(int index);          /* NULL past the end */

#endif
