/* cache: kernels on disk, for any number of processes and threads at once.
 *
 * A folder of mode 0700 with a file of mode 0600 for each kernel, named by its key. A file is written beside
 * its name, synced and renamed, so it is whole or not there; a hash over all of it is checked at each load.
 * What another user owns or may write, and what is a symbolic link, is not touched. Nothing here fails but
 * for lack of memory: a file that cannot be read or written is one that is not there, and the first such
 * trouble is a warning. */
#ifndef WL_CACHE_H
#define WL_CACHE_H

#include "runtime/choose.h"
#include "runtime/image.h"
#include "runtime/log.h"

#define WL_CACHE_BYTES_DEFAULT (1ull << 30)

struct wl_cache; /* opaque */

/* given, else $WARPLOOM_CACHE_DIR, else $XDG_CACHE_HOME/warploom, else $HOME/.cache/warploom.
 * WL_ERR_ENVIRONMENT: none of them is set. */
enum wl_status wl_cache_path(const char *given, char *path, size_t path_bytes, struct wl_error *error);

/* WARPLOOM_CACHE_BYTES: "1073741824", "512M", "2G". WL_ERR_USAGE for another value. */
enum wl_status wl_cache_limit(uint64_t given, uint64_t *bytes, struct wl_error *error);

/* path must exist, or be possible to create. WL_ERR_IO: no folder that can be trusted. log lives longer. */
enum wl_status wl_cache_open(struct wl_cache **cache, const char *path, uint64_t bytes,
                             const struct wl_log *log, struct wl_error *error);
void wl_cache_close(struct wl_cache *cache); /* NULL allowed */
const char *wl_cache_folder(const struct wl_cache *cache);

/* *found: the image was there and right; the caller ends it. WL_ERR_NO_MEMORY only. */
enum wl_status wl_cache_load(struct wl_cache *cache, const struct wl_key *key, struct wl_image *image,
                             bool *found, struct wl_error *error);
/* Evicts the least recently used ones where the limit is passed. */
void wl_cache_store(struct wl_cache *cache, const struct wl_key *key, const struct wl_image *image);

/* Waits until no other process builds this key, at most some 30 s; then that is ours until released. */
struct wl_cache_lock {
    int fd; /* -1: not locked */
    char name[48];
};
void wl_cache_acquire(struct wl_cache *cache, const struct wl_key *key, struct wl_cache_lock *lock);
void wl_cache_release(struct wl_cache *cache, struct wl_cache_lock *lock);

/* ---- for `warploom cache` ---- */

struct wl_cache_entry {
    char name[48]; /* of the file */
    uint64_t bytes;
    int64_t used;          /* when last loaded, seconds since 1970 */
    char wrong[160];       /* what is wrong with it; "": nothing */
    struct wl_image image; /* filled where nothing is wrong; good during the call */
};
/* Reads and checks every entry, by name; fn returns whether to go on. */
enum wl_status wl_cache_each(struct wl_cache *cache,
                             bool (*fn)(void *user, const struct wl_cache_entry *entry), void *user,
                             struct wl_error *error);
bool wl_cache_remove(struct wl_cache *cache, const char *name);
/* Removes what crashes left behind, and least recently used entries down to `bytes`. Returns how many files.
 */
int wl_cache_prune(struct wl_cache *cache, uint64_t bytes);

#endif
