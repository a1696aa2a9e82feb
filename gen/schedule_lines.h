/* schedule_lines: which line of a schedule's text gave a field its value.
 *
 * Lua does not tell, so the text is searched for what assigns the key: `key = `, `["key"] = ` in a table,
 * `t.key = `. A literal that is not the value which the field has in the end is passed over; the outermost of
 * the rest wins, then the last. What no text assigns (a computed key) has line 0. */
#ifndef WL_SCHEDULE_LINES_H
#define WL_SCHEDULE_LINES_H

#include <stddef.h>
#include "gen/schedule_field.h"

/* value NULL: any. Returns the line, or 0. */
int wl_schedule_line_of(const char *text, size_t bytes, const char *key, const struct wl_field_value *value);

#endif
