/* tcgen05.mma and commit: issue. Each thread that executes one starts one. PTX ISA 9.1 §9.7.16.10.9,
 * §9.7.16.12.1.
 *
 * mma, cp, shift and commit of one thread are one pipe, in order: more than the manual promises for different
 * accumulators, but what real kernels rely on (facts 14.10). */
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/mbarrier.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/sem_bulk.h"
#include "runtime/emu/tmem.h"
#include "runtime/emu/umma.h"

/* mod[] of the mma rows: cta_group, kind; operands once decoded. */
enum {
    MOD_GROUP = 0,
    MOD_KIND = 1,
    OP_D = 0,
    OP_A = 1,
    OP_B = 2,
    OP_IDESC = 3,
    OP_LANES = 4,
    OP_ENABLE = 5,
    OP_SCALE = 6
};

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
        emu_decode_fail(d, insn, "scale-input-d is of kind::f16 and tf32 only");
    if (insn->op[OP_SCALE].imm < 0 || insn->op[OP_SCALE].imm > 15)
        emu_decode_fail(d, insn, "scale-input-d %lld, legal are 0 to 15", (long long)insn->op[OP_SCALE].imm);
}

static enum emu_step refuse(struct emu_warp *w, const struct emu_insn *insn, const char *why) {
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "%s", why);
}

/* What one thread issues. */
static enum emu_step issue_mma(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                               uint32_t enable) {
    char why[192];
    struct emu_umma_op op = {.cta_group = insn->mod[MOD_GROUP], .accumulate = enable >> lane & 1};
    uint32_t d = (uint32_t)emu_address(w, &insn->op[OP_D], lane);
    op.base.pipe = emu_async_tensor_pipe(w, lane);
    op.d_lane = d >> 16, op.d_column = d & 0xffff;
    op.a_in_tmem = insn->op[OP_A].kind == EMU_OP_ADDRESS;
    struct emu_umma_form form = {
        .kind = kind_choice[insn->mod[MOD_KIND] - 1], .cta_group = op.cta_group, .a_in_tmem = op.a_in_tmem};
    if (op.a_in_tmem) {
        uint32_t a = (uint32_t)emu_address(w, &insn->op[OP_A], lane);
        op.a_lane = a >> 16, op.a_column = a & 0xffff;
    } else if (!emu_smem_matrix_decode(&op.a, emu_lane(w, &insn->op[OP_A], lane), why, sizeof why)) {
        return refuse(w, insn, why);
    }
    if (!emu_smem_matrix_decode(&op.b, emu_lane(w, &insn->op[OP_B], lane), why, sizeof why) ||
        !emu_umma_decode(&op.shape, (uint32_t)emu_lane(w, &insn->op[OP_IDESC], lane), &form, why,
                         sizeof why) ||
        !emu_umma_op_check(&op, why, sizeof why))
        return refuse(w, insn, why);
    if (insn->op[OP_LANES].kind ==
        EMU_OP_VECTOR) /* cg2: the first four words are the even CTA's [UNPROVEN: a B200] */
        for (uint32_t i = 0; i < insn->op[OP_LANES].count; i++)
            op.skip[i] = (uint32_t)emu_lane(w, &insn->op[OP_LANES].elems[i], lane);
    if (insn->op[OP_SCALE].kind == EMU_OP_IMM) op.scale_d = (uint32_t)insn->op[OP_SCALE].imm;
    return emu_async_post(w, lane, insn, emu_umma_run, &op, sizeof op);
}

enum emu_step sem_mma(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint32_t enable = emu_pred(w, &insn->op[OP_ENABLE]);
    if (emu_tmem_group(w, insn, insn->mod[MOD_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane)
    if (issue_mma(w, insn, lane, enable) == EMU_FAULT) return EMU_FAULT;
    return EMU_NEXT;
}

/* ---- commit ---- */

struct arrival {
    struct emu_async base;
    uint32_t barrier; /* shared address */
};

static enum emu_step run_arrival(struct emu_cluster *cluster, struct emu_async *op) {
    (void)cluster;
    return emu_mbarrier_arrive(op->warp, op->insn, ((struct arrival *)op)->barrier, 1);
}

struct commit {
    struct emu_async base;
    uint32_t barrier, ctas; /* ctas: mask of the CTAs at whose barrier of this offset it arrives */
};

static enum emu_step send_arrival(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane,
                                  uint32_t rank, const void *what) {
    struct arrival a = {.barrier = rank << 24 | (((const struct commit *)what)->barrier & 0xffffff)};
    return emu_async_post(w, lane, insn, run_arrival, &a, sizeof a);
}

/* Everything before it in the pipe has happened. At the own CTA it arrives now, at others its arrival still
 * travels. */
static enum emu_step run_commit(struct emu_cluster *cluster, struct emu_async *base) {
    (void)cluster;
    struct commit *c = (struct commit *)base;
    struct emu_warp *w = base->warp;
    uint32_t own = 1u << w->cta->rank, barrier = w->cta->rank << 24 | (c->barrier & 0xffffff);
    if (c->ctas & own && emu_mbarrier_arrive(w, base->insn, barrier, 1) == EMU_FAULT) return EMU_FAULT;
    return emu_for_each_cta(w, base->insn, base->lane, c->ctas & ~own, send_arrival, c);
}

enum { COMMIT_GROUP = 0, COMMIT_SPACE = 1 };

enum emu_step sem_umma_commit(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    if (emu_tmem_group(w, insn, insn->mod[COMMIT_GROUP]) == EMU_FAULT) return EMU_FAULT;
    EMU_FOR_LANES(mask, lane) {
        struct commit c = {.base.pipe = emu_async_tensor_pipe(w, lane)};
        if (emu_lane_shared(w, insn, &insn->op[0], lane, !insn->mod[COMMIT_SPACE], 8, &c.barrier) ==
            EMU_FAULT)
            return EMU_FAULT;
        bool multicast = insn->op[1].kind != EMU_OP_NONE;
        uint32_t existing = (1u << w->cta->cluster->cta_count) - 1;
        c.ctas = multicast ? (uint16_t)emu_lane(w, &insn->op[1], lane) : 1u << (c.barrier >> 24 & 31);
        if (c.ctas & ~existing)
            return emu_fault(w, insn, EMU_FAULT_LAUNCH_FAILED, "commit to CTAs 0x%x of a cluster of %u",
                             c.ctas, w->cta->cluster->cta_count);
        if (emu_async_post(w, lane, insn, run_commit, &c, sizeof c) == EMU_FAULT) return EMU_FAULT;
    }
    return EMU_NEXT;
}
