/* umma: see umma.h. One row per bit field; a descriptor is the sum of its rows. */
#include "gen/umma.h"

#include <stddef.h>

/* A field holds value >> unit, in `width` bits from `low` on; what it cannot hold exactly is refused. */
struct field {
    const char *name;
    unsigned low, width, unit;
};

static bool put(uint64_t *word, const struct field *field, uint64_t value) {
    uint64_t scaled = value >> field->unit;
    if (scaled << field->unit != value || scaled >> field->width) return false;
    *word |= scaled << field->low;
    return true;
}

/* ---- shared-memory descriptor, PTX ISA 9.1 §9.7.16.4.1 ----
 *
 *  63..61   60..53  52        51..49       48..46  45..32  31..30  29..16  15..14  13..0
 *  swizzle  0       LBO mode  base offset  0b001   SBO/16  0       LBO/16  0       start/16
 *
 * LBO mode 1 (absolute address) belongs to the 48-byte K tiles of sm_103a, which no kernel here uses. */
enum { SMEM_START, SMEM_LBO, SMEM_SBO, SMEM_VERSION, SMEM_BASE_OFFSET, SMEM_SWIZZLE };
/* clang-format off */
static const struct field smem_fields[] = {
    [SMEM_START]       = {"start address",      0, 14, 4},
    [SMEM_LBO]         = {"leading dimension", 16, 14, 4},
    [SMEM_SBO]         = {"stride dimension",  32, 14, 4},
    [SMEM_VERSION]     = {"constant 0b001",    46,  3, 0},
    [SMEM_BASE_OFFSET] = {"base offset",       49,  3, 0},
    [SMEM_SWIZZLE]     = {"swizzle",           61,  3, 0},
};
static const struct { uint32_t bytes, code; } swizzles[] = {{0, 0}, {128, 2}, {64, 4}, {32, 6}};
/* clang-format on */

#define SMEM_ADDRESS_BITS 18 /* the CTA rank above them drops out */

static int swizzle_code(uint32_t bytes) {
    for (size_t i = 0; i < sizeof swizzles / sizeof swizzles[0]; i++)
        if (swizzles[i].bytes == bytes) return (int)swizzles[i].code;
    return -1;
}

uint64_t wl_umma_smem_desc(const struct wl_smem_desc *fields) {
    uint64_t word = 0;
    int swizzle = swizzle_code(fields->swizzle_bytes);
    uint32_t start = fields->start & ((1u << SMEM_ADDRESS_BITS) - 1);
    bool fits = swizzle >= 0 && put(&word, &smem_fields[SMEM_START], start) &&
                put(&word, &smem_fields[SMEM_LBO], fields->lbo) &&
                put(&word, &smem_fields[SMEM_SBO], fields->sbo) &&
                put(&word, &smem_fields[SMEM_VERSION], 1) &&
                put(&word, &smem_fields[SMEM_BASE_OFFSET], fields->base_offset) &&
                put(&word, &smem_fields[SMEM_SWIZZLE], (uint64_t)swizzle);
    return fits ? word : 0;
}

/* ---- shared-memory descriptor of wgmma, §9.7.15.5.1: start, LBO, SBO and base offset as above ----
 *
 *  63..62   61..52  51..49       48..46  45..0
 *  swizzle  0       base offset  0       as above */
/* clang-format off */
static const struct field wgmma_swizzle_field = {"swizzle", 62, 2, 0};
static const struct { uint32_t bytes, code; } wgmma_swizzles[] = {{0, 0}, {128, 1}, {64, 2}, {32, 3}};
/* clang-format on */

uint64_t wl_wgmma_smem_desc(const struct wl_smem_desc *fields) {
    uint64_t word = 0;
    uint32_t start = fields->start & ((1u << SMEM_ADDRESS_BITS) - 1), code = ~0u;
    for (size_t i = 0; i < sizeof wgmma_swizzles / sizeof wgmma_swizzles[0]; i++)
        if (wgmma_swizzles[i].bytes == fields->swizzle_bytes) code = wgmma_swizzles[i].code;
    bool fits = put(&word, &smem_fields[SMEM_START], start) && put(&word, &smem_fields[SMEM_LBO], fields->lbo) &&
                put(&word, &smem_fields[SMEM_SBO], fields->sbo) &&
                put(&word, &smem_fields[SMEM_BASE_OFFSET], fields->base_offset) &&
                put(&word, &wgmma_swizzle_field, code);
    return fits ? word : 0;
}

/* ---- instruction descriptor of kind::f16, §9.7.16.4.2 ----
 *
 *  31..30  29  28..24  23  22..17  16    15    14..13  12..10  9..7    6  5..4    3  2       1..0
 *  shift   0   M/16    0   N/8     B MN  A MN  negate  B type  A type  0  D type  0  sparse  selector
 *
 * Dense, never negated, not .ws: those fields stay 0. K is not in it, it follows from the kind. */
enum { INSTR_D_TYPE, INSTR_A_TYPE, INSTR_B_TYPE, INSTR_A_MAJOR, INSTR_B_MAJOR, INSTR_N, INSTR_M };
/* clang-format off */
static const struct field instr_fields[] = {
    [INSTR_D_TYPE]  = {"D type",       4, 2, 0},
    [INSTR_A_TYPE]  = {"A type",       7, 3, 0},
    [INSTR_B_TYPE]  = {"B type",      10, 3, 0},
    [INSTR_A_MAJOR] = {"transpose A", 15, 1, 0},
    [INSTR_B_MAJOR] = {"transpose B", 16, 1, 0},
    [INSTR_N]       = {"N",           17, 6, 3},
    [INSTR_M]       = {"M",           24, 5, 4},
};
/* clang-format on */

/* Shapes of §9.7.16.2: one CTA has M 64 or 128, a pair 128 or 256 with N in steps of 16 where M is 256. */
static bool shape_is_legal(int m, int n) {
    if (n < 8 || n > 256 || n % 8) return false;
    return m == 64 || m == 128 || (m == 256 && n % 16 == 0);
}

uint32_t wl_umma_instr_desc(const struct wl_instr_desc *fields) {
    uint64_t word = 0, type = fields->ab == WL_BF16 ? 1 : 0;
    if (!shape_is_legal(fields->m, fields->n)) return 0;
    if (fields->ab == WL_BF16 && !fields->d_f32) return 0; /* BF16 accumulates in float32 only */
    bool fits = put(&word, &instr_fields[INSTR_D_TYPE], fields->d_f32) &&
                put(&word, &instr_fields[INSTR_A_TYPE], type) &&
                put(&word, &instr_fields[INSTR_B_TYPE], type) &&
                put(&word, &instr_fields[INSTR_A_MAJOR], fields->a_major == WL_MAJOR_MN) &&
                put(&word, &instr_fields[INSTR_B_MAJOR], fields->b_major == WL_MAJOR_MN) &&
                put(&word, &instr_fields[INSTR_N], (uint64_t)fields->n) &&
                put(&word, &instr_fields[INSTR_M], (uint64_t)fields->m);
    return fits ? (uint32_t)word : 0;
}
