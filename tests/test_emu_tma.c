/* Bulk and tensor copies: where a box's elements lie, and kernels that copy. */
#include <stdio.h>
#include <string.h>
#include "runtime/emu/half.h"
#include "runtime/emu/tile.h"
#include "tests/emu_kernel.h"
#include "tests/test.h"

static uint32_t next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/* The manual's picture of a swizzle: in each line of 128 bytes, chunk c of line y is found at chunk c ^ (y
 * mod n). */
Test(emu_tma, swizzle_permutes_chunks_of_a_line) {
    static const struct {
        enum emu_swizzle mode;
        uint32_t chunks;
    } rows[] = {{EMU_SWIZZLE_NONE, 1}, {EMU_SWIZZLE_32B, 2}, {EMU_SWIZZLE_64B, 4}, {EMU_SWIZZLE_128B, 8}};
    for (size_t r = 0; r < WL_LEN(rows); r++)
        for (uint32_t address = 0; address < 4096; address++) {
            uint32_t line = address / 128, chunk = address / 16 % 8;
            uint32_t expected = line * 128 + (chunk ^ line % rows[r].chunks) * 16 + address % 16;
            cr_expect_eq(emu_swizzle_address(rows[r].mode, address, 0), expected, "mode %d, address %u",
                         rows[r].mode, address);
        }
}

Test(emu_tma, swizzle_base_offset_shifts_the_pattern) {
    for (uint32_t base = 0; base < 8; base++)
        for (uint32_t address = 0; address < 4096; address += 16)
            cr_expect_eq(emu_swizzle_address(EMU_SWIZZLE_128B, address + base * 128, base) - base * 128,
                         emu_swizzle_address(EMU_SWIZZLE_128B, address, 0));
}

static struct emu_tensor_map random_map(uint64_t *state) {
    static const enum emu_tensor_type types[] = {EMU_TENSOR_U8, EMU_TENSOR_BF16, EMU_TENSOR_F32,
                                                 EMU_TENSOR_U64};
    struct emu_tensor_map m = {.type = types[next(state) % 4], .rank = 1 + next(state) % 5};
    uint32_t es = emu_tensor_type_bytes(m.type);
    m.stride[0] = es;
    m.swizzle = (enum emu_swizzle)(next(state) % 4);
    uint32_t span = m.swizzle ? emu_swizzle_span(m.swizzle) : 256;
    for (uint32_t i = 0; i < 5; i++) m.size[i] = m.box[i] = m.element_stride[i] = 1;
    uint64_t stride = es;
    for (uint32_t i = 0; i < m.rank; i++) {
        m.size[i] = 1 + next(state) % (i ? 6 : 300);
        m.box[i] = i ? 1 + next(state) % 4 : 16 * (1 + next(state) % (span / 16)) / es;
        m.element_stride[i] = i && next(state) % 3 == 0 ? 2 : 1;
        if (i)
            m.stride[i] = stride =
                (stride * (i > 1 ? m.size[i - 1] : 1) + (i == 1 ? m.size[0] * es : 0) + 15) / 16 * 16;
    }
    return m;
}

/* The box element by element, as the manual describes it. */
static void naive_load(const struct emu_tensor_map *m, const int32_t *start, uint8_t *smem, uint32_t base) {
    uint32_t es = (uint32_t)m->stride[0], pitch = m->swizzle ? emu_swizzle_span(m->swizzle) : m->box[0] * es,
             row = 0;
    uint32_t count[5];
    for (uint32_t i = 0; i < 5; i++) count[i] = (m->box[i] + m->element_stride[i] - 1) / m->element_stride[i];
    for (uint32_t e = 0; e < count[4]; e++)
        for (uint32_t d = 0; d < count[3]; d++)
            for (uint32_t c = 0; c < count[2]; c++)
                for (uint32_t b = 0; b < count[1]; b++, row++)
                    for (uint32_t a = 0; a < m->box[0]; a++) {
                        const uint32_t at[5] = {a, b, c, d, e};
                        bool inside = true;
                        uint64_t address = m->address;
                        for (uint32_t i = 0; i < m->rank; i++) {
                            int64_t x = start[i] + (int64_t)at[i] * (i ? m->element_stride[i] : 1);
                            inside = inside && x >= 0 && x < (int64_t)m->size[i];
                            address += (uint64_t)(x * (int64_t)m->stride[i]);
                        }
                        uint32_t to = emu_swizzle_address(m->swizzle, base + row * pitch + a * es, 0) - base;
                        if (inside) memcpy(smem + to, (const void *)(uintptr_t)address, es);
                        else memset(smem + to, 0, es);
                    }
}

static void tile_load(struct emu_tile *t, uint8_t *smem, uint32_t base) {
    uint64_t low, bytes;
    bool any = emu_tile_span(t, &low, &bytes);
    for (uint32_t r = 0; r < t->rows; r++) {
        uint8_t buffer[2048] = {0};
        struct emu_tile_row row;
        emu_tile_next(t, &row);
        if (row.first < row.last) {
            cr_assert(any && row.address + row.first >= low && row.address + row.last <= low + bytes,
                      "span misses a row");
            memcpy(buffer + row.first, (const void *)(uintptr_t)(row.address + row.first),
                   row.last - row.first);
        }
        emu_tile_scatter(t, r, smem, base, buffer);
    }
}

Test(emu_tma, tiles_match_the_naive_walk) {
    static uint8_t tensor[1 << 20], expected[1 << 19], got[1 << 19];
    for (size_t i = 0; i < sizeof tensor; i++) tensor[i] = (uint8_t)(i * 131 + (i >> 8) * 7 + 1);
    uint64_t state = 20261122;
    for (int round = 0; round < 3000; round++) {
        uint64_t seed = state;
        struct emu_tensor_map m = random_map(&state);
        m.address = (uint64_t)(uintptr_t)tensor + sizeof tensor / 2;
        uint32_t base = 0x400 + next(&state) % 8 * 128, unit = 16 / (uint32_t)m.stride[0];
        int32_t start[5];
        for (uint32_t i = 0; i < 5; i++) start[i] = (int32_t)(next(&state) % 12) - 5;
        start[0] = start[0] * (int32_t)unit * 4;
        struct emu_tile t;
        char why[160];
        cr_assert(emu_tile_begin(&t, &m, start, why, sizeof why), "seed %llu: %s", (unsigned long long)seed,
                  why);
        memset(expected, 0xEE, sizeof expected);
        memset(got, 0xEE, sizeof got);
        naive_load(&m, start, expected, base);
        tile_load(&t, got, base);
        cr_assert(memcmp(expected, got, emu_tile_smem_bytes(&t) + 128) == 0, "seed %llu, rank %u, swizzle %d",
                  (unsigned long long)seed, m.rank, m.swizzle);
    }
}

Test(emu_tma, gather_undoes_scatter) {
    uint64_t state = 7;
    for (int round = 0; round < 200; round++) {
        struct emu_tensor_map m = random_map(&state);
        m.address = 4096;
        struct emu_tile t;
        char why[160];
        cr_assert(emu_tile_begin(&t, &m, (const int32_t[5]){0}, why, sizeof why));
        static uint8_t smem[1 << 19];
        uint8_t in[2048], out[2048];
        for (uint32_t r = 0; r < t.rows; r++) {
            for (uint32_t i = 0; i < t.row_bytes; i++) in[i] = (uint8_t)next(&state);
            emu_tile_scatter(&t, r, smem, 0x480, in);
            emu_tile_gather(&t, r, smem, 0x480, out);
            cr_assert(memcmp(in, out, t.row_bytes) == 0);
        }
    }
}

Test(emu_tma, unaligned_innermost_coordinate_traps) {
    struct emu_tensor_map m = {.type = EMU_TENSOR_BF16,
                               .rank = 2,
                               .size = {64, 64},
                               .stride = {2, 128},
                               .box = {64, 8},
                               .element_stride = {1, 1}};
    static const struct {
        int32_t c0;
        bool legal;
    } rows[] = {{0, true},  {8, true},   {-8, true}, {56, true},
                {4, false}, {-5, false}, {1, false}, {60, false}};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct emu_tile t;
        char why[160] = "";
        bool legal = emu_tile_begin(&t, &m, (const int32_t[5]){rows[i].c0}, why, sizeof why);
        cr_expect_eq(legal, rows[i].legal, "c0 = %d", rows[i].c0);
        cr_expect(legal || strstr(why, "16 bytes"), "%s", why);
    }
}

/* ---- in kernels ---- */

static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};

struct map_params { /* of every kernel below */
    uint8_t map[2][EMU_TENSOR_MAP_BYTES] __attribute__((aligned(64)));
    uint64_t out, in;
    int32_t c[4];
};

/* One warp; thread 0 copies. smem: data from 0, barrier at 65536. */
#define HEAD                                                                                                 \
    ".extern .shared .align 1024 .b8 smem[];\n.visible .entry k(.param .align 64 .b8 map0[128], .param "     \
    ".align 64 .b8 "                                                                                         \
    "map1[128], .param .u64 out, .param .u64 in, .param .u32 c0, .param .u32 c1, .param .u32 c2, .param "    \
    ".u32 c3)\n"                                                                                             \
    ".reqntid 32,1,1\n{\n.reg .b32 %s, %th, %c<4>, %r<8>, %rank;\n.reg .b64 %o, %i, %g, %m<2>;\n.reg .b16 "  \
    "%h;\n.reg .pred %p, %d;\n"                                                                              \
    "mov.b32 %s, smem;\nld.param.u64 %o, [out];\nld.param.u64 %i, [in];\nld.param.u32 %c0, "                 \
    "[c0];\nld.param.u32 %c1, [c1];\n"                                                                       \
    "ld.param.u32 %c2, [c2];\nld.param.u32 %c3, [c3];\nmov.u32 %th, %tid.x;\nmov.u32 %rank, "                \
    "%cluster_ctarank;\n"                                                                                    \
    "mov.b64 %m0, map0;\ncvta.param.u64 %m0, %m0;\nmov.b64 %m1, map1;\ncvta.param.u64 %m1, "                 \
    "%m1;\nsetp.ne.u32 %p, %th, 0;\n"
#define ONLY_ONE  "@%p bra END;\n"
#define INIT      "mbarrier.init.shared::cta.b64 [%s + 65536], 1;\n"
#define EXPECT(n) "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + 65536], " n ";\n"
#define WAIT      "WAIT:\nmbarrier.try_wait.parity.shared::cta.b64 %d, [%s + 65536], 0;\n@!%d bra WAIT;\n"
#define LOAD2(space)                                                                                         \
    "cp.async.bulk.tensor.2d." space                                                                         \
    ".global.tile.mbarrier::complete_tx::bytes [%s], [%m0, {%c0, %c1}], [%s + 65536];\n"
#define STORE2 "cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%m1, {%c2, %c3}], [%s];\n"
#define COMMIT "cp.async.bulk.commit_group;\n"
#define FLUSH  COMMIT "cp.async.bulk.wait_group 0;\n"
#define TAIL   "END:\nret;\n}\n"

static struct emu_tensor_map map_of(void *address, enum emu_tensor_type type, uint64_t columns, uint64_t rows,
                                    uint32_t box0, uint32_t box1, enum emu_swizzle swizzle) {
    uint32_t es = emu_tensor_type_bytes(type);
    return (struct emu_tensor_map){.type = type,
                                   .rank = 2,
                                   .address = (uint64_t)(uintptr_t)address,
                                   .size = {columns, rows},
                                   .stride = {es, columns * es},
                                   .box = {box0, box1},
                                   .element_stride = {1, 1},
                                   .swizzle = swizzle};
}

static void encode(uint8_t out[EMU_TENSOR_MAP_BYTES], struct emu_tensor_map m) {
    char why[160];
    cr_assert(emu_tensor_map_encode(out, &m, 10, why, sizeof why), "%s", why);
}

static int run(const char *ptx, uint32_t ctas, const struct map_params *p, enum emu_order order,
               uint64_t seed, char *report) {
    struct emu_kernel k = {ptx, ctas, 32, ctas, 65536 + 64, p, sizeof *p};
    return emu_kernel_run(&k, order, seed, report, 4096);
}

enum { COLUMNS = 72, ROWS = 37 };

/* 2-D tile in at (c0, c1), out at (c2, c3): what overlaps both tensors arrives, what is outside the source is
 * 0. */
Test(emu_tma, tile_through_shared_memory) {
    static const int32_t corners[][4] = {
        {0, 0, 0, 0}, {8, 5, 16, 3}, {-16, -3, 0, 0}, {48, 30, 40, 31}, {200, 0, 0, 0}};
    static const enum emu_swizzle swizzles[] = {EMU_SWIZZLE_NONE, EMU_SWIZZLE_32B, EMU_SWIZZLE_64B,
                                                EMU_SWIZZLE_128B};
    uint16_t *in = emu_kernel_memory(COLUMNS * ROWS * 2), *out = emu_kernel_memory(COLUMNS * ROWS * 2);
    for (int i = 0; i < COLUMNS * ROWS; i++) in[i] = (uint16_t)(i + 1);
    for (size_t run_index = 0; run_index < WL_LEN(corners) * 4 * 3; run_index++) {
        const int32_t *c = corners[run_index / 12];
        enum emu_swizzle swizzle = swizzles[run_index / 3 % 4];
        uint32_t box0 = swizzle ? emu_swizzle_span(swizzle) / 2 : 24, box1 = 16;
        struct map_params p = {.c = {c[0], c[1], c[2], c[3]}};
        char ptx[4096], report[4096];
        snprintf(ptx, sizeof ptx, "%s%s%u%s",
                 HEAD ONLY_ONE INIT "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + 65536], ", "",
                 box0 * box1 * 2, ";\n" LOAD2("shared::cta") WAIT STORE2 FLUSH TAIL);
        encode(p.map[0], map_of(in, EMU_TENSOR_BF16, COLUMNS, ROWS, box0, box1, swizzle));
        encode(p.map[1], map_of(out, EMU_TENSOR_BF16, COLUMNS, ROWS, box0, box1, swizzle));
        memset(out, 0xEE, COLUMNS * ROWS * 2);
        cr_assert_eq(run(ptx, 1, &p, orders[run_index % 3], run_index, report), 0, "%s", report);
        for (int y = 0; y < ROWS; y++)
            for (int x = 0; x < COLUMNS; x++) {
                int dx = x - c[2], dy = y - c[3], sx = dx + c[0], sy = dy + c[1];
                bool written = dx >= 0 && dx < (int)box0 && dy >= 0 && dy < (int)box1;
                bool inside = sx >= 0 && sx < COLUMNS && sy >= 0 && sy < ROWS;
                uint16_t expected = !written ? 0xEEEE : inside ? in[sy * COLUMNS + sx] : 0;
                cr_assert_eq(out[y * COLUMNS + x], expected,
                             "corner %zu swizzle %d: (%d, %d) is %04x, expected %04x", run_index / 12,
                             swizzle, x, y, out[y * COLUMNS + x], expected);
            }
    }
}

static const struct {
    const char *name, *body, *says;
    int32_t c[4];
} faults[] = {
    /* clang-format off */
    {"destination at 64",         "add.u32 %s, %s, 64;\n" LOAD2("shared::cta"),        "not a multiple of 128", {0}},
    {"column 4",                  LOAD2("shared::cta") WAIT,                           "multiple of 16 bytes",  {4, 0, 0, 0}},
    {"negative store",            STORE2 FLUSH,                                        "coordinate -8 in dimension 0", {0, 0, -8, 0}},
    {"negative store row",        STORE2 FLUSH,                                        "coordinate -2 in dimension 1", {0, 0, 0, -2}},
    {"rank 2 map in 3d",          "cp.async.bulk.tensor.3d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%s], [%m0, {%c0, %c1, %c1}], [%s + 65536];\n" WAIT, "rank 2", {0}},
    {"no map",                    "cp.async.bulk.tensor.2d.shared::cta.global.tile.mbarrier::complete_tx::bytes [%s], [%i, {%c0, %c1}], [%s + 65536];\n" WAIT, "no tensor map", {0}},
    {"barrier of another CTA",    "xor.b32 %r0, %s, 0x1000000;\ncp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%s], [%m0, {%c0, %c1}], [%r0 + 65536];\n", "cta_group::2", {0}},
    {"CTA that is not there",     "xor.b32 %r0, %s, 0x3000000;\ncp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r0], [%m0, {%c0, %c1}], [%r0 + 65536];\n", "multicast to CTAs 0x8", {0}},
    {"past the shared memory",    "add.u32 %s, %s, 65024;\nmbarrier.init.shared.b64 [%s], 1;\ncp.async.bulk.tensor.2d.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%m0, {%c0, %c1}], [%s];\n"
                                  "X:\nmbarrier.try_wait.parity.shared::cta.b64 %d, [%s], 0;\n@!%d bra X;\n", "no such memory", {0}},
    {"bulk of 24 bytes",          "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%i], 24, [%s + 65536];\n", "24 bytes", {0}},
    {"bulk from 8",               "add.u64 %i, %i, 8;\ncp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%i], 16, [%s + 65536];\n", "not a multiple of 16", {0}},
    {"bulk past an allocation",   "add.u64 %i, %i, 0x40000000;\ncp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s], [%i], 16, [%s + 65536];\n" WAIT, "global memory", {0}},
    {"reduction without a form",  "cp.reduce.async.bulk.tensor.2d.global.shared::cta.inc.tile.bulk_group [%m1, {%c2, %c3}], [%s];\n" FLUSH, "no form for bf16", {0}},
    /* clang-format on */
};

ParameterizedTestParameters(emu_tma, fault) { return wl_test_rows(WL_LEN(faults)); }
ParameterizedTest(size_t *i, emu_tma, fault) {
    uint16_t *in = emu_kernel_memory(COLUMNS * ROWS * 2);
    struct map_params p = {.in = (uint64_t)(uintptr_t)in};
    memcpy(p.c, faults[*i].c, sizeof p.c);
    memset(in, 0x5a, COLUMNS * ROWS * 2);
    encode(p.map[0], map_of(in, EMU_TENSOR_BF16, COLUMNS, ROWS, 64, 8, EMU_SWIZZLE_128B));
    memcpy(p.map[1], p.map[0], sizeof p.map[0]);
    char ptx[4096], report[4096];
    snprintf(ptx, sizeof ptx, "%s%s%s", HEAD ONLY_ONE INIT, faults[*i].body, TAIL);
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        int result = run(ptx, 2, &p, orders[o], 1, report);
        cr_expect(result > 0 && strstr(report, faults[*i].says), "%s (order %d): %d '%s' does not say '%s'",
                  faults[*i].name, orders[o], result, report, faults[*i].says);
    }
}

/* Modes that are not done are refused when the module is loaded. */
Test(emu_tma, im2col_is_refused_by_name) {
    struct map_params p = {.out = 0};
    char report[4096];
    const char *ptx = HEAD "cp.async.bulk.tensor.3d.shared::cta.global.im2col.mbarrier::complete_tx::bytes "
                           "[%s], [%m0, {%c0, %c1, %c2}], [%s], {%h};\n" TAIL;
    cr_expect_eq(run(ptx, 1, &p, EMU_ORDER_EAGER, 1, report), -1);
    cr_expect(strstr(report, "im2col"), "%s", report);
}

/* Without the wait, late order leaves the destination as it was. */
Test(emu_tma, missing_wait_shows_under_late_order) {
    uint32_t *in = emu_kernel_memory(4096), *out = emu_kernel_memory(4);
    memset(in, 0x11, 4096);
    struct map_params p = {.in = (uint64_t)(uintptr_t)in, .out = (uint64_t)(uintptr_t)out};
    char report[4096];
    const char *ptx =
        HEAD ONLY_ONE INIT EXPECT("256") "cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes "
                                         "[%s], [%i], 256, [%s + 65536];\n"
                                         "ld.shared.u32 %r0, [%s];\nst.global.u32 [%o], %r0;\n" WAIT TAIL;
    cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_EAGER, 1, report), 0, "%s", report);
    cr_expect_eq(*out, 0x11111111u);
    cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_LATE, 1, report), 0, "%s", report);
    cr_expect_neq(*out, 0x11111111u);
}

/* wait_group.read frees the source: what is stored there afterwards must not reach global memory; without it,
 * late order shows that it does. */
Test(emu_tma, bulk_store_reads_its_source_late) {
    uint32_t *out = emu_kernel_memory(64);
    struct map_params p = {.out = (uint64_t)(uintptr_t)out};
    char report[4096];
    for (int waits = 0; waits < 2; waits++) {
        char ptx[4096];
        snprintf(ptx, sizeof ptx, "%s%s%s",
                 HEAD ONLY_ONE "mov.u32 %r0, 7;\nst.shared.u32 [%s], %r0;\nfence.proxy.async.shared::cta;\n"
                               "cp.async.bulk.global.shared::cta.bulk_group [%o], [%s], 16;\n" COMMIT,
                 waits ? "cp.async.bulk.wait_group.read 0;\n" : "",
                 "mov.u32 %r0, 9;\nst.shared.u32 [%s], %r0;\ncp.async.bulk.wait_group 0;\n" TAIL);
        cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_LATE, 1, report), 0, "%s", report);
        cr_expect_eq(out[0], waits ? 7u : 9u, "%s the wait: %u", waits ? "with" : "without", out[0]);
    }
}

/* At most N newest groups may be pending. */
Test(emu_tma, wait_group_counts_groups) {
    uint32_t *out = emu_kernel_memory(64);
    struct map_params p = {.out = (uint64_t)(uintptr_t)out};
    char report[4096];
    const char *ptx = HEAD ONLY_ONE
        "mov.u32 %r0, 5;\nst.shared.u32 [%s], %r0;\n"
        "cp.async.bulk.global.shared::cta.bulk_group [%o], [%s], 16;\n" COMMIT
        "cp.async.bulk.global.shared::cta.bulk_group [%o + 16], [%s], 16;\n" COMMIT COMMIT
        "cp.async.bulk.wait_group 2;\nld.global.u32 %r1, [%o];\nst.global.u32 [%o + 48], %r1;\n" TAIL;
    for (uint64_t seed = 0; seed < 20; seed++) {
        memset(out, 0, 64);
        cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_RANDOM, seed, report), 0, "%s", report);
        cr_expect(out[12] == 5 && out[0] == 5 && out[4] == 5, "seed %llu: %u", (unsigned long long)seed,
                  out[12]);
    }
}

/* Both CTAs multicast half of the tensor to both: each barrier gets all bytes. */
Test(emu_tma, multicast_to_a_pair) {
    uint16_t *in = emu_kernel_memory(64 * 16 * 2), *out = emu_kernel_memory(2 * 64 * 16 * 2);
    for (int i = 0; i < 64 * 16; i++) in[i] = (uint16_t)(i * 3 + 1);
    struct map_params p = {.out = (uint64_t)(uintptr_t)out};
    encode(p.map[0], map_of(in, EMU_TENSOR_BF16, 64, 16, 64, 8, EMU_SWIZZLE_128B));
    encode(p.map[1], map_of(out, EMU_TENSOR_BF16, 64, 32, 64, 16, EMU_SWIZZLE_128B));
    const char *ptx = HEAD "@%p bra READY;\n" INIT EXPECT(
        "2048") "fence.mbarrier_init.release.cluster;\n"
                "READY:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n@%p bra LEAVE;\n"
                "mul.lo.u32 %c1, %rank, 8;\nshl.b32 %r0, %rank, 10;\nadd.u32 %r0, %r0, %s;\nmov.b16 %h, 3;\n"
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::"
                "cluster [%r0], [%m0, {0, %c1}], [%s + 65536], %h;\n" WAIT "mul.lo.u32 %c3, %rank, 16;\n"
                "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group.L2::cache_hint [%m1, {0, %c3}], [%s], "
                "0x12F0000000000000;\n" FLUSH "LEAVE:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n" TAIL;
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        char report[4096];
        memset(out, 0, 2 * 64 * 16 * 2);
        cr_assert_eq(run(ptx, 2, &p, orders[o], 4, report), 0, "%s", report);
        cr_expect(memcmp(out, in, 64 * 16 * 2) == 0 && memcmp(out + 64 * 16, in, 64 * 16 * 2) == 0,
                  "order %d", orders[o]);
    }
}

/* cta_group::2: both CTAs load their half, the even CTA's barrier hears of both. */
Test(emu_tma, pair_signals_the_even_cta) {
    uint16_t *in = emu_kernel_memory(64 * 16 * 2), *out = emu_kernel_memory(64 * 16 * 2);
    for (int i = 0; i < 64 * 16; i++) in[i] = (uint16_t)(i * 5 + 2);
    struct map_params p = {.out = (uint64_t)(uintptr_t)out};
    encode(p.map[0], map_of(in, EMU_TENSOR_BF16, 64, 16, 64, 8, EMU_SWIZZLE_128B));
    encode(p.map[1], map_of(out, EMU_TENSOR_BF16, 64, 16, 64, 8, EMU_SWIZZLE_128B));
    const char *ptx = HEAD "@%p bra READY;\n" INIT "setp.ne.u32 %d, %rank, 0;\n@%d bra READY;\n" EXPECT(
        "2048") "READY:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n@%p bra LEAVE;\n"
                "mul.lo.u32 %c1, %rank, 8;\nadd.u32 %r0, %s, 65536;\nand.b32 %r0, %r0, 0xFEFFFFF8;\n"
                "cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint."
                "cta_group::2 [%s], [%m0, {0, %c1}], [%r0], 0;\n"
                "setp.ne.u32 %d, %rank, 0;\n@%d bra LEAVE;\n" WAIT
                "LEAVE:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n@%p bra END;\n" STORE2 FLUSH TAIL;
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        char report[4096];
        struct map_params q = p;
        memset(out, 0, 64 * 16 * 2);
        char text[4096];
        snprintf(text, sizeof text, "%s", ptx);
        /* each CTA stores at row 8 * rank */
        char *store = strstr(text, "cp.async.bulk.tensor.2d.global");
        char rest[512];
        snprintf(rest, sizeof rest, "mul.lo.u32 %%c3, %%rank, 8;\nmov.u32 %%c2, 0;\n%s", store);
        strcpy(store, rest);
        cr_assert_eq(run(text, 2, &q, orders[o], 4, report), 0, "%s", report);
        cr_expect(memcmp(out, in, 64 * 16 * 2) == 0, "order %d", orders[o]);
    }
}

/* Reductions: memory = memory op source. */
static const struct {
    const char *op;
    uint32_t memory[4], source[4], expected[4];
} reductions[] = {
    /* clang-format off */
    {"add.u32",  {1, 2, 0xffffffff, 0},  {5, 6, 1, 0},           {6, 8, 0, 0}},
    {"min.s32",  {1, 0xffffffff, 7, 0},  {0xfffffffe, 3, 7, 1},  {0xfffffffe, 0xffffffff, 7, 0}},
    {"max.u32",  {1, 0xffffffff, 7, 0},  {0xfffffffe, 3, 8, 1},  {0xfffffffe, 0xffffffff, 8, 1}},
    {"inc.u32",  {1, 5, 6, 0},           {5, 5, 5, 5},           {2, 0, 0, 1}},
    {"dec.u32",  {1, 0, 6, 5},           {5, 5, 5, 5},           {0, 5, 5, 4}},
    {"and.b32",  {0xff, 0xf0, 1, 0},     {0x0f, 0xff, 3, 1},     {0x0f, 0xf0, 1, 0}},
    {"xor.b32",  {0xff, 0xf0, 1, 0},     {0x0f, 0xff, 3, 1},     {0xf0, 0x0f, 2, 1}},
    {"add.f32",  {0x3f800000, 0x00000001, 0x7f800000, 0}, {0x40000000, 0x00000001, 0xff800000, 0x80000000}, {0x40400000, 2, 0x7fffffff, 0}},
    {"add.noftz.f16",  {0x3c003c00, 0x00010001, 0x7bff7bff, 0}, {0x40003c00, 0x00010001, 0x7bff0000, 0}, {0x42004000, 0x00020002, 0x7c007bff, 0}},
    {"add.noftz.bf16", {0x3f803f80, 0x00010001, 0, 0}, {0x40003f80, 0x00010001, 0, 0}, {0x40404000, 0x00020002, 0, 0}},
    {"max.f16",  {0x3c007e00, 0x80000000, 0, 0}, {0x40003c00, 0x00008000, 0, 0}, {0x40003c00, 0x00000000, 0, 0}},
    {"min.bf16", {0x3f807fc0, 0x80000000, 0, 0}, {0x40003f80, 0x00008000, 0, 0}, {0x3f803f80, 0x80008000, 0, 0}},
    /* clang-format on */
};

ParameterizedTestParameters(emu_tma, reduction) { return wl_test_rows(WL_LEN(reductions)); }
ParameterizedTest(size_t *i, emu_tma, reduction) {
    uint32_t *memory = emu_kernel_memory(64), *source = emu_kernel_memory(64);
    memcpy(memory, reductions[*i].memory, 16);
    memcpy(source, reductions[*i].source, 16);
    struct map_params p = {.out = (uint64_t)(uintptr_t)memory, .in = (uint64_t)(uintptr_t)source};
    char ptx[4096], report[4096];
    snprintf(ptx, sizeof ptx, "%s%s%s%s",
             HEAD ONLY_ONE
             "ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%i];\nst.shared.v4.u32 [%s], {%r0, %r1, %r2, %r3};\n"
             "fence.proxy.async;\ncp.reduce.async.bulk.global.shared::cta.bulk_group.",
             reductions[*i].op, " [%o], [%s], 16;\n", FLUSH TAIL);
    cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_LATE, 1, report), 0, "%s: %s", reductions[*i].op, report);
    for (int w = 0; w < 4; w++)
        cr_expect_eq(memory[w], reductions[*i].expected[w], "%s: word %d is %08x, expected %08x",
                     reductions[*i].op, w, memory[w], reductions[*i].expected[w]);
}

/* gather4 and scatter4: rows 9, 30, 2 and one outside, wherever the modifier stands; 5.5.3.4. */
Test(emu_tma, four_rows) {
    static const char *const loads[] = {
        "cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes",
        "cp.async.bulk.tensor.2d.tile::gather4.shared::cluster.global.mbarrier::complete_tx::bytes",
    };
    static const char *const stores[] = {
        "cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group [%m1, {8, 1, 36, 5, 40}], [%s]",
        "cp.async.bulk.tensor.2d.tile::scatter4.global.shared::cta.bulk_group.L2::cache_hint [%m1, {8, 1, "
        "36, 5, 40}], "
        "[%s], 0x12F0000000000000",
    };
    static const int from[4] = {9, 30, 2, 37}, to[4] = {1, 36, 5, 40};
    uint16_t *in = emu_kernel_memory(COLUMNS * ROWS * 2), *out = emu_kernel_memory(COLUMNS * ROWS * 2);
    for (int i = 0; i < COLUMNS * ROWS; i++) in[i] = (uint16_t)(i + 1);
    for (size_t n = 0; n < 2 * 4 * 3; n++) {
        enum emu_swizzle swizzle = (enum emu_swizzle)(n / 3 % 4);
        uint32_t box = swizzle ? emu_swizzle_span(swizzle) / 2 : 24;
        struct map_params p = {.out = 0};
        char ptx[4096], report[4096];
        snprintf(ptx, sizeof ptx, "%s%u;\n%s [%%s], [%%m0, {16, 9, 30, 2, 37}], [%%s + 65536];\n%s%s;\n%s",
                 HEAD ONLY_ONE INIT
                 "cp.async.bulk.prefetch.tensor.2d.L2.global.tile::gather4 [%m0, {16, 9, 30, 2, 37}];\n"
                 "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + 65536], ",
                 box * 8, loads[n / 12], WAIT, stores[n / 12], FLUSH TAIL);
        encode(p.map[0], map_of(in, EMU_TENSOR_BF16, COLUMNS, ROWS, box, 1, swizzle));
        encode(p.map[1], map_of(out, EMU_TENSOR_BF16, COLUMNS, ROWS, box, 1, swizzle));
        memset(out, 0xEE, COLUMNS * ROWS * 2);
        cr_assert_eq(run(ptx, 1, &p, orders[n % 3], n, report), 0, "%s", report);
        for (int y = 0; y < ROWS; y++)
            for (int x = 0; x < COLUMNS; x++) {
                uint16_t expected = 0xEEEE;
                for (int r = 0; r < 4; r++)
                    if (to[r] == y && x >= 8 && x < 8 + (int)box)
                        expected = x + 8 < COLUMNS && from[r] < ROWS ? in[from[r] * COLUMNS + x + 8] : 0;
                cr_assert_eq(out[y * COLUMNS + x], expected, "swizzle %d: (%d, %d) is %04x, expected %04x",
                             swizzle, x, y, out[y * COLUMNS + x], expected);
            }
    }
}

Test(emu_tma, four_rows_refused) {
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes [%s], [%m0, "
         "{0, 1, 2, 3, "
         "4}], [%s + 65536];\n" WAIT,
         "a box of 8 rows"},
        {"cp.async.bulk.tensor.2d.shared::cta.global.tile::gather4.mbarrier::complete_tx::bytes [%s], [%m0, "
         "{0, 1}], "
         "[%s + 65536];\n",
         "a column and four rows"},
        {"cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group [%m0, {0, 1, 2}], "
         "[%s];\n" FLUSH,
         "a column and four rows"},
    };
    uint16_t *in = emu_kernel_memory(COLUMNS * ROWS * 2);
    struct map_params p = {.out = 0};
    encode(p.map[0], map_of(in, EMU_TENSOR_BF16, COLUMNS, ROWS, 64, 8, EMU_SWIZZLE_128B));
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        char ptx[4096], report[4096];
        snprintf(ptx, sizeof ptx, "%s%s%s", HEAD ONLY_ONE INIT, rows[i].body, TAIL);
        int status = run(ptx, 1, &p, EMU_ORDER_EAGER, 1, report);
        cr_expect(status != 0 && strstr(report, rows[i].says), "%s does not say '%s'", report, rows[i].says);
    }
}

/* Cache hints of the rarer forms; prefetches, which move nothing. */
Test(emu_tma, hints_and_prefetches) {
    uint32_t *memory = emu_kernel_memory(64 * 4), *source = emu_kernel_memory(64);
    struct map_params p = {.out = (uint64_t)(uintptr_t)memory, .in = (uint64_t)(uintptr_t)source};
    char report[4096];
    for (int i = 0; i < 64; i++) memory[i] = 100;
    for (uint32_t i = 0; i < 4; i++) source[i] = i;
    encode(p.map[1], map_of(memory, EMU_TENSOR_U32, 4, 1, 4, 1, EMU_SWIZZLE_NONE));
    const char *ptx = HEAD ONLY_ONE
        "ld.global.v4.u32 {%r0, %r1, %r2, %r3}, [%i];\nst.shared.v4.u32 [%s], {%r0, %r1, %r2, %r3};\n"
        "fence.proxy.async;\nprefetch.tensormap [%m1];\ncp.async.bulk.prefetch.tensor.2d.L2.global.tile "
        "[%m1, {0, 0}];\n"
        "cp.async.bulk.prefetch.tensor.2d.L2.global.L2::cache_hint [%m1, {0, 0}], 0x12F0000000000000;\n"
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group.L2::cache_hint [%m1, {0, 0}], "
        "[%s], "
        "0x12F0000000000000;\n" FLUSH TAIL;
    cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_LATE, 1, report), 0, "%s", report);
    for (uint32_t i = 0; i < 8; i++)
        cr_expect_eq(memory[i], i < 4 ? 100 + i : 100, "word %u is %u", i, memory[i]);
}

/* What tensor copies change on the way: tf32 maps round, NaN fill. */
Test(emu_tma, tf32_rounds_and_nan_fills) {
    float *in = emu_kernel_memory(16 * 4), *out = emu_kernel_memory(16 * 4);
    static const uint32_t bits[8] = {0x3f800fff, 0x3f801000, 0x3f803000, 0x7f800001,
                                     0x00001fff, 0xbf801001, 0x7f800000, 0x3f800000};
    static const uint32_t rounded[8] = {0x3f800000, 0x3f800000, 0x3f804000, 0x7fffe000,
                                        0x00002000, 0xbf802000, 0x7f800000, 0x3f800000};
    memcpy(in, bits, 32);
    struct map_params p = {.out = 0};
    struct emu_tensor_map source = map_of(in, EMU_TENSOR_TF32, 8, 1, 16, 1, EMU_SWIZZLE_NONE);
    source.nan_fill = true;
    encode(p.map[0], source);
    encode(p.map[1], map_of(out, EMU_TENSOR_F32, 16, 1, 16, 1, EMU_SWIZZLE_NONE));
    char report[4096];
    const char *ptx = HEAD ONLY_ONE INIT EXPECT("64") LOAD2("shared::cta") WAIT STORE2 FLUSH TAIL;
    cr_assert_eq(run(ptx, 1, &p, EMU_ORDER_EAGER, 1, report), 0, "%s", report);
    for (int i = 0; i < 16; i++) {
        uint32_t expected = i < 8 ? rounded[i] : 0x7ff77ff7;
        cr_expect_eq(emu_bits_of_f32(out[i]), expected, "%d: %08x, expected %08x", i, emu_bits_of_f32(out[i]),
                     expected);
    }
}

/* cp.async: 16, 8 and 4 bytes, a short source, an ignored source; waited for by group, by all, by mbarrier.
 */
Test(emu_tma, cp_async_by_thread) {
    uint32_t *in = emu_kernel_memory(1024), *out = emu_kernel_memory(1024);
    static const char *const waits[] = {
        "cp.async.commit_group;\ncp.async.wait_group 0;\n", "cp.async.wait_all;\n",
        "cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%s + "
        "65536];\nX:\nmbarrier.try_wait.parity.shared::cta.b64 %d, [%s + 65536], "
        "0;\n@!%d bra X;\n"};
    for (int i = 0; i < 256; i++) in[i] = 0x1000u + (uint32_t)i;
    for (size_t w = 0; w < WL_LEN(waits) * 3; w++) {
        struct map_params p = {.in = (uint64_t)(uintptr_t)in, .out = (uint64_t)(uintptr_t)out};
        char ptx[4096], report[4096];
        snprintf(
            ptx, sizeof ptx, "%s%s%s%s",
            HEAD "@%p bra INITIALISED;\nmbarrier.init.shared::cta.b64 [%s + 65536], "
                 "32;\nINITIALISED:\nbar.warp.sync 0xffffffff;\n"
                 "mul.wide.u32 %g, %th, 32;\nadd.u64 %i, %i, %g;\nadd.u64 %o, %o, %g;\nmul.lo.u32 %r0, "
                 "%th, 32;\nadd.u32 %r0, %r0, %s;\n"
                 "cp.async.cg.shared.global [%r0], [%i], 16;\ncp.async.ca.shared::cta.global.L2::128B [%r0 + "
                 "16], [%i + 16], 8, 4;\n"
                 "cp.async.ca.shared.global [%r0 + 24], [%i + 24], 4;\nsetp.eq.u32 %d, 0, 0;\n"
                 "cp.async.ca.shared.global [%r0 + 28], [%i + 28], 4, %d;\n",
            waits[w / 3],
            "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r0];\nst.global.v4.u32 [%o], {%r1, %r2, %r3, %r4};\n"
            "ld.shared.v4.u32 {%r1, %r2, %r3, %r4}, [%r0 + 16];\nst.global.v4.u32 [%o + 16], {%r1, %r2, %r3, "
            "%r4};\n",
            TAIL);
        memset(out, 0xEE, 1024);
        cr_assert_eq(run(ptx, 1, &p, orders[w % 3], w, report), 0, "%s", report);
        for (uint32_t i = 0; i < 256; i++)
            cr_assert_eq(out[i], i % 8 == 5 || i % 8 == 7 ? 0 : in[i], "wait %zu order %d: word %u is %x",
                         w / 3, orders[w % 3], i, out[i]);
    }
}

/* st.async and red.async to the peer: data and bytes arrive together. */
Test(emu_tma, remote_stores_of_threads) {
    uint32_t *out = emu_kernel_memory(2 * 32);
    struct map_params p = {.out = (uint64_t)(uintptr_t)out};
    const char *ptx = HEAD "@%p bra READY;\n" INIT EXPECT(
        "24") "mov.u32 %r0, 100;\nst.shared.u32 [%s + 16], %r0;\n"
              "READY:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n@%p bra LEAVE;\n"
              "xor.b32 %r1, %s, 0x1000000;\nadd.u32 %r2, %rank, 7;\n"
              "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%r1], {%r2, 1, 2, 3}, [%r1 "
              "+ 65536];\n"
              "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 [%r1 + 16], "
              "%r2, [%r1 + 65536];\n"
              "st.async.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r1 + 20], 55, [%r1 + "
              "65536];\n" WAIT "mul.wide.u32 %g, %rank, 32;\nadd.u64 %o, %o, %g;\nld.shared.v4.u32 {%r1, "
              "%r2, %r3, %r4}, [%s];\n"
              "st.global.v4.u32 [%o], {%r1, %r2, %r3, %r4};\nld.shared.v2.u32 {%r1, %r2}, [%s + "
              "16];\nst.global.v2.u32 [%o + 16], {%r1, %r2};\n"
              "LEAVE:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\n" TAIL;
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        char report[4096];
        cr_assert_eq(run(ptx, 2, &p, orders[o], 11, report), 0, "%s", report);
        for (uint32_t rank = 0; rank < 2; rank++) {
            const uint32_t expected[6] = {7 + (rank ^ 1), 1, 2, 3, 107 + (rank ^ 1), 55};
            cr_expect(memcmp(out + 8 * rank, expected, sizeof expected) == 0, "order %d CTA %u", orders[o],
                      rank);
        }
    }
}
