/* wgmma: when it happens, who must take part, errors. Its arithmetic, layouts and shapes: test_emu_matrix.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/half.h"
#include "tests/emu_run.h"
#include "tests/test.h"

/* A warpgroup; shared memory full of bf16 ones, so that every element of A B is 16. Descriptors %a and %b;
 * %d0 to %d3 and %e0 to %e3 start as `start`; at the end each thread writes %o0 to %o3. */
#define HEAD(threads)                                                                                        \
    ".visible .entry test(.param .u64 out, .param .b32 start)\n.reqntid " threads ", 1, 1\n{\n"              \
    ".shared .align 1024 .b8 smem[4096];\n.reg .b32 %s, %t, %one, %tid, %w, %lane;\n.reg .b64 %a, %b, "      \
    "%bad, %out, %off;\n"                                                                                    \
    ".reg .f32 %d<4>, %e<4>, %o<4>, %r<4>;\n.reg .b32 %x<4>;\n.reg .pred %p, %q, %yes, %no;\n"               \
    "mov.u32 %s, smem;\nmov.u32 %tid, %tid.x;\nshr.u32 %w, %tid, 5;\nand.b32 %lane, %tid, 31;\n"             \
    "mov.b32 %one, 0x3f803f80;\nmul.lo.u32 %t, %tid, 32;\nadd.u32 %t, %t, %s;\n"                             \
    "st.shared.v4.b32 [%t], {%one, %one, %one, %one};\nst.shared.v4.b32 [%t + 16], {%one, %one, %one, "      \
    "%one};\n"                                                                                               \
    "fence.proxy.async;\nbar.sync 0;\nshr.u32 %t, %s, 4;\nmov.b64 %a, {%t, 16};\nor.b64 %a, %a, 0x80000;\n"  \
    "mov.b64 %b, %a;\nld.param.f32 %d0, [start];\nsetp.eq.u32 %yes, 0, 0;\nsetp.eq.u32 %no, 0, 1;\n"         \
    "mov.f32 %d1, %d0;\nmov.f32 %d2, %d0;\nmov.f32 %d3, %d0;\n"                                              \
    "mov.f32 %e0, %d0;\nmov.f32 %e1, %d0;\nmov.f32 %e2, %d0;\nmov.f32 %e3, %d0;\n"                           \
    "mov.b32 %x0, %one;\nmov.b32 %x1, %one;\nmov.b32 %x2, %one;\nmov.b32 %x3, "                              \
    "%one;\nwgmma.fence.sync.aligned;\n"
#define TAIL                                                                                                 \
    "ld.param.u64 %out, [out];\nmul.wide.u32 %off, %tid, 16;\nadd.u64 %out, %out, %off;\n"                   \
    "st.global.v4.f32 [%out], {%o0, %o1, %o2, %o3};\nret;\n}\n"
#define MMA           "wgmma.mma_async.sync.aligned.m64n8k16.f32.bf16.bf16 "
#define D             "{%d0, %d1, %d2, %d3}"
#define E             "{%e0, %e1, %e2, %e3}"
#define SS            ", %a, %b, 1, 1, 1, 0, 0;\n"
#define RS            ", {%x0, %x1, %x2, %x3}, %b, 1, 1, 1, 0;\n"
#define COMMIT        "wgmma.commit_group.sync.aligned;\n"
#define WAIT          "wgmma.wait_group.sync.aligned "
#define KEEP(o, from) "mov.f32 %o" o ", " from ";\n"

static int run(const char *body, const char *threads, enum emu_order order, enum emu_check check, float *out,
               char *report, size_t bytes) {
    char text[16384];
    struct emu_device *device = emu_device_create(emu_profile_find("h100"));
    struct {
        uint64_t out;
        float start;
    } params = {emu_device_alloc(device, 256 * 16), 5.0f};
    struct emu_run *r = calloc(1, sizeof *r);
    snprintf(text, sizeof text, ".version 8.7\n.target sm_90a\n.address_size 64\n%s", body);
    *r = (struct emu_run){.ptx = text,
                          .block = {(uint32_t)atoi(threads)},
                          .params = &params,
                          .param_bytes = sizeof params,
                          .order = order,
                          .check = check,
                          .seed = 3,
                          .device = device};
    int status = emu_run(r);
    snprintf(report, bytes, "%.*s", (int)bytes - 1, r->report);
    if (out) memcpy(out, (void *)(uintptr_t)params.out, 256 * 16);
    free(r);
    emu_device_destroy(device);
    return status;
}

/* What %o0 to %o3 are under any order, and how many lines name registers before the wait that covers them,
 * which ptxas mends and the strict judge reports. */
static const struct {
    const char *name, *body;
    float values[4];
    int early;
} timings[] = {
    {"D before and after the wait",
     MMA D SS COMMIT KEEP("0", "%d0") WAIT "0;\n" KEEP("1", "%d0") KEEP("2", "%d3") KEEP("3", "%e0"),
     {21, 21, 21, 5},
     1},
    {"wait_group 1 leaves the newest pending",
     MMA D SS COMMIT MMA E SS COMMIT WAIT "1;\n" KEEP("0", "%d0") KEEP("1", "%e0") WAIT
     "0;\n" KEEP("2", "%d0") KEEP("3", "%e0"),
     {21, 21, 21, 21},
     1},
    {"what is not committed is not waited for",
     MMA D SS WAIT "0;\n" KEEP("0", "%d0") COMMIT WAIT "0;\n" KEEP("1", "%d0") KEEP("2", "%d0")
         KEEP("3", "%d0"),
     {21, 21, 21, 21},
     1},
    {"a chain on one accumulator",
     MMA D SS MMA D SS MMA D SS COMMIT WAIT "0;\n" KEEP("0", "%d0") KEEP("1", "%d1") KEEP("2", "%d2")
         KEEP("3", "%d3"),
     {53, 53, 53, 53},
     0},
    {"A's registers are read late",
     MMA D RS COMMIT "mov.b32 %x0, 0;\nmov.b32 %x1, 0;\nmov.b32 %x2, 0;\nmov.b32 %x3, 0;\n" WAIT
                     "0;\n" KEEP("0", "%d0") KEEP("1", "%d1") KEEP("2", "%d2") KEEP("3", "%d3"),
     {21, 21, 21, 21},
     4},
    {"A in registers, waited for",
     MMA D RS COMMIT WAIT "0;\n"
                          "mov.b32 %x0, 0;\n" KEEP("0", "%d0") KEEP("1", "%d1") KEEP("2", "%d2")
                              KEEP("3", "%d3"),
     {21, 21, 21, 21},
     0},
    {"scale-d false",
     MMA D ", %a, %b, %no, 1, 1, 0, 0;\n" MMA E ", %a, %b, %yes, -1, 1, 0, 0;\n" COMMIT WAIT
           "0;\n" KEEP("0", "%d0") KEEP("1", "%d3") KEEP("2", "%e0") KEEP("3", "%e3"),
     {16, 16, -11, -11},
     0},
    {"empty groups count",
     COMMIT COMMIT MMA D SS COMMIT COMMIT WAIT "2;\n" KEEP("0", "%d0") WAIT "1;\n" KEEP("1", "%d0")
         KEEP("2", "%d0") KEEP("3", "%d0"),
     {21, 21, 21, 21},
     1},
};

ParameterizedTestParameters(emu_wgmma, timing) { return wl_test_rows(WL_LEN(timings)); }
ParameterizedTest(size_t *i, emu_wgmma, timing) {
    static float out[256][4];
    char body[8192], report[4096];
    snprintf(body, sizeof body, "%s%s%s", HEAD("128"), timings[*i].body, TAIL);
    for (int order = 0; order < 3; order++) {
        int status = run(body, "128", (enum emu_order)order, EMU_CHECK_OFF, out[0], report, sizeof report);
        cr_assert_eq(status, 0, "%s: %s", timings[*i].name, report);
        for (uint32_t t = 0; t < 128; t++)
            for (int k = 0; k < 4; k++)
                cr_assert_eq(out[t][k], timings[*i].values[k], "%s, order %d: o%d of thread %u is %g, not %g",
                             timings[*i].name, order, k, t, out[t][k], timings[*i].values[k]);
        int early = 0;
        run(body, "128", (enum emu_order)order, EMU_CHECK_STRICT, out[0], report, sizeof report);
        for (const char *p = report; (p = strstr(p, "[wgmma registers]")); p++) early++;
        cr_expect_eq(early, timings[*i].early, "%s, order %d: %d reports: %s", timings[*i].name, order, early,
                     report);
    }
}

static const struct {
    const char *name, *threads, *body, *says;
} errors[] = {
    {"a warp that never comes", "128", "setp.eq.u32 %p, %w, 3;\n@%p exit;\n" MMA D SS COMMIT WAIT "0;\n",
     "has yet to be issued by warp 3"},
    {"nobody waits for the warp that never comes", "128", "setp.ne.u32 %p, %w, 1;\n@%p exit;\n" MMA D SS,
     "has yet to be issued by warp 0 warp 2 warp 3"},
    {"different multiplies", "128",
     "setp.eq.u32 %p, %w, 2;\n@%p bra L;\n" MMA D SS "bra M;\nL:\n" MMA D SS "M:\n" COMMIT WAIT "0;\n",
     "has issued the wgmma of PTX line"},
    {"different descriptors", "128",
     "setp.eq.u32 %p, %w, 2;\n@%p add.s64 %b, %b, 2;\n" MMA D SS COMMIT WAIT "0;\n",
     "but another warp of the warpgroup gave"},
    {"lanes with different descriptors", "128",
     "setp.eq.u32 %p, %lane, 2;\n@%p add.s64 %a, %a, 2;\n" MMA D SS COMMIT WAIT "0;\n",
     "disagree on A's descriptor"},
    {"lanes with different scale-d", "128",
     "setp.eq.u32 %p, %lane, 2;\n" MMA D ", %a, %b, %p, 1, 1, 0, 0;\n" COMMIT WAIT "0;\n",
     "disagree on scale-d"},
    {"a tcgen05 descriptor", "128", "or.b64 %b, %b, 0x400000000000;\n" MMA D SS COMMIT WAIT "0;\n",
     "a tcgen05 descriptor?"},
    {"outside shared memory", "128", "or.b64 %a, %a, 0x3fff;\n" MMA D SS COMMIT WAIT "0;\n",
     "no such memory"},
    {"two warps", "64", MMA D SS COMMIT WAIT "0;\n", "no warpgroup"},
    {"half a warp", "128", "setp.lt.u32 %p, %lane, 16;\n@%p " MMA D SS COMMIT WAIT "0;\n",
     "all lanes must execute it together"},
    {"lanes that have exited", "128", "setp.lt.u32 %p, %lane, 16;\n@%p exit;\n" MMA D SS COMMIT WAIT "0;\n",
     "needs all 32 lanes"},
    {"too few registers", "128", MMA "{%d0, %d1}" SS, "D has 2 registers, N = 8 takes 4"},
    {"too few of A", "128", MMA D ", {%x0, %x1}, %b, 1, 1, 1, 0;\n", "A has 2 registers, it takes 4"},
    {"imm-scale", "128", MMA D ", %a, %b, 1, 2, 1, 0, 0;\n", "imm-scale is 2"},
    {"imm-trans", "128", MMA D ", %a, %b, 1, 1, 1, 0, 3;\n", "imm-trans is 3"},
    {"transposed tf32", "128",
     "wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 " D ", %a, %b, 1, 1, 1, 0, 0;\n", "operand"},
    {"N of integers", "128", "wgmma.mma_async.sync.aligned.m64n40k32.s32.s8.s8 " D ", %a, %b, 1;\n",
     "no form of wgmma"},
};

ParameterizedTestParameters(emu_wgmma, error) { return wl_test_rows(WL_LEN(errors)); }
ParameterizedTest(size_t *i, emu_wgmma, error) {
    static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};
    char body[8192], report[4096];
    snprintf(body, sizeof body, "%s%s%s", strcmp(errors[*i].threads, "64") ? HEAD("128") : HEAD("64"),
             errors[*i].body, KEEP("0", "%d0") TAIL);
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        int status = run(body, errors[*i].threads, orders[o], EMU_CHECK_OFF, NULL, report, sizeof report);
        cr_expect(status != 0 && strstr(report, errors[*i].says), "%s, order %d: %d '%s' does not say '%s'",
                  errors[*i].name, orders[o], status, report, errors[*i].says);
    }
}
