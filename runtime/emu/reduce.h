/* reduce: the element operations of cp.reduce.async.bulk and its tensor form: memory = memory op source, each
 * element atomically. PTX ISA 9.1 §9.7.9.25.4.2. */
#ifndef EMU_REDUCE_H
#define EMU_REDUCE_H

#include <stdbool.h>
#include <stdint.h>

enum emu_reduce_op {
    EMU_REDUCE_ADD,
    EMU_REDUCE_MIN,
    EMU_REDUCE_MAX,
    EMU_REDUCE_INC,
    EMU_REDUCE_DEC,
    EMU_REDUCE_AND,
    EMU_REDUCE_OR,
    EMU_REDUCE_XOR,
    EMU_REDUCE_OPS
};
enum emu_reduce_type {
    EMU_REDUCE_U32,
    EMU_REDUCE_S32,
    EMU_REDUCE_U64,
    EMU_REDUCE_S64,
    EMU_REDUCE_B32,
    EMU_REDUCE_B64,
    EMU_REDUCE_F16,
    EMU_REDUCE_BF16,
    EMU_REDUCE_F32,
    EMU_REDUCE_F32_FTZ,
    EMU_REDUCE_F64,
    EMU_REDUCE_TYPES
};

/* Whether the manual's table has this pair; in shared memory only some 32-bit and 64-bit integer ones are
 * left. */
bool emu_reduce_legal(enum emu_reduce_op op, enum emu_reduce_type type, bool shared);
uint32_t emu_reduce_bytes(enum emu_reduce_type type);
/* bytes: a multiple of the element's; both pointers aligned to it. */
void emu_reduce(void *memory, const void *source, uint32_t bytes, enum emu_reduce_op op,
                enum emu_reduce_type type);

/* What atom, red and these make of two float64; global: not in shared memory. */
uint64_t emu_atomic_add_f64(uint64_t old, uint64_t value, bool global);

#endif
