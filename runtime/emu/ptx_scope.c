/* ptx_scope: names of registers, variables, labels and functions, by block. */
#include "runtime/emu/ptx_parser.h"

#include <string.h>

static uint32_t hash(const char *text) {
    uint32_t h = 2166136261u;
    for (; *text; text++) h = (h ^ (uint8_t)*text) * 16777619u;
    return (h ^ h >> 15) % PTX_BUCKETS;
}

void ptx_scope_open(struct ptx_parser *p) {
    struct ptx_scope *scope = ptx_alloc(p, sizeof *scope);
    scope->parent = p->scope;
    p->scope = scope;
}

void ptx_scope_close(struct ptx_parser *p) { p->scope = p->scope->parent; }

static struct ptx_name *find_in(struct ptx_parser *p, const struct ptx_scope *scope, const char *text) {
    for (struct ptx_name *n = p->buckets[hash(text)]; n; n = n->next)
        if (n->scope == scope && strcmp(n->text, text) == 0) return n;
    return NULL;
}

static struct ptx_name *insert(struct ptx_parser *p, struct ptx_scope *scope, const char *text,
                               enum ptx_name_kind kind) {
    struct ptx_name *n = ptx_alloc(p, sizeof *n);
    struct ptx_name **bucket = &p->buckets[hash(text)];
    *n = (struct ptx_name){*bucket, text, scope, kind, NULL, 0, NULL};
    return *bucket = n;
}

struct ptx_name *ptx_name_here(struct ptx_parser *p, const char *text) {
    return find_in(p, p->scope, text);
}

struct ptx_name *ptx_name_add(struct ptx_parser *p, const char *text, enum ptx_name_kind kind,
                              struct ptx_pos pos) {
    if (find_in(p, p->scope, text)) ptx_fail_at(p, pos, "'%s' is declared twice in this block", text);
    return insert(p, p->scope, text, kind);
}

void ptx_local_add(struct ptx_parser *p, struct ptx_var *var) {
    struct ptx_function *f = p->function;
    f->locals = ptx_grow(p, f->locals, f->local_count, &p->local_capacity, sizeof *f->locals);
    f->locals[f->local_count++] = var;
}

/* The register `text` of a range of this scope: made now. */
static struct ptx_name *from_range(struct ptx_parser *p, struct ptx_scope *scope, const char *text) {
    size_t length = strlen(text), prefix = length;
    while (prefix && text[prefix - 1] >= '0' && text[prefix - 1] <= '9') prefix--;
    if (prefix == length || length - prefix > 9) return NULL;
    for (struct ptx_range *r = scope->ranges; r; r = r->next) {
        if (r->prefix_length >= length || r->prefix_length < prefix ||
            memcmp(r->prefix, text, r->prefix_length))
            continue;
        const char *digits = text + r->prefix_length;
        if (digits[0] == '0' && digits[1]) continue; /* %r07 is not %r7 */
        uint32_t number = 0;
        for (const char *d = digits; *d; d++) number = number * 10 + (uint32_t)(*d - '0');
        if (number >= r->count) continue;
        struct ptx_var *var = ptx_alloc(p, sizeof *var);
        *var = r->model;
        var->name = text;
        ptx_local_add(p, var);
        struct ptx_name *n = insert(p, scope, text, PTX_NAME_VAR);
        n->var = var;
        return n;
    }
    return NULL;
}

struct ptx_name *ptx_name_find(struct ptx_parser *p, struct ptx_scope *from, const char *text) {
    for (struct ptx_scope *s = from; s; s = s->parent) {
        struct ptx_name *n = find_in(p, s, text);
        if (!n && s->ranges) n = from_range(p, s, text);
        if (n) return n;
    }
    return NULL;
}

void ptx_pending_add(struct ptx_parser *p, struct ptx_operand *operand) {
    struct ptx_pending *pending = ptx_alloc(p, sizeof *pending);
    *pending = (struct ptx_pending){p->pending, operand, p->scope};
    p->pending = pending;
}

/* Labels may stand behind their use, so names unknown where they are read wait for the end of the function.
 */
void ptx_pending_resolve(struct ptx_parser *p) {
    for (struct ptx_pending *pending = p->pending; pending; pending = pending->next) {
        struct ptx_operand *o = pending->operand;
        struct ptx_name *n = ptx_name_find(p, pending->scope, o->name);
        if (!n) ptx_fail_at(p, o->pos, "'%s' is not declared", o->name);
        switch (n->kind) {
        case PTX_NAME_LABEL:
            o->kind = PTX_OP_LABEL;
            o->i = n->index;
            break;
        case PTX_NAME_TARGETS:
            o->kind = PTX_OP_LIST;
            o->items = n->targets->items;
            o->count = n->targets->count;
            break;
        case PTX_NAME_FUNCTION:
            o->kind = PTX_OP_FUNCTION;
            o->i = n->index;
            break;
        case PTX_NAME_VAR: ptx_fail_at(p, o->pos, "'%s' is used before its declaration", o->name);
        }
    }
    p->pending = NULL;
}
