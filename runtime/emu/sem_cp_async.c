/* cp.async: copies of 4, 8 or 16 bytes a thread from global to shared memory, their groups, and their
 * mbarrier arrival. PTX ISA 9.1 §9.7.9.25.3, §9.7.13.15.15.
 *
 * What one warp executes together is one effect. A warp's effects stay in order, a legal choice, so that the
 * arrival that waits for a thread's earlier copies can stand behind them. */
#include <string.h>
#include "runtime/emu/async.h"
#include "runtime/emu/bulk.h"
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"

enum { OP_SIZE = 2, OP_SOURCE_SIZE = 3, MOD_CACHE = 0, CACHE_CG = 2 };

struct copies {
    struct emu_async base;
    uint32_t mask, bytes;
    uint64_t source[EMU_LANES];
    uint32_t target[EMU_LANES], source_bytes[EMU_LANES];
    struct emu_bulk_group *group[EMU_LANES];
};

static uint64_t pipe_of(const struct emu_warp *w) {
    return 1ull << 62 | (uint64_t)w->cta->rank << 32 | w->index;
}

static enum emu_step run_copies(struct emu_cluster *cluster, struct emu_async *base) {
    struct copies *c = (struct copies *)base;
    EMU_FOR_LANES(c->mask, lane) {
        uint32_t bytes = c->source_bytes[lane];
        uint8_t *target = emu_async_smem(cluster, base, c->target[lane], c->bytes, EMU_WRITE);
        if (!target || (bytes && !emu_async_global(cluster, base, c->source[lane], bytes))) return EMU_FAULT;
        memcpy(target, (const void *)(uintptr_t)c->source[lane], bytes);
        memset(target + bytes, 0, c->bytes - bytes);
        emu_bulk_read_done(cluster, c->group[lane]);
        emu_bulk_write_done(cluster, c->group[lane]);
    }
    return EMU_NEXT;
}

void emu_decode_cp_async(struct emu_decoder *d, struct emu_insn *insn) {
    int64_t bytes = insn->op[OP_SIZE].imm;
    bool legal = insn->mod[MOD_CACHE] == CACHE_CG ? bytes == 16 : bytes == 4 || bytes == 8 || bytes == 16;
    if (!legal)
        emu_decode_fail(d, insn, "cp-size %lld, legal are %s", (long long)bytes,
                        insn->mod[MOD_CACHE] == CACHE_CG ? "16 with .cg" : "4, 8 and 16");
}

/* [dst], [src], size {, bytes to read | predicate: read nothing} */
enum emu_step sem_cp_async(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    struct copies c = {.base.pipe = pipe_of(w), .mask = mask, .bytes = (uint32_t)insn->op[OP_SIZE].imm};
    const struct emu_opnd *o = &insn->op[OP_SOURCE_SIZE];
    EMU_FOR_LANES(mask, lane) {
        c.source[lane] = emu_address(w, &insn->op[1], lane);
        c.source_bytes[lane] = c.bytes;
        if (o->kind == EMU_OP_LANES) c.source_bytes[lane] = (uint32_t)emu_lane(w, o, lane);
        if (o->kind == EMU_OP_PRED && emu_pred(w, o) >> lane & 1) c.source_bytes[lane] = 0;
        if (c.source_bytes[lane] > c.bytes)
            return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                             "lane %u: source size %u of a copy of %u bytes", lane, c.source_bytes[lane],
                             c.bytes);
        if (c.source[lane] % c.bytes)
            return emu_fault(w, insn, EMU_FAULT_MISALIGNED,
                             "lane %u: global address 0x%llx is not a multiple of %u", lane,
                             (unsigned long long)c.source[lane], c.bytes);
        if (emu_lane_shared(w, insn, &insn->op[0], lane, false, c.bytes, &c.target[lane]) == EMU_FAULT ||
            !(c.group[lane] = emu_bulk_join(w, insn, lane, &w->copies)))
            return EMU_FAULT;
    }
    return emu_async_post(w, 0, insn, run_copies, &c, sizeof c);
}

static enum emu_step commit(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane)
    if (emu_bulk_commit(w, insn, lane, &w->copies) == EMU_FAULT) return EMU_FAULT;
    if (w->judge) emu_judge_group_commit(w, EMU_GROUP_CP_ASYNC);
    return EMU_NEXT;
}

static enum emu_step wait_for(struct emu_warp *w, uint32_t mask, uint64_t pending) {
    EMU_FOR_LANES(mask, lane)
    if (!emu_bulk_reached(w->copies, lane, pending, false))
        return emu_wait(w, EMU_WAIT_BULK, 0, (uint32_t)pending);
    if (w->judge) emu_judge_group_wait(w, EMU_GROUP_CP_ASYNC, pending);
    return EMU_NEXT;
}

enum emu_step sem_cp_async_commit(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return commit(w, insn, mask);
}
enum emu_step sem_cp_async_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return wait_for(w, mask, (uint64_t)insn->op[0].imm);
}
enum emu_step sem_cp_async_wait_all(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    bool again = w->split[w->current].wait.kind == EMU_WAIT_BULK; /* it has committed already */
    if (!again && commit(w, insn, mask) == EMU_FAULT) return EMU_FAULT;
    return wait_for(w, mask, 0);
}

struct arrivals {
    struct emu_async base;
    uint32_t mask, barrier[EMU_LANES];
};

static enum emu_step run_arrivals(struct emu_cluster *cluster, struct emu_async *base) {
    (void)cluster;
    struct arrivals *a = (struct arrivals *)base;
    EMU_FOR_LANES(a->mask, lane)
    if (emu_mbarrier_arrive(base->warp, base->insn, a->barrier[lane], 1) == EMU_FAULT) return EMU_FAULT;
    return EMU_NEXT;
}

/* {.noinc}{.space}: without .noinc the pending count rises first, so that the arrival cancels out */
enum emu_step sem_cp_async_arrive(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    struct arrivals a = {.base.pipe = pipe_of(w), .mask = mask};
    EMU_FOR_LANES(mask, lane) {
        if (emu_lane_shared(w, insn, &insn->op[0], lane, !insn->mod[1], 8, &a.barrier[lane]) == EMU_FAULT)
            return EMU_FAULT;
        if (!insn->mod[0] && emu_mbarrier_raise(w, insn, a.barrier[lane]) == EMU_FAULT) return EMU_FAULT;
    }
    return emu_async_post(w, 0, insn, run_arrivals, &a, sizeof a);
}
