/* judge_parts: what the files of the judge share.
 *
 * A clock is a vector of components; a component counts what one actor has done, in epochs.
 *   - Of a warp: its own accesses; its tensor pipe's commits; its tcgen05 fences; its tcgen05.ld and st that
 *     were waited for; its bulk, cp.async and wgmma groups; its steps in mere execution order.
 *   - Of a barrier: the phases of an mbarrier that are over, which is how copies tell of their end; the
 *     generations of a named barrier that are.
 *
 * x happened before y when y's clock holds at least x's epoch in x's component. */
#ifndef EMU_JUDGE_PARTS_H
#define EMU_JUDGE_PARTS_H

#include "runtime/emu/insn.h"
#include "runtime/emu/judge.h"

enum judge_component {
    JUDGE_WARP,  /* generic accesses */
    JUDGE_PIPE,  /* tcgen05.mma, cp, shift: epochs end with a commit or a fence::before_thread_sync */
    JUDGE_FENCE, /* the same epochs, as known to be fenced */
    JUDGE_LD,    /* tcgen05.ld, by wait::ld */
    JUDGE_ST,
    JUDGE_BULK, /* sources read by bulk groups */
    JUDGE_COPY, /* cp.async groups */
    JUDGE_WGMMA,
    JUDGE_ORDER, /* execution order, not memory order: barrier.cluster.arrive.relaxed, fence.mbarrier_init, copies */
    JUDGE_COMPONENTS
};
enum {
    JUDGE_BARRIERS = 96 /* mbarriers of a CTA that are told apart */,
    JUDGE_NAMED = 16 /* barriers of bar and barrier.cta */,
    JUDGE_READERS = 3,
    JUDGE_BUCKETS = 64
};

enum judge_kind { /* of an access */
                  JUDGE_NOBODY,
                  JUDGE_LDST,
                  JUDGE_ATOMIC,
                  JUDGE_CP_ASYNC,
                  JUDGE_ALLOC,
                  JUDGE_DEALLOC,
                  JUDGE_TLD,
                  JUDGE_TST,
                  JUDGE_MMA, /* from here on: the async proxy */
                  JUDGE_CP,
                  JUDGE_SHIFT,
                  JUDGE_COMMIT,
                  JUDGE_TMA,        /* anything that an mbarrier's complete_tx ends */
                  JUDGE_BULK_STORE, /* anything that a bulk group ends */
                  JUDGE_WGMMA_OP,
                  JUDGE_ARRIVE, /* a remote arrival */
                  JUDGE_COPY_ARRIVE,
                  JUDGE_KINDS
};

struct judge_party { /* an access, as memory remembers it */
    uint32_t epoch;  /* of component who */
    uint32_t aux;    /* tcgen05.ld, st: epoch of JUDGE_LD, JUDGE_ST; mma: accumulator and shape;
                        TMA: 1 where the manual wants a proxy fence behind generic reads, too */
    uint32_t fence;  /* tcgen05.ld, st: epoch of JUDGE_FENCE; TMA: number of the warp that asked for it */
    uint32_t pc;
    uint32_t serial; /* order of issue in the cluster */
    uint16_t who;
    uint8_t kind;
    uint8_t mask; /* which parts of the cell */
};

struct judge_cell {
    struct judge_party write, read[JUDGE_READERS];
};

struct judge_clock { /* g: happened before. a: and is visible to the async proxy */
    uint32_t *g, *a;
};

struct judge_snapshot { /* a warp's clocks when it issued something */
    struct judge_snapshot *next;
    uint32_t refs;
    struct judge_clock clock;
    uint32_t *t;
};

struct emu_judge_op { /* of an asynchronous effect and those that it begets */
    struct emu_judge_op *next;
    uint32_t refs;
    struct judge_snapshot *snap;
    struct emu_judge_warp *issuer;
    struct judge_party party;
};

struct emu_judge_warp {
    struct emu_judge *judge;
    struct emu_warp *warp;
    uint32_t base;            /* its first component */
    struct judge_clock clock; /* a: generic accesses that a proxy fence followed */
    uint32_t *t;   /* what its tcgen05 operations are ordered behind: g at the last after_thread_sync */
    bool released; /* somebody may know the present epoch: what comes next is a new one */
    uint32_t epoch[JUDGE_COMPONENTS];         /* open ones */
    uint32_t version;                         /* moves with the clocks */
    uint32_t pipe_last, bulk_last, copy_last; /* newest epoch in which something was issued */
    uint32_t pipe_pc, bulk_pc, copy_pc;
    struct judge_snapshot *snap; /* of the present version; NULL: none yet */
    struct judge_wgmma *wgmma;   /* of its warpgroup, held by the first warp */
};

struct judge_seen { /* first: order, at the first of its waits that saw these phases end */
    uint32_t phases, epoch, order, first, pc;
    bool any;
};

struct judge_barrier { /* an mbarrier */
    uint32_t address, component;
    uint32_t phases; /* over */
    bool live;
    struct {
        struct emu_judge_warp *by;
        uint32_t epoch, order, pc;
        bool fenced;
    } init;
    struct judge_clock sum, done;         /* of all arrivals; of those before the last phase's end */
    struct judge_seen *seen;              /* by warp of the cluster: its last successful wait */
    uint8_t *known;                       /* by warp: 1 its init is known, 2 to the async proxy */
    const struct emu_warp *ended_by;      /* whose arrival ended the last phase; NULL: an effect's */
    uint32_t async_phase, async_pc;       /* newest phase + 1 in which an asynchronous arrival landed */
    bool async_commit;                    /* it was its own CTA's tcgen05.commit */
    const struct emu_judge_warp *last_by; /* whose arrival was joined last, at which version */
    uint32_t last_version;
};

struct judge_rendezvous { /* a generation of bar or of the cluster's barrier */
    struct judge_clock clock;
    uint32_t generation;
};

enum { JUDGE_PAGE = 256 /* cells of 16 bytes */ };
struct judge_block { /* 16 bytes of shared memory; parts of 4 once somebody touched less */
    struct judge_cell whole, *parts;
};

struct emu_judge_cta {
    struct judge_block **pages;
    uint8_t *barrier_at; /* by 8-byte word: 1 + index of its barrier */
    struct judge_barrier *barriers;
    uint32_t barrier_count;
    struct judge_rendezvous named[16][4]; /* by generation & 3 */
    struct judge_cell (*tmem)[4];         /* [column][quarter]; mask: low and high 16 lanes */
    uint32_t *end;                        /* all that its warps knew when they exited */
    struct judge_party *remote;           /* by warp of the cluster: newest access from another CTA */
};

struct emu_judge {
    struct emu_cluster *cluster;
    uint32_t warps, per_cta, width; /* warps of a CTA; components of a CTA, of all */
    uint32_t serial;
    struct emu_judge_op *running, *spare_ops;
    struct judge_snapshot *spare_snaps, *begins; /* begins: of the wgmma that is about to be posted; else NULL */
    struct judge_map *maps; /* judge_map.c */
    struct judge_rendezvous all[4];
    struct judge_clock bucket[JUDGE_BUCKETS]; /* flags and atomics, by address: coarse */
    struct judge_access {
        bool known, read, write, atomic, acquires, releases;
    } *how; /* by pc */
};

/* ---- judge_clock.c ---- */
void *judge_alloc(struct emu_judge *judge, size_t bytes); /* zeroed; NULL: no memory, and the launch fails */
struct judge_clock judge_clock_new(struct emu_judge *judge);
void judge_join(const struct emu_judge *judge, struct judge_clock *to, const struct judge_clock *from);
void judge_touch(struct emu_judge_warp *w); /* before an event that others must not know yet */
void judge_changed(struct emu_judge_warp *w);
void judge_release(struct emu_judge_warp *w, struct judge_clock *to);
void judge_acquire(struct emu_judge_warp *w, const struct judge_clock *from);
void judge_publish(struct emu_judge_warp *w, enum judge_component c, uint32_t epoch); /* over, as w knows */
void judge_fence_before(struct emu_judge_warp *w);                                    /* tcgen05 */
void judge_order(struct emu_judge_warp *w);
struct judge_snapshot *judge_snapshot(struct emu_judge_warp *w); /* one reference more */
struct judge_snapshot *judge_snapshot_fresh(struct emu_judge *judge); /* of nothing, no reference; NULL: no memory */
void judge_snapshot_drop(struct emu_judge *judge, struct judge_snapshot *s);
struct emu_judge_warp *judge_warp_of(const struct emu_judge *judge,
                                     uint32_t component);   /* NULL: a barrier's */
uint32_t judge_warp_number(const struct emu_judge_warp *w); /* in the cluster */
const struct judge_access *judge_access_of(struct emu_judge *judge, const struct emu_insn *insn);

/* ---- judge_wgmma.c ---- */
void judge_wgmma_wait(struct emu_judge_warp *w, uint32_t group); /* all groups up to this one are over */

/* ---- judge_mbarrier.c ---- */
struct judge_barrier *judge_barrier_at(struct emu_judge *judge, uint32_t address); /* NULL: none */
struct judge_barrier *judge_barrier_of(struct emu_judge *judge, uint32_t component);

/* ---- judge_registers.c ---- */
void judge_registers(struct emu_judge *judge); /* looks at the text of the kernel: once a launch */

/* ---- judge_report.c ---- */
enum judge_level { JUDGE_ERROR, JUDGE_STRICT };
struct judge_report {
    const char *name; /* of the class */
    enum judge_level level;
    const struct judge_party *now, *then; /* then may be NULL */
    bool then_writes, now_writes;
    const char *verb; /* between the two, where they are no reads and writes; else NULL */
};
/* One line: "<level> <name>: <where>: <now> ... <then>: <text>", unless the same was said before. */
void judge_say(struct emu_judge *judge, const struct judge_report *report, const char *where,
               const char *format, ...) __attribute__((format(printf, 4, 5)));
uint32_t judge_pc(const struct emu_warp *w, const struct emu_insn *insn);

/* The component c of a warp. A wgmma belongs to four warps: its group is the first one's. */
static inline uint32_t judge_component_of(const struct emu_judge_warp *w, enum judge_component c) {
    uint32_t first = c == JUDGE_WGMMA ? w->warp->index % 4 * JUDGE_COMPONENTS : 0;
    return w->base - first + (uint32_t)c;
}
static inline bool judge_knows(const uint32_t *clock, const struct judge_party *p) {
    return clock[p->who] >= p->epoch;
}
/* Whether `then`, which memory remembers, was issued after `now`, an effect that ran late: it did not wait
 * for it. */
static inline bool judge_overtook(const struct judge_party *then, const struct judge_party *now) {
    return (int32_t)(then->serial - now->serial) > 0;
}
static inline bool judge_is_async(enum judge_kind kind) { return kind >= JUDGE_MMA; }

#endif
