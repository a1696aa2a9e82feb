/* tune: the table of candidates, their combinations, what is dropped, the model's order, the file that goes
 * on, and the schedule that comes out. */
#include "tests/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/file.h"
#include "gen/tune.h"

static char folder[256], path[300];

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-tune.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/mine.lua", folder);
}

static void tear_down(void) {
    unlink(path);
    rmdir(folder);
}

/* A Hopper schedule with this table. */
static void write_schedule(const char *tune) {
    char text[1024];
    int length =
        snprintf(text, sizeof text,
                 "return { target = \"sm_90a\", head_dim = 128, tile_m = 128, tile_n = 128, stages_kv = 5,\n"
                 "  regs_consumer = 240, regs_load = 24, scheduler = \"lpt\",\n"
                 "  tune = %s }\n",
                 tune);
    cr_assert_eq(wl_file_write(path, text, (size_t)length, NULL), WL_OK);
}

static void init(struct wl_tune *tune, const char *table, const char *const *overrides, int count) {
    struct wl_error error = {0};
    write_schedule(table);
    cr_assert_eq(wl_tune_init(tune, path, overrides, count, 0, &error), WL_OK, "%s", error.text);
    tune->problems[0] = (struct wl_tune_problem){.batch = 4, .heads = 16, .heads_kv = 16, .seq = 4096};
    tune->problem_count = 1;
}

/* clang-format off */
static const struct refusal { const char *table, *text; } refusals[] = {
    {"3",                                "tune: must be a table, as in { tile_n = {96, 128} }, is a number"},
    {"{96}",                             "tune: every list of candidates has a field's name"},
    {"{tile_x = {96}}",                  "tune.tile_x: unknown field, did you mean tile_m?"},
    {"{tile_n = 96}",                    "tune.tile_n: must be a list of candidates, as in {96, 128}, is a number"},
    {"{tile_n = {}}",                    "tune.tile_n: must be a list of candidates, as in {96, 128}, is another table"},
    {"{tile_n = {96, x = 3}}",           "tune.tile_n: must be a list of candidates, as in {96, 128}, is another table"},
    {"{tile_n = {96, 97}}",              "tune.tile_n: 97 is not allowed: 16 to 256 in steps of 16"},
    {"{tile_n = {96, 96}}",              "tune.tile_n: 96 stands there twice"},
    {"{ping_pong = {1}}",                "tune.ping_pong: must be true or false, is 1"},
    {"{q_tiles = {1, 2}}",               "tune.q_tiles: kernels for sm_90a have no such field"},
    {"{dtype = {\"bf16\"}}",             "tune.dtype: says what is computed, not how"},
};
/* clang-format on */

Test(tune, refuses, .init = set_up, .fini = tear_down) {
    for (size_t i = 0; i < WL_LEN(refusals); i++) {
        struct wl_tune tune;
        struct wl_error error = {0};
        char text[4096];
        write_schedule(refusals[i].table);
        cr_expect_eq(wl_tune_init(&tune, path, NULL, 0, 0, &error), WL_ERR_INPUT, "%s", refusals[i].table);
        wl_error_format(&error, text, sizeof text);
        cr_expect(strstr(text, refusals[i].text), "%s: %s", refusals[i].table, text);
        cr_expect(strstr(text, "mine.lua"), "the file is named: %s", text);
        wl_tune_fini(&tune);
    }
}

Test(tune, needs_a_table) {
    struct wl_tune tune;
    struct wl_error error = {0};
    cr_expect_eq(wl_tune_init(&tune, "sm100_fwd_hd64", (const char *[]){"target=sm_103a"}, 1, 0, &error),
                 tune.base.tune_count ? WL_OK : WL_ERR_INPUT, "%s", error.text);
    wl_tune_fini(&tune);
}

Test(tune, combines, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    init(&tune, "{tile_n = {96, 128}, stages_kv = {3, 4}, ping_pong = {true, false}}", NULL, 0);
    /* stages_kv = 5, the schedule's own, is the third: 2 x 3 x 2, the base first */
    cr_assert_eq(tune.count, 12);
    cr_expect_str_eq(tune.candidates[0].choice, "tile_n=128 stages_kv=5 ping_pong=true");
    for (int i = 0; i < tune.count; i++)
        for (int k = 0; k < i; k++)
            cr_expect_str_neq(tune.candidates[i].choice, tune.candidates[k].choice, "%d and %d", i, k);
    wl_tune_fini(&tune);
}

Test(tune, overrides_hold_for_all, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    struct wl_plan plan;
    const char *overrides[] = {"tile_n=96", "rescale_threshold=2"};
    init(&tune, "{stages_kv = {3, 4}}", overrides, 2);
    cr_expect_eq(tune.count, 3);
    cr_assert_eq(wl_tune_plan(&tune, &tune.candidates[1], true, &plan, NULL), WL_OK);
    cr_expect(plan.schedule.tile_n == 96 && plan.schedule.rescale_threshold == 2 &&
              plan.schedule.stages_kv == 3 && plan.causal);
    wl_tune_fini(&tune);
}

Test(tune, drops_what_has_no_plan, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    init(&tune, "{tile_n = {96, 128}, stages_kv = {4, 31}}", NULL, 0);
    int kept = wl_tune_expand(&tune), dropped = 0;
    for (int i = 0; i < tune.count; i++) {
        if (tune.candidates[i].state != WL_TUNE_DROPPED) continue;
        dropped++;
        cr_expect(strstr(tune.candidates[i].choice, "stages_kv=31"), "%s", tune.candidates[i].choice);
        cr_expect(strstr(tune.candidates[i].why, "stages_kv"), "%s", tune.candidates[i].why);
    }
    cr_expect_eq(dropped, 2);
    cr_expect_eq(kept, 4);
    cr_expect(tune.candidates[1].key && tune.candidates[1].key != tune.candidates[0].key);
    wl_tune_fini(&tune);
}

/* Without tools: explain's model alone. Fewer keys a step mean more steps and the same fixed cost in each. */
Test(tune, model_orders, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    int order[16];
    init(&tune, "{tile_n = {32, 128}, exp2_share = {0.125, 1}}", NULL, 0);
    cr_assert_eq(wl_tune_expand(&tune), 4);
    for (int i = 0; i < tune.count; i++) {
        bool counted = false;
        cr_assert_eq(wl_tune_model(&tune, &tune.candidates[i], &counted, NULL), WL_OK);
        cr_expect_eq(tune.candidates[i].state, WL_TUNE_DONE);
        cr_expect(tune.candidates[i].score > 0 && tune.candidates[i].ms[0] > 0);
    }
    cr_assert_eq(wl_tune_rank(&tune, order), 4);
    for (int r = 1; r < 4; r++)
        cr_expect(tune.candidates[order[r - 1]].score * 1.0011 >= tune.candidates[order[r]].score);
    cr_expect(strstr(tune.candidates[order[0]].choice, "tile_n=128"), "%s", tune.candidates[order[0]].choice);
    wl_tune_fini(&tune);
}

Test(tune, estimate_counts_tiles, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    struct wl_plan plan;
    struct wl_cost cost = {.mma = 1000};
    init(&tune, "{tile_n = {96, 128}}", NULL, 0);
    cr_assert_eq(wl_tune_plan(&tune, &tune.candidates[0], false, &plan, NULL), WL_OK);
    /* 132 SMs, a tile of 128 rows each, 8 steps of 128 keys */
    struct wl_tune_problem p = {.batch = 1, .heads = 33, .heads_kv = 33, .seq = 512};
    double ms = wl_tune_estimate(&plan, &cost, &p), clock = plan.arch->clock_ghz * 1e6;
    cr_expect_float_eq(ms, 4 * 1000 / clock, 1e-9, "%g", ms);
    p.heads = 34; /* one head more is a second round */
    cr_expect_float_eq(wl_tune_estimate(&plan, &cost, &p), 8 * 1000 / clock, 1e-9);
    cost.mufu = 1000; /* two units as busy cost more than one */
    cr_expect_gt(wl_tune_estimate(&plan, &cost, &p), 8 * 1000 / clock);
    cr_expect_lt(wl_tune_estimate(&plan, &cost, &p), 1.1 * 8 * 1000 / clock);
    wl_tune_fini(&tune);
}

/* The model is blind to much: of candidates that are as good the one nearest to the schedule comes first. */
Test(tune, equals_that_change_less_come_first, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    int order[16];
    init(&tune, "{tile_n = {96, 128}, stages_kv = {2, 5}, ping_pong = {true, false}}", NULL, 0);
    cr_assert_eq(wl_tune_expand(&tune), 8);
    for (int i = 0; i < tune.count; i++) {
        bool quick = strstr(tune.candidates[i].choice, "tile_n=96") != NULL;
        tune.candidates[i].ms[0] = quick ? 1 : 2;
        tune.candidates[i].state = WL_TUNE_DONE;
        wl_tune_score(&tune, &tune.candidates[i]);
    }
    cr_assert_eq(wl_tune_rank(&tune, order), 8);
    cr_expect_str_eq(tune.candidates[order[0]].choice, "tile_n=96 stages_kv=5 ping_pong=true");
    cr_expect_str_eq(tune.candidates[order[3]].choice, "tile_n=96 stages_kv=2 ping_pong=false");
    cr_expect_eq(order[4], 0, "the schedule as it stands");
    wl_tune_fini(&tune);
}

Test(tune, goes_on, .init = set_up, .fini = tear_down) {
    struct wl_tune tune, again;
    struct wl_text state = {0};
    init(&tune, "{tile_n = {96, 128}, stages_kv = {3, 31}}", NULL, 0);
    wl_tune_expand(&tune);
    tune.candidates[0].ms[0] = 0.5, tune.candidates[0].state = WL_TUNE_DONE;
    tune.candidates[1].ms[0] = 0.9, tune.candidates[1].state = WL_TUNE_PRUNED;
    wl_tune_save(&tune, "a device", &state);
    init(&again, "{tile_n = {96, 128}, stages_kv = {3, 31}}", NULL, 0);
    wl_tune_expand(&again);
    cr_expect_eq(wl_tune_resume(&again, "another device", state.bytes), 0);
    cr_expect_eq(wl_tune_resume(&again, "a device", "junk\n\n1 2 3"), 0);
    cr_expect_eq(wl_tune_resume(&again, "a device", state.bytes), 2);
    cr_expect_eq(again.candidates[0].state, WL_TUNE_DONE);
    cr_expect_eq(again.candidates[0].ms[0], 0.5);
    cr_expect_gt(again.candidates[0].score, 0);
    cr_expect_eq(again.candidates[1].state, WL_TUNE_PRUNED);
    again.problems[0].seq = 8192;
    cr_expect_eq(wl_tune_resume(&again, "a device", state.bytes), 0, "results belong to their problems");
    for (size_t cut = 0; cut < state.length; cut++) { /* half a file is no harm */
        char *half = strndup(state.bytes, cut);
        struct wl_tune third;
        init(&third, "{tile_n = {96, 128}, stages_kv = {3, 31}}", NULL, 0);
        wl_tune_resume(&third, "a device", half);
        wl_tune_fini(&third);
        free(half);
    }
    wl_text_fini(&state);
    wl_tune_fini(&again);
    wl_tune_fini(&tune);
}

Test(tune, writes_a_schedule_that_loads, .init = set_up, .fini = tear_down) {
    struct wl_tune tune;
    struct wl_schedule best;
    struct wl_text lua = {0};
    struct wl_error error = {0};
    init(&tune, "{tile_n = {96, 128}, ping_pong = {true, false}, scheduler = {\"lpt\", \"single\"}}", NULL,
         0);
    wl_tune_expand(&tune);
    for (int i = 0; i < tune.count; i++) {
        tune.candidates[i].ms[0] = 1 + i;
        tune.candidates[i].state = WL_TUNE_DONE;
        wl_tune_score(&tune, &tune.candidates[i]);
    }
    const struct wl_tune_candidate *pick = &tune.candidates[3];
    wl_tune_lua(&tune, pick, "a device", "a way", &lua);
    cr_assert_eq(wl_schedule_parse(&best, lua.bytes, lua.length, "best.lua", NULL, 0, &error), WL_OK,
                 "%s\n%s", error.text, lua.bytes);
    for (int k = 0; k < tune.base.tune_count; k++) {
        char value[64];
        wl_schedule_value(&best, tune.base.tune[k].field, value, sizeof value);
        cr_expect_str_eq(value, tune.base.tune[k].values[pick->value[k]]);
    }
    cr_expect_eq(best.stages_kv, 5);
    cr_expect_eq(best.tune_count, 3, "what was tuned can be tuned again");
    cr_expect(strstr(lua.bytes, "-- best TFLOP/s with 96: "), "%s", lua.bytes);
    cr_expect(strstr(lua.bytes, "a device, a way"), "%s", lua.bytes);
    wl_text_fini(&lua);
    wl_tune_fini(&tune);
}
