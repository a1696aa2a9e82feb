/* judge_registers: wgmma.fence, which must stand between any other access to the registers of a wgmma (its
 * accumulator, its A fragment) and that wgmma, and before the first one. PTX ISA 9.1 §9.7.15.7.1.
 *
 * A question about the text, not about a run: for each instruction, which of these registers may have been
 * touched since the last fence, over all paths to it. */
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/judge_parts.h"
#include "runtime/emu/sem_flow.h"

enum { NO_BIT = 0xffff };

struct flow {
    struct emu_judge *judge;
    const struct emu_function *fn;
    uint16_t *bit_of;  /* by register slot: its bit, or NO_BIT */
    uint32_t *toucher; /* by bit: an instruction other than wgmma that names it */
    uint64_t *dirty;   /* by instruction: words of bits, touched since the last fence */
    uint32_t bits, words;
    bool changed, telling;
};

static bool starts(const struct emu_insn *insn, const char *word) {
    return strncmp(insn->source->mnemonic, word, strlen(word)) == 0;
}

typedef void visit_fn(struct flow *f, uint32_t pc, uint32_t slot, uint64_t *set);

static void visit_operand(struct flow *f, uint32_t pc, const struct emu_opnd *o, uint64_t *set,
                          visit_fn *visit) {
    bool vector = o->kind == EMU_OP_VECTOR, address = o->kind == EMU_OP_ADDRESS;
    for (uint32_t i = 0; (vector || address) && o->elems && i < o->count + (uint32_t)address; i++)
        visit_operand(f, pc, &o->elems[i], set, visit);
    if ((o->kind == EMU_OP_LANES || address) && o->bank == EMU_BANK_REGS)
        for (uint32_t k = 0; k < (o->bytes + 3u) / 4; k++) visit(f, pc, o->slot + k, set);
}

/* The registers that a wgmma reads and writes behind the program's back; of other instructions, all. */
static void visit_registers(struct flow *f, uint32_t pc, bool wgmma, uint64_t *set, visit_fn *visit) {
    const struct emu_insn *insn = &f->fn->code[pc];
    for (uint32_t i = 0; i < insn->op_count; i++)
        if (!wgmma || insn->op[i].kind == EMU_OP_VECTOR) visit_operand(f, pc, &insn->op[i], set, visit);
}

static void number(struct flow *f, uint32_t pc, uint32_t slot, uint64_t *set) {
    (void)pc, (void)set;
    if (slot < f->fn->reg_slots && f->bit_of[slot] == NO_BIT && f->bits < NO_BIT)
        f->bit_of[slot] = (uint16_t)f->bits++;
}

static void touch(struct flow *f, uint32_t pc, uint32_t slot, uint64_t *set) {
    uint16_t bit = slot < f->fn->reg_slots ? f->bit_of[slot] : NO_BIT;
    if (bit == NO_BIT) return;
    set[bit / 64] |= 1ull << bit % 64;
    f->toucher[bit] = pc;
}

static void tell(struct flow *f, uint32_t pc, uint32_t slot, uint64_t *set) {
    uint16_t bit = slot < f->fn->reg_slots ? f->bit_of[slot] : NO_BIT;
    if (bit == NO_BIT || !(set[bit / 64] >> bit % 64 & 1)) return;
    struct judge_party now = {.pc = pc, .kind = JUDGE_WGMMA_OP},
                       then = {.pc = f->toucher[bit], .kind = JUDGE_LDST};
    memset(set, 0, f->words * sizeof *set); /* one register will do */
    struct judge_report r = {
        .name = "wgmma.fence", .level = JUDGE_STRICT, .now = &now, .verb = " uses registers that "};
    if (then.pc != UINT32_MAX) r.then = &then;
    judge_say(f->judge, &r, "registers", "no wgmma.fence stands before it%s",
              r.then ? " and behind the other" : "");
}

static void reach(struct flow *f, uint32_t pc, const uint64_t *set) {
    if (pc >= f->fn->code_count) return;
    uint64_t *to = f->dirty + (size_t)pc * f->words;
    for (uint32_t i = 0; i < f->words; i++) {
        f->changed |= (set[i] & ~to[i]) != 0;
        to[i] |= set[i];
    }
}

static void step(struct flow *f, uint32_t pc, uint64_t *set) {
    const struct emu_insn *insn = &f->fn->code[pc];
    memcpy(set, f->dirty + (size_t)pc * f->words, f->words * sizeof *set);
    if (starts(insn, "wgmma.fence")) memset(set, 0, f->words * sizeof *set);
    else if (!starts(insn, "wgmma.mma")) visit_registers(f, pc, false, set, touch);
    else if (f->telling) visit_registers(f, pc, true, set, tell);
    if (starts(insn, "bra")) reach(f, insn->target, set);
    if (starts(insn, "brx")) {
        const struct emu_targets *t = insn->extra;
        for (uint32_t i = 0; i < t->count; i++) reach(f, t->pc[i], set);
    }
    bool leaves = starts(insn, "bra") || starts(insn, "brx") || starts(insn, "exit") || starts(insn, "ret");
    if (!leaves || insn->guarded) reach(f, pc + 1, set);
}

static void run(struct flow *f, uint64_t *set) {
    memset(f->dirty, 0xff, f->words * sizeof *f->dirty); /* nothing has been fenced at the entry */
    memset(f->toucher, 0xff, f->bits * sizeof *f->toucher);
    do {
        f->changed = false;
        for (uint32_t pc = 0; pc < f->fn->code_count; pc++) step(f, pc, set);
    } while (f->changed);
    f->telling = true;
    for (uint32_t pc = 0; pc < f->fn->code_count; pc++)
        if (starts(&f->fn->code[pc], "wgmma.mma")) step(f, pc, set);
}

void judge_registers(struct emu_judge *judge) {
    struct flow f = {.judge = judge, .fn = judge->cluster->launch->fn};
    struct wl_arena *arena = wl_arena_create();
    f.bit_of = arena ? wl_arena_alloc(arena, (f.fn->reg_slots + 1) * sizeof *f.bit_of) : NULL;
    if (f.bit_of) {
        memset(f.bit_of, 0xff, f.fn->reg_slots * sizeof *f.bit_of);
        for (uint32_t pc = 0; pc < f.fn->code_count; pc++)
            if (starts(&f.fn->code[pc], "wgmma.mma")) visit_registers(&f, pc, true, NULL, number);
        f.words = (f.bits + 63) / 64;
    }
    if (f.bits) {
        f.toucher = wl_arena_alloc(arena, f.bits * sizeof *f.toucher);
        f.dirty = wl_arena_alloc(arena, (size_t)f.fn->code_count * f.words * sizeof *f.dirty);
        uint64_t *set = wl_arena_alloc(arena, f.words * sizeof *set);
        if (f.toucher && f.dirty && set) run(&f, set);
    }
    wl_arena_destroy(arena);
}
