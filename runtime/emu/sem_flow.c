/* sem_flow: branches, ends, and what a thread does to the machine around it. PTX ISA 9.1 §9.7.12, §9.7.19. */
#include "runtime/emu/sem_flow.h"

#include <string.h>

#include "runtime/emu/decoder.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/lanes.h"
#include "runtime/emu/sched.h"

static inline struct emu_split *current(struct emu_warp *w) { return &w->split[w->current]; }

EMU_SEM_HEAD(sem_bra) {
    struct emu_split *s = current(w);
    if (mask == s->mask) {
        s->pc = insn->target;
        return EMU_JUMP;
    }
    s->mask &= ~mask;
    s->pc++;
    emu_split_add(w, insn->target, mask);
    return EMU_JUMP;
}

/* brx.idx index, list: an index beyond the list is undefined by the manual; here it ends the launch */
EMU_SEM_HEAD(sem_brx) {
    const struct emu_targets *targets = insn->extra;
    const uint32_t *index = emu_lanes(w, &insn->op[0]);
    EMU_FOR_LANES(mask, i)
    if (index[i] >= targets->count)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "lane %u: index %u of a list of %u labels",
                         i, index[i], targets->count);
    struct emu_split *s = current(w);
    s->mask &= ~mask;
    s->pc++;
    for (uint32_t left = mask; left;) {
        uint32_t first = index[__builtin_ctz(left)], group = 0;
        EMU_FOR_LANES(left, i) if (index[i] == first) group |= 1u << i;
        emu_split_add(w, targets->pc[first], group);
        left &= ~group;
    }
    if (!s->mask) emu_split_remove(w, w->current);
    return EMU_JUMP;
}

void emu_decode_brx(struct emu_decoder *d, struct emu_insn *insn) {
    const struct ptx_operand *list = &insn->source->operands[1];
    struct emu_targets *targets = emu_decode_alloc(d, sizeof *targets + list->count * sizeof targets->pc[0]);
    targets->count = list->count;
    for (uint32_t k = 0; k < list->count; k++) {
        if (list->items[k].kind != PTX_OP_LABEL)
            emu_decode_fail(d, insn, "'%s' is no label", list->items[k].name);
        targets->pc[k] =
            (uint32_t)list->items[k].i; /* of the text; the decoder of calls makes them of the code */
    }
    insn->extra = targets;
}

EMU_SEM_HEAD(sem_exit) {
    (void)insn;
    current(w)->pc++; /* where lanes that the guard leaves out go on */
    emu_split_exit(w, mask);
    emu_lanes_left(w);
    return EMU_JUMP;
}

/* The copies of a call's parameters; the function's body stands behind it (decode_call.c). */
EMU_SEM_HEAD(sem_call) {
    const struct emu_call_copies *copies = insn->extra;
    EMU_FOR_LANES(mask, i) {
        uint8_t *local = w->local + (uint64_t)i * w->fn->local_bytes;
        for (uint32_t k = 0; k < copies->count; k++)
            memmove(local + copies->copy[k].to, local + copies->copy[k].from, copies->copy[k].bytes);
    }
    return EMU_NEXT;
}

EMU_SEM_HEAD(sem_trap) { return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "lanes 0x%08x trapped", mask); }
EMU_SEM_HEAD(sem_brkpt) {
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                     "lanes 0x%08x reached a breakpoint, and no debugger is there", mask);
}

/* Time is not emulated: to sleep is to let others run. */
EMU_SEM_HEAD(sem_nanosleep) {
    (void)w, (void)insn, (void)mask;
    return EMU_YIELD;
}

/* No profiler is there to count the event. */
EMU_SEM_HEAD(sem_pmevent) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}

/* Grids of a stream run one after the other, so that the one before has ended and its writes are seen. */
EMU_SEM_HEAD(sem_griddepcontrol) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}

/* ---- setmaxnreg: registers are counted, not taken; facts 9 ---- */

EMU_SEM_HEAD(sem_setmaxnreg) {
    (void)mask;
    struct emu_cta *cta = w->cta;
    uint32_t wanted = (uint32_t)insn->op[0].imm, have = w->regs_per_thread;
    bool inc = insn->mod[0] == 1;
    if (!have) return EMU_NEXT;
    if (inc ? wanted < have : wanted > have)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "the warp has %u registers a thread, %s to %u", have,
                         inc ? "cannot grow" : "cannot shrink", wanted);
    uint32_t change = (inc ? wanted - have : have - wanted) * EMU_LANES;
    if (inc && change > cta->regs_free) return emu_wait(w, EMU_WAIT_OTHER, 0, wanted);
    cta->regs_free = inc ? cta->regs_free - change : cta->regs_free + change;
    w->regs_per_thread = wanted;
    emu_notify(cta->cluster);
    return EMU_NEXT;
}

void emu_decode_setmaxnreg(struct emu_decoder *d, struct emu_insn *insn) {
    int64_t n = insn->op[0].imm;
    if (n < 24 || n > 256 || n % 8)
        emu_decode_fail(d, insn, "%lld registers: setmaxnreg takes multiples of 8 from 24 to 256",
                        (long long)n);
}
