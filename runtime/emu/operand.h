/* operand: what the asynchronous instructions ask of their operands beyond exec.h: shared addresses however
 * they are written, and values that all lanes must agree on.
 *
 * A shared address is 32 bits, CTA rank in bits 24 and up; an own variable's address carries the own rank. */
#ifndef EMU_OPERAND_H
#define EMU_OPERAND_H

#include "runtime/emu/exec.h"

/* The shared address that a mem operand names for one lane. generic: no state space was written, so that the
 * address must lie in the shared window. alignment: a power of two that it must be a multiple of. EMU_NEXT or
 * EMU_FAULT. */
enum emu_step emu_lane_shared(struct emu_warp *warp, const struct emu_insn *insn,
                              const struct emu_opnd *operand, uint32_t lane, bool generic, uint32_t alignment,
                              uint32_t *address);

/* Whether all lanes of mask agree on the operand's value (an ADDRESS: its address); that of the lowest in
 * *value. */
bool emu_uniform(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t mask, uint64_t *value);

#endif
