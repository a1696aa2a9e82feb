/* mbarriers: the word as an H200 keeps it, the rules of its counts. */
#include "runtime/emu/mbarrier.h"
#include "tests/test.h"

enum step_kind { ARRIVE, DROP, EXPECT, COMPLETE };

/* Words measured on an H200: a barrier of `count`, then some operations. */
static const struct {
    const char *name;
    uint32_t count;
    struct {
        enum step_kind what;
        uint32_t n;
    } steps[4];
    uint32_t step_count;
    uint64_t word;
} words[] = {
    /* clang-format off */
    {"init 5",                       5, {{0}}, 0, 0x7fffd800001ffff6},
    {"init 5, expect 16",            5, {{EXPECT, 16}}, 1, 0x7fffdbfffe1ffff6},
    {"init 5, complete 16",          5, {{COMPLETE, 16}}, 1, 0x7fffd800021ffff6},
    {"init 2, both, 32 bytes open",  2, {{EXPECT, 32}, {ARRIVE, 1}, {ARRIVE, 1}}, 3, 0x000003fffc1ffffc},
    {"... and that phase over",      2, {{EXPECT, 32}, {ARRIVE, 1}, {ARRIVE, 1}, {COMPLETE, 32}}, 4, 0xfffff000001ffffc},
    {"init 5, drop",                 5, {{DROP, 1}}, 1, 0x7fffe000001ffff8},
    /* clang-format on */
};

static enum emu_mbarrier_result apply(struct emu_mbarrier *b, enum step_kind what, uint32_t n) {
    struct emu_mbarrier_update u = {0};
    if (what == ARRIVE || what == DROP) u.arrive = n;
    if (what == DROP) u.drop = n;
    if (what == EXPECT) u.expect = n;
    if (what == COMPLETE) u.complete = n;
    return emu_mbarrier_apply(b, &u);
}

ParameterizedTestParameters(emu_mbarrier, h200_words) { return wl_test_rows(WL_LEN(words)); }
ParameterizedTest(size_t *i, emu_mbarrier, h200_words) {
    struct emu_mbarrier b = {.pending = words[*i].count, .expected = words[*i].count};
    for (uint32_t s = 0; s < words[*i].step_count; s++)
        cr_assert_leq(apply(&b, words[*i].steps[s].what, words[*i].steps[s].n), EMU_MBARRIER_ENDED);
    cr_expect_eq(emu_mbarrier_pack(&b), words[*i].word, "%s: %016llx, the H200 has %016llx", words[*i].name,
                 (unsigned long long)emu_mbarrier_pack(&b), (unsigned long long)words[*i].word);
    struct emu_mbarrier back = emu_mbarrier_unpack(words[*i].word);
    cr_expect(back.phase == b.phase && back.pending == b.pending && back.expected == b.expected &&
                  back.tx == b.tx,
              "%s does not unpack to what it was packed from", words[*i].name);
}

Test(emu_mbarrier, pack_unpack_extremes) {
    static const struct emu_mbarrier extremes[] = {
        {0, 1, 1, 0},
        {1, EMU_MBARRIER_MAX, EMU_MBARRIER_MAX, EMU_MBARRIER_MAX},
        {0, 0, 7, -(int32_t)EMU_MBARRIER_MAX},
        {1, 0, 0, 0},
        {0, 3, 4, 1},
    };
    for (size_t i = 0; i < WL_LEN(extremes); i++) {
        struct emu_mbarrier b = emu_mbarrier_unpack(emu_mbarrier_pack(&extremes[i]));
        cr_expect(b.phase == extremes[i].phase && b.pending == extremes[i].pending &&
                      b.expected == extremes[i].expected && b.tx == extremes[i].tx,
                  "row %zu", i);
    }
}

Test(emu_mbarrier, phase_ends_by_either_side) {
    struct emu_mbarrier b = {.pending = 1, .expected = 1};
    cr_expect_eq(apply(&b, COMPLETE, 64), EMU_MBARRIER_OPEN, "bytes may come before they are expected");
    cr_expect_eq(b.tx, -64);
    cr_expect_eq(apply(&b, ARRIVE, 1), EMU_MBARRIER_OPEN);
    cr_expect_eq(apply(&b, EXPECT, 64), EMU_MBARRIER_ENDED, "an expect_tx alone can end a phase");
    cr_expect(b.phase == 1 && b.pending == 1 && b.tx == 0);
}

Test(emu_mbarrier, last_dropper_leaves_zero) {
    struct emu_mbarrier b = {.pending = 1, .expected = 1};
    cr_expect_eq(apply(&b, DROP, 1), EMU_MBARRIER_ENDED);
    cr_expect(b.phase == 1 && b.pending == 0 && b.expected == 0);
}

Test(emu_mbarrier, misuse_is_named) {
    struct emu_mbarrier b = {.pending = 2, .expected = 3};
    cr_expect_eq(apply(&b, ARRIVE, 3), EMU_MBARRIER_OVER_ARRIVAL);
    cr_expect_eq(apply(&b, EXPECT, EMU_MBARRIER_MAX), EMU_MBARRIER_OPEN);
    cr_expect_eq(apply(&b, EXPECT, 1), EMU_MBARRIER_TX_OVERFLOW);
    cr_expect_eq(b.tx, (int32_t)EMU_MBARRIER_MAX, "a refused operation changes nothing");
    struct emu_mbarrier c = {.pending = 1, .expected = 1, .tx = -(int32_t)EMU_MBARRIER_MAX};
    cr_expect_eq(apply(&c, COMPLETE, 1), EMU_MBARRIER_TX_OVERFLOW);
}
