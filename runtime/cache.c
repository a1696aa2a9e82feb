/* cache: see cache.h. The folder and who else could write it are cache_folder.c, what is done to all entries
 * cache_scan.c, the bytes of one cache_entry.c. */
#include "runtime/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/cache_entry.h"
#include "runtime/cache_parts.h"

#define WAIT_MS 30000

void wl_cache_warn(struct wl_cache *cache, const char *format, ...) {
    char line[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    bool again = atomic_exchange(&cache->warned, true);
    wl_log_line(cache->log, again ? WL_LOG_DEBUG : WL_LOG_WARN, "cache %s: %s", cache->path, line);
}

static void name_of(const struct wl_key *key, const char *suffix, char *out, size_t room) {
    char text[33];
    wl_key_text(key, text);
    snprintf(out, room, "%s%s", text, suffix);
}

/* ---- loading ---- */

int wl_cache_open_file(const struct wl_cache *cache, const char *name, struct stat *info, char *why,
                       size_t room) {
    *why = '\0';
    /* O_NONBLOCK: opening a pipe that somebody put there must not wait for a writer. */
    int fd = openat(cache->folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        if (errno == ELOOP) snprintf(why, room, "is a symbolic link");
        else if (errno != ENOENT) snprintf(why, room, "cannot be opened: %s", strerror(errno));
        return -1;
    }
    if (fstat(fd, info)) snprintf(why, room, "cannot be looked at: %s", strerror(errno));
    else if (!S_ISREG(info->st_mode)) snprintf(why, room, "is no regular file");
    else if (info->st_uid != geteuid()) snprintf(why, room, "belongs to user %u", (unsigned)info->st_uid);
    else if (info->st_mode & 022)
        snprintf(why, room, "others may write it (mode %03o)", info->st_mode & 0777u);
    else if (info->st_size > (off_t)WL_CACHE_ENTRY_MAX) snprintf(why, room, "is too large");
    else return fd;
    close(fd);
    return -1;
}

static bool read_all(int fd, char *bytes, size_t size) {
    while (size) {
        ssize_t got = read(fd, bytes, size);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        bytes += got;
        size -= (size_t)got;
    }
    return true;
}

/* A file that was opened becomes an image. WL_ERR_INPUT: it is broken. */
static enum wl_status decode_file(int fd, size_t size, const struct wl_key *key, struct wl_image *image,
                                  struct wl_error *error) {
    char *bytes = wl_realloc(NULL, size + 1);
    if (!bytes)
        return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for %zu bytes of a cache entry",
                       size);
    enum wl_status status = read_all(fd, bytes, size)
                                ? wl_cache_entry_decode(image, key, bytes, size, error)
                                : wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "cannot be read whole");
    wl_free(bytes);
    return status;
}

enum wl_status wl_cache_load(struct wl_cache *cache, const struct wl_key *key, struct wl_image *image,
                             bool *found, struct wl_error *error) {
    char name[48], why[160];
    struct stat info;
    struct wl_error broken = {0};
    *found = false;
    name_of(key, WL_CACHE_SUFFIX, name, sizeof name);
    int fd = wl_cache_open_file(cache, name, &info, why, sizeof why);
    if (fd < 0) {
        if (*why) wl_cache_warn(cache, "%s %s; the kernel is built again", name, why);
        return WL_OK;
    }
    enum wl_status status = decode_file(fd, (size_t)info.st_size, key, image, &broken);
    if (!status) futimens(fd, NULL); /* used now; where the disk is read only, eviction happens elsewhere */
    close(fd);
    *found = !status;
    if (status == WL_ERR_NO_MEMORY) return wl_fail(error, status, NULL, 0, NULL, "%s", broken.text);
    if (status) {
        wl_cache_warn(cache, "%s %s; the kernel is built again", name, broken.text);
        unlinkat(cache->folder, name, 0);
    }
    return WL_OK;
}

/* ---- storing ---- */

static bool write_all(int fd, const char *bytes, size_t size) {
    while (size) {
        ssize_t put = write(fd, bytes, size);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return false;
        bytes += put;
        size -= (size_t)put;
    }
    return true;
}

/* Beside its name, synced, renamed. NULL: done; else what failed, with errno. */
static const char *write_file(struct wl_cache *cache, const struct wl_key *key, const char *bytes,
                              size_t size) {
    char name[48], temp[96], suffix[48];
    name_of(key, WL_CACHE_SUFFIX, name, sizeof name);
    snprintf(suffix, sizeof suffix, ".%ld-%u" WL_CACHE_TEMP, (long)getpid(),
             atomic_fetch_add(&cache->serial, 1));
    name_of(key, suffix, temp, sizeof temp);
    unlinkat(cache->folder, temp, 0); /* of a process that had our number and died */
    int fd = openat(cache->folder, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return "create";
    const char *failed = NULL;
    if (!write_all(fd, bytes, size)) failed = "write";
    else if (fsync(fd)) failed = "sync";
    int why = errno;
    if (close(fd) && !failed) failed = "close", why = errno;
    if (!failed && renameat(cache->folder, temp, cache->folder, name)) failed = "rename", why = errno;
    if (failed) unlinkat(cache->folder, temp, 0);
    else fsync(cache->folder);
    errno = why;
    return failed;
}

void wl_cache_store(struct wl_cache *cache, const struct wl_key *key, const struct wl_image *image) {
    size_t size;
    char text[33];
    char *bytes = wl_cache_entry_encode(key, image, &size);
    if (!bytes) return wl_cache_warn(cache, "no memory to write an entry");
    const char *failed =
        size <= cache->bytes && size <= WL_CACHE_ENTRY_MAX ? write_file(cache, key, bytes, size) : "fit";
    wl_key_text(key, text);
    if (!failed) wl_cache_evict(cache, cache->bytes);
    else if (!strcmp(failed, "fit"))
        wl_cache_warn(cache, "%s has %zu bytes, more than the limit of %llu", text, size,
                      (unsigned long long)cache->bytes);
    else
        wl_cache_warn(cache, "cannot %s %s: %s; kernels are built without it", failed, text, strerror(errno));
    wl_free(bytes);
}

/* ---- one builder at a time ---- */

static int64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* A lock that cannot be had costs a second build at worst. The kernel lets go of it when its holder dies. */
void wl_cache_acquire(struct wl_cache *cache, const struct wl_key *key, struct wl_cache_lock *lock) {
    struct timespec nap = {0, 1000000};
    int64_t end = now_ms() + WAIT_MS;
    name_of(key, WL_CACHE_LOCK, lock->name, sizeof lock->name);
    lock->fd =
        openat(cache->folder, lock->name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (lock->fd < 0) return;
    while (flock(lock->fd, LOCK_EX | LOCK_NB)) {
        if ((errno != EWOULDBLOCK && errno != EINTR) || now_ms() > end) {
            wl_log_line(cache->log, WL_LOG_INFO, "cache %s: waited for %s in vain", cache->path, lock->name);
            close(lock->fd);
            lock->fd = -1;
            return;
        }
        nanosleep(&nap, NULL);
        if (nap.tv_nsec < 20000000) nap.tv_nsec += nap.tv_nsec / 2;
    }
}

/* Who waits on the name that is removed gets the lock of a file without one, and finds the entry on disk. */
void wl_cache_release(struct wl_cache *cache, struct wl_cache_lock *lock) {
    if (lock->fd < 0) return;
    unlinkat(cache->folder, lock->name, 0);
    close(lock->fd);
    lock->fd = -1;
}
