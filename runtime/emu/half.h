/* half: 16-bit floats to float32 and back, without branches where loops over them should become vector code.
 */
#ifndef EMU_HALF_H
#define EMU_HALF_H

#include <stdint.h>
#include <string.h>

static inline float emu_f32_of_bits(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}
static inline uint32_t emu_bits_of_f32(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return bits;
}

static inline float emu_bf16_to_f32(uint16_t h) { return emu_f32_of_bits((uint32_t)h << 16); }

static inline float emu_f16_to_f32(uint16_t h) {
    /* Exponent and mantissa in place, then 2^112 moves the bias; infinities and NaN get the largest exponent.
     */
    uint32_t magnitude = (uint32_t)(h & 0x7fff) << 13;
    uint32_t scaled = emu_bits_of_f32(emu_f32_of_bits(magnitude) * 0x1p112f);
    uint32_t special = magnitude | 0x7f800000u;
    return emu_f32_of_bits((magnitude >= 0x0f800000u ? special : scaled) | (uint32_t)(h & 0x8000) << 16);
}

/* Round to nearest even; NaN becomes 0x7fff, as the machine's conversions have it. */
static inline uint16_t emu_f32_to_bf16(float f) {
    uint32_t bits = emu_bits_of_f32(f);
    if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline uint16_t emu_f32_to_f16(float f) {
    uint32_t bits = emu_bits_of_f32(f), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
    if (magnitude > 0x7f800000) return 0x7fff;
    if (magnitude >= 0x477ff000) return (uint16_t)(sign | 0x7c00); /* 65520 and up */
    if (magnitude <
        0x38800000) { /* below 2^-14: adding 0.5 leaves the subnormal's bits, rounded, at the bottom */
        uint32_t sum = emu_bits_of_f32(emu_f32_of_bits(magnitude) + 0.5f);
        return (uint16_t)(sign | (sum - 0x3f000000));
    }
    return (uint16_t)(sign | ((magnitude - 0x38000000 + 0xfff + (magnitude >> 13 & 1)) >> 13));
}

#endif
