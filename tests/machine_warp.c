/* Warp-wide instructions, barriers, control flow, and lane instructions on vectors (insn_flow.def, insn_lane.def). */
#include "tests/machine_forms.h"

#define MASKS "<0xffffffff|0x0f0ff00f|0x80000001>"
/* A mask's lanes only: the others skip. */
#define MEMBERS "mov.u32 %r20, " MASKS "; shl.b32 %r21, 1, %lane; and.b32 %r21, %r21, %r20; setp.ne.u32 %p1, %r21, 0; and.b32 %r22, %r0, 3; setp.eq.u32 %p2, %r22, <0|1>; "
#define BYTES ".reg .b8 %c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7; " /* an angle would be a choice */
#define BOTH "selp.b32 %o1, 1, 0, %p3;"

/* clang-format off */
const struct machine_row machine_warp_rows[] = {
    {MEMBERS "@%p1 vote.sync.<all|any|uni>.pred %p3, <%p2|!%p2>, %r20; @%p1 selp.b32 %o0, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "setp.le.u32 %p2, %r22, 3; @%p1 vote.sync.<all|uni|any>.pred %p3, <%p2|!%p2>, %r20; @%p1 selp.b32 %o0, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "@%p1 vote.sync.ballot.b32 %o0, <%p2|!%p2>, %r20;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "and.b32 %r23, %r1, 5; @%p1 match.any.sync.b32 %o0, %r23, %r20; cvt.u64.u32 %rd10, %r23; mad.wide.u32 %rd10, %r22, 0x10000, %rd10; @%p1 match.any.sync.b64 %o1, %rd10, %r20;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "and.b32 %r23, %r1, <5|0>; @%p1 match.all.sync.b32 %o0|%p3, %r23, %r20; @%p1 selp.b32 %o1, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "and.b32 %r23, %r1, <5|0>; cvt.u64.u32 %rd10, %r23; shl.b64 %rd10, %rd10, 40; @%p1 match.all.sync.b64 %o0|%p3, %rd10, %r20; @%p1 selp.b32 %o1, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "@%p1 redux.sync.<add.u32|add.s32|min.u32|min.s32|max.u32|max.s32|and.b32|or.b32|xor.b32> %o0, %r1, %r20;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "@%p1 elect.sync %o0|%p3, %r20; @%p1 selp.b32 %o1, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "@%p1 activemask.b32 %o0; @!%p1 bra NOT; activemask.b32 %o1; NOT: bar.warp.sync 0xffffffff; activemask.b32 %o2;", 0, 0, 0, 0, 0, 0},
    {MEMBERS "@%p1 st.shared.b32 [%s], %r1; bar.warp.sync 0xffffffff; @%p1 bar.warp.sync %r20; mov.b32 %o0, %r20;", 0, 0, 0, 0, 0, 0},
    {"shfl.sync.<up|down|bfly|idx>.b32 %o0|%p3, %r1, <0|1|5|31|16>, <0|31|0x1c1f|0x1800|0x0c03|0x1f0f>, 0xffffffff; " BOTH, 0, 0, 0, 0, 0, 0},
    {"shfl.sync.<up|down|bfly|idx>.b32 %o0|%p3, %r1, %r2, %r3, 0xffffffff; " BOTH, 0, 0, 0, 0, 0, 0},
    {"mov.u32 %r20, 0x0f0ff00f; shl.b32 %r21, 1, %lane; and.b32 %r21, %r21, %r20; setp.ne.u32 %p1, %r21, 0; @%p1 shfl.sync.<up|down|bfly|idx>.b32 %o0|%p3, %r1, 4, <0|31>, %r20; @%p1 selp.b32 %o1, 1, 0, %p3;", 0, 0, 0, 0, 0, 0},
    {"shfl.sync.idx.b32 %o0, %r1, %r2, 0x1f, 0xffffffff;", 0, 0, 0, 0, 0, 0},

    /* barriers: 96 threads, so that partial counts show */
    {"st.shared.b32 [%s], %r1; bar<|.cta>.sync 1; mov.b32 %o0, %thread;", 0, 0, 32, 0, 0, 0},
    {"shl.b32 %r20, %thread, 2; add.u32 %r20, %r20, %s; st.shared.b32 [%r20], %r1; <bar.sync 1, 128|bar.cta.sync 15|barrier.sync 2|barrier.cta.sync 2, 128|barrier.sync.aligned 3, 128|barrier.cta.sync.aligned 4>; "
     "xor.b32 %r21, %thread, 127; shl.b32 %r21, %r21, 2; add.u32 %r21, %r21, %s; ld.shared.b32 %o0, [%r21];", 0, 0, 128, 0, 0, 0},
    {"setp.gt.u32 %p1, %thread, 63; shl.b32 %r20, %thread, 2; add.u32 %r20, %r20, %s; st.shared.b32 [%r20], %r1; "
     "@%p1 bra SYNC; <bar.arrive|bar.cta.arrive|barrier.arrive|barrier.cta.arrive.aligned> 1, 128; bra DONE; SYNC: <bar.sync|barrier.sync.aligned|barrier.cta.sync> 1, 128; "
     "xor.b32 %r21, %thread, 127; shl.b32 %r21, %r21, 2; add.u32 %r21, %r21, %s; ld.shared.b32 %o0, [%r21]; DONE: ", 0, 0, 128, 0, 0, 0},
    {"and.b32 %r20, %r1, 3; setp.eq.u32 %p1, %r20, <0|9>; <bar.red.popc|bar.cta.red.popc|barrier.red.popc|barrier.cta.red.popc|barrier.red.popc.aligned|barrier.cta.red.popc.aligned>.u32 %o0, <1|3, 96>, <%p1|!%p1>;", 0, 0, 96, 0, 0, 0},
    {"and.b32 %r20, %r1, 3; setp.le.u32 %p1, %r20, <0|2|3>; <bar.red.and|bar.cta.red.or|barrier.red.and|barrier.cta.red.or|barrier.red.or.aligned|barrier.cta.red.and.aligned>.pred %p3, <1|3, 96>, <%p1|!%p1>; selp.b32 %o0, 1, 0, %p3;", 0, 0, 96, 0, 0, 0},

    /* control flow */
    {"and.b32 %r20, %r1, 3; AGAIN: .branchtargets A, B, C, D; brx.idx<|.uni> <%r20|1>, AGAIN; A: mov.b32 %o0, 10; bra END; B: mov.b32 %o0, 11; C: mov.b32 %o1, 12; bra<|.uni> END; D: mov.b32 %o0, 13; END: ", 0, 0, 0, 0, 0, 0},
    {"and.b32 %r20, %r1, 15; mov.b32 %o0, 0; LOOP: setp.eq.u32 %p1, %r20, 0; @%p1 bra OUT; add.u32 %o0, %o0, %r20; sub.u32 %r20, %r20, 1; bra LOOP; OUT: add.u32 %o1, %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call<|.uni> (y), fact, (x); ld.param.b32 %o0, [y]; }",
     ".func (.param .b32 y) fact(.param .b32 x) {\n.reg .b32 %a<3>; .reg .pred %z; ld.param.b32 %a1, [x]; and.b32 %a1, %a1, 7; mov.b32 %a2, 1;\nL: setp.eq.u32 %z, %a1, 0; @%z bra.uni E; mul.lo.u32 %a2, %a2, %a1; sub.u32 %a1, %a1, 1; bra L;\nE: st.param.b32 [y], %a2; ret.uni;\n}", 0, 0, 0, 0, 0},
    {"setp.gt.u32 %p1, %lane, 20; st.global.v4.b32 [%end], {%r1, %r2, %r3, %r4}; @%p1 <exit|ret>;", 0, 0, 32, 0, 0, 0},
    {"nanosleep.u32 <20|%r20>; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"pmevent<  7|.mask 0x30>; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"griddepcontrol.<launch_dependents|wait>; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"setp.eq.u32 %p1, %lane, <40|5>; @%p1 <trap|brkpt>; mov.b32 %o0, 1;", 0, 0, 0, 0, 0, 0},
    {"setmaxnreg.dec.sync.aligned.u32 24; setmaxnreg.inc.sync.aligned.u32 32; mov.b32 %o0, 1;", 0, 0, 128, 0, 0, 0},

    /* lane instructions on vectors and pairs */
    {"mov.b64 %rd20, {%r1, %r2}; mov.b64 {%o0, %o1}, %rd20; mov.b64 {_, %o2}, %rd20; mov.b128 %q0, {%r3, %r2, %r1, %r0}; mov.b128 %q1, %q0; mov.b128 {%r20, %r21, %r22, %o3}, %q1;", 0, 0, 0, 0, 0, 0},
    {"mov.b128 %q0, {%rd1, %rd2}; mov.b128 {%rd20, %rd21}, %q0; mov.b64 {%o0, %o1}, %rd20; mov.b64 {%o2, %o3}, %rd21;", 0, 0, 0, 0, 0, 0},
    {"mov.b32 %o0, {%h1, %h2}; mov.b32 {%h8, %h9}, %r3; cvt.u32.u16 %o1, %h8; mov.b64 %rd20, {%h1, %h2, %h3, %h4}; mov.b64 {%h10, %h11, %h12, %h13}, %rd20; mov.b32 %o2, {%h13, %h10}; mov.b32 %o3, {%h12, %h11};", 0, 0, 0, 0, 0, 0},
    {BYTES "mov.b32 {%c0, %c1, %c2, %c3}, %r1; mov.b32 %o0, {%c3, %c2, %c1, %c0}; mov.b16 %h8, {%c1, %c0}; cvt.u32.u16 %o1, %h8; mov.b16 {%c4, %c5}, %h2; mov.b16 %h9, {%c5, %c4}; cvt.u32.u16 %o2, %h9;", 0, 0, 0, 0, 0, 0},
    {BYTES "mov.b64 {%c0, %c1, %c2, %c3, %c4, %c5, %c6, %c7}, %rd1; mov.b64 %rd20, {%c7, %c6, %c5, %c4, %c3, %c2, %c1, %c0}; mov.b64 {%o0, %o1}, %rd20;", 0, 0, 0, 0, 0, 0},
    {"mov.u32 %r20, %clock; mov.b32 %r21, %clock; mov.u32 %r22, %clock_hi; mov.u64 %rd20, %clock64; mov.b64 %rd21, %globaltimer; mov.u32 %r23, %globaltimer_lo; mov.u32 %r24, %globaltimer_hi; "
     "sub.u32 %r21, %r21, %r20; setp.lt.s32 %p1, %r21, 0; selp.b32 %o0, 1, 0, %p1; mov.s64 %rd22, %clock64; setp.ge.u64 %p2, %rd22, %rd20; selp.b32 %o1, 1, 0, %p2; shr.u64 %rd21, %rd21, 60; cvt.u32.u64 %o2, %rd21;", 0, 0, 0, 0, 0, 0},
    {"fns.b32 %o0, %r1, <0|7|31|%lane>, <0|1|2|5|-1|-3|32>;", 0, 0, 0, 0, 0, 0},
    {"setp.<eq|ne|lt|le|gt|ge|equ|neu|ltu|leu|gtu|geu|num|nan>.<f16|bf16> %p1, %h1, %h5; selp.b32 %o0, 1, 0, %p1;", 0, 0, 0, 0, 0, 0},
    {"setp.<lt|ge|num>.<and|or|xor>.ftz.f16 %p1, %h1, %h5, <%first|!%first>; selp.b32 %o0, 1, 0, %p1;", 0, 0, 0, 0, 0, 0},
    {"mov.b32 {%h8, %h9}, %r4; setp.<eq|lt|geu|nan>.<and|or>.bf16 %p1, %h1, %h8, %first; selp.b32 %o0, 1, 0, %p1;", 0, 0, 0, 0, 0, 0},
    {"cvt.pack.sat.<u16|s16>.s32 %o0, %r1, %r2; cvt.pack.sat.<u2|s2|u4|s4|u8|s8>.s32.b32 %o1, %r1, %r2, %r3; shr.s32 %r20, %r1, 28; shr.s32 %r21, %r2, 28; cvt.pack.sat.<u2|s2|u4|s4|u8|s8>.s32.b32 %o2, %r20, %r21, %r3;", 0, 0, 0, 0, 0, 0},
    {"mov.b32 %o0, %tid.<x|y|z>; mov.b32 %o1, %ntid.<x|y|z>; mov.b32 %o2, %ctaid.<x|y|z>; mov.b32 %o3, %nctaid.x;", 0, 0, 64, 2, 0, 0},
    {"mov.u32 %o0, %lanemask_<eq|le|lt|ge|gt>; mov.u32 %r20, %warpid; mov.u32 %o2, %nwarpid; setp.lt.u32 %p1, %r20, %o2; selp.b32 %o1, 1, 0, %p1; mov.u32 %o3, %laneid;", 0, 0, 64, 0, 0, 0},
    {"mov.u32 %o0, %clusterid.<x|y|z>; mov.u32 %o1, %nclusterid.<x|y|z>; mov.u32 %o2, %cluster_ctaid.<x|y|z>; mov.u32 %o3, %cluster_nctaid.<x|y|z>;", 0, 0, 0, 4, 2, 0},
    {"mov.u32 %o0, %cluster_ctarank; mov.u32 %o1, %cluster_nctarank; mov.pred %p1, %is_explicit_cluster; selp.b32 %o2, 1, 0, %p1; mov.u32 %o3, %envreg5;", 0, 0, 0, 4, 2, 0},
};
/* clang-format on */
const size_t machine_warp_count = sizeof machine_warp_rows / sizeof *machine_warp_rows;
