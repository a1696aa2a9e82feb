/* Lane instructions: bit by bit against what an H200 gave (tests/captures, by tests/capture), by rows
 * for what that machine does not have, and within their stated errors for the approximate functions. */
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/emu_run.h"
#include "tests/lane_forms.h"

/* ---- captures ---- */

#define PARTS 16

static const struct emu_row *row_named(const char *id) {
    for (uint32_t k = 0; k < emu_row_count; k++)
        if (strcmp(emu_rows[k].id, id) == 0) return &emu_rows[k];
    return NULL;
}

static void check_form(const char *id, const char *mnemonic, unsigned long long wanted, uint64_t in,
                       uint64_t out) {
    static char text[8192];
    static struct emu_run run;
    const struct emu_row *row = row_named(id);
    cr_assert(row, "the row %s of the captures is gone", id);
    int at = sprintf(text, ".version 9.0\n.target sm_90\n.address_size 64\n");
    cr_assert(lane_entry(row, mnemonic, "test", text + at, sizeof text - (size_t)at));
    uint64_t params[2] = {in, out};
    run = (struct emu_run){
        .ptx = text, .params = params, .param_bytes = sizeof params, .grid = {LANE_THREADS / 32}};
    cr_expect_eq(emu_run(&run), 0, "%s: %s", mnemonic, run.report);
    cr_expect_eq(lane_hash((const uint32_t *)(uintptr_t)out), wanted, "%s (%s) is not what the H200 gave",
                 mnemonic, id);
}

ParameterizedTestParameters(emu_lane, captured) { return wl_test_rows(PARTS); }
ParameterizedTest(size_t *part, emu_lane, captured) {
    FILE *file = fopen("tests/captures/lane_h200.txt", "r");
    cr_assert(file, "run the tests from the repository's root");
    uint64_t in = emu_device_alloc(emu_run_device(), sizeof(uint64_t) * LANE_SOURCES * LANE_THREADS);
    uint64_t out = emu_device_alloc(emu_run_device(), sizeof(uint32_t) * 4 * LANE_THREADS);
    lane_inputs((uint64_t *)(uintptr_t)in);
    char line[256], id[64], mnemonic[160];
    unsigned long long hash;
    for (size_t k = 0; fgets(line, sizeof line, file); k++)
        if (line[0] != '#' && k % PARTS == *part && sscanf(line, "%63s %159s %llx", id, mnemonic, &hash) == 3)
            check_form(id, mnemonic, hash, in, out);
    fclose(file);
}

/* Every form has a line, or is among those that the driver refused. */
struct walk {
    FILE *file;
    char line[256];
    unsigned refused;
    uint64_t names;
};
static void walk_form(void *user, const struct emu_row *row, const char *mnemonic) {
    static char text[8192], line[256];
    struct walk *w = user;
    if (!lane_entry(row, mnemonic, "f", text, sizeof text)) return;
    int n = snprintf(line, sizeof line, "%s %s ", row->id, mnemonic);
    if (strncmp(w->line, line, (size_t)n) == 0) {
        if (!fgets(w->line, sizeof w->line, w->file)) w->line[0] = '\0';
    } else w->refused++, w->names = lane_name(w->names, row, mnemonic);
}

Test(emu_lane, every_form_is_captured) {
    struct walk w = {.file = fopen("tests/captures/lane_h200.txt", "r"), .names = LANE_NAMES};
    unsigned refused;
    unsigned long long names;
    cr_assert(w.file && fgets(w.line, sizeof w.line, w.file) && fgets(w.line, sizeof w.line, w.file));
    for (uint32_t k = 0; k < emu_row_count; k++)
        if (lane_row_fits(&emu_rows[k])) lane_forms(&emu_rows[k], walk_form, &w);
    cr_assert_eq(sscanf(w.line, "# refused: %u %llx", &refused, &names), 2, "behind the last form is %s", w.line);
    cr_expect(w.refused == refused && w.names == names, "%u forms have no line, %016llx", w.refused, (unsigned long long)w.names);
    fclose(w.file);
}

/* ---- rows: what sm_90 lacks, and what a capture would not show ---- */

#define ONE  0x3f800000u
#define NAN_ 0x7fffffffu
#define INF  0x7f800000u

/* clang-format off */
static const struct {
    const char *body;    /* uses %r0 .. (inputs), leaves %r0, %r1 */
    uint32_t in[6], out[2];
} rows[] = {
    /* packed float32: %rd0 = {in0, in1}, %rd1 = {in2, in3}, %rd2 = {in4, in5} */
    {"add.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {ONE, 0x40000000, ONE, 0xbf800000}, {0x40000000, ONE}},
    {"add.rm.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {0x3f7fffff, 0xbf800001, 0x4b400000, 0x4b400000}, {0x4b400000, 0x4b3ffffe}},
    {"add.rp.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {0x33000000, 0xb3000000, ONE, ONE}, {0x3f800001, ONE}},
    {"add.rz.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {0x33000000, 0xb3000000, ONE, ONE}, {ONE, 0x3f7fffff}},
    {"add.rm.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {ONE, 0x80000000, 0xbf800000, 0}, {0x80000000, 0x80000000}},
    {"sub.rn.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {INF, ONE, INF, NAN_}, {NAN_, NAN_}},
    {"mul.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {0x3fc00000, 0x00800000, 0xc0000000, 0x3f000000}, {0xc0400000, 0x00400000}},
    {"mul.ftz.f32x2 %rd0, %rd0, %rd1; mov.b64 {%r0, %r1}, %rd0;", {0x00000001, 0x80800000, ONE, 0x3f000000}, {0, 0x80000000}},
    {"fma.rn.f32x2 %rd0, %rd0, %rd1, %rd2; mov.b64 {%r0, %r1}, %rd0;", {0x3f800001, 0x3f800001, 0x3f800001, 0x3f7fffff, 0xbf800002, 0xbf800000}, {0x28800000, 0x337ffffe}},
    {"fma.rm.f32x2 %rd0, %rd0, %rd1, %rd2; mov.b64 {%r0, %r1}, %rd0;", {0x3f800001, ONE, 0x3f800001, 0x33000000, 0, ONE}, {0x3f800002, ONE}},
    {"fma.rp.f32x2 %rd0, %rd0, %rd1, %rd2; mov.b64 {%r0, %r1}, %rd0;", {0x3f800001, ONE, 0x3f800001, 0x33000000, 0, ONE}, {0x3f800003, 0x3f800001}},
    /* three inputs */
    {"max.f32 %r0, %r0, %r1, %r2; max.f32 %r1, %r3, %r4, %r5;", {ONE, 0x40000000, NAN_, 0x80000000, 0, 0x80000000}, {0x40000000, 0}},
    {"min.f32 %r0, %r0, %r1, %r2; min.NaN.f32 %r1, %r0, %r1, %r2;", {ONE, 0x40000000, NAN_}, {ONE, NAN_}},
    {"max.abs.f32 %r0, %r0, %r1, %r2; min.ftz.f32 %r1, %r3, %r4, %r5;", {ONE, 0xc0000000, 0x3f000000, 0x80000001, 0, ONE}, {0x40000000, 0x80000000}},
    {"max.f32 %r0, %r0, %r1, %r2;", {NAN_, NAN_, 0xffc00001}, {NAN_, NAN_}},
    /* float32 with halves */
    {"cvt.u16.u32 %h0, %r0; add.f32.f16 %r0, %h0, %r1; sub.f32.f16 %r1, %h0, %r1;", {0x3c00, ONE}, {0x40000000, 0}},
    {"cvt.u16.u32 %h0, %r0; cvt.u16.u32 %h1, %r1; fma.rn.f32.bf16 %r0, %h0, %h1, %r2; fma.rz.sat.f32.bf16 %r1, %h0, %h1, %r2;",
     {0x4000, 0x3fc0, 0xbf800000}, {0x40000000, ONE}},
    {"cvt.u16.u32 %h0, %r0; add.rp.f32.bf16 %r0, %h0, %r1; add.rm.f32.bf16 %r1, %h0, %r1;", {0x3f80, 0x33000000}, {0x3f800001, ONE}},
    {"cvt.u16.u32 %h0, %r0; cvt.u16.u32 %h1, %r1; fma.rn.oob.f16 %h2, %h0, %h1, %h1; cvt.u32.u16 %r0, %h2; mov.u32 %r1, 0;", {0x7ff7, 0x3c00}, {0, 0}},
    /* small formats */
    {"cvt.rn.satfinite.e2m1x2.f32 %b, %r0, %r1; cvt.u32.u8 %r0, %b; cvt.rn.satfinite.e2m1x2.f32 %b, %r2, %r3; cvt.u32.u8 %r1, %b;",
     {0x40c00000, 0xbf000000, 0x7f800000, 0x3e800000}, {0x79, 0x70}},
    {"cvt.rn.satfinite.e2m3x2.f32 %h0, %r0, %r1; cvt.u32.u16 %r0, %h0; cvt.rn.satfinite.e3m2x2.f32 %h0, %r2, %r3; cvt.u32.u16 %r1, %h0;",
     {0x40f00000, 0xbf800000, 0x41e00000, 0x42000000}, {0x1f28, 0x1f1f}},
    {"cvt.u16.u32 %h0, %r0; cvt.rn.f16x2.e4m3x2 %r0, %h0; cvt.rn.f16x2.e5m2x2 %r1, %h0;", {0x7eff}, {0x5f007fff, 0x7fff7fff}},
    /* packing */
    {"mov.b64 {_, %r0}, %rd0; mov.b64 %rd1, {%r2, %r3}; cvt.u32.u64 %r1, %rd1;", {1, 2, 3, 4}, {2, 3}},
    {"mov.b32 {%h0, %h1}, %r0; mov.b32 %r0, {%h1, %h0}; mov.b64 {%h0, %h1, %h2, %h3}, %rd1; mov.b32 %r1, {%h3, %h0};", {0x12345678, 0, 0x1111aaaa, 0xbbbb2222}, {0x56781234, 0xaaaabbbb}},
    {"mov.b128 %q0, {%rd0, %rd1}; mov.b128 %q1, %q0; mov.b128 {_, %rd2}, %q1; mov.b64 {%r0, %r1}, %rd2;", {1, 2, 3, 4}, {3, 4}},
    {"lop3.or.b32 %r0|%p0, %r0, %r1, %r2, 0xe8, %p1; selp.b32 %r1, 1, 0, %p0;", {0xf0f0, 0xff00, 0x0ff0}, {0xfff0, 1}},
    {"prmt.b32 %r0, %r0, %r1, 0x7610; prmt.b32.f4e %r1, %r2, %r3, %r4;", {0x33221100, 0x77665544, 0x33221100, 0x77665544, 1}, {0x77661100, 0x44332211}},
    {"cvt.pack.sat.u8.s32.b32 %r0, %r0, %r1, %r2; cvt.pack.sat.s16.s32 %r1, %r3, %r4;", {300, 0xfffffffe, 0x1234, 70000, 0xffff0000}, {0x1234ff00, 0x7fff8000}},
    {"and.b32 %r2, %lane, 1; setp.eq.u32 %p0, %r2, 2; @%p0 mov.u32 %r0, 9; @!%p0 add.u32 %r1, %r1, 1;", {5, 6}, {5, 7}},
};
/* clang-format on */

ParameterizedTestParameters(emu_lane, row) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, emu_lane, row) {
    uint32_t in[6][32], out[4][32];
    char body[1024], *report = calloc(1, 16384);
    for (int k = 0; k < 6; k++)
        for (int lane = 0; lane < 32; lane++) in[k][lane] = rows[*i].in[k];
    snprintf(body, sizeof body, ".reg .b8 %%b; setp.ne.u32 %%p1, %%lane, %%lane;\n%s", rows[*i].body);
    cr_assert_eq(emu_run_lanes(body, in[0], 6, out, report), 0, "%s: %s", rows[*i].body, report);
    for (int k = 0; k < 2; k++)
        cr_expect_eq(out[k][7], rows[*i].out[k], "%s: %%r%d is %08x, wanted %08x", rows[*i].body, k,
                     out[k][7], rows[*i].out[k]);
    free(report);
}

/* Under a partial mask the other lanes keep what they had: one row of each way of writing. */
/* clang-format off */
static const char *const masked[] = {
    "add.u32 %r0, %r0, %r1;", "mad.wide.u32 %rd3, %r0, 1, 0; cvt.u32.u64 %r4, %rd3; @%p2 mov.u32 %r0, %r4;", "add.f32 %r0, %r0, %r1;",
    "selp.b32 %r0, %r1, %r2, %p1;", "max.f32 %r0, %r1, %r2;", "ex2.approx.f32 %r0, %r1;", "cvt.rn.bf16x2.f32 %r0, %r1, %r2;",
    "popc.b32 %r0, %r1;", "shfl.sync.idx.b32 %r0, %r1, 0, 31, 0xfff0;", "ld.global.b32 %r0, [%in];", "mov.b64 {%r0, _}, %rd0;", "cvt.rni.s32.f32 %r0, %r1;",
};
/* clang-format on */

ParameterizedTestParameters(emu_lane, masked) { return wl_test_rows(WL_LEN(masked)); }
ParameterizedTest(size_t *i, emu_lane, masked) {
    uint32_t in[6][32], out[4][32];
    char body[1024], *report = calloc(1, 16384);
    for (uint32_t k = 0; k < 6; k++)
        for (uint32_t lane = 0; lane < 32; lane++) in[k][lane] = 0x3f800000 + k * 0x01234567 + lane * 77;
    snprintf(body, sizeof body,
             "setp.ne.u32 %%p2, %%lane, %%lane; setp.eq.u32 %%p1, %%lane, 0; setp.lt.u32 %%p0, %%lane, 16; "
             "setp.ge.and.u32 %%p0, %%lane, 4, %%p0;\n"
             "mov.u32 %%r1, %%r1; @!%%p0 bra E;\n%s\nE: bar.warp.sync -1;",
             masked[*i]);
    cr_assert_eq(emu_run_lanes(body, in[0], 6, out, report), 0, "%s: %s", masked[*i], report);
    for (uint32_t lane = 0; lane < 32; lane++)
        if (lane < 4 || lane >= 16)
            cr_expect_eq(out[0][lane], in[0][lane], "%s wrote lane %u", masked[*i], lane);
    free(report);
}

/* ---- approximate functions: within the manual's error, and its corners; bit by bit: test_capture.c ---- */

static double rcp(double x) { return 1 / x; }
static double rsqrt_(double x) { return 1 / sqrt(x); }

/* clang-format off */
static const struct {
    const char *name;
    double (*exact)(double);
    double relative, absolute; /* errors, either of which may be */
    uint32_t corners[6][2]; /* input, output */
} approx[] = {
    {"ex2.approx.ftz.f32", exp2, 2.5 * 0x1p-23, 0, {{0, ONE}, {0x80000000, ONE}, {INF, INF}, {0xff800000, 0}, {NAN_, NAN_}, {0xc2fe0000, 0}}},
    {"ex2.approx.f32", exp2, 2.5 * 0x1p-23, 0, {{0x00000001, ONE}, {0xc3150000, 0x00000001}, {0x43000000, INF}, {0x40400000, 0x41000000}, {0xc2fe0000, 0x003fffff}, {NAN_, NAN_}}},
    {"lg2.approx.ftz.f32", log2, 0x1p-22, 0x1p-22, {{0, 0xff800000}, {0x80000000, 0xff800000}, {INF, INF}, {0xbf800000, NAN_}, {ONE, 0}, {0x00000001, 0xff800000}}},
    {"lg2.approx.f32", log2, 0x1p-22, 0x1p-22, {{0x00000001, 0xc3150000}, {0x41000000, 0x40400000}, {NAN_, NAN_}, {0xff800000, NAN_}, {0x3f000000, 0xbf7ffffe}, {0, 0xff800000}}},
    {"rcp.approx.ftz.f32", rcp, 0x1p-23, 0, {{0, INF}, {0x80000000, 0xff800000}, {INF, 0}, {0xff800000, 0x80000000}, {0x40000000, 0x3f000000}, {0x7f000001, 0}}},
    {"rsqrt.approx.ftz.f32", rsqrt_, 1.0718 * 0x1p-23, 0, {{0, INF}, {0x80000000, 0xff800000}, {INF, 0}, {0xbf800000, NAN_}, {0x40800000, 0x3f000000}, {NAN_, NAN_}}},
    {"sqrt.approx.f32", sqrt, 0x1p-23, 0, {{0, 0}, {0x80000000, 0x80000000}, {INF, INF}, {0xbf800000, NAN_}, {0x40800000, 0x40000000}, {NAN_, NAN_}}},
    {"tanh.approx.f32", tanh, 0x1p-11, 0, {{0, 0}, {0x80000000, 0x80000000}, {INF, ONE}, {0xff800000, 0xbf800000}, {NAN_, NAN_}, {0x41200000, ONE}}},
    {"sin.approx.f32", sin, 0, 0x1.3b2p-15, {{0, 0}, {0x80000000, 0x80000000}, {INF, NAN_}, {0xff800000, NAN_}, {NAN_, NAN_}, {0x3f800000, 0x3f576aa3}}},
    {"cos.approx.f32", cos, 0, 0x1.3b2p-15, {{0, ONE}, {0x80000000, ONE}, {INF, NAN_}, {0xff800000, NAN_}, {NAN_, NAN_}, {0x3f800000, 0x3f0a5141}}},
};
/* clang-format on */

static float as_float(uint32_t u) {
    float f;
    memcpy(&f, &u, 4);
    return f;
}

ParameterizedTestParameters(emu_lane, approximate) { return wl_test_rows(WL_LEN(approx)); }
ParameterizedTest(size_t *i, emu_lane, approximate) {
    char body[128], *report = calloc(1, 16384);
    uint32_t out[4][32], in[32];
    snprintf(body, sizeof body, "%s %%r0, %%r0;", approx[*i].name);
    for (int k = 0; k < 32; k++) in[k] = approx[*i].corners[k % 6][0];
    cr_assert_eq(emu_run_lanes(body, in, 1, out, report), 0, "%s", report);
    for (int k = 0; k < 6; k++)
        cr_expect_eq(out[0][k], approx[*i].corners[k][1], "%s of %08x is %08x, wanted %08x", approx[*i].name,
                     in[k], out[0][k], approx[*i].corners[k][1]);
    for (uint32_t round = 0, state = 12345; round < 60; round++) {
        for (int k = 0; k < 32; k++) {
            state = state * 1664525 + 1013904223;
            in[k] = 0x3a000000 + state % 0x08000000; /* 2^-11 to 2^5 */
        }
        cr_assert_eq(emu_run_lanes(body, in, 1, out, report), 0);
        for (int k = 0; k < 32; k++) {
            double exact = approx[*i].exact(as_float(in[k]));
            double error = fabs(as_float(out[0][k]) - exact);
            cr_expect(error <= approx[*i].relative * fabs(exact) || error <= approx[*i].absolute,
                      "%s of %08x is off by %g", approx[*i].name, in[k], error);
        }
    }
    free(report);
}
