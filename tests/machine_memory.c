/* Loads, stores, atomics, addresses, fences, hints (insn_memory.def). */
#include "tests/machine_forms.h"

#define SEMANTICS "<|.weak|.volatile|.relaxed.cta|.relaxed.cluster|.relaxed.gpu|.relaxed.sys"
#define LD_SEM SEMANTICS "|.acquire.cta|.acquire.cluster|.acquire.gpu|.acquire.sys|.mmio.relaxed.sys>"
#define ST_SEM SEMANTICS "|.release.cta|.release.cluster|.release.gpu|.release.sys|.mmio.relaxed.sys>"
#define LD_HINT \
    "<|.ca|.cg|.cs|.lu|.cv|.nc|.ca.nc|.cg.nc|.cs.nc|.L1::evict_normal|.L1::evict_unchanged|.L1::evict_first|" \
    ".L1::evict_last|.L1::no_allocate|.nc.L1::no_allocate|.L2::64B|.L2::128B|.L2::256B>"
#define ST_HINT \
    "<|.wb|.cg|.cs|.wt|.L1::evict_normal|.L1::evict_unchanged|.L1::evict_first|.L1::evict_last|.L1::no_allocate>"

#define OUT_RD "mov.b64 {%o0, %o1}, %rd20;"
#define OUT_RD2 "mov.b64 {%o0, %o1}, %rd20; mov.b64 {%o2, %o3}, %rd21;"
#define POLICY "createpolicy.fractional.L2::evict_first.b64 %rd9, 1.0;\n"

/* All widths from a space; `set` puts the address into A. */
#define LOADS(space, set, A, flags, before) \
    {"ld" space ".<b8|u8|s8|b16|u16|s16|b32|u32|s32|f32> %o0, [" A "+4];" set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".<b8|u8|s8|b16|u16|s16|b32|u32|s32|b64|u64|s64|f64> %rd20, [" A "+8];" OUT_RD set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".<b8|u8|s8|b16|u16|s16> %h8, [" A "+6]; cvt.u32.u16 %o0, %h8;" set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".v2.<b8|s8|u16|s16|b32|f32> {%o0, %o1}, [" A "+8];" set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".v4.<u8|s8|b16|s16|b32|f32> {%o0, %o1, %o2, %o3}, [" A "];" set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".v2.<b64|f64> {%rd20, %rd21}, [" A "];" OUT_RD2 set, before, flags, 0, 0, 0, 0}, \
    {"ld" space ".b128 %q0, [" A "]; mov.b128 {%rd20, %rd21}, %q0;" OUT_RD2 set, before, flags, 0, 0, 0, 0}

#define CONST_TABLE \
    ".const .align 16 .b8 table[32] = {0x80, 1, 0xfe, 0x7f, 0x81, 0x92, 0xa3, 0xb4, 0xc5, 0xd6, 0xe7, 0xf8, 9, 0x8a, 0x9b, 0xac};"

/* All widths to a space, read back. */
#define STORES(space, A, flags, back) \
    {"st" space ".<b8|u8|s8|b16|u16|s16|b32|u32|s32|f32> [" A "+4], %r1;" back, 0, flags, 0, 0, 0, 0}, \
    {"st" space ".<b8|u16|s32|b64|u64|s64|f64> [" A "+8], %rd2;" back, 0, flags, 0, 0, 0, 0}, \
    {"st" space ".<b8|u8|s8|b16|u16|s16> [" A "+2], %h3;" back, 0, flags, 0, 0, 0, 0}, \
    {"st" space ".v2.<b8|u16|b32|f32> [" A "+8], {%r1, %r2};" back, 0, flags, 0, 0, 0, 0}, \
    {"st" space ".v4.<u8|b16|b32|f32> [" A "], {%r1, %r2, %r3, %r4};" back, 0, flags, 0, 0, 0, 0}, \
    {"st" space ".v2.<b64|f64> [" A "], {%rd2, %rd3};" back, 0, flags, 0, 0, 0, 0}, \
    {"mov.b128 %q0, {%rd2, %rd3}; st" space ".b128 [" A "], %q0;" back, 0, flags, 0, 0, 0, 0}

#define GENERIC_AT "cvt.u64.u32 %rd10, %s; mad.wide.u32 %rd10, %lane, 16, %rd10; cvta.shared.u64 %rd10, %rd10;\n"

/* A function's parameters of every width. */
#define FUNC(type, reg, more) \
    ".func (.param .align 16 .b8 back[16]) f(.param .align 16 .b8 give[16]) {\n.reg ." reg " %v; .reg .b32 %k<3>;\n" \
    "ld.param" more "." type " %v, [give+0]; st.param" more "." type " [back+0], %v; ld.param.b32 %k1, [give+12]; st.param.b32 [back+12], %k1; " \
    "mov.b32 %k2, 7; st.param.b32 [back+8], %k2; ret;\n}"
#define CALL(type, source, give) \
    "{ .param .align 16 .b8 give[16]; .param .align 16 .b8 back[16];\n st.param" give "." type " [give+0], " source "; st.param.b32 [give+12], %r5; " \
    "st.param.b32 [give+8], %r6;\ncall.uni (back), f, (give);\n"
#define BACK8 "ld.param.b8 %o0, [back+0]; ld.param.b32 %o2, [back+8]; ld.param.b32 %o3, [back+12]; }"
#define BACK16 "ld.param.b16 %h8, [back+0]; cvt.u32.u16 %o0, %h8; ld.param.b32 %o2, [back+8]; ld.param.b32 %o3, [back+12]; }"
#define BACK32 "ld.param.b32 %o0, [back+0]; ld.param.b32 %o2, [back+8]; ld.param.b32 %o3, [back+12]; }"
#define BACK64 "ld.param.v2.b32 {%o0, %o1}, [back+0]; ld.param.b32 %o2, [back+8]; ld.param.b32 %o3, [back+12]; }"

/* clang-format off */
const struct machine_row machine_memory_rows[] = {
    {"ld" LD_SEM ".global.<b32|s16> %o0, [%own+4];", 0, 0, 0, 0, 0, 0},
    {"ld.global" LD_HINT ".<b32|u8> %o0, [%gin+4];", 0, 0, 0, 0, 0, 0},
    {"ld.global.nc" ".<b8|s16|b32|f32> %o0, [%gin+4];", 0, 0, 0, 0, 0, 0},
    {"ld.global.nc.v4.f32 {%o0, %o1, %o2, %o3}, [%gin+32];", 0, 0, 0, 0, 0, 0},
    {POLICY "ld.global.L2::cache_hint.v4.b32 {%o0, %o1, %o2, %o3}, [%own], %rd9;", 0, 0, 0, 0, 0, 0},
    LOADS(".global", "", "%own", 0, 0),
    LOADS(".shared", "", "%s", MACHINE_FILL, 0),
    LOADS(".shared::cta", "", "smem", MACHINE_FILL, 0),
    LOADS("", "", "%own", 0, 0),
    {"ld" LD_SEM ".shared.b32 %o0, [%s+4];", 0, MACHINE_FILL, 0, 0, 0, 0},
    {"ld" LD_SEM ".<s8|b32> %o0, [%own+4];", 0, 0, 0, 0, 0, 0},
    {GENERIC_AT "ld.<b8|s16|b32> %o0, [%rd10+4];", 0, MACHINE_FILL, 0, 0, 0, 0},
    LOADS(".const", "", "table", 0, CONST_TABLE),
    LOADS(".param", "", "map", 0, 0),
    {"ld.param::entry.<u8|s16|b32> %o0, [map+4];", 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nst.local.v4.b32 [loc], {%r0, %r1, %r2, %r3};\nst.local.v4.b32 [loc+16], {%r4, %r5, %r6, %r7};\n"
     "ld<|.weak|.volatile>.local.<b8|u8|s8|b16|u16|s16|b32|u32|s32|f32> %o0, [loc+4];", 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nst.local.v2.b64 [loc], {%rd0, %rd1};\nld.local.<s8|u16|b32|b64|u64|s64|f64> %rd20, [loc+8];" OUT_RD, 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nmov.b128 %q1, {%rd0, %rd1}; st.local.b128 [loc], %q1; ld.local.b128 %q0, [loc]; mov.b128 {%rd20, %rd21}, %q0;" OUT_RD2, 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nst.local.v4.b32 [loc], {%r0, %r1, %r2, %r3}; st.local.<b8|u8|s8|b16|u16|s16|b32|f32> [loc+4], %r5; ld.local.v4.b32 {%o0, %o1, %o2, %o3}, [loc];", 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nst.local.v4.b32 [loc], {%r0, %r1, %r2, %r3}; st<|.weak|.volatile>.local.<b64|f64> [loc+8], %rd3; ld.local.v4.b32 {%o0, %o1, %o2, %o3}, [loc];", 0, 0, 0, 0, 0, 0},
    {"and.b32 %r20, %lane, 15; .local .align 16 .b8 loc[32];\nst.local.v4.b32 [loc], {%r0, %r1, %r2, %r3}; mov.u64 %rd10, loc; cvta.local.u64 %rd10, %rd10; "
     "cvt.u64.u32 %rd11, %r20; add.u64 %rd10, %rd10, %rd11; ld.u8 %o0, [%rd10]; cvta.to.local.u64 %rd12, %rd10; ld.local.s8 %o1, [%rd12]; isspacep.local %p0, %rd10; selp.b32 %o2, 1, 0, %p0;", 0, 0, 0, 0, 0, 0},

    {"st" ST_SEM ".global.<b32|u16> [%own+4], %r1;", 0, 0, 0, 0, 0, 0},
    {"st.global" ST_HINT ".<b32|s8> [%own+4], %r1;", 0, 0, 0, 0, 0, 0},
    {POLICY "st.global.L2::cache_hint.v2.b32 [%own], {%r1, %r2}, %rd9;", 0, 0, 0, 0, 0, 0},
    STORES(".global", "%own", 0, ""),
    STORES("", "%own", 0, ""),
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mov.b128 %q0, {%rd0, %rd1};\nst.shared.b128 [%r20+512], %q0; st.shared.<b8|u16|b32|f32> [%r20], %r5; st.shared.<s8|s16|b64|f64> [%r20+8], %rd3;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\nst.shared::cta.v2.<b8|b16|b32> [%r20], {%r1, %r2}; st.shared.v4.<u8|u16|f32> [%r20+1024], {%r1, %r2, %r3, %r4}; st.shared.v2.<b64|f64> [%r20+2048], {%rd1, %rd2};", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\nst" ST_SEM ".shared.b32 [%r20], %r1;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {GENERIC_AT "st.<b8|u16|b32> [%rd10], %r1; st.v2.b64 [%rd10+512], {%rd0, %rd1};", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},

    {CALL("<b8|u8|s8|b16|u16|s16>", "%r1", "") BACK8, FUNC("s8", "b32", ""), 0, 0, 0, 0, 0},
    {CALL("<b16|u16|s16>", "%h1", "") BACK16, FUNC("u16", "b16", ""), 0, 0, 0, 0, 0},
    {CALL("<b32|u32|s32|f32>", "%r1", "") BACK32, FUNC("f32", "f32", ""), 0, 0, 0, 0, 0},
    {CALL("<b64|u64|s64|f64>", "%rd1", "") BACK64, FUNC("b64", "b64", ""), 0, 0, 0, 0, 0},
    {"mov.b128 %q0, {%rd1, %rd2};" "{ .param .align 16 .b8 give[16]; .param .align 16 .b8 back[16];\n st.param.b128 [give], %q0; call.uni (back), f, (give);\n" BACK64, FUNC("b128", "b128", ""), 0, 0, 0, 0, 0},
    {CALL("v2.b32", "{%r1, %r2}", "") BACK64, FUNC("b64", "b64", "::func"), 0, 0, 0, 0, 0},
    {CALL("b32", "%r1", "::func") BACK32, FUNC("b32", "b32", "::func"), 0, 0, 0, 0, 0},

    {"ldu.global.<b8|u8|s8|b16|u16|s16|b32|u32|s32|f32> %o0, [%gin+4];", 0, 0, 0, 0, 0, 0},
    {"ldu.global.<b64|u64|s64|f64> %rd20, [%gin+8];" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"ldu.global.v2.<u8|s16|b32|f32> {%o0, %o1}, [%gin+8];", 0, 0, 0, 0, 0, 0},
    {"ldu.global.v4.<u8|s16|b32|f32> {%o0, %o1, %o2, %o3}, [%gin+16];", 0, 0, 0, 0, 0, 0},
    {"ldu.global.b128 %q0, [%gin+16]; mov.b128 {%rd20, %rd21}, %q0;" OUT_RD2, 0, 0, 0, 0, 0, 0},

    /* addresses: what can be seen of them */
    {"cvta.global.u64 %rd10, %own; xor.b64 %rd20, %rd10, %own;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"mov.b64 %rd10, map; cvta.param.u64 %rd11, %rd10; xor.b64 %rd20, %rd11, %map; mov.b64 {%o0, %o1}, %rd20; ld.b32 %o2, [%rd11+4];", 0, 0, 0, 0, 0, 0},
    {"cvta.to.global.u64 %rd10, %own; xor.b64 %rd20, %rd10, %own;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"mov.u64 %rd10, table; cvta.const.u64 %rd11, %rd10; cvta.to.const.u64 %rd12, %rd11; ld.b32 %o0, [%rd11+4]; ld.const.b32 %o1, [%rd12+8]; isspacep.const %p0, %rd11; selp.b32 %o2, 1, 0, %p0; isspacep.global %p1, %rd11; selp.b32 %o3, 1, 0, %p1;", CONST_TABLE, 0, 0, 0, 0, 0},
    {"cvta.to.param.u64 %rd10, %map; ld.param.b32 %o0, [%rd10+8]; ld.b32 %o1, [%map+8]; isspacep.param<|::entry> %p0, %map; selp.b32 %o2, 1, 0, %p0;", 0, 0, 0, 0, 0, 0},
    {"cvt.u64.u32 %rd10, %s; cvta.<shared|shared::cta|shared::cluster>.u64 %rd11, %rd10; cvta.to.<shared|shared::cta|shared::cluster>.u64 %rd12, %rd11; cvt.u32.u64 %o0, %rd12; ld.b32 %o1, [%rd11+16]; cvt.u32.u64 %o2, %rd11;", 0, MACHINE_FILL, 0, 0, 0, 0},
    {"cvt.u64.u32 %rd10, %s; cvta.shared.u64 %rd11, %rd10; isspacep.<const|global|local|shared::cta|shared::cluster|shared|param::entry|param> %p0, <%rd11|%own|%map>; selp.b32 %o0, 1, 0, %p0;", 0, 0, 0, 0, 0, 0},
    {"mov.u32 %o0, %s; mov.u32 %o1, %bar; mov.u32 %o2, %total_smem_size; mov.u32 %o3, %dynamic_smem_size;", 0, 0, 0, 0, 0, 0},
    {"mov.u32 %o0, %aggr_smem_size; mov.u32 %o1, %reserved_smem_offset_begin; mov.u32 %o2, %reserved_smem_offset_end; mov.u32 %o3, %reserved_smem_offset_cap;", 0, 0, 0, 0, 0, 0},
    {"mov.u32 %o0, %reserved_smem_offset_0; mov.u32 %o1, %reserved_smem_offset_1; mov.u32 %o2, %nwarpid; mov.u32 %r20, %warpid; setp.lt.u32 %p1, %r20, %o2; selp.b32 %o3, 1, 0, %p1;", 0, 0, 0, 0, 0, 0},

    {"st.global.b32 [%own], %r1; fence<|.sc|.acq_rel|.acquire|.release>.<cta|cluster|gpu|sys>; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {"st.shared.b32 [%s], %r1; fence.<acquire.sync_restrict::shared::cluster.cluster|release.sync_restrict::shared::cta.cluster|mbarrier_init.release.cluster>;", 0, 0, 0, 0, 0, 0},
    {"fence.proxy.<alias|async|async.global|async.shared::cta|async.shared::cluster|tensormap::generic.release.cta|tensormap::generic.release.cluster|tensormap::generic.release.gpu|tensormap::generic.release.sys>; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {"fence.proxy.async::generic.<acquire.sync_restrict::shared::cluster.cluster|release.sync_restrict::shared::cta.cluster>;", 0, 0, 0, 0, 0, 0},
    {"fence.proxy.tensormap::generic.acquire.<cta|cluster|gpu|sys> [%map], 128; ld.param.b32 %o0, [map];", 0, 0, 0, 0, 0, 0},
    {"st.global.b32 [%own], %r1; membar.<cta|gl|sys|proxy.alias|proxy.async|proxy.async.global|proxy.async.shared::cta|proxy.async.shared::cluster>; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {"prefetch<.global.L1|.global.L2|.L1|.L2|.global.L2::evict_last|.global.L2::evict_normal> [%gin]; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {".local .align 16 .b8 loc[32];\nst.local.b32 [loc], %r1; prefetch.local.<L1|L2> [loc]; ld.local.b32 %o0, [loc];", 0, 0, 0, 0, 0, 0},
    {"prefetchu.L1 [%gin]; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {"applypriority<|.global>.L2::evict_normal [%gin], 128; ld.global.b32 %o0, [%own];", 0, 0, 0, 0, 0, 0},
    {"add.u64 %rd10, %gin, 131072; discard<|.global>.L2 [%gout+12288], 128; mov.b32 %o0, 5; st.global.v4.b32 [%gout+12288], {%r1, %r1, %r1, %r1};", 0, 0, 1, 0, 0, 0},
    {"createpolicy.fractional.L2::<evict_last|evict_normal|evict_first|evict_unchanged><|.L2::evict_first|.L2::evict_unchanged>.b64 %rd20<|, 1.0|, 0.5|, 0.0625>;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"mov.b64 %rd10, 0x7f0012340000; createpolicy.range<|.global>.L2::<evict_last|evict_normal|evict_first|evict_unchanged><|.L2::evict_first|.L2::evict_unchanged>.b64 %rd20, [%rd10], <0x100000, 0x200000|4096, 4096|0x10000, 0x18000>;" OUT_RD, 0, 0, 0, 0, 0, 0},
    /* sizes and addresses of all magnitudes */
    {"and.b32 %r20, %r4, 31; shr.u32 %r21, %r0, %r20; and.b32 %r22, %r5, 31; shr.u32 %r22, %r1, %r22; max.u32 %r21, %r21, 1; max.u32 %r23, %r21, %r22; and.b64 %rd10, %rd3, 0x1ffffffffffff;\n"
     "createpolicy.range.global.L2::<evict_last|evict_normal|evict_first|evict_unchanged><|.L2::evict_first|.L2::evict_unchanged>.b64 %rd20, [%rd10], %r21, %r23; mov.b64 {%o0, %o1}, %rd20; mov.b32 %o2, %r21; mov.b32 %o3, %r23;", 0, 0, 128, 4, 0, 0},
    {"shl.b32 %r21, 1, %lane; mov.b32 %r23, %r21; @%first mov.b32 %r23, 2; mad.wide.u32 %rd10, %lane, <0x1000|0x100000|0x8000001>, 0x7f0000000000;\n"
     "createpolicy.range.L2::evict_last.b64 %rd20, [%rd10], %r21, %r23; createpolicy.range.L2::evict_first.b64 %rd21, [%rd10], 0x<10000|3000000>, 0x<3100000|40000000>;" OUT_RD2, 0, 0, 0, 0, 0, 0},
    {"mov.b32 %r21, <0|0x80001|0x20000020|0x20000021|0x2000003f|0x40000041>; mov.b64 %rd10, 0x7f0012345678; createpolicy.range.L2::evict_last.b64 %rd20, [%rd10], 0x12345, %r21;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"mov.b64 %rd10, 0x12f0000000000000; createpolicy.cvt.L2.b64 %rd20, %rd10;" OUT_RD, 0, 0, 0, 0, 0, 0},

    /* atomics: every thread has its own place; then one for all, where the order does not show */
    {"atom<|.relaxed|.acquire|.release|.acq_rel><|.cta|.cluster|.gpu|.sys>.global.add.u32 %o0, [%own], %r4;", 0, 0, 0, 0, 0, 0},
    {"atom.global<|.gpu.relaxed|.cta.acq_rel>.<add|min|max|inc|dec|and|or|xor|exch>.<u32|s32|b32> %o0, [%own], %r4;", 0, 0, 0, 0, 0, 0},
    {"atom<|.relaxed.gpu>.global.<add|min|max|and|or|xor|exch>.<u64|s64|b64> %rd20, [%own], %rd2;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"atom<.global|>.add.f32 %o0, [%own], %r4; atom.global.add.f32 %o1, [%own], %r5; atom.global.add.f32 %o2, [%own], %r6;", 0, 0, 0, 0, 0, 0},
    {"atom.global.add.f64 %rd20, [%own], %rd2; atom.global.add.f64 %rd21, [%own], %rd3;" OUT_RD2, 0, 0, 0, 0, 0, 0},
    /* infinities that cancel, two NaN */
    {"mov.b64 %rd10, 0x<7ff0000000000000|7ff0000000000001|fff8000000001234>; mov.b64 %rd11, 0x<fff0000000000000|7ff0000000005678|3ff0000000000000>; st.global.b64 [%own], %rd10; atom.global.add.f64 %rd20, [%own], %rd11;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"mov.b64 %rd10, 0x<7ff0000000000000|7ff0000000000001|fff8000000001234>; mov.b64 %rd11, 0x<fff0000000000000|7ff0000000005678|3ff0000000000000>; mad.lo.u32 %r20, %lane, 8, %s; st.shared.b64 [%r20], %rd10; atom.shared.add.f64 %rd20, [%r20], %rd11; ld.shared.b64 %rd21, [%r20];" OUT_RD2, 0, 0, 0, 0, 0, 0},
    {"atom.global.add.noftz.<f16|bf16> %h8, [%own], %h1; cvt.u32.u16 %o0, %h8; atom.global.add.noftz.f16 %h9, [%own+2], %h2; cvt.u32.u16 %o1, %h9;", 0, 0, 0, 0, 0, 0},
    {"atom.global.add.noftz.<f16x2|bf16x2> %o0, [%own], %r4; atom.global.add.noftz.bf16x2 %o1, [%own+4], %r5;", 0, 0, 0, 0, 0, 0},
    {"atom.global.add.v2.f32 {%o0, %o1}, [%own], {%r4, %r5};", 0, 0, 0, 0, 0, 0},
    {"atom.global.add.v4.f32 {%o0, %o1, %o2, %o3}, [%own], {%r4, %r5, %r6, %r7};", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max>.noftz.v2.<f16|bf16> {%h8, %h9}, [%own], {%h1, %h2}; mov.b32 %o0, {%h8, %h9};", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max>.noftz.v4.<f16|bf16> {%h8, %h9, %h10, %h11}, [%own], {%h1, %h2, %h3, %h4}; mov.b32 %o0, {%h8, %h9}; mov.b32 %o1, {%h10, %h11};", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max>.noftz.v8.<f16|bf16> {%h8, %h9, %h10, %h11, %h12, %h13, %h14, %h15}, [%own], {%h0, %h1, %h2, %h3, %h4, %h5, %h6, %h7}; mov.b32 %o0, {%h8, %h9}; mov.b32 %o1, {%h10, %h11}; mov.b32 %o2, {%h12, %h13}; mov.b32 %o3, {%h14, %h15};", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max>.noftz.v2.<f16x2|bf16x2> {%o0, %o1}, [%own], {%r4, %r5};", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max>.noftz.v4.<f16x2|bf16x2> {%o0, %o1, %o2, %o3}, [%own], {%r4, %r5, %r6, %r7};", 0, 0, 0, 0, 0, 0},
    {"mov.b128 %q0, {%rd1, %rd2}; atom.global.exch.b128 %q1, [%own], %q0; mov.b128 {%rd20, %rd21}, %q1;" OUT_RD2, 0, 0, 0, 0, 0, 0},
    {"ld.global.v2.b64 {%rd10, %rd11}, [%own]; mov.b128 %q0, {%rd10, %rd11}; setp.gt.u32 %p0, %lane, 15; @%p0 mov.b128 %q0, {%rd0, %rd1}; mov.b128 %q1, {%rd2, %rd3}; atom.global.cas.b128 %q2, [%own], %q0, %q1; mov.b128 {%rd20, %rd21}, %q2;" OUT_RD2, 0, 0, 0, 0, 0, 0},
    {"ld.global.b16 %h8, [%own+2]; setp.gt.u32 %p0, %lane, 15; @%p0 mov.b16 %h8, %h0; atom<.global|>.cas.b16 %h9, [%own+2], %h8, %h1; cvt.u32.u16 %o0, %h9;", 0, 0, 0, 0, 0, 0},
    {"ld.global.b32 %r20, [%own]; setp.gt.u32 %p0, %lane, 15; @%p0 mov.b32 %r20, %r0; atom<.global|.relaxed.gpu.global|>.cas.<b32|u32|s32> %o0, [%own], %r20, %r4;", 0, 0, 0, 0, 0, 0},
    {"ld.global.b64 %rd10, [%own]; setp.gt.u32 %p0, %lane, 15; @%p0 mov.b64 %rd10, %rd0; atom.global.cas.<b64|u64|s64> %rd20, [%own], %rd10, %rd2;" OUT_RD, 0, 0, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\natom.shared.<add|min|max|inc|dec|and|or|xor|exch>.<u32|s32|b32> %o0, [%r20], %r4;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\natom.shared::cta.<add|min|max|and|or|xor|exch>.<u64|s64|b64> %rd20, [%r20+8], %rd2;" OUT_RD, 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\natom.shared.add.f32 %o0, [%r20], %r4; atom.shared.add.f32 %o1, [%r20], %r5; atom.shared.add.f64 %rd20, [%r20+8], %rd3; mov.b64 {%o2, %o3}, %rd20;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\natom.shared.add.noftz.<f16x2|bf16x2> %o0, [%r20], %r4; atom.shared.add.noftz.<f16|bf16> %h8, [%r20+6], %h1; cvt.u32.u16 %o1, %h8;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\natom.shared.cas.b16 %h8, [%r20+2], %h0, %h1; cvt.u32.u16 %o0, %h8; ld.shared.b32 %r21, [%r20+4]; atom.shared.cas.b32 %o1, [%r20+4], %r21, %r5; atom.shared.cas.b64 %rd20, [%r20+8], %rd0, %rd1; mov.b64 {%o2, %o3}, %rd20;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s; mov.b128 %q0, {%rd1, %rd2};\natom.shared.exch.b128 %q1, [%r20], %q0; mov.b128 {%rd20, %rd21}, %q1;" OUT_RD2, 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {GENERIC_AT "atom.<add|xor>.u32 %o0, [%rd10], %r4; atom.add.f32 %o1, [%rd10+4], %r5; red.add.u32 [%rd10+8], %r6;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"atom.global.<add|min|max|and|or|xor>.b32 %r20, [%gout+4000], %r4;", 0, 0, 0, 0, 0, 0},
    {"atom.global.<add|min|max|inc|dec|and|or|xor>.<u32|s32|b32> %r20, [%gout+4000], %r4;", 0, 0, 0, 0, 0, 0},
    {"red<|.relaxed|.release><|.cta|.gpu|.sys>.global.add.u32 [%gout+4000], %r4;", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max|inc|dec|and|or|xor>.<u32|s32|b32> [%own], %r4; red.global.add.u32 [%gout+4000], %r5;", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max|and|or|xor>.<u64|s64|b64> [%own], %rd2;", 0, 0, 0, 0, 0, 0},
    {"red.global.add.f32 [%own], %r4; red.global.add.f32 [%own], %r5; red.global.add.f64 [%own+8], %rd3;", 0, 0, 0, 0, 0, 0},
    {"red.global.add.noftz.<f16|bf16> [%own+2], %h1; red.global.add.noftz.<f16x2|bf16x2> [%own+4], %r5;", 0, 0, 0, 0, 0, 0},
    {"red.global.add.v2.f32 [%own+8], {%r4, %r5};", 0, 0, 0, 0, 0, 0},
    {"red.global.add.v4.f32 [%own], {%r4, %r5, %r6, %r7};", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max>.noftz.v2.<f16|bf16> [%own], {%h1, %h2};", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max>.noftz.v4.<f16|bf16> [%own], {%h1, %h2, %h3, %h4};", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max>.noftz.v8.<f16|bf16> [%own], {%h0, %h1, %h2, %h3, %h4, %h5, %h6, %h7};", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max>.noftz.v2.<f16x2|bf16x2> [%own], {%r4, %r5};", 0, 0, 0, 0, 0, 0},
    {"red.global.<add|min|max>.noftz.v4.<f16x2|bf16x2> [%own], {%r4, %r5, %r6, %r7};", 0, 0, 0, 0, 0, 0},
    {POLICY "red.global.add.L2::cache_hint.u32 [%own], %r4, %rd9; atom.global.add.L2::cache_hint.u32 %o0, [%own+4], %r5, %rd9;", 0, 0, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\nred.shared.<add|min|max|inc|dec|and|or|xor>.<u32|s32|b32> [%r20], %r4; red.shared.add.u32 [%s+8000], %r5;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
    {"shl.b32 %r20, %lane, 4; add.u32 %r20, %r20, %s;\nred.shared.add.f32 [%r20], %r4; red.shared.add.f64 [%r20+8], %rd3; red.shared.<add|max|xor>.<u64|b64> [%r20+512], %rd2; red.shared.add.noftz.<f16x2|bf16x2> [%r20+4], %r6;", 0, MACHINE_FILL | MACHINE_DUMP, 0, 0, 0, 0},
};
/* clang-format on */
const size_t machine_memory_count = sizeof machine_memory_rows / sizeof *machine_memory_rows;
