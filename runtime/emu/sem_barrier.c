/* sem_barrier: see sem_barrier.h. PTX ISA 9.1 §9.7.13.1.
 *
 * The aligned forms need the whole warp at the instruction; the others count lane by lane. A split that has
 * arrived and waits is told by its emu_wait: kind BARRIER, address = barrier, detail = the generation that it
 * waits to see end. */
#include "runtime/emu/sem_barrier.h"

#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/lanes.h"

static uint32_t live_threads(const struct emu_cta *cta) {
    uint32_t n = 0;
    for (uint32_t k = 0; k < cta->warp_count; k++) n += (uint32_t)__builtin_popcount(cta->warps[k].live);
    return n;
}

static void check(struct emu_cta *cta, struct emu_named_barrier *b) {
    uint32_t expected = b->expected ? b->expected : live_threads(cta);
    if (!b->arrived || b->arrived < expected) return;
    uint32_t *result = b->result[b->generation & 3];
    result[0] = b->votes;
    result[1] = b->arrived;
    b->arrived = b->votes = 0;
    b->generation++;
    emu_notify(cta->cluster);
}

void emu_barriers_check(struct emu_cta *cta) {
    for (int k = 0; k < 16; k++)
        if (!cta->barrier[k].expected) check(cta, &cta->barrier[k]);
}

/* One value that all lanes agree on, else a fault. */
static bool uniform(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o, uint32_t mask,
                    uint32_t *value) {
    const uint32_t *lanes = emu_lanes(w, o);
    *value = lanes[__builtin_ctz(mask)];
    EMU_FOR_LANES(mask, i)
    if (lanes[i] != *value) {
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "lane %u names %u where another lane of its warp names %u", i, lanes[i], *value);
        return false;
    }
    return true;
}

/* The barrier and its count (0: all threads), checked; NULL after a fault. */
static struct emu_named_barrier *named(struct emu_warp *w, const struct emu_insn *insn, uint32_t first,
                                       uint32_t mask, uint32_t *id, uint32_t *count) {
    const struct emu_opnd *number = &insn->op[first], *threads = &insn->op[first + 1];
    *count = 0;
    if (!uniform(w, insn, number, mask, id)) return NULL;
    if (threads->kind != EMU_OP_NONE && !uniform(w, insn, threads, mask, count)) return NULL;
    if (*id > 15 || *count % EMU_LANES || (threads->kind != EMU_OP_NONE && !*count)) {
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "barrier %u with %u threads: barriers are 0 to 15, threads a multiple of 32", *id, *count);
        return NULL;
    }
    struct emu_named_barrier *b = &w->cta->barrier[*id];
    if (b->arrived && b->expected != *count) {
        emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                  "barrier %u is in use for %u threads (0: all), with %u arrived; this one wants %u", *id,
                  b->expected, b->arrived, *count);
        return NULL;
    }
    b->expected = *count;
    return b;
}

static void arrive(struct emu_warp *w, struct emu_named_barrier *b, uint32_t mask, uint32_t votes) {
    b->arrived += (uint32_t)__builtin_popcount(mask);
    b->votes += (uint32_t)__builtin_popcount(votes & mask);
    if (w->judge) emu_judge_bar_arrive(w, (uint32_t)(b - w->cta->barrier));
    check(w->cta, b);
}

/* Arrives, once, and waits; EMU_NEXT when the generation has ended, *ended being it. */
static enum emu_step sync(struct emu_warp *w, const struct emu_insn *insn, uint32_t first, uint32_t mask,
                          uint32_t votes, uint32_t **result) {
    struct emu_wait *wait = &w->split[w->current].wait;
    uint32_t id, count, generation;
    struct emu_named_barrier *b;
    if (wait->kind == EMU_WAIT_BARRIER) {
        id = wait->address;
        generation = wait->detail;
        b = &w->cta->barrier[id];
    } else {
        b = named(w, insn, first, mask, &id, &count);
        if (!b) return EMU_FAULT;
        generation = b->generation;
        arrive(w, b, mask, votes);
    }
    if (b->generation == generation) return emu_wait(w, EMU_WAIT_BARRIER, id, generation);
    if (w->judge) emu_judge_bar_wait(w, id, generation);
    *result = b->result[generation & 3];
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_bar_sync) {
    uint32_t *result;
    return sync(w, insn, 0, mask, 0, &result);
}

EMU_SEM_HEAD(sem_bar_arrive) {
    uint32_t id, count;
    struct emu_named_barrier *b = named(w, insn, 0, mask, &id, &count);
    if (!b) return EMU_FAULT;
    arrive(w, b, mask, 0);
    return EMU_NEXT;
}

/* d, a, {b}, c */
EMU_SEM_HEAD(sem_bar_popc) {
    uint32_t *result;
    enum emu_step step = sync(w, insn, 1, mask, emu_pred(w, &insn->op[3]), &result);
    if (step != EMU_NEXT) return step;
    EMU_FOR_LANES(mask, i) emu_set_lane32(w, &insn->op[0], i, result[0]);
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_bar_vote) { /* mod[1]: and, or */
    uint32_t *result;
    enum emu_step step = sync(w, insn, 1, mask, emu_pred(w, &insn->op[3]), &result);
    if (step != EMU_NEXT) return step;
    bool holds = insn->mod[1] == 1 ? result[0] == result[1] : result[0] != 0;
    emu_set_pred(w, &insn->op[0], mask, holds ? EMU_FULL : 0);
    return EMU_NEXT;
}
