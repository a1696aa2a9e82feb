#include "runtime/emu/wgmma_desc.h"

#include <stdio.h>

enum field { START, LBO, SBO, BASE, SWIZZLE, FIELDS };

/* What no field covers is unused; of that, the bits in which tcgen05's descriptor differs must be 0
 * (facts 10.1). */
static const struct {
    uint8_t low, width;
} fields[FIELDS] = {
    /* clang-format off */
    [START] = {0, 14}, [LBO] = {16, 14}, [SBO] = {32, 14}, [BASE] = {49, 3}, [SWIZZLE] = {62, 2},
    /* clang-format on */
};
#define FOREIGN (7ull << 46 | 0x3ffull << 52)

static uint32_t get(uint64_t descriptor, enum field f) {
    return (uint32_t)(descriptor >> fields[f].low & ((1ull << fields[f].width) - 1));
}

bool emu_wgmma_matrix_decode(struct emu_smem_matrix *m, uint64_t descriptor, char *why, size_t why_bytes) {
    static const enum emu_swizzle modes[4] = {EMU_SWIZZLE_NONE, EMU_SWIZZLE_128B, EMU_SWIZZLE_64B,
                                              EMU_SWIZZLE_32B};
    if (descriptor & FOREIGN) {
        snprintf(why, why_bytes,
                 "matrix descriptor 0x%016llx: bits 46-48 and 52-61 must be 0 (a tcgen05 descriptor?)",
                 (unsigned long long)descriptor);
        return false;
    }
    m->start = get(descriptor, START) * 16;
    m->lbo = get(descriptor, LBO) * 16;
    m->sbo = get(descriptor, SBO) * 16;
    m->base_offset = get(descriptor, BASE);
    m->swizzle = modes[get(descriptor, SWIZZLE)];
    return true;
}
