/* format: the small floating-point formats, as data, and one rounding for all of them.
 *
 *   code of a value = sign | (exponent field << mantissa bits) + mantissa; the largest finite code is `max`
 */
#ifndef EMU_FORMAT_H
#define EMU_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum emu_format_id {
    EMU_F16,
    EMU_BF16,
    EMU_E4M3,
    EMU_E5M2,
    EMU_E2M3,
    EMU_E3M2,
    EMU_E2M1,
    EMU_TF32,
    EMU_FORMATS
};

struct emu_format {
    int mantissa, bias;
    uint32_t max, infinity, nan, sign; /* infinity 0: none; nan 0: NaN becomes the largest finite value */
};
extern const struct emu_format emu_formats[EMU_FORMATS];

/* How to round: the value must be exact, or rounded to odd from more bits than the format has, plus two. */
struct emu_format_how {
    int round; /* enum emu_round, or EMU_ROUND_AWAY (nearest, ties away from zero) */
    bool satfinite, relu;
};
#define EMU_ROUND_AWAY 4

uint32_t emu_format_round(enum emu_format_id id, double value, struct emu_format_how how);
double emu_format_value(enum emu_format_id id, uint32_t code); /* exact */

/* s + error (exact sum, s rounded to nearest) rounded to odd: a further rounding to fewer bits is then right.
 */
double emu_round_to_odd(double s, double error);

#endif
