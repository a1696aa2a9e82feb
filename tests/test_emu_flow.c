/* Divergence, barriers, warp-wide instructions, calls, faults and deadlock reports of the emulator. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu_run.h"

/* ---- one warp: %r0 to %r3 after the body against a rule ---- */

static uint32_t lane_of(uint32_t i) { return i; }
static uint32_t sum_below(uint32_t i) { return i * (i + 1) / 2; }
static uint32_t odd_even(uint32_t i) { return i & 1 ? 100 + i : 200 + i; }
static uint32_t full(uint32_t i) { return (void)i, 0xffffffffu; }
static uint32_t half_mask(uint32_t i) { return i < 16 ? 0x0000ffff : 0xffff0000; }
static uint32_t reversed_lane(uint32_t i) { return 31 - i; }
static uint32_t one_down(uint32_t i) { return i < 31 ? i + 1 : 31; }
static uint32_t one_up8(uint32_t i) { return i % 8 ? i - 1 : i; }
static uint32_t in_segment(uint32_t i) { return i % 8 != 0; }
static uint32_t segment_first(uint32_t i) { return i & ~3u; }
static uint32_t total(uint32_t i) { return (void)i, 31 * 32 / 2; }
static uint32_t mod4_mask(uint32_t i) { return 0x11111111u << i % 4; }
static uint32_t five(uint32_t i) { return (void)i, 5; }
static uint32_t is_five(uint32_t i) { return i == 5; }
static uint32_t switched(uint32_t i) { return 10 * (i % 3 + 1); }
static uint32_t squares(uint32_t i) { return i * i + 7; }
static uint32_t nested(uint32_t i) { return i < 8 ? 1 : i < 16 ? 2 : i < 24 ? 3 : 4; }
static uint32_t collatz(uint32_t i) {
    uint32_t n = 0;
    for (uint32_t v = i + 1; v != 1; n++) v = v & 1 ? 3 * v + 1 : v / 2;
    return n;
}

/* clang-format off */
static const struct {
    const char *name, *body;
    uint32_t (*rule)(uint32_t lane);
} warps[] = {
    {"laneid", "mov.u32 %r0, %lane;", lane_of},
    {"a loop of another length in each lane",
     "mov.u32 %r0, 0; mov.u32 %r1, %lane;\nL: add.u32 %r0, %r0, %r1; sub.u32 %r1, %r1, 1; setp.ge.s32 %p0, %r1, 0; @%p0 bra L;", sum_below},
    {"if, else, and together again",
     "and.b32 %r1, %lane, 1; setp.ne.u32 %p0, %r1, 0; @%p0 bra ODD; add.u32 %r0, %lane, 200; bra END;\n"
     "ODD: add.u32 %r0, %lane, 100; END: activemask.b32 %r2; setp.ne.u32 %p1, %r2, -1; @%p1 mov.u32 %r0, 0;", odd_even},
    {"nested branches",
     "setp.lt.u32 %p0, %lane, 16; @%p0 bra A; setp.lt.u32 %p1, %lane, 24; @%p1 bra B; mov.u32 %r0, 4; bra E; B: mov.u32 %r0, 3; bra E;\n"
     "A: setp.lt.u32 %p1, %lane, 8; @%p1 bra C; mov.u32 %r0, 2; bra E; C: mov.u32 %r0, 1; E: bar.warp.sync -1;", nested},
    {"divergent loops with data-dependent exits",
     "add.u32 %r1, %lane, 1; mov.u32 %r0, 0;\nL: setp.eq.u32 %p0, %r1, 1; @%p0 bra E; and.b32 %r2, %r1, 1; setp.eq.u32 %p1, %r2, 0; @%p1 bra H;\n"
     "mad.lo.u32 %r1, %r1, 3, 1; bra N; H: shr.u32 %r1, %r1, 1; N: add.u32 %r0, %r0, 1; bra L; E: bar.warp.sync -1;", collatz},
    {"predicated instructions", "mov.u32 %r0, 0; setp.eq.u32 %p0, %lane, 5; @%p0 mov.u32 %r0, 1;", is_five},
    {"brx.idx", "rem.u32 %r1, %lane, 3; ts: .branchtargets A, B, C; brx.idx %r1, ts;\n"
                "A: mov.u32 %r0, 10; bra E; B: mov.u32 %r0, 20; bra E; C: mov.u32 %r0, 30; E: bar.warp.sync -1;", switched},
    {"vote ballot under a branch",
     "setp.lt.u32 %p0, %lane, 16; setp.ge.u32 %p1, %lane, 0; @%p0 bra A; vote.sync.ballot.b32 %r0, %p1, 0xffff0000; bra E;\n"
     "A: vote.sync.ballot.b32 %r0, %p1, 0x0000ffff; E: bar.warp.sync 0xffffffff;", half_mask},
    {"two membermasks at one instruction",
     "setp.lt.u32 %p0, %lane, 16; selp.b32 %r1, 0x0000ffff, 0xffff0000, %p0; vote.sync.ballot.b32 %r0, 1, %r1;", half_mask},
    {"vote any, all, uni",
     "setp.eq.u32 %p0, %lane, 3; vote.sync.any.pred %p1, %p0, -1; vote.sync.all.pred %p2, !%p0, -1; vote.sync.uni.pred %p3, %p1, -1;\n"
     "vote.sync.uni.pred %p4, %p0, -1; not.pred %p2, %p2; not.pred %p4, %p4; and.pred %p1, %p1, %p2; and.pred %p3, %p3, %p4;\n"
     "and.pred %p1, %p1, %p3; selp.b32 %r0, -1, 0, %p1;", full},
    {"shfl bfly", "shfl.sync.bfly.b32 %r0, %lane, 31, 31, -1;", reversed_lane},
    {"shfl down", "shfl.sync.down.b32 %r0, %lane, 1, 31, -1;", one_down},
    {"shfl up in segments of 8", "shfl.sync.up.b32 %r0, %lane, 1, 0x1800, -1;", one_up8},
    {"shfl up: validity", "shfl.sync.up.b32 %r1|%p0, %lane, 1, 0x1800, -1; selp.b32 %r0, 1, 0, %p0;", in_segment},
    {"shfl idx in segments of 4: index modulo the width", "shfl.sync.idx.b32 %r0, %lane, 4, 0x1c1f, -1;", segment_first},
    {"redux add", "redux.sync.add.u32 %r0, %lane, -1;", total},
    {"redux and, or, xor, min, max",
     "redux.sync.or.b32 %r1, %lane, -1; redux.sync.and.b32 %r2, %lane, -1; redux.sync.xor.b32 %r3, %lane, -1; redux.sync.max.s32 %r4, %lane, -1;\n"
     "redux.sync.min.u32 %r5, %lane, -1; add.u32 %r0, %r1, %r2; add.u32 %r0, %r0, %r3; add.u32 %r0, %r0, %r4; add.u32 %r0, %r0, %r5;\n"
     "sub.u32 %r0, %r0, 57;", five},
    {"match any", "and.b32 %r1, %lane, 3; match.any.sync.b32 %r0, %r1, -1;", mod4_mask},
    {"match all", "mov.u32 %r1, 9; match.all.sync.b32 %r0|%p0, %r1, -1; @!%p0 mov.u32 %r0, 0;", full},
    {"elect takes the lowest lane of the mask", "setp.ge.u32 %p1, %lane, 5; mov.u32 %r0, 5; @%p1 elect.sync %r0|%p0, 0xffffffe0;", five},
    {"elect: one lane only", "mov.u32 %r0, 0; setp.ge.u32 %p1, %lane, 5; @!%p1 bra E; elect.sync _|%p0, 0xffffffe0; selp.b32 %r0, 1, 0, %p0;\nE: bar.warp.sync -1;", is_five},
    {"exit of some lanes: the others meet without them",
     "setp.eq.u32 %p0, %lane, 40; @%p0 exit; mov.u32 %r0, %lane; bar.warp.sync -1;", lane_of},
};
/* clang-format on */

ParameterizedTestParameters(emu_flow, warp) { return wl_test_rows(WL_LEN(warps)); }
ParameterizedTest(size_t *i, emu_flow, warp) {
    uint32_t out[4][32];
    char *report = calloc(1, 16384);
    int status = emu_run_lanes(warps[*i].body, NULL, 0, out, report);
    cr_assert_eq(status, 0, "%s: %s", warps[*i].name, report);
    for (uint32_t lane = 0; lane < 32; lane++)
        cr_expect_eq(out[0][lane], warps[*i].rule(lane), "%s: lane %u has %u, wanted %u", warps[*i].name,
                     lane, out[0][lane], warps[*i].rule(lane));
    free(report);
}

/* ---- whole kernels ---- */

#define HEAD   ".version 9.0\n.target sm_100a\n.address_size 64\n"
#define ORDERS 6

static uint64_t buffer(size_t bytes) {
    uint64_t a = emu_device_alloc(emu_run_device(), bytes);
    memset((void *)(uintptr_t)a, 0, bytes);
    return a;
}

static void set_order(struct emu_run *run, int k) {
    run->order = k == 0 ? EMU_ORDER_EAGER : k == 1 ? EMU_ORDER_LATE : EMU_ORDER_RANDOM;
    run->seed = (uint64_t)k;
}

Test(emu_flow, function_calls_and_local_memory) {
    static const char ptx[] =
        HEAD ".func (.param .b32 r) square(.param .b32 x) { .reg .b32 %a; ld.param.b32 %a, [x]; mul.lo.u32 "
             "%a, %a, %a; st.param.b32 [r], %a; ret; }\n"
             ".func (.param .b32 r) plus(.param .b32 x, .param .b32 y) { .reg .b32 %a, %b; .reg .pred %p; "
             ".param .b32 q, s;\n"
             "ld.param.b32 %a, [x]; st.param.b32 [q], %a; call (s), square, (q); ld.param.b32 %a, [s]; "
             "ld.param.b32 %b, [y];\n"
             "add.u32 %a, %a, %b; st.param.b32 [r], %a; setp.eq.u32 %p, %a, 7; @%p ret; st.param.b32 [r], "
             "%a; ret; }\n"
             ".visible .entry test(.param .u64 out) { .reg .b32 %t; .reg .b64 %o, %w; .reg .pred %p; .local "
             ".align 4 .b8 l[128];\n"
             "ld.param.u64 %o, [out]; mov.u32 %t, %tid.x; mul.wide.u32 %w, %t, 4; add.u64 %o, %o, %w;\n"
             "{ .param .b32 a; .param .b32 b; .param .b32 c; st.param.b32 [a], %t; st.param.b32 [b], 7; "
             "call.uni (c), plus, (a, b);\n"
             "ld.param.b32 %t, [c]; }\n"
             ".reg .b64 %l; mov.u64 %l, l; add.u64 %l, %l, %w; st.local.b32 [%l], %t; cvta.local.u64 %l, %l; "
             "ld.b32 %t, [%l];\n"
             "st.global.b32 [%o], %t; ret; }";
    uint64_t out = buffer(128);
    static struct emu_run run = {.ptx = ptx, .param_bytes = 8};
    run.params = &out;
    cr_assert_eq(emu_run(&run), 0, "%s", run.report);
    for (uint32_t i = 0; i < 32; i++) cr_expect_eq(((uint32_t *)(uintptr_t)out)[i], squares(i));
}

/* Threads hand a value round through shared memory; every step is fenced by the barrier under test. */
/* clang-format off */
static const char *const barriers[] = {
    "bar.sync 0;", "barrier.cta.sync 3;", "barrier.sync.aligned 1, 128;", "bar.arrive 2, 256; bar.sync 2, 256;",
    "bar.red.popc.u32 %v, 0, %p; ", "mov.u32 %v, 9; barrier.sync %v, 128;",
};
/* clang-format on */

ParameterizedTestParameters(emu_flow, barrier) { return wl_test_rows(WL_LEN(barriers) * ORDERS); }
ParameterizedTest(size_t *i, emu_flow, barrier) {
    char ptx[2048];
    const char *bar = barriers[*i / ORDERS];
    snprintf(ptx, sizeof ptx,
             HEAD ".visible .entry test(.param .u64 out) { .reg .b32 %%t, %%a, %%b, %%n, %%v; .reg .b64 %%o, "
                  "%%w; .reg .pred %%p; .shared .b32 ring[128];\n"
                  "ld.param.u64 %%o, [out]; mov.u32 %%t, %%tid.x; mul.wide.u32 %%w, %%t, 4; add.u64 %%o, "
                  "%%o, %%w; mov.u32 %%a, ring;\n"
                  "mad.lo.u32 %%a, %%t, 4, %%a; add.u32 %%b, %%t, 1; and.b32 %%b, %%b, 127; shl.b32 %%b, "
                  "%%b, 2; mov.u32 %%n, ring; add.u32 %%b, %%b, %%n;\n"
                  "setp.ge.u32 %%p, %%t, 0; mov.u32 %%n, 0; st.shared.u32 [%%a], %%t;\n"
                  "L: %s ld.shared.u32 %%v, [%%b]; { .reg .b32 %%v; %s } st.shared.u32 [%%a], %%v; add.u32 "
                  "%%n, %%n, 1; setp.lt.u32 %%p, %%n, 32; @%%p bra L;\n"
                  "st.global.b32 [%%o], %%v; ret; }",
             bar, bar);
    uint64_t out = buffer(512);
    static struct emu_run run;
    run = (struct emu_run){.ptx = ptx, .params = &out, .param_bytes = 8, .block = {128}};
    set_order(&run, (int)(*i % ORDERS));
    cr_assert_eq(emu_run(&run), 0, "%s: %s", bar, run.report);
    for (uint32_t t = 0; t < 128; t++)
        cr_expect_eq(((uint32_t *)(uintptr_t)out)[t], (t + 32) % 128, "%s: thread %u", bar, t);
}

Test(emu_flow, blocks_that_wait_for_each_other_finish) { /* more blocks than host threads, the first waits for
                                                            the last */
    static const char ptx[] = HEAD
        ".visible .entry test(.param .u64 flags) { .reg .b32 %c, %n, %v; .reg .b64 %f, %w; .reg .pred %p;\n"
        "ld.param.u64 %f, [flags]; mov.u32 %c, %ctaid.x; mov.u32 %n, %nctaid.x; sub.u32 %n, %n, 1; "
        "setp.eq.u32 %p, %c, %n; @%p bra GO;\n"
        "mul.wide.u32 %w, %c, 4; add.u64 %w, %w, %f; L: ld.acquire.gpu.global.u32 %v, [%w+4]; setp.eq.u32 "
        "%p, %v, 0; @%p bra L;\n"
        "GO: mul.wide.u32 %w, %c, 4; add.u64 %w, %w, %f; st.release.gpu.global.u32 [%w], 1; ret; }";
    uint64_t flags = buffer(4 * 65);
    static struct emu_run run = {.ptx = ptx, .param_bytes = 8, .grid = {64}, .block = {1}};
    run.params = &flags;
    for (int k = 0; k < 3; k++) {
        memset((void *)(uintptr_t)flags, 0, 4 * 65);
        set_order(&run, k);
        cr_assert_eq(emu_run(&run), 0, "%s", run.report);
        cr_expect_eq(((uint32_t *)(uintptr_t)flags)[0], 1);
    }
}

Test(emu_flow,
     lanes_that_wait_for_each_other_finish) { /* lane 0 spins, at the lower address, for what lane 1 writes */
    uint32_t out[4][32];
    char *report = calloc(1, 16384);
    int status =
        emu_run_lanes(".shared .b32 f; mov.u32 %r3, f; setp.eq.u32 %p2, %lane, 1; mov.u32 %r0, 0; "
                      "setp.eq.u32 %p0, %lane, 0;\n"
                      "@%p0 st.shared.u32 [%r3], %r0; bar.warp.sync -1; @!%p0 bra NEXT;\n"
                      "L: ld.volatile.shared.u32 %r0, [%r3]; setp.eq.u32 %p1, %r0, 0; @%p1 bra L; bra END;\n"
                      "NEXT: @%p2 st.volatile.shared.u32 [%r3], 77; END: bar.warp.sync -1;",
                      NULL, 0, out, report);
    cr_assert_eq(status, 0, "%s", report);
    cr_expect_eq(out[0][0], 77);
    free(report);
}

/* ---- what is reported ---- */

/* clang-format off */
static const struct {
    const char *name, *body; /* lines 1 to 4 are the head; 64 threads, 64 bytes of shared memory s, %a = s, %t = tid */
    int status;
    const char *says[3];
} faults[] = {
    {"a barrier that half the threads never reach", "setp.lt.u32 %p, %t, 32;\n@%p bra L;\nbar.sync 0;\nL:\n@!%p bra M;\nbar.sync 1;\nM: ret;", 702,
     {"deadlock", "warp 0 at PTX line 10 (in L), bar.sync: waits at barrier 1 for all threads of the CTA: 32 have arrived", "warp 1 at PTX line 7"}},
    {"a barrier that counts too many", "bar.sync 5, 128;", 702, {"deadlock", "waits at barrier 5: 64 of 128 threads have arrived", "PTX line 5"}},
    {"bar.sync in two branches", "and.b32 %r, %t, 1; setp.eq.u32 %p, %r, 0; @%p bra L;\nbar.sync 0;\nbra M;\nL: bar.sync 0;\nM: ret;", 715,
     {"bar.sync", "executed under divergence", "lanes 0xaaaaaaaa"}},
    {"a guard that splits an aligned instruction", "setp.eq.u32 %p, %t, 3;\n@%p bar.sync 0;", 715, {"PTX line 6", "guard", "0x00000008"}},
    {"a lane outside its membermask", "bar.warp.sync 1;", 715, {"lane 1 executes it", "0x00000001", "PTX line 5"}},
    {"lanes that never come", "setp.eq.u32 %p, %t, 0; @%p bra L; bar.warp.sync -1; bra M; L: vote.sync.ballot.b32 %r, %p, 3; M: ret;", 715,
     {"executed under divergence", "warp 0", "wait"}},
    {"shared memory beyond its end", "st.shared.u32 [%a+64], %t;", 700, {"outside shared memory, which ends at 0x00000440", "PTX line 5", "0x440"}},
    {"shared memory, misaligned", "ld.shared.u32 %r, [%a+2];", 716, {"not a multiple of 4", "0x402", "ld.shared.u32"}},
    {"another CTA's shared memory without ::cluster", "ld.shared.u32 %r, [%a+0x1000000];", 715, {"not of this CTA", "0x1000400", "lane 0"}},
    {"global memory never allocated", "ld.global.u32 %r, [64];", 700, {"global address 0x40", "not allocated", "lane 0"}},
    {"the parameter block is read-only in size", "ld.param.u32 %r, [out+8];", 700, {"not allocated", "PTX line 5", "ld.param.u32"}},
    {"local memory beyond its end", ".local .b8 l[16]; .reg .b64 %l; mov.u64 %l, l; ld.local.u32 %r, [%l+64];", 700, {"local address", "outside", "lane 0"}},
    {"trap", "setp.eq.u32 %p, %t, 33; @%p trap;", 719, {"warp 1", "lanes 0x00000002 trapped", "trap"}},
    {"a template line", ".loc 1 31 0\ntrap;", 719, {"softmax.ptx:31 (PTX line 6)", "trap", "test: "}},
    {"a barrier's name", ".shared .b64 pad; .shared .align 8 .b64 full[2]; mov.u32 %r, full; setp.eq.u32 %p, %t, 0; "
     "@%p mbarrier.init.shared.b64 [%r+8], 2; bar.sync 0; WAIT: mbarrier.try_wait.parity.shared.b64 %p, [%r+8], 0; @!%p bra WAIT;", 702,
     {"deadlock", "waits until the mbarrier at 0x00000450 (full + 8) completes", "nobody has ever arrived"}},
    {"a role's label", "ROLE:\n{\n.loc 1 31 0\nL: trap;\n}", 719, {"softmax.ptx:31 (PTX line 8, in ROLE)", "trap", "test: "}},
    {"an endless loop", "L: bra L;", 702, {"not done after", "CTA 0 warps 0 and 1 at PTX line 5 (in L)", "bra"}},
    {"an endless loop that waits for lanes and never yields", "setp.ne.u32 %p, %t, 3; L: @%p bar.warp.sync -1; bra L;", 702, {"not done after", "bar.warp.sync", "CTA 0 warp"}},
    {"setmaxnreg beyond the pool", "setmaxnreg.inc.sync.aligned.u32 256;", 702, {"deadlock", "setmaxnreg", "waits"}},
    {"a barrier of two sizes", "setp.lt.u32 %p, %t, 32; @%p bra L; bar.sync 1, 64; bra M; L: bar.sync 1, 96; M: ret;", 719, {"barrier 1 is in use", "64", "96"}},
};
/* clang-format on */

ParameterizedTestParameters(emu_flow, fault) { return wl_test_rows(WL_LEN(faults)); }
ParameterizedTest(size_t *i, emu_flow, fault) {
    char ptx[2048];
    uint64_t out = 0;
    snprintf(ptx, sizeof ptx,
             ".version 9.0\n.target sm_100a\n.file 1 \"softmax.ptx\" .visible .entry test(.param .u64 out) .reqntid 64 .minnctapersm "
             "4 { .reg .b32 %%t, %%a, %%r; .reg .pred %%p; .shared .b8 s[64];\n"
             "mov.u32 %%t, %%tid.x; mov.u32 %%a, s;\n%s\nret; }",
             faults[*i].body);
    static struct emu_run run;
    for (int k = 0; k < 3; k++) {
        run =
            (struct emu_run){.ptx = ptx, .params = &out, .param_bytes = 8, .block = {64}, .timeout_ms = 200};
        set_order(&run, k);
        cr_expect_eq(emu_run(&run), faults[*i].status, "%s: status %d: %s", faults[*i].name, run.status,
                     run.report);
        for (int s = 0; s < 3; s++)
            cr_expect(strstr(run.report, faults[*i].says[s]), "%s: '%s' is not in: %s", faults[*i].name,
                      faults[*i].says[s], run.report);
    }
}

/* ---- what is refused when a module is loaded ---- */

/* clang-format off */
static const struct {
    const char *body, *says; /* on line 5 */
} refused[] = {
    {"frob.u32 %r, %r;", "5:1: unknown instruction 'frob.u32'"},
    {"add.u33 %r, %r, %r;", "5:1: 'add.u33': no form of add"},
    {"add.u32 %r, %r, %d;", "5:17: operand 3 of 'add.u32' does not fit: %d"},
    {"add.u32 %r, %r;", "'add.u32' needs more than 2 operands"},
    {"add.u32 %r, %r, %r, %r;", "5:21: operand 4 of 'add.u32' does not fit"},
    {"add.u32 %r, %r, 0x123456789;", "5:17: operand 3"},
    {"add.f32 %r, %r, 1;", "5:17: operand 3"},
    {"mov.u32 %r, %nothing;", "5:13: operand 2 of 'mov.u32' does not fit: %nothing"},
    {"setp.eq.and.u32 %p, %r, %r;", "needs a third predicate"},
    {"setmaxnreg.inc.sync.aligned.u32 20;", "multiples of 8 from 24 to 256"},
    {"ld.global.v2.u32 %r, [%d];", "takes 2 registers, not 1"},
    {"cvt.f16.f32 %h, %r;", "it needs .rn"},
    {"mov.b64 %d, {%r, %r, %r};", "do not make 8 bytes"},
    {"call missing;", "'missing' is not declared"},
    {"tex.2d.v4.f32.s32 {%r, %r, %r, %r}, [%d, {%r, %r}];", "textures are not emulated"},
};
/* clang-format on */

ParameterizedTestParameters(emu_flow, refuses) { return wl_test_rows(WL_LEN(refused)); }
ParameterizedTest(size_t *i, emu_flow, refuses) {
    char ptx[1024];
    snprintf(
        ptx, sizeof ptx,
        HEAD
        ".visible .entry test() { .reg .b32 %%r; .reg .b64 %%d; .reg .b16 %%h; .reg .pred %%p;\n%s\nret; }",
        refused[*i].body);
    static struct emu_run run;
    run = (struct emu_run){.ptx = ptx};
    cr_expect_eq(emu_run(&run), -1, "%s was taken", refused[*i].body);
    cr_expect(strstr(run.report, refused[*i].says), "'%s' says %s", refused[*i].body, run.report);
}
