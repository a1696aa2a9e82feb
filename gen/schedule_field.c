/* schedule_field: see schedule_field.h. */
#include "gen/schedule_field.h"

#include <ctype.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { STR, INT, NUM, BOOL, ENUM };

struct row {
    const char *name;
    enum type type;
    double number;    /* fallback of INT, NUM, BOOL */
    const char *text; /* fallback of STR, ENUM */
    double lo, hi, step;
    const char *choices, *on, *doc;
    size_t offset, bytes; /* in struct wl_schedule */
};

/* clang-format off */
#define FALLBACK_STR(x)  .text = x
#define FALLBACK_ENUM(x) .text = x
#define FALLBACK_INT(x)  .number = x
#define FALLBACK_NUM(x)  .number = x
#define FALLBACK_BOOL(x) .number = x
static const struct row rows[] = {
#define WL_SCHEDULE_FIELD(field, kind, fallback, low, high, stride, allowed, on_, text_)                     \
    {.name = #field, .type = kind, FALLBACK_##kind(fallback), .lo = low, .hi = high, .step = stride,         \
     .choices = allowed, .on = on_, .doc = text_, .offset = offsetof(struct wl_schedule, field),                        \
     .bytes = sizeof ((struct wl_schedule *)0)->field},
#include "gen/schedule_fields.def"
#undef WL_SCHEDULE_FIELD
};

/* What the rows take for granted about the struct. */
#define FITS_STR(f)  (sizeof f > 8)
#define FITS_ENUM(f) (sizeof f == sizeof(int))
#define FITS_INT(f)  _Generic(f, int: 1, default: 0)
#define FITS_NUM(f)  _Generic(f, double: 1, default: 0)
#define FITS_BOOL(f) _Generic(f, bool: 1, default: 0)
#define WL_SCHEDULE_FIELD(field, kind, fallback, low, high, stride, allowed, on_, text_)                     \
    _Static_assert(FITS_##kind(((struct wl_schedule *)0)->field), #field ": row and struct differ in type");
#include "gen/schedule_fields.def"
#undef WL_SCHEDULE_FIELD
/* clang-format on */

_Static_assert(WL_FIELD_COUNT <= sizeof((struct wl_schedule *)0)->line / sizeof(int), "line[] is too short");
_Static_assert(WL_BF16 == 0 && WL_FP16 == 1, "order of dtype's choices");
_Static_assert(WL_SCHEDULER_AUTO == 0 && WL_SCHEDULER_SINGLE == 1 && WL_SCHEDULER_PERSISTENT == 2 && WL_SCHEDULER_LPT == 3 && WL_SCHEDULER_CLC == 4,
               "order of scheduler's choices");
_Static_assert(WL_HEAD_ORDER_AUTO == 0 && WL_HEAD_ORDER_HEAD == 1 && WL_HEAD_ORDER_GROUP == 2 && WL_HEAD_ORDER_SECTION == 3,
               "order of head_order's choices");

static void *slot(struct wl_schedule *schedule, const struct row *row) {
    return (char *)schedule + row->offset;
}

bool wl_field_applies(enum wl_field field, const char *target) {
    return strncmp(target, rows[field].on, strlen(rows[field].on)) == 0;
}

const char *wl_field_name(enum wl_field field) { return rows[field].name; }
const char *wl_field_doc(enum wl_field field) { return rows[field].doc; }

enum wl_field wl_field_find(const char *name) {
    int field = 0;
    while (field < WL_FIELD_COUNT && strcmp(rows[field].name, name) != 0) field++;
    return (enum wl_field)field;
}

/* ---- choices: "a|b|c" ---- */

static int find_choice(const char *choices, const char *text) {
    size_t length = strlen(text);
    for (int index = 0; length; index++) {
        size_t span = strcspn(choices, "|");
        if (span == length && memcmp(choices, text, span) == 0) return index;
        if (!choices[span]) return -1;
        choices += span + 1;
    }
    return -1;
}

static void put_choice(const char *choices, int index, char *out, size_t out_bytes) {
    while (index-- > 0) choices += strcspn(choices, "|") + 1;
    snprintf(out, out_bytes, "%.*s", (int)strcspn(choices, "|"), choices);
}

const char *wl_field_choice(enum wl_field field, int index, char *out, size_t out_bytes) {
    put_choice(rows[field].choices, index, out, out_bytes);
    return out;
}

const char *wl_field_allowed(enum wl_field field, char *out, size_t out_bytes) {
    const struct row *row = &rows[field];
    if (row->choices[0]) {
        size_t used = 0;
        for (const char *c = row->choices; *c && used + 8 < out_bytes; c++)
            if (*c == '|')
                used += (size_t)snprintf(out + used, out_bytes - used, strchr(c + 1, '|') ? ", " : " or ");
            else out[used++] = *c;
        out[used] = '\0';
    } else if (row->type == BOOL) snprintf(out, out_bytes, "true or false");
    else if (row->type == STR) snprintf(out, out_bytes, "letters, digits and _");
    else if (row->lo == row->hi) snprintf(out, out_bytes, "only %g", row->lo);
    else if (row->step > 1) snprintf(out, out_bytes, "%g to %g in steps of %g", row->lo, row->hi, row->step);
    else snprintf(out, out_bytes, "%g to %g", row->lo, row->hi);
    return out;
}

/* ---- set ---- */

/* What somebody else wrote, fit for a message. */
static const char *printable(const char *text, char *out, size_t out_bytes) {
    size_t used = 0;
    for (; *text && used + 4 < out_bytes; text++)
        out[used++] = (unsigned char)*text < ' ' || *text == 127 ? '?' : *text;
    snprintf(out + used, out_bytes - used, "%s", *text ? "..." : "");
    return out;
}

static void describe(const struct wl_field_value *value, char *out, size_t out_bytes) {
    char text[64];
    if (value->kind == WL_VALUE_NUMBER) snprintf(out, out_bytes, "%.17g", value->number);
    else if (value->kind == WL_VALUE_BOOL)
        snprintf(out, out_bytes, "%s", value->number != 0 ? "true" : "false");
    else if (value->kind == WL_VALUE_TEXT)
        snprintf(out, out_bytes, "\"%s\"", printable(value->text, text, sizeof text));
    else snprintf(out, out_bytes, "a %s", value->type);
    if (value->kind == WL_VALUE_NUMBER && fabs(value->number) < 1e15 &&
        floor(value->number) == value->number) {
        snprintf(out, out_bytes, "%.0f", value->number);
        return;
    }
    for (int digits = 1; value->kind == WL_VALUE_NUMBER && digits < 17;
         digits++) { /* the shortest that says it */
        snprintf(text, sizeof text, "%.*g", digits, value->number);
        if (strtod(text, NULL) == value->number) {
            snprintf(out, out_bytes, "%s", text);
            break;
        }
    }
}

static enum wl_status bad_type(const struct row *row, const struct wl_field_value *value,
                               const struct wl_field_place *place, struct wl_error *error) {
    static const char *const wanted[] = {"text", "an integer", "a number", "true or false", "text"};
    char is[96], allowed[256];
    describe(value, is, sizeof is);
    wl_field_allowed((enum wl_field)(row - rows), allowed, sizeof allowed);
    return wl_fail(error, WL_ERR_INPUT, place->file, place->line, place->field, "must be %s%s%s%s, is %s",
                   wanted[row->type], row->type == BOOL ? "" : " (", row->type == BOOL ? "" : allowed,
                   row->type == BOOL ? "" : ")", is);
}

static enum wl_status bad_value(const struct row *row, const struct wl_field_value *value,
                                const struct wl_field_place *place, struct wl_error *error) {
    char is[96], allowed[256];
    describe(value, is, sizeof is);
    wl_field_allowed((enum wl_field)(row - rows), allowed, sizeof allowed);
    return wl_fail(error, WL_ERR_INPUT, place->file, place->line, place->field, "%s is not allowed: %s", is,
                   allowed);
}

bool wl_field_is_identifier(const char *name) {
    if (!isalpha((unsigned char)*name) && *name != '_') return false;
    for (; *name; name++)
        if ((unsigned char)*name > 127 || (!isalnum((unsigned char)*name) && *name != '_')) return false;
    return true;
}

static bool text_fits(const struct row *row, const char *text) {
    if (row->choices[0]) return find_choice(row->choices, text) >= 0;
    return strlen(text) < row->bytes && wl_field_is_identifier(text);
}

static bool number_fits(const struct row *row, double number) {
    if (!(number >= row->lo && number <= row->hi)) return false;
    return row->type != INT || fmod(number - row->lo, row->step) == 0;
}

enum wl_status wl_field_set(struct wl_schedule *schedule, enum wl_field field,
                            const struct wl_field_value *value, const struct wl_field_place *place,
                            struct wl_error *error) {
    static const int wanted[] = {WL_VALUE_TEXT, WL_VALUE_NUMBER, WL_VALUE_NUMBER, WL_VALUE_BOOL,
                                 WL_VALUE_TEXT};
    const struct row *row = &rows[field];
    if ((int)value->kind != wanted[row->type]) return bad_type(row, value, place, error);
    if (row->type == INT && floor(value->number) != value->number) return bad_type(row, value, place, error);
    bool fits = value->kind == WL_VALUE_TEXT ? text_fits(row, value->text) : number_fits(row, value->number);
    if (!fits) return bad_value(row, value, place, error);
    switch (row->type) {
    case STR: snprintf(slot(schedule, row), row->bytes, "%s", value->text); break;
    case INT: *(int *)slot(schedule, row) = (int)value->number; break;
    case NUM: *(double *)slot(schedule, row) = value->number + 0.0; break; /* -0 prints as 0 */
    case BOOL: *(bool *)slot(schedule, row) = value->number != 0; break;
    case ENUM: *(int *)slot(schedule, row) = find_choice(row->choices, value->text); break;
    }
    return WL_OK;
}

void wl_field_default(struct wl_schedule *schedule, enum wl_field field) {
    const struct row *row = &rows[field];
    struct wl_field_value value = {.kind = WL_VALUE_NUMBER, .number = row->number, .text = row->text};
    if (row->type == BOOL) value.kind = WL_VALUE_BOOL;
    if (row->text) value.kind = WL_VALUE_TEXT;
    if (row->text && !row->text[0]) return; /* name: the file's stem, the reader knows it */
    wl_field_set(schedule, field, &value, &(struct wl_field_place){0}, NULL);
}

void wl_field_read(enum wl_field field, const char *text, struct wl_field_value *value) {
    enum type type = rows[field].type;
    *value = (struct wl_field_value){.kind = WL_VALUE_TEXT, .text = text, .type = "string"};
    if (type == INT || type == NUM) {
        char *end;
        double number = strtod(text, &end);
        if (end == text || *end || isspace((unsigned char)*text)) return;
        value->kind = WL_VALUE_NUMBER;
        value->number = number;
    } else if (type == BOOL && (!strcmp(text, "true") || !strcmp(text, "false"))) {
        value->kind = WL_VALUE_BOOL;
        value->number = text[0] == 't';
    }
}

const char *wl_schedule_value(const struct wl_schedule *schedule, enum wl_field field, char *out,
                              size_t out_bytes) {
    const struct row *row = &rows[field];
    const void *at = (const char *)schedule + row->offset;
    struct wl_field_value number = {.kind = WL_VALUE_NUMBER};
    switch (row->type) {
    case STR: snprintf(out, out_bytes, "%s", (const char *)at); break;
    case INT: snprintf(out, out_bytes, "%d", *(const int *)at); break;
    case BOOL: snprintf(out, out_bytes, "%s", *(const bool *)at ? "true" : "false"); break;
    case ENUM: put_choice(row->choices, *(const int *)at, out, out_bytes); break;
    case NUM:
        number.number = *(const double *)at;
        describe(&number, out, out_bytes);
        break;
    }
    return out;
}

/* ---- names that are not there ---- */

#define NAME_LENGTH 40
static int least(int a, int b) { return a < b ? a : b; }

/* Optimal string alignment distance: insert, delete, replace, swap of neighbours cost 1 each. */
static int distance(const char *a, const char *b) {
    int table[3][NAME_LENGTH + 1], *before = table[0], *above = table[1], *here = table[2];
    int a_length = (int)strlen(a), b_length = (int)strlen(b);
    if (a_length > NAME_LENGTH || b_length > NAME_LENGTH) return NAME_LENGTH;
    for (int j = 0; j <= b_length; j++) above[j] = j;
    for (int i = 1; i <= a_length; i++) {
        here[0] = i;
        for (int j = 1; j <= b_length; j++) {
            here[j] = least(above[j - 1] + (tolower((unsigned char)a[i - 1]) != b[j - 1]),
                            least(above[j], here[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                here[j] = least(here[j], before[j - 2] + 1);
        }
        int *oldest = before;
        before = above, above = here, here = oldest;
    }
    return above[b_length];
}

enum wl_status wl_field_unknown(const char *name, const struct wl_field_place *place,
                                struct wl_error *error) {
    int nearest = 0, best = NAME_LENGTH;
    char known[1024] = "", shown[64];
    for (int i = 0; i < WL_FIELD_COUNT; i++) {
        int d = distance(name, rows[i].name);
        if (d < best) best = d, nearest = i;
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", rows[i].name);
    }
    printable(place->field, shown, sizeof shown);
    if (best <= 2 || best <= (int)strlen(name) / 3)
        return wl_fail(error, WL_ERR_INPUT, place->file, place->line, shown,
                       "unknown field, did you mean %s?", rows[nearest].name);
    return wl_fail(error, WL_ERR_INPUT, place->file, place->line, shown, "unknown field; there are %s",
                   known);
}
