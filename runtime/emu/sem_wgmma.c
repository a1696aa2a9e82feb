/* sem_wgmma: wgmma.mma_async, fence, commit_group, wait_group. PTX ISA 9.1 §9.7.15.5, §9.7.15.7. */
#include "runtime/emu/decode.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/operand.h"
#include "runtime/emu/wgmma.h"

/* Operands: d, A (descriptor or registers), B's descriptor, scale-d {, imm-scale-a, imm-scale-b {,
 * imm-trans-..}} */
enum { OP_D, OP_A, OP_B, OP_SCALE_D, OP_SCALE_A, OP_SCALE_B, OP_TRANS, MOD_SHAPE = 0, K_BITS = 256 };

/* ---- decoding: one function for all rows, told what the row's types are ---- */

static bool sign_of(struct emu_decoder *d, struct emu_insn *insn, uint32_t op) {
    if (insn->op[op].imm != 1 && insn->op[op].imm != -1)
        emu_decode_fail(d, insn, "imm-scale is %lld, legal are 1 and -1", (long long)insn->op[op].imm);
    return insn->op[op].imm < 0;
}

static bool transposed(struct emu_decoder *d, struct emu_insn *insn, uint32_t op) {
    if (insn->op[op].imm != 0 && insn->op[op].imm != 1)
        emu_decode_fail(d, insn, "imm-trans is %lld, legal are 0 and 1", (long long)insn->op[op].imm);
    return insn->op[op].imm;
}

/* From 32 on integers come in steps of 16. */
static uint32_t n_of(const struct emu_insn *insn, enum emu_mma_result result) {
    uint32_t choice = insn->mod[MOD_SHAPE];
    return result == EMU_MMA_D_S32 && choice > 4 ? 16 * (choice - 2) : 8 * choice;
}

static struct emu_wgmma_form *form_of(struct emu_decoder *d, struct emu_insn *insn, enum emu_mma_type a,
                                      enum emu_mma_type b, enum emu_mma_result result) {
    struct emu_wgmma_form *f = emu_decode_alloc(d, sizeof *f);
    f->mma = (struct emu_mma){
        .rows = 16, .n = n_of(insn, result), .k = K_BITS / emu_mma_bits(a), .a = a, .b = b, .d = result};
    f->a_in_registers = insn->op[OP_A].kind == EMU_OP_VECTOR;
    uint32_t wanted = emu_mma_d_registers(&f->mma);
    if (insn->op[OP_D].count != wanted)
        emu_decode_fail(d, insn, "D has %u registers, N = %u takes %u", insn->op[OP_D].count, f->mma.n,
                        wanted);
    if (f->a_in_registers && insn->op[OP_A].count != 4)
        emu_decode_fail(d, insn, "A has %u registers, it takes 4", insn->op[OP_A].count);
    insn->extra = f;
    return f;
}

static struct emu_wgmma_form *float_form(struct emu_decoder *d, struct emu_insn *insn, enum emu_mma_type a,
                                         enum emu_mma_type b, enum emu_mma_result result) {
    struct emu_wgmma_form *f = form_of(d, insn, a, b, result);
    f->negate_a = sign_of(d, insn, OP_SCALE_A), f->negate_b = sign_of(d, insn, OP_SCALE_B);
    return f;
}

static void half_form(struct emu_decoder *d, struct emu_insn *insn, enum emu_mma_type type,
                      enum emu_mma_result result) {
    struct emu_wgmma_form *f = float_form(d, insn, type, type, result);
    f->a_mn_major = !f->a_in_registers && transposed(d, insn, OP_TRANS);
    f->b_mn_major = transposed(d, insn, f->a_in_registers ? OP_TRANS : OP_TRANS + 1);
}

void emu_decode_wgmma_f16(struct emu_decoder *d, struct emu_insn *insn) {
    half_form(d, insn, EMU_MMA_F16, insn->mod[1] == 1 ? EMU_MMA_D_F16 : EMU_MMA_D_F32);
}
void emu_decode_wgmma_bf16(struct emu_decoder *d, struct emu_insn *insn) {
    half_form(d, insn, EMU_MMA_BF16, EMU_MMA_D_F32);
}
void emu_decode_wgmma_tf32(struct emu_decoder *d, struct emu_insn *insn) {
    float_form(d, insn, EMU_MMA_TF32, EMU_MMA_TF32, EMU_MMA_D_F32);
}
void emu_decode_wgmma_f8(struct emu_decoder *d, struct emu_insn *insn) {
    float_form(d, insn, insn->mod[2] == 1 ? EMU_MMA_E4M3 : EMU_MMA_E5M2,
               insn->mod[3] == 1 ? EMU_MMA_E4M3 : EMU_MMA_E5M2,
               insn->mod[1] == 1 ? EMU_MMA_D_F16 : EMU_MMA_D_F32);
}
void emu_decode_wgmma_int(struct emu_decoder *d, struct emu_insn *insn) {
    struct emu_wgmma_form *f = form_of(d, insn, insn->mod[2] == 1 ? EMU_MMA_S8 : EMU_MMA_U8,
                                       insn->mod[3] == 1 ? EMU_MMA_S8 : EMU_MMA_U8, EMU_MMA_D_S32);
    f->mma.saturate = insn->mod[1];
}

/* ---- execution ---- */

static enum emu_step disagree(struct emu_warp *w, const struct emu_insn *insn, const char *what) {
    return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION, "the lanes of the warp disagree on %s", what);
}

static enum emu_step issue(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_wgmma_form *f = insn->extra;
    uint64_t a = 0, b = 0;
    if (mask != EMU_FULL)
        return emu_fault(w, insn, EMU_FAULT_ILLEGAL_INSTRUCTION,
                         "lanes 0x%08x execute this; it needs all 32 lanes of the warp", mask);
    if (!f->a_in_registers && !emu_uniform(w, &insn->op[OP_A], mask, &a))
        return disagree(w, insn, "A's descriptor");
    if (!emu_uniform(w, &insn->op[OP_B], mask, &b)) return disagree(w, insn, "B's descriptor");
    uint32_t scale_d = emu_pred(w, &insn->op[OP_SCALE_D]);
    if (scale_d && ~scale_d) return disagree(w, insn, "scale-d");
    return emu_wgmma_issue(w, insn, a, b, scale_d);
}

/* Eager order is "at once": the warp goes on when the result is there, so that even registers looked at
 * before their wait_group are right, as ptxas makes them (it injects the missing waits, C7517). */
static enum emu_step issue_and_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    bool again = w->split[w->current].wait.kind == EMU_WAIT_WGMMA;
    if (!again && issue(w, insn, mask) == EMU_FAULT) return EMU_FAULT;
    if (w->cta->cluster->launch->order != EMU_ORDER_EAGER || emu_wgmma_idle(w)) return EMU_NEXT;
    return emu_wait(w, EMU_WAIT_WGMMA, 0, 0);
}

#define ISSUE(name)                                                                                          \
    enum emu_step name(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {                     \
        return issue_and_wait(w, insn, mask);                                                                \
    }
ISSUE(sem_wgmma_f16)
ISSUE(sem_wgmma_bf16)
ISSUE(sem_wgmma_tf32)
ISSUE(sem_wgmma_f8)
ISSUE(sem_wgmma_int)

/* Registers are read when a wgmma happens: nothing is left to be ordered here. */
enum emu_step sem_wgmma_fence(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)w, (void)insn, (void)mask;
    return EMU_NEXT;
}

enum emu_step sem_wgmma_commit(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    (void)mask;
    if (w->judge) emu_judge_group_commit(w, EMU_GROUP_WGMMA);
    return emu_wgmma_commit(w, insn);
}

enum emu_step sem_wgmma_wait(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    uint64_t pending = (uint64_t)insn->op[0].imm;
    if (!emu_wgmma_reached(w, pending)) return emu_wait(w, EMU_WAIT_WGMMA, 0, (uint32_t)pending);
    emu_wgmma_waited(w, pending);
    if (w->judge && mask == EMU_FULL) emu_judge_wgmma_waits(w, insn);
    if (w->judge) emu_judge_group_wait(w, EMU_GROUP_WGMMA, pending);
    return EMU_NEXT;
}
