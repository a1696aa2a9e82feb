/* ptx_parse: a module: directives, functions, blocks. PTX ISA 9.1 sections 4.3 and 11. */
#include "runtime/emu/ptx_parser.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define VERSION_MAJOR 9
#define VERSION_MINOR 4
#define MAX_DEPTH     100

/* ---- tokens and failure ---- */

static _Noreturn void leave(struct ptx_parser *p, uint32_t line, uint32_t column, const char *format,
                            va_list args) {
    p->error->line = line;
    p->error->column = column;
    vsnprintf(p->error->text, sizeof p->error->text, format, args);
    longjmp(p->fail, 1);
}

void ptx_fail(struct ptx_parser *p, const char *format, ...) {
    va_list args;
    va_start(args, format);
    leave(p, p->token.line, p->token.column, format, args);
}

void ptx_fail_at(struct ptx_parser *p, struct ptx_pos pos, const char *format, ...) {
    va_list args;
    va_start(args, format);
    leave(p, pos.line, pos.column, format, args);
}

void *ptx_alloc(struct ptx_parser *p, size_t bytes) {
    void *memory = wl_arena_alloc(p->arena, bytes);
    if (!memory) ptx_fail(p, "out of memory");
    return memory;
}

void *ptx_grow(struct ptx_parser *p, void *array, uint32_t count, uint32_t *capacity, size_t element_bytes) {
    if (count < *capacity) return array;
    uint32_t wanted = *capacity ? *capacity * 2 : 4;
    void *grown = ptx_alloc(p, wanted * element_bytes);
    if (count) memcpy(grown, array, count * element_bytes);
    *capacity = wanted;
    return grown;
}

char *ptx_text(struct ptx_parser *p, const char *text, uint32_t length) {
    char *copy = wl_arena_strndup(p->arena, text, length);
    if (!copy) ptx_fail(p, "out of memory");
    return copy;
}

void ptx_next(struct ptx_parser *p) {
    p->token = ptx_lex(&p->lexer);
    if (p->token.kind == PTX_TOK_BAD) ptx_fail(p, "%s", p->token.text);
}

struct ptx_pos ptx_here(const struct ptx_parser *p) {
    return (struct ptx_pos){p->token.line, p->token.column, p->loc_file, p->loc_line};
}

bool ptx_is(const struct ptx_parser *p, const char *text) {
    const struct ptx_token *t = &p->token;
    return (t->kind == PTX_TOK_PUNCT || t->kind == PTX_TOK_WORD) && strlen(text) == t->length &&
           memcmp(text, t->text, t->length) == 0;
}

bool ptx_accept(struct ptx_parser *p, const char *text) {
    if (!ptx_is(p, text)) return false;
    ptx_next(p);
    return true;
}

void ptx_expect(struct ptx_parser *p, const char *text) {
    if (ptx_accept(p, text)) return;
    if (p->token.kind == PTX_TOK_END) ptx_fail(p, "'%s' is wanted, the text ends here", text);
    ptx_fail(p, "'%s' is wanted, not '%.*s'", text, p->token.length > 40 ? 40 : (int)p->token.length,
             p->token.text);
}

const char *ptx_expect_name(struct ptx_parser *p, const char *what) {
    if (p->token.kind != PTX_TOK_WORD || p->token.text[0] == '.') ptx_fail(p, "%s is wanted", what);
    const char *name = ptx_text(p, p->token.text, p->token.length);
    ptx_next(p);
    return name;
}

uint32_t ptx_expect_count(struct ptx_parser *p, const char *what, uint64_t limit) {
    if (p->token.kind != PTX_TOK_INT) ptx_fail(p, "%s is wanted", what);
    if (p->token.i > limit) ptx_fail(p, "%llu is too large for %s", (unsigned long long)p->token.i, what);
    uint32_t v = (uint32_t)p->token.i;
    ptx_next(p);
    return v;
}

void ptx_deeper(struct ptx_parser *p) {
    if (++p->depth > MAX_DEPTH) ptx_fail(p, "nested more than %d deep", MAX_DEPTH);
}

/* ---- debugging directives ---- */

static void file_directive(struct ptx_parser *p) {
    struct ptx_module *m = p->module;
    uint32_t index = ptx_expect_count(p, "a file number", 1u << 20);
    if (p->token.kind != PTX_TOK_STRING) ptx_fail(p, "a file name is wanted");
    const char *name = ptx_text(p, p->token.text, p->token.length);
    ptx_next(p);
    if (ptx_accept(p, ",")) { /* time stamp, size */
        ptx_expr(p);
        ptx_expect(p, ",");
        ptx_expr(p);
    }
    while (index >= p->file_capacity)
        m->files = ptx_grow(p, m->files, p->file_capacity, &p->file_capacity, sizeof *m->files);
    m->files[index] = name;
    if (index >= m->file_count) m->file_count = index + 1;
}

static void loc_directive(struct ptx_parser *p) {
    p->loc_file = ptx_expect_count(p, "a file number", 1u << 20);
    p->loc_line = ptx_expect_count(p, "a line", UINT32_MAX);
    if (p->token.kind == PTX_TOK_INT) ptx_next(p); /* column */
    if (ptx_accept(p, ",")) { /* function_name label + offset, inlined_at file line column */
        ptx_expect(p, "function_name");
        ptx_expect_name(p, "a label");
        if (ptx_accept(p, "+")) ptx_expect_count(p, "an offset", UINT32_MAX);
        ptx_expect(p, ",");
        ptx_expect(p, "inlined_at");
        for (int k = 0; k < 3; k++) ptx_expect_count(p, "a number", UINT32_MAX);
    }
}

static void section_directive(struct ptx_parser *p) { /* .section .debug_x { ... }: for debuggers */
    if (p->token.kind != PTX_TOK_WORD) ptx_fail(p, "a section's name is wanted");
    ptx_next(p);
    ptx_expect(p, "{");
    while (!ptx_accept(p, "}")) {
        if (p->token.kind == PTX_TOK_END) ptx_fail(p, "'}' is wanted, the text ends here");
        ptx_next(p);
    }
}

static void skip_pragma(struct ptx_parser *p) {
    while (!ptx_accept(p, ";")) {
        if (p->token.kind != PTX_TOK_STRING && !ptx_is(p, ",")) ptx_fail(p, "a string is wanted");
        ptx_next(p);
    }
}

static bool debug_directive(struct ptx_parser *p) {
    if (ptx_accept(p, ".loc")) loc_directive(p);
    else if (ptx_accept(p, ".file")) file_directive(p);
    else if (ptx_accept(p, ".section")) section_directive(p);
    else if (ptx_accept(p, ".pragma")) skip_pragma(p);
    else return false;
    return true;
}

/* ---- functions ---- */

static void three(struct ptx_parser *p, uint32_t out[3]) {
    out[0] = out[1] = out[2] = 1;
    for (int k = 0; k < 3; k++) {
        out[k] = ptx_expect_count(p, "a size", UINT32_MAX);
        if (k == 2 || !ptx_accept(p, ",")) break;
    }
}

/* The same of a block. */
static void block_size(struct ptx_parser *p, uint32_t out[3]) {
    struct ptx_pos pos = {.line = p->token.line, .column = p->token.column};
    three(p, out);
    double threads = (double)out[0] * out[1] * out[2];
    if (threads > 1024) ptx_fail_at(p, pos, "a block of %.0f threads: the most is 1024", threads);
}

static bool function_directive(struct ptx_parser *p) {
    struct ptx_function *f = p->function;
    uint32_t ignored;
    if (ptx_accept(p, ".reqntid")) block_size(p, f->reqntid);
    else if (ptx_accept(p, ".maxntid")) block_size(p, f->maxntid);
    else if (ptx_accept(p, ".reqnctapercluster")) three(p, f->reqnctapercluster);
    else if (ptx_accept(p, ".minnctapersm"))
        f->minnctapersm = ptx_expect_count(p, "a number of CTAs", UINT32_MAX);
    else if (ptx_accept(p, ".maxnctapersm")) ignored = ptx_expect_count(p, "a number of CTAs", UINT32_MAX);
    else if (ptx_accept(p, ".maxclusterrank")) ignored = ptx_expect_count(p, "a number of CTAs", UINT32_MAX);
    else if (ptx_accept(p, ".maxnreg")) f->maxnreg = ptx_expect_count(p, "a number of registers", UINT32_MAX);
    else if (ptx_accept(p, ".abi_preserve"))
        ignored = ptx_expect_count(p, "a number of registers", UINT32_MAX);
    else if (ptx_accept(p, ".abi_preserve_control"))
        ignored = ptx_expect_count(p, "a number of registers", UINT32_MAX);
    else if (ptx_accept(p, ".explicitcluster")) f->explicitcluster = true;
    else if (ptx_accept(p, ".noreturn") || ptx_accept(p, ".blocksareclusters")) return true;
    else if (ptx_accept(p, ".pragma")) skip_pragma(p);
    else return false;
    (void)ignored;
    return true;
}

struct var_list {
    struct ptx_var **items;
    uint32_t count, capacity;
};

static struct var_list parameters(struct ptx_parser *p) {
    struct var_list l = {0};
    ptx_expect(p, "(");
    if (!ptx_is(p, ")")) do {
            struct ptx_var *var = ptx_parameter(p);
            ptx_name_add(p, var->name, PTX_NAME_VAR, var->pos)->var = var;
            l.items = ptx_grow(p, l.items, l.count, &l.capacity, sizeof *l.items);
            l.items[l.count++] = var;
        } while (ptx_accept(p, ","));
    ptx_expect(p, ")");
    return l;
}

static void place_parameters(struct ptx_function *f) {
    uint64_t at = 0;
    for (uint32_t k = 0; k < f->param_count; k++) {
        struct ptx_var *v = f->params[k];
        at = (at + v->align - 1) & ~(uint64_t)(v->align - 1);
        v->slot = (uint32_t)at;
        at += v->bytes;
    }
}

static void add_label(struct ptx_parser *p, const char *text, struct ptx_pos pos) {
    struct ptx_function *f = p->function;
    ptx_name_add(p, text, PTX_NAME_LABEL, pos)->index = f->insn_count;
    while (f->insn_count >= p->label_capacity)
        f->labels = ptx_grow(p, f->labels, p->label_capacity, &p->label_capacity, sizeof *f->labels);
    if (!f->labels[f->insn_count]) f->labels[f->insn_count] = text;
    if (p->open == 1) p->under = text;
}

/* name: then an instruction, or a list of branch targets; a prototype of an indirect call has no use here */
static void labelled(struct ptx_parser *p) {
    struct ptx_pos pos = ptx_here(p);
    const char *text = ptx_expect_name(p, "a label");
    ptx_expect(p, ":");
    if (ptx_accept(p, ".branchtargets")) ptx_label_list(p, text, pos);
    else if (ptx_is(p, ".callprototype") || ptx_is(p, ".calltargets"))
        ptx_fail(p, "indirect calls are not supported");
    else add_label(p, text, pos);
}

static bool at_label(const struct ptx_parser *p) {
    if (p->token.kind != PTX_TOK_WORD || p->token.text[0] == '.' || p->token.text[0] == '%') return false;
    struct ptx_lexer ahead = p->lexer;
    struct ptx_token t = ptx_lex(&ahead);
    return t.kind == PTX_TOK_PUNCT && t.length == 1 && t.text[0] == ':';
}

static void statement(struct ptx_parser *p) {
    if (ptx_accept(p, "{")) {
        ptx_scope_open(p);
        p->open++;
    } else if (ptx_accept(p, "}")) {
        ptx_scope_close(p);
        p->open--;
    } else if (ptx_accept(p, ";")) { /* nothing */
    } else if (debug_directive(p)) { /* done */
    } else if (ptx_at_space(p)) ptx_declaration(p, false);
    else if (ptx_accept(p, ".extern")) ptx_declaration(p, true);
    else if (at_label(p)) labelled(p);
    else if (p->token.kind == PTX_TOK_END) ptx_fail(p, "'}' is wanted, the text ends here");
    else ptx_instruction(p);
}

static void body(struct ptx_parser *p) {
    p->open = 1;
    p->under = NULL;
    ptx_expect(p, "{");
    while (p->open) {
        statement(p);
        if (p->open > MAX_DEPTH) ptx_fail(p, "blocks nested more than %d deep", MAX_DEPTH);
    }
    struct ptx_function *f = p->function;
    while (f->insn_count >= p->label_capacity)
        f->labels = ptx_grow(p, f->labels, p->label_capacity, &p->label_capacity, sizeof *f->labels);
    ptx_pending_resolve(p);
}

/* The function's record: that of its earlier declaration, or a new one. */
static uint32_t function_record(struct ptx_parser *p, const char *text, struct ptx_pos pos) {
    struct ptx_module *m = p->module;
    struct ptx_name *n = ptx_name_find(p, p->module_scope, text);
    if (n) {
        if (n->kind != PTX_NAME_FUNCTION) ptx_fail_at(p, pos, "'%s' is declared twice", text);
        return n->index;
    }
    m->functions = ptx_grow(p, m->functions, m->function_count, &p->function_capacity, sizeof *m->functions);
    m->functions[m->function_count] = (struct ptx_function){.name = text, .declared_only = true};
    struct ptx_scope *scope = p->scope;
    p->scope = p->module_scope;
    ptx_name_add(p, text, PTX_NAME_FUNCTION, pos)->index = m->function_count;
    p->scope = scope;
    return m->function_count++;
}

static void function(struct ptx_parser *p, bool entry) {
    struct ptx_function f = {.entry = entry};
    struct var_list returns = {0}, params = {0};
    ptx_scope_open(p);
    p->function = &f;
    p->insn_capacity = p->local_capacity = p->label_capacity = 0;
    if (ptx_accept(p, ".attribute")) ptx_fail(p, "function attributes are not supported");
    if (!entry && ptx_is(p, "(")) returns = parameters(p);
    struct ptx_pos pos = ptx_here(p);
    f.name = ptx_expect_name(p, "a function's name");
    uint32_t index = function_record(p, f.name, pos);
    if (ptx_is(p, "(")) params = parameters(p);
    f.params = params.items;
    f.param_count = params.count;
    f.returns = returns.items;
    f.return_count = returns.count;
    place_parameters(&f);
    while (function_directive(p)) {}
    f.declared_only = !ptx_is(p, "{");
    if (f.declared_only) {
        ptx_expect(p, ";");
    } else {
        if (!p->module->functions[index].declared_only) ptx_fail_at(p, pos, "'%s' has two bodies", f.name);
        body(p);
    }
    if (f.declared_only) ptx_scope_close(p);
    else p->scope = p->module_scope;
    p->function = NULL;
    if (!f.declared_only || p->module->functions[index].declared_only) p->module->functions[index] = f;
}

/* ---- the module ---- */

static void version_directive(struct ptx_parser *p) {
    struct ptx_module *m = p->module;
    char text[16];
    uint32_t length = p->token.length < sizeof text - 1 ? p->token.length : (uint32_t)sizeof text - 1;
    if (p->token.kind != PTX_TOK_FLOAT) ptx_fail(p, "a version such as 9.0 is wanted");
    memcpy(text, p->token.text, length);
    text[length] = '\0';
    if (sscanf(text, "%d.%d", &m->version_major, &m->version_minor) != 2)
        ptx_fail(p, "a version such as 9.0 is wanted");
    if (m->version_major > VERSION_MAJOR ||
        (m->version_major == VERSION_MAJOR && m->version_minor > VERSION_MINOR))
        ptx_fail(p, "PTX %s is newer than %d.%d", text, VERSION_MAJOR, VERSION_MINOR);
    ptx_next(p);
}

static void target_directive(struct ptx_parser *p) {
    p->module->target_pos = (struct ptx_pos){.line = p->token.line, .column = p->token.column};
    const char *name = ptx_expect_name(p, "a target such as sm_100a");
    if (strlen(name) >= sizeof p->module->target) ptx_fail(p, "no such target");
    strcpy(p->module->target, name);
    while (ptx_accept(p, ","))
        ptx_expect_name(p, "a target option"); /* texmode_independent, debug, map_f64_to_f32 */
}

static void header(struct ptx_parser *p) {
    while (debug_directive(p)) {}
    ptx_expect(p, ".version");
    version_directive(p);
    while (debug_directive(p)) {}
    ptx_expect(p, ".target");
    target_directive(p);
    if (ptx_accept(p, ".address_size")) {
        uint32_t bits = ptx_expect_count(p, "an address size", 64);
        if (bits != 64) ptx_fail(p, ".address_size %u: only 64-bit addresses are supported", bits);
    }
}

static void alias_directive(struct ptx_parser *p) {
    struct ptx_pos pos = ptx_here(p);
    const char *alias = ptx_expect_name(p, "a function's name");
    ptx_expect(p, ",");
    const char *name = ptx_expect_name(p, "a function's name");
    ptx_expect(p, ";");
    struct ptx_name *to = ptx_name_find(p, p->module_scope, name),
                    *from = ptx_name_find(p, p->module_scope, alias);
    if (!to || to->kind != PTX_NAME_FUNCTION) ptx_fail_at(p, pos, "'%s' is no function", name);
    if (!from || from->kind != PTX_NAME_FUNCTION) ptx_fail_at(p, pos, "'%s' is no declared function", alias);
    from->index = to->index;
}

static void top(struct ptx_parser *p) {
    bool external = false;
    if (debug_directive(p)) return;
    if (ptx_accept(p, ".alias")) {
        alias_directive(p);
        return;
    }
    for (;;) {
        if (ptx_accept(p, ".extern") || ptx_accept(p, ".common")) external = true;
        else if (!ptx_accept(p, ".visible") && !ptx_accept(p, ".weak")) break;
    }
    if (ptx_accept(p, ".entry")) function(p, true);
    else if (ptx_accept(p, ".func")) function(p, false);
    else if (ptx_at_space(p)) ptx_declaration(p, external);
    else
        ptx_fail(p, "a directive is wanted, not '%.*s'", p->token.length > 40 ? 40 : (int)p->token.length,
                 p->token.text);
}

static void module(struct ptx_parser *p) {
    p->module = ptx_alloc(p, sizeof *p->module);
    p->module->arena = p->arena;
    ptx_scope_open(p);
    p->module_scope = p->scope;
    ptx_next(p);
    header(p);
    while (p->token.kind != PTX_TOK_END) top(p);
}

struct ptx_module *ptx_parse(const char *text, size_t bytes, struct ptx_error *error) {
    struct wl_arena *arena = wl_arena_create();
    struct ptx_parser *p = arena ? wl_arena_alloc(arena, sizeof *p) : NULL;
    *error = (struct ptx_error){.text = "out of memory"};
    if (!p) {
        wl_arena_destroy(arena);
        return NULL;
    }
    p->error = error;
    p->arena = arena;
    ptx_lex_init(&p->lexer, text, bytes);
    if (setjmp(p->fail)) {
        wl_arena_destroy(arena);
        return NULL;
    }
    module(p);
    error->text[0] = '\0';
    return p->module;
}
