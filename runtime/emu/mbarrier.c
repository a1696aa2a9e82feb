#include "runtime/emu/mbarrier.h"

#include "runtime/emu/arrivals.h"

#include <stdio.h>
#include <string.h>
#include "gen/arena.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"

enum { COUNT_BITS = 20, TX_BITS = 21, PENDING_AT = 43, TX_AT = 21, EXPECTED_AT = 1 };
#define COUNT_MASK ((1ull << COUNT_BITS) - 1)
#define TX_MASK    ((1ull << TX_BITS) - 1)

static uint64_t negated(uint32_t count) { return ((1ull << COUNT_BITS) - count) & COUNT_MASK; }

uint64_t emu_mbarrier_pack(const struct emu_mbarrier *b) {
    return (uint64_t)(b->phase & 1) << 63 | negated(b->pending) << PENDING_AT |
           ((uint64_t) - (int64_t)b->tx & TX_MASK) << TX_AT | negated(b->expected) << EXPECTED_AT;
}

struct emu_mbarrier emu_mbarrier_unpack(uint64_t word) {
    int32_t minus_tx = (int32_t)((uint32_t)(word >> TX_AT & TX_MASK) << (32 - TX_BITS)) >> (32 - TX_BITS);
    return (struct emu_mbarrier){
        .phase = (uint32_t)(word >> 63),
        .pending = (uint32_t)negated((uint32_t)(word >> PENDING_AT & COUNT_MASK)),
        .expected = (uint32_t)negated((uint32_t)(word >> EXPECTED_AT & COUNT_MASK)),
        .tx = -minus_tx,
    };
}

enum emu_mbarrier_result emu_mbarrier_apply(struct emu_mbarrier *b, const struct emu_mbarrier_update *u) {
    if (u->arrive > b->pending) return EMU_MBARRIER_OVER_ARRIVAL;
    if (u->drop > b->expected) return EMU_MBARRIER_OVER_DROP;
    int64_t tx = (int64_t)b->tx + u->expect - u->complete;
    if (tx > (int64_t)EMU_MBARRIER_MAX || tx < -(int64_t)EMU_MBARRIER_MAX) return EMU_MBARRIER_TX_OVERFLOW;
    b->tx = (int32_t)tx;
    b->expected -= u->drop;
    b->pending -= u->arrive;
    if (b->pending || b->tx) return EMU_MBARRIER_OPEN;
    b->phase ^= 1;
    b->pending = b->expected;
    return EMU_MBARRIER_ENDED;
}

/* The object's bytes, once it is known to be aligned and inside a CTA's shared memory; NULL after a fault. */
static uint8_t *object(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                       struct emu_cta **owner) {
    struct emu_cluster *cluster = warp->cta->cluster;
    uint32_t rank = address >> 24;
    if (address & 7) {
        emu_fault(warp, insn, EMU_FAULT_MISALIGNED, "mbarrier at 0x%x: not 8-byte aligned", address);
        return NULL;
    }
    uint8_t *place = emu_shared(cluster, address, 8);
    if (!place) {
        emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
                  "mbarrier at 0x%x: outside the shared memory of CTA %u", address, rank);
        return NULL;
    }
    *owner = cluster->ctas[rank];
    return place;
}

static bool is_live(const struct emu_cta *cta, uint32_t address) {
    uint32_t word = (address & 0xffffff) / 8;
    return cta->mbarriers && cta->mbarriers[word / 64] >> word % 64 & 1;
}

/* object() of a barrier that is live. */
static uint8_t *live_object(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address) {
    struct emu_cta *owner;
    uint8_t *place = object(warp, insn, address, &owner);
    if (!place || is_live(owner, address)) return place;
    emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
              "mbarrier at 0x%x of CTA %u is used but was never initialised", address, address >> 24);
    return NULL;
}

enum emu_step emu_mbarrier_init(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                uint32_t count) {
    struct emu_cta *owner;
    uint8_t *place = object(warp, insn, address, &owner);
    if (!place) return EMU_FAULT;
    if (count < 1 || count > EMU_MBARRIER_MAX)
        return emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
                         "mbarrier at 0x%x: a count of %u, legal are 1 to %u", address, count,
                         EMU_MBARRIER_MAX);
    if (!owner->mbarriers)
        owner->mbarriers =
            wl_arena_alloc(owner->cluster->arena, (owner->smem_bytes / 512 + 1) * sizeof *owner->mbarriers);
    if (!owner->mbarriers)
        return emu_fault(warp, insn, EMU_FAULT_NO_MEMORY, "no memory for the table of mbarriers");
    uint32_t word = (address & 0xffffff) / 8;
    owner->mbarriers[word / 64] |= 1ull << word % 64;
    uint64_t image = emu_mbarrier_pack(&(struct emu_mbarrier){.pending = count, .expected = count});
    memcpy(place, &image, 8);
    if (warp->judge) emu_judge_mbarrier_init(warp, insn, address);
    return EMU_NEXT;
}

enum emu_step emu_mbarrier_inval(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address) {
    if (!live_object(warp, insn, address)) return EMU_FAULT;
    if (warp->judge) emu_judge_mbarrier_inval(warp, address);
    uint32_t word = (address & 0xffffff) / 8;
    warp->cta->cluster->ctas[address >> 24]->mbarriers[word / 64] &= ~(1ull << word % 64);
    return EMU_NEXT;
}

static enum emu_step misuse(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                            const struct emu_mbarrier *b, const struct emu_mbarrier_update *u,
                            enum emu_mbarrier_result result) {
    switch (result) {
    case EMU_MBARRIER_OVER_ARRIVAL:
        return emu_fault(
            warp, insn, EMU_FAULT_LAUNCH_FAILED,
            "mbarrier at 0x%x: %u arrival(s), but only %u of %u are pending in this phase (parity %u)",
            address, u->arrive, b->pending, b->expected, b->phase);
    case EMU_MBARRIER_OVER_DROP:
        return emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
                         "mbarrier at 0x%x: drops %u of %u expected arrivals", address, u->drop, b->expected);
    default:
        return emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
                         "mbarrier at 0x%x: tx-count %d + %u expected - %u completed bytes leaves -%u..%u",
                         address, b->tx, u->expect, u->complete, EMU_MBARRIER_MAX, EMU_MBARRIER_MAX);
    }
}

enum emu_step emu_mbarrier_update(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                  const struct emu_mbarrier_update *update, uint64_t *before) {
    uint8_t *place = live_object(warp, insn, address);
    if (!place) return EMU_FAULT;
    uint64_t word;
    memcpy(&word, place, 8);
    if (before) *before = word;
    struct emu_mbarrier barrier = emu_mbarrier_unpack(word), old = barrier;
    enum emu_mbarrier_result result = emu_mbarrier_apply(&barrier, update);
    if (result > EMU_MBARRIER_ENDED) return misuse(warp, insn, address, &barrier, update, result);
    word = emu_mbarrier_pack(&barrier);
    memcpy(place, &word, 8);
    if (warp->judge)
        emu_judge_mbarrier_update(warp, insn, address, update, &old, result == EMU_MBARRIER_ENDED);
    const struct emu_arrival arrival = {warp, insn, address, !update->arrive, result == EMU_MBARRIER_ENDED};
    if (update->arrive || update->complete) emu_arrivals_note(warp->cta->cluster, &arrival);
    if (result == EMU_MBARRIER_ENDED) warp->cta->cluster->version++;
    return EMU_NEXT;
}

enum emu_step emu_mbarrier_arrive(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                  uint32_t count) {
    return emu_mbarrier_update(warp, insn, address, &(struct emu_mbarrier_update){.arrive = count}, NULL);
}

enum emu_step emu_mbarrier_complete(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                    uint32_t bytes) {
    return emu_mbarrier_update(warp, insn, address, &(struct emu_mbarrier_update){.complete = bytes}, NULL);
}

enum emu_step emu_mbarrier_raise(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address) {
    uint8_t *place = live_object(warp, insn, address);
    if (!place) return EMU_FAULT;
    uint64_t word;
    memcpy(&word, place, 8);
    struct emu_mbarrier barrier = emu_mbarrier_unpack(word);
    if (barrier.pending == EMU_MBARRIER_MAX)
        return emu_fault(warp, insn, EMU_FAULT_LAUNCH_FAILED,
                         "mbarrier at 0x%x: more than %u pending arrivals", address, EMU_MBARRIER_MAX);
    barrier.pending++;
    word = emu_mbarrier_pack(&barrier);
    memcpy(place, &word, 8);
    return EMU_NEXT;
}

enum emu_step emu_mbarrier_peek(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                struct emu_mbarrier *barrier) {
    uint8_t *place = live_object(warp, insn, address);
    if (!place) return EMU_FAULT;
    uint64_t word;
    memcpy(&word, place, 8);
    *barrier = emu_mbarrier_unpack(word);
    return EMU_NEXT;
}

enum emu_step emu_mbarrier_test(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                uint32_t parity, bool *over) {
    struct emu_mbarrier barrier;
    if (emu_mbarrier_peek(warp, insn, address, &barrier) == EMU_FAULT) return EMU_FAULT;
    *over = barrier.phase != (parity & 1);
    return EMU_NEXT;
}

void emu_mbarrier_describe(struct emu_cluster *cluster, uint32_t address, char *out, size_t bytes) {
    uint8_t *place = address & 7 ? NULL : emu_shared(cluster, address, 8);
    if (!place || !is_live(cluster->ctas[address >> 24], address)) {
        snprintf(out, bytes, "there is no mbarrier");
        return;
    }
    uint64_t word;
    memcpy(&word, place, 8);
    struct emu_mbarrier b = emu_mbarrier_unpack(word);
    char missing[64] = "", more[64] = "";
    if (b.pending) snprintf(missing, sizeof missing, " and lacks %u of %u arrivals", b.pending, b.expected);
    if (b.tx > 0) snprintf(more, sizeof more, " and lacks %d bytes", b.tx);
    if (b.tx < 0) snprintf(more, sizeof more, " and got %d bytes that nobody expects", -b.tx);
    snprintf(out, bytes, "the open one has parity %u%s%s", b.phase, missing, more);
}
