/* ptx_parser: what the files of the parser share. Errors leave through ptx_fail(), which jumps back to
 * ptx_parse(): all memory is the module's arena, so nothing is lost on the way. */
#ifndef EMU_PTX_PARSER_H
#define EMU_PTX_PARSER_H

#include <setjmp.h>
#include "runtime/emu/ptx.h"
#include "runtime/emu/ptx_lex.h"

/* A block { ... }, the function around it, or the module. */
struct ptx_scope {
    struct ptx_scope *parent;
    struct ptx_range { /* .reg .b32 %r<10>: made one by one when first used */
        struct ptx_range *next;
        const char *prefix;
        uint32_t prefix_length, count;
        struct ptx_var model;
    } * ranges;
};

enum ptx_name_kind { PTX_NAME_VAR, PTX_NAME_LABEL, PTX_NAME_TARGETS, PTX_NAME_FUNCTION };

struct ptx_name {
    struct ptx_name *next; /* in the bucket */
    const char *text;
    const struct ptx_scope *scope;
    enum ptx_name_kind kind;
    struct ptx_var *var;
    uint32_t index;              /* LABEL: instruction; FUNCTION: of the module */
    struct ptx_operand *targets; /* TARGETS: kind LIST */
};

#define PTX_BUCKETS 4096

struct ptx_pending { /* a name to be resolved at the end of the function */
    struct ptx_pending *next;
    struct ptx_operand *operand;
    struct ptx_scope *scope;
};

struct ptx_parser {
    jmp_buf fail;
    struct ptx_error *error;
    struct wl_arena *arena;
    struct ptx_lexer lexer;
    struct ptx_token token; /* the one to look at */
    struct ptx_module *module;
    struct ptx_scope *scope, *module_scope;
    struct ptx_name *buckets[PTX_BUCKETS];
    uint32_t function_capacity, variable_capacity, file_capacity;
    uint32_t loc_file, loc_line;
    uint32_t depth; /* of nested expressions and initialisers: hostile inputs must not use up the stack */
    /* the function being read */
    struct ptx_function *function;
    const char *under; /* the label of its own block that was read last */
    uint32_t open;     /* blocks, its own one too */
    uint32_t insn_capacity, local_capacity, label_capacity;
    struct ptx_pending *pending;
};

/* ---- ptx_parse.c: tokens and failure ---- */
_Noreturn void ptx_fail(struct ptx_parser *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void ptx_fail_at(struct ptx_parser *p, struct ptx_pos pos, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *ptx_alloc(struct ptx_parser *p, size_t bytes);
void *ptx_grow(struct ptx_parser *p, void *array, uint32_t count, uint32_t *capacity, size_t element_bytes);
char *ptx_text(struct ptx_parser *p, const char *text, uint32_t length);
void ptx_next(struct ptx_parser *p);
struct ptx_pos ptx_here(const struct ptx_parser *p);
bool ptx_is(const struct ptx_parser *p, const char *text); /* punctuation or word */
bool ptx_accept(struct ptx_parser *p, const char *text);   /* and if so, step over it */
void ptx_expect(struct ptx_parser *p, const char *text);
const char *ptx_expect_name(struct ptx_parser *p, const char *what);
uint32_t ptx_expect_count(struct ptx_parser *p, const char *what, uint64_t limit); /* 0 .. limit */
void ptx_deeper(struct ptx_parser *p);                                             /* matched by p->depth-- */

/* ---- ptx_scope.c ---- */
void ptx_scope_open(struct ptx_parser *p);
void ptx_scope_close(struct ptx_parser *p);
struct ptx_name *ptx_name_add(struct ptx_parser *p, const char *text, enum ptx_name_kind kind,
                              struct ptx_pos pos);
struct ptx_name *ptx_name_here(struct ptx_parser *p, const char *text); /* in the innermost scope only */
struct ptx_name *ptx_name_find(struct ptx_parser *p, struct ptx_scope *from, const char *text);
void ptx_local_add(struct ptx_parser *p, struct ptx_var *var);
void ptx_pending_add(struct ptx_parser *p, struct ptx_operand *operand);
void ptx_pending_resolve(struct ptx_parser *p);

/* ---- ptx_expr.c ---- */
int64_t ptx_expr(struct ptx_parser *p); /* integer constant expression */

/* ---- ptx_decl.c ---- */
bool ptx_type_find(const char *text, uint32_t length, struct ptx_type *type); /* text without the dot */
bool ptx_at_space(const struct ptx_parser *p);
void ptx_declaration(struct ptx_parser *p,
                     bool external);                 /* .global .u32 a, b[4] = {..}; up to and with the ';' */
struct ptx_var *ptx_parameter(struct ptx_parser *p); /* .param .align 4 .b8 name[16], without what follows */

/* ---- ptx_insn.c ---- */
void ptx_instruction(struct ptx_parser *p); /* guard, mnemonic, operands, ';' */
void ptx_label_list(struct ptx_parser *p, const char *name,
                    struct ptx_pos pos); /* name: .branchtargets a, b; */

#endif
