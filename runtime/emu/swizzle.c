#include "runtime/emu/swizzle.h"

/* address bits [low, low + bits) ^= line bits [0, bits), line = address / 128 */
static const struct {
    uint8_t low, bits, flip;
    uint32_t span, period;
} modes[EMU_SWIZZLE_COUNT] = {
    /* clang-format off */
    [EMU_SWIZZLE_NONE]                  = {0, 0, 0,  16,   16},
    [EMU_SWIZZLE_32B]                   = {4, 1, 0,  32,  256},
    [EMU_SWIZZLE_64B]                   = {4, 2, 0,  64,  512},
    [EMU_SWIZZLE_128B]                  = {4, 3, 0, 128, 1024},
    [EMU_SWIZZLE_128B_ATOM_32B]         = {5, 2, 0, 128,  512},
    [EMU_SWIZZLE_128B_ATOM_32B_FLIP_8B] = {5, 2, 1, 128,  512},
    [EMU_SWIZZLE_128B_ATOM_64B]         = {6, 1, 0, 128,  256},
    /* clang-format on */
};

uint32_t emu_swizzle_span(enum emu_swizzle mode) { return modes[mode].span; }
uint32_t emu_swizzle_period(enum emu_swizzle mode) { return modes[mode].period; }

uint32_t emu_swizzle_address(enum emu_swizzle mode, uint32_t linear, uint32_t base_offset) {
    uint32_t line = (linear >> 7) - base_offset;
    uint32_t moved = (line & ((1u << modes[mode].bits) - 1)) << modes[mode].low;
    return linear ^ moved ^ (modes[mode].flip ? (line & 1) << 3 : 0);
}
