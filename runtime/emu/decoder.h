/* decoder: what the files of the decoder share. */
#ifndef EMU_DECODER_H
#define EMU_DECODER_H

#include <setjmp.h>
#include "runtime/emu/decode.h"
#include "runtime/emu/module.h"

enum emu_column_type { /* of the operand column, see insn.h */
                       EMU_COL_PRED,
                       EMU_COL_BITS,
                       EMU_COL_FLOAT,
                       EMU_COL_MEM,
                       EMU_COL_TMAP,
                       EMU_COL_MASK,
                       EMU_COL_IMM,
                       EMU_COL_LABEL,
                       EMU_COL_LABELS,
                       EMU_COL_SYM,
                       EMU_COL_CLOCK,
                       EMU_COL_LIST,
};

struct emu_column {
    bool dest, optional, vector, wider, pair;
    uint8_t count; /* of alternatives */
    struct {
        enum emu_column_type type;
        uint8_t bytes;
    } alt[3];
    const char *text; /* for messages */
    int length;
};

struct emu_constant {
    struct emu_constant *next;
    uint64_t value;
    uint8_t bytes;
    uint32_t slot;
};

struct emu_inline; /* a function body on its way into the code (decode_inline.c) */

#define EMU_CONSTANT_BUCKETS 256
#define EMU_SINK_SLOTS       4 /* a register of 128 bits */

struct emu_decoder {
    jmp_buf fail;
    struct ptx_error *error;
    struct wl_arena *arena;
    struct emu_module *module;
    struct emu_function *fn;           /* being made */
    const struct ptx_function *source; /* whose text is being read: fn->source, or a function called by it */
    const struct ptx_insn *insn;
    uint32_t code_capacity, const_slots, const_capacity, special_capacity, operand_failed;
    uint32_t extern_align; /* of the dynamic shared memory */
    struct emu_special_lanes *specials;
    uint8_t *consts;
    struct emu_constant *constants[EMU_CONSTANT_BUCKETS];
    struct emu_inline *inlining; /* innermost call */
};

_Noreturn void emu_decode_fail_at(struct emu_decoder *d, struct ptx_pos pos, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *emu_decode_grow(struct emu_decoder *d, void *array, uint32_t count, uint32_t *capacity,
                      size_t element_bytes);

/* ---- decode_operand.c ---- */
uint32_t emu_columns_parse(const char *text, struct emu_column *columns, uint32_t capacity);
/* Fits the operands of d->insn to a row; false: they do not (d->operand_failed: the first that stood in the
 * way). */
bool emu_operands_fit(struct emu_decoder *d, const struct emu_row *row, struct emu_insn *insn);
struct emu_opnd emu_decode_special(struct emu_decoder *d, enum emu_special what, int64_t value,
                                   uint8_t bytes);

/* ---- special.c ---- */
/* A special register that keeps its value: what it is and its bytes (0: predicate); false: no such. */
bool emu_special_find(const char *name, enum emu_special *what, int64_t *value, uint8_t *bytes);
/* %clock and the like: 1-based number, 0: none. Order: clock, clock_hi, clock64, globaltimer_lo, _hi,
 * globaltimer. */
int emu_clock_find(const char *name, uint8_t *bytes);

/* ---- decode_call.c: functions are inlined, so that a warp has one program counter space and no stack ----
 */
void emu_decode_body(struct emu_decoder *d,
                     const struct ptx_function *source); /* appends its code to d->fn */
void emu_decode_emit(struct emu_decoder *d, const struct ptx_insn *source);
struct emu_insn *emu_decode_append(struct emu_decoder *d);

/* ---- decode_layout.c: slots of registers, offsets of shared and local variables ---- */
void emu_layout_function(struct emu_decoder *d, const struct ptx_function *entry);

#endif
