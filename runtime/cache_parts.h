/* cache_parts: what the files of the cache share. Every name is relative to the folder that was opened and
 * judged once, so that nobody can put another one in its place. */
#ifndef WL_CACHE_PARTS_H
#define WL_CACHE_PARTS_H

#include <stdatomic.h>
#include <sys/stat.h>

#include "runtime/cache.h"

#define WL_CACHE_SUFFIX ".wlk"  /* <32 hexadecimal digits>.wlk */
#define WL_CACHE_LOCK   ".lock" /* <32 hexadecimal digits>.lock */
#define WL_CACHE_TEMP   ".tmp"  /* <32 hexadecimal digits>.<process>-<serial>.tmp */

struct wl_cache {
    int folder; /* of the cache, open */
    uint64_t bytes;
    const struct wl_log *log;
    atomic_bool warned;
    atomic_uint serial;
    char path[];
};

/* Once a cache; at debug level from then on. */
void wl_cache_warn(struct wl_cache *cache, const char *format, ...) __attribute__((format(printf, 2, 3)));

bool wl_cache_is_entry(const char *name, struct wl_key *key); /* key may be NULL */

/* Opens a file of the folder for reading. -1: it is not there (*why empty), or cannot be trusted. */
int wl_cache_open_file(const struct wl_cache *cache, const char *name, struct stat *info, char *why,
                       size_t room);

/* Down to `bytes`, the least recently used first; how many were removed. */
int wl_cache_evict(struct wl_cache *cache, uint64_t bytes);

#endif
