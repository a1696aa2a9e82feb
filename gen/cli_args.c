/* cli_args: argv against a table of options. */
#include "gen/cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAMES_MAX 64

/* Edits (insert, delete, replace, swap of neighbours) from a to b; words past 31 characters count as far
 * away. */
static int distance(const char *a, const char *b) {
    size_t la = strlen(a), lb = strlen(b);
    int d[32][32];
    if (la > 31 || lb > 31) return 99;
    for (size_t i = 0; i <= la; i++) d[i][0] = (int)i;
    for (size_t j = 0; j <= lb; j++) d[0][j] = (int)j;
    for (size_t i = 1; i <= la; i++)
        for (size_t j = 1; j <= lb; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
                best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[la][lb];
}

const char *wl_cli_nearest(const char *word, const char *const *names) {
    const char *best = NULL;
    int least = (int)strlen(word) / 3 + 2;
    for (; *names; names++) {
        int edits = distance(word, *names);
        if (edits < least) best = *names, least = edits;
    }
    return best;
}

static enum wl_status unknown_option(const struct wl_cli_command *command, const char *name,
                                     struct wl_error *error) {
    const char *names[NAMES_MAX] = {"--help"};
    int count = 1;
    for (const struct wl_cli_option *o = command->options; o->name && count < NAMES_MAX - 1; o++)
        names[count++] = o->name;
    const char *near = wl_cli_nearest(name, names);
    if (near)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "%s has no option %s; did you mean %s?",
                       command->name, name, near);
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "%s has no option %s; see warploom %s --help",
                   command->name, name, command->name);
}

static enum wl_status set_int(const struct wl_cli_option *o, const char *text, int64_t *out,
                              struct wl_error *error) {
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (end == text || *end)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "\"%s\" is not a whole number", text);
    if (errno || (double)value < o->lo || (double)value > o->hi)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "%s is out of range; %.0f to %.0f is allowed",
                       text, o->lo, o->hi);
    *out = value;
    return WL_OK;
}

static enum wl_status set_number(const struct wl_cli_option *o, const char *text, double *out,
                                 struct wl_error *error) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || isnan(value))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "\"%s\" is not a number", text);
    if (value < o->lo || value > o->hi)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "%s is out of range; %g to %g is allowed", text,
                       o->lo, o->hi);
    *out = value;
    return WL_OK;
}

enum wl_status wl_cli_numbers(const char *option, const char *text, int64_t *out, int room, int *count,
                              struct wl_error *error) {
    for (*count = 0;; text++) {
        char *end;
        long long value = strtoll(text, &end, 10);
        if (end == text || value < 1 || value > INT32_MAX || (*end && *end != ','))
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, option,
                           "\"%s\": whole numbers from 1 to 2147483647, with commas between", text);
        if (*count == room)
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, option, "more than %d numbers", room);
        out[(*count)++] = value;
        if (!*end) return WL_OK;
        text = end;
    }
}

static enum wl_status set_choice(const struct wl_cli_option *o, const char *text, int *out,
                                 struct wl_error *error) {
    const char *at = o->value;
    size_t length = strlen(text);
    for (int i = 0;; i++) {
        size_t span = strcspn(at, "|");
        if (span == length && !memcmp(at, text, span)) {
            *out = i;
            return WL_OK;
        }
        if (!at[span]) break;
        at += span + 1;
    }
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "\"%s\" is none of %s", text, o->value);
}

static enum wl_status add_text(const struct wl_cli_option *o, const char *text, struct wl_cli_texts *out,
                               struct wl_error *error) {
    int room = (int)(sizeof out->at / sizeof *out->at);
    if (out->count == room) return wl_fail(error, WL_ERR_USAGE, NULL, 0, o->name, "is given more than %d times", room);
    out->at[out->count++] = text;
    return WL_OK;
}

static enum wl_status set_option(const struct wl_cli_option *o, const char *text, void *values,
                                 struct wl_error *error) {
    void *field = (char *)values + o->offset;
    switch (o->kind) {
    case WL_CLI_INT: return set_int(o, text, field, error);
    case WL_CLI_NUMBER: return set_number(o, text, field, error);
    case WL_CLI_CHOICE: return set_choice(o, text, field, error);
    case WL_CLI_TEXT: *(const char **)field = text; return WL_OK;
    case WL_CLI_TEXTS: return add_text(o, text, field, error);
    case WL_CLI_FLAG: *(bool *)field = true; return WL_OK;
    }
    return WL_OK;
}

/* One option: --name value, --name=value, or a flag. Moves *at past what it took. */
static enum wl_status parse_option(const struct wl_cli_command *command, int argc, char **argv, int *at,
                                   void *values, struct wl_error *error) {
    char name[64];
    const char *word = argv[(*at)++], *equals = strchr(word, '=');
    snprintf(name, sizeof name, "%.*s", equals ? (int)(equals - word) : (int)strlen(word), word);
    const struct wl_cli_option *o = command->options;
    while (o->name && strcmp(o->name, name)) o++;
    if (!o->name) return unknown_option(command, name, error);
    if (o->kind == WL_CLI_FLAG) {
        if (equals) return wl_fail(error, WL_ERR_USAGE, NULL, 0, name, "takes no value");
        return set_option(o, NULL, values, error);
    }
    if (equals) return set_option(o, equals + 1, values, error);
    if (*at == argc) return wl_fail(error, WL_ERR_USAGE, NULL, 0, name, "needs a value: %s", o->value);
    return set_option(o, argv[(*at)++], values, error);
}

enum wl_status wl_cli_parse(const struct wl_cli_command *command, int argc, char **argv, void *values,
                            const char **words, int *word_count, bool *help, struct wl_error *error) {
    bool options = true;
    *word_count = 0;
    *help = false;
    for (int at = 0; at < argc;) {
        const char *word = argv[at];
        if (options && (!strcmp(word, "--help") || !strcmp(word, "-h"))) {
            *help = true;
            return WL_OK;
        }
        if (options && !strcmp(word, "--")) {
            options = false;
            if (command->keep_dashes) words[(*word_count)++] = word;
            at++;
        } else if (options && word[0] == '-' && word[1]) {
            enum wl_status status = parse_option(command, argc, argv, &at, values, error);
            if (status) return status;
        } else {
            words[(*word_count)++] = argv[at++];
        }
    }
    if (*word_count < command->words_min && strncmp(command->arguments, "SCHEDULE", 8))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "%s needs more: warploom %s %s", command->name,
                       command->name, command->arguments);
    if (*word_count < command->words_min)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL,
                       "%s needs a SCHEDULE; warploom list names those that are shipped", command->name);
    if (command->words_max >= 0 && *word_count > command->words_max)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "%s does not take \"%s\"", command->name,
                       words[command->words_max]);
    return WL_OK;
}

void wl_cli_usage(const struct wl_cli_command *command, struct wl_text *out) {
    wl_text_printf(out, "warploom %s %s\n  %s\n\n", command->name, command->arguments, command->doc);
    for (const struct wl_cli_option *o = command->options; o->name; o++) {
        char left[64];
        snprintf(left, sizeof left, "%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        wl_text_printf(out, "  %-40s  %s\n", left, o->doc);
    }
}
