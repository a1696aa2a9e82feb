/* mma.sync: what captures do not show (test_emu_matrix.c has those): registers used twice, errors. */
#include <string.h>

#include "runtime/emu/half.h"
#include "tests/emu_run.h"
#include "tests/test.h"

#define BF16 "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "

/* A is the identity's upper left 16x16, so that D = B + C: fragment words of two bf16 ones or zeros. */
static void identity(uint32_t words[4][32]) {
    for (uint32_t r = 0; r < 4; r++)
        for (uint32_t l = 0; l < 32; l++) {
            words[r][l] = 0;
            for (uint32_t i = 0; i < 2; i++) {
                uint32_t row = l / 4 + 8 * (r % 2), k = 2 * (l % 4) + i + 8 * (r / 2);
                if (row == k) words[r][l] |= (uint32_t)0x3f80 << 16 * i;
            }
        }
}

static const char *const aliases[] = {
    BF16 "{%r6, %r7, %r8, %r9}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7, %r8, %r9};\n" /* D is C */
         "mov.b32 %r0, %r6; mov.b32 %r1, %r7; mov.b32 %r2, %r8; mov.b32 %r3, %r9;\n",
    BF16 "{%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7, %r8, %r9};\n", /* D is A */
    BF16
    "{%r9, %r8, %r7, %r6}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7, %r8, %r9};\n" /* D is C backwards */
    "mov.b32 %r0, %r9; mov.b32 %r1, %r8; mov.b32 %r2, %r7; mov.b32 %r3, %r6;\n",
    BF16 "{%r4, %r5, %r0, %r1}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r6, %r7, %r8, %r9};\n" /* D is B and A */
         "mov.b32 %r2, %r0; mov.b32 %r3, %r1; mov.b32 %r0, %r4; mov.b32 %r1, %r5;\n",
};

Test(emu_mma, registers_used_twice) {
    uint32_t in[10][32], out[4][32];
    char report[16384];
    identity(in);
    for (uint32_t l = 0; l < 32; l++) {
        for (uint32_t r = 0; r < 2; r++) /* B(k, n) = 16 k + n, exact in bf16 */
            for (uint32_t i = 0, k; i < 2; i++) {
                k = 2 * (l % 4) + i + 8 * r;
                uint32_t half = emu_f32_to_bf16((float)(16 * k + l / 4));
                in[4 + r][l] = i ? in[4 + r][l] | half << 16 : half;
            }
        for (uint32_t v = 0; v < 4; v++) in[6 + v][l] = emu_bits_of_f32((float)(1000 * v));
    }
    for (size_t i = 0; i < WL_LEN(aliases); i++) {
        cr_assert_eq(emu_run_lanes(aliases[i], in[0], 10, out, report), 0, "row %zu: %s", i, report);
        for (uint32_t v = 0; v < 4; v++)
            for (uint32_t l = 0; l < 32; l++) {
                uint32_t row = l / 4 + 8 * (v / 2), column = 2 * (l % 4) + v % 2;
                float wanted = (float)(16 * row + column + 1000 * v), got = emu_f32_of_bits(out[v][l]);
                cr_expect_eq(got, wanted, "row %zu: value %u of lane %u: %g, not %g", i, v, l, got, wanted);
            }
    }
}

static const struct {
    const char *body, *says;
} errors[] = {
    {BF16 "{%r0, %r1}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r0, %r1, %r2, %r3};\n",
     "D has 2 registers, this shape takes 4"},
    {BF16 "{%r0, %r1, %r2, %r3}, {%r0, %r1}, {%r4, %r5}, {%r0, %r1, %r2, %r3};\n",
     "A has 2 registers, this shape takes 4"},
    {BF16 "{%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4}, {%r0, %r1, %r2, %r3};\n",
     "B has 1 registers, this shape takes 2"},
    {"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%fd0, %fd1}, {%fd0}, {%fd0}, {%fd0};\n",
     "C has 1 registers, this shape takes 2"},
    {"mma.sync.aligned.m16n8k16.col.row.f32.bf16.bf16.f32 {%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4, "
     "%r5}, {%r0, %r1, "
     "%r2, %r3};\n",
     "no form of mma"},
    {"mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32 {%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4, "
     "%r5}, {%r0, %r1, "
     "%r2, %r3};\n",
     "no form of mma"},
    {"setp.lt.u32 %p0, %lane, 16;\n@%p0 " BF16
     "{%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r0, %r1, %r2, %r3};\n",
     "all lanes must execute it together"},
    {"setp.lt.u32 %p0, %lane, 16;\n@%p0 exit;\n" BF16
     "{%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r4, %r5}, {%r0, %r1, %r2, "
     "%r3};\n",
     "needs all 32 lanes"},
};

Test(emu_mma, errors) {
    uint32_t in[8][32] = {0}, out[4][32];
    char report[16384];
    for (size_t i = 0; i < WL_LEN(errors); i++) {
        int status = emu_run_lanes(errors[i].body, in[0], 8, out, report);
        cr_expect(status != 0 && strstr(report, errors[i].says), "row %zu: %d '%s' does not say '%s'", i,
                  status, report, errors[i].says);
    }
}
