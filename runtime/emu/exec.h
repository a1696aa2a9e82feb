/* exec: what instruction semantics call: lanes, addresses, waiting, faults.
 *
 * A semantics function gets the lanes that execute (guard applied) and returns an emu_step. One that must
 * wait calls return emu_wait(warp, EMU_WAIT_MBARRIER, address, parity); before it has changed anything, or
 * keeps in the split's wait what it has done already: the same instruction is called again once
 * cluster->version moved, with warp->split[warp->current].wait as it left it (kind NONE the first time).
 * Whoever changes something that others may wait for calls emu_notify(). */
#ifndef EMU_EXEC_H
#define EMU_EXEC_H

#include <stddef.h>
#include "runtime/emu/insn.h"

#define EMU_FOR_LANES(mask, lane)                                                                            \
    for (uint32_t lane##_left = (mask), lane;                                                                \
         lane##_left && ((lane = (uint32_t)__builtin_ctz(lane##_left)), 1); lane##_left &= lane##_left - 1)

static inline enum emu_step emu_wait(struct emu_warp *w, enum emu_wait_kind kind, uint32_t address,
                                     uint32_t detail) {
    struct emu_wait *wait = &w->split[w->current].wait;
    wait->kind = kind;
    wait->address = address;
    wait->detail = detail;
    return EMU_BLOCK;
}

/* Something that a blocked warp may wait for has changed. */
static inline void emu_notify(struct emu_cluster *cluster) { cluster->version++; }

/* One lane of an operand of 1, 2, 4 (zero-extended) or 8 bytes. */
static inline uint64_t emu_lane(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane) {
    const void *lanes = emu_lanes(w, o);
    return o->bytes == 8 ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
}
static inline void emu_set_lane32(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane,
                                  uint32_t value) {
    ((uint32_t *)emu_lanes(w, o))[lane] = value;
}
static inline void emu_set_lane64(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane,
                                  uint64_t value) {
    ((uint64_t *)emu_lanes(w, o))[lane] = value;
}
/* Writes the lanes of mask of a predicate; a sink or an operand left out is fine. */
static inline void emu_set_pred(const struct emu_warp *w, const struct emu_opnd *o, uint32_t mask,
                                uint32_t value) {
    if (o->kind != EMU_OP_PRED) return;
    uint32_t *p = (uint32_t *)emu_lanes(w, o);
    *p = (*p & ~mask) | (value & mask);
}
/* The address that lane `lane` names with an operand of kind ADDRESS. Shared: the shared address (32 bits).
 */
static inline uint64_t emu_address(const struct emu_warp *w, const struct emu_opnd *o, uint32_t lane) {
    uint64_t address = emu_lane(w, o, lane) + (uint64_t)o->imm;
    return o->bytes == 8 ? address : (uint32_t)address;
}
static inline struct emu_cluster *emu_cluster_of(const struct emu_warp *w) { return w->cta->cluster; }

/* Host memory behind an address, checked for bounds and alignment; NULL after emu_fault(). */
uint8_t *emu_global_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                       uint32_t align, uint32_t lane);
uint8_t *emu_shared_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                       uint32_t align, uint32_t lane, bool own_cta_only);
uint8_t *emu_local_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                      uint32_t align, uint32_t lane);
uint8_t *emu_generic_at(struct emu_warp *w, const struct emu_insn *insn, uint64_t address, uint32_t bytes,
                        uint32_t align, uint32_t lane); /* global, parameter, shared or local */

/* Whether a generic address is in the shared window; its shared address. */
bool emu_generic_is_shared(uint64_t address, uint32_t *shared);

/* Supplied by the mbarrier semantics: state of the mbarrier at a shared address, for the deadlock report
 * ("phase 3, 1 of 128 arrivals pending, 16384 bytes to come"). */
void emu_mbarrier_describe(struct emu_cluster *cluster, uint32_t address, char *out, size_t out_bytes)
    __attribute__((weak));
/* Supplied by the tensor-memory semantics: called when the last warp of a CTA has exited; EMU_FAULT where it
 * left something behind (emu_fault called with its last warp). */
enum emu_step emu_tmem_cta_end(struct emu_cta *cta, struct emu_warp *last) __attribute__((weak));

#endif
