/* What ptxas takes for sm_100a only: a form or more of each row that Hopper does not share. A real Hopper's driver refuses
 * them all, so the captures say themselves which rows are shared. */
#include "tests/machine_forms.h"

#define MMA "tcgen05.mma.cta_group::<1|2>.kind::"
#define MAP ".shared::cluster.global.tile::gather4.mbarrier::complete_tx::bytes [%s], [%map, {0, 1, 2, 3, 4}], [%bar];"
#define CLC "clusterlaunchcontrol."

/* clang-format off */
const struct machine_row machine_refused_rows[] = {
    {"add<|.ftz>.f32x2 %rd20, %rd1, %rd2; sub.f32x2 %rd20, %rd1, %rd2; mul.f32x2 %rd20, %rd1, %rd2; fma.rn.f32x2 %rd20, %rd1, %rd2, %rd3;", 0, 0, 0, 0, 0, 0},
    {"<min|max>.f32 %r20, %r1, %r2, %r3;", 0, 0, 0, 0, 0, 0},
    {"add.f32.<f16|bf16> %r20, %h1, %r2;", 0, 0, 0, 0, 0, 0},
    {".reg .b8 %c0; cvt.rn.satfinite.e2m1x2.f32 %c0, %f0, %f1;", 0, 0, 0, 0, 0, 0},
    {".reg .b8 %c0; cvt.rn.satfinite.e2m1x2.f16x2 %c0, %r1;", 0, 0, 0, 0, 0, 0},
    {".reg .b8 %c0; mov.b16 {%c0, _}, %h1; cvt.rn.f16x2.e2m1x2 %r20, %c0;", 0, 0, 0, 0, 0, 0},
    {"redux.sync.<min|max><|.abs><|.NaN>.f32 %f0, %f1, 0xffffffff;", 0, 0, 0, 0, 0, 0},
    {"cp.async.bulk.tensor.2d" MAP, 0, 0, 0, 0, 0, 0},
    {"cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group [%map, {0, 1, 2, 3, 4}], [%s];", 0, 0, 0, 0, 0, 0},
    {"cp.async.bulk.tensor.2d.global.shared::cta.tile::scatter4.bulk_group.L2::cache_hint [%map, {0, 1, 2, 3, 4}], [%s], %rd9;", 0, 0, 0, 0, 0, 0},
    {"cp.async.bulk.prefetch.tensor.2d.L2.global.tile::gather4 [%map, {0, 1, 2, 3, 4}];", 0, 0, 0, 0, 0, 0},
    {"st.async<|.mmio>.release.<gpu|sys>.global.<b32 [%own], %r1|u64 [%own], %rd1>;", 0, 0, 0, 0, 0, 0},
    {"red.async<|.mmio>.release.<gpu|sys>.global.add.u32 [%own], %r1;", 0, 0, 0, 0, 0, 0},
    {"st.bulk<|.weak>.shared::cta [%s], 64, 0;", 0, 0, 0, 0, 0, 0},
    {CLC "try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%s], [%bar];", 0, 0, 0, 0, 0, 0},
    {CLC "try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.multicast::cluster::all.b128 [%s], [%bar];", 0, 0, 0, 0, 0, 0},
    {CLC "query_cancel.is_canceled.pred.b128 %p1, %q0;", 0, 0, 0, 0, 0, 0},
    {CLC "query_cancel.get_first_ctaid.v4.b32.b128 {%r20, %r21, %r22, _}, %q0;", 0, 0, 0, 0, 0, 0},
    {CLC "query_cancel.get_first_ctaid::<x|y|z>.b32.b128 %r20, %q0;", 0, 0, 0, 0, 0, 0},
    {"ldmatrix.sync.aligned.m16n16.x1.trans.shared.b8 {%r20, %r21}, [%s];", 0, 0, 0, 0, 0, 0},
    {"ldmatrix.sync.aligned.m8n16.x1.shared.b8x16.<b6x16_p32|b4x16_p64> {%r20}, [%s];", 0, 0, 0, 0, 0, 0},
    {"stmatrix.sync.aligned.m16n8.x1.trans.shared.b8 [%s], {%r1};", 0, 0, 0, 0, 0, 0},
    {"tcgen05.alloc.cta_group::<1|2>.sync.aligned.shared::cta.b32 [%s], 32;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.dealloc.cta_group::<1|2>.sync.aligned.b32 %r1, 32;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.relinquish_alloc_permit.cta_group::<1|2>.sync.aligned;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.ld.sync.aligned.<32x32b|16x64b>.x1.b32 {%r20}, [%r1];", 0, 0, 0, 0, 0, 0},
    {"tcgen05.ld.sync.aligned.16x32bx2.x1.b32 {%r20}, [%r1], 2;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.st.sync.aligned.<32x32b|16x64b>.x1.b32 [%r1], {%r2};", 0, 0, 0, 0, 0, 0},
    {"tcgen05.st.sync.aligned.16x32bx2.x1.b32 [%r1], 2, {%r2};", 0, 0, 0, 0, 0, 0},
    {"tcgen05.wait::ld.sync.aligned;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.wait::st.sync.aligned;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.fence::<before|after>_thread_sync;", 0, 0, 0, 0, 0, 0},
    {MMA "<f16|tf32|f8f6f4|i8> [%r1], %rd1, %rd2, %r2, %first;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.mma.cta_group::1.kind::f16 [%r1], %rd1, %rd2, %r2, {%r4, %r5, %r6, %r7}, %first;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.mma.cta_group::1.kind::f16.ashift.collector::a::lastuse [%r1], [%r3], %rd2, %r2, %first;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.mma.cta_group::1.kind::f16.ashift.collector::a::lastuse [%r1], [%r3], %rd2, %r2, {%r4, %r5, %r6, %r7}, %first;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.mma.ws.cta_group::1.kind::f16 [%r1], %rd1, %rd2, %r2, %first;", 0, 0, 0, 0, 0, 0},
    {MMA "<mxf8f6f4.block_scale|mxf4.block_scale|mxf4nvf4.block_scale.scale_vec::4X> [%r1], %rd1, %rd2, %r2, [%r3], [%r4], %first;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.commit.cta_group::<1|2>.mbarrier::arrive::one.shared::cluster.b64 [%bar];", 0, 0, 0, 0, 0, 0},
    {"tcgen05.commit.cta_group::<1|2>.mbarrier::arrive::one.shared::cluster.multicast::cluster.b64 [%bar], %h0;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.cp.cta_group::<1|2>.<128x256b|4x256b|128x128b|64x128b.warpx2::02_13|32x128b.warpx4> [%r1], %rd1;", 0, 0, 0, 0, 0, 0},
    {"tcgen05.shift.<cta_group::1.down|down.cta_group::1> [%r1];", 0, 0, 0, 0, 0, 0},
};
/* clang-format on */
const size_t machine_refused_count = sizeof machine_refused_rows / sizeof *machine_refused_rows;
