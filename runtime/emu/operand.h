/* operand: what the asynchronous instructions ask of their operands: addresses, and one lane's value.
 *
 * A shared address is 32 bits, CTA rank in bits 24 and up (facts: an own variable's address carries the own
 * rank). */
#ifndef EMU_OPERAND_H
#define EMU_OPERAND_H

#include "runtime/emu/machine.h"

/* The value of one lane, zero-extended; immediates too. */
uint64_t emu_lane_value(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t lane);

/* The address that a mem or tmap operand names for one lane: base + offset, and for a named variable its
 * place. */
uint64_t emu_lane_address(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t lane);

/* The same as a shared address. generic: no state space was written, so that the address must lie in the
 * shared window (else EMU_FAULT). alignment: a power of two that the address must be a multiple of. */
enum emu_step emu_lane_shared(struct emu_warp *warp, const struct emu_insn *insn,
                              const struct emu_opnd *operand, uint32_t lane, bool generic, uint32_t alignment,
                              uint32_t *address);

/* Whether every lane of mask has the value of its lowest lane in *value. */
bool emu_uniform(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t mask, uint64_t *value);

#endif
