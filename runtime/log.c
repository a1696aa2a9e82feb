/* log: see log.h. */
#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const levels[] = {"error", "warn", "info", "debug"};

static void to_stderr(void *user, enum wl_log_level level, const char *line) {
    (void)user;
    fprintf(stderr, "warploom: %s: %s\n", levels[level], line);
}

enum wl_status wl_log_init(struct wl_log *log, wl_log_fn *fn, void *user, struct wl_error *error) {
    *log = (struct wl_log){fn ? fn : to_stderr, user, fn ? WL_LOG_DEBUG : WL_LOG_WARN};
    const char *wanted = getenv("WARPLOOM_LOG");
    if (fn || !wanted || !*wanted) return WL_OK;
    for (int i = 0; i < 4; i++)
        if (!strcmp(wanted, levels[i])) {
            log->level = (enum wl_log_level)i;
            return WL_OK;
        }
    return wl_fail(error, WL_ERR_USAGE, NULL, 0, "WARPLOOM_LOG", "\"%s\": must be error, warn, info or debug",
                   wanted);
}

void wl_log_line(const struct wl_log *log, enum wl_log_level level, const char *format, ...) {
    char line[4096];
    if (level > log->level) return;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log->fn(log->user, level, line);
}
