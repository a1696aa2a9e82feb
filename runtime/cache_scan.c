/* cache_scan: what is done to all files of the cache: listing, checking, evicting, tidying up. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/cache_entry.h"
#include "runtime/cache_parts.h"

#define STALE_SECONDS 3600 /* no build takes as long: whoever wrote or locked this is gone */

struct file {
    char name[48];
    uint64_t bytes;
    struct timespec used;
};

struct files {
    struct file *at;
    size_t count, room;
};

/* ---- names ---- */

static bool has_suffix(const char *name, const char *suffix) {
    size_t length = strlen(name), end = strlen(suffix);
    return length > end && !strcmp(name + length - end, suffix);
}

bool wl_cache_is_entry(const char *name, struct wl_key *key) {
    static const char digits[] = "0123456789abcdef";
    if (strlen(name) != 32 + strlen(WL_CACHE_SUFFIX) || strcmp(name + 32, WL_CACHE_SUFFIX)) return false;
    for (int i = 0; i < 32; i++) {
        const char *digit = strchr(digits, name[i]);
        if (!digit) return false;
        if (key) key->bytes[i / 2] = (uint8_t)(key->bytes[i / 2] << 4 | (digit - digits));
    }
    return true;
}

static bool is_left_over(const char *name) {
    for (int i = 0; i < 32; i++)
        if (!isxdigit((unsigned char)name[i])) return false;
    return has_suffix(name, WL_CACHE_TEMP) || has_suffix(name, WL_CACHE_LOCK);
}

/* ---- reading the folder ---- */

static bool add(struct files *files, const char *name, const struct stat *info) {
    if (files->count == files->room) {
        size_t room = files->room ? 2 * files->room : 64;
        struct file *larger = wl_realloc(files->at, room * sizeof *larger);
        if (!larger) return false;
        files->at = larger;
        files->room = room;
    }
    struct file *file = &files->at[files->count++];
    snprintf(file->name, sizeof file->name, "%.47s", name);
    file->bytes = (uint64_t)info->st_size;
    file->used = info->st_mtim;
    return true;
}

/* Entries go into *files; what crashes left behind is removed and counted. */
static enum wl_status scan(struct wl_cache *cache, struct files *files, int *removed,
                           struct wl_error *error) {
    int again = openat(cache->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = again >= 0 ? fdopendir(again) : NULL;
    enum wl_status status = WL_OK;
    struct stat info;
    time_t now = time(NULL);
    if (!dir) {
        status = wl_fail(error, WL_ERR_IO, cache->path, 0, NULL, "cannot be read: %s", strerror(errno));
        if (again >= 0) close(again);
        return status;
    }
    for (struct dirent *entry; !status && (entry = readdir(dir));) {
        const char *name = entry->d_name;
        if (fstatat(cache->folder, name, &info, AT_SYMLINK_NOFOLLOW)) continue;
        if (wl_cache_is_entry(name, NULL)) {
            if (!add(files, name, &info))
                status = wl_fail(error, WL_ERR_NO_MEMORY, cache->path, 0, NULL, "no memory to list it");
        } else if (is_left_over(name) && now - info.st_mtime > STALE_SECONDS)
            *removed += !unlinkat(cache->folder, name, 0);
    }
    closedir(dir);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static int by_use(const void *a, const void *b) { /* the least recent first */
    const struct timespec *x = &((const struct file *)a)->used, *y = &((const struct file *)b)->used;
    if (x->tv_sec != y->tv_sec) return x->tv_sec < y->tv_sec ? -1 : 1;
    return (x->tv_nsec > y->tv_nsec) - (x->tv_nsec < y->tv_nsec);
}

/* ---- eviction ---- */

int wl_cache_evict(struct wl_cache *cache, uint64_t bytes) {
    struct files files = {0};
    int removed = 0;
    uint64_t sum = 0;
    if (!scan(cache, &files, &removed, NULL)) {
        for (size_t i = 0; i < files.count; i++) sum += files.at[i].bytes;
        if (sum > bytes) qsort(files.at, files.count, sizeof *files.at, by_use);
        for (size_t i = 0; i < files.count && sum > bytes; i++) {
            removed += !unlinkat(cache->folder, files.at[i].name, 0);
            sum -= files.at[i].bytes; /* gone either way: if not by us, by another process */
        }
    }
    wl_free(files.at);
    return removed;
}

int wl_cache_prune(struct wl_cache *cache, uint64_t bytes) { return wl_cache_evict(cache, bytes); }

bool wl_cache_remove(struct wl_cache *cache, const char *name) { return !unlinkat(cache->folder, name, 0); }

/* ---- checking ---- */

/* False: another process has removed it since. */
static bool check(struct wl_cache *cache, struct wl_cache_entry *entry) {
    struct stat info;
    struct wl_key key = {{0}};
    struct wl_error error = {0};
    wl_cache_is_entry(entry->name, &key);
    int fd = wl_cache_open_file(cache, entry->name, &info, entry->wrong, sizeof entry->wrong);
    if (fd < 0) return *entry->wrong != '\0';
    size_t size = (size_t)info.st_size;
    char *bytes = wl_realloc(NULL, size + 1);
    ssize_t got = bytes ? pread(fd, bytes, size, 0) : -1;
    if (got != (ssize_t)size) snprintf(entry->wrong, sizeof entry->wrong, "cannot be read whole");
    else if (wl_cache_entry_decode(&entry->image, &key, bytes, size, &error))
        snprintf(entry->wrong, sizeof entry->wrong, "%.150s", error.text);
    wl_free(bytes);
    close(fd);
    return true;
}

enum wl_status wl_cache_each(struct wl_cache *cache,
                             bool (*fn)(void *user, const struct wl_cache_entry *entry), void *user,
                             struct wl_error *error) {
    struct files files = {0};
    int removed = 0;
    bool go_on = true;
    enum wl_status status = scan(cache, &files, &removed, error);
    if (!status && files.count) qsort(files.at, files.count, sizeof *files.at, by_name);
    for (size_t i = 0; !status && go_on && i < files.count; i++) {
        struct wl_cache_entry entry = {.bytes = files.at[i].bytes, .used = files.at[i].used.tv_sec};
        memcpy(entry.name, files.at[i].name, sizeof entry.name);
        if (check(cache, &entry)) go_on = fn(user, &entry);
        wl_image_fini(&entry.image);
    }
    wl_free(files.at);
    return status;
}
