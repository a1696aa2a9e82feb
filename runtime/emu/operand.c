#include "runtime/emu/operand.h"

#include "runtime/emu/device.h"
#include "runtime/emu/fault.h"

uint64_t emu_lane_value(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t lane) {
    switch (operand->kind) {
    case EMU_OP_IMM: return (uint64_t)operand->imm;
    case EMU_OP_PRED: return (emu_pred(warp, operand) >> lane) & 1;
    default: break;
    }
    const void *lanes = emu_lanes(warp, operand);
    return operand->bytes == 8 ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
}

uint64_t emu_lane_address(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t lane) {
    const void *lanes = emu_lanes(warp, operand);
    bool wide = operand->bytes == 8;
    uint64_t base = wide ? ((const uint64_t *)lanes)[lane] : ((const uint32_t *)lanes)[lane];
    base += (uint64_t)operand->imm;
    if (operand->space == PTX_SHARED) return base | (uint64_t)warp->cta->rank << 24;
    if (operand->space == PTX_PARAM) return base + (uint64_t)(uintptr_t)warp->cta->cluster->launch->params;
    return wide ? base : (uint32_t)base;
}

enum emu_step emu_lane_shared(struct emu_warp *warp, const struct emu_insn *insn,
                              const struct emu_opnd *operand, uint32_t lane, bool generic, uint32_t alignment,
                              uint32_t *address) {
    uint64_t value = emu_lane_address(warp, operand, lane);
    bool shared_already = operand->space == PTX_SHARED;
    if (generic && !shared_already && value - EMU_SHARED_WINDOW >= 1ull << 32)
        return emu_fault(warp, insn, EMU_FAULT_ILLEGAL_ADDRESS,
                         "lane %u: generic address 0x%llx is not in shared memory", lane,
                         (unsigned long long)value);
    *address = (uint32_t)value;
    if (*address & (alignment - 1))
        return emu_fault(warp, insn, EMU_FAULT_MISALIGNED,
                         "lane %u: shared address 0x%x is not a multiple of %u", lane, *address, alignment);
    return EMU_NEXT;
}

bool emu_uniform(const struct emu_warp *warp, const struct emu_opnd *operand, uint32_t mask,
                 uint64_t *value) {
    bool address = operand->kind == EMU_OP_ADDRESS;
    bool first = true, same = true;
    for (uint32_t m = mask; m; m &= m - 1) {
        uint32_t lane = (uint32_t)__builtin_ctz(m);
        uint64_t v = address ? emu_lane_address(warp, operand, lane) : emu_lane_value(warp, operand, lane);
        if (first) *value = v;
        same = same && v == *value;
        first = false;
    }
    return same;
}
