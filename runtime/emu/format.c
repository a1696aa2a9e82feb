/* format: see format.h. PTX ISA 9.1 §5.2.3; NaN and overflow codes: facts 9. */
#include "runtime/emu/format.h"

#include "runtime/emu/float.h"

const struct emu_format emu_formats[EMU_FORMATS] = {
    /* clang-format off */
    /*            mantissa bias  max      infinity nan      sign */
    [EMU_F16]  = {10,      15,   0x7bff,  0x7c00,  0x7fff,  0x8000},
    [EMU_BF16] = {7,       127,  0x7f7f,  0x7f80,  0x7fff,  0x8000},
    [EMU_E4M3] = {3,       7,    0x7e,    0,       0x7f,    0x80},
    [EMU_E5M2] = {2,       15,   0x7b,    0x7c,    0x7f,    0x80},
    [EMU_E2M3] = {3,       1,    0x1f,    0,       0,       0x20},
    [EMU_E3M2] = {2,       3,    0x1f,    0,       0,       0x20},
    [EMU_E2M1] = {1,       1,    0x7,     0,       0,       0x8},
    [EMU_TF32] = {10,      127,  0x3fbff, 0x3fc00, 0x3ffff, 0x40000},
    /* clang-format on */
};

/* m / 2^shift rounded to an integer. */
static uint64_t round_units(uint64_t m, uint32_t shift, int round, bool negative) {
    uint64_t low = m >> shift, rest = m & ((1ull << shift) - 1), half = 1ull << (shift - 1);
    bool up;
    switch (round) {
    case EMU_RZ: up = false; break;
    case EMU_RM: up = negative && rest; break;
    case EMU_RP: up = !negative && rest; break;
    case EMU_ROUND_AWAY: up = rest >= half; break;
    default: up = rest > half || (rest == half && low & 1); break;
    }
    return low + up;
}

/* What becomes of a magnitude beyond the largest finite one. */
static uint32_t overflow(const struct emu_format *f, struct emu_format_how how, bool negative,
                         bool infinite) {
    bool to_max = how.satfinite || !f->infinity;
    if (!infinite) to_max = to_max || how.round == EMU_RZ || how.round == (negative ? EMU_RP : EMU_RM);
    return to_max ? f->max : f->infinity;
}

uint32_t emu_format_round(enum emu_format_id id, double value, struct emu_format_how how) {
    const struct emu_format *f = &emu_formats[id];
    if (isnan(value)) return f->nan ? f->nan : f->max;
    bool negative = signbit(value);
    if (negative && how.relu) return 0;
    uint32_t sign = negative ? f->sign : 0;
    uint64_t bits = emu_bits_of_f64(value) & INT64_MAX;
    if (bits == 0x7ff0000000000000) return sign | overflow(f, how, negative, true);
    /* value = m 2^(exponent - 52); a unit of the result is 2^(at - mantissa) */
    int field = (int)(bits >> 52), exponent = (field ? field : 1) - 1023, least = 1 - f->bias;
    uint64_t m = (bits & ((1ull << 52) - 1)) | (uint64_t)(field != 0) << 52;
    int at = exponent < least ? least : exponent, shift = at - f->mantissa - exponent + 52;
    if (exponent > f->bias + 1) return sign | overflow(f, how, negative, false);
    uint64_t units = round_units(m, shift > 62 ? 62 : (uint32_t)shift, how.round, negative);
    uint32_t code = ((uint32_t)(at - least) << f->mantissa) + (uint32_t)units;
    return sign | (code > f->max ? overflow(f, how, negative, false) : code);
}

double emu_format_value(enum emu_format_id id, uint32_t code) {
    const struct emu_format *f = &emu_formats[id];
    uint32_t magnitude = code & (f->sign - 1), field = magnitude >> f->mantissa;
    double v;
    if (f->infinity && magnitude == f->infinity) v = INFINITY;
    else if (f->nan && magnitude > f->max) v = NAN;
    else {
        uint32_t mantissa = (magnitude & ((1u << f->mantissa) - 1)) | (field ? 1u << f->mantissa : 0);
        int exponent = (field ? (int)field : 1) - f->bias - f->mantissa;
        v = mantissa * emu_f64_of_bits((uint64_t)(1023 + exponent) << 52);
    }
    return code & f->sign ? -v : v;
}

double emu_round_to_odd(double s, double error) {
    uint64_t u = emu_bits_of_f64(s);
    if (error == 0 || error != error || u & 1) return s;
    /* s is even: its odd neighbour on the side of the error */
    bool away = (error > 0) == (s > 0);
    if (s == 0) return error > 0 ? 0x1p-1074 : -0x1p-1074;
    return emu_f64_of_bits(away ? u + 1 : u - 1);
}
