/* decode: rows for instructions, functions for entries. See decode.h. */
#include "runtime/emu/decoder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "runtime/emu/coverage.h"
#include "runtime/emu/wgmma.h"

static _Noreturn void leave(struct emu_decoder *d, struct ptx_pos pos, const char *format, va_list args) {
    d->error->line = pos.line;
    d->error->column = pos.column;
    vsnprintf(d->error->text, sizeof d->error->text, format, args);
    longjmp(d->fail, 1);
}

void emu_decode_fail_at(struct emu_decoder *d, struct ptx_pos pos, const char *format, ...) {
    va_list args;
    va_start(args, format);
    leave(d, pos, format, args);
}

void emu_decode_fail(struct emu_decoder *d, const struct emu_insn *insn, const char *format, ...) {
    va_list args;
    va_start(args, format);
    leave(d, insn->source->pos, format, args);
}

void *emu_decode_alloc(struct emu_decoder *d, size_t bytes) {
    void *memory = wl_arena_alloc(d->arena, bytes);
    if (!memory) emu_decode_fail_at(d, d->insn ? d->insn->pos : (struct ptx_pos){0}, "out of memory");
    return memory;
}

void *emu_decode_grow(struct emu_decoder *d, void *array, uint32_t count, uint32_t *capacity,
                      size_t element_bytes) {
    if (count < *capacity) return array;
    uint32_t wanted = *capacity ? *capacity * 2 : 16;
    /* aligned, since the constant pool grows here too and is read as vectors */
    uint8_t *grown = emu_decode_alloc(d, wanted * element_bytes + 64);
    grown += -(uintptr_t)grown & 63;
    if (count) memcpy(grown, array, count * element_bytes);
    *capacity = wanted;
    return grown;
}

bool emu_mnemonic_has(const char *mnemonic, const char *word) {
    size_t length = strlen(word);
    for (const char *s = strchr(mnemonic, '.'); s; s = strchr(s + 1, '.'))
        if (strncmp(s + 1, word, length) == 0 && (s[length + 1] == '.' || s[length + 1] == '\0')) return true;
    return false;
}

/* ---- one instruction ---- */

static _Noreturn void no_row(struct emu_decoder *d, bool any_pattern) {
    const struct ptx_insn *s = d->insn;
    int base = (int)strcspn(s->mnemonic, ".");
    const char *why = any_pattern ? NULL : emu_row_refused(s->mnemonic);
    if (why) emu_decode_fail_at(d, s->pos, "'%s': %s", s->mnemonic, why);
    if (!emu_row_known_base(s->mnemonic))
        emu_decode_fail_at(d, s->pos, "unknown instruction '%s'", s->mnemonic);
    if (!any_pattern)
        emu_decode_fail_at(d, s->pos, "'%s': no form of %.*s has these modifiers and this type", s->mnemonic,
                           base, s->mnemonic);
    if (d->operand_failed >= s->count)
        emu_decode_fail_at(d, s->pos, "'%s' needs more than %u operands", s->mnemonic, s->count);
    const struct ptx_operand *o = &s->operands[d->operand_failed];
    emu_decode_fail_at(d, o->pos, "operand %u of '%s' does not fit%s%s", d->operand_failed + 1, s->mnemonic,
                       o->name ? ": " : "", o->name ? o->name : "");
}

static void decode_guard(struct emu_insn *insn, const struct ptx_operand *guard) {
    if (!guard) return;
    insn->guarded = true;
    insn->guard_slot = guard->var->slot;
    insn->guard_negated = guard->negated;
}

/* The instruction, spelled as a row has it. */
static const struct ptx_insn *spelled(struct emu_decoder *d, const struct ptx_insn *source) {
    uint8_t mod[EMU_MAX_MODS];
    char text[256];
    if (emu_row_match(source->mnemonic, mod) || !emu_row_reorder(source->mnemonic, text, sizeof text))
        return source;
    struct ptx_insn *copy = emu_decode_alloc(d, sizeof *copy);
    char *mnemonic = emu_decode_alloc(d, strlen(text) + 1);
    *copy = *source;
    copy->mnemonic = strcpy(mnemonic, text);
    return d->insn = copy;
}

void emu_decode_emit(struct emu_decoder *d, const struct ptx_insn *source) {
    struct emu_insn *insn = emu_decode_append(d);
    const struct emu_row *row = NULL;
    bool any = false;
    d->operand_failed = 0;
    insn->source = source = spelled(d, source);
    for (;;) {
        row = emu_row_match_next(row, source->mnemonic, insn->mod);
        if (!row) no_row(d, any);
        any = true;
        if (emu_operands_fit(d, row, insn)) break;
    }
    insn->row = row;
    insn->fn = row->fn;
    insn->scope = (uint8_t)row->scope;
    for (uint32_t k = 0; k < insn->op_count; k++)
        if (insn->op[k].kind == EMU_OP_LABEL) insn->target = (uint32_t)insn->op[k].imm;
    decode_guard(insn, source->guard);
    emu_decode_fn *own = emu_row_decoder(row);
    if (own) own(d, insn);
}

/* ---- functions ---- */

/* Running off the end of a body is a return. */
static void emit_end(struct emu_decoder *d) {
    static const struct ptx_insn end = {.mnemonic = "exit"};
    d->insn = &end;
    emu_decode_emit(d, &end);
}

static void decode_function(struct emu_decoder *d, uint32_t index) {
    const struct ptx_function *source = &d->module->ptx->functions[index];
    struct emu_function *fn = &d->module->functions[index];
    fn->source = source;
    fn->module = d->module;
    if (source->declared_only || !source->entry) return;
    d->fn = fn;
    d->code_capacity = d->const_slots = d->const_capacity = d->special_capacity = 0;
    d->specials = NULL;
    d->consts = NULL;
    d->insn = NULL;
    memset(d->constants, 0, sizeof d->constants);
    emu_layout_function(d, source);
    emu_decode_body(d, source);
    emit_end(d);
    fn->consts = d->consts;
    fn->specials = d->specials;
    emu_wgmma_watch(d, fn);
    emu_coverage_watch(fn);
}

bool emu_decode_module(struct emu_module *module, struct ptx_error *error) {
    struct emu_decoder *d = wl_arena_alloc(module->arena, sizeof *d);
    *error = (struct ptx_error){.text = "out of memory"};
    if (!d) return false;
    d->arena = module->arena;
    d->module = module;
    d->error = error;
    if (setjmp(d->fail)) return false;
    module->functions = emu_decode_alloc(d, (module->ptx->function_count + 1) * sizeof *module->functions);
    for (uint32_t k = 0; k < module->ptx->function_count; k++) decode_function(d, k);
    error->text[0] = '\0';
    return true;
}
