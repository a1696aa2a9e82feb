/* ptx: the PTX text as a tree: what the parser makes and the decoder reads. Nothing here knows what an instruction does.
 *
 * ptx_parse() takes any PTX of .version up to 9.4, keeps every position, and fails with "line:column: text". All of a
 * module lives in one arena. Scoped blocks ({ ... }) are resolved by the parser: each register and label reference
 * points at its declaration. */
#ifndef EMU_PTX_H
#define EMU_PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "gen/arena.h"

enum ptx_space { PTX_REG, PTX_PARAM, PTX_SHARED, PTX_GLOBAL, PTX_CONST, PTX_LOCAL };

struct ptx_type { /* .b32, .f16x2, .pred ... as written, plus its size */
    char name[8];
    uint8_t bytes;       /* 0: predicate */
};

struct ptx_pos { uint32_t line, column; uint32_t loc_file, loc_line; }; /* loc_*: the .loc in force, 0 = none */

struct ptx_reloc { /* eight bytes of an initialised variable that hold an address */
    const struct ptx_reloc *next;
    uint64_t offset;         /* into init */
    const struct ptx_var *var;
    int64_t addend;
};

struct ptx_var { /* a register, parameter, shared/global/const/local variable or array */
    const char *name;
    enum ptx_space space;
    struct ptx_type type;
    uint32_t align;      /* bytes */
    uint64_t bytes;      /* whole object; 0 with `external` = sized at launch */
    bool external;
    const uint8_t *init; /* initialised bytes or NULL */
    const struct ptx_reloc *relocs; /* symbol addresses inside init */
    struct ptx_pos pos;
    uint32_t slot;       /* registers: index of its first 128-byte slot, given by the decoder; others: offset in its space */
};

enum ptx_operand_kind {
    PTX_OP_REG,      /* var */
    PTX_OP_SPECIAL,  /* %tid.x ...: name, component folded in */
    PTX_OP_INT,      /* integer immediate, two's complement in i */
    PTX_OP_FLOAT,    /* 0f.../0d.../decimal: f, and bits as written in i; float_bits says 32 or 64 for 0f/0d, 0 for decimal */
    PTX_OP_SYMBOL,   /* variable's or function's address (+ offset) */
    PTX_OP_LABEL,    /* branch target: i is the index into insns */
    PTX_OP_FUNCTION, /* a function's name: i is its index in the module */
    PTX_OP_SINK,     /* _ */
    PTX_OP_VECTOR,   /* { a, b, ... } */
    PTX_OP_ADDRESS,  /* [base + offset]; base is REG, SYMBOL or INT in items[0]; tensor form [map, {c...}]: items[0] map, items[1] VECTOR */
    PTX_OP_PAIR,     /* d|p : items[0], items[1] */
    PTX_OP_LIST,     /* ( a, b ) of call; the labels of a .branchtargets list */
};

struct ptx_operand {
    enum ptx_operand_kind kind;
    bool negated;            /* !p, or -a where the grammar allows */
    struct ptx_var *var;
    const char *name;
    int64_t i;
    double f;
    int float_bits;
    int64_t offset;
    struct ptx_operand *items;
    uint32_t count;
    struct ptx_pos pos;
};

struct ptx_insn {
    const char *mnemonic;    /* whole: "tcgen05.mma.cta_group::1.kind::f16" */
    struct ptx_operand *guard; /* NULL: none */
    struct ptx_operand *operands;
    uint32_t count;
    struct ptx_pos pos;
    const char *under; /* the last label of the function's own block before it (a warp's role, in many kernels); NULL: none */
};

struct ptx_function {
    const char *name;
    bool entry, declared_only;
    struct ptx_var **params, **returns, **locals; /* locals: registers and variables of all scopes */
    uint32_t param_count, return_count, local_count;
    struct ptx_insn *insns;
    uint32_t insn_count;
    const char **labels;     /* labels[i]: name of a label standing at instruction i, or NULL (insn_count + 1 entries) */
    uint32_t reqntid[3], maxntid[3], minnctapersm, maxnreg, reqnctapercluster[3];
    bool explicitcluster;
};

struct ptx_module {
    struct wl_arena *arena;
    int version_major, version_minor;
    char target[32];
    struct ptx_pos target_pos;
    struct ptx_function *functions;
    uint32_t function_count;
    struct ptx_var **variables;
    uint32_t variable_count;
    const char **files;      /* .file index -> name; files[0] unused */
    uint32_t file_count;
};

struct ptx_error { uint32_t line, column; char text[256]; };

/* Returns the module (destroy its arena to free it), or NULL with *error filled. text need not be terminated. */
struct ptx_module *ptx_parse(const char *text, size_t bytes, struct ptx_error *error);

#endif
