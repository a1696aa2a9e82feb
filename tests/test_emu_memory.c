/* Loads, stores, atomics, address spaces, special registers and module variables of the emulator. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/module.h"
#include "tests/emu_run.h"

/* ---- one warp: %r0 and %r1 of lane 5 against a constant; %in points at the lane's own input word ---- */

#define SHARED ".shared .align 32 .b8 s[2048]; mov.u32 %r8, s; mad.lo.u32 %r8, %lane, 32, %r8;\n"
#define LOCAL  ".local .align 32 .b8 l[64]; mov.u64 %rd8, l;\n"
#define A      0x89abcdefu
#define B      0x01234567u

/* clang-format off */
static const struct {
    const char *body; /* in: %r0 = A, %r1 = B, %r2 = 3.0f, %r3 = 5 */
    uint32_t out[2];
} rows[] = {
    {SHARED "st.shared.b32 [%r8], %r0; ld.shared.u8 %r0, [%r8+3]; ld.shared.s8 %r1, [%r8+3];", {0x89, 0xffffff89}},
    {SHARED "st.shared.b32 [%r8], %r0; ld.shared.s16 %rd0, [%r8+2]; mov.b64 {%r0, %r1}, %rd0;", {0xffff89ab, 0xffffffff}},
    {SHARED "st.shared.b32 [%r8], %r0; ld.shared.u16 %h0, [%r8]; cvt.u32.u16 %r0, %h0; ld.shared.s8 %h1, [%r8]; cvt.u32.u16 %r1, %h1;", {0xcdef, 0xffef}},
    {SHARED "st.shared.b32 [%r8], %r0; st.shared.u8 [%r8+1], %r3; st.shared.u16 [%r8+2], %r1; ld.shared.b32 %r0, [%r8]; ld.shared.s32 %rd1, [%r8]; mov.b64 {_, %r1}, %rd1;", {0x456705ef, 0}},
    {SHARED "st.shared.v2.b32 [%r8+8], {%r0, %r1}; ld.shared.v4.u16 {%h0, %h1, %h2, %h3}, [%r8+8]; mov.b32 %r0, {%h3, %h0}; mov.b32 %r1, {%h2, %h1};", {0xcdef0123, 0x89ab4567}},
    {SHARED "st.shared.v4.b32 [%r8+16], {%r0, 7, %r1, -1}; ld.shared.v4.b32 {_, %r0, %r1, _}, [%r8+16];", {7, B}},
    {SHARED "st.shared.v2.f64 [%r8], {%rd0, 0d3FF0000000000000}; ld.shared.v2.b64 {%rd1, %rd2}, [%r8]; mov.b64 {%r0, _}, %rd1; mov.b64 {_, %r1}, %rd2;", {A, 0x3ff00000}},
    {SHARED "mov.b128 %q0, {%rd0, %rd1}; st.shared.b128 [%r8], %q0; ld.shared.b128 %q1, [%r8]; mov.b128 {%rd2, _}, %q1; mov.b64 {%r1, %r0}, %rd2;", {B, A}},
    {SHARED "st.volatile.shared.b32 [%r8], %r0; ld.relaxed.cta.shared::cta.b32 %r1, [%r8]; ld.acquire.cluster.shared::cluster.b32 %r0, [%r8];", {A, A}},
    {SHARED "cvt.u64.u32 %rd8, %r8; cvta.shared.u64 %rd9, %rd8; st.b32 [%rd9+4], %r1; ld.shared.b32 %r0, [%r8+4]; isspacep.shared %p0, %rd9; selp.b32 %r1, 1, 0, %p0;", {B, 1}},
    {SHARED "cvta.shared.u64 %rd9, s; cvta.to.shared.u64 %rd9, %rd9; mov.u32 %r4, s; cvt.u32.u64 %r0, %rd9; sub.u32 %r0, %r0, %r4; isspacep.global %p0, %rd9; selp.b32 %r1, 1, 0, %p0;", {0, 1}},
    {LOCAL "st.local.v2.b32 [%rd8+8], {%r0, %lane}; bar.warp.sync -1; ld.local.b32 %r1, [%rd8+12]; cvta.local.u64 %rd9, %rd8; ld.b32 %r0, [%rd9+8];", {A, 5}},
    {LOCAL "cvta.local.u64 %rd9, %rd8; isspacep.local %p0, %rd9; selp.b32 %r0, 1, 0, %p0; isspacep.shared %p0, %rd9; selp.b32 %r1, 1, 0, %p0;", {1, 0}},
    {"ld.global.nc.L1::no_allocate.L2::128B.b32 %r0, [%in]; ld.global.cg.u32 %r1, [%in+128];", {A, B}},
    {"createpolicy.fractional.L2::evict_last.b64 %rd9, 1.0; ld.global.L2::cache_hint.b32 %r0, [%in], %rd9; mov.b64 {_, %r1}, %rd9;", {A, 0x14f00000}},
    {"createpolicy.fractional.L2::evict_first.b64 %rd9, 0.5; mov.b64 {%r0, %r1}, %rd9;", {0, 0x12700000}},
    {"st.global.v4.b32 [%fly], {%r0, %r1, %r2, %r3}; fence.acq_rel.gpu; membar.gl; ld.global.v2.b64 {%rd0, %rd1}, [%fly]; mov.b64 {%r0, %r1}, %rd1;", {0x40400000, 5}},
    {"st.global.v8.b32 [%fly], {%r0, %r1, %r2, %r3, 4, 5, 6, 7}; ld.global.v8.f32 {_, _, _, _, %r0, _, _, %r1}, [%fly];", {4, 7}},
    {"prefetch.global.L2 [%in]; prefetchu.L1 [%in]; discard.global.L2 [%fly], 128; applypriority.global.L2::evict_normal [%in], 128; ld.mmio.relaxed.sys.global.u32 %r0, [%in];", {A, B}},
    /* atomics: old value in %r0, what is left in %r1 */
    {SHARED "st.shared.b32 [%r8], %r3; atom.shared.add.u32 %r0, [%r8], 7; ld.shared.b32 %r1, [%r8];", {5, 12}},
    {SHARED "st.shared.b32 [%r8], %r3; atom.relaxed.cta.shared::cta.min.s32 %r0, [%r8], -7; ld.shared.b32 %r1, [%r8];", {5, 0xfffffff9}},
    {SHARED "st.shared.b32 [%r8], %r3; atom.shared.min.u32 %r0, [%r8], -7; ld.shared.b32 %r1, [%r8];", {5, 5}},
    {SHARED "st.shared.b32 [%r8], %r3; atom.shared.inc.u32 %r0, [%r8], 5; ld.shared.b32 %r1, [%r8];", {5, 0}},
    {SHARED "st.shared.b32 [%r8], 0; atom.shared.dec.u32 %r0, [%r8], 9; ld.shared.b32 %r1, [%r8];", {0, 9}},
    {SHARED "st.shared.b32 [%r8], %r0; atom.shared.xor.b32 %r0, [%r8], %r1; ld.shared.b32 %r1, [%r8];", {A, A ^ B}},
    {SHARED "st.shared.b32 [%r8], %r0; atom.shared.exch.b32 %r0, [%r8], %r1; ld.shared.b32 %r1, [%r8];", {A, B}},
    {SHARED "st.shared.b32 [%r8], %r3; atom.shared.cas.b32 %r0, [%r8], 5, 6; atom.shared.cas.b32 %r1, [%r8], 5, 7;", {5, 6}},
    {SHARED "st.shared.b32 [%r8], %r0; cvt.u16.u32 %h0, %r0; cvt.u16.u32 %h1, %r1; atom.shared.cas.b16 %h2, [%r8], %h0, %h1; cvt.u32.u16 %r0, %h2; ld.shared.b32 %r1, [%r8];", {0xcdef, 0x89ab4567}},
    {SHARED "st.shared.b32 [%r8], 0x3f800000; atom.shared.add.f32 %r0, [%r8], %r2; ld.shared.b32 %r1, [%r8];", {0x3f800000, 0x40800000}},
    {SHARED "st.shared.b32 [%r8], 0x00000001; red.shared.add.f32 [%r8], 0f00000001; ld.shared.b32 %r0, [%r8];", {2, B}},
    {"st.global.b32 [%fly], 0x00000001; red.global.add.f32 [%fly], 0f00000001; ld.global.b32 %r0, [%fly];", {0, B}},
    {"st.global.b64 [%fly], 1; atom.global.add.u64 %rd0, [%fly], -3; ld.global.b64 %rd1, [%fly]; mov.b64 {%r0, %r1}, %rd1;", {0xfffffffe, 0xffffffff}},
    {"st.global.b64 [%fly], 1; atom.global.max.s64 %rd0, [%fly], -3; red.global.or.b64 [%fly], 6; ld.global.b64 %rd1, [%fly]; mov.b64 {%r0, %r1}, %rd1;", {7, 0}},
    {"st.global.f64 [%fly], 0d3FF0000000000000; atom.global.add.f64 %rd0, [%fly], 0d4000000000000000; ld.global.b64 %rd1, [%fly]; mov.b64 {_, %r1}, %rd1; mov.b64 {_, %r0}, %rd0;", {0x3ff00000, 0x40080000}},
    {"st.global.b32 [%fly], 0x3c004000; mov.b32 %r9, 0x40003c00; atom.global.add.noftz.f16x2 %r0, [%fly], %r9; ld.global.b32 %r1, [%fly];", {0x3c004000, 0x42004200}},
    {"st.global.b32 [%fly], 0x3f804000; mov.b32 %r9, 0x40003f80; red.global.add.noftz.bf16x2 [%fly], %r9; ld.global.b32 %r0, [%fly];", {0x40404040, B}},
    {"st.global.v2.b32 [%fly], {0x3f800000, 0x40000000}; red.global.add.v2.f32 [%fly], {%r2, %r2}; ld.global.v2.b32 {%r0, %r1}, [%fly];", {0x40800000, 0x40a00000}},
    {"mov.b128 %q0, {%rd0, %rd1}; st.global.b128 [%fly], %q0; mov.b64 %rd2, 9; mov.b128 %q1, {%rd2, %rd2}; atom.global.cas.b128 %q2, [%fly], %q0, %q1; ld.global.b64 %rd3, [%fly]; mov.b64 {%r0, _}, %rd3; mov.b128 {%rd4, _}, %q2; mov.b64 {_, %r1}, %rd4;", {9, B}},
    {"atom.add.release.gpu.global.u32 %r0, [%in], 1;", {A, B}}, /* ptxas takes any order */
};
/* clang-format on */

ParameterizedTestParameters(emu_memory, row) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, emu_memory, row) {
    uint32_t in[4][32], out[4][32], words[4] = {A, B, 0x40400000, 5};
    char body[2048], *report = calloc(1, 16384);
    for (int k = 0; k < 4; k++)
        for (int lane = 0; lane < 32; lane++) in[k][lane] = words[k];
    /* %fly: 32 bytes of a global array for each lane */
    snprintf(body, sizeof body,
             ".reg .b64 %%fly; mov.u64 %%fly, room; mul.wide.u32 %%rd30, %%lane, 128; add.u64 %%fly, %%fly, "
             "%%rd30;\n%s",
             rows[*i].body);
    int status = emu_run_lanes(body, in[0], 4, out, report);
    cr_assert_eq(status, 0, "%s: %s", rows[*i].body, report);
    for (int k = 0; k < 2; k++)
        cr_expect_eq(out[k][5], rows[*i].out[k], "%s: %%r%d is %08x, wanted %08x", rows[*i].body, k,
                     out[k][5], rows[*i].out[k]);
    free(report);
}

/* ---- many blocks on one word ---- */

#define HEAD ".version 9.0\n.target sm_100a\n.address_size 64\n"

Test(emu_memory, atomics_of_many_blocks_lose_nothing) {
    static const char ptx[] =
        HEAD ".visible .entry test(.param .u64 p) { .reg .b64 %p; .reg .b32 %i, %c, %o; .reg .pred %q;\n"
             "ld.param.u64 %p, [p]; mov.u32 %i, 0; mov.u32 %o, 0x3c000000;\n"
             "L: red.global.add.u32 [%p], 1; atom.global.add.f32 %c, [%p+4], 0f3F800000; red.global.max.u32 "
             "[%p+8], %i;\n"
             "red.global.add.noftz.f16x2 [%p+12], %o; add.u32 %i, %i, 1; setp.lt.u32 %q, %i, 10; @%q "
             "bra L; ret; }";
    static struct emu_run run = {.ptx = ptx, .param_bytes = 8, .grid = {40}, .block = {64}};
    uint64_t p = emu_device_alloc(emu_run_device(), 16);
    uint32_t *v = memset((void *)(uintptr_t)p, 0, 16);
    run.params = &p;
    cr_assert_eq(emu_run(&run), 0, "%s", run.report);
    cr_expect_eq(v[0], 25600);
    cr_expect_eq(v[1], 0x46c80000, "25600.0 has the bits %08x", v[1]);
    cr_expect_eq(v[2], 9);
    cr_expect_eq(v[3], 0x68000000, "f16 sticks at 2048: %08x", v[3]);
}

/* ---- special registers ---- */

/* out[thread][k]: one thread of a grid of 4x3x2 CTAs in clusters of 2x1x2, blocks of 5x4x3 */
static const char specials[] =
    HEAD ".extern .shared .align 256 .b8 dyn[]; .visible .entry test(.param .u64 p) { .shared .b8 st[20]; "
         ".reg .b64 %p, %w; .reg .b32 %n, %m, %r<24>; .reg .pred %q;\n"
         "mov.u32 %r0, %tid.x; mov.u32 %r1, %tid.y; mov.u32 %r2, %tid.z; mov.u32 %r3, %ctaid.x; mov.u32 %r4, "
         "%ctaid.y; mov.u32 %r5, %ctaid.z;\n"
         "mov.u32 %r6, %clusterid.x; mov.u32 %r7, %clusterid.z; mov.u32 %r8, %cluster_ctaid.x; mov.u32 %r9, "
         "%cluster_ctaid.z; mov.u32 %r10, %cluster_ctarank;\n"
         "mov.u32 %r11, %cluster_nctarank; mov.u32 %r12, %nclusterid.x; mov.u32 %r13, %ntid.y; mov.u32 %r14, "
         "%nctaid.y; mov.u32 %r15, %warpid;\n"
         "mov.u32 %r16, %laneid; mov.u32 %r17, %lanemask_lt; mov.u32 %r18, %dynamic_smem_size; mov.u32 %r19, "
         "dyn; mov.u32 %r20, st; mov.pred %q, %is_explicit_cluster;\n"
         "selp.b32 %r21, 1, 0, %q; mov.u32 %r22, %total_smem_size; mov.u32 %r23, %reserved_smem_offset_end;\n"
         "mad.lo.u32 %n, %r5, 3, %r4; mad.lo.u32 %n, %n, 4, %r3; mad.lo.u32 %n, %n, 3, %r2; mad.lo.u32 %n, "
         "%n, 4, %r1; mad.lo.u32 %n, %n, 5, %r0;\n"
         "ld.param.u64 %p, [p]; mul.wide.u32 %w, %n, 96; add.u64 %p, %p, %w;\n"
         "st.global.v4.b32 [%p], {%r0, %r1, %r2, %r3}; st.global.v4.b32 [%p+16], {%r4, %r5, %r6, %r7}; "
         "st.global.v4.b32 [%p+32], {%r8, %r9, %r10, %r11};\n"
         "st.global.v4.b32 [%p+48], {%r12, %r13, %r14, %r15}; st.global.v4.b32 [%p+64], {%r16, %r17, %r18, "
         "%r19}; st.global.v4.b32 [%p+80], {%r20, %r21, %r22, %r23}; ret; }";

Test(emu_memory, special_registers) {
    static struct emu_run run = {.ptx = specials,
                                 .param_bytes = 8,
                                 .grid = {4, 3, 2},
                                 .block = {5, 4, 3},
                                 .cluster = {2, 1, 2},
                                 .smem = 1000};
    uint64_t p = emu_device_alloc(emu_run_device(), 4 * 3 * 2 * 60 * 96);
    run.params = &p;
    cr_assert_eq(emu_run(&run), 0, "%s", run.report);
    const uint32_t(*out)[24] = (const void *)(uintptr_t)p;
    for (uint32_t n = 0; n < 4 * 3 * 2 * 60; n++) {
        uint32_t t = n % 60, x = n / 60 % 4, y = n / 240 % 3, z = n / 720, lane = t % 32,
                 rank = x % 2 + 2 * z;
        const uint32_t want[24] = {t % 5,
                                   t / 5 % 4,
                                   t / 20,
                                   x,
                                   y,
                                   z,
                                   x / 2,
                                   0,
                                   x % 2,
                                   z,
                                   rank,
                                   4,
                                   2,
                                   4,
                                   3,
                                   t / 32,
                                   lane,
                                   (1u << lane) - 1,
                                   1000,
                                   rank << 24 | 0x500,
                                   rank << 24 | 0x400,
                                   1,
                                   0x500,
                                   0x120};
        for (int k = 0; k < 24; k++)
            cr_assert_eq(out[n][k], want[k], "thread %u, value %d: %x, wanted %x", n, k, out[n][k], want[k]);
    }
}

/* ---- distributed shared memory: each CTA of a cluster reads its neighbour's word ---- */

Test(emu_memory, shared_memory_of_the_cluster) {
    static const char ptx[] =
        HEAD ".visible .entry test(.param .u64 p) .explicitcluster .reqnctapercluster 4 { .shared .b32 s; "
             ".reg .b64 %p, %w; .reg .b32 %r, %a, %n, %v; .reg .b64 %g;\n"
             "mov.u32 %r, %cluster_ctarank; mov.u32 %a, s; add.u32 %v, %r, 100; st.shared.u32 [%a], %v; "
             "barrier.cluster.arrive; barrier.cluster.wait;\n"
             "add.u32 %n, %r, 1; and.b32 %n, %n, 3; mapa.shared::cluster.u32 %a, %a, %n; "
             "ld.shared::cluster.u32 %v, [%a]; cvta.shared.u64 %g, s; mapa.u64 %g, %g, %n;\n"
             "atom.add.u32 %n, [%g], 1000; ld.param.u64 %p, [p]; mov.u32 %n, %ctaid.x; mul.wide.u32 %w, %n, "
             "8; add.u64 %p, %p, %w; barrier.cluster.arrive; barrier.cluster.wait;\n"
             "ld.shared.u32 %n, [s]; st.global.v2.u32 [%p], {%v, %n}; ret; }";
    static struct emu_run run = {.ptx = ptx, .param_bytes = 8, .grid = {8}, .block = {1}, .cluster = {4}};
    uint64_t p = emu_device_alloc(emu_run_device(), 64);
    run.params = &p;
    for (int order = 0; order < 3; order++) {
        run.order = (enum emu_order)order;
        cr_assert_eq(emu_run(&run), 0, "%s", run.report);
        for (uint32_t k = 0; k < 8; k++) {
            cr_expect_eq(((uint32_t *)(uintptr_t)p)[2 * k], 100 + (k + 1) % 4);
            cr_expect_eq(((uint32_t *)(uintptr_t)p)[2 * k + 1], 1100 + k % 4);
        }
    }
}

/* ---- modules ---- */

Test(emu_memory, module_variables) {
    static const char text[] = HEAD ".visible .global .align 4 .b32 a[4] = {1, 2, 3}; .global .u64 p = a + "
                                    "8; .const .f32 c = 2.5; .extern .global .b32 e; .global .b8 z[100];\n"
                                    ".visible .entry test(.param .u32 x, .param .align 64 .b8 m[128], .param "
                                    ".u8 y) { .shared .align 16 .b8 s[48]; ret; }";
    struct ptx_error error;
    struct emu_device *device = emu_run_device();
    size_t before = emu_device_used(device), bytes;
    struct emu_module *module = emu_module_load(device, text, sizeof text, &error);
    cr_assert(module, "%s", error.text);
    uint64_t a, p, address;
    cr_assert(emu_module_global(module, "a", &a, &bytes) && bytes == 16);
    cr_expect(((uint32_t *)(uintptr_t)a)[2] == 3 && ((uint32_t *)(uintptr_t)a)[3] == 0);
    cr_assert(emu_module_global(module, "p", &p, &bytes));
    cr_expect_eq(*(uint64_t *)(uintptr_t)p, a + 8);
    cr_assert(emu_module_global(module, "c", &address, &bytes));
    cr_expect_eq(*(float *)(uintptr_t)address, 2.5f);
    cr_assert(emu_module_global(module, "z", &address, &bytes) && bytes == 100);
    cr_expect_eq(*(uint64_t *)(uintptr_t)address, 0, "variables without a value are zero");
    cr_expect(!emu_module_global(module, "e", &address, &bytes), "external");
    const struct emu_function *fn = emu_module_function(module, "test");
    cr_expect(fn && fn->param_bytes == 193 && fn->source->params[1]->slot == 64 &&
              fn->static_smem_bytes == 48);
    emu_module_unload(module);
    cr_expect_eq(emu_device_used(device), before, "a module's variables go with it");
}

Test(emu_memory, targets) {
    struct ptx_error error;
    struct emu_device *device = emu_run_device();
    cr_expect(!emu_module_load(device, ".version 9.0\n.target sm_90a\n", 29, &error) &&
                  strstr(error.text, "sm_90a is not for this device"),
              "%s", error.text);
    struct emu_module *module = emu_module_load(device, ".version 7.0\n.target sm_70\n", 28, &error);
    cr_expect(module, "%s", error.text);
    emu_module_unload(module);
}
