/* tcgen05.commit: an mbarrier arrival behind everything that the thread's tensor pipe holds. PTX ISA 9.1
 * §9.7.16.12.1. */
#include "runtime/emu/fault.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/sem_bulk.h"
#include "runtime/emu/tmem.h"

struct arrival {
    struct emu_async base;
    uint32_t barrier; /* shared address */
};

static enum emu_step run_arrival(struct emu_cluster *cluster, struct emu_async *op) {
    (void)cluster;
    return emu_mbarrier_arrive(op->warp, op->insn, ((struct arrival *)op)->barrier, 1);
}

struct commit {
    struct emu_async base;
    uint32_t barrier, ctas; /* ctas: mask of the CTAs at whose barrier of this offset it arrives */
};

static enum emu_step send_arrival(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                  uint32_t rank, const void *what) {
    struct arrival a = {.barrier = rank << 24 | (((const struct commit *)what)->barrier & 0xffffff)};
    return emu_async_post(w, lane, insn, run_arrival, &a, sizeof a);
}

/* Everything before it in the pipe has happened. At the own CTA it arrives now, at others its arrival still
 * travels. */
static enum emu_step run_commit(struct emu_cluster *cluster, struct emu_async *base) {
    (void)cluster;
    struct commit *c = (struct commit *)base;
    struct emu_warp *w = base->warp;
    uint32_t own = 1u << w->cta->rank, barrier = w->cta->rank << 24 | (c->barrier & 0xffffff);
    if (c->ctas & own && emu_mbarrier_arrive(w, base->insn, barrier, 1) == EMU_FAULT) return EMU_FAULT;
    return emu_for_each_cta(w, base->insn, base->lane, c->ctas & ~own, send_arrival, c);
}

enum { COMMIT_GROUP = 0, COMMIT_SPACE = 1 };

enum emu_step sem_umma_commit(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (emu_tmem_group(w, insn, insn->mod[COMMIT_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        struct commit c = {.base.pipe = emu_async_tensor_pipe(w, lane)};
        if (emu_lane_shared(w, insn, &insn->op[0], lane, !insn->mod[COMMIT_SPACE], 8, &c.barrier) ==
            EMU_FAULT)
            return EMU_FAULT;
        bool multicast = insn->op[1].kind != EMU_OP_NONE;
        uint32_t existing = (1u << w->cta->cluster->cta_count) - 1;
        c.ctas = multicast ? (uint16_t)emu_lane(w, &insn->op[1], lane) : 1u << (c.barrier >> 24 & 31);
        if (c.ctas & ~existing)
            return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "commit to CTAs 0x%x of a cluster of %u",
                             c.ctas, w->cta->cluster->cta_count);
        if (emu_async_post(w, lane, insn, run_commit, &c, sizeof c) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}
