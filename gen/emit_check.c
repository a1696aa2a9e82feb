#include "gen/emit_check.h"

#include <stdio.h>
#include <string.h>

/* Whether `word` stands in `list`, whose words are separated by any of `separators`, before `end`. */
static bool has_word(const char *list, const char *end, const char *separators, const char *word) {
    size_t length = strlen(word);
    for (const char *at = list; at < end;) {
        size_t n = strcspn(at, separators);
        if (at + n > end) n = (size_t)(end - at);
        if (n == length && memcmp(at, word, n) == 0) return true;
        at += n + 1;
    }
    return false;
}

static int count_words(const char *list, const char *end) {
    int words = 0;
    for (const char *at = list; at < end; at++)
        if (*at != ' ' && (at == list || at[-1] == ' ')) words++;
    return words;
}

/* One list of a role's header against the barrier table: `signals` or `waits`. */
static enum wl_status check_list(const struct wl_plan *plan, const char *role, const char *what, const char *list, const char *end,
                                 struct wl_error *error) {
    int expected = 0;
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        const char *side = what[0] == 'w' ? b->to : b->from;
        if (!has_word(side, side + strlen(side), "+", role)) continue;
        expected++;
        if (!has_word(list, end, " ", b->name))
            return wl_fail(error, WL_ERR_INTERNAL, plan->kernel, 0, role, "the template's header does not say that it %s %s", what, b->name);
    }
    if (count_words(list, end) != expected)
        return wl_fail(error, WL_ERR_INTERNAL, plan->kernel, 0, role, "the template's header says %s: %.*s, the plan has %d there", what,
                       (int)(end - list), list, expected);
    return WL_OK;
}

static enum wl_status check_role(const struct wl_plan *plan, const char *role, const char *line, struct wl_error *error) {
    const char *end = line + strcspn(line, "\n");
    const char *waits = strstr(line, "waits:"), *signals = strstr(line, "signals:");
    if (!waits || !signals || signals > end || waits > signals)
        return wl_fail(error, WL_ERR_INTERNAL, plan->kernel, 0, role, "the template's header has no \"waits: ... signals: ...\" line");
    enum wl_status status = check_list(plan, role, "waits", waits + strlen("waits:"), signals, error);
    return status == WL_OK ? check_list(plan, role, "signals", signals + strlen("signals:"), end, error) : status;
}

enum wl_status wl_emit_check(const struct wl_plan *plan, const char *ptx, struct wl_error *error) {
    int seen = 0;
    for (const char *at = strstr(ptx, "// role: "); at; at = strstr(at + 1, "// role: ")) {
        char role[32];
        if (sscanf(at, "// role: %31s", role) != 1 || !wl_plan_role(plan, role))
            return wl_fail(error, WL_ERR_INTERNAL, plan->kernel, 0, "role", "a template's header names a role that the plan lacks");
        const char *next = strchr(at, '\n');
        enum wl_status status = check_role(plan, role, next ? next + 1 : "", error);
        if (status != WL_OK) return status;
        seen++;
    }
    if (seen != plan->role_count)
        return wl_fail(error, WL_ERR_INTERNAL, plan->kernel, 0, "role", "%d role headers, the plan has %d roles", seen, plan->role_count);
    return WL_OK;
}
