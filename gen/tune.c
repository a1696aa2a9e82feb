/* tune: see tune.h. Candidates, their plans, their order; the model is tune_model.c, texts are tune_text.c.
 */
#include "gen/tune.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/emit.h"

static void describe(struct wl_tune *tune, struct wl_tune_candidate *c) {
    size_t used = 0;
    for (int k = 0; k < tune->base.tune_count && used < sizeof c->choice; k++) {
        const struct wl_tune_knob *knob = &tune->base.tune[k];
        used += (size_t)snprintf(c->choice + used, sizeof c->choice - used, "%s%s=%s", k ? " " : "",
                                 wl_field_name(knob->field), knob->values[c->value[k]]);
    }
}

/* The base's value of each knob; where it is no candidate it becomes one, so that the base is always among
 * them. */
static enum wl_status add_base_values(struct wl_schedule *base, unsigned char value[WL_TUNE_MAX_KNOBS],
                                      struct wl_error *error) {
    for (int k = 0; k < base->tune_count; k++) {
        struct wl_tune_knob *knob = &base->tune[k];
        char now[sizeof knob->values[0]];
        int i = 0;
        wl_schedule_value(base, knob->field, now, sizeof now);
        while (i < knob->count && strcmp(knob->values[i], now)) i++;
        if (i == WL_TUNE_MAX_VALUES)
            return wl_fail(error, WL_ERR_INPUT, base->source, 0, wl_field_name(knob->field),
                           "%d candidates and another value, %s, in the schedule: %d are the most",
                           knob->count, now, WL_TUNE_MAX_VALUES);
        if (i == knob->count) memcpy(knob->values[knob->count++], now, sizeof now);
        value[k] = (unsigned char)i;
    }
    return WL_OK;
}

/* All combinations, counted like digits, behind the base. */
static void list(struct wl_tune *tune, int all) {
    const struct wl_schedule *base = &tune->base;
    for (int n = 0; n < all; n++) {
        struct wl_tune_candidate *c = &tune->candidates[tune->count];
        int rest = n;
        *c = (struct wl_tune_candidate){0};
        for (int k = base->tune_count - 1; k >= 0; rest /= base->tune[k].count, k--)
            c->value[k] = (unsigned char)(rest % base->tune[k].count);
        if (!memcmp(c->value, tune->candidates[0].value, sizeof c->value)) continue;
        describe(tune, c);
        tune->count++;
    }
}

enum wl_status wl_tune_init(struct wl_tune *tune, const char *path, const char *const *overrides, int count,
                            int head_dim, struct wl_error *error) {
    unsigned char base[WL_TUNE_MAX_KNOBS] = {0};
    int all = 1;
    *tune =
        (struct wl_tune){.path = path, .overrides = overrides, .override_count = count, .head_dim = head_dim};
    enum wl_status status = wl_schedule_load(&tune->base, path, overrides, count, error);
    if (status) return status;
    if (!tune->base.tune_count)
        return wl_fail(error, WL_ERR_INPUT, tune->base.source, 0, "tune",
                       "is missing: it lists the candidates, as in tune = { tile_n = {96, 128} }");
    status = add_base_values(&tune->base, base, error);
    if (status) return status;
    for (int k = 0; k < tune->base.tune_count; k++) {
        all *= tune->base.tune[k].count;
        if (all > WL_TUNE_MAX_CANDIDATES)
            return wl_fail(error, WL_ERR_INPUT, tune->base.source, 0, "tune", "more than %d combinations",
                           WL_TUNE_MAX_CANDIDATES);
    }
    tune->candidates = wl_realloc(NULL, ((size_t)all + 1) * sizeof *tune->candidates);
    if (!tune->candidates)
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for %d candidates", all);
    tune->candidates[0] = (struct wl_tune_candidate){0};
    memcpy(tune->candidates[0].value, base, sizeof base);
    describe(tune, &tune->candidates[0]);
    tune->count = 1;
    list(tune, all);
    return WL_OK;
}

void wl_tune_fini(struct wl_tune *tune) {
    wl_free(tune->candidates);
    tune->candidates = NULL;
    tune->count = 0;
}

enum wl_status wl_tune_plan(const struct wl_tune *tune, const struct wl_tune_candidate *c, bool causal,
                            struct wl_plan *plan, struct wl_error *error) {
    char texts[WL_TUNE_MAX_KNOBS][96];
    const char *words[64 + WL_TUNE_MAX_KNOBS];
    struct wl_schedule schedule;
    int count = 0;
    if (tune->override_count > 64)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "more than 64 fields overridden");
    for (; count < tune->override_count; count++) words[count] = tune->overrides[count];
    for (int k = 0; k < tune->base.tune_count; k++) {
        const struct wl_tune_knob *knob = &tune->base.tune[k];
        snprintf(texts[k], sizeof texts[k], "%s=%s", wl_field_name(knob->field), knob->values[c->value[k]]);
        words[count++] = texts[k];
    }
    struct wl_specialization special = {tune->head_dim, -1, causal};
    enum wl_status status = wl_schedule_load(&schedule, tune->path, words, count, error);
    return status ? status : wl_plan_make(plan, &schedule, &special, error);
}

bool wl_tune_has(const struct wl_tune *tune, bool causal) {
    for (int p = 0; p < tune->problem_count; p++)
        if (tune->problems[p].causal == causal) return true;
    return false;
}

static uint64_t hash_more(uint64_t hash, const char *bytes, size_t length) {
    for (size_t i = 0; i < length; i++) hash = (hash ^ (unsigned char)bytes[i]) * 0x100000001b3ull;
    return hash;
}

/* The origin of each value stands in the PTX's header, so equal kernels of different candidates differ in
 * their text; the choice is hashed too in any case. */
static enum wl_status expand(const struct wl_tune *tune, struct wl_tune_candidate *c,
                             struct wl_error *error) {
    struct wl_plan *plan = wl_realloc(NULL, sizeof *plan);
    enum wl_status status = plan ? WL_OK : wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "out of memory");
    c->key = hash_more(0xcbf29ce484222325ull, c->choice, strlen(c->choice));
    for (int causal = 0; causal < 2 && !status; causal++) {
        struct wl_text ptx = {0};
        if (!wl_tune_has(tune, causal)) continue;
        status = wl_tune_plan(tune, c, causal, plan, error);
        if (!status) status = wl_emit(plan, &ptx, error);
        if (!status) c->key = hash_more(c->key, ptx.bytes, ptx.length);
        wl_text_fini(&ptx);
    }
    wl_free(plan);
    return status;
}

int wl_tune_expand(struct wl_tune *tune) {
    int kept = 0;
    for (int i = 0; i < tune->count; i++) {
        struct wl_tune_candidate *c = &tune->candidates[i];
        struct wl_error error = {0};
        enum wl_status status = expand(tune, c, &error);
        if (status == WL_ERR_NO_MEMORY) return -1;
        kept += !status;
        if (!status) continue;
        c->state = WL_TUNE_DROPPED;
        snprintf(c->why, sizeof c->why, "%s%s%.120s", error.field, *error.field ? ": " : "", error.text);
    }
    return kept;
}

/* 4 b h s s d, half of it when causal. */
static double flops(const struct wl_tune *tune, const struct wl_tune_problem *p) {
    int head_dim = tune->head_dim ? tune->head_dim : tune->base.head_dim;
    return (p->causal ? 2.0 : 4.0) * (double)p->batch * (double)p->heads * (double)p->seq * (double)p->seq *
           head_dim;
}

void wl_tune_score(const struct wl_tune *tune, struct wl_tune_candidate *c) {
    double sum = 0;
    c->score = 0;
    for (int p = 0; p < tune->problem_count; p++) {
        if (!(c->ms[p] > 0)) return;
        sum += log(flops(tune, &tune->problems[p]) / c->ms[p] * 1e-9);
    }
    if (tune->problem_count) c->score = exp(sum / tune->problem_count);
}

/* Fields in which a candidate differs from the schedule as it stands. */
static int changes(const struct wl_tune *tune, int i) {
    int count = 0;
    for (int k = 0; k < tune->base.tune_count; k++)
        count += tune->candidates[i].value[k] != tune->candidates[0].value[k];
    return count;
}

/* Stands before: the better, or among those as good as the best the one that changes less. */
static bool before(const struct wl_tune *tune, int i, int j, bool as_good) {
    if (as_good) return changes(tune, i) < changes(tune, j);
    return tune->candidates[i].score > tune->candidates[j].score;
}

static void sort(const struct wl_tune *tune, int *order, int count, bool as_good) {
    for (int k = 1; k < count; k++) {
        int i = order[k], at = k;
        for (; at && before(tune, i, order[at - 1], as_good); at--) order[at] = order[at - 1];
        order[at] = i;
    }
}

/* Less than a thousandth is no reason to change the schedule: the model is blind to much, a measurement is noisy. */
int wl_tune_rank(const struct wl_tune *tune, int *order) {
    int count = 0, as_good = 0;
    for (int i = 0; i < tune->count; i++)
        if (tune->candidates[i].state == WL_TUNE_DONE) order[count++] = i;
    sort(tune, order, count, false);
    while (as_good < count && tune->candidates[order[as_good]].score * 1.001 >= tune->candidates[order[0]].score) as_good++;
    sort(tune, order, as_good, true);
    return count;
}
