/* choose_names: the files of a folder that a schedule may be, or may include, sorted by name. */
#ifndef WL_CHOOSE_NAMES_H
#define WL_CHOOSE_NAMES_H

#include "gen/error.h"

#define WL_NAMES_MAX 256

struct wl_names {
    char (*at)[65]; /* ended by wl_names_fini */
    size_t count;
};

/* lua: only those that are schedules. WL_ERR_INPUT: the folder cannot be read or has more than WL_NAMES_MAX.
 */
enum wl_status wl_names_read(struct wl_names *names, const char *folder, bool lua, struct wl_error *error);
void wl_names_fini(struct wl_names *names);

#endif
