/* mbarriers, clusters, asynchronous copies and tensor copies (insn_mbarrier.def, insn_bulk.def). */
#include <stdio.h>
#include <string.h>

#include "tests/machine_forms.h"

#define LEN(a) (sizeof(a) / sizeof *(a))
#define FD (MACHINE_FILL | MACHINE_DUMP)
#define FDB (MACHINE_FILL | MACHINE_DUMP | MACHINE_BAR)

/* Everyone waits for phase 0 of the first barrier. */
#define WAIT "\nW: mbarrier.try_wait.parity.shared.b64 %p7, [%bar], 0; @!%p7 bra W;\n"
#define EXPECT(bytes) "@%first mbarrier.arrive.expect_tx.shared.b64 _, [%bar], " bytes "; "
#define ONE_THREAD "@!%first bra PAST;\n"
#define PAST "\nPAST: "
#define STATE(o, rd) "mov.b64 {_, " o "}, " rd ";" /* the upper half of a state is what arrives give */
#define GROUP_DONE "cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;"
#define PEER "xor.b32 %r20, %rank, 1; mapa.shared::cluster.u32 %r21, %s, %r20; mapa.shared::cluster.u32 %r22, %bar, %r20; "

/* clang-format off */
const struct machine_row machine_async_rows[] = {
    /* mbarrier arithmetic, by one thread */
    {ONE_THREAD "mbarrier.init<.shared::cta|.shared>.b64 [%bar], <1|5|1048575>; mbarrier.inval<.shared::cta|.shared>.b64 [%bar]; ld.shared.b64 %rd20, [%bar]; mov.b64 {%o0, %o1}, %rd20;" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 5; mbarrier.arrive<|.release.cta|.release.cluster>.shared.b64 %rd20, [%bar]; " STATE("%o0", "%rd20") " mbarrier.pending_count.b64 %o1, %rd20; "
     "mbarrier.arrive.shared.b64 %rd21, [%bar], <1|3>; " STATE("%o2", "%rd21") " mbarrier.pending_count.b64 %o3, %rd21; mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%r20, %r21}, [%bar]; st.global.v2.b32 [%own], {%r20, %r21};" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 2; mbarrier.arrive<|.relaxed.cta|.relaxed.cluster>.shared::cta.b64 %rd20, [%bar]; mbarrier.arrive.shared.b64 %rd21, [%bar]; " STATE("%o0", "%rd20") STATE("%o1", "%rd21")
     " mbarrier.test_wait.shared.b64 %p1, [%bar], %rd20; mbarrier.test_wait.shared.b64 %p2, [%bar], %rd21; selp.b32 %o2, 1, 0, %p1; selp.b32 %o3, 1, 0, %p2; mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%r20, %r21}, [%bar]; st.global.v2.b32 [%own], {%r20, %r21};" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 3; mbarrier.expect_tx<|.relaxed.cta|.relaxed.cluster>.shared<|::cta>.b64 [%bar], <64|4096|1000>; mbarrier.arrive.shared.b64 %rd20, [%bar]; " STATE("%o0", "%rd20")
     " mbarrier.complete_tx<|.relaxed.cta>.shared::cta.b64 [%bar], <16|64>; mbarrier.arrive.shared.b64 %rd21, [%bar]; " STATE("%o1", "%rd21") " mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%o2, %o3}, [%bar];" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 2; mbarrier.arrive.expect_tx<|.release.cta|.relaxed.cta|.release.cluster>.shared.b64 %rd20, [%bar], <32|48>; mbarrier.arrive_drop<|.release.cta|.relaxed.cluster>.shared.b64 %rd21, [%bar]; " STATE("%o0", "%rd20") STATE("%o1", "%rd21")
     " mbarrier.complete_tx.shared.b64 [%bar], 32; mbarrier.test_wait.parity.shared.b64 %p1, [%bar], 0; selp.b32 %o2, 1, 0, %p1; mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%r20, %r21}, [%bar]; st.global.v2.b32 [%own], {%r20, %r21};" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 12; mbarrier.arrive_drop.shared.b64 %rd20, [%bar], <2|4>; mbarrier.arrive_drop.expect_tx.shared.b64 %rd21, [%bar], <16|96>; " STATE("%o0", "%rd20") STATE("%o1", "%rd21")
     " mbarrier.arrive_drop.noComplete.shared.b64 %rd22, [%bar], <1|2>; mbarrier.arrive.noComplete<|.release.cta>.shared.b64 %rd23, [%bar], 2; " STATE("%o2", "%rd22") STATE("%o3", "%rd23") " mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%r20, %r21}, [%bar]; st.global.v2.b32 [%own], {%r20, %r21};" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], <1|2>; mbarrier.arrive.shared.b64 _, [%bar]; mbarrier.test_wait.parity<|.acquire.cta|.relaxed.cta|.acquire.cluster>.shared.b64 %p1, [%bar], <0|1>; mbarrier.try_wait.parity<|.acquire.cluster>.shared::cta.b64 %p2, [%bar], 1<|, 100>; selp.b32 %o0, 1, 0, %p1; selp.b32 %o1, 1, 0, %p2;" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 1; mbarrier.arrive.shared.b64 %rd20, [%bar]; mbarrier.try_wait<|.acquire.cta|.relaxed.cluster>.shared.b64 %p1, [%bar], %rd20<|, 100>; mbarrier.arrive.shared.b64 %rd21, [%bar]; mbarrier.try_wait.shared.b64 %p2, [%bar], %rd20; mbarrier.test_wait<|.acquire.cluster>.shared.b64 %p3, [%bar], %rd21; "
     "selp.b32 %o0, 1, 0, %p1; selp.b32 %o1, 1, 0, %p2; selp.b32 %o2, 1, 0, %p3; mbarrier.pending_count.b64 %o3, %rd21;" PAST, 0, 0, 0, 0, 0, 0},
    {ONE_THREAD "mbarrier.init.shared.b64 [%bar], 1; mbarrier.complete_tx.shared.b64 [%bar], 64; mbarrier.expect_tx.shared.b64 [%bar], <32|64|128>; mbarrier.arrive.shared.b64 %rd20, [%bar]; " STATE("%o0", "%rd20") " mbarrier.test_wait.parity.shared.b64 %p1, [%bar], 0; selp.b32 %o1, 1, 0, %p1; mbarrier.inval.shared.b64 [%bar]; ld.shared.v2.b32 {%o2, %o3}, [%bar];" PAST, 0, 0, 0, 0, 0, 0},

    /* clusters */
    {PEER "ld.shared::cluster.<b8|s16|b32> %o0, [%r21+20]; ld.shared::cluster.v2.b64 {%rd20, %rd21}, [%r21+64]; mov.b64 {%o2, %o3}, %rd21; and.b32 %o1, %r21, 0x3000000;", 0, FD, 0, 4, 2, 0},
    {PEER "ld.shared::cluster.<b8|s16|b32> %o0, [%r21+20]; ld.shared::cluster.v2.b64 {%rd20, %rd21}, [%r21+64]; mov.b64 {%o2, %o3}, %rd21; and.b32 %o1, %r21, 0x3000000;", 0, FD, 0, 4, 4, 0},
    {PEER "shl.b32 %r23, %thread, 4; add.u32 %r21, %r21, %r23; st.shared::cluster.<b8|u16|b32> [%r21], %r1; st.shared::cluster.<v2.b32|v2.f32> [%r21+1024], {%r2, %r3}; atom.shared::cluster.<add|xor>.u32 %o0, [%r21+2048], %r4; red.shared::cluster.add.u32 [%r21+4096], %r5;", 0, FD, 0, 4, 2, 0},
    {PEER "getctarank.shared::cluster.u32 %o0, %r21; cvt.u64.u32 %rd10, %s; cvta.shared.u64 %rd11, %rd10; mapa.u64 %rd12, %rd11, %r20; getctarank.u64 %o1, %rd12; ld.b32 %o2, [%rd12+12]; cvt.u64.u32 %rd13, %s; mapa.shared::cluster.u64 %rd14, %rd13, %r20; getctarank.shared::cluster.u64 %o3, %rd14; "
     "isspacep.shared::cta %p1, %rd12; selp.b32 %r24, 1, 0, %p1; isspacep.shared::cluster %p2, %rd12; selp.b32 %r25, 1, 0, %p2; st.global.v2.b32 [%own], {%r24, %r25}; ld.shared::cluster.b32 %r26, [%rd14+4]; st.global.b32 [%own+8], %r26;", 0, FD, 0, 4, 2, 0},
    {PEER "@%first st.shared.b32 [%s], %r1; barrier.cluster.arrive<|.release|.relaxed><|.aligned>; barrier.cluster.wait<|.acquire><|.aligned>; mov.b32 %o0, %r20;", 0, FD, 0, 4, 2, 0},
    {PEER "@%first st.shared.b32 [%s], %r1; barrier.cluster.arrive<|.release|.relaxed><|.aligned>; barrier.cluster.wait<|.acquire><|.aligned>; mov.b32 %o0, %r20;", 0, FD, 0, 4, 4, 0},
    {PEER "@%first mbarrier.arrive<|.release.cluster>.shared::cluster.b64 _, [%r22]<|, 1>;" WAIT "mov.b32 %o0, 1;", 0, FDB, 0, 4, 2, 0},
    {PEER "@%first mbarrier.arrive.expect_tx<|.release.cluster|.relaxed.cluster>.shared::cluster.b64 _, [%r22], 16; barrier.cluster.arrive; barrier.cluster.wait; @%first mbarrier.complete_tx.shared::cluster.b64 [%r22], 16;" WAIT "mov.b32 %o0, 1;", 0, FDB, 0, 2, 2, 0},
    {PEER "@%first mbarrier.arrive_drop.shared::cluster.b64 _, [%r22+8]; @%first mbarrier.expect_tx.relaxed.cluster.shared::cluster.b64 [%r22+8], 32; barrier.cluster.arrive; barrier.cluster.wait; @%first mbarrier.arrive.shared.b64 %rd20, [%bar+8]; @%first mov.b64 {_, %o0}, %rd20;", 0, FDB, 0, 2, 2, 0},
    {PEER EXPECT("512") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; st.async<|.weak>.shared::cluster.mbarrier::complete_tx::bytes.v4.<b32|u32|s32|f32> [%r21+256], {%r1, %r2, %r3, %r4}, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},
    {PEER EXPECT("128") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; st.async.shared::cluster.mbarrier::complete_tx::bytes.b32 [%r21+256], %r1, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},
    {PEER EXPECT("512") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; st.async<|.weak>.shared::cluster.mbarrier::complete_tx::bytes<.v2.b32 [%r21+8], {%r1, %r2}|.b64 [%r21+8], %rd1|.u64 [%r21], %rd2|.f64 [%r21+8], %rd2>, [%r22]; st.async.shared::cluster.mbarrier::complete_tx::bytes.s64 [%r21+1024], %rd3, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},
    {PEER EXPECT("512") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.<b64|u64|s64|f64> [%r21+512], {%rd1, %rd2}, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},
    {PEER EXPECT("128") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.<add|min|max|inc|dec|and|or|xor>.<u32|s32|b32> [%r21+512], %r1, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},
    {PEER EXPECT("256") "shl.b32 %r23, %lane, 4; add.u32 %r21, %r21, %r23; red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u64 [%r21+512], %rd1, [%r22];" WAIT, 0, FDB, 0, 4, 2, 0},

    /* cp.async */
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; cp.async.<ca|cg>.shared<|::cta>.global<|.L2::64B|.L2::128B|.L2::256B> [%r20], [%rd10], 16; cp.async.wait_all;", 0, FD, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; cp.async.ca.shared.global [%r20], [%rd10], <4|8>; cp.async.commit_group; cp.async.ca.shared.global [%r20+1024], [%rd10+8], <4|8>; cp.async.commit_group; cp.async.wait_group 1; ld.shared.b32 %o0, [%r20]; cp.async.wait_group 0;", 0, FD, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; and.b32 %r21, %lane, <15|3>; cp.async.<ca|cg>.shared.global [%r20], [%rd10], 16, %r21; setp.eq.u32 %p1, %r21, 2; cp.async.ca.shared.global [%r20+2048], [%rd10], <4|8|16>, %p1; min.u32 %r22, %r21, 4; cp.async.ca.shared.global [%r20+1024], [%rd10], 4, %r22; cp.async.wait_all;", 0, FD, 0, 0, 0, 0},
    {"createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\nshl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; cp.async.<ca|cg>.shared.global.L2::cache_hint [%r20], [%rd10], 16, %rd9; cp.async.ca.shared.global.L2::cache_hint [%r20+1024], [%rd10], 8, 5, %rd9; cp.async.wait_all;", 0, FD, 0, 0, 0, 0},
    {"@%first mbarrier.init.shared.b64 [%bar], 32; bar.warp.sync 0xffffffff; shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; cp.async.cg.shared.global [%r20], [%rd10], 16; cp.async.mbarrier.arrive.noinc<.shared::cta|.shared>.b64 [%bar];" WAIT, 0, FD, 0, 0, 0, 0},
    {"@%first mbarrier.init.shared.b64 [%bar], 32; bar.warp.sync 0xffffffff; shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mad.wide.u32 %rd10, %lane, 16, %gin; cp.async.ca.shared.global [%r20], [%rd10], 8; cp.async.mbarrier.arrive.shared.b64 [%bar]; mbarrier.arrive.shared.b64 _, [%bar];" WAIT, 0, FD, 0, 0, 0, 0},

    /* 1-D bulk copies */
    {EXPECT("2048") "@%first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s+256], [%gin+64], 2048, [%bar];" WAIT, 0, FDB, 64, 0, 0, 0},
    {EXPECT("16") "@%first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%s+<0|16|4080>], [%gin+<16|48>], 16, [%bar];" WAIT, 0, FDB, 64, 0, 0, 0},
    {"createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0;\n" EXPECT("1040") "@%first cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%s+256], [%gin+64], 1040, [%bar], %rd9;" WAIT, 0, FDB, 64, 0, 0, 0},
    {EXPECT("512") "@%first cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes [%s+256], [%gin+64], 512, [%bar];" WAIT, 0, FDB, 64, 0, 0, 0},
    {"createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0;\n" EXPECT("512") "@%first cp.async.bulk.shared::cta.global.mbarrier::complete_tx::bytes.L2::cache_hint [%s+256], [%gin+64], 512, [%bar], %rd9;" WAIT, 0, FDB, 64, 0, 0, 0},
    {EXPECT("1536") "setp.eq.u32 %p1, %rank, 0; and.pred %p1, %p1, %first; mov.u16 %h8, 3; @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%s+256], [%gin+64], 1024, [%bar], %h8; "
     "setp.eq.u32 %p2, %rank, 1; and.pred %p2, %p2, %first; @%p2 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%s+2048], [%gin+4096], 512, [%bar], 3;" WAIT, 0, FDB, 0, 2, 2, 0},
    {"createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n" EXPECT("256") "setp.eq.u32 %p1, %rank, 2; and.pred %p1, %p1, %first; mov.u16 %h8, 15; @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes<.multicast::cluster.L2::cache_hint|.L2::cache_hint.multicast::cluster> [%s+256], [%gin+64], 256, [%bar], %h8, %rd9;" WAIT, 0, FDB, 0, 4, 4, 0},
    {PEER EXPECT("1024") "@%first cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%r21+4096], [%s+128], 1024, [%r22];" WAIT, 0, FDB, 0, 2, 2, 0},
    {ONE_THREAD "cp.async.bulk.global.shared::cta.bulk_group [%gout+12288], [%s+<0|16|1024>], <16|48|2048>;" GROUP_DONE PAST, 0, FD, 64, 0, 0, 0},
    {"createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n" ONE_THREAD "cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%gout+12304], [%s+64], 512, %rd9; cp.async.bulk.commit_group; cp.async.bulk.wait_group<.read 0; cp.async.bulk.wait_group 0| 0>;" PAST, 0, FD, 64, 0, 0, 0},
    {ONE_THREAD "mov.u16 %h8, 0x50f3; cp.async.bulk.global.shared::cta.bulk_group<.cp_mask [%gout+12288], [%s+32], 64, %h8|.L2::cache_hint.cp_mask [%gout+12288], [%s+32], 64, %rd9, %h8>;" GROUP_DONE PAST, 0, FD, 64, 0, 0, 0},
    {ONE_THREAD "cp.reduce.async.bulk.global.shared::cta.bulk_group.<add|min|max|inc|dec|and|or|xor><.u32|.s32|.u64|.s64|.b32|.b64|.f16|.bf16|.f32|.f64|.noftz.f16|.noftz.bf16> [%gout+12288], [%s], 2048;" GROUP_DONE PAST, 0, FD, 64, 0, 0, 0},
    {"createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n" ONE_THREAD "cp.reduce.async.bulk.global.shared::cta.bulk_group.L2::cache_hint.<add.u32|max.s64|add.f32|add.noftz.bf16> [%gout+12288], [%s], 1024, %rd9;" GROUP_DONE PAST, 0, FD, 64, 0, 0, 0},
    {PEER EXPECT("1024") "@%first cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.<add|min|max|inc|dec|and|or|xor>.<u32|s32|u64|s64|b32|b64> [%r21+4096], [%s+128], 1024, [%r22];" WAIT, 0, FDB, 0, 2, 2, 0},
    {"@%first cp.async.bulk.prefetch.L2.global [%gin], 1024; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"@%first cp.async.bulk.prefetch.L2.global.L2::cache_hint [%gin], 1024, 0x12f0000000000000; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"cp.async.bulk.commit_group; cp.async.bulk.wait_group<|.read> <0|3>; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
};
const size_t machine_async_count = LEN(machine_async_rows);

/* ---- tensor copies ---- */

enum { U8, U16, U32, S32, U64, S64, F16, F32, F64, BF16, FTZ, TF32, TF32_FTZ, TYPES };
static const uint8_t element[TYPES] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
static const char *const type_names[TYPES] = {"u8", "u16", "u32", "s32", "u64", "s64", "f16", "f32", "f64", "bf16", "f32.ftz", "tf32", "tf32.ftz"};

/* Boxes of 16 to 128 bytes by swizzle, all ranks, every type, steps, both fills. Strides: of dimension 1 on. */
static const struct machine_tensor tensors[] = {
    {BF16, 1, {700}, {0}, {256}, {1}, 0, 0},
    {F32, 1, {333}, {0}, {64}, {1}, 0, 1},
    {U8, 1, {1000}, {0}, {16}, {1}, 0, 0},
    {U64, 1, {100}, {0}, {32}, {1}, 0, 0},
    {BF16, 2, {100, 40}, {256}, {64, 8}, {1, 1}, 0, 0},
    {BF16, 2, {100, 40}, {256}, {64, 8}, {1, 1}, 3, 0},
    {BF16, 2, {100, 40}, {256}, {32, 16}, {1, 1}, 2, 0},
    {BF16, 2, {100, 40}, {256}, {16, 16}, {1, 1}, 1, 0},
    {BF16, 2, {100, 40}, {256}, {8, 11}, {1, 1}, 3, 1},
    {F16, 2, {100, 40}, {256}, {24, 9}, {1, 1}, 3, 1},
    {F16, 2, {61, 40}, {256}, {8, 7}, {1, 1}, 2, 0},
    {F16, 2, {61, 40}, {256}, {24, 7}, {1, 1}, 2, 1},
    {F16, 2, {61, 40}, {144}, {8, 20}, {1, 1}, 1, 1},
    {U8, 2, {200, 30}, {208}, {128, 16}, {1, 1}, 3, 0},
    {U8, 2, {203, 30}, {208}, {48, 16}, {1, 1}, 0, 0},
    {U8, 2, {203, 30}, {208}, {48, 16}, {1, 1}, 2, 0},
    {U8, 2, {203, 30}, {208}, {96, 12}, {1, 1}, 3, 0},
    {U16, 2, {99, 30}, {208}, {32, 16}, {1, 1}, 2, 0},
    {U32, 2, {51, 30}, {208}, {32, 16}, {1, 1}, 3, 0},
    {S32, 2, {51, 30}, {208}, {8, 16}, {1, 1}, 1, 0},
    {U64, 2, {25, 30}, {208}, {16, 16}, {1, 1}, 3, 0},
    {S64, 2, {25, 30}, {208}, {4, 16}, {1, 1}, 1, 0},
    {F32, 2, {51, 30}, {208}, {32, 16}, {1, 1}, 3, 1},
    {F32, 2, {51, 30}, {208}, {20, 16}, {1, 1}, 0, 0},
    {F64, 2, {25, 30}, {208}, {8, 16}, {1, 1}, 2, 1},
    {FTZ, 2, {51, 30}, {208}, {16, 16}, {1, 1}, 2, 0},
    {TF32, 2, {51, 30}, {208}, {32, 16}, {1, 1}, 3, 0},
    {TF32, 2, {51, 30}, {208}, {12, 16}, {1, 1}, 0, 1},
    {TF32_FTZ, 2, {51, 30}, {208}, {16, 16}, {1, 1}, 2, 1},
    {BF16, 2, {100, 40}, {256}, {64, 15}, {1, 2}, 3, 0},
    {BF16, 2, {100, 60}, {256}, {32, 24}, {1, 3}, 2, 0},
    {F32, 2, {50, 40}, {256}, {32, 16}, {2, 2}, 3, 0},
    {BF16, 3, {72, 12, 9}, {160, 2048}, {64, 4, 3}, {1, 1, 1}, 3, 0},
    {BF16, 3, {72, 12, 9}, {160, 2048}, {32, 5, 3}, {1, 1, 1}, 2, 1},
    {F32, 3, {36, 12, 9}, {160, 2048}, {8, 5, 3}, {1, 1, 1}, 1, 0},
    {U8, 3, {144, 12, 9}, {160, 2048}, {80, 3, 4}, {1, 1, 1}, 0, 0},
    {F16, 3, {72, 12, 9}, {160, 2048}, {64, 6, 4}, {1, 2, 2}, 3, 0},
    {BF16, 4, {40, 5, 6, 7}, {96, 512, 4096}, {32, 2, 3, 2}, {1, 1, 1, 1}, 2, 0},
    {F32, 4, {20, 5, 6, 7}, {96, 512, 4096}, {16, 3, 2, 2}, {1, 1, 1, 1}, 0, 1},
    {U16, 4, {40, 5, 6, 7}, {96, 512, 4096}, {64, 2, 3, 2}, {1, 1, 1, 1}, 3, 0},
    {BF16, 5, {40, 3, 4, 3, 5}, {96, 320, 1536, 5120}, {32, 2, 2, 2, 2}, {1, 1, 1, 1, 1}, 2, 0},
    {F32, 5, {20, 3, 4, 3, 5}, {96, 320, 1536, 5120}, {4, 2, 3, 2, 2}, {1, 1, 1, 1, 1}, 1, 1},
    {S32, 5, {20, 3, 4, 3, 5}, {96, 320, 1536, 5120}, {16, 2, 2, 2, 3}, {1, 1, 1, 1, 2}, 0, 0},
    {U64, 5, {10, 3, 4, 3, 5}, {96, 320, 1536, 5120}, {16, 1, 3, 2, 2}, {1, 1, 1, 1, 1}, 3, 0},
};

/* Where a box starts: inside, and over the edges. */
enum { INSIDE, BELOW, ABOVE, OUTSIDE, LAST_BELOW, INNER_BELOW, PLACES };
static int32_t coordinate(const struct machine_tensor *t, int place, int d) {
    int32_t unit = d ? 1 : 16 / element[t->type], size = (int32_t)t->size[d], box = (int32_t)t->box[d];
    int32_t c = 0;
    switch (place) {
    case INSIDE: c = d ? (size - box) / 2 : unit; break;
    case BELOW: c = d ? -(box / 2) : -(box / 4); break;
    case ABOVE: c = size - (box + 1) / 2; break;
    case OUTSIDE: c = d ? size + 3 : size + unit; break;
    case LAST_BELOW: c = d == t->rank - 1 ? -1 : unit; break;
    default: c = d ? 0 : -unit;
    }
    return d ? c : (c < 0 ? -((-c + unit - 1) / unit * unit) : c / unit * unit);
}

static uint32_t box_bytes(const struct machine_tensor *t) {
    uint32_t n = element[t->type] * t->box[0];
    for (int d = 1; d < t->rank; d++) n *= (t->box[d] + t->step[d] - 1) / t->step[d];
    return n;
}

static void coordinates(const struct machine_tensor *t, int place, char *out, size_t bytes) {
    size_t at = (size_t)snprintf(out, bytes, "{");
    for (int d = 0; d < t->rank; d++) at += (size_t)snprintf(out + at, bytes - at, "%s%d", d ? ", " : "", coordinate(t, place, d));
    snprintf(out + at, bytes - at, "}");
}

static const char *const operations[] = {"add", "min", "max", "inc", "dec", "and", "or", "xor"};

/* PTX ISA 9.1 §9.7.9.27.1.3; what the descriptor's type allows. */
static bool legal(int op, int type) {
    bool integer = type == U32 || type == S32 || type == U64, half = type == F16 || type == BF16;
    switch (op) {
    case 0: return integer || half || type == F32 || type == FTZ;
    case 1:
    case 2: return integer || type == S64 || half;
    case 3:
    case 4: return type == U32;
    default: return element[type] >= 4;
    }
}

/* The rows: loads by place, stores by place, reductions by operation; then the special ones. */
enum { STORE_PLACES = 3, PER_TENSOR = PLACES + STORE_PLACES + 8 };
static const int store_places[STORE_PLACES] = {INSIDE, ABOVE, OUTSIDE};

static const char *const special[] = {
    EXPECT("1024") "@%first cp.async.bulk.tensor.2d<|.tile>.shared::<cta|cluster>.global.mbarrier::complete_tx::bytes [%s+1024], [%map, {8, 3}], [%bar];" WAIT,
    "createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0;\n" EXPECT("1024") "@%first cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.L2::cache_hint [%s+1024], [%map, {8, 3}], [%bar], %rd9;" WAIT,
    "@%first cp.async.bulk.prefetch.tensor.2d.L2.global<|.tile> [%map, {8, 3}]; mov.b32 %o0, 1;",
    "@%first cp.async.bulk.prefetch.tensor.2d.L2.global.L2::cache_hint [%map, {8, 3}], 0x12f0000000000000; mov.b32 %o0, 1;",
    "prefetch.<tensormap [%map]|param.tensormap [map]>; mov.b32 %o0, 1;",
    /* not a multiple of 16 bytes */
    EXPECT("1024") "@%first cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%s+1024], [%map, {<5|-1>, 3}], [%bar];" WAIT,
    /* the map in shared memory, changed there, put to global memory, used */
    "mad.lo.u32 %r20, %lane, 4, %s; mad.wide.u32 %rd10, %lane, 4, %map; ld.b32 %r21, [%rd10]; st.shared.b32 [%r20], %r21; bar.warp.sync 0xffffffff; mov.b32 %r23, 17; mov.b64 %rd11, 512; mov.b64 %rd12, 0x7f1234567890; @!%first bra MADE; tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%s], %rd11;\n"
    "<tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%s], 1, %r23|tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%s], 4, 9|tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%s], 0, 32|tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%s], 0, %rd11|tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%s], 1, 0x123456780|tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%s], 2, %rd11|tensormap.replace.tile.global_stride.shared::cta.b1024.b64 [%s], 3, 4096|"
    "tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%s], %rd12|tensormap.replace.tile.element_stride.shared::cta.b1024.b32 [%s], 1, 2|tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%s], 3, 200|tensormap.replace.tile.rank.shared::cta.b1024.b32 [%s], 1|"
    "tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%s], 6|tensormap.replace.tile.interleave_layout.shared::cta.b1024.b32 [%s], 0|tensormap.replace.tile.swizzle_mode.shared::cta.b1024.b32 [%s], 2|"
    "tensormap.replace.tile.fill_mode.shared::cta.b1024.b32 [%s], 1>;\n"
    "MADE: bar.warp.sync 0xffffffff; add.u64 %rd13, %gout, 12288; tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.<gpu|cta>.sync.aligned [%rd13], [%s], 128; fence.proxy.tensormap::generic.acquire.gpu [%rd13], 128; mov.b32 %o0, 1;",
    "mad.wide.u32 %rd10, %lane, 4, %map; mad.wide.u32 %rd14, %lane, 4, %gout; ld.b32 %r21, [%rd10]; st.global.b32 [%rd14+12288], %r21; add.u64 %rd13, %gout, 12288; fence.proxy.tensormap::generic.release.gpu; bar.warp.sync 0xffffffff;\n"
    "@%first tensormap.replace.tile.global_dim<|.global>.b1024.b32 [%rd13], 1, 6; fence.proxy.tensormap::generic.release.gpu; fence.proxy.tensormap::generic.acquire.gpu [%rd13], 128; bar.warp.sync 0xffffffff; " EXPECT("1024") "@%first cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%s+1024], [%rd13, {8, 3}], [%bar];" WAIT "@%first st.global.b64 [%rd13], 0;",
};
static const struct machine_tensor special_map = {BF16, 2, {100, 40}, {256}, {64, 8}, {1, 1}, 3, 0};
static const char *const stored[] = {
    "createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n" ONE_THREAD "cp.async.bulk.tensor.2d<|.tile>.global.shared::cta.bulk_group.L2::cache_hint [%map, {8, 35}], [%s+1024], %rd9; " GROUP_DONE PAST,
    ONE_THREAD "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%map, {<4, 3|-8, 3|8, -2>}], [%s+1024]; " GROUP_DONE PAST,
    "createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0;\n" ONE_THREAD "cp.reduce.async.bulk.tensor.2d.global.shared::cta.<add|max>.tile.bulk_group.L2::cache_hint [%map, {64, 3}], [%s+1024], %rd9; " GROUP_DONE PAST,
};
static const char *const clustered[] = {
    EXPECT("2048") "mov.u16 %h8, 3; @!%first bra WAITING; setp.eq.u32 %p1, %rank, 0; @%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%s+1024], [%map, {8, 3}], [%bar], %h8; "
    "@!%p1 cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster [%s+3072], [%map, {64, 35}], [%bar], %h8; WAITING: " WAIT,
    EXPECT("1024") "@!%first bra WAITING; setp.eq.u32 %p1, %rank, 1; @%p1 cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint [%s+1024], [%map, {-8, 3}], [%bar], 3, 0x12f0000000000000; WAITING: " WAIT,
    PEER EXPECT("1024") "@%first cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r21+1024], [%map, {8, 3}], [%r22];" WAIT,
};

/* Whether there is a k-th row about a tensor: not where its type has no such reduction. */
static bool has_row(const struct machine_tensor *t, int k) { return k < PLACES + STORE_PLACES || legal(k - PLACES - STORE_PLACES, t->type); }

static void tensor_row(const struct machine_tensor *t, int k, char *body, size_t bytes) {
    char at[96];
    int op = k - PLACES - STORE_PLACES;
    bool load = k < PLACES;
    coordinates(t, load ? k : op < 0 ? store_places[k - PLACES] : ABOVE, at, sizeof at);
    if (load)
        snprintf(body, bytes, "%s%u; %s.%ud.shared::cluster.global.mbarrier::complete_tx::bytes [%%s+1024], [%%map, %s], [%%bar];%s",
                 "@%first mbarrier.arrive.expect_tx.shared.b64 _, [%bar], ", box_bytes(t), "@%first cp.async.bulk.tensor", t->rank, at, WAIT);
    else
        snprintf(body, bytes, "%s// %s\n%s.%ud.global.shared::cta%s%s.tile.bulk_group [%%map, %s], [%%s+1024]; %s%s", ONE_THREAD, type_names[t->type],
                 op < 0 ? "cp.async.bulk.tensor" : "cp.reduce.async.bulk.tensor", t->rank, op < 0 ? "" : ".", op < 0 ? "" : operations[op], at, GROUP_DONE, PAST);
}

size_t machine_tensor_row_count(void) {
    size_t n = 0;
    for (size_t t = 0; t < LEN(tensors); t++)
        for (int op = 0; op < 8; op++) n += legal(op, tensors[t].type);
    return n + LEN(tensors) * (PLACES + STORE_PLACES) + LEN(special) + LEN(stored) + LEN(clustered);
}

struct machine_row machine_tensor_row(size_t i, char *body, size_t bytes) {
    if (i < LEN(special)) return (struct machine_row){special[i], 0, FDB, 0, 0, 0, &special_map};
    if ((i -= LEN(special)) < LEN(stored)) return (struct machine_row){stored[i], 0, FD | MACHINE_STORES, 64, 0, 0, &special_map};
    if ((i -= LEN(stored)) < LEN(clustered)) return (struct machine_row){clustered[i], 0, FDB, 0, 2, 2, &special_map};
    i -= LEN(clustered);
    for (size_t n = 0;; n++) {
        const struct machine_tensor *t = &tensors[n / PER_TENSOR];
        int k = (int)(n % PER_TENSOR);
        if (!has_row(t, k) || i-- > 0) continue;
        tensor_row(t, k, body, bytes);
        return (struct machine_row){body, 0, k < PLACES ? FDB : FD | MACHINE_STORES, 64, 0, 0, t};
    }
}
/* clang-format on */
