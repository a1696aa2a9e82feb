/* Cluster launch control: every cluster's work is done once, by itself or by one that canceled it, in every
 * order; and what the manual calls undefined is named. */
#include "runtime/emu/fault.h"
#include "tests/emu_kernel.h"
#include "tests/test.h"

static const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};

/* 64 threads; responses at %s and %s + 32, mbarriers at %s + 16 (response) and + 24 (all have read it) */
#define HEAD                                                                                                 \
    ".extern .shared .align 16 .b8 smem[];\n.visible .entry k(.param .u64 out)\n.reqntid 64,1,1\n{\n"        \
    ".reg .b128 %h;\n.reg .pred %p, %lead, %done;\n.reg .b32 %s, %t, %x, %y, %z, %any, %phase;\n"     \
    ".reg .b64 %o, %a;\n"                                                                                    \
    "mov.b32 %s, smem;\nmov.u32 %t, %tid.x;\nsetp.eq.u32 %lead, %t, 0;\nld.param.u64 %o, [out];\n"           \
    "mov.u32 %phase, 0;\nmov.u32 %x, %ctaid.x;\nmov.u32 %y, %ctaid.y;\nmov.u32 %z, %ctaid.z;\n"
#define INIT(readers)                                                                                        \
    "@%lead mbarrier.init.shared::cta.b64 [%s + 16], 1;\n"                                                   \
    "@%lead mbarrier.init.shared::cta.b64 [%s + 24], " readers ";\n"                                         \
    "@%lead fence.mbarrier_init.release.cluster;\n"
#define CANCEL(more) "clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes" more ".b128 [%s], [%s + 16];\n"
#define EXPECT       "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%s + 16], 16;\n"
#define WAIT(label, offset)                                                                                  \
    label ": mbarrier.try_wait.parity.shared::cta.b64 %done, [%s + " offset "], %phase;\n@!%done bra " label ";\n"
#define READ  "ld.shared.b128 %h, [%s];\n"
#define FENCE "fence.proxy.async.shared::cta;\n"
#define IS    "clusterlaunchcontrol.query_cancel.is_canceled.pred.b128 %p, %h;\n"
#define CTAID "@%p clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128 %x, %h;\n"
/* out[0]: clusters that were launched; out[1 + n]: times that the work of CTA n was done */
#define COUNT_LAUNCHED "@%lead red.global.add.u32 [%o], 1;\n"
#define COUNT_WORK     "mad.wide.u32 %a, %x, 4, %o;\n@%lead red.global.add.u32 [%a + 4], 1;\n"
#define ASK            "@!%lead bra ASKED;\n" EXPECT CANCEL("") "ASKED:\n"
#define NEXT           "xor.b32 %phase, %phase, 1;\n@%p bra TILE;\n"
#define RELEASE        "mbarrier.arrive.shared::cta.b64 _, [%s + 24];\n"
#define TAIL           "ret;\n}\n"

#define WHOLE                                                                                                \
    HEAD INIT("64") "bar.sync 0;\n" COUNT_LAUNCHED "TILE:\n" COUNT_WORK ASK WAIT("W0", "16") READ FENCE IS   \
        CTAID RELEASE WAIT("W1", "24") NEXT TAIL

#define GENERIC                                                                                              \
    HEAD INIT("64") "bar.sync 0;\n" COUNT_LAUNCHED "TILE:\n" COUNT_WORK                                      \
        "@!%lead bra ASKED;\n" EXPECT "cvt.u64.u32 %a, %s;\ncvta.shared.u64 %a, %a;\n"                       \
        "clusterlaunchcontrol.try_cancel.async.mbarrier::complete_tx::bytes.b128 [%a], [%a + 16];\nASKED:\n" \
        WAIT("W0", "16") READ FENCE IS CTAID RELEASE WAIT("W1", "24") NEXT TAIL

/* Grid 5 x 3 x 4; alternately by vector and by dimension. */
#define SOLID                                                                                                \
    HEAD INIT("64") "bar.sync 0;\n" COUNT_LAUNCHED "TILE:\n"                                                 \
        "mad.lo.u32 %any, %z, 3, %y;\nmad.lo.u32 %any, %any, 5, %x;\n"                                       \
        "mad.wide.u32 %a, %any, 4, %o;\n@%lead red.global.add.u32 [%a + 4], 1;\n" ASK WAIT("W0", "16") READ  \
        FENCE IS "@!%p bra DONE;\nsetp.eq.u32 %done, %phase, 0;\n@%done bra VECTOR;\n"                       \
        "clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128 %x, %h;\n"                            \
        "clusterlaunchcontrol.query_cancel.get_first_ctaid::y.b32.b128 %y, %h;\n"                            \
        "clusterlaunchcontrol.query_cancel.get_first_ctaid::z.b32.b128 %z, %h;\nbra DONE;\nVECTOR:\n"        \
        "clusterlaunchcontrol.query_cancel.get_first_ctaid.v4.b32.b128 {%x, %y, %z, %any}, %h;\nDONE:\n"     \
        RELEASE WAIT("W1", "24") NEXT TAIL

/* Clusters of two: the first CTA asks, both get the response; the cluster's barrier stands between reading it and
 * asking again. */
#define PAIR                                                                                                 \
    HEAD INIT("64") "barrier.cluster.arrive;\nbarrier.cluster.wait;\nmov.u32 %t, %cluster_ctarank;\n"        \
        COUNT_LAUNCHED "TILE:\n" COUNT_WORK                                                                  \
        "@!%lead bra ASKED;\n" EXPECT "setp.eq.u32 %done, %t, 0;\n@%done " CANCEL(".multicast::cluster::all") \
        "ASKED:\n" WAIT("W0", "16") READ FENCE IS CTAID "@%p add.u32 %x, %x, %t;\n"                          \
        "barrier.cluster.arrive;\nbarrier.cluster.wait;\n" NEXT TAIL

static const struct {
    const char *name, *ptx;
    uint32_t grid[3], cluster;
} walks[] = {
    {"a response a tile", WHOLE, {64, 1, 1}, 1},
    {"generic addresses", GENERIC, {20, 1, 1}, 1},
    {"three dimensions", SOLID, {5, 3, 4}, 1},
    {"clusters of two", PAIR, {40, 1, 1}, 2},
};

static int run(const char *body, const uint32_t grid[3], uint32_t cluster, enum emu_order order, uint64_t seed,
               enum emu_check check, void *out, struct emu_run *r) {
    static char text[8192];
    snprintf(text, sizeof text, ".version 8.8\n.target sm_100a\n.address_size 64\n%s", body);
    *r = (struct emu_run){.ptx = text,
                          .entry = "k",
                          .grid = {grid[0], grid[1], grid[2]},
                          .block = {64, 1, 1},
                          .cluster = {cluster, 1, 1},
                          .smem = 64,
                          .params = &out,
                          .param_bytes = sizeof out,
                          .order = order,
                          .check = check,
                          .seed = seed,
                          .device = emu_run_device()};
    return emu_run(r);
}

ParameterizedTestParameters(emu_clc, all_work_is_done_once) { return wl_test_rows(WL_LEN(walks)); }
ParameterizedTest(size_t *i, emu_clc, all_work_is_done_once) {
    static struct emu_run r;
    const uint32_t *grid = walks[*i].grid, ctas = grid[0] * grid[1] * grid[2];
    uint32_t *out = emu_kernel_memory(4096);
    bool some_canceled = false, some_launched = false;
    for (uint64_t seed = 0; seed < 24; seed++) {
        memset(out, 0, 4096);
        int status = run(walks[*i].ptx, grid, walks[*i].cluster, orders[seed % 3], seed, EMU_CHECK_STRICT, out, &r);
        cr_assert_eq(status, 0, "%s, seed %d: %s", walks[*i].name, (int)seed, r.report);
        for (uint32_t k = 0; k < ctas; k++)
            cr_expect_eq(out[1 + k], 1, "%s, seed %d: the work of CTA %u was done %u times", walks[*i].name,
                         (int)seed, k, out[1 + k]);
        cr_expect_leq(out[0], ctas);
        some_canceled |= out[0] < ctas;
        some_launched |= out[0] > 2 * walks[*i].cluster; /* more than start at once on two host threads */
    }
    cr_expect(some_canceled, "%s: nothing was ever canceled", walks[*i].name);
    cr_expect(some_launched, "%s: no try_cancel ever failed while clusters waited", walks[*i].name);
}

/* One CTA whose request must fail: nothing waits. */
#define ONE HEAD INIT("64") "bar.sync 0;\n@!%lead bra END;\n"

static const struct {
    const char *name, *ptx, *says;
    uint32_t ctas, cluster;
} wrong[] = {
    /* clang-format off */
    {"a failure's ctaid", ONE EXPECT CANCEL("") WAIT("W0", "16") READ
        "clusterlaunchcontrol.query_cancel.get_first_ctaid::x.b32.b128 %x, %h;\nEND:\n" TAIL, "get_first_ctaid of a try_cancel that failed", 1, 1},
    {"no response", ONE "st.shared.v4.b32 [%s], {%t, %t, %t, %t};\n" READ IS "END:\n" TAIL, "no response of try_cancel", 1, 1},
    {"after a failure", ONE EXPECT CANCEL("") WAIT("W0", "16") READ FENCE IS EXPECT CANCEL("") "xor.b32 %phase, %phase, 1;\n" WAIT("W1", "16")
        "END:\n" TAIL, "has seen a try_cancel fail", 1, 1},
    {"misaligned", ONE "clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%s + 8], [%s + 16];\nEND:\n"
        TAIL, "not a multiple of 16", 1, 1},
    {"nobody's barrier", ONE "clusterlaunchcontrol.try_cancel.async.shared::cta.mbarrier::complete_tx::bytes.b128 [%s], [%s + 32];\nEND:\n"
        TAIL, "never initialised", 1, 1},
    {"another CTA's memory", ONE "mov.u32 %t, %cluster_ctarank;\nsub.u32 %t, 1, %t;\nmapa.shared::cluster.u32 %s, %s, %t;\n" CANCEL("") "END:\n"
        TAIL, "the response goes to the own", 2, 2},
    {"a CTA of the cluster has exited", HEAD INIT("64") "mov.u32 %t, %cluster_ctarank;\nsetp.ne.u32 %p, %t, 0;\n@%p bra END;\n"
        "@!%lead bra END;\nmov.u32 %t, 0;\nLATER:\nadd.u32 %t, %t, 1;\nsetp.lt.u32 %p, %t, 100000;\n@%p bra LATER;\n" EXPECT
        CANCEL(".multicast::cluster::all") WAIT("W0", "16") "END:\n" TAIL, "CTA 1 of the cluster has exited", 2, 2},
    /* clang-format on */
};

ParameterizedTestParameters(emu_clc, what_is_undefined_is_named) { return wl_test_rows(WL_LEN(wrong)); }
ParameterizedTest(size_t *i, emu_clc, what_is_undefined_is_named) {
    static struct emu_run r;
    const uint32_t grid[3] = {wrong[*i].ctas, 1, 1};
    uint32_t *out = emu_kernel_memory(4096);
    for (size_t o = 0; o < WL_LEN(orders); o++) {
        int status = run(wrong[*i].ptx, grid, wrong[*i].cluster, orders[o], 3, EMU_CHECK_OFF, out, &r);
        cr_expect_gt(status, 0, "%s: %d", wrong[*i].name, status);
        cr_expect(strstr(r.report, wrong[*i].says), "%s: \"%s\" lacks \"%s\"", wrong[*i].name, r.report, wrong[*i].says);
    }
}

/* WHOLE, which all_work_is_done_once finds silent, with one line removed. */
static const struct {
    const char *name, *line, *says, *or_says;
} hazards[] = {
    {"no wait for the response", WAIT("W0", "16"), "[race]", "no response of try_cancel"},
    {"no proxy fence behind the read", FENCE, "strict [proxy]", NULL},
    {"asked again before all have read", WAIT("W1", "24"), "[race]", NULL},
};

ParameterizedTestParameters(emu_clc, hazard_is_judged) { return wl_test_rows(WL_LEN(hazards)); }
ParameterizedTest(size_t *i, emu_clc, hazard_is_judged) {
    static struct emu_run r;
    static char text[8192];
    const uint32_t grid[3] = {16, 1, 1};
    uint32_t *out = emu_kernel_memory(4096);
    const char *at = strstr(WHOLE, hazards[*i].line);
    cr_assert(at);
    snprintf(text, sizeof text, "%.*s%s", (int)(at - WHOLE), WHOLE, at + strlen(hazards[*i].line));
    for (uint64_t seed = 0; seed < 6; seed++) {
        memset(out, 0, 4096);
        int status = run(text, grid, 1, orders[seed % 3], seed, EMU_CHECK_STRICT, out, &r);
        if (status && strstr(r.report, hazards[*i].says)) return;
        if (status && hazards[*i].or_says && strstr(r.report, hazards[*i].or_says)) return;
    }
    cr_expect(0, "%s: \"%s\" lacks \"%s\"", hazards[*i].name, r.report, hazards[*i].says);
}

Test(emu_clc, exit_before_the_response_is_judged) {
    static struct emu_run r;
    const uint32_t grid[3] = {1, 1, 1};
    run(ONE EXPECT CANCEL("") "END:\n" TAIL, grid, 1, EMU_ORDER_LATE, 0, EMU_CHECK_ERROR, emu_kernel_memory(64), &r);
    cr_expect(strstr(r.report, "[exit]"), "%s", r.report);
}

Test(emu_clc, forms_that_ptxas_refuses) {
    static const char *const forms[] = {
        HEAD READ "clusterlaunchcontrol.query_cancel.get_first_ctaid.b32.b128 %x, %h;\n" TAIL,
        HEAD READ "clusterlaunchcontrol.query_cancel.get_first_ctaid.v4.b32.b128 {%x, %y}, %h;\n" TAIL,
        HEAD "clusterlaunchcontrol.try_cancel.async.shared::cluster.mbarrier::complete_tx::bytes.b128 [%s], [%s + 16];\n" TAIL,
    };
    static struct emu_run r;
    const uint32_t grid[3] = {1, 1, 1};
    for (size_t i = 0; i < WL_LEN(forms); i++)
        cr_expect_eq(run(forms[i], grid, 1, EMU_ORDER_EAGER, 0, EMU_CHECK_OFF, NULL, &r), -1, "row %zu loads", i);
}
