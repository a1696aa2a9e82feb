/* bundle: kernels in one file, for a deployment with no compiler and a read-only disk. `warploom pack` writes
 * it, wl_open() reads it.
 *
 *     header: magic, format, how many, warploom's version, the file's size, XXH3-128 of header and index
 *     index:  per kernel its key, target, place and size, sorted by key
 *     the kernels, each as the disk cache keeps it (cache_entry.h), with its own hash
 *
 * Opening reads header and index; a kernel is read, and its hash checked, when it is asked for. A key stands
 * for the problem and the target alone, so any driver version finds it. The file may go to another machine:
 * all numbers are little-endian, as on every host of such a GPU. */
#ifndef WL_BUNDLE_H
#define WL_BUNDLE_H

#include "runtime/choose.h"
#include "runtime/image.h"

struct wl_bundle; /* opaque; any thread may use it */

/* WL_ERR_INPUT: it cannot be read, or is not whole, not of this version, or no bundle; the text says which.
 */
enum wl_status wl_bundle_open(struct wl_bundle **bundle, const char *path, struct wl_error *error);
void wl_bundle_close(struct wl_bundle *bundle); /* NULL allowed */

const char *wl_bundle_path(const struct wl_bundle *bundle);
/* "sm_90a,sm_100a": what its kernels are for. */
const char *wl_bundle_targets(const struct wl_bundle *bundle);

/* *found: the image was there; the caller ends it. WL_ERR_INPUT: it is there and broken. */
enum wl_status wl_bundle_load(const struct wl_bundle *bundle, const struct wl_key *key,
                              struct wl_image *image, bool *found, struct wl_error *error);

/* Every kernel in the index's order; an image that is broken ends it with WL_ERR_INPUT. */
enum wl_status wl_bundle_each(const struct wl_bundle *bundle,
                              enum wl_status (*fn)(void *user, const struct wl_key *key,
                                                   const struct wl_image *image, struct wl_error *error),
                              void *user, struct wl_error *error);

struct wl_bundle_item {
    struct wl_key key;
    struct wl_image image; /* the caller's */
};
/* Sorts the items; written beside its name, synced, renamed. WL_ERR_INPUT: two of them have one key. */
enum wl_status wl_bundle_write(const char *path, struct wl_bundle_item *items, size_t count,
                               struct wl_error *error);

#endif
