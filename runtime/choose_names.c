/* choose_names: see choose_names.h. */
#include "runtime/choose_names.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "gen/arena.h"

/* What include takes (gen/schedule.c): 64 letters, digits, '_', '-', '.', no '.' in front. */
static bool legal(const char *name, bool lua) {
    size_t length = strlen(name);
    if (!length || length > 64 || *name == '.') return false;
    for (const char *c = name; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("_-.", *c)) return false;
    return !lua || (*name != '_' && length > 4 && !strcmp(name + length - 4, ".lua"));
}

static bool is_file(int folder, const char *name) {
    struct stat info;
    return !fstatat(folder, name, &info, 0) && S_ISREG(info.st_mode);
}

static int by_name(const void *a, const void *b) { return strcmp(a, b); }

enum wl_status wl_names_read(struct wl_names *names, const char *folder, bool lua, struct wl_error *error) {
    *names = (struct wl_names){wl_realloc(NULL, WL_NAMES_MAX * sizeof *names->at), 0};
    if (!names->at) return wl_fail(error, WL_ERR_NO_MEMORY, folder, 0, NULL, "no memory");
    DIR *dir = opendir(folder);
    enum wl_status status = WL_OK;
    if (!dir)
        status = wl_fail(error, WL_ERR_INPUT, folder, 0, NULL, "cannot read the folder: %s", strerror(errno));
    for (struct dirent *entry; !status && (entry = readdir(dir));) {
        if (!legal(entry->d_name, lua) || !is_file(dirfd(dir), entry->d_name)) continue;
        if (names->count == WL_NAMES_MAX)
            status = wl_fail(error, WL_ERR_INPUT, folder, 0, NULL,
                             "more than %d files; give schedules a folder", WL_NAMES_MAX);
        else snprintf(names->at[names->count++], sizeof *names->at, "%.64s", entry->d_name);
    }
    if (dir) closedir(dir);
    if (status) wl_names_fini(names);
    else qsort(names->at, names->count, sizeof *names->at, by_name);
    return status;
}

void wl_names_fini(struct wl_names *names) {
    wl_free(names->at);
    *names = (struct wl_names){0};
}
