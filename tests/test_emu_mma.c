/* mma.sync: what captures do not show (test_emu_matrix.c has those): registers used twice, errors. */
#include <stdio.h>
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

/* ---- 4-bit integers and single bits: exact, so that any order of the sum will do ---- */

/* clang-format off */
static const struct {
    const char *name;
    uint32_t rows, k, width;
    bool a_signed, b_signed, saturate, both;
} bits[] = {
    {"m8n8k32.row.col.s32.s4.s4.s32",               8,  32,  4, true,  true,  false, false},
    {"m16n8k32.row.col.s32.u4.s4.s32",              16, 32,  4, false, true,  false, false},
    {"m16n8k64.row.col.s32.s4.u4.s32",              16, 64,  4, true,  false, false, false},
    {"m16n8k64.row.col.satfinite.s32.u4.u4.s32",    16, 64,  4, false, false, true,  false},
    {"m8n8k128.row.col.s32.b1.b1.s32.xor.popc",     8,  128, 1, false, false, false, false},
    {"m16n8k128.row.col.s32.b1.b1.s32.and.popc",    16, 128, 1, false, false, false, true},
    {"m16n8k256.row.col.s32.b1.b1.s32.xor.popc",    16, 256, 1, false, false, false, false},
};
/* clang-format on */

/* The element (row, k) of A, or (k, column) of B, as the manual's figures 59 to 63 and 87 to 106 place it: in
 * which word of `words`, counted by register and lane. */
static int32_t element(uint32_t (*words)[32], uint32_t line, uint32_t k, uint32_t rows, uint32_t width,
                       bool is_signed) {
    uint32_t each = 32 / width, lane = line % 8 * 4 + k / each % 4;
    uint32_t reg = rows == 16 ? line / 8 + 2 * (k / (4 * each)) : k / (4 * each);
    uint32_t v = words[reg][lane] >> k % each * width & ((1u << width) - 1);
    return is_signed && v >> (width - 1) ? (int32_t)v - (1 << width) : (int32_t)v;
}

ParameterizedTestParameters(emu_mma, few_bits) { return wl_test_rows(WL_LEN(bits)); }
ParameterizedTest(size_t *i, emu_mma, few_bits) {
    uint32_t in[10][32], out[4][32], state = 1, rows = bits[*i].rows, k_count = bits[*i].k,
                                     width = bits[*i].width;
    uint32_t chunks = k_count * width / 128; /* of the bits that a register of all four lanes holds */
    char body[512], report[16384], a[64] = "", b[32] = "";
    for (uint32_t r = 0; r < rows / 8 * chunks; r++) sprintf(a + strlen(a), "%s%%r%u", r ? ", " : "", r);
    for (uint32_t r = 0; r < chunks; r++) sprintf(b + strlen(b), "%s%%r%u", r ? ", " : "", 4 + r);
    for (uint32_t r = 0; r < 10; r++)
        for (uint32_t l = 0; l < 32; l++) {
            in[r][l] = state = state * 1664525 + 1013904223;
            if (r >= 6 && bits[*i].saturate) in[r][l] = 0x7fffff00;
        }
    const char *c = rows == 16 ? "%r6, %r7, %r8, %r9" : "%r6, %r7";
    snprintf(body, sizeof body,
             "mma.sync.aligned.%s {%s}, {%s}, {%s}, {%s};\nmov.b32 %%r0, %%r6; mov.b32 %%r1, %%r7; mov.b32 "
             "%%r2, %%r8; "
             "mov.b32 %%r3, %%r9;\n",
             bits[*i].name, c, a, b, c);
    cr_assert_eq(emu_run_lanes(body, in[0], 10, out, report), 0, "%s: %s", body, report);
    for (uint32_t v = 0; v < rows / 4; v++)
        for (uint32_t l = 0; l < 32; l++) {
            uint32_t row = l / 4 + 8 * (v / 2), column = 2 * (l % 4) + v % 2;
            int64_t sum = (int32_t)in[6 + v][l];
            for (uint32_t k = 0; k < k_count; k++) {
                int32_t x = element(in, row, k, rows, width, bits[*i].a_signed),
                        y = element(in + 4, column, k, 8, width, bits[*i].b_signed);
                sum += width == 4 ? x * y : bits[*i].both ? (x & y) : (x ^ y);
            }
            if (bits[*i].saturate && sum > INT32_MAX) sum = INT32_MAX;
            cr_expect_eq(out[v][l], (uint32_t)sum, "%s: (%u, %u) is %d, wanted %lld", bits[*i].name, row,
                         column, (int)out[v][l], (long long)sum);
        }
}

/* A directed rounding, of a sum whose last term is far below the rest. */
Test(emu_mma, float64_roundings) {
    static const struct {
        const char *round;
        uint32_t low;
    } rows[] = {{".rn", 0}, {"", 0}, {".rz", 0}, {".rm", 0}, {".rp", 1}};
    uint32_t out[4][32];
    char body[512], report[16384];
    for (size_t i = 0; i < WL_LEN(rows); i++) { /* 1 + 2^-70 at k = 0, in every element */
        snprintf(
            body, sizeof body,
            "setp.eq.u32 %%p0, %%lane, %%lane; and.b32 %%r9, %%lane, 3; setp.eq.u32 %%p0, %%r9, 0;\n"
            "mov.b64 %%rd0, 0x3b90000000000000; mov.b64 %%rd1, 0x3ff0000000000000; @!%%p0 mov.b64 %%rd0, 0;\n"
            "mov.b64 %%fd0, %%rd0; mov.b64 %%fd1, %%rd1; mov.b64 %%fd2, %%rd1;\n"
            "mma.sync.aligned.m8n8k4.row.col%s.f64.f64.f64.f64 {%%fd3, %%fd4}, {%%fd0}, {%%fd1}, {%%fd2, "
            "%%fd2};\n"
            "mov.b64 {%%r0, %%r1}, %%fd3; mov.b64 {%%r2, %%r3}, %%fd4;\n",
            rows[i].round);
        cr_assert_eq(emu_run_lanes(body, NULL, 0, out, report), 0, "%s", report);
        cr_expect(out[0][9] == rows[i].low && out[1][9] == 0x3ff00000 && out[2][9] == rows[i].low,
                  "%s: %08x %08x", rows[i].round, out[1][9], out[0][9]);
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
    {"mma.sync.aligned.m16n8k64.row.col.s32.s4.s4.s32 {%r0, %r1, %r2, %r3}, {%r0, %r1}, {%r4, %r5}, {%r0, "
     "%r1, %r2, "
     "%r3};\n",
     "A has 2 registers, this shape takes 4"},
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
