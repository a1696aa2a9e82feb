/* error: statuses and the one error record that every fallible function of warploom fills.
 *
 * A function that can fail returns enum wl_status and takes a struct wl_error * (may be NULL). The first
 * error wins: filling a record that already holds one changes nothing. The text says what was wrong, with
 * both numbers where there are two, and what would be right. It prints as "file:line: field: text". */
#ifndef WL_ERROR_H
#define WL_ERROR_H

#include "runtime/warploom.h" /* enum wl_status, struct wl_error, wl_error_format */

/* Records an error unless one is there already, and returns `status`. file, field and error may be NULL. */
enum wl_status wl_fail(struct wl_error *error, enum wl_status status, const char *file, int line, const char *field,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));

/* The process exit code that the CLI gives for a status: 0 right, 1 wrong result, 2 bad usage or input,
 * 3 the environment lacks something. */
int wl_exit_code(enum wl_status status);

#endif
