/* cache_entry: the bytes of one file of the cache.
 *
 *     header (fixed size, padded with zeroes) | cubin | PTX, and a 0 | XXH3-128 of all before it
 *
 * Written and read on one machine: byte order and layout are its own. */
#ifndef WL_CACHE_ENTRY_H
#define WL_CACHE_ENTRY_H

#include "runtime/choose.h"
#include "runtime/image.h"

#define WL_CACHE_ENTRY_MAX ((size_t)64 << 20)

/* One block on the heap; NULL: no memory. */
void *wl_cache_entry_encode(const struct wl_key *key, const struct wl_image *image, size_t *bytes);

/* WL_ERR_INPUT: the text says what is wrong: cut short, another version, another key, a hash that differs. */
enum wl_status wl_cache_entry_decode(struct wl_image *image, const struct wl_key *key, const void *bytes,
                                     size_t size, struct wl_error *error);

#endif
