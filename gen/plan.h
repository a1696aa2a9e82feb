/* plan: schedule + problem -> where everything lives.
 *
 *     shared memory   [ barriers | tmem pointer, row stats | O0 O1 | Q0 Q1 | ring slot 0 .. stages_kv-1 ]
 *     tensor memory   [ S0 (P0 inside) | S1 (P1 inside) | O0 | O1 ]
 *
 * Everything a template prints as a number comes from here. A plan that does not fit is refused with WL_ERR_FIT,
 * naming the schedule's field and line, by how much it does not fit, and what would. */
#ifndef WL_PLAN_H
#define WL_PLAN_H

#include "gen/arch.h"
#include "gen/exp2poly.h"
#include "gen/launch.h"
#include "gen/schedule.h"

/* What the kernel is specialised for, beside the schedule. Zero or negative: the schedule's value. */
struct wl_specialization {
    int head_dim;    /* multiple of 8 up to the schedule's */
    int dtype;       /* enum wl_dtype, -1: the schedule's */
    int causal;      /* 0, 1, -1: the schedule's */
    int head_dim_v;  /* of V and O; 0: the schedule's, else head_dim */
};

struct wl_plan_role {
    const char *name;          /* softmax, correction, mma, load, epilogue, idle */
    int warp, warps;           /* first warp and how many */
    int regs;                  /* per thread after setmaxnreg */
};

struct wl_plan_region {        /* of shared memory (bytes) or tensor memory (columns) */
    const char *name;          /* "Q", "KV", "O", "barriers", "S", "P" ... */
    int offset, size, count;   /* size of one, count of them, at offset + i * stride */
    int stride;
    int align;
};

struct wl_plan_tile {          /* how a tile's rows lie in shared memory: blocks of columns, one behind the other */
    int blocks, columns;       /* columns: elements of a block's row */
    int row_bytes;             /* of a block, which is its swizzle's span */
};

struct wl_plan_barrier {
    const char *name;          /* "s_full" */
    int offset;                /* bytes from the start of dynamic shared memory; the i-th at offset + 8 i */
    int count;                 /* how many of them */
    int arrivals;              /* expected arrivals of a phase */
    const char *from, *to;     /* roles, '+'-joined where several arrive; "tma" and "mma" (commit) are hardware */
    const char *protects;      /* what the wait makes safe, for explain and the header comment */
};

#define WL_PLAN_MAX_ROLES 8
#define WL_PLAN_MAX_REGIONS 16
#define WL_PLAN_MAX_BARRIERS 24

struct wl_plan {
    struct wl_schedule schedule;
    const struct wl_arch *arch;
    enum wl_dtype dtype;
    bool causal;
    int head_dim, head_dim_v;  /* of the problem */
    int head_dim_qk;           /* rounded up to the MMA's K (16) */
    int head_dim_pv;           /* rounded up to the MMA's N (16) */
    struct wl_plan_tile qk, pv; /* of Q and K; of O */
    struct wl_plan_tile v;     /* of V: as O's, of a pair half of its columns */
    int cluster;               /* CTAs that work on a tile: 1, or a pair, each with query rows of its own and half of each K and V tile */
    int kv_shift;              /* K in an odd ring slot begins so many bytes before the slot, V behind; 0: slots are alike */
    int kv_rows;               /* of a CTA's K tile */
    int threads;
    int regs_launch;           /* per thread at launch, before setmaxnreg */
    int p_split;               /* columns of P released first; tile_n = all at once */
    enum wl_scheduler scheduler; /* never auto */
    enum wl_head_order head_order; /* never auto */
    bool turns_unrolled;       /* correction has code of its own for each query tile (sm_100): fewer instructions, longer PTX */
    bool longest_first;        /* a head's last row tiles, which see the most keys, come first */
    int l2_keys;               /* of one key head, K and V rows of as many keys take most of L2 */
    int exp2_pairs;            /* of the tile_n/2 pairs of a row, how many go to the FMA pipe */
    struct wl_exp2poly poly;
    struct wl_plan_role roles[WL_PLAN_MAX_ROLES];
    int role_count;
    struct wl_plan_region smem[WL_PLAN_MAX_REGIONS], tmem[WL_PLAN_MAX_REGIONS];
    int smem_count, tmem_count;
    int smem_bytes, tmem_cols; /* totals; tmem_cols as allocated (a power of two) */
    struct wl_plan_barrier barriers[WL_PLAN_MAX_BARRIERS];
    int barrier_count;
    const char *kernel;        /* template that makes it: "sm100/forward/kernel" */
    struct wl_launch launch;
};

enum wl_status wl_plan_make(struct wl_plan *plan, const struct wl_schedule *schedule,
                            const struct wl_specialization *special, struct wl_error *error);

const struct wl_plan_region *wl_plan_smem(const struct wl_plan *plan, const char *name);   /* NULL: none */
const struct wl_plan_region *wl_plan_tmem(const struct wl_plan *plan, const char *name);
const struct wl_plan_barrier *wl_plan_barrier(const struct wl_plan *plan, const char *name);
const struct wl_plan_role *wl_plan_role(const struct wl_plan *plan, const char *name);

#endif
