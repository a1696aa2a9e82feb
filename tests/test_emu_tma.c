/* Tensor copies: where a box's elements lie. */
#include <stdio.h>
#include <string.h>
#include "runtime/emu/tile.h"
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
