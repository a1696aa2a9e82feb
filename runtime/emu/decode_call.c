/* decode_call: bodies of functions. A called function's body is put in place of the call, so that a warp has
 * one space of program counters and no stack, and the lanes of a diverged warp meet again behind the call as
 * behind any branch. Its registers and parameters exist once for all its calls, since a lane is in at most
 * one of them: recursion is therefore refused. */
#include <string.h>

#include "runtime/emu/decoder.h"
#include "runtime/emu/sem_builtin.h"
#include "runtime/emu/sem_flow.h"

#define MAX_CODE (1u << 22)

struct emu_inline {
    struct emu_inline *outer;
    const struct ptx_function *source;
    uint32_t *place; /* of instruction i of the text: its index in the code */
    uint32_t *branches, branch_count, branch_capacity; /* code that jumps inside this body */
};

struct emu_insn *emu_decode_append(struct emu_decoder *d) {
    struct emu_function *fn = d->fn;
    if (fn->code_count == MAX_CODE)
        emu_decode_fail_at(d, d->insn->pos, "more than %u instructions after inlining", MAX_CODE);
    fn->code = emu_decode_grow(d, fn->code, fn->code_count, &d->code_capacity, sizeof *fn->code);
    struct emu_insn *insn = &fn->code[fn->code_count++];
    insn->source = d->insn;
    return insn;
}

static void note_branch(struct emu_decoder *d, uint32_t at) {
    struct emu_inline *in = d->inlining;
    in->branches =
        emu_decode_grow(d, in->branches, in->branch_count, &in->branch_capacity, sizeof *in->branches);
    in->branches[in->branch_count++] = at;
}

/* A jump to instruction `to` of the text being read, under the guard of the present instruction (inverted:
 * skip). */
static void emit_jump(struct emu_decoder *d, uint32_t to, bool invert) {
    struct emu_insn *insn = emu_decode_append(d);
    insn->row = emu_row_match("bra", insn->mod);
    insn->fn = insn->row->fn;
    insn->scope = EMU_SCOPE_FLOW;
    insn->target = to;
    const struct ptx_operand *guard = d->insn->guard;
    insn->guarded = guard != NULL;
    if (guard) {
        insn->guard_slot = guard->var->slot;
        insn->guard_negated = guard->negated != invert;
    }
    note_branch(d, d->fn->code_count - 1);
}

/* ---- calls ---- */

static const struct ptx_function *callee(struct emu_decoder *d, const struct ptx_operand **args,
                                         const struct ptx_operand **returns) {
    const struct ptx_insn *insn = d->insn;
    const struct ptx_function *f = NULL;
    *args = *returns = NULL;
    for (uint32_t k = 0; k < insn->count; k++) {
        const struct ptx_operand *o = &insn->operands[k];
        if (o->kind == PTX_OP_FUNCTION && !f) f = &d->module->ptx->functions[o->i];
        else if (o->kind == PTX_OP_LIST && !f && !*returns) *returns = o;
        else if (o->kind == PTX_OP_LIST && f && !*args) *args = o;
        else emu_decode_fail_at(d, o->pos, "indirect calls are not supported");
    }
    if (!f) emu_decode_fail_at(d, insn->pos, "a call needs a function's name");
    if (f->declared_only && !emu_builtin_find(f->name))
        emu_decode_fail_at(d, insn->pos, "'%s' has no body in this module: it cannot be called", f->name);
    for (const struct emu_inline *in = d->inlining; in; in = in->outer)
        if (in->source == f)
            emu_decode_fail_at(d, insn->pos, "'%s' calls itself: recursion is not supported", f->name);
    return f;
}

/* Appends what copies actual to formal parameters, or back. */
static void emit_copies(struct emu_decoder *d, const struct ptx_operand *actual,
                        struct ptx_var *const *formal, uint32_t count, bool back) {
    uint32_t have = actual ? actual->count : 0;
    if (have != count)
        emu_decode_fail_at(d, d->insn->pos, "%u parameters where the function has %u", have, count);
    if (count == 0) return;
    struct emu_call_copies *copies = emu_decode_alloc(d, sizeof *copies + count * sizeof copies->copy[0]);
    copies->count = count;
    for (uint32_t k = 0; k < count; k++) {
        const struct ptx_operand *o = &actual->items[k];
        if (o->kind != PTX_OP_SYMBOL || o->var->space != PTX_PARAM || formal[k]->space != PTX_PARAM)
            emu_decode_fail_at(d, o->pos, "parameters of a call must be .param variables");
        if (o->var->bytes != formal[k]->bytes)
            emu_decode_fail_at(d, o->pos, "parameter of %llu bytes where the function has %llu",
                               (unsigned long long)o->var->bytes, (unsigned long long)formal[k]->bytes);
        uint32_t outer = o->var->slot, inner = formal[k]->slot;
        copies->copy[k].to = back ? outer : inner;
        copies->copy[k].from = back ? inner : outer;
        copies->copy[k].bytes = (uint32_t)formal[k]->bytes;
    }
    struct emu_insn *insn = emu_decode_append(d);
    insn->row = emu_row_match("call", insn->mod);
    insn->fn = insn->row->fn;
    insn->scope = EMU_SCOPE_LANE;
    insn->extra = copies;
}

/* A function of the driver: one instruction that finds the call's variables in local memory. */
static void emit_builtin(struct emu_decoder *d, const struct ptx_function *f, const struct ptx_operand *args,
                         const struct ptx_operand *returns) {
    const struct emu_builtin *builtin = emu_builtin_find(f->name);
    uint32_t have = args ? args->count : 0;
    struct emu_builtin_call *call = emu_decode_alloc(d, sizeof *call);
    if (have != builtin->params || (returns != NULL) != (builtin->result_bytes != 0) ||
        (returns && returns->count != 1))
        emu_decode_fail_at(d, d->insn->pos, "'%s' takes %u parameters, not %u", f->name, builtin->params,
                           have);
    for (uint32_t k = 0; k < have; k++) {
        const struct ptx_operand *o = &args->items[k];
        if (o->kind != PTX_OP_SYMBOL || o->var->space != PTX_PARAM || o->var->bytes < (k == 2 ? 4 : 8))
            emu_decode_fail_at(d, o->pos, "parameters of a call must be .param variables");
        call->param[k] = o->var->slot;
    }
    if (returns) {
        const struct ptx_operand *o = &returns->items[0];
        if (o->kind != PTX_OP_SYMBOL || o->var->space != PTX_PARAM || o->var->bytes < builtin->result_bytes)
            emu_decode_fail_at(d, o->pos, "the result of a call must be a .param variable");
        call->result = o->var->slot;
    }
    struct emu_insn *insn = emu_decode_append(d);
    insn->row = emu_row_match("call", insn->mod);
    insn->fn = builtin->fn;
    insn->scope = EMU_SCOPE_LANE;
    insn->extra = call;
}

static void emit_call(struct emu_decoder *d, uint32_t index) {
    const struct ptx_operand *args, *returns;
    const struct ptx_insn *call = d->insn;
    const struct ptx_function *outer = d->source, *f = callee(d, &args, &returns);
    if (call->guard) emit_jump(d, index + 1, true);
    if (f->declared_only) {
        emit_builtin(d, f, args, returns);
        return;
    }
    emit_copies(d, args, f->params, f->param_count, false);
    emu_decode_body(d, f);
    d->source = outer;
    d->insn = call;
    emit_copies(d, returns, f->returns, f->return_count, true);
}

/* ---- bodies ---- */

static bool is(const struct ptx_insn *insn, const char *word) {
    size_t length = strlen(word);
    return strncmp(insn->mnemonic, word, length) == 0 &&
           (insn->mnemonic[length] == '\0' || insn->mnemonic[length] == '.');
}

static void emit(struct emu_decoder *d, const struct ptx_function *source, uint32_t index) {
    d->insn = &source->insns[index];
    if (is(d->insn, "call")) {
        emit_call(d, index);
        return;
    }
    if (d->inlining->outer && is(d->insn, "ret")) {
        emit_jump(d, source->insn_count, false);
        return;
    }
    uint32_t at = d->fn->code_count;
    emu_decode_emit(d, d->insn);
    if (d->fn->code[at].scope == EMU_SCOPE_FLOW) note_branch(d, at);
}

static void patch(struct emu_decoder *d, const struct emu_inline *in) {
    for (uint32_t k = 0; k < in->branch_count; k++) {
        struct emu_insn *insn = &d->fn->code[in->branches[k]];
        insn->target = in->place[insn->target];
        struct emu_targets *targets = insn->extra;
        for (uint32_t t = 0; targets && t < targets->count; t++) targets->pc[t] = in->place[targets->pc[t]];
    }
}

void emu_decode_body(struct emu_decoder *d, const struct ptx_function *source) {
    struct emu_inline in = {.outer = d->inlining, .source = source};
    d->inlining = &in;
    d->source = source;
    in.place = emu_decode_alloc(d, (source->insn_count + 1) * sizeof *in.place);
    for (uint32_t i = 0; i < source->insn_count; i++) {
        in.place[i] = d->fn->code_count;
        emit(d, source, i);
    }
    in.place[source->insn_count] = d->fn->code_count;
    patch(d, &in);
    d->inlining = in.outer;
}
