/* The judge: for each class of hazard a kernel that is right, and silent in every order, and the same with
 * one line removed or changed, which must be named.
 *
 * In a body, <<line>> is there in the right kernel only, and <<line||other>> becomes the other one. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/fault.h"
#include "tests/emu_run.h"
#include "tests/test.h"

#define HEAD                                                                                                 \
    ".version 8.8\n.target sm_100a\n.address_size 64\n"                                                      \
    ".extern .shared .align 1024 .b8 smem[];\n"                                                              \
    ".visible .entry test(.param .u64 memory)\n{\n"                                                          \
    ".reg .pred %first, %lead, %done, %other;\n.reg .b32 %s, %t, %w, %c, %m, %r<8>;\n.reg .b64 %g, %a, "     \
    "%b;\n"                                                                                                  \
    "mov.b32 %s, smem;\nmov.u32 %t, %tid.x;\nshr.u32 %w, %t, 5;\nld.param.u64 %g, [memory];\n"               \
    "setp.eq.u32 %first, %w, 0;\nsetp.eq.u32 %lead, %t, 0;\nsetp.eq.u32 %other, %t, 32;\n"

#define INIT(offset, count) "@%lead mbarrier.init.shared::cta.b64 [%s + " offset "], " count ";\n"
#define INIT_FENCE          "@%lead fence.mbarrier_init.release.cluster;\n"
#define SYNC                "bar.sync 0;\n"
#define ARRIVE(who, offset) "@" who " mbarrier.arrive.shared::cta.b64 _, [%s + " offset "];\n"
/* Done by the lanes that a branch lets through, or by all. */
#define WAIT(label, offset, parity)                                                                          \
    label ": mbarrier.try_wait.parity.shared::cta.b64 %done, [%s + " offset "], " parity                     \
          ";\n@!%done bra " label ";\n"
#define LOAD(offset) /* 128 bytes to offset, told to the mbarrier at 0 */                                    \
    "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 128;\n"                                       \
    "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s + " offset                 \
    "], [%g], 128, [%s];\n"

#define FENCE_BEFORE "tcgen05.fence::before_thread_sync;\n"
#define FENCE_AFTER  "tcgen05.fence::after_thread_sync;\n"
/* 64 columns, by warp 0; %m: their address */
#define ALLOC                                                                                                \
    "@!%first bra ALLOCATED;\n"                                                                              \
    "tcgen05.alloc.cta_group::1.sync.aligned.shared::cta.b32 [%s + 64], 64;\n"                               \
    "ALLOCATED:\n" SYNC FENCE_AFTER "ld.shared.b32 %m, [%s + 64];\n"
#define DEALLOC SYNC "@!%first bra FREED;\ntcgen05.dealloc.cta_group::1.sync.aligned.b32 %m, 64;\nFREED:\n"
#define TLD     "tcgen05.ld.sync.aligned.32x32b.x4.b32 {%r0, %r1, %r2, %r3}, [%m];\n"
#define TST     "tcgen05.st.sync.aligned.32x32b.x4.b32 [%m], {%t, %t, %t, %t};\n"
#define WAIT_LD "tcgen05.wait::ld.sync.aligned;\n"
#define WAIT_ST "tcgen05.wait::st.sync.aligned;\n"

/* Operands of 128 x 16 and n x 16 halves at 1024 and 8192, without swizzle. */
#define DESCRIPTORS                                                                                          \
    "add.u32 %r0, %s, 1024;\nbfe.u32 %r0, %r0, 4, 14;\nor.b32 %r0, %r0, 0x80000;\nmov.b64 %a, {%r0, "        \
    "0x4010};\n"                                                                                             \
    "add.u32 %r0, %s, 8192;\nbfe.u32 %r0, %r0, 4, 14;\nor.b32 %r0, %r0, 0x80000;\nmov.b64 %b, {%r0, "        \
    "0x4010};\n"
#define MMA(column, idesc)                                                                                   \
    "@%lead tcgen05.mma.cta_group::1.kind::f16 [%m + " column "], %a, %b, " idesc ", 0;\n"
#define N64    "0x08100010" /* float32 += half x half, M 128 */
#define N32    "0x08080010"
#define COMMIT "@%lead tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%s];\n"

static const struct {
    const char *name;
    uint32_t threads, cluster;
    bool strict;
    const char *says, *or_says; /* of the wrong one: "[race]"; a second text that is as good, or NULL */
    const char *body;
} rows[] = {
    /* clang-format off */
    {"two warps, no barrier", 64, 1, false, "[race]", NULL,
     "@%first st.shared.b32 [%s], %t;\n<<" SYNC ">>@!%first ld.shared.b32 %r0, [%s];\n"},
    {"a write after a read", 64, 1, false, "[race]", NULL,
     "@!%first ld.shared.b32 %r0, [%s];\n<<" SYNC ">>@%first st.shared.b32 [%s], %t;\n"},
    {"two warps store what differs", 64, 1, false, "[race]", NULL, "<<@%first >>st.shared.b32 [%s], %w;\n"},
    {"two warps store what is equal", 64, 1, true, "[race]", NULL, "<<@%first >>st.shared.v2.b64 [%s], {%g, %g};\n"},
    {"an arrival that can count for the use before", 64, 1, false, "[early arrival]", "deadlock",
     "@!%first bra OTHER;\nbar.arrive 1, 64;\n<<bar.sync 2, 64;\n>>bar.arrive 1, 64;\nbra END;\nOTHER:\n"
     "bar.sync 1, 64;\nbar.arrive 2, 64;\nbar.sync 1, 64;\nEND:\n"},
    {"bulk store without proxy fence", 64, 1, false, "[proxy]", NULL,
     "@!%first st.shared.b32 [%s], %t;\n<<fence.proxy.async.shared::cta;\n>>" SYNC
     "@%lead cp.async.bulk.global.shared::cta.bulk_group [%g], [%s], 16;\n"
     "@%lead cp.async.bulk.commit_group;\n@%lead cp.async.bulk.wait_group.read 0;\n"},
    {"bulk store's source rewritten", 32, 1, false, "[race]", NULL,
     "@%lead cp.async.bulk.global.shared::cta.bulk_group [%g], [%s], 16;\n@%lead cp.async.bulk.commit_group;\n"
     "<<@%lead cp.async.bulk.wait_group.read 0;\n>>@%lead st.shared.b32 [%s], %t;\n"
     "@%lead cp.async.bulk.wait_group.read 0;\n"},
    {"exit while a bulk store reads", 32, 1, false, "[exit]", NULL,
     "@%lead cp.async.bulk.global.shared::cta.bulk_group [%g], [%s], 16;\n@%lead cp.async.bulk.commit_group;\n"
     "<<@%lead cp.async.bulk.wait_group.read 0;\n>>"},
    {"bulk load read too early", 64, 1, false, "[race]", NULL,
     INIT("0", "1") INIT_FENCE SYNC LOAD("128") "<<" WAIT("W0", "0", "0") ">>ld.shared.b32 %r0, [%s + 128];\n"
     WAIT("W1", "0", "0")},
    {"exit before a bulk load ends", 32, 1, false, "[exit]", NULL,
     INIT("0", "1") INIT_FENCE SYNC LOAD("128") "<<" WAIT("W0", "0", "0") ">>"},
    {"refill before the reader is done", 64, 1, false, "[race]", "deadlock",
     INIT("0", "1") INIT("8", "1") INIT_FENCE SYNC "@!%first bra READER;\n"
     LOAD("128") WAIT("W0", "0", "0") "<<" WAIT("W1", "8", "0") ">>" LOAD("128") WAIT("W2", "0", "1") "bra END;\n"
     "READER:\n" WAIT("W3", "0", "0") "ld.shared.b32 %r0, [%s + 128];\n" ARRIVE("%other", "8") "END:\n"},
    {"two copies to one place", 32, 1, false, "[race]", NULL,
     INIT("0", "1") INIT_FENCE SYNC "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 256;\n"
     "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s + 128], [%g], 128, [%s];\n"
     "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s + <<256||192>>], [%g], 128, [%s];\n"
     WAIT("W0", "0", "0")},
    {"cp.async not waited for", 32, 1, false, "[race]", NULL,
     "cp.async.ca.shared.global [%s], [%g], 4;\n<<cp.async.wait_all;\n>>ld.shared.b32 %r0, [%s];\n"
     "cp.async.wait_all;\n"},
    {"tcgen05.ld not waited for", 160, 1, true, "[wait::ld]", NULL,
     ALLOC "@!%first bra L0;\n" TLD "<<" WAIT_LD ">>" FENCE_BEFORE "L0:\n" SYNC "setp.eq.u32 %done, %w, 4;\n"
     "@!%done bra L1;\n" FENCE_AFTER TST WAIT_ST FENCE_BEFORE "L1:\n" WAIT_LD DEALLOC},
    {"tcgen05.st not waited for", 160, 1, false, "[wait::st]", NULL,
     ALLOC "@!%first bra L0;\n" TST "<<" WAIT_ST ">>" FENCE_BEFORE "L0:\n" SYNC "setp.eq.u32 %done, %w, 4;\n"
     "@!%done bra L1;\n" FENCE_AFTER TLD WAIT_LD FENCE_BEFORE "L1:\n" WAIT_ST DEALLOC},
    {"no fence before the barrier", 160, 1, true, "[tcgen05 fence]", NULL,
     ALLOC "@!%first bra L0;\n" TST WAIT_ST "<<" FENCE_BEFORE ">>" "L0:\n" SYNC "setp.eq.u32 %done, %w, 4;\n"
     "@!%done bra L1;\n" FENCE_AFTER TLD WAIT_LD FENCE_BEFORE "L1:\n" DEALLOC},
    {"no fence after the barrier", 160, 1, true, "[tcgen05 fence]", NULL,
     ALLOC "@!%first bra L0;\n" TST WAIT_ST FENCE_BEFORE "L0:\n" SYNC "setp.eq.u32 %done, %w, 4;\n"
     "@!%done bra L1;\n<<" FENCE_AFTER ">>" TLD WAIT_LD FENCE_BEFORE "L1:\n" DEALLOC},
    {"tcgen05.st between warps, no barrier", 160, 1, false, "[tmem race]", NULL,
     ALLOC "@!%first bra L0;\n" TST WAIT_ST FENCE_BEFORE "L0:\n<<" SYNC ">>setp.eq.u32 %done, %w, 4;\n"
     "@!%done bra L1;\n" FENCE_AFTER TLD WAIT_LD FENCE_BEFORE "L1:\n" DEALLOC},
    {"mma's operand rewritten", 32, 1, false, "[race]", NULL,
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS MMA("0", N64) COMMIT "<<" WAIT("W0", "0", "0") ">>"
     "st.shared.b32 [%s + 1024], %t;\n" WAIT("W1", "0", "0") FENCE_AFTER DEALLOC},
    {"mma's operand written without proxy fence", 32, 1, false, "[proxy]", NULL,
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS "st.shared.b32 [%s + 1024], %t;\n<<fence.proxy.async.shared::cta;\n>>"
     "bar.warp.sync 0xffffffff;\n" MMA("0", N64) COMMIT WAIT("W0", "0", "0") FENCE_AFTER DEALLOC},
    {"mma's result read too early", 32, 1, false, "[tmem race]", NULL,
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS MMA("0", N64) COMMIT "<<" WAIT("W0", "0", "0") ">>" FENCE_AFTER TLD WAIT_LD
     WAIT("W1", "0", "0") FENCE_AFTER DEALLOC},
    {"commit missing", 32, 1, false, "deadlock", NULL,
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS MMA("0", N64) "<<" COMMIT ">>" WAIT("W0", "0", "0") FENCE_AFTER DEALLOC},
    {"commit before the last mma", 32, 1, false, "[exit]", "not all of these columns",
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS "<<" MMA("0", N64) COMMIT "||" COMMIT MMA("0", N64) ">>"
     WAIT("W0", "0", "0") FENCE_AFTER DEALLOC},
    {"exit before a commit arrives", 32, 1, true, "[exit]", NULL,
     INIT("0", "1") INIT("8", "1") INIT_FENCE ALLOC DESCRIPTORS MMA("0", N64) COMMIT
     "@%lead tcgen05.commit.cta_group::1.mbarrier::arrive::one.shared::cluster.b64 [%s + 8];\n"
     WAIT("W0", "0", "0") "<<" WAIT("W1", "8", "0") ">>" FENCE_AFTER DEALLOC},
    {"two accumulators that overlap", 32, 1, true, "[tcgen05 order]", NULL,
     INIT("0", "1") INIT_FENCE ALLOC DESCRIPTORS MMA("0", N64) "<<" FENCE_BEFORE ">>" MMA("32", N32) COMMIT
     WAIT("W0", "0", "0") FENCE_AFTER DEALLOC},
    {"a phase that can be missed", 64, 1, false, "[missed phase]", "deadlock",
     INIT("0", "1") INIT("8", "1") INIT_FENCE SYNC "@!%first bra OTHER;\n"
     WAIT("W0", "0", "0") ARRIVE("%lead", "8") WAIT("W1", "0", "1") "bra END;\nOTHER:\n"
     ARRIVE("%other", "0") "nanosleep.u32 100;\n<<" WAIT("W2", "8", "0") ">>" ARRIVE("%other", "0") "END:\n"},
    {"an arrival that can be too early", 64, 1, false, "[early arrival]", NULL,
     INIT("0", "2") INIT_FENCE SYNC "@!%first bra OTHER;\n"
     ARRIVE("%lead", "0") "<<" WAIT("W0", "0", "0") ">>" ARRIVE("%lead", "0") WAIT("W1", "0", "1") "bra END;\nOTHER:\n"
     ARRIVE("%other", "0") WAIT("W2", "0", "0") ARRIVE("%other", "0") "END:\n"},
    {"over-arrival", 32, 1, false, "[early arrival]", "arrival(s), but only",
     INIT("0", "32") INIT_FENCE SYNC "mbarrier.arrive.shared::cta.b64 _, [%s];\n<<||@%lead "
     "mbarrier.arrive.shared::cta.b64 _, [%s], 33;\n>>" WAIT("W0", "0", "0")},
    {"bytes that never come", 32, 1, false, "deadlock", NULL,
     INIT("0", "1") INIT_FENCE SYNC "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], <<128||256>>;\n"
     "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s + 128], [%g], 128, [%s];\n"
     WAIT("W0", "0", "0")},
    {"bytes that nobody expects", 32, 1, false, "deadlock", NULL,
     INIT("0", "1") INIT_FENCE SYNC "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], <<128||64>>;\n"
     "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s + 128], [%g], 128, [%s];\n"
     WAIT("W0", "0", "0")},
    {"init without barrier", 64, 1, false, "[init]", "never initialised",
     INIT("0", "1") INIT_FENCE "<<" SYNC ">>" ARRIVE("%other", "0") WAIT("W0", "0", "0")},
    {"init without fence", 32, 1, true, "[init fence]", NULL,
     INIT("0", "1") "<<" INIT_FENCE ">>" SYNC LOAD("128") WAIT("W0", "0", "0")},
    {"lanes apart", 64, 1, true, "[aligned]", NULL,
     INIT("0", "1") INIT_FENCE SYNC "@!%first bra OTHER;\n@!%lead bra JOIN;\n" WAIT("W0", "0", "0")
     "JOIN:\n<<bar.warp.sync 0xffffffff;\n>>bar.sync 1, 32;\nbra END;\nOTHER:\nnanosleep.u32 100;\n" ARRIVE("%other", "0")
     "END:\n"},
    {"a peer that has not started", 32, 2, false, "[peer start]", NULL,
     "mov.u32 %c, %cluster_ctarank;\nxor.b32 %c, %c, 1;\nmapa.shared::cluster.u32 %r0, %s, %c;\n"
     "<<barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n>>@%lead st.shared::cluster.b32 [%r0], %t;\n"
     "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"},
    {"a peer that has ended", 32, 2, false, "[exit]", NULL,
     "mov.u32 %c, %cluster_ctarank;\nxor.b32 %c, %c, 1;\nmapa.shared::cluster.u32 %r0, %s, %c;\n"
     "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n@%lead st.shared::cluster.b32 [%r0], %t;\n"
     "<<barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n>>"},
    {"a phase behind a peer's copy", 32, 2, false, "[missed phase]", "deadlock",
     INIT("0", "1") INIT("8", "1") INIT_FENCE "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"
     "mov.u32 %c, %cluster_ctarank;\nsetp.eq.u32 %other, %c, 1;\nxor.b32 %c, %c, 1;\n"
     "mapa.shared::cluster.u32 %r0, %s, %c;\n@%other bra PEER;\n"
     "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 128;\n"
     "@%lead mbarrier.arrive.shared::cluster.b64 _, [%r0 + 8];\n<<" WAIT("W0", "0", "0")
     ">>@%lead mbarrier.arrive.shared::cluster.b64 _, [%r0 + 8];\n" WAIT("W1", "0", "0") "bra END;\nPEER:\n"
     WAIT("W2", "8", "0")
     "@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r0 + 128], [%g], 128, [%r0];\n"
     WAIT("W3", "8", "1") "END:\nbarrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"},
    {"an arrival behind a peer's copy", 32, 2, false, "[early arrival]", "arrival(s), but only",
     INIT("0", "1") INIT("8", "2") INIT_FENCE "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"
     "mov.u32 %c, %cluster_ctarank;\nsetp.eq.u32 %other, %c, 1;\nxor.b32 %c, %c, 1;\n"
     "mapa.shared::cluster.u32 %r0, %s, %c;\n@%other bra PEER;\n" ARRIVE("%lead", "8") "<<" WAIT("W0", "8", "0")
     ">>@%lead cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r0 + 128], [%g], 128, [%r0];\n"
     WAIT("W1", "8", "0") ARRIVE("%lead", "8") WAIT("W2", "8", "1") "bra END;\nPEER:\n"
     "@%lead mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s], 128;\n"
     "@%lead mbarrier.arrive.shared::cluster.b64 _, [%r0 + 8];\n" WAIT("W3", "0", "0")
     "@%lead mbarrier.arrive.shared::cluster.b64 _, [%r0 + 8];\n"
     "END:\nbarrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n"},
    {"a flag in memory", 64, 1, false, "[race]", NULL,
     "@!%first bra OTHER;\n@%lead st.shared.b32 [%s + 8], %t;\n<<@%lead st.release.cta.shared.b32 [%s], 1;\n||"
     "@%lead st.shared.b32 [%s], 1;\n>>bra END;\nOTHER:\nld.acquire.cta.shared.b32 %r0, [%s];\nsetp.ne.u32 %done, %r0, 1;\n"
     "@%done bra OTHER;\nld.shared.b32 %r1, [%s + 8];\nEND:\n"},
    /* clang-format on */
};

static const struct {
    enum emu_order order;
    uint64_t seed;
} orders[] = {{EMU_ORDER_EAGER, 0}, {EMU_ORDER_LATE, 0}, {EMU_ORDER_RANDOM, 1}, {EMU_ORDER_RANDOM, 2}};

/* The body with its <<choices>> made. */
static char *compose(const char *head, const char *body, bool right) {
    char *text = malloc(strlen(head) + strlen(body) + 16), *to = text + sprintf(text, "%s", head);
    for (const char *p = body; *p;) {
        const char *end = strncmp(p, "<<", 2) == 0 ? strstr(p, ">>") : NULL;
        if (!end) {
            *to++ = *p++;
            continue;
        }
        const char *bar = strstr(p, "||"), *other = bar && bar < end ? bar : NULL;
        const char *from = right ? p + 2 : other ? other + 2 : end, *until = right && other ? other : end;
        memcpy(to, from, (size_t)(until - from));
        to += until - from;
        p = end + 2;
    }
    strcpy(to, "ret;\n}\n");
    return text;
}

static struct emu_run *judge(size_t i, size_t order, bool right, enum emu_check check) {
    struct emu_run *run = calloc(1, sizeof *run);
    uint64_t memory = emu_device_alloc(emu_run_device(), 4096);
    char *text = compose(HEAD, rows[i].body, right);
    run->ptx = text;
    run->grid[0] = run->cluster[0] = rows[i].cluster;
    run->block[0] = rows[i].threads;
    run->smem = 32768;
    run->params = &memory;
    run->param_bytes = sizeof memory;
    run->order = orders[order].order;
    run->seed = orders[order].seed;
    run->check = check;
    emu_run(run);
    emu_device_free(emu_run_device(), memory);
    free(text);
    return run;
}

ParameterizedTestParameters(judge, hazard) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, judge, hazard) {
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        struct emu_run *right = judge(*i, o, true, EMU_CHECK_STRICT),
                       *wrong = judge(*i, o, false, EMU_CHECK_STRICT);
        cr_expect_eq(right->status, 0, "%s, order %zu: the right one: %s", rows[*i].name, o, right->report);
        bool named = strstr(wrong->report, rows[*i].says) ||
                     (rows[*i].or_says && strstr(wrong->report, rows[*i].or_says));
        cr_expect(wrong->status > 0 && named, "%s, order %zu: %d '%s' does not say '%s'", rows[*i].name, o,
                  wrong->status, wrong->report, rows[*i].says);
        free(right);
        free(wrong);
    }
}

/* What only the manual demands is no error. */
ParameterizedTestParameters(judge, level) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, judge, level) {
    struct emu_run *wrong = judge(*i, 0, false, EMU_CHECK_ERROR);
    cr_expect_eq(wrong->status != 0, !rows[*i].strict, "%s: %s", rows[*i].name, wrong->report);
    free(wrong);
}

/* ---- Hopper ---- */

static const struct {
    const char *name, *says, *body;
} wgmma_rows[] = {
/* clang-format off */
#define WGMMA "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 {%f0, %f1, %f2, %f3}, %a, %a, 1, 1, 1, 0, 0;\n"
#define WGMMA_COMMIT "wgmma.commit_group.sync.aligned;\n"
#define WGMMA_WAIT "wgmma.wait_group.sync.aligned 0;\n"
    {"no wgmma.fence", "[wgmma.fence]", "<<wgmma.fence.sync.aligned;\n>>" WGMMA WGMMA_COMMIT WGMMA_WAIT},
    {"accumulator touched since the fence", "[wgmma.fence]",
     "wgmma.fence.sync.aligned;\n" WGMMA WGMMA_COMMIT WGMMA_WAIT "mul.f32 %f1, %f1, %f2;\n<<wgmma.fence.sync.aligned;\n>>"
     WGMMA WGMMA_COMMIT WGMMA_WAIT},
    {"operand rewritten", "[race]",
     "wgmma.fence.sync.aligned;\n" WGMMA WGMMA_COMMIT "<<" WGMMA_WAIT ">>bar.sync 0;\nst.shared.b32 [%s], %t;\n" WGMMA_WAIT},
    {"one warp of four does not wait for the operand", "[race]",
     "{\n.reg .pred %lead, %one, %done;\n.reg .b32 %m, %w;\nmov.b32 %m, smem;\nsetp.eq.u32 %lead, %t, 0;\nshr.u32 %w, %t, 5;\n"
     "setp.eq.u32 %one, %w, 2;\n@%lead mbarrier.init.shared::cta.b64 [%m + 4096], 1;\n"
     "@%lead fence.mbarrier_init.release.cluster;\nbar.sync 0;\n@!%lead bra FILLED;\n"
     "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%m + 4096], 128;\n"
     "cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%m], [%m + 4224], 128, [%m + 4096];\n"
     "FILLED:\nbar.warp.sync 0xffffffff;\n<<||@%one bra GO;\n>>WAIT:\n"
     "mbarrier.try_wait.parity.shared::cta.b64 %done, [%m + 4096], 0;\n@!%done bra WAIT;\nGO:\nbar.warp.sync 0xffffffff;\n}\n"
     "wgmma.fence.sync.aligned;\n" WGMMA WGMMA_COMMIT WGMMA_WAIT},
    {"one warp of four has a wait of its own", "[warpgroup]",
     "{\n.reg .pred %one;\n.reg .b32 %w;\nshr.u32 %w, %t, 5;\nsetp.eq.u32 %one, %w, 2;\nwgmma.fence.sync.aligned;\n" WGMMA WGMMA_COMMIT
     "@%one bra OWN;\n<<||" WGMMA_WAIT "bra.uni DONE;\n>>OWN:\n" WGMMA_WAIT "DONE:\n}\n"},
    {"operand written without proxy fence", "[proxy]",
     "st.shared.b32 [%s], %t;\n<<fence.proxy.async;\n>>bar.sync 0;\nwgmma.fence.sync.aligned;\n" WGMMA WGMMA_COMMIT WGMMA_WAIT},
    /* clang-format on */
};
#define WGMMA_HEAD                                                                                           \
    ".version 8.0\n.target sm_90a\n.address_size 64\n.extern .shared .align 1024 .b8 smem[];\n"              \
    ".visible .entry test()\n{\n.reg .b32 %s, %t, %r;\n.reg .f32 %f<4>;\n.reg .b64 %a;\nmov.b32 %s, smem;\n" \
    "mov.u32 %t, %tid.x;\nshl.b32 %r, %t, 2;\nadd.u32 %s, %s, %r;\nmov.b32 %r, smem;\nbfe.u32 %r, %r, 4, "   \
    "14;\n"                                                                                                  \
    "or.b32 %r, %r, 0x80000;\nmov.b64 %a, {%r, 0x10};\n"

ParameterizedTestParameters(judge, wgmma) { return wl_test_rows(WL_LEN(wgmma_rows)); }
ParameterizedTest(size_t *i, judge, wgmma) {
    struct emu_device *device = emu_device_create(emu_profile_find("h100"));
    for (size_t o = 0; o < 2 * WL_LEN(orders); o++) {
        struct emu_run *run = calloc(1, sizeof *run);
        char *text = compose(WGMMA_HEAD, wgmma_rows[*i].body, o % 2 == 0);
        *run = (struct emu_run){.ptx = text,
                                .block = {128},
                                .smem = 8192,
                                .order = orders[o / 2].order,
                                .seed = orders[o / 2].seed,
                                .check = EMU_CHECK_STRICT,
                                .device = device};
        emu_run(run);
        if (o % 2 == 0)
            cr_expect_eq(run->status, 0, "%s, order %zu: the right one: %s", wgmma_rows[*i].name, o / 2,
                         run->report);
        else
            cr_expect(run->status > 0 && strstr(run->report, wgmma_rows[*i].says),
                      "%s, order %zu: '%s' does not say '%s'", wgmma_rows[*i].name, o / 2, run->report,
                      wgmma_rows[*i].says);
        free(text);
        free(run);
    }
    emu_device_destroy(device);
}

Test(judge, off_says_nothing) {
    struct emu_run *wrong = judge(0, 0, false, EMU_CHECK_OFF);
    cr_expect_eq(wrong->status, 0, "%s", wrong->report);
    free(wrong);
}

Test(judge, report_names_both) {
    struct emu_run *wrong = judge(0, 0, false, EMU_CHECK_ERROR);
    cr_expect_eq(wrong->status, EMU_FAULT_ASSERT);
    cr_expect(strstr(wrong->report, "1 hazard(s) found"), "%s", wrong->report);
    cr_expect(strstr(wrong->report, "0x00000400"), "%s", wrong->report);
    cr_expect(strstr(wrong->report, "st.shared.b32 of CTA 0 warp 0"), "%s", wrong->report);
    cr_expect(strstr(wrong->report, "ld.shared.b32 of CTA 0 warp 1"), "%s", wrong->report);
    free(wrong);
}

static struct emu_run *wrong_of(const char *name, size_t order) {
    size_t i = 0;
    while (strcmp(rows[i].name, name) != 0) i++;
    return judge(i, order, false, EMU_CHECK_ERROR);
}

/* The label above it is a role's in many kernels; a copy is its issuer's, though its mbarrier tells of its end. */
Test(judge, report_names_label_and_issuer) {
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        struct emu_run *wrong = wrong_of("a phase behind a peer's copy", o);
        cr_expect(strstr(wrong->report, " (in W2)"), "%s", wrong->report);
        free(wrong);
        wrong = wrong_of("bulk load read too early", o);
        cr_expect(strstr(wrong->report, "complete_tx::bytes) of CTA 0 warp 0 that ends with phase 0"), "%s",
                  wrong->report);
        free(wrong);
    }
}
