/* Descriptors of tcgen05.mma against words that other compilers' kernels for sm_100a hold. */
#include "tests/test.h"

#include "gen/umma.h"

#define K  WL_MAJOR_K
#define MN WL_MAJOR_MN
static const struct {
    uint32_t word;
    struct wl_instr_desc fields;
    const char *seen;
} instr_rows[] = {
    {0x08200490, {WL_BF16, true, K, K, 128, 128}, "FA4 forward QK, hd64 dP"},
    {0x08210490, {WL_BF16, true, K, MN, 128, 128}, "FA4 forward PV hd128"},
    {0x08110490, {WL_BF16, true, K, MN, 128, 64}, "FA4 hd64 PV, dV, dK"},
    {0x08118490, {WL_BF16, true, MN, MN, 128, 64}, "FA4 hd64 dQ"},
    {0x10200490, {WL_BF16, true, K, K, 256, 128}, "FA4 two-CTA QK, dP"},
    {0x10210490, {WL_BF16, true, K, MN, 256, 128}, "FA4 two-CTA PV, dV, dK"},
    {0x04200490, {WL_BF16, true, K, K, 64, 128}, "Triton, 64 rows"},
    {0x08100490, {WL_BF16, true, K, K, 128, 64}, "Triton"},
    {0x08218490, {WL_BF16, true, MN, MN, 128, 128}, "Triton, FA4 two-CTA dQ"},
    {0x08200010, {WL_FP16, true, K, K, 128, 128}, "computed: F16 to F32"},
    {0x08200000, {WL_FP16, false, K, K, 128, 128}, "computed: F16 to F16"},
};

Test(umma, instruction_descriptors) {
    for (size_t i = 0; i < WL_LEN(instr_rows); i++) {
        uint32_t word = wl_umma_instr_desc(&instr_rows[i].fields);
        cr_expect_eq(word, instr_rows[i].word, "%s: 0x%08x, not 0x%08x", instr_rows[i].seen, word,
                     instr_rows[i].word);
    }
}

Test(umma, impossible_instructions) {
    static const struct wl_instr_desc rows[] = {
        {WL_BF16, false, K, K, 128, 128}, /* BF16 has no F16 accumulator */
        {WL_BF16, true, K, K, 96, 128},   {WL_BF16, true, K, K, 128, 0},   {WL_BF16, true, K, K, 128, 12},
        {WL_BF16, true, K, K, 128, 264},  {WL_BF16, true, K, K, 256, 136}, {WL_BF16, true, K, K, -64, 128},
    };
    for (size_t i = 0; i < WL_LEN(rows); i++)
        cr_expect_eq(wl_umma_instr_desc(&rows[i]), 0, "row %zu: m %d n %d", i, rows[i].m, rows[i].n);
}

static const struct {
    uint32_t high, low;
    struct wl_smem_desc fields;
    const char *seen;
} smem_rows[] = {
    {0x40004040, 0x00010000, {.lbo = 16, .sbo = 1024, .swizzle_bytes = 128}, "FA4 K-major"},
    {0x40004040,
     0x00010040,
     {.start = 0x400, .lbo = 16, .sbo = 1024, .swizzle_bytes = 128},
     "FA4 K-major at 0x400"},
    {0x40004040,
     0x04000000,
     {.lbo = 16384, .sbo = 1024, .swizzle_bytes = 128},
     "FA4 MN-major, 128 wide x 128"},
    {0x40004040, 0x00000000, {.sbo = 1024, .swizzle_bytes = 128}, "FA4 MN-major, 64 wide"},
    {0x40004040,
     0x02000000,
     {.lbo = 8192, .sbo = 1024, .swizzle_bytes = 128},
     "Triton MN-major, 128 wide x 64"},
    {0x80004020, 0x00000000, {.sbo = 512, .swizzle_bytes = 64}, "Triton K-major, 64 B wide"},
    {0xC0004010, 0x00000000, {.sbo = 256, .swizzle_bytes = 32}, "manual: tf32 K-major, 32 B"},
    {0x00004008, 0x00100000, {.lbo = 256, .sbo = 128}, "manual: bf16 MN-major, no swizzle"},
    {0x400C4040, 0x00000000, {.sbo = 1024, .base_offset = 6, .swizzle_bytes = 128}, "base offset 6"},
    {0x40004040, 0x00003FFF, {.start = 0x3FFF0, .sbo = 1024, .swizzle_bytes = 128}, "last address"},
    {0x40004040,
     0x00000040,
     {.start = 0x03000400, .sbo = 1024, .swizzle_bytes = 128},
     "the CTA rank drops out"},
};

Test(umma, shared_memory_descriptors) {
    for (size_t i = 0; i < WL_LEN(smem_rows); i++) {
        uint64_t word = wl_umma_smem_desc(&smem_rows[i].fields);
        uint64_t wanted = (uint64_t)smem_rows[i].high << 32 | smem_rows[i].low;
        cr_expect_eq(word, wanted, "%s: 0x%016llx, not 0x%016llx", smem_rows[i].seen,
                     (unsigned long long)word, (unsigned long long)wanted);
    }
}

Test(umma, impossible_shared_memory) {
    static const struct wl_smem_desc rows[] = {
        {.start = 8, .sbo = 1024, .swizzle_bytes = 128}, /* not a multiple of 16 */
        {.lbo = 24, .swizzle_bytes = 128},
        {.sbo = 1 << 18, .swizzle_bytes = 128}, /* one too many bits */
        {.sbo = 1024, .base_offset = 8, .swizzle_bytes = 128},
        {.sbo = 1024, .swizzle_bytes = 96},
    };
    for (size_t i = 0; i < WL_LEN(rows); i++) cr_expect_eq(wl_umma_smem_desc(&rows[i]), 0, "row %zu", i);
}
