/* Matrix instructions: all of Ampere's and Hopper's bit by bit against what an H200 gave (tests/captures, by
 * tests/capture); the moves of 8-bit matrices, which it lacks, against their maps; errors. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu_run.h"
#include "tests/matrix_forms.h"
#include "tests/test.h"

/* ---- captures ---- */

static bool captured(const char *form, unsigned class, unsigned long long *hash) {
    char line[256], name[128];
    unsigned c;
    FILE *file = fopen("tests/captures/matrix_h200.txt", "r");
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file))
        found = sscanf(line, "%127s %u %llx", name, &c, hash) == 3 && c == class && strcmp(name, form) == 0;
    if (file) fclose(file);
    return found;
}

ParameterizedTestParameters(emu_matrix, captures) { return wl_test_rows(matrix_form_count()); }
ParameterizedTest(size_t *i, emu_matrix, captures) {
    unsigned long long hash;
    static char text[1 << 17];
    struct matrix_size size = matrix_form_size(*i);
    struct emu_device *device = emu_device_create(emu_profile_find("h100"));
    uint64_t params[2] = {emu_device_alloc(device, (size_t)MATRIX_BLOCKS * size.in_bytes),
                          emu_device_alloc(device, (size_t)MATRIX_BLOCKS * size.out_bytes)};
    struct emu_run run = {.ptx = text,
                          .grid = {MATRIX_BLOCKS},
                          .block = {size.threads},
                          .params = params,
                          .param_bytes = sizeof params,
                          .order = EMU_ORDER_LATE,
                          .timeout_ms = 60000,
                          .device = device};
    int n = snprintf(text, sizeof text, ".version 8.7\n.target sm_90a\n.address_size 64\n");
    matrix_form_text(*i, "test", text + n, sizeof text - (size_t)n);
    matrix_form_inputs(*i, (uint8_t *)(uintptr_t)params[0]);
    cr_assert_eq(emu_run(&run), 0, "%s: %s", matrix_form_name(*i), run.report);
    for (uint32_t class = 0; class < MATRIX_CLASSES; class ++) {
        const uint8_t *out = (uint8_t *)(uintptr_t)params[1] + (size_t)4 * class * size.out_bytes;
        cr_assert(captured(matrix_form_name(*i), class, &hash), "%s is not in the captures",
                  matrix_form_name(*i));
        cr_expect_eq(matrix_hash(out, (size_t)4 * size.out_bytes), hash,
                     "%s, class %u: not as the H200 has it", matrix_form_name(*i), class);
    }
    emu_device_destroy(device);
}

/* ---- 8-bit matrices ---- */

#define FILL                                                                                                 \
    ".shared .align 16 .b8 s[512];\nmov.u32 %r20, s;\nshl.b32 %r21, %lane, 4;\nadd.u32 %r20, %r20, %r21;\n"  \
    "st.shared.v4.b32 [%r20], {%r4, %r5, %r6, %r7};\nbar.warp.sync 0xffffffff;\n"

static uint8_t memory[512]; /* what FILL writes: row r is bytes 16 r on */

static void fill(uint32_t in[8][32]) {
    for (uint32_t i = 0; i < 512; i++) memory[i] = (uint8_t)(i * 37 + i / 16);
    for (uint32_t lane = 0; lane < 32; lane++)
        for (uint32_t k = 0; k < 4; k++) memcpy(&in[4 + k][lane], memory + 16 * lane + 4 * k, 4);
}

/* The n-th of the row's packed elements of a width, where an 8-bit element has them. */
static uint8_t packed(uint32_t row, uint32_t n, uint32_t width) {
    uint32_t at = n * width, byte = 16 * row + at / 8;
    uint32_t next = byte + 1 < sizeof memory ? memory[byte + 1] : 0; /* an element may end in it */
    uint32_t pair = memory[byte] | next << 8;
    return (uint8_t)((pair >> at % 8 & ((1u << width) - 1)) << (width == 4 ? 2 : width == 6 ? 1 : 0));
}

static const struct {
    const char *text;
    uint32_t matrices, width;
    bool transposed;
} loads[] = {
    {"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r0, %r1}, [%r20];\n", 1, 8, true},
    {"ldmatrix.sync.aligned.m16n16.x2.trans.shared::cta.b8 {%r0, %r1, %r2, %r3}, [%r20];\n", 2, 8, true},
    {"ldmatrix.sync.aligned.m16n16.x2.trans.shared.b8x16.b6x16_p32 {%r0, %r1, %r2, %r3}, [%r20];\n", 2, 6,
     true},
    {"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8x16.b4x16_p64 {%r0, %r1}, [%r20];\n", 1, 4, true},
    {"ldmatrix.sync.aligned.m8n16.x1.shared.b8x16.b6x16_p32 {%r0}, [%r20];\n", 1, 6, false},
    {"ldmatrix.sync.aligned.m8n16.x2.shared.b8x16.b4x16_p64 {%r0, %r1}, [%r20];\n", 2, 4, false},
    {"ldmatrix.sync.aligned.m8n16.x4.shared.b8x16.b4x16_p64 {%r0, %r1, %r2, %r3}, [%r20];\n", 4, 4, false},
};

Test(emu_matrix, loads_of_8_bit_elements) {
    uint32_t in[8][32] = {0}, out[4][32];
    char body[1024], report[16384];
    fill(in);
    for (size_t i = 0; i < WL_LEN(loads); i++) {
        snprintf(body, sizeof body, "%s%s", FILL, loads[i].text);
        cr_assert_eq(emu_run_lanes(body, in[0], 8, out, report), 0, "%s%s", loads[i].text, report);
        uint32_t registers = loads[i].matrices * (loads[i].transposed ? 2 : 1);
        for (uint32_t r = 0; r < registers; r++)
            for (uint32_t l = 0; l < 32; l++)
                for (uint32_t b = 0; b < 4; b++) {
                    uint32_t row = 8 * r + l / 4, column = 4 * (l % 4) + b;
                    if (loads[i].transposed)
                        row = r / 2 * 16 + 4 * (l % 4) + 2 * (r % 2) + b % 2, column = l / 4 + 8 * (b / 2);
                    cr_expect_eq(out[r][l] >> 8 * b & 0xff, packed(row, column, loads[i].width),
                                 "%sregister %u lane %u byte %u", loads[i].text, r, l, b);
                }
    }
}

Test(emu_matrix, stores_of_8_bit_elements) {
    uint32_t in[8][32] = {0}, out[4][32];
    char report[16384];
    fill(in);
    for (uint32_t r = 0; r < 4; r++)
        for (uint32_t l = 0; l < 32; l++)
            in[r][l] = r << 30 | l << 24 | r << 22 | l << 16 | r << 14 | l << 8 | r << 6 | l;
    const char *body = FILL "stmatrix.sync.aligned.m16n8.x4.trans.shared.b8 [%r20], {%r0, %r1, %r2, %r3};\n"
                            "bar.warp.sync 0xffffffff;\nld.shared.v4.b32 {%r0, %r1, %r2, %r3}, [%r20];\n";
    cr_assert_eq(emu_run_lanes(body, in[0], 8, out, report), 0, "%s", report);
    for (uint32_t row = 0; row < 32; row++)
        for (uint32_t column = 0; column < 16; column++) {
            uint32_t k = row % 8,
                     lane = column % 8 * 4 + k / 2; /* transposed: element (column, k) of a 16x8 matrix */
            cr_expect_eq(out[column / 4][row] >> column % 4 * 8 & 0xff, row / 8 << 6 | lane,
                         "row %u column %u", row, column);
        }
}

/* ---- errors ---- */

static const struct {
    const char *body, *says;
} errors[] = {
    {FILL "add.u32 %r20, %r20, 8;\nldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r20];\n",
     "is not a multiple of 16"},
    {FILL "add.u32 %r20, %r20, 0x400000;\nldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r20];\n",
     "outside shared memory"},
    {FILL "ldmatrix.sync.aligned.m8n8.x1.b16 {%r0}, [%in];\n", "is not in shared memory"},
    {FILL "stmatrix.sync.aligned.m8n8.x2.b16 [%out], {%r0, %r1};\n", "is not in shared memory"},
    {FILL "setp.eq.u32 %p0, %lane, 3;\n@%p0 ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r20];\n",
     "all lanes must execute it together"},
    {FILL "setp.eq.u32 %p0, %lane, 3;\n@%p0 exit;\nldmatrix.sync.aligned.m8n8.x1.shared.b16 {%r0}, [%r20];\n",
     "needs all 32 lanes"},
    {"setp.eq.u32 %p0, %lane, 3;\n@%p0 exit;\nmovmatrix.sync.aligned.m8n8.trans.b16 %r0, %r1;\n",
     "needs all 32 lanes"},
    {"ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%r0}, [%r20];\n", "takes 2 registers, here are 1"},
    {"ldmatrix.sync.aligned.m16n16.x2.trans.shared.b8 {%r0, %r1}, [%r20];\n",
     "takes 4 registers, here are 2"},
    {"ldmatrix.sync.aligned.m16n16.x1.shared.b8 {%r0, %r1}, [%r20];\n", "no form of ldmatrix"},
    {"stmatrix.sync.aligned.m8n8.x1.shared.b8 [%r20], {%r0};\n", "no form of stmatrix"},
    {"stmatrix.sync.aligned.m8n8.x4.shared.b16 [%r20], {%r0, %r1};\n", "takes 4 registers, here are 2"},
};

Test(emu_matrix, errors) {
    uint32_t in[8][32] = {0}, out[4][32];
    char report[16384];
    for (size_t i = 0; i < WL_LEN(errors); i++) {
        int status = emu_run_lanes(errors[i].body, in[0], 8, out, report);
        cr_expect(status != 0 && strstr(report, errors[i].says), "row %zu: %d '%s' does not say '%s'", i,
                  status, report, errors[i].says);
    }
}

/* Generic addresses of shared memory, and all in place: the words of a matrix are those of its rows. */
Test(emu_matrix, generic_addresses) {
    uint32_t in[8][32] = {0}, out[4][32];
    char report[16384];
    fill(in);
    const char *body = FILL "cvt.u64.u32 %rd10, %r20;\ncvta.shared.u64 %rd10, %rd10;\n"
                            "ldmatrix.sync.aligned.m8n8.x4.b16 {%r0, %r1, %r2, %r3}, [%rd10];\n";
    cr_assert_eq(emu_run_lanes(body, in[0], 8, out, report), 0, "%s", report);
    cr_expect_arr_eq(out, memory, sizeof memory);
}
