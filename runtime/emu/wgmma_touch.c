/* wgmma_touch: instructions that name registers of a wgmma which may be under way. PTX ISA 9.1 §9.7.15.7.3:
 * undefined before the wait_group; ptxas mends it by waiting (its note C7517), and so does the emulator,
 * whatever the order.
 *
 * Instructions that share a register with some wgmma of the function are watched; the others cost nothing. */
#include <string.h>

#include "runtime/emu/decoder.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/judge.h"
#include "runtime/emu/wgmma.h"

enum { NO_BIT = 0xffff };

enum which { ACCUMULATOR, FRAGMENT }; /* D, which nobody else may name; A, which nobody else may write */

struct emu_touch {
    uint32_t words, bits;
    uint16_t *bit_of[2]; /* by register slot: its bit, or NO_BIT */
    uint64_t *set;       /* by instruction: the registers of wgmmas that it names or writes */
    emu_sem_fn **inner;  /* by instruction: what stands behind the watch */
};

static bool is_wgmma(const struct emu_insn *insn) {
    return strncmp(insn->source->mnemonic, "wgmma.mma", 9) == 0;
}

/* Numbers the registers of an operand (set NULL), or notes those that have a number. */
static void visit(struct emu_touch *t, uint32_t slots, const struct emu_opnd *o, enum which which,
                  uint64_t *set) {
    bool vector = o->kind == EMU_OP_VECTOR, address = o->kind == EMU_OP_ADDRESS;
    for (uint32_t i = 0; (vector || address) && o->elems && i < o->count + (uint32_t)address; i++)
        visit(t, slots, &o->elems[i], which, set);
    if ((o->kind != EMU_OP_LANES && !address) || o->bank != EMU_BANK_REGS) return;
    for (uint32_t slot = o->slot; slot < o->slot + (o->bytes + 3u) / 4 && slot < slots; slot++) {
        uint16_t *bit = &t->bit_of[which][slot];
        if (!set && *bit == NO_BIT && t->bits < NO_BIT) *bit = (uint16_t)t->bits++;
        if (set && *bit != NO_BIT) set[*bit / 64] |= 1ull << *bit % 64;
    }
}

static bool overlap(const struct emu_touch *t, uint32_t pc, uint32_t other) {
    for (uint32_t i = 0; i < t->words; i++)
        if (t->set[(size_t)pc * t->words + i] & t->set[(size_t)other * t->words + i]) return true;
    return false;
}

static enum emu_step watched(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    const struct emu_touch *t = w->fn->touch;
    uint32_t pc = (uint32_t)(insn - w->fn->code);
    const struct emu_insn *pending[EMU_WGMMA_RECENT];
    uint32_t count = emu_wgmma_unwaited(w, pending);
    for (uint32_t i = 0; i < count; i++) {
        if (!overlap(t, pc, (uint32_t)(pending[i] - w->fn->code))) continue;
        if (w->judge) emu_judge_wgmma_touched(w, insn, pending[i]);
        if (!emu_wgmma_idle(w)) return emu_wait(w, EMU_WAIT_WGMMA, 0, 0);
        break;
    }
    return t->inner[pc](w, insn, mask);
}

/* set NULL: numbers them. */
static void visit_wgmma(struct emu_touch *t, uint32_t slots, const struct emu_insn *insn, uint64_t *set) {
    visit(t, slots, &insn->op[0], ACCUMULATOR, set);
    if (insn->op[1].kind == EMU_OP_VECTOR) visit(t, slots, &insn->op[1], FRAGMENT, set);
}

static void watch(struct emu_function *fn, struct emu_touch *t, uint32_t pc) {
    uint64_t *set = t->set + (size_t)pc * t->words, any = 0;
    struct emu_insn *insn = &fn->code[pc];
    if (is_wgmma(insn)) {
        visit_wgmma(t, fn->reg_slots, insn, set);
        return;
    }
    for (uint32_t i = 0; i < insn->op_count; i++) visit(t, fn->reg_slots, &insn->op[i], ACCUMULATOR, set);
    if (insn->row->operands[0] == '=') visit(t, fn->reg_slots, &insn->op[0], FRAGMENT, set);
    for (uint32_t i = 0; i < t->words; i++) any |= set[i];
    if (!any) return;
    t->inner[pc] = insn->fn;
    insn->fn = watched;
}

void emu_wgmma_watch(struct emu_decoder *d, struct emu_function *fn) {
    uint32_t count = 0;
    for (uint32_t pc = 0; pc < fn->code_count; pc++) count += is_wgmma(&fn->code[pc]);
    if (!count) return;
    struct emu_touch *t = emu_decode_alloc(d, sizeof *t);
    t->inner = emu_decode_alloc(d, fn->code_count * sizeof *t->inner);
    for (int which = 0; which < 2; which++) {
        t->bit_of[which] = emu_decode_alloc(d, (fn->reg_slots + 1) * sizeof **t->bit_of);
        memset(t->bit_of[which], 0xff, fn->reg_slots * sizeof **t->bit_of);
    }
    for (uint32_t pc = 0; pc < fn->code_count; pc++)
        if (is_wgmma(&fn->code[pc])) visit_wgmma(t, fn->reg_slots, &fn->code[pc], NULL);
    t->words = (t->bits + 63) / 64;
    t->set = emu_decode_alloc(d, (size_t)fn->code_count * t->words * sizeof *t->set);
    for (uint32_t pc = 0; pc < fn->code_count; pc++) watch(fn, t, pc);
    fn->touch = t;
}
