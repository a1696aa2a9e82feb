/* log: lines for whoever runs the program: to a callback, or up to $WARPLOOM_LOG (error, warn, info, debug;
 * warn where it is not set) to stderr. */
#ifndef WL_LOG_H
#define WL_LOG_H

#include "gen/error.h"

struct wl_log { /* read only */
    wl_log_fn *fn;
    void *user;
    enum wl_log_level level; /* a callback gets every level */
};

/* WL_ERR_USAGE: WARPLOOM_LOG holds something else. */
enum wl_status wl_log_init(struct wl_log *log, wl_log_fn *fn, void *user, struct wl_error *error);
void wl_log_line(const struct wl_log *log, enum wl_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
