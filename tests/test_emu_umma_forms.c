/* The rarer forms of tcgen05: cp, shift, .ws, .ashift, scale-input-d, block scaling; and what late order
 * shows of a store that nobody waited for. One kernel: an image goes to shared memory, thread 0 issues the
 * row's instructions, all of the first `columns` columns come out. */
#include <math.h>
#include "runtime/emu/half.h"
#include "tests/emu_kernel.h"
#include "tests/test.h"

enum { COLUMNS = 160, IMAGE = 49152 };

struct params {
    uint64_t image, out, a, b, c, d;
    uint32_t idesc, pad;
};

/* %t: tensor memory, 512 columns; D is cleared to bits of column + 1000 * lane as f32 first */
static const char head[] =
    ".extern .shared .align 1024 .b8 smem[];\n"
    ".visible .entry k(.param .u64 image, .param .u64 out, .param .u64 a, .param .u64 b, .param .u64 c, "
    ".param .u64 d, .param .u32 "
    "idesc)\n.reqntid 128,1,1\n{\n.reg .b32 %th, %w, %idesc, %s, %t, %x, %y, %i, %q;\n.reg .f32 %f;\n"
    ".reg .b64 %image, %out, %a, %b, %c, %d, %z;\n.reg .pred %p, %no, %yes, %done;\n"
    "ld.param.u64 %image, [image];\nld.param.u64 %out, [out];\nld.param.u64 %a, [a];\nld.param.u64 %b, [b];\n"
    "ld.param.u64 %c, [c];\nld.param.u64 %d, [d];\nld.param.u32 %idesc, [idesc];\n"
    "setp.ne.u32 %no, 0, 0;\nsetp.eq.u32 %yes, 0, 0;\nmov.u32 %th, %tid.x;\nshr.u32 %w, %th, 5;\nmov.b32 "
    "%s, smem;\n"
    "setp.ne.u32 %p, %w, 0;\n@%p bra SET;\n"
    "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%s + 49184], 512;\nsetp.ne.u32 %p, %th, "
    "0;\n@%p bra SET;\n"
    "mbarrier.init.shared::cta.b64 [%s + 49152], 1;\nmbarrier.init.shared::cta.b64 [%s + 49160], 1;\n"
    "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + 49152], 49152;\n"
    "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%image], 49152, [%s + 49152];\n"
    "SET:\nbar.sync 0;\nld.shared.b32 %t, [%s + 49184];\nand.b32 %q, %th, 96;\nshl.b32 %q, %q, 16;\nadd.u32 "
    "%q, %q, %t;\n"
    "WAIT:\nmbarrier.try_wait.parity.shared::cta.b64 %done, [%s + 49152], 0;\n@!%done bra WAIT;\n"
    "mov.u32 %i, 0;\nCLEAR:\nmul.lo.u32 %x, %th, 1000;\nadd.u32 %x, %x, %i;\ncvt.rn.f32.u32 %f, "
    "%x;\nmov.b32 %x, %f;\nadd.u32 %y, %q, %i;\n"
    "tcgen05.st.sync.aligned.32x32b.x1.b32 [%y], {%x};\nadd.u32 %i, %i, 1;\nsetp.lt.u32 %p, %i, 160;\n@%p "
    "bra CLEAR;\n"
    "tcgen05.wait::st.sync.aligned;\nbar.sync 0;\nsetp.ne.u32 %p, %th, 0;\n@%p bra ISSUED;\n";
static const char tail[] =
    "tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%s + 49160];\nISSUED:\n"
    "DONE:\nmbarrier.try_wait.parity.shared::cta.b64 %done, [%s + 49160], 0;\n@!%done bra DONE;\n"
    "mul.wide.u32 %z, %th, 4;\nadd.u64 %out, %out, %z;\nmov.u32 %i, 0;\n"
    "OUT:\nadd.u32 %x, %q, %i;\ntcgen05.ld.sync.aligned.32x32b.x1.b32 {%x}, [%x];\nst.global.b32 [%out], "
    "%x;\n"
    "add.u64 %out, %out, 512;\nadd.u32 %i, %i, 1;\nsetp.lt.u32 %p, %i, 160;\n@%p bra OUT;\n"
    "bar.sync 0;\nsetp.ne.u32 %p, %w, 0;\n@%p bra END;\ntcgen05.dealloc.cta_group::1.sync.aligned.b32 %t, "
    "512;\nEND:\nret;\n}\n";

static uint8_t *image(void) {
    uint8_t *bytes = emu_kernel_memory(IMAGE);
    memset(bytes, 0, IMAGE);
    return bytes;
}

/* Runs under every order, which must agree; D in out[column * 128 + lane]. */
static const uint32_t *run(const char *body, struct params *p) {
    static uint32_t first[COLUMNS * 128];
    char ptx[8192], report[4096];
    snprintf(ptx, sizeof ptx, "%s%s%s", head, body, tail);
    for (int order = 0; order < 3; order++) {
        uint32_t *out = emu_kernel_memory(COLUMNS * 512);
        p->out = (uint64_t)(uintptr_t)out;
        struct emu_kernel k = {ptx, 1, 128, 1, 49200, p, sizeof *p};
        cr_assert_eq(emu_kernel_run(&k, (enum emu_order)order, 9, report, sizeof report), 0, "%s: %s", body,
                     report);
        if (!order) memcpy(first, out, sizeof first);
        cr_assert(memcmp(first, out, sizeof first) == 0, "%s: order %d differs", body, order);
    }
    return first;
}

static float cleared(uint32_t column, uint32_t lane) { return (float)(lane * 1000 + column); }

/* ---- cp and shift ---- */

/* No swizzle: row r, chunk c at r % 8 * 16 + r / 8 * 128 + c * 2048 of the image; each word says where it
 * comes from. */
static uint64_t copy_source(uint8_t *bytes) {
    for (uint32_t r = 0; r < 128; r++)
        for (uint32_t w = 0; w < 8; w++) {
            uint32_t word = 0x10000 | r << 8 | w;
            memcpy(bytes + r * 16 + w / 4 * 2048 + w % 4 * 4, &word, 4);
        }
    return 1ull << 46 | 128ull >> 4 << 32 | 2048ull >> 4 << 16 | 0x400 >> 4;
}

static const struct {
    const char *shape;
    uint32_t words;
    int row_of_lane[4];
    bool low_half;
} copies[] = {
    /* row of lanes 0, 32, 64, 96; -1: left alone */
    {"128x256b", 8, {0, 32, 64, 96}, false},
    {"128x128b", 4, {0, 32, 64, 96}, false},
    {"64x128b.warpx2::02_13", 4, {0, 32, 0, 32}, false},
    {"64x128b.warpx2::01_23", 4, {0, 0, 32, 32}, false},
    {"32x128b.warpx4", 4, {0, 0, 0, 0}, false},
    {"4x256b", 8, {0, 1, 2, 3}, true},
};

Test(emu_umma_forms, copies_of_every_shape) {
    for (size_t i = 0; i < WL_LEN(copies); i++) {
        uint8_t *bytes = image();
        struct params p = {.image = (uint64_t)(uintptr_t)bytes, .a = copy_source(bytes)};
        char body[256];
        snprintf(body, sizeof body, "tcgen05.cp.cta_group::1.%s [%%t + 16], %%a;\n", copies[i].shape);
        const uint32_t *d = run(body, &p);
        for (uint32_t lane = 0; lane < 128; lane++)
            for (uint32_t w = 0; w < 12; w++) {
                bool written = w < copies[i].words && !(copies[i].low_half && lane % 32);
                uint32_t row =
                    (uint32_t)copies[i].row_of_lane[lane / 32] + (copies[i].low_half ? 0 : lane % 32);
                uint32_t expected = written ? 0x10000 | row << 8 | w : emu_bits_of_f32(cleared(16 + w, lane));
                cr_assert_eq(d[(16 + w) * 128 + lane], expected, "%s: lane %u word %u is %08x, expected %08x",
                             copies[i].shape, lane, w, d[(16 + w) * 128 + lane], expected);
            }
    }
}

Test(emu_umma_forms, copy_unpacks_narrow_elements) {
    uint8_t *bytes = image();
    struct params p = {.image = (uint64_t)(uintptr_t)bytes, .a = copy_source(bytes)};
    for (uint32_t i = 0; i < 16; i++) bytes[i] = (uint8_t)(i * 16 + 5);
    const uint32_t *four = run("tcgen05.cp.cta_group::1.32x128b.warpx4.b8x16.b4x16_p64 [%t], %a;\n", &p);
    cr_expect_eq(four[0], 0x5u << 2 | 0u << 10 | 0x5u << 18 | 0x1u << 26, "%08x", four[0]);
    const uint32_t *six = run("tcgen05.cp.cta_group::1.32x128b.warpx4.b8x16.b6x16_p32 [%t], %a;\n", &p);
    /* bytes 05 15 25: six-bit elements 05, 14, 11, 09 */
    cr_expect_eq(six[0], 0x05u << 1 | 0x14u << 9 | 0x11u << 17 | 0x09u << 25, "%08x", six[0]);
}

Test(emu_umma_forms, shift_moves_rows_down) {
    static const char *const spellings[] = {"cta_group::1.down", "down.cta_group::1"};
    for (int s = 0; s < 2; s++) {
        char body[128];
        struct params p = {.image = (uint64_t)(uintptr_t)image()};
        snprintf(body, sizeof body, "add.u32 %%x, %%t, 0x400008;\ntcgen05.shift.%s [%%x];\n", spellings[s]);
        const uint32_t *d = run(body, &p);
        for (uint32_t column = 0; column < 24; column++)
            for (uint32_t lane = 0; lane < 128; lane++) {
                bool moved = lane >= 64 && lane < 95 && column >= 8 && column < 16;
                cr_assert_eq(d[column * 128 + lane], emu_bits_of_f32(cleared(column, lane + moved)),
                             "lane %u column %u", lane, column);
            }
    }
}

/* ---- multiplies of one instruction, bf16, K = 16, 32B swizzle: rows of 32 bytes ---- */

static uint32_t at32(uint32_t row, uint32_t byte) {
    uint32_t at = row * 32 + byte;
    return at ^ (at >> 3 & 0x10);
}
static uint64_t desc32(uint32_t offset) {
    return 6ull << 61 | 1ull << 46 | 256ull >> 4 << 32 | 1ull << 16 | (0x400 + offset) >> 4;
}

static float a_value(uint32_t i, uint32_t k) { return (float)((int)((i * 7 + k * 3) % 13) - 6) / 4; }
static float b_value(uint32_t j, uint32_t k) { return (float)((int)((j * 5 + k * 11) % 17) - 8) / 8; }

static struct params bf16_operands(uint32_t m, uint32_t n) {
    uint8_t *bytes = image();
    for (uint32_t k = 0; k < 16; k++) {
        for (uint32_t i = 0; i < 128; i++) {
            uint16_t h = emu_f32_to_bf16(a_value(i, k));
            memcpy(bytes + at32(i, k * 2), &h, 2);
        }
        for (uint32_t j = 0; j < n; j++) {
            uint16_t h = emu_f32_to_bf16(b_value(j, k));
            memcpy(bytes + 8192 + at32(j, k * 2), &h, 2);
        }
    }
    return (struct params){.image = (uint64_t)(uintptr_t)bytes,
                           .a = desc32(0),
                           .b = desc32(8192),
                           .idesc = 1u << 4 | 1u << 7 | 1u << 10 | n / 8 << 17 | m / 16 << 24};
}

static float product(uint32_t i, uint32_t j) {
    float sum = 0;
    for (uint32_t k = 0; k < 16; k++) sum += a_value(i, k) * b_value(j, k);
    return sum;
}

#define MMA "tcgen05.mma.cta_group::1.kind::f16 [%t], %a, %b, %idesc, "

Test(emu_umma_forms, accumulator_is_scaled) {
    struct params p = bf16_operands(128, 64);
    const uint32_t *d = run(MMA "%yes, 3;\n", &p);
    for (uint32_t i = 0; i < 128; i++)
        for (uint32_t j = 0; j < 64; j++)
            cr_assert_eq(emu_f32_of_bits(d[j * 128 + i]), product(i, j) + cleared(j, i) / 8, "(%u, %u)", i,
                         j);
    d = run(MMA "1;\n", &p);
    cr_expect_eq(emu_f32_of_bits(d[5 * 128 + 9]), product(9, 5) + cleared(5, 9),
                 "enable-input-d may be a literal");
    d = run(MMA "0;\n", &p);
    cr_expect_eq(emu_f32_of_bits(d[5 * 128 + 9]), product(9, 5));
}

Test(emu_umma_forms, negated_operands) {
    struct params p = bf16_operands(128, 64);
    p.idesc |= 1u << 13;
    const uint32_t *d = run(MMA "%no;\n", &p);
    cr_expect_eq(emu_f32_of_bits(d[5 * 128 + 9]), -product(9, 5));
    p.idesc |= 1u << 14;
    d = run(MMA "%no;\n", &p);
    cr_expect_eq(emu_f32_of_bits(d[5 * 128 + 9]), product(9, 5));
}

/* .ws: M = 64 holds column halves in lane halves, M = 32 quarters in quarters. */
Test(emu_umma_forms, weight_stationary) {
    for (uint32_t m = 32; m <= 128; m *= 2) {
        struct params p = bf16_operands(m, 128);
        const uint32_t *d =
            run("tcgen05.mma.ws.cta_group::1.kind::f16.collector::b1::fill [%t], %a, %b, %idesc, %no;\n", &p);
        uint32_t width = 128 / (128 / m);
        for (uint32_t i = 0; i < m; i++)
            for (uint32_t j = 0; j < 128; j++)
                cr_assert_eq(emu_f32_of_bits(d[j % width * 128 + i + m * (j / width)]), product(i, j),
                             "M %u (%u, %u)", m, i, j);
    }
}

/* The manual's second and third examples of a zero-column mask, LSB first: 0000111..., and 1110000... per
 * half. */
Test(emu_umma_forms, zero_column_mask) {
    for (uint32_t m = 64; m <= 128; m *= 2) {
        struct params p = bf16_operands(m, 64);
        p.c = 1ull << 39 | 2ull << 40 | 3ull << 48 | (m == 64 ? 1ull << 32 : 0);
        const uint32_t *d = run("tcgen05.mma.ws.cta_group::1.kind::f16 [%t], %a, %b, %idesc, %no, %c;\n", &p);
        uint32_t width = m / 2;
        for (uint32_t j = 0; j < 64; j++) {
            uint32_t in_part = j % width;
            bool zero = m == 64 && j < width ? in_part % 7 < 3 : in_part % 7 >= 4;
            float got = emu_f32_of_bits(d[j % width * 128 + 3 + m * (j / width)]);
            cr_expect_eq(got, zero ? 0 : product(3, j), "M %u column %u", m, j);
        }
    }
}

/* A in tensor memory, read a row further on in each quarter. */
Test(emu_umma_forms, shifted_rows_of_a) {
    struct params p = bf16_operands(128, 64);
    /* A's 32 bytes a row reach tensor memory by a copy through an unswizzled picture of it */
    uint8_t *bytes = (uint8_t *)(uintptr_t)p.image;
    for (uint32_t i = 0; i < 128; i++)
        for (uint32_t k = 0; k < 16; k++) {
            uint16_t h = emu_f32_to_bf16(a_value(i, k));
            memcpy(bytes + 16384 + i * 16 + k / 8 * 2048 + k % 8 * 2, &h, 2);
        }
    p.c = 1ull << 46 | 128ull >> 4 << 32 | 2048ull >> 4 << 16 | (0x400 + 16384) >> 4;
    static const char *const disabled[] = {"", "{0, 0, 0xff, 0}, "}; /* lanes 64 to 71 */
    for (int with = 0; with < 2; with++) {
        char body[512];
        snprintf(body, sizeof body,
                 "tcgen05.cp.cta_group::1.128x256b [%%t + 256], %%c;\nadd.u32 %%x, %%t, 256;\n"
                 "tcgen05.mma.cta_group::1.kind::f16.ashift.collector::a::lastuse [%%t], [%%x], %%b, "
                 "%%idesc, %s%%no;\n",
                 disabled[with]);
        const uint32_t *d = run(body, &p);
        for (uint32_t i = 0; i < 128; i++)
            for (uint32_t j = 0; j < 64; j++)
                cr_assert_eq(emu_f32_of_bits(d[j * 128 + i]),
                             with && i >= 64 && i < 72 ? cleared(j, i) : product(i % 32 == 31 ? i : i + 1, j),
                             "(%u, %u)", i, j);
    }
}

/* ---- block scaling ---- */

/* e4m3 of n / 8, |n| < 16 */
static uint8_t e4m3(int n) {
    uint32_t sign = n < 0 ? 0x80 : 0, u = (uint32_t)abs(n);
    if (!u) return (uint8_t)sign;
    uint32_t top = 31 - (uint32_t)__builtin_clz(u);
    return (uint8_t)(sign | (top + 4) << 3 | ((u << (3 - top)) & 7));
}

/* Factors of 128 rows: 32 lanes of 16 bytes; row 32 c + r is word c of lane r, `id` the byte. */
static void put_factor(uint8_t *at, uint32_t row, uint32_t id, uint8_t factor) {
    at[row % 32 * 16 + row / 32 * 4 + id] = factor;
}

#define COPY_FACTORS                                                                                         \
    "tcgen05.cp.cta_group::1.32x128b.warpx4 [%t + 300], %c;\ntcgen05.cp.cta_group::1.32x128b.warpx4 [%t + "  \
    "304], %d;\n"                                                                                            \
    "add.u32 %x, %t, 300;\nadd.u32 %y, %t, 304;\n"

static uint64_t factors_desc(uint32_t offset) {
    return 1ull << 46 | 128ull >> 4 << 32 | (0x400 + offset) >> 4;
}

Test(emu_umma_forms, mxf8_blocks_of_32) {
    for (uint32_t id = 0; id < 4; id += 3) {
        uint8_t *bytes = image();
        struct params p = {.image = (uint64_t)(uintptr_t)bytes,
                           .a = desc32(0),
                           .b = desc32(8192),
                           .c = factors_desc(16384),
                           .d = factors_desc(16896),
                           .idesc = id << 4 | 128 / 8 << 17 | 1u << 23 | 1u << 27 | id << 29};
        for (uint32_t i = 0; i < 128; i++) {
            put_factor(bytes + 16384, i, id, (uint8_t)(127 + i % 5));
            put_factor(bytes + 16896, i, id, (uint8_t)(127 - i % 4));
            for (uint32_t k = 0; k < 32; k++) {
                bytes[at32(i, k)] = e4m3((int)((i * 7 + k * 3) % 13) - 6);
                bytes[8192 + at32(i, k)] = e4m3((int)((i * 5 + k * 11) % 17) - 8);
            }
        }
        const uint32_t *d = run(COPY_FACTORS "tcgen05.mma.cta_group::1.kind::mxf8f6f4.block_scale.scale_vec::"
                                             "1X [%t], %a, %b, %idesc, [%x], [%y], %no;\n",
                                &p);
        for (uint32_t i = 0; i < 128; i++)
            for (uint32_t j = 0; j < 128; j++) {
                double sum = 0;
                for (uint32_t k = 0; k < 32; k++)
                    sum +=
                        ((int)((i * 7 + k * 3) % 13) - 6) / 8.0 * (((int)((j * 5 + k * 11) % 17) - 8) / 8.0);
                cr_assert_eq(emu_f32_of_bits(d[j * 128 + i]), (float)ldexp(sum, (int)(i % 5) - (int)(j % 4)),
                             "id %u (%u, %u)", id, i, j);
            }
    }
}

/* mxf4, 2X: e2m1, two a byte, a ue8m0 factor for 32 elements of K = 64. */
Test(emu_umma_forms, mxf4_blocks_of_32) {
    static const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    uint8_t *bytes = image();
    struct params p = {.image = (uint64_t)(uintptr_t)bytes,
                       .a = desc32(0),
                       .b = desc32(8192),
                       .c = factors_desc(16384),
                       .d = factors_desc(16896),
                       .idesc = 1u << 7 | 1u << 10 | 64 / 8 << 17 | 1u << 23 | 1u << 27};
    for (uint32_t i = 0; i < 128; i++) {
        for (uint32_t block = 0; block < 2; block++) {
            put_factor(bytes + 16384, i, block, (uint8_t)(127 + (i + 3 * block) % 5));
            put_factor(bytes + 16896, i, block, (uint8_t)(127 - (i + block) % 4));
        }
        for (uint32_t k = 0; k < 64; k++) {
            bytes[at32(i, k / 2)] |= (uint8_t)((i + 3 * k) % 16 << 4 * (k % 2));
            bytes[8192 + at32(i, k / 2)] |= (uint8_t)((i * 3 + 5 * k) % 16 << 4 * (k % 2));
        }
    }
    const uint32_t *d = run(COPY_FACTORS "tcgen05.mma.cta_group::1.kind::mxf4.block_scale.scale_vec::2X "
                                         "[%t], %a, %b, %idesc, [%x], [%y], %no;\n",
                            &p);
    for (uint32_t i = 0; i < 128; i++)
        for (uint32_t j = 0; j < 64; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < 64; k++) {
                uint32_t x = (i + 3 * k) % 16, y = (j * 3 + 5 * k) % 16, block = k / 32;
                double a = values[x & 7] * (x & 8 ? -1 : 1), b = values[y & 7] * (y & 8 ? -1 : 1);
                sum += ldexp(a * b, (int)((i + 3 * block) % 5) - (int)((j + block) % 4));
            }
            cr_assert_eq(emu_f32_of_bits(d[j * 128 + i]), (float)sum, "(%u, %u)", i, j);
        }
}

/* mxf4nvf4, 4X: e2m1, two a byte, a ue4m3 factor for 16 elements of K = 64. */
Test(emu_umma_forms, nvf4_blocks_of_16) {
    static const float values[8] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    uint8_t *bytes = image();
    struct params p = {.image = (uint64_t)(uintptr_t)bytes,
                       .a = desc32(0),
                       .b = desc32(8192),
                       .c = factors_desc(16384),
                       .d = factors_desc(16896),
                       .idesc = 1u << 7 | 1u << 10 | 64 / 8 << 17 | 1u << 27};
    for (uint32_t i = 0; i < 128; i++) {
        for (uint32_t block = 0; block < 4; block++) {
            put_factor(bytes + 16384, i, block, e4m3((int)(1 + (i + block) % 7)));
            put_factor(bytes + 16896, i, block, e4m3((int)(8 >> (i + block) % 3)));
        }
        for (uint32_t k = 0; k < 64; k++) {
            bytes[at32(i, k / 2)] |= (uint8_t)((i + 3 * k) % 16 << 4 * (k % 2));
            bytes[8192 + at32(i, k / 2)] |= (uint8_t)((i * 3 + 5 * k) % 16 << 4 * (k % 2));
        }
    }
    const uint32_t *d = run(COPY_FACTORS "tcgen05.mma.cta_group::1.kind::mxf4nvf4.block_scale.scale_vec::4X "
                                         "[%t], %a, %b, %idesc, [%x], [%y], %no;\n",
                            &p);
    for (uint32_t i = 0; i < 128; i++)
        for (uint32_t j = 0; j < 64; j++) {
            double sum = 0;
            for (uint32_t k = 0; k < 64; k++) {
                uint32_t x = (i + 3 * k) % 16, y = (j * 3 + 5 * k) % 16, block = k / 16;
                double a = values[x & 7] * (x & 8 ? -1 : 1), b = values[y & 7] * (y & 8 ? -1 : 1);
                sum += a * b * ((1 + (i + block) % 7) / 8.0) * ((8 >> (j + block) % 3) / 8.0);
            }
            cr_assert_eq(emu_f32_of_bits(d[j * 128 + i]), (float)sum, "(%u, %u)", i, j);
        }
}

/* ---- what late order shows ---- */

/* A second store to a cell, then a load, with nothing between: the manual orders neither, and late order
 * shows it. */
Test(emu_umma_forms, unwaited_store_is_late) {
    static const char text[] =
        ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 32,1,1\n{\n.reg "
        ".b32 %%s, %%t, %%x, %%y;\n"
        ".reg .b64 %%o;\n.reg .pred %%p;\nmov.b32 %%s, smem;\nld.param.u64 %%o, [out];\n"
        "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%%s], 32;\nld.shared.b32 %%t, "
        "[%%s];\nmov.u32 %%x, 1;\n"
        "tcgen05.st.sync.aligned.32x32b.x1.b32 [%%t], {%%x};\ntcgen05.wait::st.sync.aligned;\nmov.u32 %%x, "
        "2;\n"
        "tcgen05.st.sync.aligned.32x32b.x1.b32 [%%t], {%%x};\n%stcgen05.ld.sync.aligned.32x32b.x1.b32 {%%y}, "
        "[%%t];\n"
        "tcgen05.wait::ld.sync.aligned;\nst.global.u32 [%%o], %%y;\ntcgen05.wait::st.sync.aligned;\n"
        "tcgen05.dealloc.cta_group::1.sync.aligned.b32 %%t, 32;\nret;\n}\n";
    for (int waits = 0; waits < 2; waits++)
        for (int order = EMU_ORDER_EAGER; order <= EMU_ORDER_LATE; order++) {
            char ptx[2048], report[4096];
            uint32_t *out = emu_kernel_memory(4);
            snprintf(ptx, sizeof ptx, text, waits ? "tcgen05.wait::st.sync.aligned;\n" : "");
            struct emu_kernel k = {ptx, 1, 32, 1, 64, &out, sizeof out};
            cr_assert_eq(emu_kernel_run(&k, (enum emu_order)order, 1, report, sizeof report), 0, "%s",
                         report);
            cr_expect_eq(*out, waits || order == EMU_ORDER_EAGER ? 2u : 1u, "waits %d order %d: %u", waits,
                         order, *out);
        }
}

/* One CTA of a pair deallocates without the other: it waits for ever, and the report says for what. */
Test(emu_umma_forms, pair_dealloc_needs_both) {
    static const char ptx[] = ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 "
                              "out)\n.reqntid 32,1,1\n{\n.reg .b32 %s, %t, %r;\n.reg .pred %p;\n"
                              "mov.b32 %s, smem;\ntcgen05.alloc.cta_group::2.sync.aligned.shared::cta.b32 "
                              "[%s], 64;\nld.shared.b32 %t, [%s];\n"
                              "mov.u32 %r, %cluster_ctarank;\nsetp.ne.u32 %p, %r, 0;\n@%p bra LEAVE;\n"
                              "tcgen05.dealloc.cta_group::2.sync.aligned.b32 %t, 64;\n"
                              "LEAVE:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\nret;\n}\n";
    char report[8192];
    uint64_t out = 0;
    struct emu_kernel k = {ptx, 2, 32, 2, 64, &out, sizeof out};
    int result = emu_kernel_run(&k, EMU_ORDER_EAGER, 1, report, sizeof report);
    cr_expect(result > 0 && strstr(report, "tcgen05.dealloc") && strstr(report, "barrier.cluster.wait"),
              "%d %s", result, report);
}
