/* insn: the table of instruction forms. One row per form as the manual prints it, in insn_*.def:
 *
 *   WL_INSN(id, pattern, operands, scope, isa, semantics)
 *     pattern    the manual's syntax: {.x} optional, <a|b> one of, {.<a|b>} an optional one of. The k-th
 * brace or angle is insn->mod[k]; the first angle inside a brace shares the brace's number. Types and
 * roundings are written out: a row per type. operands   comma list; '=' marks a destination; then what may
 * stand there: pred b8 b16 b32 b64 b128 f32 f64   register or immediate of that width (f: decimal immediates
 * are floats); a variable's name where its address has that width b16+       a register of that width or
 * wider (ld, st, cvt) b32*       a vector { } (or a single register) of them, always op.kind VECTOR; count
 * checked by the row mem        [register + imm], [symbol + imm] or [imm] tmap       [map, {c0, ..}]: ADDRESS
 * whose elems[0] is the map, elems[1 .. count] the coordinates mask       b32 that names the lanes taking
 * part: a WARP row waits for these lanes only imm        an integer immediate;   label;   labels   sym  a
 * function's name;   clock  %clock and the like list       ( a, b ) of a call a|b        either b32|pred   d
 * or d|p: two operands, the second of kind NONE where it is left out trailing '?'  may be left out: kind NONE
 *     scope      LANE (each lane for itself), WARP (needs its lanes together: .sync/.aligned), THREAD (once
 * per active lane), FLOW isa        section of PTX ISA 9.1 semantics  the function, declared from this row
 *
 *   WL_DECODE(semantics, decoder)
 *     rows with these semantics call decoder(d, insn) once, when the module is loaded: it checks what the
 * columns cannot say (vector lengths, legal immediates) and may leave something in insn->extra. See decode.h.
 *
 * Rows are tried in order; the first whose pattern and operands fit is taken. An instruction that no row
 * takes is refused when the module is loaded, by name, with its line. */
#ifndef EMU_INSN_H
#define EMU_INSN_H

#include <stddef.h>
#include "runtime/emu/machine.h"

enum emu_scope { EMU_SCOPE_LANE, EMU_SCOPE_WARP, EMU_SCOPE_THREAD, EMU_SCOPE_FLOW };

struct emu_decoder;
typedef void emu_decode_fn(struct emu_decoder *d, struct emu_insn *insn);

struct emu_row {
    const char *id, *pattern, *operands, *isa;
    enum emu_scope scope;
    emu_sem_fn *fn;
};

#define WL_INSN(id, pattern, operands, scope, isa, semantics) emu_sem_fn semantics;
#define WL_DECODE(semantics, decoder)                         emu_decode_fn decoder;
#include "runtime/emu/insn.def"
#undef WL_INSN
#undef WL_DECODE

extern const struct emu_row emu_rows[];
extern const uint32_t emu_row_count;

/* The row that takes this mnemonic and fills mod[], or NULL. */
const struct emu_row *emu_row_match(const char *mnemonic, uint8_t mod[EMU_MAX_MODS]);
/* The same among the rows behind `after` (NULL: all). */
const struct emu_row *emu_row_match_next(const struct emu_row *after, const char *mnemonic,
                                         uint8_t mod[EMU_MAX_MODS]);
/* The row's own decoder, or NULL. */
emu_decode_fn *emu_row_decoder(const struct emu_row *row);
/* The mnemonic with its modifiers in an order that some row takes; false: there is none. */
bool emu_row_reorder(const char *mnemonic, char *out, size_t out_bytes);
/* Why a form of the manual has no row (insn_refused.def); NULL: nothing is known about it. */
const char *emu_row_refused(const char *mnemonic);
/* Whether any row starts with this mnemonic's first word ("add"). */
bool emu_row_known_base(const char *mnemonic);

#endif
