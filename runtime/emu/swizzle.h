/* swizzle: where shared memory keeps a byte under a swizzle mode: one function for TMA, tcgen05 and wgmma.
 *
 * It permutes address bits (facts 1.4), on the final address:
 *     32B    bit 4     ^= bit 7        64B    bits 4-5 ^= bits 7-8       128B   bits 4-6 ^= bits 7-9
 *     128B with 32-byte atoms  bits 5-6 ^= bits 7-8       128B with 64-byte atoms  bit 6 ^= bit 7
 *     128B with 32-byte atoms and 8-byte flip: as the former, then bit 3 ^= bit 7 */
#ifndef EMU_SWIZZLE_H
#define EMU_SWIZZLE_H

#include <stdint.h>

enum emu_swizzle { /* the driver's CUtensorMapSwizzle */
                   EMU_SWIZZLE_NONE,
                   EMU_SWIZZLE_32B,
                   EMU_SWIZZLE_64B,
                   EMU_SWIZZLE_128B,
                   EMU_SWIZZLE_128B_ATOM_32B,
                   EMU_SWIZZLE_128B_ATOM_32B_FLIP_8B,
                   EMU_SWIZZLE_128B_ATOM_64B,
                   EMU_SWIZZLE_COUNT,
};

/* Bytes of a row that the pattern spans: 16 (none), 32, 64, 128. */
uint32_t emu_swizzle_span(enum emu_swizzle mode);
/* Bytes after which the pattern repeats. */
uint32_t emu_swizzle_period(enum emu_swizzle mode);

/* The address of the byte that an unswizzled layout would put at `linear`. base_offset (0..7) is subtracted
 * from the line number that drives the pattern: the descriptor field of that name, 0 for TMA. */
uint32_t emu_swizzle_address(enum emu_swizzle mode, uint32_t linear, uint32_t base_offset);

#endif
