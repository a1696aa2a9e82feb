/* tcgen05.mma: issue, in all its forms. Each thread that executes one starts one. PTX ISA 9.1 §9.7.16.10.9.
 *
 * mma, cp, shift and commit of one thread are one pipe, in order: more than the manual promises for different
 * accumulators, but what real kernels rely on (facts 14.10). The collector's hints never change a result and
 * are not looked at. */
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma.h"

enum { OP_D = 0, OP_A = 1, OP_B = 2, OP_IDESC = 3 }; /* of every form */

static enum emu_step refuse(struct emu_warp *w, const struct emu_insn *insn, const char *why) {
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%s", why);
}

/* What one thread issues; op holds what the row's own operands say. */
static enum emu_step issue(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                           enum emu_umma_kind kind, struct emu_umma_op *op) {
    char why[192];
    uint32_t d = (uint32_t)emu_address(w, &insn->op[OP_D], lane);
    op->base.pipe = emu_async_tensor_pipe(w, lane);
    op->d_lane = d >> 16, op->d_column = d & 0xffff;
    op->a_in_tmem = insn->op[OP_A].kind == EMU_OP_ADDRESS;
    struct emu_umma_form form = {.kind = kind,
                                 .cta_group = op->cta_group,
                                 .weight_stationary = op->weight_stationary,
                                 .a_in_tmem = op->a_in_tmem};
    if (op->a_in_tmem) {
        uint32_t a = (uint32_t)emu_address(w, &insn->op[OP_A], lane);
        op->a_lane = a >> 16, op->a_column = a & 0xffff;
    } else if (!emu_smem_matrix_decode(&op->a, emu_lane(w, &insn->op[OP_A], lane), why, sizeof why)) {
        return refuse(w, insn, why);
    }
    if (!emu_smem_matrix_decode(&op->b, emu_lane(w, &insn->op[OP_B], lane), why, sizeof why) ||
        !emu_umma_decode(&op->shape, (uint32_t)emu_lane(w, &insn->op[OP_IDESC], lane), &form, why,
                         sizeof why) ||
        !emu_umma_op_check(op, why, sizeof why))
        return refuse(w, insn, why);
    return emu_async_post(w, lane, insn, emu_umma_run, op, sizeof *op);
}

/* ---- the plain form and .ashift: {lanes of D left alone}, enable-input-d {, scale-input-d} ---- */

enum { MOD_GROUP = 0, MOD_KIND = 1, OP_LANES = 4, OP_ENABLE = 5, OP_SCALE = 6 };
static const enum emu_umma_kind kind_choice[] = {EMU_UMMA_F16, EMU_UMMA_TF32, EMU_UMMA_F8F6F4, EMU_UMMA_I8};

void emu_decode_mma(struct emu_decoder *d, struct emu_insn *insn) {
    enum emu_umma_kind kind = kind_choice[insn->mod[MOD_KIND] - 1];
    uint32_t words = insn->mod[MOD_GROUP] == 2 ? 8 : 4;
    if (insn->op[OP_LANES].kind !=
        EMU_OP_VECTOR) { /* the row without disable-output-lane: make room for it */
        insn->op[OP_SCALE] = insn->op[OP_ENABLE];
        insn->op[OP_ENABLE] = insn->op[OP_LANES];
        insn->op[OP_LANES] = (struct emu_opnd){0};
        insn->op_count = OP_SCALE + 1;
    } else if (insn->op[OP_LANES].count != words) {
        emu_decode_fail(d, insn, "disable-output-lane has %u words, cta_group::%u wants %u",
                        insn->op[OP_LANES].count, insn->mod[MOD_GROUP], words);
    }
    if (insn->op[OP_SCALE].kind == EMU_OP_NONE) return;
    if (kind != EMU_UMMA_F16 && kind != EMU_UMMA_TF32)
        emu_decode_fail(d, insn, "scale-input-d is of kind::f16 and kind::tf32 only");
    if (insn->op[OP_SCALE].imm < 0 || insn->op[OP_SCALE].imm > 15)
        emu_decode_fail(d, insn, "scale-input-d is %lld, legal are 0 to 15",
                        (long long)insn->op[OP_SCALE].imm);
}
void emu_decode_mma_shift(struct emu_decoder *d, struct emu_insn *insn) { emu_decode_mma(d, insn); }

static enum emu_step mma(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask, bool shift_a) {
    uint32_t enable = emu_pred(w, &insn->op[OP_ENABLE]);
    const struct emu_opnd *lanes = &insn->op[OP_LANES], *scale = &insn->op[OP_SCALE];
    if (emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        struct emu_umma_op op = {
            .cta_group = insn->mod[MOD_GROUP], .accumulate = enable >> lane & 1, .shift_a = shift_a};
        if (lanes->kind ==
            EMU_OP_VECTOR) /* cg2: the first four words are the even CTA's [UNPROVEN: a B200] */
            for (uint32_t i = 0; i < lanes->count; i++)
                op.skip[i] = (uint32_t)emu_lane(w, &lanes->elems[i], lane);
        if (scale->kind == EMU_OP_IMM) op.scale_d = (uint32_t)scale->imm;
        if (issue(w, insn, lane, kind_choice[insn->mod[MOD_KIND] - 1], &op) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_mma(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return mma(w, insn, mask, false);
}
enum emu_step sem_mma_shift(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return mma(w, insn, mask, true);
}

/* ---- .ws: enable-input-d {, zero-column mask} ---- */

enum { MOD_WS_KIND = 0, OP_WS_ENABLE = 4, OP_WS_ZERO = 5 };

enum emu_step sem_mma_ws(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t enable = emu_pred(w, &insn->op[OP_WS_ENABLE]);
    if (emu_tmem_group(w, insn, 1) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        struct emu_umma_op op = {.cta_group = 1, .accumulate = enable >> lane & 1, .weight_stationary = true};
        if (insn->op[OP_WS_ZERO].kind != EMU_OP_NONE)
            op.zero_columns = emu_lane(w, &insn->op[OP_WS_ZERO], lane);
        if (issue(w, insn, lane, kind_choice[insn->mod[MOD_WS_KIND] - 1], &op) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

/* ---- block-scaled: [scale-A], [scale-B], enable-input-d ---- */

enum { OP_SCALE_A = 4, OP_SCALE_B = 5, OP_MX_ENABLE = 6 };

static enum emu_step mma_scaled(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask,
                                enum emu_umma_kind kind, uint32_t vector) {
    uint32_t enable = emu_pred(w, &insn->op[OP_MX_ENABLE]);
    if (emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        struct emu_umma_op op = {
            .cta_group = insn->mod[MOD_GROUP], .accumulate = enable >> lane & 1, .scale_vector = vector};
        op.scale_a = (uint32_t)emu_address(w, &insn->op[OP_SCALE_A], lane);
        op.scale_b = (uint32_t)emu_address(w, &insn->op[OP_SCALE_B], lane);
        if (issue(w, insn, lane, kind, &op) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}

enum emu_step sem_mma_mxf8(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return mma_scaled(w, insn, mask, EMU_UMMA_MXF8F6F4, 1);
}
enum emu_step sem_mma_mxf4(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    return mma_scaled(w, insn, mask, EMU_UMMA_MXF4, 2);
}
enum emu_step sem_mma_nvf4(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    static const uint32_t vectors[] = {2, 2, 4, 4}; /* scale_vec::2X, block32, scale_vec::4X, block16 */
    return mma_scaled(w, insn, mask, EMU_UMMA_MXF4NVF4, vectors[insn->mod[1] - 1]);
}
