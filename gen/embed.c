/* embed: looks a file up in the embedded table. */
#include "gen/embed.h"

#include <string.h>

const struct wl_embedded *wl_embedded_find(const char *name) {
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++)
        if (!strcmp(file->name, name)) return file;
    return NULL;
}
