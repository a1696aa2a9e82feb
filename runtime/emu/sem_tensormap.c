/* sem_tensormap: tensormap.replace and cp_fenceproxy: tensor maps that a kernel makes itself. PTX ISA 9.1
 * §9.7.9.28, §9.7.13.16. */
#include <string.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/tensor_map.h"

enum { ALIGN = 64, GLOBAL = 1, SHARED = 2 }; /* choices of the space; 0: generic */

/* ---- replace: [map] {, ordinal}, value ---- */

static uint8_t *map_at(struct emu_warp *w, const struct emu_insn *insn, uint32_t space, uint32_t lane) {
    uint64_t address = emu_address(w, &insn->op[0], lane);
    if (space == GLOBAL) return emu_global_at(w, insn, address, EMU_TENSOR_MAP_BYTES, ALIGN, lane);
    if (space == SHARED) return emu_shared_at(w, insn, address, EMU_TENSOR_MAP_BYTES, ALIGN, lane, true);
    return emu_generic_at(w, insn, address, EMU_TENSOR_MAP_BYTES, ALIGN, lane);
}

/* value: the last operand */
static enum emu_step replace(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                             enum emu_tensor_field field, uint32_t space, uint32_t ordinal) {
    const struct emu_opnd *value = &insn->op[insn->op_count - 1];
    EMU_FOR_LANES(mask, lane) {
        uint8_t *map = map_at(w, insn, space, lane);
        if (!map) return EMU_FAULT;
        emu_tensor_map_replace(map, field, ordinal,
                               value->kind == EMU_OP_IMM ? (uint64_t)value->imm : emu_lane(w, value, lane));
        if (w->judge) emu_judge_map_written(w, insn, emu_address(w, &insn->op[0], lane)); /* shared ones are never used */
    }
    return EMU_NEXT;
}

static enum emu_tensor_field dimension_field(const struct emu_insn *insn) {
    return EMU_TENSOR_BOX + insn->mod[0] - 1;
}
static enum emu_tensor_field mode_field(const struct emu_insn *insn) {
    return EMU_TENSOR_ELEMENT + insn->mod[0] - 1;
}

static void check(struct emu_decoder *d, struct emu_insn *insn, const char *what, enum emu_tensor_field field,
                  uint32_t limit) {
    int64_t value = insn->op[1].imm;
    if (value >= 0 && value < limit) return;
    emu_decode_fail(d, insn, "%s %lld of .%s, legal are 0 to %u", what, (long long)value,
                    emu_tensor_limits[field].name, limit - 1);
}
void emu_decode_tensormap_stride(struct emu_decoder *d, struct emu_insn *insn) {
    check(d, insn, "ordinal", EMU_TENSOR_STRIDE, emu_tensor_limits[EMU_TENSOR_STRIDE].ordinals);
}
void emu_decode_tensormap_dimension(struct emu_decoder *d, struct emu_insn *insn) {
    enum emu_tensor_field field = dimension_field(insn);
    check(d, insn, "ordinal", field, emu_tensor_limits[field].ordinals);
}
void emu_decode_tensormap_mode(struct emu_decoder *d, struct emu_insn *insn) {
    enum emu_tensor_field field = mode_field(insn);
    check(d, insn, "value", field, emu_tensor_limits[field].values);
}

enum emu_step sem_tensormap_address(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return replace(w, insn, mask, EMU_TENSOR_ADDRESS, insn->mod[0], 0);
}
enum emu_step sem_tensormap_rank(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return replace(w, insn, mask, EMU_TENSOR_RANK, insn->mod[0], 0);
}
enum emu_step sem_tensormap_stride(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return replace(w, insn, mask, EMU_TENSOR_STRIDE, insn->mod[0], (uint32_t)insn->op[1].imm);
}
enum emu_step sem_tensormap_dimension(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return replace(w, insn, mask, dimension_field(insn), insn->mod[1], (uint32_t)insn->op[1].imm);
}
enum emu_step sem_tensormap_mode(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return replace(w, insn, mask, mode_field(insn), insn->mod[1], 0);
}

/* ---- cp_fenceproxy: [to], [from], 128. Copies read a tensor map when they happen, so that nothing is left
 * to fence ---- */

void emu_decode_tensormap_copy(struct emu_decoder *d, struct emu_insn *insn) {
    if (insn->op[2].imm != EMU_TENSOR_MAP_BYTES)
        emu_decode_fail(d, insn, "the size must be 128, not %lld", (long long)insn->op[2].imm);
}

enum emu_step sem_tensormap_copy(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint64_t to, from;
    uint32_t lane = (uint32_t)__builtin_ctz(mask);
    if (!emu_uniform(w, &insn->op[0], mask, &to) || !emu_uniform(w, &insn->op[1], mask, &from))
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "the lanes of the warp disagree on the addresses");
    const uint8_t *source = emu_shared_at(w, insn, from, EMU_TENSOR_MAP_BYTES, ALIGN, lane, true);
    uint8_t *target = source ? emu_global_at(w, insn, to, EMU_TENSOR_MAP_BYTES, ALIGN, lane) : NULL;
    if (!target) return EMU_FAULT;
    memcpy(target, source, EMU_TENSOR_MAP_BYTES);
    if (w->judge) emu_judge_map_written(w, insn, to);
    return EMU_NEXT;
}
