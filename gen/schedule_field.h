/* schedule_field: the rows of schedule_fields.def at work: default, set, check, print one field of a
 * wl_schedule.
 *
 * Errors are WL_ERR_INPUT with the text alone; the caller's `where` says what file and line they belong to.
 */
#ifndef WL_SCHEDULE_FIELD_H
#define WL_SCHEDULE_FIELD_H

#include "gen/schedule.h"

/* A value on its way into a field, from Lua or from key=value. */
struct wl_field_value {
    enum { WL_VALUE_NUMBER, WL_VALUE_TEXT, WL_VALUE_BOOL, WL_VALUE_OTHER } kind;
    double number; /* also a boolean's */
    const char *text;
    const char *type; /* the Lua type's name, for messages */
};

struct wl_field_place {
    const char *file; /* NULL: none */
    int line;
    const char *field; /* how messages name the field */
};

void wl_field_default(struct wl_schedule *schedule, enum wl_field field);
enum wl_status wl_field_set(struct wl_schedule *schedule, enum wl_field field,
                            const struct wl_field_value *value, const struct wl_field_place *place,
                            struct wl_error *error);

/* "128", "0.5", "true", "bf16" as a value of the type that the field has. */
void wl_field_read(enum wl_field field, const char *text, struct wl_field_value *value);

enum wl_field wl_field_find(const char *name); /* WL_FIELD_COUNT: none */
enum wl_status wl_field_unknown(const char *name, const struct wl_field_place *place, struct wl_error *error);

/* Whether `name` can be part of a PTX entry's name. */
bool wl_field_is_identifier(const char *name);

#endif
