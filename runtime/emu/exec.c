/* exec: runs the instructions of one warp. */
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/sched.h"

static inline struct emu_split *current(struct emu_warp *w) { return &w->split[w->current]; }

/* Leaves the split at its instruction with the lanes that wait there; the others go on behind it. */
static enum emu_step block(struct emu_warp *w, uint32_t waiting) {
    struct emu_split *s = current(w);
    uint32_t others = s->mask & ~waiting, pc = s->pc;
    s->mask = waiting;
    s->state = EMU_SPLIT_BLOCKED;
    s->wait.since = w->cta->cluster->version;
    emu_split_add(w, pc + 1, others);
    return EMU_BLOCK;
}

static enum emu_step wait_for_lanes(struct emu_warp *w, uint32_t waiting, uint32_t needed) {
    emu_wait(w, EMU_WAIT_WARP, 0, needed);
    return block(w, waiting);
}

/* ---- WARP rows: all of the warp, or the lanes that a membermask names ---- */

static enum emu_step run_aligned(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    struct emu_split *s = current(w);
    if (mask != s->mask)
        return emu_fault(
            w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
            "all lanes must execute it together, but its guard holds for lanes 0x%08x of 0x%08x only", mask,
            s->mask);
    if (mask != w->live) {
        if (w->judge) emu_judge_apart(w, insn, mask);
        return wait_for_lanes(w, mask, w->live);
    }
    enum emu_step step = insn->fn(w, insn, mask);
    return step == EMU_BLOCK ? block(w, mask) : step;
}

/* Lanes of `among` that name the same membermask as the lowest of them. */
static uint32_t group_of(struct emu_warp *w, const struct emu_opnd *member, uint32_t among, uint32_t *named) {
    const uint32_t *lanes = emu_lanes(w, member);
    uint32_t group = 0;
    *named = lanes[__builtin_ctz(among)];
    EMU_FOR_LANES(among, lane) if (lanes[lane] == *named) group |= 1u << lane;
    return group;
}

static enum emu_step run_members(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_opnd *member = &insn->op[insn->member_op - 1];
    uint32_t complete = 0, missing = 0, named;
    for (uint32_t left = mask, group; left; left &= ~group) {
        group = group_of(w, member, left, &named);
        if (group & ~named)
            return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                             "lane %d executes it, but its membermask 0x%08x does not name that lane",
                             __builtin_ctz(group & ~named), named);
        if (named & w->live & ~group) missing |= named;
        else complete |= group;
    }
    if (!complete) return wait_for_lanes(w, mask, missing);
    if (complete != mask) { /* the other groups wait here as a split of their own */
        struct emu_split *s = current(w);
        s->mask &= ~(mask & ~complete);
        w->split[w->split_count++] = (struct emu_split){.pc = s->pc,
                                                        .mask = mask & ~complete,
                                                        .state = EMU_SPLIT_BLOCKED,
                                                        .wait = {.kind = EMU_WAIT_WARP, .detail = missing}};
    }
    enum emu_step step = EMU_NEXT;
    for (uint32_t left = complete, group; left && step == EMU_NEXT; left &= ~group) {
        group = group_of(w, member, left, &named);
        step = insn->fn(w, insn, group);
    }
    return step;
}

/* ---- THREAD rows: lane by lane ---- */

static enum emu_step run_threads(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    enum emu_step result = EMU_NEXT;
    uint32_t done = 0;
    EMU_FOR_LANES(mask, lane) {
        enum emu_step step = insn->fn(w, insn, 1u << lane);
        if (step == EMU_BLOCK) return block(w, mask & ~done);
        if (step == EMU_FAULT) return step;
        if (step == EMU_YIELD) result = step;
        else current(w)->wait.kind = EMU_WAIT_NONE; /* the next lane begins afresh */
        done |= 1u << lane;
    }
    return result;
}

/* ---- turns ---- */

static inline uint32_t guarded(const struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (!insn->guarded) return mask;
    uint32_t p = *(const uint32_t *)(w->bank[EMU_BANK_REGS] + (uint64_t)insn->guard_slot * EMU_SLOT_BYTES);
    return mask & (insn->guard_negated ? ~p : p);
}

static inline enum emu_step execute(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (insn->scope == EMU_SCOPE_LANE) {
        enum emu_step step = insn->fn(w, insn, mask);
        return step == EMU_BLOCK ? block(w, mask) : step;
    }
    if (insn->scope == EMU_SCOPE_FLOW) return insn->fn(w, insn, mask);
    if (insn->scope == EMU_SCOPE_THREAD) return run_threads(w, insn, mask);
    return insn->member_op ? run_members(w, insn, mask) : run_aligned(w, insn, mask);
}

static void yielded(struct emu_warp *w) {
    struct emu_split *s = current(w);
    s->state = EMU_SPLIT_YIELDED;
    s->wait.since = ++w->turns;
}

/* Runs the picked split until it blocks, exits, meets or falls behind another one (EMU_JUMP), yields, faults,
 * or the budget is used up (EMU_YIELD). */
static enum emu_step run_split(struct emu_warp *w, uint32_t *budget) {
    const struct emu_insn *code = w->fn->code;
    const bool alone = w->split_count == 1;
    const uint32_t meeting = alone ? UINT32_MAX : emu_split_meeting(w);
    while (*budget) {
        --*budget;
        struct emu_split *s = current(w);
        const struct emu_insn *insn = &code[s->pc];
        uint32_t mask = guarded(w, insn, s->mask);
        enum emu_step step = mask ? execute(w, insn, mask) : EMU_NEXT;
        if (step == EMU_NEXT) {
            s->pc++;
            s->wait.kind = EMU_WAIT_NONE;
            s->state = EMU_SPLIT_READY;
            if (s->pc >= meeting) return EMU_JUMP;
        } else if (step == EMU_JUMP) {
            if (!alone || w->split_count != 1) return EMU_JUMP;
        } else {
            if (step != EMU_YIELD) return step;
            s->pc++;
            yielded(w);
            return EMU_YIELD;
        }
    }
    yielded(w);
    return EMU_YIELD;
}

/* Lanes that wait for each other at different places never meet. */
static bool never_meet(const struct emu_warp *w) {
    for (uint32_t k = 0; k < w->split_count; k++)
        if (w->split[k].state != EMU_SPLIT_BLOCKED || w->split[k].wait.kind != EMU_WAIT_WARP) return false;
    return w->split_count > 0;
}

static enum emu_turn fault_apart(struct emu_warp *w) {
    const struct emu_split *a = &w->split[0];
    const struct emu_insn *insn = &w->fn->code[a->pc];
    w->current = 0;
    if (w->split_count == 1)
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "lanes 0x%08x wait here for lanes 0x%08x, which never come", a->mask,
                  a->wait.detail & w->live & ~a->mask);
    else
        emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                  "executed under divergence: lanes 0x%08x wait here for lanes 0x%08x, of which 0x%08x wait "
                  "at PTX line %u (%s)",
                  a->mask, a->wait.detail & w->live & ~a->mask, w->split[1].mask,
                  w->fn->code[w->split[1].pc].source->pos.line, w->fn->code[w->split[1].pc].source->mnemonic);
    return EMU_TURN_FAULT;
}

enum emu_turn emu_warp_turn(struct emu_warp *w, uint32_t budget) {
    bool ran = false;
    while (emu_split_pick(w)) {
        ran = true;
        enum emu_step step = run_split(w, &budget);
        if (step == EMU_FAULT) return EMU_TURN_FAULT;
        if (step == EMU_YIELD) return EMU_TURN_SPUN;
        if (!w->live) return emu_warp_ended(w) == EMU_FAULT ? EMU_TURN_FAULT : EMU_TURN_MOVED;
    }
    if (never_meet(w)) return fault_apart(w);
    return ran ? EMU_TURN_MOVED : EMU_TURN_STUCK;
}

bool emu_warp_ready(const struct emu_warp *w) {
    for (uint32_t k = 0; k < w->split_count; k++)
        if (emu_split_ready(w, &w->split[k])) return true;
    return false;
}
