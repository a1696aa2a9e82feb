/* tcgen05.alloc, dealloc, relinquish_alloc_permit. PTX ISA 9.1 §9.7.16.7.
 *
 * With cta_group::2 one warp of each CTA of a pair does it together: whoever comes first waits, whoever comes
 * second does it for both. */
#include <stdio.h>
#include <string.h>
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/tmem.h"

enum { MOD_GROUP = 0, MOD_SPACE = 1 };

static enum emu_step whole_warp(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (mask == EMU_FULL) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                     "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
}

static enum emu_step columns_of(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                                uint32_t mask, uint32_t *columns) {
    uint64_t value;
    bool same = emu_uniform(w, o, mask, &value);
    *columns = (uint32_t)value;
    bool legal = *columns >= EMU_TMEM_UNIT && *columns <= EMU_TMEM_COLUMNS && !(*columns & (*columns - 1));
    if (same && legal) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                     same ? "%u columns: legal are powers of two from 32 to 512"
                          : "the lanes disagree on the number of columns (%u in the first)",
                     *columns);
}

static struct emu_cta *peer_of(const struct emu_warp *w) { return w->cta->cluster->ctas[w->cta->rank ^ 1]; }

static enum emu_step may_alloc(struct emu_warp *w, const struct emu_insn *insn, const struct emu_tmem *tmem,
                               uint32_t columns) {
    if (tmem->relinquished)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "alloc after relinquish_alloc_permit of this CTA");
    if (tmem->last_columns && columns > tmem->last_columns)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "alloc of %u columns after one of %u: sizes must not grow", columns,
                         tmem->last_columns);
    return EMU_NEXT;
}

/* Both halves of a pair's operation are there: does it in both CTAs. EMU_BLOCK: not enough columns yet. */
static enum emu_step do_pair(struct emu_warp *w, const struct emu_insn *insn, struct emu_tmem *own,
                             struct emu_tmem *peer) {
    uint32_t columns = own->request.columns, column = own->request.address;
    if (peer->request.columns != columns)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "%u columns, but the peer CTA's warp says %u",
                         columns, peer->request.columns);
    if (own->request.what == EMU_TMEM_ALLOC) {
        if (!emu_tmem_take(own, w->cta->cluster, columns, &column)) return EMU_BLOCK;
        emu_tmem_mirror(peer, column, columns);
    } else if (!emu_tmem_give(own, column, columns) || !emu_tmem_give(peer, column, columns)) {
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "dealloc of %u columns at column %u: no such allocation", columns, column);
    }
    peer->request.address = own->request.address = column;
    peer->request.granted = own->request.granted = true;
    emu_notify(w->cta->cluster);
    return EMU_NEXT;
}

/* One warp's half. EMU_NEXT: done, *column holds the result; EMU_BLOCK: call again. */
static enum emu_step pair_step(struct emu_warp *w, const struct emu_insn *insn, enum emu_tmem_request what,
                               uint32_t columns, uint32_t *column) {
    struct emu_tmem *own = w->cta->tmem, *peer = emu_tmem_get(peer_of(w), w, insn);
    if (!peer) return EMU_FAULT;
    if (own->request.what == EMU_TMEM_IDLE) {
        own->request.what = what, own->request.warp = w, own->request.granted = false;
        own->request.columns = columns, own->request.address = *column;
    }
    bool mine = own->request.warp == w, both = peer->request.what == what && !peer->request.granted;
    if (mine && !own->request.granted && both && do_pair(w, insn, own, peer) == EMU_FAULT) return EMU_FAULT;
    if (!mine || !own->request.granted) return emu_wait(w, EMU_WAIT_TMEM_ALLOC, 0, columns);
    *column = own->request.address;
    own->request.what = EMU_TMEM_IDLE;
    emu_notify(w->cta->cluster); /* another warp of this CTA may have waited for its turn */
    return EMU_NEXT;
}

enum emu_step sem_tmem_alloc(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t columns, address, column = 0, lane = (uint32_t)__builtin_ctz(mask);
    if (whole_warp(w, insn, mask) == EMU_FAULT ||
        emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT ||
        columns_of(w, insn, &insn->op[1], mask, &columns) == EMU_FAULT ||
        may_alloc(w, insn, w->cta->tmem, columns) == EMU_FAULT ||
        emu_lane_shared(w, insn, &insn->op[0], lane, insn->mod[MOD_SPACE] == 0, 4, &address) == EMU_FAULT)
        return EMU_FAULT;
    if (insn->mod[MOD_GROUP] == 2) {
        enum emu_step step = pair_step(w, insn, EMU_TMEM_ALLOC, columns, &column);
        if (step != EMU_NEXT) return step;
    } else if (!emu_tmem_take(w->cta->tmem, w->cta->cluster, columns, &column)) {
        return emu_wait(w, EMU_WAIT_TMEM_ALLOC, 0, columns);
    }
    w->cta->tmem->last_columns = columns;
    if (w->judge) emu_judge_tmem_given(w, insn, w->cta, column, columns, true);
    uint8_t *place = emu_shared_at(w, insn, address, 4, 4, lane, true);
    if (!place) return EMU_FAULT;
    memcpy(place, &column, 4);
    return EMU_NEXT;
}

enum emu_step sem_tmem_dealloc(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t columns;
    uint64_t address;
    if (whole_warp(w, insn, mask) == EMU_FAULT ||
        emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT ||
        columns_of(w, insn, &insn->op[1], mask, &columns) == EMU_FAULT)
        return EMU_FAULT;
    bool same = emu_uniform(w, &insn->op[0], mask, &address);
    if (!same || address >> 16)
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "dealloc at 0x%08x: %s", (uint32_t)address,
                         same ? "an allocation starts at lane 0" : "the lanes disagree on the address");
    uint32_t column = (uint32_t)address;
    if (w->judge) emu_judge_tmem_given(w, insn, w->cta, column, columns, false);
    if (insn->mod[MOD_GROUP] == 2) return pair_step(w, insn, EMU_TMEM_DEALLOC, columns, &column);
    if (!emu_tmem_give(w->cta->tmem, column, columns))
        return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                         "dealloc of %u columns at column %u: no such allocation", columns, column);
    emu_notify(w->cta->cluster);
    return EMU_NEXT;
}

enum emu_step sem_tmem_relinquish(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (whole_warp(w, insn, mask) == EMU_FAULT || emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT)
        return EMU_FAULT;
    w->cta->tmem->relinquished = true;
    return EMU_NEXT;
}

enum emu_step emu_tmem_cta_end(struct emu_cta *cta, struct emu_warp *last) {
    if (!cta->tmem || !cta->tmem->used) return EMU_NEXT;
    char list[128] = "";
    for (uint32_t at = 0, length = 0; at < 16; at++)
        if (cta->tmem->block[at])
            length += (uint32_t)snprintf(list + length, sizeof list - length, " %u at column %u;",
                                         cta->tmem->block[at] * EMU_TMEM_UNIT, at * EMU_TMEM_UNIT);
    return emu_fault(last, NULL, EMU_FAULT_LAUNCH_FAILED, "TMEM leak: the CTA ends without dealloc of%s",
                     list);
}
