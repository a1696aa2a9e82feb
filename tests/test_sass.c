/* sass: what nvdisasm prints is read, loops and roles are found, and the machine code of every shipped
 * schedule does not grow. */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "gen/embed.h"
#include "gen/emit.h"
#include "gen/ptxas.h"
#include "gen/sass_report.h"

/* Two roles in miniature. softmax: a tile loop around a step that waits, may skip a mask, and computes; its
 * wait's slow path stands behind the end. correction: turns inside a step. The mask's lines are those of the
 * template's softmax_mask. */
static const char listing[] =
    "\t.target\tsm_100a\n"
    "//--------------------- .text.k ----\n"
    ".text.k:\n"
    "\t//## File \"templates/sm100/forward/kernel.ptx\", line 35\n"
    "        /*0000*/                   S2R R0, SR_TID.X ;\n"
    "        /*0010*/               @P0 BRA `(.L_x_9) ;\n"
    ".L_x_1:\n"
    "\t//## File \"templates/lib/mbarrier.ptx\", line 13\n"
    "        /*0020*/                   SHF.L.U32 R4, R4, 0x1f, RZ ;\n"
    ".L_x_2:\n"
    "        /*0030*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR7+0x80], R4 ;\n"
    "        /*0040*/              @!P0 BRA `(.L_x_7) ;\n"
    ".L_x_3:\n"
    "\t//## File \"templates/sm100/forward/softmax.ptx\", line %d\n"
    "        /*0050*/              @!P1 BRA `(.L_x_4) ;\n"
    "\t//## File \"templates/sm100/forward/softmax.ptx\", line %d\n"
    "        /*0060*/                   FSEL R1, R1, -INF , P2 ;\n"
    "        /*0070*/                   FSEL R2, R2, -INF , P3 ;\n"
    ".L_x_4:\n"
    "\t//## File \"templates/sm100/forward/softmax.ptx\", line %d\n"
    "        /*0080*/                   FFMA2 R2, R2.F32x2.HI_LO, R4.F32, R6.F32 ;\n"
    "        /*0090*/                   MUFU.EX2 R1, R1 ;\n"
    "        /*00a0*/                   LDTM.x32 R20, tmem[UR11+0x100] ;\n"
    "        /*00b0*/                   BRA.U UP0, `(.L_x_2) ;\n"
    "\t//## File \"templates/lib/tile.ptx\", line 69\n"
    "        /*00c0*/                   BRA.U UP1, `(.L_x_1) ;\n"
    "        /*00d0*/                   EXIT ;\n"
    ".L_x_9:\n"
    "\t//## File \"templates/sm100/forward/correction.ptx\", line 75\n"
    "        /*00e0*/                   LDS R37, [R3+0xe0] ;\n"
    "        /*00f0*/                   BRA.U UP0, `(.L_x_9) ;\n"
    "        /*0100*/                   VIADD R36, R36, 0xffffffff ;\n"
    "        /*0110*/               @P0 BRA `(.L_x_9) ;\n"
    "        /*0120*/                   EXIT ;\n"
    "\t//## File \"templates/lib/mbarrier.ptx\", line 13\n"
    ".L_x_7:\n"
    "        /*0130*/                   SYNCS.PHASECHK.TRANS64.TRYWAIT P0, [UR7+0x80], R4 ;\n"
    "        /*0140*/              @!P0 BRA `(.L_x_7) ;\n"
    "        /*0150*/                   BRA `(.L_x_3) ;\n"
    ".L_x_8:\n"
    "        /*0160*/                   BRA `(.L_x_8);\n";

/* A line inside softmax_mask, and one that is in no function: wherever the template has them now. */
static int line_in(const char *function) {
    char name[64];
    int line = 1;
    while (line < 1000 &&
           strcmp(wl_sass_template_function("templates/sm100/forward/softmax.ptx", line, name, sizeof name),
                  function))
        line++;
    cr_assert_lt(line, 1000, "softmax.ptx has no function %s", function);
    return line;
}

static void measure_listing(struct wl_arena *arena, struct wl_sass *sass, struct wl_sass_report *report) {
    static char text[sizeof listing + 32];
    int mask = line_in("softmax_mask");
    snprintf(text, sizeof text, listing, 1, mask, 1);
    cr_assert_eq(wl_sass_parse(arena, text, sass, NULL), WL_OK);
    cr_assert_eq(wl_sass_measure(arena, sass, &sass->functions[0], NULL, report, NULL), WL_OK);
}

static const struct wl_sass_role *find_role(const struct wl_sass_report *report, const char *name) {
    for (int i = 0; i < report->role_count; i++)
        if (!strcmp(report->roles[i].name, name)) return &report->roles[i];
    return NULL;
}

Test(sass, parse) {
    struct wl_arena *arena = wl_arena_create();
    static struct wl_sass sass;
    static struct wl_sass_report report;
    measure_listing(arena, &sass, &report);
    const struct wl_sass_function *k = &sass.functions[0];
    cr_expect_str_eq(sass.target, "sm_100a");
    cr_expect_eq(sass.count, 1);
    cr_expect_str_eq(k->name, "k");
    cr_assert_eq(k->count, 23);
    cr_expect_str_eq(k->insns[1].guard, "@P0");
    cr_expect_str_eq(k->insns[1].op, "BRA");
    cr_expect_eq(k->insns[1].target, 14);
    cr_expect(k->insns[1].falls);
    cr_expect_eq(k->insns[3].address, 0x30);
    cr_expect_eq(k->insns[3].line, 13);
    cr_expect_str_eq(k->insns[3].file, "templates/lib/mbarrier.ptx");
    cr_expect_eq(k->insns[3].target, -1);
    cr_expect(k->insns[11].falls, "BRA.U UP0 may go on");
    cr_expect(!k->insns[13].falls, "EXIT does not");
    cr_expect(!k->insns[22].falls);
    wl_arena_destroy(arena);
}

Test(sass, steps) {
    struct wl_arena *arena = wl_arena_create();
    static struct wl_sass sass;
    static struct wl_sass_report report;
    measure_listing(arena, &sass, &report);
    const struct wl_sass_role *softmax = find_role(&report, "softmax"),
                              *correction = find_role(&report, "correction");
    cr_assert(softmax && correction);
    cr_expect_eq(softmax->address, 0x30, "the step, not the tile: %x", softmax->address);
    cr_expect_eq(softmax->always.all, 7, "%d", softmax->always.all);
    cr_expect_eq(softmax->mask.all, 2, "%d", softmax->mask.all);
    cr_expect_eq(softmax->sometimes.all, 0);
    cr_expect_eq(softmax->apart, 3, "the wait's slow path: %d", softmax->apart);
    cr_expect_eq(softmax->always.pipe[WL_SASS_MUFU], 1);
    cr_expect_eq(softmax->always.pipe[WL_SASS_FMA], 1);
    cr_expect_eq(softmax->always.fma_ops, 2);
    cr_expect_eq(softmax->always.tmem_read_bytes, 32 * 4 * 32);
    cr_expect_eq(softmax->mask.pipe[WL_SASS_ALU], 2);
    cr_expect_eq(softmax->whole.all, 15, "library lines before, between and behind are the role's: %d",
                 softmax->whole.all);
    cr_expect_eq(correction->address, 0xe0);
    cr_expect_eq(correction->in_turn, 0, "without a plan a turn runs once");
    cr_expect_eq(correction->always.all, 4);
    wl_arena_destroy(arena);
}

Test(sass, nothing_to_read) {
    struct wl_arena *arena = wl_arena_create();
    static struct wl_sass sass;
    char empty[] = "", label[] = ".text.k:\n";
    cr_expect_eq(wl_sass_parse(arena, empty, &sass, NULL), WL_ERR_INPUT);
    cr_expect_eq(wl_sass_parse(arena, label, &sass, NULL), WL_ERR_INPUT);
    cr_expect_eq(wl_sass_read(arena, "junk that is no cubin", 21, &sass, NULL), WL_ERR_INPUT);
    wl_arena_destroy(arena);
}

Test(sass, pipes) {
    static const struct {
        const char *op;
        enum wl_sass_pipe pipe;
    } rows[] = {
        {"MUFU.EX2", WL_SASS_MUFU},
        {"I2F.U32.RP", WL_SASS_MUFU},
        {"FFMA2", WL_SASS_FMA},
        {"IMAD.MOV.U32", WL_SASS_FMA},
        {"FADD2.FTZ", WL_SASS_FMA},
        {"FMNMX3", WL_SASS_ALU},
        {"F2FP.BF16.F32.PACK_AB", WL_SASS_ALU},
        {"VIADD", WL_SASS_ALU},
        {"UTCHMMA", WL_SASS_MMA},
        {"UTCBAR", WL_SASS_MMA},
        {"HGMMA.64x128x16.F32", WL_SASS_MMA},
        {"UTCATOMSWS.FIND_AND_SET.ALIGN", WL_SASS_CONTROL},
        {"LDTM.x32", WL_SASS_TMEM},
        {"STTM.x16", WL_SASS_TMEM},
        {"STS.128", WL_SASS_SHARED},
        {"STG.E", WL_SASS_GLOBAL},
        {"STL.64", WL_SASS_LOCAL},
        {"UTMALDG.4D", WL_SASS_TMA},
        {"UIADD3.X", WL_SASS_UNIFORM},
        {"R2UR", WL_SASS_UNIFORM},
        {"SYNCS.ARRIVE.TRANS64.A1T0", WL_SASS_CONTROL},
        {"USETMAXREG.TRY_ALLOC.CTAPOOL", WL_SASS_CONTROL},
        {"CS2R", WL_SASS_OTHER},
    };
    for (size_t i = 0; i < WL_LEN(rows); i++)
        cr_expect_eq(wl_sass_pipe_of(rows[i].op), rows[i].pipe, "%s: %s", rows[i].op,
                     wl_sass_pipe_names[wl_sass_pipe_of(rows[i].op)]);
}

/* ---- the shipped schedules ---- */

/* Instructions of a warp's step, what a mask adds, what rescaling adds: none may grow. A row that a change
 * makes smaller is made smaller here too; `warploom sass SCHEDULE` has the figures. ptxas 13.0. */
/* clang-format off */
static const struct row {
    const char *schedule; int causal; const char *role; int step, mask, sometimes;
} rows[] = {
    {"sm100_fwd_full_hd128", 0, "load",         60,   0,   0},
    {"sm100_fwd_full_hd128", 0, "mma",         201,   0,   0},
    {"sm100_fwd_full_hd128", 0, "correction",   20,   0, 146},
    {"sm100_fwd_full_hd128", 0, "softmax",     509,  96,  15},
    {"sm100_fwd_hd128",      0, "load",         61,   0,   0},
    {"sm100_fwd_hd128",      0, "mma",         203,   0,   0},
    {"sm100_fwd_hd128",      0, "correction",   19,   0, 146},
    {"sm100_fwd_hd128",      0, "softmax",     484,  96,  15},
    {"sm100_fwd_hd128",      1, "load",         59,   0,   0},
    {"sm100_fwd_hd128",      1, "mma",         201,   0,   0},
    {"sm100_fwd_hd128",      1, "correction",   20,   0, 146},
    {"sm100_fwd_hd128",      1, "softmax",     487, 163,  15},
    {"sm100_fwd_hd192",      0, "load",         76,   0,   2},
    {"sm100_fwd_hd192",      0, "mma",         255,   0,   0},
    {"sm100_fwd_hd192",      0, "correction",   19,   0, 146},
    {"sm100_fwd_hd192",      0, "softmax",     417,  96,  12},
    {"sm100_fwd_hd192",      1, "load",         74,   0,   2},
    {"sm100_fwd_hd192",      1, "mma",         254,   0,   0},
    {"sm100_fwd_hd192",      1, "correction",   20,   0, 146},
    {"sm100_fwd_hd192",      1, "softmax",     420, 163,  12},
    {"sm100_fwd_hd256",      0, "load",         80,   0,   0},
    {"sm100_fwd_hd256",      0, "mma",         182,   0,   0},
    {"sm100_fwd_hd256",      0, "correction",   22,   0, 143},
    {"sm100_fwd_hd256",      0, "softmax",     427,  96,  12},
    {"sm100_fwd_hd256",      1, "load",         80,   0,   0},
    {"sm100_fwd_hd256",      1, "mma",         182,   0,   0},
    {"sm100_fwd_hd256",      1, "correction",   22,   0, 143},
    {"sm100_fwd_hd256",      1, "softmax",     432, 163,  16},
    {"sm100_fwd_hd64",       0, "load",         51,   0,   0},
    {"sm100_fwd_hd64",       0, "mma",         161,   0,   0},
    {"sm100_fwd_hd64",       0, "correction",   19,   0,  76},
    {"sm100_fwd_hd64",       0, "softmax",     484,  96,  15},
    {"sm100_fwd_hd64",       1, "load",         49,   0,   0},
    {"sm100_fwd_hd64",       1, "mma",         162,   0,   0},
    {"sm100_fwd_hd64",       1, "correction",   20,   0,  76},
    {"sm100_fwd_hd64",       1, "softmax",     487, 163,  15},
    {"sm100_fwd_hd96",       0, "load",         69,   0,   0},
    {"sm100_fwd_hd96",       0, "mma",         191,   0,   0},
    {"sm100_fwd_hd96",       0, "correction",   19,   0, 120},
    {"sm100_fwd_hd96",       0, "softmax",     514,  96,  15},
    {"sm100_fwd_hd96",       1, "load",         69,   0,   0},
    {"sm100_fwd_hd96",       1, "mma",         196,   0,   0},
    {"sm100_fwd_hd96",       1, "correction",   20,   0, 120},
    {"sm100_fwd_hd96",       1, "softmax",     517, 163,  15},
    {"sm90_fwd_hd128",  0, "load",         62,   0,   0},
    {"sm90_fwd_hd128",  0, "consumer",    420,  99,  64},
    {"sm90_fwd_hd128",  1, "load",         62,   0,   0},
    {"sm90_fwd_hd128",  1, "consumer",    420, 135,  64},
    {"sm90_fwd_hd192",  0, "load",         72,   0,   0},
    {"sm90_fwd_hd192",  0, "consumer",    330,  63,  96},
    {"sm90_fwd_hd192",  1, "load",         72,   0,   0},
    {"sm90_fwd_hd192",  1, "consumer",    330,  87,  96},
    {"sm90_fwd_hd256",  0, "load",         82,   0,   0},
    {"sm90_fwd_hd256",  0, "consumer",    311,  51, 128},
    {"sm90_fwd_hd256",  1, "load",         82,   0,   0},
    {"sm90_fwd_hd256",  1, "consumer",    311,  71, 128},
    {"sm90_fwd_hd64",   0, "load",         54,   0,   0},
    {"sm90_fwd_hd64",   0, "consumer",    418,  99,  32},
    {"sm90_fwd_hd64",   1, "load",         54,   0,   0},
    {"sm90_fwd_hd64",   1, "consumer",    420, 135,  32},
    {"sm90_fwd_hd96",   0, "load",         62,   0,   0},
    {"sm90_fwd_hd96",   0, "consumer",    334,  75,  48},
    {"sm90_fwd_hd96",   1, "load",         62,   0,   0},
    {"sm90_fwd_hd96",   1, "consumer",    336, 103,  48},
};
/* clang-format on */

/* Emits, assembles, disassembles, measures; skips the test where a tool is missing or ptxas is another. */
static void measure_schedule(struct wl_arena *arena, const char *name, int causal,
                             struct wl_sass_report *report) {
    static struct wl_plan plan;
    static struct wl_sass sass;
    struct wl_schedule schedule;
    struct wl_specialization special = {0, -1, causal, 0};
    struct wl_text ptx = {0};
    struct wl_ptxas_report ptxas;
    struct wl_error error = {0};
    cr_assert_eq(wl_schedule_load(&schedule, name, NULL, 0, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_plan_make(&plan, &schedule, &special, &error), WL_OK, "%s", error.text);
    cr_assert_eq(wl_emit(&plan, &ptx, &error), WL_OK, "%s", error.text);
    enum wl_status status = wl_ptxas_run(ptx.bytes, ptx.length, plan.arch->name, &ptxas, &error);
    wl_text_fini(&ptx);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s: %s", error.field, error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    if (strcmp(ptxas.version, "13.0"))
        cr_skip_test("the counts are ptxas 13.0's, this one is %s", ptxas.version);
    cr_expect_eq(ptxas.spill_store_bytes + ptxas.spill_load_bytes + ptxas.stack_bytes, 0, "%s spills", name);
    status = wl_sass_read(arena, ptxas.cubin, ptxas.cubin_bytes, &sass, &error);
    wl_ptxas_fini(&ptxas);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("%s: %s", error.field, error.text);
    cr_assert_eq(status, WL_OK, "%s", error.text);
    cr_assert_eq(sass.count, 1);
    status = wl_sass_measure(arena, &sass, &sass.functions[0], &plan, report, &error);
    cr_assert_eq(status, WL_OK, "%s", error.text);
}

static void expect_row(const struct row *row, const struct wl_sass_role *role) {
    cr_assert(role, "%s causal=%d has no role %s", row->schedule, row->causal, row->role);
    cr_expect(role->always.all <= row->step && role->mask.all <= row->mask &&
                  role->sometimes.all <= row->sometimes,
              "%s causal=%d %s: step %d +%d masked +%d at times; %d +%d +%d were reached before",
              row->schedule, row->causal, row->role, role->always.all, role->mask.all, role->sometimes.all,
              row->step, row->mask, row->sometimes);
    cr_expect_eq(role->whole.pipe[WL_SASS_LOCAL], 0, "%s %s uses local memory", row->schedule, row->role);
}

static bool has_rows(const char *schedule, int causal) {
    for (size_t i = 0; i < WL_LEN(rows); i++)
        if (!strcmp(rows[i].schedule, schedule) && rows[i].causal == causal) return true;
    return false;
}

/* No shipped schedule is without rows, for a mask that it serves: so explain's bound is compared for all. */
Test(sass, every_schedule_has_rows) {
    int seen = 0;
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++) {
        struct wl_schedule schedule;
        struct wl_error error = {0};
        char name[64];
        if (sscanf(file->name, "schedules/%63[a-z0-9_].lua", name) != 1) continue;
        cr_assert_eq(wl_schedule_load(&schedule, name, NULL, 0, &error), WL_OK, "%s", error.text);
        for (int causal = 0; causal <= 1; causal++) {
            if (schedule.masks != WL_MASKS_ANY && (schedule.masks == WL_MASKS_CAUSAL) != causal) continue;
            cr_expect(has_rows(name, causal), "%s causal=%d", name, causal);
            seen++;
        }
    }
    cr_expect_geq(seen, 21);
}

/* The rows of one kernel stand together; a parameter is a kernel. */
static size_t kernel_start(size_t kernel) {
    size_t i = 0;
    for (; kernel && ++i < WL_LEN(rows);)
        kernel -= strcmp(rows[i].schedule, rows[i - 1].schedule) || rows[i].causal != rows[i - 1].causal;
    return i;
}

ParameterizedTestParameters(sass, shipped) {
    size_t kernels = 0;
    while (kernel_start(kernels) < WL_LEN(rows)) kernels++;
    return wl_test_rows(kernels);
}
ParameterizedTest(size_t *kernel, sass, shipped) {
    static struct wl_sass_report report;
    struct wl_arena *arena = wl_arena_create();
    size_t first = kernel_start(*kernel), end = kernel_start(*kernel + 1);
    measure_schedule(arena, rows[first].schedule, rows[first].causal, &report);
    for (size_t i = first; i < end; i++) expect_row(&rows[i], find_role(&report, rows[i].role));
    double ratio = report.counted.bound_clocks / report.model.bound_clocks;
    cr_expect(ratio > 0.9 && ratio < 1.1,
              "%s: explain's bound is %.0f clocks (%s), the machine code's %.0f (%s)", report.name,
              report.model.bound_clocks, report.model.bound, report.counted.bound_clocks,
              report.counted.bound);
    wl_arena_destroy(arena);
}
