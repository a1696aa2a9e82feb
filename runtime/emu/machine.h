/* machine: the state that instruction semantics touch: warps as vectors of 32 lanes, CTAs, clusters, a launch.
 *
 *   register file of a warp: slots of 128 bytes (32 lanes x 4 bytes)
 *     predicate, 8-, 16- and 32-bit register: 1 slot   (pred: word 0 is the lane mask; 8/16 bit: zero-extended lanes)
 *     64-bit register: 2 slots, uint64_t[32]           128-bit register: 4 slots, uint64_t lo[32], hi[32]
 *   Immediates, and special registers that never change, are slots too (of the function's constants, of the warp), so
 *   that semantics see nothing but arrays of lanes.
 *
 * A warp whose lanes diverge is a set of splits (pc + lane mask); the one with the least pc runs, splits that meet merge.
 * One host thread runs a cluster; warps take turns, switching only where an instruction blocks or yields. */
#ifndef EMU_MACHINE_H
#define EMU_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include "runtime/emu/ptx.h"

#define EMU_LANES 32
#define EMU_FULL 0xffffffffu
#define EMU_SLOT_BYTES 128
#define EMU_MAX_MODS 12
#define EMU_MAX_CLUSTER 16
#define EMU_SMEM_RESERVED 0x400u   /* user shared memory starts here; facts 7.1 */
#define EMU_LOCAL_RESERVED 16u     /* local memory likewise, so that offset 0 is no variable's; counted in local_bytes */

struct emu_warp;
struct emu_cta;
struct emu_cluster;
struct emu_launch;
struct emu_insn;
struct emu_judge;
struct emu_judge_log;

enum emu_step {
    EMU_NEXT,   /* done: go on with the next instruction */
    EMU_JUMP,   /* pc was set by the semantics */
    EMU_BLOCK,  /* cannot go on: same instruction again later; warp->split's wait says for what */
    EMU_YIELD,  /* done, but let others run before going on (failed test_wait, nanosleep) */
    EMU_FAULT,  /* emu_fault() was called: the launch ends */
};

typedef enum emu_step emu_sem_fn(struct emu_warp *warp, const struct emu_insn *insn, uint32_t mask);

enum emu_opnd_kind { EMU_OP_NONE, EMU_OP_LANES, EMU_OP_PRED, EMU_OP_VECTOR, EMU_OP_ADDRESS, EMU_OP_LABEL, EMU_OP_SINK, EMU_OP_IMM };
enum emu_bank { EMU_BANK_REGS, EMU_BANK_CONST, EMU_BANK_SPECIAL }; /* warp->bank[...] */

struct emu_opnd {
    uint8_t kind;      /* enum emu_opnd_kind */
    uint8_t bank;      /* enum emu_bank */
    uint8_t negated;   /* predicates: !p */
    uint8_t bytes;     /* of one element */
    uint16_t count;    /* VECTOR: elements; ADDRESS with coordinates: how many in elems[1..] */
    uint32_t slot;     /* LANES, PRED; ADDRESS: the base (bank CONST for absolute) */
    int64_t imm;       /* ADDRESS: byte offset; IMM: the value */
    uint8_t space;     /* ADDRESS of a named variable: enum ptx_space of it, else PTX_REG */
    const struct emu_opnd *elems;
};

struct emu_insn {
    emu_sem_fn *fn;
    const struct emu_row *row;       /* its line of insn.def */
    const struct ptx_insn *source;   /* text position, .loc */
    struct emu_opnd op[10];
    uint8_t op_count;
    uint8_t mod[EMU_MAX_MODS];       /* for the k-th {..} or <..> of the row's pattern: 0 = absent, else 1-based choice */
    uint32_t target;                 /* bra */
    bool guarded, guard_negated;
    uint32_t guard_slot;
    uint8_t member_op;               /* 1 + index of the operand that names the lanes taking part (`mask`); 0: all of the warp */
    uint8_t scope;                   /* enum emu_scope of the row */
    emu_sem_fn *watched;             /* what fn stood for before coverage.h put a watch in front */
    void *extra;                     /* decoded once by the row's own decoder (instruction descriptor fields, call target) */
};

struct emu_shared_name { /* a static variable of shared memory, for reports */
    const struct emu_shared_name *next;
    const char *name;
    uint32_t offset, bytes;
};

struct emu_function { /* decoded, shared by all launches */
    const struct ptx_function *source;
    const struct emu_module *module;
    struct emu_insn *code;
    uint32_t code_count;
    uint32_t reg_slots;
    uint8_t *consts;                 /* bank EMU_BANK_CONST */
    uint32_t special_slots;          /* bank EMU_BANK_SPECIAL, filled by emu_warp_specials() when a warp starts */
    const struct emu_special_lanes *specials; /* what stands in them (decode.h) */
    uint32_t special_count;
    uint32_t param_bytes, local_bytes, static_smem_bytes;
    const struct emu_touch *touch;   /* instructions that name registers of a wgmma (wgmma_touch.c); NULL: no wgmma */
    uint32_t dynamic_smem_offset;    /* where launch->dynamic_smem starts, with the reserved bytes */
    const struct emu_shared_name *shared_names;
};

enum emu_wait_kind { EMU_WAIT_NONE, EMU_WAIT_MBARRIER, EMU_WAIT_BARRIER, EMU_WAIT_CLUSTER, EMU_WAIT_WARP, EMU_WAIT_BULK,
                     EMU_WAIT_TMEM_ALLOC, EMU_WAIT_WGMMA, EMU_WAIT_OTHER };

struct emu_wait { /* why a split is blocked; printed by the deadlock report */
    enum emu_wait_kind kind;
    uint32_t address;                /* shared address of the mbarrier, or barrier id */
    uint32_t detail;                 /* parity, expected threads, groups */
    uint64_t since;                  /* cluster->version when it blocked: retried once that moved on */
    bool expired;                    /* set by the scheduler when nothing else can move: a try_wait gives up (false) */
};

enum emu_split_state { EMU_SPLIT_READY, EMU_SPLIT_BLOCKED, EMU_SPLIT_YIELDED };

struct emu_split { uint32_t pc, mask; struct emu_wait wait; uint32_t depth; enum emu_split_state state; };

struct emu_warp {
    struct emu_cta *cta;
    const struct emu_function *fn;
    uint32_t index;                  /* warp of the CTA */
    uint8_t *bank[3];                /* enum emu_bank */
    struct emu_split split[EMU_LANES];
    uint32_t split_count, current;
    uint32_t live;                   /* lanes that exist and have not exited */
    uint8_t *local;                  /* 32 x fn->local_bytes */
    struct emu_bulk *bulk, *copies;  /* async-groups by lane: .bulk_group's and cp.async's (bulk.h) */
    struct emu_tmem_port *tmem;      /* outstanding tcgen05.ld / st (tmem.h) */
    struct emu_wgmma *wgmma;         /* of its warpgroup, held by the first warp (wgmma.h) */
    void *stack;                     /* call frames */
    uint32_t cluster_arrived;        /* lanes that arrived at the cluster barrier's current generation (cluster.h) */
    uint32_t *cluster_generation;    /* [32]: the generation + 1 at which a lane arrived and has not waited; 0: none */
    uint32_t carry;                  /* CC.CF of each lane: add.cc and the like */
    uint64_t gave_up;                /* try_waits, by pc & 63, that gave up once under late order */
    uint64_t turns;                  /* taken so far: orders splits that yielded */
    uint64_t global_lo, global_hi;   /* global addresses found allocated lately: the range needs no second look-up */
    uint32_t regs_per_thread;        /* after setmaxnreg; 0: as launched */
    struct emu_judge_warp *judge;    /* NULL: checks are off */
};

struct emu_named_barrier {           /* counts threads (sem_barrier.c) */
    uint32_t arrived, expected;      /* expected 0: all threads of the CTA that have not exited */
    uint32_t generation;
    uint32_t votes;                  /* of barrier.red: threads whose predicate held */
    uint32_t result[4][2];           /* by generation & 3: votes, arrived */
};

struct emu_cta {
    struct emu_cluster *cluster;
    uint32_t rank;                   /* in the cluster */
    uint32_t ctaid[3];
    uint8_t *smem;                   /* offset 0 = the reserved bytes; shared address = rank << 24 | offset */
    uint32_t smem_bytes;             /* with the reserved bytes */
    struct emu_warp *warps;
    uint32_t warp_count, warps_live;
    bool cancel_failed;              /* it has seen a clusterlaunchcontrol.try_cancel fail */
    uint32_t regs_free;              /* registers that setmaxnreg has released; pool of the CTA */
    uint32_t regs_known;             /* registers a thread starts with; 0: unknown, setmaxnreg is not counted */
    struct emu_named_barrier barrier[16];
    struct emu_tmem *tmem;           /* tmem.h; NULL until the first alloc */
    uint64_t *mbarriers;             /* mbarrier.h: which 8-byte words of smem are live mbarriers; NULL until the first */
    struct emu_judge_cta *judge;
};

struct emu_cluster {
    struct emu_launch *launch;
    struct emu_cta *ctas[EMU_MAX_CLUSTER];
    uint32_t cta_count;
    uint32_t clusterid[3];
    uint64_t version;                /* moves whenever something a blocked warp may wait for has changed */
    struct emu_async_queue *async;   /* async.h: what has been issued and not yet happened */
    struct emu_cluster_barrier { uint32_t arrived; uint32_t generation; } barrier;
    uint32_t idle_rounds;            /* since anything moved (cluster_run.c) */
    uint32_t turn;                   /* instructions of a turn: fewer, the longer it only polls */
    uint32_t expiries;               /* times that blocked try_waits gave up since version was expired_at */
    uint64_t expired_at;
    uint64_t random;                 /* state of this cluster's generator; seeded from the launch's seed and cluster id */
    struct wl_arena *arena;
    struct emu_arrivals *arrivals;   /* at mbarriers, for reports (arrivals.h); NULL until the first */
    struct emu_judge *judge;         /* NULL: off */
};

enum emu_check { EMU_CHECK_OFF, EMU_CHECK_ERROR, EMU_CHECK_STRICT }; /* strict: what only the manual demands, too */
enum emu_order { EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM };

struct emu_launch {
    const struct emu_function *fn;
    struct emu_device *device;       /* device.h: memory and profile */
    uint32_t grid[3], block[3], cluster[3];
    uint32_t dynamic_smem;
    const uint8_t *params;           /* fn->param_bytes */
    enum emu_order order;
    uint64_t seed;
    enum emu_check check;
    struct emu_judge_log *judge;     /* what the checks have found so far */
    volatile int failed;             /* first fault wins */
    int status;                      /* CUresult */
    char report[16384];              /* what went wrong, for people */
    void (*progress)(void *user, uint64_t done, uint64_t total); /* clusters; may be NULL */
    void *progress_user;
    uint64_t timeout_ms;             /* 0: none */
    uint64_t deadline_ns;            /* of CLOCK_MONOTONIC, set by emu_launch_run(); 0: none */
    struct emu_waiting {             /* clusters [next, end) have not been launched (launch.c) */
        uint64_t next, end, canceled;
        char lock;
    } waiting;
    uint32_t threads;                /* host threads to run on; 0: as many as there are cores */
};

/* Runs the whole grid on launch->threads host threads; returns the CUresult, launch->report filled unless it is 0. */
int emu_launch_run(struct emu_launch *launch);

/* Lanes of an operand. */
static inline void *emu_lanes(const struct emu_warp *w, const struct emu_opnd *o) { return w->bank[o->bank] + (uint64_t)o->slot * EMU_SLOT_BYTES; }
static inline uint32_t emu_pred(const struct emu_warp *w, const struct emu_opnd *o) {
    uint32_t m = *(const uint32_t *)emu_lanes(w, o);
    return o->negated ? ~m : m;
}

/* "softmax.ptx:31 (PTX line 412, in SOFTMAX)": the line that .loc names, and the label of the kernel's own block before
 * it, where there are such and it is not a compiler's ($...). Returns out. */
const char *emu_place(const struct emu_function *fn, const struct ptx_insn *insn, char *out, size_t bytes);

/* " (tile + 16)", of the static variable at a shared address; "" where there is none. Returns out. */
const char *emu_shared_name(const struct emu_function *fn, uint32_t address, char *out, size_t bytes);

/* Ends the launch: composes "kernel: place: mnemonic: CTA, warp: text". Returns EMU_FAULT. */
enum emu_step emu_fault(struct emu_warp *warp, const struct emu_insn *insn, int cu_result, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Shared memory by shared address (rank in bits 24 and up). NULL where out of bounds or the CTA does not exist. */
uint8_t *emu_shared(struct emu_cluster *cluster, uint32_t address, uint32_t bytes);

uint32_t emu_random(struct emu_cluster *cluster); /* 32 fresh bits, reproducible from the seed */

#endif
