/* tune_text: what tuning writes: the best schedule as Lua, and the state file that a later run goes on from.
 */
#include "gen/tune.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- Lua ---- */

static bool is_text(const char *value) {
    char *end;
    if (!strcmp(value, "true") || !strcmp(value, "false")) return false;
    strtod(value, &end);
    return *end || !*value;
}

/* The best score that a value of the knob reached, 0 for none. */
static double best_of(const struct wl_tune *tune, int knob, int value) {
    double best = 0;
    for (int i = 0; i < tune->count; i++) {
        const struct wl_tune_candidate *c = &tune->candidates[i];
        if (c->state == WL_TUNE_DONE && c->value[knob] == value && c->score > best) best = c->score;
    }
    return best;
}

/* "  -- best with 96: 601, 128: 655; 176: none" */
static void put_evidence(const struct wl_tune *tune, int knob, struct wl_text *out) {
    wl_text_printf(out, "  -- best TFLOP/s with");
    for (int v = 0; v < tune->base.tune[knob].count; v++) {
        double best = best_of(tune, knob, v);
        wl_text_printf(out, "%s %s: ", v ? "," : "", tune->base.tune[knob].values[v]);
        if (best > 0) wl_text_printf(out, "%.1f", best);
        else wl_text_printf(out, "none");
    }
}

static int knob_of(const struct wl_tune *tune, int field) {
    for (int k = 0; k < tune->base.tune_count; k++)
        if (tune->base.tune[k].field == field) return k;
    return -1;
}

static void put_field(const struct wl_tune *tune, const struct wl_tune_candidate *c, int field,
                      struct wl_text *out) {
    char value[64];
    int knob = knob_of(tune, field);
    wl_schedule_value(&tune->base, field, value, sizeof value);
    if (knob >= 0) snprintf(value, sizeof value, "%s", tune->base.tune[knob].values[c->value[knob]]);
    wl_text_printf(out, is_text(value) ? "  %-18s= \"%s\"," : "  %-18s= %s,", wl_field_name(field), value);
    if (knob >= 0) put_evidence(tune, knob, out);
    wl_text_printf(out, "\n");
}

static void put_head(const struct wl_tune *tune, const struct wl_tune_candidate *c, const char *device,
                     const char *how, struct wl_text *out) {
    const struct wl_tune_candidate *base = &tune->candidates[0];
    int states[WL_TUNE_DONE + 1] = {0};
    char day[32] = "";
    time_t now = time(NULL);
    struct tm date;
    if (gmtime_r(&now, &date)) strftime(day, sizeof day, "%Y-%m-%d", &date);
    for (int i = 0; i < tune->count; i++) states[tune->candidates[i].state]++;
    wl_text_printf(out, "-- %s, tuned by `warploom tune` on %s: %s, %s.\n", tune->base.source, day, device,
                   how);
    wl_text_printf(
        out,
        "-- %d candidates: %d compared to the end, %d given up early, %d dropped (no plan, or they spill).\n",
        tune->count, states[WL_TUNE_DONE], states[WL_TUNE_PRUNED], states[WL_TUNE_DROPPED]);
    wl_text_printf(out, "-- Geometric mean %.1f TFLOP/s", c->score);
    if (base->score > 0) wl_text_printf(out, "; before %.1f (%s)", base->score, base->choice);
    wl_text_printf(out, ". Milliseconds:\n");
    for (int p = 0; p < tune->problem_count; p++) {
        const struct wl_tune_problem *q = &tune->problems[p];
        wl_text_printf(out, "--   %-6s %" PRId64 " x seq %" PRId64 ", %" PRId64 " heads: %.4f",
                       q->causal ? "causal" : "full", q->batch, q->seq, q->heads, c->ms[p]);
        if (base->ms[p] > 0) wl_text_printf(out, " (before %.4f)", base->ms[p]);
        wl_text_printf(out, "\n");
    }
}

void wl_tune_lua(const struct wl_tune *tune, const struct wl_tune_candidate *c, const char *device,
                 const char *how, struct wl_text *out) {
    put_head(tune, c, device, how, out);
    wl_text_printf(out, "return {\n");
    for (int field = 0; field < WL_FIELD_COUNT; field++)
        if (field != WL_FIELD_name && wl_field_applies(field, tune->base.target))
            put_field(tune, c, field, out);
    wl_text_printf(out, "\n  tune = {\n");
    for (int k = 0; k < tune->base.tune_count; k++) {
        const struct wl_tune_knob *knob = &tune->base.tune[k];
        wl_text_printf(out, "    %s = {", wl_field_name(knob->field));
        for (int v = 0; v < knob->count; v++)
            wl_text_printf(out, is_text(knob->values[v]) ? "%s\"%s\"" : "%s%s", v ? ", " : "",
                           knob->values[v]);
        wl_text_printf(out, "},\n");
    }
    wl_text_printf(out, "  },\n}\n");
}

/* ---- the state file: a line that says what it belongs to, then a line for each candidate that is not open:
 *         KEY STATE MS,MS,... WHY ---- */

#define MAGIC "warploom tune state 1"

static void put_belongs(const struct wl_tune *tune, const char *device, struct wl_text *out) {
    wl_text_printf(out, MAGIC "\t%s", device);
    for (int p = 0; p < tune->problem_count; p++) {
        const struct wl_tune_problem *q = &tune->problems[p];
        wl_text_printf(out, "\t%" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %d", q->batch, q->heads,
                       q->heads_kv, q->seq, q->causal);
    }
    wl_text_printf(out, "\n");
}

void wl_tune_save(const struct wl_tune *tune, const char *device, struct wl_text *out) {
    put_belongs(tune, device, out);
    for (int i = 0; i < tune->count; i++) {
        const struct wl_tune_candidate *c = &tune->candidates[i];
        if (c->state == WL_TUNE_OPEN || (c->state == WL_TUNE_DROPPED && !c->key)) continue;
        wl_text_printf(out, "%016" PRIx64 " %d ", c->key, (int)c->state);
        for (int p = 0; p < tune->problem_count; p++) wl_text_printf(out, "%s%.9g", p ? "," : "", c->ms[p]);
        wl_text_printf(out, " %s\n", c->why);
    }
}

static bool take_line(struct wl_tune *tune, const char *line) {
    char *at;
    uint64_t key = strtoull(line, &at, 16);
    double ms[WL_TUNE_MAX_PROBLEMS];
    long state = strtol(at, &at, 10);
    if (*at != ' ' || state <= WL_TUNE_OPEN || state > WL_TUNE_DONE) return false;
    for (int p = 0; p < tune->problem_count; p++) {
        const char *from = at + 1;
        ms[p] = strtod(from, &at);
        if (at == from || *at != (p + 1 < tune->problem_count ? ',' : ' ')) return false;
    }
    for (int i = 0; i < tune->count; i++) {
        struct wl_tune_candidate *c = &tune->candidates[i];
        if (c->state != WL_TUNE_OPEN || c->key != key) continue;
        c->state = (enum wl_tune_state)state;
        memcpy(c->ms, ms, (size_t)tune->problem_count * sizeof *ms);
        snprintf(c->why, sizeof c->why, "%.*s", (int)strcspn(at + 1, "\n"), at + 1);
        wl_tune_score(tune, c);
        return true;
    }
    return false;
}

int wl_tune_resume(struct wl_tune *tune, const char *device, const char *text) {
    struct wl_text belongs = {0};
    int taken = 0;
    put_belongs(tune, device, &belongs);
    bool ours = !belongs.failed && !strncmp(text, belongs.bytes, belongs.length);
    const char *line = ours ? text + belongs.length : "";
    for (; *line; line += strcspn(line, "\n"), line += *line == '\n') taken += take_line(tune, line);
    wl_text_fini(&belongs);
    return taken;
}
