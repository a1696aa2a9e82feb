/* error: see error.h. */
#include "gen/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void copy_field(char *out, size_t out_bytes, const char *text) {
    snprintf(out, out_bytes, "%s", text ? text : "");
}

/* A path that is too long keeps its end: that is the part which tells files apart. */
static void copy_path(char *out, size_t out_bytes, const char *path) {
    size_t length = path ? strlen(path) : 0;
    if (length < out_bytes) copy_field(out, out_bytes, path);
    else snprintf(out, out_bytes, "...%s", path + length - (out_bytes - 4));
}

enum wl_status wl_fail(struct wl_error *error, enum wl_status status, const char *file, int line,
                       const char *field, const char *format, ...) {
    if (!error || error->status != WL_OK) return status;
    error->status = status;
    error->line = line > 0 ? line : 0;
    copy_path(error->file, sizeof error->file, file);
    copy_field(error->field, sizeof error->field, field);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return status;
}

const char *wl_error_format(const struct wl_error *error, char *out, size_t out_bytes) {
    char where[320] = "";
    if (out_bytes == 0) return out;
    if (error->file[0] && error->line) snprintf(where, sizeof where, "%s:%d: ", error->file, error->line);
    else if (error->file[0]) snprintf(where, sizeof where, "%s: ", error->file);
    const char *colon = error->field[0] ? ": " : "";
    snprintf(out, out_bytes, "%s%s%s%s", where, error->field, colon, error->text);
    return out;
}

int wl_exit_code(enum wl_status status) {
    switch (status) {
    case WL_OK: return 0;
    case WL_ERR_WRONG: return 1;
    case WL_ERR_USAGE:
    case WL_ERR_INPUT:
    case WL_ERR_FIT: return 2;
    case WL_ERR_NO_MEMORY:
    case WL_ERR_IO:
    case WL_ERR_ENVIRONMENT:
    case WL_ERR_DRIVER: return 3;
    case WL_ERR_INTERNAL: return 1; /* whatever came out cannot be trusted */
    }
    return 1;
}
