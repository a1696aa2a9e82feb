/* error: statuses and the one error record that every fallible function of warploom fills.
 *
 * A function that can fail returns enum wl_status and takes a struct wl_error * (may be NULL). The first
 * error wins: filling a record that already holds one changes nothing. The text says what was wrong, with
 * both numbers where there are two, and what would be right. It prints as "file:line: field: text". */
#ifndef WL_ERROR_H
#define WL_ERROR_H

#include <stddef.h>

enum wl_status {
    WL_OK = 0,
    WL_ERR_USAGE,       /* a bad argument or option */
    WL_ERR_INPUT,       /* a schedule, problem or file that is wrong */
    WL_ERR_FIT,         /* a plan that does not fit the machine */
    WL_ERR_NO_MEMORY,
    WL_ERR_IO,
    WL_ERR_ENVIRONMENT, /* something the machine lacks: a driver, a device, ptxas */
    WL_ERR_DRIVER,      /* a Driver API call failed */
    WL_ERR_WRONG,       /* a checked result is wrong */
    WL_ERR_INTERNAL,    /* our own bug */
};

struct wl_error {
    enum wl_status status;
    int line;            /* 0: no line */
    char file[256];      /* "": no file */
    char field[64];      /* "": no field */
    char text[3072];     /* one line; a ptxas or JIT log may follow after '\n' */
};

/* Records an error unless one is there already, and returns `status`. file, field and error may be NULL. */
enum wl_status wl_fail(struct wl_error *error, enum wl_status status, const char *file, int line, const char *field,
                       const char *format, ...) __attribute__((format(printf, 6, 7)));

/* Writes "file:line: field: text" (parts that are empty left out) into out, always terminated. Returns out. */
const char *wl_error_format(const struct wl_error *error, char *out, size_t out_bytes);

/* The process exit code that the CLI gives for a status: 0 right, 1 wrong result, 2 bad usage or input,
 * 3 the environment lacks something. */
int wl_exit_code(enum wl_status status);

#endif
