/* cache_folder: where the cache is, and whether it can be trusted. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/cache_parts.h"

static bool is_set(const char *value) { return value && *value; }

enum wl_status wl_cache_path(const char *given, char *path, size_t room, struct wl_error *error) {
    const char *own = getenv("WARPLOOM_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int length;
    if (is_set(given)) length = snprintf(path, room, "%s", given);
    else if (is_set(own)) length = snprintf(path, room, "%s", own);
    else if (is_set(xdg) && *xdg == '/') length = snprintf(path, room, "%s/warploom", xdg);
    else if (is_set(home) && *home == '/') length = snprintf(path, room, "%s/.cache/warploom", home);
    else
        return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                       "no place for the cache: neither WARPLOOM_CACHE_DIR, XDG_CACHE_HOME nor HOME is set");
    if (length > 0 && (size_t)length < room) return WL_OK;
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "the cache's path is longer than %zu bytes",
                   room - 1);
}

enum wl_status wl_cache_limit(uint64_t given, uint64_t *bytes, struct wl_error *error) {
    const char *text = getenv("WARPLOOM_CACHE_BYTES");
    char *end;
    *bytes = given ? given : WL_CACHE_BYTES_DEFAULT;
    if (given || !is_set(text)) return WL_OK;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);
    int shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    if (shift) end++;
    if (*text < '0' || *text > '9' || *end || errno || !number || number > UINT64_MAX >> shift)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "WARPLOOM_CACHE_BYTES",
                       "\"%s\": must be a number of bytes, at least 1; K, M and G may follow", text);
    *bytes = (uint64_t)number << shift;
    return WL_OK;
}

/* As mkdir -p, each folder for its owner alone. */
static bool make_folders(const char *path) {
    char part[PATH_MAX];
    size_t length = strlen(path);
    if (length >= sizeof part) return errno = ENAMETOOLONG, false;
    memcpy(part, path, length + 1);
    for (char *slash = part + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        if (mkdir(part, 0700) && errno != EEXIST && errno != EISDIR && errno != EROFS && errno != EACCES)
            return false;
        *slash = '/';
    }
    return !mkdir(part, 0700) || errno == EEXIST;
}

/* The folder itself must be no link and ours alone: whoever can write it can make us run code of his. */
static enum wl_status judge(int folder, const char *path, struct wl_error *error) {
    struct stat info;
    if (fstat(folder, &info))
        return wl_fail(error, WL_ERR_IO, path, 0, NULL, "cannot be looked at: %s", strerror(errno));
    if (info.st_uid != geteuid())
        return wl_fail(error, WL_ERR_IO, path, 0, NULL, "belongs to user %u, not to %u",
                       (unsigned)info.st_uid, (unsigned)geteuid());
    if (info.st_mode & 022)
        return wl_fail(error, WL_ERR_IO, path, 0, NULL,
                       "others may write it (mode %03o); chmod 700 makes it right", info.st_mode & 0777u);
    return WL_OK;
}

enum wl_status wl_cache_open(struct wl_cache **cache, const char *path, uint64_t bytes,
                             const struct wl_log *log, struct wl_error *error) {
    *cache = NULL;
    bool made = make_folders(path);
    int why = errno, folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0 && !made)
        return wl_fail(error, WL_ERR_IO, path, 0, NULL, "cannot be created: %s", strerror(why));
    if (folder < 0 && (errno == ELOOP || errno == ENOTDIR))
        return wl_fail(error, WL_ERR_IO, path, 0, NULL, "is a symbolic link or no folder, and not used");
    if (folder < 0) return wl_fail(error, WL_ERR_IO, path, 0, NULL, "cannot be opened: %s", strerror(errno));
    enum wl_status status = judge(folder, path, error);
    size_t length = strlen(path) + 1;
    struct wl_cache *fresh = status ? NULL : wl_realloc(NULL, sizeof *fresh + length);
    if (!status && !fresh)
        status = wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory for the cache");
    if (status) {
        close(folder);
        return status;
    }
    fresh->folder = folder;
    fresh->bytes = bytes;
    fresh->log = log;
    atomic_init(&fresh->warned, false);
    atomic_init(&fresh->serial, 0);
    memcpy(fresh->path, path, length);
    *cache = fresh;
    return WL_OK;
}

void wl_cache_close(struct wl_cache *cache) {
    if (!cache) return;
    close(cache->folder);
    wl_free(cache);
}

const char *wl_cache_folder(const struct wl_cache *cache) { return cache->path; }
