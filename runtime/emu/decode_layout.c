/* decode_layout: where the registers and variables that an entry can reach live. Laid out anew for every
 * entry: its own code is all that sees them.
 *
 *   registers   consecutive slots of the warp's register bank; the last EMU_SINK_SLOTS take what is written
 * to `_` shared      static variables from EMU_SMEM_RESERVED on; dynamic ones (.extern) all at
 * fn->dynamic_smem_offset local       .local variables, and the .param variables of calls */
#include <string.h>

#include "runtime/emu/decoder.h"

enum { MOST_PARAMS = 32764 }; /* bytes of a kernel's parameters: PTX ISA 9.1 §5.1.6 */

struct layout {
    struct emu_decoder *d;
    uint64_t shared, local;
    uint32_t slots;
    uint8_t *seen; /* by function of the module */
};

static uint64_t place(struct emu_decoder *d, struct ptx_var *v, uint64_t *at, const char *what) {
    uint64_t align = v->align ? v->align : 1, offset = (*at + align - 1) & ~(align - 1);
    if (offset + v->bytes > 1u << 24)
        emu_decode_fail_at(d, v->pos, "'%s' does not fit: more than 16 MiB of %s memory", v->name, what);
    *at = offset + v->bytes;
    v->slot = (uint32_t)offset;
    return offset;
}

static void place_var(struct layout *l, struct ptx_var *v) {
    switch (v->space) {
    case PTX_REG:
        v->slot = l->slots;
        l->slots += v->type.bytes == 16 ? 4 : v->type.bytes == 8 ? 2 : 1;
        break;
    case PTX_SHARED:
        if (v->external) {
            if (v->align > l->d->extern_align) l->d->extern_align = v->align;
        } else {
            struct emu_shared_name *n = emu_decode_alloc(l->d, sizeof *n);
            *n = (struct emu_shared_name){l->d->fn->shared_names, v->name, (uint32_t)place(l->d, v, &l->shared, "shared"), (uint32_t)v->bytes};
            l->d->fn->shared_names = n;
        }
        break;
    case PTX_LOCAL:
    case PTX_PARAM: place(l->d, v, &l->local, "local"); break;
    default: break;
    }
}

static void reach_function(struct layout *l, uint32_t index);

/* Module variables and functions named by an operand. */
static void reach_operand(struct layout *l, const struct ptx_operand *o) {
    if (o->kind == PTX_OP_FUNCTION) reach_function(l, (uint32_t)o->i);
    if (o->kind == PTX_OP_SYMBOL && o->var->space == PTX_SHARED && o->var->slot == UINT32_MAX) {
        o->var->slot = 0;
        place_var(l, o->var);
    }
    for (uint32_t k = 0; k < o->count; k++) reach_operand(l, &o->items[k]);
}

static void reach_body(struct layout *l, const struct ptx_function *f) {
    for (uint32_t k = 0; k < f->local_count; k++) place_var(l, f->locals[k]);
    if (!f->entry) {
        for (uint32_t k = 0; k < f->param_count; k++) place_var(l, f->params[k]);
        for (uint32_t k = 0; k < f->return_count; k++) place_var(l, f->returns[k]);
    }
    for (uint32_t i = 0; i < f->insn_count; i++)
        for (uint32_t k = 0; k < f->insns[i].count; k++) reach_operand(l, &f->insns[i].operands[k]);
}

static void reach_function(struct layout *l, uint32_t index) {
    if (l->seen[index]) return;
    l->seen[index] = 1;
    reach_body(l, &l->d->module->ptx->functions[index]);
}

void emu_layout_function(struct emu_decoder *d, const struct ptx_function *entry) {
    const struct ptx_module *m = d->module->ptx;
    struct layout l = {.d = d, .shared = EMU_SMEM_RESERVED, .local = 16};
    l.seen = emu_decode_alloc(d, m->function_count);
    for (uint32_t k = 0; k < m->variable_count; k++)
        if (m->variables[k]->space == PTX_SHARED) m->variables[k]->slot = UINT32_MAX; /* not placed yet */
    d->extern_align = 16;
    reach_body(&l, entry);
    d->fn->reg_slots = l.slots + EMU_SINK_SLOTS;
    d->fn->static_smem_bytes = (uint32_t)l.shared - EMU_SMEM_RESERVED;
    d->fn->dynamic_smem_offset = ((uint32_t)l.shared + d->extern_align - 1) & ~(d->extern_align - 1);
    d->fn->local_bytes = ((uint32_t)l.local + 15) & ~15u;
    for (uint32_t k = 0; k < entry->param_count; k++) {
        const struct ptx_var *v = entry->params[k];
        uint64_t end = (uint64_t)v->slot + v->bytes;
        if (end > MOST_PARAMS)
            emu_decode_fail_at(d, v->pos, "'%s' ends at byte %llu of the parameters: the most is %d", v->name,
                               (unsigned long long)end, MOST_PARAMS);
        if (end > d->fn->param_bytes) d->fn->param_bytes = (uint32_t)end;
    }
}
