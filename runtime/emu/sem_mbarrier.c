/* mbarrier.*: the instructions around the object of mbarrier.h. An arrival or transaction at another CTA's
 * barrier travels: it is an asynchronous effect; at the own CTA's it happens at once. */
#include "runtime/emu/async.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"

/* mod[] of every mbarrier row but init and inval: {.sem.scope}{.space}{.sem.scope} */
enum { SPACE = 2, GENERIC = 0, SHARED_CTA = 1, SHARED_CLUSTER = 2, SHARED = 3 };

static enum emu_step own_only(struct emu_warp *w, const struct emu_insn *insn, uint32_t address) {
    if (address >> 24 == w->cta->rank) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                     "mbarrier at 0x%x is in CTA %u of the cluster; this form reaches only the own CTA, %u",
                     address, address >> 24, w->cta->rank);
}

/* The barrier's address in a lane; remote: whether another CTA's will do. */
static enum emu_step barrier_at(struct emu_warp *w, const struct emu_insn *insn, const struct emu_opnd *o,
                                uint32_t lane, uint8_t space, bool remote, uint32_t *address) {
    if (emu_lane_shared(w, insn, o, lane, space == GENERIC, 8, address) == EMU_FAULT) return EMU_FAULT;
    return remote && (space == GENERIC || space == SHARED_CLUSTER) ? EMU_NEXT : own_only(w, insn, *address);
}

enum emu_step sem_mbarrier_init(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint32_t address;
        if (barrier_at(w, insn, &insn->op[0], lane, insn->mod[0], false, &address) == EMU_FAULT ||
            emu_mbarrier_init(w, insn, address, (uint32_t)emu_lane(w, &insn->op[1], lane)) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_mbarrier_inval(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        uint32_t address;
        if (barrier_at(w, insn, &insn->op[0], lane, insn->mod[0], false, &address) == EMU_FAULT ||
            emu_mbarrier_inval(w, insn, address) == EMU_FAULT)
            return EMU_FAULT;
    }
    return EMU_NEXT;
}

struct remote_update {
    struct emu_async base;
    uint32_t address;
    struct emu_mbarrier_update update;
};

static enum emu_step run_remote(struct emu_cluster *cluster, struct emu_async *op) {
    (void)cluster;
    struct remote_update *r = (struct remote_update *)op;
    return emu_mbarrier_update(op->warp, op->insn, r->address, &r->update, NULL);
}

static enum emu_step issue_remote(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                  uint32_t address, const struct emu_mbarrier_update *update) {
    struct remote_update r = {.address = address, .update = *update};
    return emu_async_post(w, lane, insn, run_remote, &r, sizeof r);
}

/* The state that an arrive returns is the word before it; the low half of the register pair keeps its value
 * (facts 5.1). */
static void return_state(struct emu_warp *w, const struct emu_opnd *d, uint32_t lane, uint64_t before) {
    uint64_t *state = (uint64_t *)emu_lanes(w, d) + lane;
    *state = (before & ~0xffffffffull) | (*state & 0xffffffffull);
}

static enum emu_step update_lane(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                 const struct emu_opnd *state, const struct emu_opnd *where,
                                 const struct emu_mbarrier_update *update) {
    uint32_t address;
    if (barrier_at(w, insn, where, lane, insn->mod[SPACE], true, &address) == EMU_FAULT) return EMU_FAULT;
    bool wants_state = state && state->kind == EMU_OP_LANES;
    if (address >> 24 != w->cta->rank) {
        if (!wants_state) return issue_remote(w, insn, lane, address, update);
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "arrival at CTA %u's mbarrier 0x%x cannot return a state: write _", address >> 24,
                         address);
    }
    uint64_t before;
    if (emu_mbarrier_update(w, insn, address, update, &before) == EMU_FAULT) return EMU_FAULT;
    if (wants_state) return_state(w, state, lane, before);
    return EMU_NEXT;
}

/* .noComplete: the arrival must leave the phase open. */
static enum emu_step check_stays_open(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                      uint32_t count) {
    uint32_t address;
    if (barrier_at(w, insn, &insn->op[1], lane, insn->mod[SPACE], false, &address) == EMU_FAULT)
        return EMU_FAULT;
    struct emu_mbarrier b;
    if (emu_mbarrier_peek(w, insn, address, &b) == EMU_FAULT) return EMU_FAULT;
    if (count < b.pending) return EMU_NEXT;
    return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED,
                     "mbarrier at 0x%x: .noComplete arrival of %u would complete the phase (%u pending)",
                     address, count, b.pending);
}

/* What one arrive-like row does: the count comes from op[2] when it is there and not a byte count. */
static enum emu_step arrive(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool drop,
                            bool bytes, bool stays_open) {
    EMU_FOR_LANES(mask, lane) {
        bool given = insn->op[2].kind != EMU_OP_NONE;
        uint32_t value = given ? (uint32_t)emu_lane(w, &insn->op[2], lane) : 1, count = bytes ? 1 : value;
        if (stays_open && check_stays_open(w, insn, lane, count) == EMU_FAULT) return EMU_FAULT;
        struct emu_mbarrier_update u = {
            .arrive = count, .drop = drop ? count : 0, .expect = bytes ? value : 0};
        if (update_lane(w, insn, lane, &insn->op[0], &insn->op[1], &u) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_mbarrier_arrive(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return arrive(w, insn, mask, false, false, false);
}
enum emu_step sem_mbarrier_arrive_expect_tx(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return arrive(w, insn, mask, false, true, false);
}
enum emu_step sem_mbarrier_arrive_no_complete(struct emu_warp *w, const struct emu_insn *insn,
                                              uint32_t mask) {
    return arrive(w, insn, mask, false, false, true);
}
enum emu_step sem_mbarrier_drop(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return arrive(w, insn, mask, true, false, false);
}
enum emu_step sem_mbarrier_drop_expect_tx(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return arrive(w, insn, mask, true, true, false);
}
enum emu_step sem_mbarrier_drop_no_complete(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return arrive(w, insn, mask, true, false, true);
}

enum emu_step sem_mbarrier_expect_tx(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        struct emu_mbarrier_update u = {.expect = (uint32_t)emu_lane(w, &insn->op[1], lane)};
        if (update_lane(w, insn, lane, NULL, &insn->op[0], &u) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_mbarrier_complete_tx(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane) {
        struct emu_mbarrier_update u = {.complete = (uint32_t)emu_lane(w, &insn->op[1], lane)};
        if (update_lane(w, insn, lane, NULL, &insn->op[0], &u) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* Which lanes find their phase over; by parity, or by a state whose phase bit is that of the awaited phase.
 */
static enum emu_step test_lanes(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool by_state,
                                uint32_t *over, uint32_t *address, uint32_t *parity) {
    *over = 0;
    EMU_FOR_LANES(mask, lane) {
        bool done;
        if (barrier_at(w, insn, &insn->op[1], lane, insn->mod[SPACE], false, address) == EMU_FAULT)
            return EMU_FAULT;
        uint64_t which = emu_lane(w, &insn->op[2], lane);
        *parity = by_state ? (uint32_t)(which >> 63) : which & 1; /* the machine looks at bit 0 only [ptxas] */
        if (emu_mbarrier_test(w, insn, *address, *parity, &done) == EMU_FAULT) return EMU_FAULT;
        *over |= (uint32_t)done << lane;
    }
    return EMU_NEXT;
}

static void tell_judge(struct emu_warp *w, const struct emu_insn *insn, uint32_t over) {
    uint32_t address;
    EMU_FOR_LANES(over, lane)
    if (barrier_at(w, insn, &insn->op[1], lane, insn->mod[SPACE], false, &address) == EMU_NEXT)
        emu_judge_mbarrier_seen(w, insn, address);
}

static enum emu_step conclude(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, uint32_t over) {
    if (w->judge) tell_judge(w, insn, over);
    emu_set_pred(w, &insn->op[0], mask, over);
    return over == mask ? EMU_NEXT : EMU_YIELD;
}

static enum emu_step test_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                               bool by_state) {
    uint32_t over, address, parity;
    if (test_lanes(w, insn, mask, by_state, &over, &address, &parity) == EMU_FAULT) return EMU_FAULT;
    return conclude(w, insn, mask, over);
}

/* The manual lets it give up as long as the thread cannot know that the phase is over. Under random order it does so
 * at random, under late order once: a program that asks only once must not get away with it. */
static bool gives_up(struct emu_warp *w, const struct emu_insn *insn, uint32_t address, bool over) {
    struct emu_cluster *cluster = w->cta->cluster;
    uint64_t bit = 1ull << ((insn - w->fn->code) & 63);
    if (cluster->launch->order == EMU_ORDER_RANDOM) return emu_random(cluster) % 4 == 0;
    if (cluster->launch->order != EMU_ORDER_LATE) return false;
    bool known = over && (!w->judge || emu_judge_mbarrier_known(w, address));
    bool first = !known && !(w->gave_up & bit);
    w->gave_up = first ? w->gave_up | bit : over ? w->gave_up & ~bit : w->gave_up;
    return first;
}

/* Waits as long as no lane's phase is over. It gives up, too, when nothing else in the cluster can move, as a real one
 * does when its time is over. */
static enum emu_step try_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool by_state) {
    struct emu_wait *wait = &w->split[w->current].wait;
    uint32_t over, address, parity;
    if (test_lanes(w, insn, mask, by_state, &over, &address, &parity) == EMU_FAULT) return EMU_FAULT;
    if (gives_up(w, insn, address, over != 0)) over = 0;
    else if (!over && !wait->expired) return emu_wait(w, EMU_WAIT_MBARRIER, address, parity);
    wait->expired = false;
    return conclude(w, insn, mask, over);
}

enum emu_step sem_mbarrier_test_parity(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return test_wait(w, insn, mask, false);
}
enum emu_step sem_mbarrier_test(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return test_wait(w, insn, mask, true);
}
enum emu_step sem_mbarrier_try_parity(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return try_wait(w, insn, mask, false);
}
enum emu_step sem_mbarrier_try(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return try_wait(w, insn, mask, true);
}

enum emu_step sem_mbarrier_pending_count(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    EMU_FOR_LANES(mask, lane)
    emu_set_lane32(w, &insn->op[0], lane, emu_mbarrier_unpack(emu_lane(w, &insn->op[1], lane)).pending);
    return EMU_NEXT;
}
