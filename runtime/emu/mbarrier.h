/* mbarrier: the 8-byte barrier object in shared memory. PTX ISA 9.1 §9.7.13.15.
 *
 * The word has the layout that an H200 shows (facts 5.2):
 *     63        62..43            42   41..21              20..1               0
 *     phase     2^20 - pending    0    -(tx-count)         2^20 - expected     0
 * A phase ends when pending arrivals and tx-count are both 0; then pending = expected and the phase bit
 * flips. A table of each CTA's live barriers tells a barrier that was never initialised. */
#ifndef EMU_MBARRIER_H
#define EMU_MBARRIER_H

#include "runtime/emu/machine.h"

#define EMU_MBARRIER_MAX 0xfffffu /* the largest count, and the largest |tx-count| */

struct emu_mbarrier {
    uint32_t phase, pending, expected;
    int32_t tx;
};
uint64_t emu_mbarrier_pack(const struct emu_mbarrier *barrier);
struct emu_mbarrier emu_mbarrier_unpack(uint64_t word);

/* One operation: the tx-count grows by expect and shrinks by complete, the expected count shrinks by drop,
 * the pending count by arrive; then completion is tested. */
struct emu_mbarrier_update {
    uint32_t arrive, drop, expect, complete;
};
enum emu_mbarrier_result {
    EMU_MBARRIER_OPEN,
    EMU_MBARRIER_ENDED,
    EMU_MBARRIER_OVER_ARRIVAL,
    EMU_MBARRIER_TX_OVERFLOW,
    EMU_MBARRIER_OVER_DROP
};
enum emu_mbarrier_result emu_mbarrier_apply(struct emu_mbarrier *barrier,
                                            const struct emu_mbarrier_update *update);

/* On the object at a shared address (rank in bits 24 and up), for the report in the name of warp and insn.
 * EMU_NEXT, or EMU_FAULT. A phase that ends moves cluster->version. before may be NULL: the word before the
 * operation. */
enum emu_step emu_mbarrier_init(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                uint32_t count);
enum emu_step emu_mbarrier_inval(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address);
enum emu_step emu_mbarrier_update(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                  const struct emu_mbarrier_update *update, uint64_t *before);
enum emu_step emu_mbarrier_arrive(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                  uint32_t count);
enum emu_step emu_mbarrier_complete(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                    uint32_t bytes);
/* One more arrival is pending in this phase. */
enum emu_step emu_mbarrier_raise(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address);
/* Its state, untouched. */
enum emu_step emu_mbarrier_peek(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                struct emu_mbarrier *barrier);
/* Whether the phase of this parity is over (the current phase has the other one). */
enum emu_step emu_mbarrier_test(struct emu_warp *warp, const struct emu_insn *insn, uint32_t address,
                                uint32_t parity, bool *over);

/* For the deadlock report: "phase 3 (parity 1): 1 of 2 arrivals missing, 16384 bytes missing". Always
 * terminated. */
void emu_mbarrier_describe(struct emu_cluster *cluster, uint32_t address, char *out, size_t bytes);

#endif
