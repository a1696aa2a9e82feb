#include "runtime/emu/operand.h"

#include "runtime/emu/fault.h"

enum emu_step emu_lane_shared(struct emu_warp *warp, const struct emu_insn *insn,
                              const struct emu_opnd *operand, uint32_t lane, bool generic, uint32_t alignment,
                              uint32_t *address) {
    uint64_t value = emu_address(warp, operand, lane);
    *address = (uint32_t)value;
    if (generic && operand->space != PTX_SHARED && !emu_generic_is_shared(value, address))
        return emu_fault(warp, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                         "lane %u: generic address 0x%llx is not in shared memory", lane,
                         (unsigned long long)value);
    if (*address & (alignment - 1))
        return emu_fault(warp, insn, EMU_FAULT_MISALIGNED,
                         "lane %u: shared address 0x%x is not a multiple of %u", lane, *address, alignment);
    return EMU_NEXT;
}

bool emu_uniform(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t mask,
                 uint64_t *value) {
    bool first = true, same = true;
    EMU_FOR_LANES(mask, lane) {
        uint64_t v = operand->kind == EMU_OP_ADDRESS ? emu_address(warp, operand, lane)
                                                     : emu_lane(warp, operand, lane);
        if (first) *value = v;
        same = same && v == *value;
        first = false;
    }
    return same;
}
