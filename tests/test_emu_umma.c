/* tcgen05.mma without a kernel around it: descriptors, legal shapes, layouts, elements. */
#include <math.h>
#include <string.h>
#include "runtime/emu/half.h"
#include "runtime/emu/umma_desc.h"
#include "runtime/emu/umma_math.h"
#include "tests/test.h"

/* Instruction descriptors that FlashAttention-4 and Triton emit. */
static const struct {
    uint32_t word, group, m, n;
    enum emu_element ab;
    bool a_mn, b_mn, d_f16;
} instructions[] = {
    /* clang-format off */
    {0x08200490, 1, 128, 128, EMU_BF16, 0, 0, 0}, {0x08210490, 1, 128, 128, EMU_BF16, 0, 1, 0},
    {0x08110490, 1, 128,  64, EMU_BF16, 0, 1, 0}, {0x08118490, 1, 128,  64, EMU_BF16, 1, 1, 0},
    {0x10200490, 2, 256, 128, EMU_BF16, 0, 0, 0}, {0x10210490, 2, 256, 128, EMU_BF16, 0, 1, 0},
    {0x04200490, 1,  64, 128, EMU_BF16, 0, 0, 0}, {0x08100490, 1, 128,  64, EMU_BF16, 0, 0, 0},
    {0x08218490, 2, 128, 128, EMU_BF16, 1, 1, 0}, {0x08200010, 1, 128, 128, EMU_F16,  0, 0, 0},
    {0x08200000, 1, 128, 128, EMU_F16,  0, 0, 1},
    /* clang-format on */
};

Test(emu_umma, instruction_descriptors_decode) {
    for (size_t i = 0; i < WL_LEN(instructions); i++) {
        struct emu_umma u;
        char why[192];
        struct emu_umma_form form = {.kind = EMU_UMMA_F16, .cta_group = instructions[i].group};
        cr_assert(emu_umma_decode(&u, instructions[i].word, &form, why, sizeof why), "%08x: %s",
                  instructions[i].word, why);
        cr_expect(u.m == instructions[i].m && u.n == instructions[i].n && u.k == 16, "%08x: %ux%ux%u",
                  instructions[i].word, u.m, u.n, u.k);
        cr_expect(u.a == instructions[i].ab && u.b == instructions[i].ab && u.d_f16 == instructions[i].d_f16);
        cr_expect(u.a_mn_major == instructions[i].a_mn && u.b_mn_major == instructions[i].b_mn);
    }
}

#define IDESC(d, a, b, n, m) ((d) << 4 | (a) << 7 | (b) << 10 | (n) / 8 << 17 | (uint32_t)(m) / 16 << 24)

static const struct {
    const char *name;
    struct emu_umma_form form;
    uint32_t word;
    const char *says;
} refused[] = {
    /* clang-format off */
    {"M 192",             {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 128, 192), "M = 192"},
    {"M 256 in one CTA",  {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 128, 256), "M = 256"},
    {"M 64 in a pair",    {.kind = EMU_UMMA_F16, .cta_group = 2}, IDESC(1, 1, 1, 128, 64),  "M = 64"},
    {"N 0",               {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 0, 128),   "N = 0"},
    {"N 264",             {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 264, 128), "N = 264"},
    {"N 24 in a pair",    {.kind = EMU_UMMA_F16, .cta_group = 2}, IDESC(1, 1, 1, 24, 256),  "N = 24"},
    {"i8 N 40",           {.kind = EMU_UMMA_I8, .cta_group = 1},  IDESC(2, 1, 1, 40, 128),  "N = 40"},
    {"bf16 to f16",       {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(0, 1, 1, 128, 128), "float32 D"},
    {"mixed f16 bf16",    {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 0, 1, 128, 128), "one type"},
    {"type code 3",       {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 3, 1, 128, 128), "type codes"},
    {"D type 2",          {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(2, 1, 1, 128, 128), "D type"},
    {"reserved bit 6",    {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 128, 128) | 0x40, "reserved"},
    {"sparse bit",        {.kind = EMU_UMMA_F16, .cta_group = 1}, IDESC(1, 1, 1, 128, 128) | 4, "sparse"},
    {"A^T in TMEM",       {.kind = EMU_UMMA_F16, .cta_group = 1, .a_in_tmem = true}, IDESC(1, 1, 1, 128, 128) | 1 << 15, "transposed"},
    {"ws N 96",           {.kind = EMU_UMMA_F16, .cta_group = 1, .weight_stationary = true}, IDESC(1, 1, 1, 96, 64), "N = 96"},
    {"fp8 B^T N 24",      {.kind = EMU_UMMA_F8F6F4, .cta_group = 1}, IDESC(1, 0, 0, 24, 128) | 1 << 16, "N = 24"},
    {"e2m1 A^T",          {.kind = EMU_UMMA_F8F6F4, .cta_group = 1}, IDESC(1, 5, 0, 32, 128) | 1 << 15, "6- and 4-bit"},
    {"i8 negated",        {.kind = EMU_UMMA_I8, .cta_group = 1}, IDESC(2, 1, 1, 32, 128) | 1 << 13, "negate"},
    /* clang-format on */
};

Test(emu_umma, illegal_instruction_descriptors_are_refused) {
    for (size_t i = 0; i < WL_LEN(refused); i++) {
        struct emu_umma u;
        char why[192] = "";
        cr_expect(!emu_umma_decode(&u, refused[i].word, &refused[i].form, why, sizeof why), "%s passes",
                  refused[i].name);
        cr_expect(strstr(why, refused[i].says), "%s: '%s' does not say '%s'", refused[i].name, why,
                  refused[i].says);
    }
}

Test(emu_umma, smem_descriptors) {
    struct emu_smem_matrix m;
    char why[192];
    cr_assert(emu_smem_matrix_decode(&m, 0x4000404000010000ull | 0x8400 >> 4, why, sizeof why), "%s", why);
    cr_expect(m.start == 0x8400 && m.sbo == 1024 && m.lbo == 16 && m.base_offset == 0 &&
              m.swizzle == EMU_SWIZZLE_128B);
    static const struct {
        uint64_t word;
        const char *says;
    } bad[] = {{0x4000004000010000ull, "46-48"},
               {0x6000404000010000ull, "swizzle"},
               {0x4020404000010000ull, "53-60"},
               {0x4010404000010000ull, "sm_103a"}};
    for (size_t i = 0; i < WL_LEN(bad); i++) {
        cr_expect(!emu_smem_matrix_decode(&m, bad[i].word, why, sizeof why));
        cr_expect(strstr(why, bad[i].says), "%s", why);
    }
}

/* Worked strides of the manual: element (mn, k) of canonical layouts. */
Test(emu_umma, canonical_layouts) {
    struct emu_smem_matrix k128 = {.start = 0x2000, .sbo = 1024, .swizzle = EMU_SWIZZLE_128B};
    cr_expect_eq(emu_smem_matrix_k_major(&k128, 0, 0), 0x2000u);
    cr_expect_eq(emu_smem_matrix_k_major(&k128, 1, 0), 0x2000u + 128 + 16, "row 1 starts in chunk 1");
    cr_expect_eq(emu_smem_matrix_k_major(&k128, 9, 1), 0x2000u + 1024 + 128 + 0);
    k128.start += 32; /* the next 16 elements of K, inside the atom */
    cr_expect_eq(emu_smem_matrix_k_major(&k128, 7, 0), 0x2000u + 7 * 128 + ((2 ^ 7) * 16));
    struct emu_smem_matrix none = {.start = 0x400, .lbo = 256, .sbo = 128};
    cr_expect_eq(emu_smem_matrix_k_major(&none, 10, 1), 0x400u + 2 * 16 + 128 + 256);
    cr_expect_eq(emu_smem_matrix_mn_major(&none, 3, 9), 0x400u + 3 * 128 + 16 + 256);
    struct emu_smem_matrix mn = {.start = 0, .lbo = 16384, .sbo = 1024, .swizzle = EMU_SWIZZLE_128B};
    cr_expect_eq(emu_smem_matrix_mn_major(&mn, 9, 11), 16384u + 1024 + 3 * 128 + ((1 ^ 3) * 16));
}

Test(emu_umma, half_conversions) {
    for (uint32_t h = 0; h < 65536; h++) {
        float f = emu_f16_to_f32((uint16_t)h);
        uint32_t exponent = h >> 10 & 31, mantissa = h & 1023;
        double sign = h >> 15 ? -1 : 1, expected = sign * ldexp(exponent ? mantissa + 1024 : mantissa,
                                                                (int)(exponent ? exponent : 1) - 25);
        if (exponent == 31) cr_assert(mantissa ? isnan(f) : isinf(f) && f * sign > 0);
        else cr_assert(f == expected, "f16 %04x gives %g", h, (double)f);
        if (exponent < 31 || !mantissa) cr_assert_eq(emu_f32_to_f16(f), h);
        if ((h & 0x7fff) <= 0x7f80) cr_assert_eq(emu_f32_to_bf16(emu_bf16_to_f32((uint16_t)h)), h);
    }
    cr_expect_eq(emu_f32_to_f16(65519.0f), 0x7bff);
    cr_expect_eq(emu_f32_to_f16(65520.0f), 0x7c00);
    cr_expect_eq(emu_f32_to_f16(0x1p-25f), 0, "a tie to even");
    cr_expect_eq(emu_f32_to_f16(0x1.000002p-25f), 1);
    cr_expect_eq(emu_f32_to_bf16(0x1.01p0f), 0x3f80, "a tie to even");
    cr_expect_eq(emu_f32_to_bf16(0x1.03p0f), 0x3f82);
}

/* Values of the small floats that the OCP formats define. */
Test(emu_umma, small_floats) {
    static const struct {
        enum emu_element e;
        uint8_t bits;
        float value;
    } rows[] = {
        /* clang-format off */
        {EMU_E4M3, 0x7e, 448}, {EMU_E4M3, 0x01, 0x1p-9f}, {EMU_E4M3, 0x08, 0x1p-6f}, {EMU_E4M3, 0xb8, -1}, {EMU_E4M3, 0x7f, NAN},
        {EMU_E5M2, 0x7b, 57344}, {EMU_E5M2, 0x01, 0x1p-16f}, {EMU_E5M2, 0x7c, INFINITY}, {EMU_E5M2, 0xfd, NAN},
        {EMU_E2M3, 0x1f, 7.5f}, {EMU_E2M3, 0x01, 0.125f}, {EMU_E2M3, 0x28, -1}, {EMU_E3M2, 0x1f, 28}, {EMU_E3M2, 0x01, 0.0625f},
        {EMU_E2M1, 0x7, 6}, {EMU_E2M1, 0x1, 0.5f}, {EMU_E2M1, 0xa, -1}, {EMU_U8, 0xff, 255}, {EMU_S8, 0xff, -1},
        /* clang-format on */
    };
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        uint8_t chunk[16] = {rows[i].bits};
        float out[32];
        emu_umma_convert(chunk, rows[i].e, 1, out);
        cr_expect(isnan(rows[i].value) ? isnan(out[0]) : out[0] == rows[i].value,
                  "%s 0x%02x is %g, expected %g", emu_element_name(rows[i].e), rows[i].bits, (double)out[0],
                  (double)rows[i].value);
    }
}
