#include "tests/approx_forms.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double rcp(double x) { return 1 / x; }
static double rsqrt(double x) { return 1 / sqrt(x); }
static double two_to(double x) { return exp2(x - 1); }
static double two_to_minus(double x) { return exp2(1 - x); }

#define F32(op) op " %f1, %f0; mov.b32 %r1, %f1;"
#define F16(op) op " %h1, %h0; cvt.u32.u16 %r1, %h1;"
#define F64(op) op " %d1, %d0; mov.b64 {_, %r1}, %d1;"
/* The last argument is what fits into 32 bits. */
#define ALL 1, 1047808, 4099

/* clang-format off */
static const struct approx_form forms[] = {
    {"ex2", "sub.f32 %f0, %f0, 0f3f800000;" F32("ex2.approx.ftz.f32"), 0x3f800000, 1 << 23, 1, two_to},
    {"ex2-", "sub.f32 %f0, 0f3f800000, %f0;" F32("ex2.approx.ftz.f32"), 0x3f800000, 1 << 23, 1, two_to_minus},
    {"rcp", F32("rcp.approx.ftz.f32"), 0x3f800000, 1 << 23, 1, rcp},
    {"rsqrt", F32("rsqrt.approx.ftz.f32"), 0x3f800000, 1 << 24, 1, rsqrt},
    {"lg2", F32("lg2.approx.ftz.f32"), 0x3f800000, 1 << 23, 1, log2},
    {"lg2-", F32("lg2.approx.ftz.f32"), 0x3f000000, 1 << 23, 1, log2},
    {"sqrt", F32("sqrt.approx.ftz.f32"), 0x3f800000, 1 << 24, 1, sqrt},
    {"sin", F32("sin.approx.f32"), 0x3f800000, 0x1490fdb, 1, sin},
    {"cos", F32("cos.approx.f32"), 0x3f800000, 0x1490fdb, 1, cos},
    {"sin.small", F32("sin.approx.f32"), 0x38800000, 0x7000000 / 37, 37, sin},
    {"cos.small", F32("cos.approx.f32"), 0x38800000, 0x7000000 / 37, 37, cos},
    {"tanh", F32("tanh.approx.f32"), 0x3f000000, 1 << 23, 1, NULL},
    {"tanh.wide", F32("tanh.approx.f32"), 0x38800000, 0x9000000 / 17, 17, NULL},
    {"ex2.all", F32("ex2.approx.f32"), ALL, exp2},
    {"rcp.all", F32("rcp.approx.f32"), ALL, rcp},
    {"rsqrt.all", F32("rsqrt.approx.f32"), ALL, rsqrt},
    {"lg2.all", F32("lg2.approx.f32"), ALL, log2},
    {"sqrt.all", F32("sqrt.approx.f32"), ALL, sqrt},
    {"sin.all", F32("sin.approx.f32"), ALL, sin},
    {"cos.all", F32("cos.approx.f32"), ALL, cos},
    {"sin.ftz.all", F32("sin.approx.ftz.f32"), ALL, sin},
    {"cos.ftz.all", F32("cos.approx.ftz.f32"), ALL, cos},
    {"tanh.all", F32("tanh.approx.f32"), ALL, tanh},
    {"rcp64", F64("rcp.approx.ftz.f64"), 0x3ff00000, 1 << 20, 1, NULL},
    {"rcp64.all", F64("rcp.approx.ftz.f64"), ALL, NULL},
    {"rsqrt64", F64("rsqrt.approx.ftz.f64"), 0x3ff00000, 1 << 21, 1, NULL},
    {"rsqrt64.all", F64("rsqrt.approx.ftz.f64"), ALL, NULL},
    {"ex2.f16", F16("ex2.approx.f16"), 0, 1 << 16, 1, NULL},
    {"ex2.bf16", F16("ex2.approx.ftz.bf16"), 0, 1 << 16, 1, NULL},
    {"tanh.f16", F16("tanh.approx.f16"), 0, 1 << 16, 1, NULL},
    {"tanh.bf16", F16("tanh.approx.bf16"), 0, 1 << 16, 1, NULL},
};
/* clang-format on */

size_t approx_form_count(void) { return sizeof forms / sizeof *forms; }
const struct approx_form *approx_form(size_t i) { return &forms[i]; }

void approx_form_text(size_t i, char *out, size_t bytes) {
    const struct approx_form *f = &forms[i];
    snprintf(out, bytes,
             ".version 8.6\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 out)\n{\n"
             ".reg .b32 %%r<4>, %%t, %%b;\n.reg .f32 %%f<2>;\n.reg .f64 %%d<2>;\n.reg .b16 %%h<2>, %%u;\n.reg .b64 %%out;\n.reg .pred %%p;\n"
             "ld.param.u64 %%out, [out];\nmov.u32 %%t, %%tid.x;\nmov.u32 %%b, %%ctaid.x;\nmad.lo.u32 %%t, %%b, %u, %%t;\n"
             "setp.ge.u32 %%p, %%t, %u;\n@%%p ret;\nmad.lo.u32 %%r0, %%t, %u, 0x%x;\nmad.wide.u32 %%out, %%t, 4, %%out;\n"
             "mov.b32 %%f0, %%r0;\nmov.b32 {%%h0, %%u}, %%r0;\nmov.b32 %%r2, 0;\nmov.b64 %%d0, {%%r2, %%r0};\n%s\nst.global.b32 [%%out], %%r1;\nret;\n}\n",
             APPROX_BLOCK, f->count, f->stride, f->first, f->body);
}

void approx_form_deltas(size_t i, uint32_t *results) {
    const struct approx_form *f = &forms[i];
    for (uint32_t k = 0, before = 0; k < f->count; k++) {
        uint32_t bits = f->first + k * f->stride, now = results[k];
        float x;
        memcpy(&x, &bits, 4);
        if (f->exact) {
            float y = (float)f->exact((double)x);
            memcpy(&before, &y, 4);
        }
        results[k] = now - before;
        before = now;
    }
}
