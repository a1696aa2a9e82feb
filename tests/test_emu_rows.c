/* Forms that no other test executes: one small body each, its results in lane 5. `make coverage-emu` says
 * which are left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/module.h"
#include "tests/emu_run.h"
#include "tests/test.h"

#define A 0x89abcdefu
#define B 0x01234567u

#define SHARED ".shared .align 32 .b8 s[2048]; mov.u32 %r8, s; mad.lo.u32 %r8, %lane, 32, %r8;\n"
#define LOCAL  ".local .align 32 .b8 l[64]; mov.u64 %rd8, l;\n"
#define BYTES  "cvt.u8.u32 %b0, %r0; cvt.u8.u32 %b1, %r1;\n" /* 0xef 0x67 */

/* %one: lane 5 acts; %t: shared memory whose first 8 bytes are an mbarrier of count 1; %room: 128 words of
 * global memory, word k is k + 100 */
#define BARRIER                                                                                              \
    ".shared .align 128 .b8 t[4096]; .reg .b32 %t; .reg .b64 %room, %word; mov.u32 %t, t; mov.u64 %room, "   \
    "room;\n"                                                                                                \
    "@%one mbarrier.init.shared.b64 [%t], 1; mad.wide.u32 %word, %lane, 4, %room; add.u32 %r9, %lane, "      \
    "100;\n"                                                                                                 \
    "st.global.b32 [%word], %r9; st.global.b32 [%word + 128], 0; bar.warp.sync -1;\n"
#define EXPECT(bytes) "@%one mbarrier.arrive.expect_tx.shared.b64 _, [%t], " bytes ";\n"
#define WAIT          "W: mbarrier.try_wait.parity.shared.b64 %p0, [%t], 0; @!%p0 bra W;\n"
#define FLUSH         "@%one cp.async.bulk.commit_group; @%one cp.async.bulk.wait_group 0; bar.warp.sync -1;\n"
#define ROOM          "ld.global.v2.b32 {%r0, %r1}, [%room + 128];\n" /* what a store left behind the source */
/* a load of 128 bytes, of which words 1 and 2 are looked at */
#define LOAD(how, more)                                                                                      \
    BARRIER EXPECT("128") "@%one cp.async.bulk." how " [%t + 128], [%room], 128, [%t]" more ";\n" WAIT       \
                          "ld.shared.b32 %r0, [%t + 132]; ld.shared.b32 %r1, [%t + 136];\n"
#define FILL "@%one st.shared.v4.b32 [%t + 128], {%r0, %r1, %r2, %r3}; @%one fence.proxy.async;\n"

/* clang-format off */
static const struct {
    const char *body; /* in: %r0 = A, %r1 = B, %r2 = 3.0f, %r3 = 5, %rd0 = {A, B}, %rd1 = {3.0f, 5} */
    uint32_t out[2];
} rows[] = {
    {"fns.b32 %r1, %r0, 7, -2; fns.b32 %r0, %r0, 4, 1;", {5, 6}},
    {"mov.b32 %r9, 0x3f800000; mov.b32 %r10, 0x30800000; mov.b64 %rd4, {%r9, %r9}; mov.b64 %rd5, {%r10, %r10};\n"
     "sub.rz.f32x2 %rd6, %rd4, %rd5; mov.b64 {%r0, _}, %rd6; sub.rp.f32x2 %rd6, %rd4, %rd5; mov.b64 {_, %r1}, %rd6;", {0x3f7fffff, 0x3f800000}},
    {"mov.b32 %r9, 0x3f800001; mov.b64 %rd4, {%r9, %r9}; mul.rp.f32x2 %rd5, %rd4, %rd4; mov.b64 {%r0, _}, %rd5;\n"
     "mul.rm.f32x2 %rd5, %rd4, %rd4; mov.b64 {_, %r1}, %rd5;", {0x3f800003, 0x3f800002}},
    {"mov.b64 %rd4, 0x4010000000000000; rsqrt.approx.f64 %rd5, %rd4; mov.b64 {_, %r0}, %rd5;\n"
     "rsqrt.approx.ftz.f64 %rd5, %rd4; mov.b64 {_, %r1}, %rd5;", {0x3fe00000, 0x3fe00000}},
    {"mov.u64 %rd4, %clock64; mov.u64 %rd5, %clock64; setp.ge.u64 %p0, %rd5, %rd4; selp.b32 %r0, 1, 0, %p0;\n"
     "mov.u32 %r9, %clock; mov.u32 %r10, %clock; sub.u32 %r10, %r10, %r9; setp.lt.u32 %p0, %r10, 0x10000000; selp.b32 %r1, 1, 0, %p0;", {1, 1}},
    {BYTES "mov.b16 %h0, {%b0, %b1}; cvt.u32.u16 %r0, %h0; mov.b16 {%b2, %b3}, %h0; cvt.u32.u8 %r1, %b3;", {0x67ef, 0x67}},
    {BYTES "mov.b32 %r0, {%b0, %b1, %b1, %b0}; mov.b32 {%b2, %b3, %b4, %b5}, %r0; cvt.u32.u8 %r1, %b4;", {0xef6767ef, 0x67}},
    {BYTES "mov.b64 %rd4, {%b0, %b1, %b0, %b1, %b1, %b1, %b0, %b0}; mov.b64 {%r0, %r1}, %rd4;\n"
     "mov.b64 {%b2, %b3, %b4, %b5, %b6, %b7, %b8, %b9}, %rd4; cvt.u32.u8 %r2, %b7; sub.u32 %r1, %r1, %r2;", {0x67ef67ef, 0xefef6767 - 0x67}},
    {"cvt.u16.u32 %h0, %r0; cvt.u16.u32 %h1, %r1; mov.b64 %rd4, {%h0, %h1, %h1, %h0}; mov.b64 {%r0, %r1}, %rd4;", {0x4567cdef, 0xcdef4567}},
    {"mov.b128 %q0, {%r0, %r1, %r2, %r3}; mov.b128 {%r9, %r10, %r11, %r12}, %q0; mov.b32 %r0, %r12; mov.b32 %r1, %r10;", {5, B}},
    /* conversions of sm_100a; ue8m0 as cuda_fp8.hpp of CUDA 13.0 has it */
    {"mov.b32 %r9, 0x3c004000; cvt.rn.satfinite.e2m1x2.f16x2 %b0, %r9; cvt.u32.u8 %r0, %b0; cvt.rn.f16x2.e2m1x2 %r1, %b0;", {0x24, 0x3c004000}},
    {"mov.b32 %r9, 0x3f800000; cvt.rz.ue8m0x2.f32 %h0, %r2, %r9; cvt.u32.u16 %r0, %h0; cvt.rp.ue8m0x2.f32 %h0, %r2, %r9; cvt.u32.u16 %r1, %h0;", {0x807f, 0x817f}},
    {"mov.b32 %r9, 0x7f000001; mov.b32 %r10, 0x7fc00000; cvt.rp.satfinite.ue8m0x2.f32 %h0, %r9, %r10; cvt.u32.u16 %r0, %h0;\n"
     "mov.b32 %r9, 0xff800000; mov.b32 %r10, 0x00400001; cvt.rp.ue8m0x2.f32 %h0, %r9, %r10; cvt.u32.u16 %r1, %h0;", {0xfeff, 0xff01}},
    {"mov.b32 %r9, 0x80000000; mov.b32 %r10, 0x00400000; cvt.rp.ue8m0x2.f32 %h0, %r9, %r10; cvt.u32.u16 %r0, %h0;\n"
     "mov.b32 %r9, 0xbfc00000; mov.b32 %r10, 0x807fffff; cvt.rz.satfinite.ue8m0x2.f32 %h0, %r9, %r10; cvt.u32.u16 %r1, %h0;", {0x0000, 0x7f00}},
    {"mov.b32 %r9, 0x40407f80; cvt.rp.satfinite.ue8m0x2.bf16x2 %h0, %r9; cvt.u32.u16 %r0, %h0; cvt.rz.ue8m0x2.bf16x2 %h0, %r9; cvt.u32.u16 %r1, %h0;", {0x81fe, 0x80ff}},
    {"mov.b16 %h0, 0x00ff; cvt.rn.bf16x2.ue8m0x2 %r0, %h0; mov.b16 %h0, 0xfe01; cvt.rn.bf16x2.ue8m0x2 %r1, %h0;", {0x00407fff, 0x7f000080}},
    {"mov.b32 %r9, 0x3f808000; mov.b32 %r10, 0x80007fff; cvt.rs.bf16x2.f32 %r0, %r9, %r9, %r10;\n"
     "mov.b32 %r9, 0xbf800000; mov.b32 %r10, 0x7f7fffff; mov.b32 %r11, 0xffffffff; cvt.rs.relu.satfinite.bf16x2.f32 %r1, %r9, %r10, %r11;", {0x3f813f80, 0x00007f7f}},
    /* halves */
    {"mov.b16 %h0, 0x7c00; tanh.approx.f16 %h1, %h0; cvt.u32.u16 %r0, %h1; mov.b32 %r9, 0x7f80ff80; tanh.approx.bf16x2 %r1, %r9;", {0x3c00, 0x3f80bf80}},
    {"mov.b16 %h0, 0x4000; ex2.approx.f16 %h1, %h0; cvt.u32.u16 %r0, %h1; mov.b32 %r9, 0x40003f80; ex2.approx.ftz.bf16x2 %r1, %r9;", {0x4400, 0x40804000}},
    {"mov.b16 %h0, 0x4000; mov.b16 %h1, 0x3c00; setp.lt.f16 %p0, %h1, %h0; selp.b32 %r0, 1, 0, %p0; setp.gt.bf16 %p0, %h1, %h0; selp.b32 %r1, 1, 0, %p0;", {1, 0}},
    /* barriers and votes of one warp */
    {"pmevent 1; griddepcontrol.wait; griddepcontrol.launch_dependents; setp.eq.u32 %p1, %lane, 3;\n"
     "bar.red.and.pred %p0, 1, %p1; selp.b32 %r0, 1, 0, %p0; bar.red.or.pred %p0, 1, %p1; selp.b32 %r1, 1, 0, %p0;", {0, 1}},
    {"setp.lt.u32 %p1, %lane, 9; barrier.cta.arrive.aligned 2, 64; barrier.cta.sync.aligned 2, 64;\n"
     "barrier.red.popc.aligned.u32 %r0, 3, %p1; barrier.red.or.aligned.pred %p0, 3, %p1; selp.b32 %r1, 1, 0, %p0;", {9, 1}},
    {"setp.lt.u32 %p1, %lane, 9; barrier.arrive 2, 64; barrier.sync 2, 64;\n"
     "barrier.cta.red.popc.u32 %r0, 3, 32, %p1; barrier.red.and.pred %p0, 3, %p1; selp.b32 %r1, 1, 0, %p0;", {9, 0}},
    {"cvt.u64.u32 %rd4, %lane; and.b64 %rd4, %rd4, 1; match.any.sync.b64 %r0, %rd4, -1; match.all.sync.b64 %r1|%p0, %rd0, -1;\n"
     "@!%p0 mov.u32 %r1, 7;", {0xaaaaaaaa, 0xffffffff}},
    {"sub.u32 %r9, %lane, 7; redux.sync.min.s32 %r0, %r9, -1; redux.sync.max.u32 %r1, %lane, -1;", {0xfffffff9, 31}},
    /* memory: widths by space */
    {"mov.b128 %q0, {%rd0, %rd1}; st.global.b128 [%fly], %q0; ld.global.b128 %q1, [%fly]; mov.b128 {%r9, %r0, _, %r1}, %q1; st.global.u8 [%fly], %r3; ld.global.b32 %r9, [%fly]; sub.u32 %r1, %r9, %r1;",
     {B, 0x89abcd05 - 5}},
    {LOCAL "st.local.b64 [%rd8], %rd0; st.local.u8 [%rd8 + 1], %r3; st.local.u16 [%rd8 + 6], %r3; ld.local.u8 %r0, [%rd8 + 3]; ld.local.b64 %rd4, [%rd8]; mov.b64 {_, %r1}, %rd4; ld.local.u16 %h0, [%rd8]; cvt.u32.u16 %r9, %h0; add.u32 %r0, %r0, %r9;",
     {0x89 + 0x05ef, 0x00054567}},
    {LOCAL "mov.b128 %q0, {%rd0, %rd1}; st.local.b128 [%rd8 + 16], %q0; ld.local.b128 %q1, [%rd8 + 16]; mov.b128 {%rd4, %rd5}, %q1; mov.b64 {%r0, _}, %rd4; mov.b64 {_, %r1}, %rd5;", {A, 5}},
    {SHARED "cvt.u64.u32 %rd8, %r8; cvta.shared.u64 %rd9, %rd8; st.b32 [%rd9], %r0; st.u8 [%rd9 + 1], %r3; st.u16 [%rd9 + 2], %r1; ld.u8 %r0, [%rd9 + 1]; ld.u16 %h0, [%rd9 + 2]; cvt.u32.u16 %r1, %h0;", {5, 0x4567}},
    {SHARED "cvt.u64.u32 %rd8, %r8; cvta.shared.u64 %rd9, %rd8; mov.b128 %q0, {%rd1, %rd0}; st.b128 [%rd9], %q0; ld.b128 %q1, [%rd9]; mov.b128 {%rd4, %rd5}, %q1; mov.b64 {_, %r0}, %rd4; mov.b64 {%r1, _}, %rd5;", {5, A}},
    {"st.global.v2.b64 [%fly], {%rd0, %rd1}; ldu.global.u8 %r0, [%fly + 3]; ldu.global.u16 %h0, [%fly]; cvt.u32.u16 %r9, %h0; add.u32 %r0, %r0, %r9; ldu.global.u32 %r1, [%fly + 4];", {0x89 + 0xcdef, B}},
    {"st.global.v2.b64 [%fly], {%rd0, %rd1}; ldu.global.v2.b64 {%rd4, %rd5}, [%fly]; mov.b64 {_, %r0}, %rd5; ldu.b128 %q0, [%fly]; mov.b128 {%rd6, _}, %q0; mov.b64 {_, %r1}, %rd6;", {5, B}},
    {"fence.acquire.sync_restrict::shared::cluster.cluster; fence.release.sync_restrict::shared::cta.cluster; fence.proxy.alias;\n"
     "fence.proxy.async::generic.acquire.sync_restrict::shared::cluster.cluster; fence.proxy.tensormap::generic.release.gpu; membar.proxy.alias;\n"
     "prefetch.global.L2::evict_last [%in]; createpolicy.range.global.L2::evict_last.b64 %rd9, [%fly], 128, 256; createpolicy.cvt.L2.b64 %rd8, %rd9;\n"
     "mov.b64 {_, %r0}, %rd8; mov.b64 {_, %r9}, %rd9; sub.u32 %r0, %r0, %r9;", {0, B}},
    /* atomics */
    {"st.global.b32 [%fly], 0x3c004000; mov.b16 %h0, 0x3c00; atom.global.add.noftz.f16 %h1, [%fly], %h0; cvt.u32.u16 %r0, %h1; ld.global.b32 %r1, [%fly];", {0x4000, 0x3c004200}},
    {"st.global.b32 [%fly], 0x3f804000; mov.b16 %h0, 0x3f80; red.global.add.noftz.bf16 [%fly], %h0; ld.global.b32 %r0, [%fly];\n"
     "atom.global.v2.bf16.max.noftz {%h1, %h2}, [%fly], {%h0, %h0}; mov.b32 %r1, {%h1, %h2};", {0x3f804040, 0x3f804040}},
    {"mov.b128 %q0, {%rd0, %rd1}; mov.b128 %q1, {%rd1, %rd0}; st.global.b128 [%fly], %q0; atom.global.b128.exch %q2, [%fly], %q1; mov.b128 {%r0, _, _, _}, %q2; ld.global.b32 %r1, [%fly + 4];", {A, 5}},
    {"st.global.b64 [%fly], %rd0; atom.global.cas.b64 %rd4, [%fly], %rd0, %rd1; mov.b64 {%r0, _}, %rd4; ld.global.b32 %r1, [%fly + 4];", {A, 5}},
    {"mov.b64 %rd4, 0x3ff0000000000000; st.global.b64 [%fly], %rd4; red.global.add.f64 [%fly], %rd4; ld.global.b64 %rd5, [%fly]; mov.b64 {%r0, %r1}, %rd5;", {0, 0x40000000}},
    /* mbarriers and addresses of the cluster */
    {BARRIER "@%one mbarrier.init.shared.b64 [%t + 8], 40; @%one mbarrier.arrive.noComplete.shared.b64 %rd4, [%t + 8], 3; @%one mbarrier.arrive_drop.noComplete.shared.b64 %rd5, [%t + 8], 2;\n"
     "@%one mbarrier.pending_count.b64 %r0, %rd4; @%one mbarrier.pending_count.b64 %r1, %rd5;", {40, 37}},
    {BARRIER "@%one mbarrier.arrive.shared.b64 %rd4, [%t]; bar.warp.sync -1; mov.u32 %r0, 7; @%one mbarrier.try_wait.shared.b64 %p0, [%t], %rd4; @%one selp.b32 %r0, 1, 0, %p0;", {1, B}},
    {SHARED "cvt.u64.u32 %rd8, %r8; mapa.shared::cluster.u64 %rd9, %rd8, 0; getctarank.shared::cluster.u64 %r0, %rd9; cvta.shared.u64 %rd10, %rd9; getctarank.u64 %r1, %rd10; sub.u64 %rd9, %rd9, %rd8; cvt.u32.u64 %r9, %rd9; add.u32 %r1, %r1, %r9;", {0, 0}},
    /* bulk copies: hints, masks, multicast to the only CTA */
    {LOAD("shared::cta.global.mbarrier::complete_tx::bytes.L2::cache_hint", ", 0x12F0000000000000"), {101, 102}},
    {LOAD("shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint", ", 0x12F0000000000000"), {101, 102}},
    {"mov.b16 %h9, 1;\n" LOAD("shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster", ", %h9"), {101, 102}},
    {"mov.b16 %h9, 1;\n" LOAD("shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster.L2::cache_hint", ", %h9, 0x12F0000000000000"), {101, 102}},
    {"mov.b16 %h9, 1;\n" LOAD("shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint.multicast::cluster", ", %h9, 0x12F0000000000000"), {101, 102}},
    {BARRIER FILL EXPECT("16") "@%one cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes [%t + 256], [%t + 128], 16, [%t];\n" WAIT "ld.shared.v2.b32 {%r1, %r0}, [%t + 256];", {B, A}},
    {BARRIER FILL "@%one cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint [%room + 128], [%t + 128], 16, 0x12F0000000000000;\n" FLUSH ROOM, {A, B}},
    {BARRIER FILL "mov.b16 %h9, 0x0f01;\n@%one cp.async.bulk.global.shared::cta.bulk_group.cp_mask [%room + 128], [%t + 128], 16, %h9;\n" FLUSH "ld.global.b32 %r0, [%room + 128]; ld.global.b32 %r1, [%room + 136];", {0xef, 0x40400000}},
    {BARRIER FILL "mov.b16 %h9, 0x000e;\n@%one cp.async.bulk.global.shared::cta.bulk_group.L2::cache_hint.cp_mask [%room + 128], [%t + 128], 16, 0x12F0000000000000, %h9;\n" FLUSH ROOM, {0x89abcd00, 0}},
    {BARRIER FILL "@%one st.shared.v4.b32 [%t + 256], {1, 2, 3, 4}; @%one fence.proxy.async;\n" EXPECT("16")
     "@%one cp.reduce.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes.add.u32 [%t + 256], [%t + 128], 16, [%t];\n" WAIT "ld.shared.v2.b32 {%r0, %r1}, [%t + 256];", {A + 1, B + 2}},
    {BARRIER FILL "st.global.b32 [%word + 128], 1;\n@%one cp.reduce.async.bulk.global.shared::cta.bulk_group.L2::cache_hint.add.u32 [%room + 128], [%t + 128], 16, 0x12F0000000000000;\n" FLUSH ROOM, {A + 1, B + 1}},
    {BARRIER "cp.async.bulk.prefetch.L2.global [%room], 128; cp.async.bulk.prefetch.L2.global.L2::cache_hint [%room], 128, 0x12F0000000000000;", {A, B}},
    {BARRIER EXPECT("24") "@%one st.async.shared::cluster.mbarrier::complete_tx::bytes.b64 [%t + 128], %rd1, [%t];\n"
     "@%one st.async.shared::cluster.mbarrier::complete_tx::bytes.v2.b64 [%t + 144], {%rd0, %rd1}, [%t];\n" WAIT "ld.shared.b32 %r0, [%t + 132]; ld.shared.b32 %r1, [%t + 148];", {5, B}},
    {"st.async.release.gpu.global.b32 [%fly], %r0; red.async.release.sys.global.add.u32 [%fly], %r3; st.async.mmio.release.sys.global.u16 [%fly + 4], %r1; ld.global.b32 %r0, [%fly]; ld.global.u16 %r1, [%fly + 4];", {A + 5, 0x4567}},
    {SHARED "st.shared.v4.b32 [%r8], {%r0, %r0, %r1, %r1}; st.bulk.weak.shared::cta [%r8], 8, 0; cvt.u64.u32 %rd8, %r8; cvta.shared.u64 %rd9, %rd8; mov.u64 %rd10, 8; st.bulk [%rd9 + 8], %rd10, 0; st.shared.b32 [%r8 + 12], %r3; ld.shared.v2.b32 {%r0, %r1}, [%r8 + 8];", {0, 5}},
    /* ptxas takes modifiers in any order [ptxas 13.0]; so do these rows */
    {"st.global.b32 [%fly], %r3; ld.global.relaxed.gpu.u32 %r0, [%fly]; min.s16x2.relu %r1, %r1, %r0;", {5, 5}},
    {"st.global.v2.b32 [%fly], {%r2, %r2}; red.global.v2.f32.add [%fly], {%r2, %r2}; ld.global.L2::evict_last.L1::evict_last.v2.b32 {%r0, %r1}, [%fly];", {0x40c00000, 0x40c00000}},
    /* clang-format on */
};

ParameterizedTestParameters(emu_rows, row) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, emu_rows, row) {
    uint32_t in[4][32], out[4][32], words[4] = {A, B, 0x40400000, 5};
    char body[4096], *report = calloc(1, 16384);
    for (int k = 0; k < 4; k++)
        for (int lane = 0; lane < 32; lane++) in[k][lane] = words[k];
    /* %fly: 128 bytes of a global array for each lane */
    snprintf(body, sizeof body,
             ".reg .b8 %%b<16>; .reg .b64 %%fly; .reg .pred %%one; setp.eq.u32 %%one, %%lane, 5; mov.u64 "
             "%%fly, room; "
             "mul.wide.u32 %%rd30, %%lane, 128; add.u64 %%fly, %%fly, %%rd30;\n%s",
             rows[*i].body);
    cr_assert_eq(emu_run_lanes(body, in[0], 4, out, report), 0, "%s: %s", rows[*i].body, report);
    for (int k = 0; k < 2; k++)
        cr_expect_eq(out[k][5], rows[*i].out[k], "%s: %%r%d is %08x, wanted %08x", rows[*i].body, k,
                     out[k][5], rows[*i].out[k]);
    free(report);
}

/* ---- .const, and .param of every width ---- */

Test(emu_rows, constants_and_parameters) {
    static const char ptx[] =
        ".version 9.0\n.target sm_100a\n.address_size 64\n"
        ".const .align 16 .b8 c[32] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17};\n"
        ".func (.param .b32 r) add(.param .b8 a, .param .b16 b, .param .align 16 .b8 q[16]) {\n"
        ".reg .b16 %x, %y; .reg .b128 %q; .reg .b32 %r, %s, %t; .reg .b64 %u, %v;\n"
        "ld.param.u8 %x, [a]; ld.param.u16 %y, [b]; ld.param.b128 %q, [q]; add.u16 %x, %x, %y; cvt.u32.u16 "
        "%r, %x;\n"
        "mov.b128 {%u, %v}, %q; cvt.u32.u64 %s, %v; add.u32 %r, %r, %s; st.param.b32 [r], %r; ret; }\n"
        ".visible .entry test(.param .u64 p, .param .u8 a, .param .u16 b, .param .align 16 .b8 q[16]) {\n"
        ".reg .b64 %p, %u, %v; .reg .b16 %x, %y; .reg .b32 %r, %s; .reg .b128 %q;\n"
        "ld.param.u64 %p, [p]; ld.param.u8 %x, [a]; ld.param.u16 %y, [b]; ld.param.b128 %q, [q];\n"
        "{ .param .b8 a0; .param .b16 b0; .param .align 16 .b8 q0[16]; .param .b32 r0;\n"
        "st.param.b8 [a0], %x; st.param.b16 [b0], %y; st.param.b128 [q0], %q;\n"
        "call (r0), add, (a0, b0, q0); ld.param.b32 %r, [r0]; }\n"
        "st.global.b32 [%p], %r; ld.const.u8 %x, [c + 2]; ld.const.u16 %y, [c + 4]; mov.b32 %r, {%x, %y};\n"
        "st.global.b32 [%p + 4], %r; ld.const.b64 %u, [c + 8]; st.global.b64 [%p + 8], %u;\n"
        "ld.const.b128 %q, [c + 16]; st.global.b128 [%p + 16], %q; ret; }";
    struct {
        uint64_t p;
        uint8_t a;
        uint16_t b;
        uint64_t q[2] __attribute__((aligned(16)));
    } params = {emu_device_alloc(emu_run_device(), 64), 7, 1000, {1, 20000}};
    static struct emu_run run;
    run = (struct emu_run){.ptx = ptx, .params = &params, .param_bytes = sizeof params, .block = {1}};
    cr_assert_eq(emu_run(&run), 0, "%s", run.report);
    const uint32_t *out = (const uint32_t *)(uintptr_t)params.p;
    static const uint32_t wanted[] = {21007, 0x06050003, 0x0c0b0a09, 0x100f0e0d, 17, 0, 0, 0};
    cr_expect_arr_eq(out, wanted, sizeof wanted, "%08x %08x %08x %08x %08x", out[0], out[1], out[2], out[3],
                     out[4]);
}

/* ---- what is refused says why ---- */

/* clang-format off */
static const struct {
    const char *body, *says;
} refused[] = {
    {"tcgen05.ld.red.sync.aligned.32x32b.x2.min.u32 {%r0, %r1}, %r2, [%r3];", "'tcgen05.ld.red.sync.aligned.32x32b.x2.min.u32': tcgen05.ld.red needs sm_103a"},
    {"tcgen05.mma.sp.cta_group::1.kind::f16 [%r0], %rd0, %rd1, [%r2], %r3, %p0;", "sparse multiplies are not emulated"},
    {"mma.sp.sync.aligned.m16n8k32.row.col.f32.f16.f16.f32 {%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, {%r0, %r1, %r2, %r3}, %r0, 0;", "sparse multiplies are not emulated"},
    {"multimem.ld_reduce.relaxed.sys.global.add.f32 %f1, [%rd0];", "multicast objects of several devices"},
    {"cp.async.bulk.tensor.3d.shared::cta.global.im2col.mbarrier::complete_tx::bytes [%r0], [%rd0, {%r1, %r2, %r3}], [%r0], {%h0};", "im2col modes are not emulated"},
    {"cvt.rs.f16x2.f32 %r0, %r1, %r2, %r3;", "stochastic rounding is emulated for bf16x2 only"},
    {"vadd.s32.s32.s32 %r0, %r1, %r2;", "video instructions"},
    {"wmma.mma.sync.aligned.row.col.m16n16k16.f32.f32 {%r0}, {%r0}, {%r0}, {%r0};", "wmma is not emulated"},
    {"mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32 {%r0}, {%r0}, {%r0}, {%r0};", "form of Volta"},
    {"st.bulk.shared::cta [%r0], 8, 1;", "the value must be 0"},
    {"cvt.f16.f32.rn.rn %h0, %r0;", "no form of cvt"},
    {"cvt.rn.ftz.f16.u32 %h0, %r0;", ".ftz is of float32 only"},
    {"sub.u16x2 %r0, %r0, %r1;", "no form of sub"},
    {"mad.f32 %r0, %r0, %r1, %r2;", "no form of mad"},
    {"cp.async.bulk.shared::cta.mbarrier::complete_tx::bytes.shared::cluster [%r0], [%r1], 16, [%r2];", "no form of cp"}, /* spaces do not change places */
    {"cvt.rn.f32.f16x2 %r0, %r1;", "no form of cvt"},                                                                   /* nor types */
};
/* clang-format on */

Test(emu_rows, refused) {
    uint32_t out[4][32];
    char *report = calloc(1, 16384);
    for (size_t i = 0; i < WL_LEN(refused); i++) {
        int status = emu_run_lanes(refused[i].body, NULL, 0, out, report);

        cr_expect(status == -1 && strstr(report, refused[i].says), "%s: %d '%s' does not say '%s'",
                  refused[i].body, status, report, refused[i].says);
    }
    free(report);
}

Test(emu_rows, breakpoint) {
    uint32_t out[4][32];
    char *report = calloc(1, 16384);
    int status = emu_run_lanes("brkpt;", NULL, 0, out, report);
    cr_expect(status > 0 && strstr(report, "reached a breakpoint"), "%d %s", status, report);
    free(report);
}

/* ---- malformed modules: what, and where ---- */

#define START ".version 9.0\n.target sm_80\n.address_size 64\n"

/* clang-format off */
static const struct {
    const char *ptx, *says; /* line:column: text */
} malformed[] = {
    {"", "1:1: '.version' is wanted"},
    {".version 9.0\n.target sm_90a\n", "2:9: .target sm_90a is not for this device"},
    {START ".global .b8 a[99999999999999];\n", "4:30: array of more than 2^40 bytes"},
    {START ".visible .entry k() { .reg .b32 %r<999999999>; ret; }", "4:36: 999999999 is too large"},
    {START ".visible .entry k() { .shared .b8 s[999999999]; ret; }", "4:35: 's' does not fit"},
    {START ".visible .entry k(.param .b8 p[99999999]) { ret; }", "4:30: 'p' ends at byte 99999999 of the parameters: the most is 32764"},
    {START ".visible .entry k() .maxntid 64, 32 { ret; }", "4:30: a block of 2048 threads: the most is 1024"},
    {START ".visible .entry k() .reqntid 1025 { ret; }", "4:30: a block of 1025 threads"},
    {START ".visible .entry k() { bra X; }", "4:27: 'X' is not declared"},
    {START ".visible .entry k() { .reg .b32 %r; .reg .b64 %d;\n  add.u32 %d, %r, 1; }", "5:11: operand 1 of 'add.u32' does not fit"},
    {START ".visible .entry k() { \"", "4:23: string without an end"},
    {START "/* ", "4:1: comment without an end"},
};
/* clang-format on */

Test(emu_rows, malformed) {
    static struct emu_run run;
    for (size_t i = 0; i < WL_LEN(malformed); i++) {
        run = (struct emu_run){.ptx = malformed[i].ptx};
        emu_run(&run);
        cr_expect(run.status == -1 && strncmp(run.report, malformed[i].says, strlen(malformed[i].says)) == 0,
                  "row %zu: '%s' is not '%s'", i, run.report, malformed[i].says);
    }
}

/* A kernel that another compiler made, cut anywhere: an error with its place, or a module. */
Test(emu_rows, truncated) {
    FILE *file = fopen("tests/oracle/pair_100.ptx", "r");
    cr_assert(file, "run the tests from the repository's root");
    static char text[1 << 16];
    size_t length = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    for (size_t cut = 0; cut < length; cut += 61) {
        struct ptx_error error = {0};
        struct emu_module *module = emu_module_load(emu_run_device(), text, cut, &error);
        cr_expect(module || (error.line && error.column && *error.text), "cut at %zu: %u:%u: %s", cut,
                  error.line, error.column, error.text);
        if (module) emu_module_unload(module);
    }
}
