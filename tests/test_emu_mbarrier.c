/* mbarriers and the cluster barrier: the word as an H200 keeps it, the rules of its counts, and kernels that
 * keep and break them. */
#include "runtime/emu/mbarrier.h"
#include "tests/emu_kernel.h"
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

/* ---- in kernels ---- */

static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};

/* One thread: %s is the first barrier, %o the output (32 words); every %r is stored from word 0 on where the
 * row says OUT. */
#define HEAD                                                                                                 \
    ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 32,1,1\n{\n"        \
    ".reg .b32 %s, %th, %r<8>;\n.reg .b64 %o, %g, %w<4>;\n.reg .pred %p, %q, %d;\n"                          \
    "mov.b32 %s, smem;\nld.param.u64 %o, [out];\nmov.u32 %th, %tid.x;\nsetp.ne.u32 %p, %th, 0;\n@%p bra "    \
    "END;\n"
#define TAIL    "END:\nret;\n}\n"
#define INIT(n) "mbarrier.init.shared::cta.b64 [%s], " n ";\n"
#define ARRIVE  "mbarrier.arrive.shared::cta.b64 _, [%s];\n"
#define TEST(parity, word)                                                                                   \
    "mbarrier.test_wait.parity.shared::cta.b64 %d, [%s], " parity                                            \
    ";\nselp.u32 %r0, 1, 0, %d;\nst.global.u32 [%o + " word "], %r0;\n"

static const struct {
    const char *name, *ptx, *says; /* says: of the fault; NULL: none, and out begins with words */
    uint32_t words[6];
} kernels[] = {
    /* clang-format off */
    {"fresh barrier", HEAD INIT("1") TEST("0", "0") TEST("1", "4") ARRIVE TEST("0", "8") TEST("1", "12") TAIL, NULL, {0, 1, 1, 0}},
    {"state of an arrival", HEAD INIT("2") "mbarrier.arrive.shared.b64 %w0, [%s];\n"
        "mbarrier.test_wait.shared.b64 %d, [%s], %w0;\nselp.u32 %r0, 1, 0, %d;\nst.global.u32 [%o], %r0;\n" ARRIVE
        "mbarrier.test_wait.shared.b64 %d, [%s], %w0;\nselp.u32 %r0, 1, 0, %d;\nst.global.u32 [%o + 4], %r0;\n"
        "mbarrier.pending_count.b64 %r1, %w0;\nst.global.u32 [%o + 8], %r1;\n" TAIL, NULL, {0, 1, 2}},
    {"counts given", HEAD INIT("5") "mov.u32 %r1, 3;\nmbarrier.arrive.release.cta.shared::cta.b64 _, [%s], %r1;\n" TEST("0", "0")
        "mbarrier.arrive.shared::cta.release.cluster.b64 _, [%s], 2;\n" TEST("0", "4") TAIL, NULL, {0, 1}},
    {"transaction bytes", HEAD INIT("1") "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 48;\n" TEST("0", "0")
        "mbarrier.complete_tx.relaxed.cta.shared::cta.b64 [%s], 16;\n" TEST("0", "4")
        "mbarrier.complete_tx.shared::cta.b64 [%s], 32;\n" TEST("0", "8") TAIL, NULL, {0, 0, 1}},
    {"bytes before they are expected", HEAD INIT("1") "mbarrier.complete_tx.shared::cta.b64 [%s], 64;\n" ARRIVE TEST("0", "0")
        "mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%s], 64;\n" TEST("0", "4") TAIL, NULL, {0, 1}},
    {"dropping", HEAD INIT("2") "mbarrier.arrive_drop.shared::cta.b64 _, [%s];\n" ARRIVE TEST("0", "0") ARRIVE TEST("1", "4")
        "mbarrier.arrive_drop.expect_tx.shared::cta.b64 _, [%s], 16;\n" TEST("0", "8") TAIL, NULL, {1, 1, 0}},
    {"generic addresses", HEAD "cvt.u64.u32 %g, %s;\ncvta.shared.u64 %g, %g;\nmbarrier.init.b64 [%g], 1;\nmbarrier.arrive.b64 _, [%g];\n"
        "mbarrier.try_wait.parity.b64 %d, [%g], 0;\nselp.u32 %r0, 1, 0, %d;\nst.global.u32 [%o], %r0;\n" TAIL, NULL, {1}},
    {"a peek does not hang", HEAD INIT("1") "mbarrier.try_wait.parity.shared::cta.b64 %d, [%s], 0, 1000;\nselp.u32 %r0, 1, 0, %d;\n"
        "st.global.u32 [%o], %r0;\n" ARRIVE TEST("0", "4") TAIL, NULL, {0, 1}},
    {"bit 0 of a parity counts", HEAD INIT("1") TEST("2", "0") TEST("-1", "4") ARRIVE TEST("2", "8") TAIL, NULL, {0, 1, 1}},
    {"reuse after inval", HEAD INIT("1") ARRIVE "mbarrier.inval.shared::cta.b64 [%s];\n" INIT("1") TEST("0", "0") TAIL, NULL, {0}},

    {"never initialised", HEAD ARRIVE TAIL, "never initialised", {0}},
    {"used after inval", HEAD INIT("1") "mbarrier.inval.shared.b64 [%s];\n" ARRIVE TAIL, "never initialised", {0}},
    {"one arrival too many", HEAD INIT("3") "mbarrier.arrive.shared.b64 _, [%s], 4;\n" TAIL, "only 3 of 3 are pending", {0}},
    {"too many bytes", HEAD INIT("1") "mbarrier.expect_tx.shared.b64 [%s], 0xfffff;\nmbarrier.expect_tx.shared.b64 [%s], 1;\n" TAIL, "tx-count", {0}},
    {"count 0", HEAD INIT("0") TAIL, "a count of 0", {0}},
    {"misaligned", HEAD "add.u32 %s, %s, 4;\n" INIT("1") TAIL, "not a multiple of 8", {0}},
    {"outside", HEAD "add.u32 %s, %s, 0x10000;\n" INIT("1") TAIL, "outside the shared memory", {0}},
    {"noComplete completes", HEAD INIT("1") "mbarrier.arrive.noComplete.shared.b64 %w0, [%s], 1;\n" TAIL, ".noComplete", {0}},
    {"global address", HEAD "mbarrier.init.b64 [%o], 1;\n" TAIL, "not in shared memory", {0}},
    {"nobody arrives", HEAD INIT("2") ARRIVE "WAIT:\nmbarrier.try_wait.parity.shared.b64 %d, [%s], 0;\n@!%d bra WAIT;\n" TAIL, "has parity 0 and lacks 1 of 2 arrivals; in it have arrived", {0}},
    {"bytes never come", HEAD INIT("1") "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 4096;\n"
        "WAIT:\nmbarrier.try_wait.parity.shared.b64 %d, [%s], 0;\n@!%d bra WAIT;\n" TAIL, "has parity 0 and lacks 4096 bytes; in it", {0}},
    {"wait without arrival at the cluster barrier", HEAD "barrier.cluster.wait;\n" TAIL, "without having arrived", {0}},
    {"two arrivals at the cluster barrier", HEAD "barrier.cluster.arrive;\nbarrier.cluster.arrive;\n" TAIL, "twice", {0}},
    /* clang-format on */
};

ParameterizedTestParameters(emu_mbarrier, kernel) { return wl_test_rows(WL_LEN(kernels)); }
ParameterizedTest(size_t *i, emu_mbarrier, kernel) {
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        char report[4096];
        uint32_t *out = emu_kernel_memory(128);
        struct emu_kernel k = {kernels[*i].ptx, 1, 32, 1, 64, &out, sizeof out};
        int result = emu_kernel_run(&k, orders[o], 5, report, sizeof report);
        if (kernels[*i].says) {
            cr_expect(result > 0 && strstr(report, kernels[*i].says),
                      "%s (order %d): %d '%s' does not say '%s'", kernels[*i].name, orders[o], result, report,
                      kernels[*i].says);
            continue;
        }
        cr_assert_eq(result, 0, "%s: %s", kernels[*i].name, report);
        for (int w = 0; w < 6 && out[w] != 0xffffffff; w++)
            cr_expect_eq(out[w], kernels[*i].words[w], "%s (order %d): word %d is %u", kernels[*i].name,
                         orders[o], w, out[w]);
    }
}

/* Two CTAs: each arrives at the other's barrier, by mapa and by setting the rank bits, then waits at its own.
 */
static const char pair_kernel[] =
    ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 32,1,1\n{\n"
    ".reg .b32 %s, %t, %u, %rank, %peer, %th;\n.reg .b64 %o, %g;\n.reg .pred %p, %d;\n"
    "mov.b32 %s, smem;\nld.param.u64 %o, [out];\nmov.u32 %th, %tid.x;\nmov.u32 %rank, "
    "%cluster_ctarank;\nxor.b32 %peer, %rank, 1;\n"
    "setp.ne.u32 %p, %th, 0;\n@%p bra READY;\n"
    "mbarrier.init.shared::cta.b64 [%s], 3;\nfence.mbarrier_init.release.cluster;\n"
    "READY:\nbarrier.cluster.arrive.relaxed.aligned;\nbarrier.cluster.wait.acquire.aligned;\n@%p bra LEAVE;\n"
    "mapa.shared::cluster.u32 %t, %s, %peer;\n"
    "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [%t];\n"
    "xor.b32 %u, %s, 0x1000000;\nmbarrier.arrive.expect_tx.shared::cluster.b64 _, [%u], 32;\n"
    "mbarrier.complete_tx.relaxed.cluster.shared::cluster.b64 [%u], 32;\n"
    "cvt.u64.u32 %g, %s;\ncvta.shared.u64 %g, %g;\nmapa.u64 %g, %g, %peer;\nmbarrier.arrive.b64 _, [%g];\n"
    "WAIT:\nmbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 %d, [%s], 0;\n@!%d bra WAIT;\n"
    "getctarank.shared::cluster.u32 %u, %t;\nmul.wide.u32 %g, %rank, 8;\nadd.u64 %o, %o, "
    "%g;\nst.global.v2.u32 [%o], {%t, %u};\n"
    "LEAVE:\nbarrier.cluster.arrive;\nbarrier.cluster.wait;\nret;\n}\n";

Test(emu_mbarrier, remote_arrivals) {
    for (uint64_t seed = 0; seed < 8; seed++)
        for (size_t o = 0; o < WL_LEN(orders); o++) {
            char report[4096];
            uint32_t *out = emu_kernel_memory(32);
            struct emu_kernel k = {pair_kernel, 2, 32, 2, 64, &out, sizeof out};
            cr_assert_eq(emu_kernel_run(&k, orders[o], seed, report, sizeof report), 0, "%s", report);
            for (uint32_t rank = 0; rank < 2; rank++) {
                cr_expect_eq(out[2 * rank], (rank ^ 1) << 24 | 0x400, "mapa gives %08x", out[2 * rank]);
                cr_expect_eq(out[2 * rank + 1], rank ^ 1);
            }
        }
}

Test(emu_mbarrier, wrong_remote_use_is_named) {
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"mapa.shared::cluster.u32 %s, %s, 1;\nmbarrier.arrive.shared::cta.b64 _, [%s];\n",
         "reaches only the own CTA"},
        {"mapa.shared::cluster.u32 %s, %s, 1;\nmbarrier.arrive.shared::cluster.b64 %w0, [%s];\n", "write _"},
        {"mapa.shared::cluster.u32 %s, %s, 7;\nmbarrier.arrive.shared::cluster.b64 _, [%s];\n", "CTA 7"},
    };
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        char ptx[2048], report[4096];
        uint64_t out = 0;
        snprintf(ptx, sizeof ptx, "%s%s%s", HEAD, rows[i].body, TAIL);
        struct emu_kernel k = {ptx, 2, 32, 2, 64, &out, sizeof out};
        int result = emu_kernel_run(&k, EMU_ORDER_LATE, 1, report, sizeof report);
        cr_expect(result > 0 && strstr(report, rows[i].says), "row %zu: %d '%s'", i, result, report);
    }
}
