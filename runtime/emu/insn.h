/* insn: the table of instruction forms. One row per form as the manual prints it, in insn_*.def:
 *
 *   WL_INSN(id, pattern, operands, scope, isa, semantics)
 *     pattern    the manual's syntax: {.x} optional, <a|b> one of, {.<a|b>} an optional one of. The k-th brace or angle is
 *                insn->mod[k]. Types and roundings are written out: a row per type.
 *     operands   comma list; '=' marks a destination; then what may stand there:
 *                  pred b16 b32 b64 b128 f32 f64   register or immediate of that width (f: decimal immediates are floats)
 *                  TYPE*      a vector { } (or a single register) of them; count checked by the semantics
 *                  mem        [register + imm], [symbol + imm] or [imm]
 *                  tmap       [map, {c0, ..}]
 *                  imm        an immediate;   label;   sym  a symbol;   a|b  either;   TYPE|pred pair  d|p
 *                  trailing '?'  may be left out
 *     scope      LANE (each lane for itself), WARP (needs its lanes together: .sync/.aligned), THREAD (once per active lane), FLOW
 *     isa        section of PTX ISA 9.1
 *     semantics  the function, declared from this row
 *
 * An instruction that no row takes is refused when the module is loaded, by name, with its line. */
#ifndef EMU_INSN_H
#define EMU_INSN_H

#include "runtime/emu/machine.h"

enum emu_scope { EMU_SCOPE_LANE, EMU_SCOPE_WARP, EMU_SCOPE_THREAD, EMU_SCOPE_FLOW };

struct emu_row {
    const char *id, *pattern, *operands, *isa;
    enum emu_scope scope;
    emu_sem_fn *fn;
};

#define WL_INSN(id, pattern, operands, scope, isa, semantics) emu_sem_fn semantics;
#include "runtime/emu/insn.def"
#undef WL_INSN

extern const struct emu_row emu_rows[];
extern const uint32_t emu_row_count;

/* The row that takes this mnemonic and fills mod[], or NULL. */
const struct emu_row *emu_row_match(const char *mnemonic, uint8_t mod[EMU_MAX_MODS]);

#endif
