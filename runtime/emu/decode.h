/* decode: a parsed function becomes an array of emu_insn that the interpreter runs without looking at text
 * again.
 *
 * Registers get slots, immediates become constant lanes, special registers and addresses of shared variables
 * and parameters become lanes that are filled when a warp starts. What a row's own decoder (WL_DECODE in
 * insn.h) may use is here too. Failure leaves through emu_decode_fail(), which does not return. */
#ifndef EMU_DECODE_H
#define EMU_DECODE_H

#include "runtime/emu/insn.h"

/* Lanes that are filled when a warp starts. */
enum emu_special {
    EMU_SPECIAL_SHARED,  /* shared address of an offset: (rank << 24) + value */
    EMU_SPECIAL_DYNAMIC, /* the same, value counted from the start of dynamic shared memory */
    EMU_SPECIAL_PARAM,   /* address of a parameter: launch->params + value */
    EMU_SPECIAL_TID,
    EMU_SPECIAL_NTID,
    EMU_SPECIAL_CTAID,
    EMU_SPECIAL_NCTAID, /* value: 0 x, 1 y, 2 z */
    EMU_SPECIAL_CLUSTERID,
    EMU_SPECIAL_NCLUSTERID,
    EMU_SPECIAL_CLUSTER_CTAID,
    EMU_SPECIAL_CLUSTER_NCTAID,
    EMU_SPECIAL_CLUSTER_CTARANK,
    EMU_SPECIAL_CLUSTER_NCTARANK,
    EMU_SPECIAL_IS_EXPLICIT_CLUSTER,
    EMU_SPECIAL_LANEID,
    EMU_SPECIAL_WARPID,
    EMU_SPECIAL_NWARPID,
    EMU_SPECIAL_SMID,
    EMU_SPECIAL_NSMID,
    EMU_SPECIAL_GRIDID,
    EMU_SPECIAL_LANEMASK, /* value: 0 eq, 1 le, 2 lt, 3 ge, 4 gt */
    EMU_SPECIAL_TOTAL_SMEM,
    EMU_SPECIAL_AGGR_SMEM,
    EMU_SPECIAL_DYNAMIC_SMEM,
    EMU_SPECIAL_RESERVED_SMEM, /* value: 0 begin, 1 end, 2 cap, 3 offset_0, 4 offset_1 */
    EMU_SPECIAL_ZERO,          /* %envreg, %current_graph_exec: always 0 here */
};

struct emu_special_lanes { /* one entry of emu_function.specials */
    enum emu_special what;
    int64_t value;
    uint8_t bytes; /* 0 predicate, 4, 8 */
    uint32_t slot;
};

struct emu_module;

/* Decodes all functions that have a body into module->functions; false with *error filled on failure. The
 * addresses of the module's variables must be in module->addresses. */
bool emu_decode_module(struct emu_module *module, struct ptx_error *error);

/* Fills the warp's special bank; its cta, index and launch must be set. */
void emu_warp_specials(struct emu_warp *warp);

/* ---- for decoders of rows ---- */
_Noreturn void emu_decode_fail(struct emu_decoder *d, const struct emu_insn *insn, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *emu_decode_alloc(struct emu_decoder *d, size_t bytes); /* zeroed; lives as long as the module */
/* Whether ".word" is one of a mnemonic's parts. */
bool emu_mnemonic_has(const char *mnemonic, const char *word);
/* An operand as op.kind LANES of `bytes` (4 or 8) holding value in every lane. */
struct emu_opnd emu_decode_const(struct emu_decoder *d, uint64_t value, uint8_t bytes);

#endif
