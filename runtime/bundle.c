/* bundle: see bundle.h. */
#include "runtime/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "gen/version.h"
#include "runtime/cache_entry.h"

#define FORMAT    1
#define COUNT_MAX 65536u

static const char magic[8] = "WLBUNDLE"; /* not terminated */

struct header {
    char magic[8];
    uint32_t format, count;
    char generator[16];
    uint64_t file_bytes, unused; /* 0 */
    XXH128_canonical_t hash;     /* of the header with zeroes here, and of the index */
};

struct place { /* a row of the index */
    struct wl_key key;
    char target[16];
    uint64_t offset, bytes;
};
_Static_assert(sizeof(struct header) == 64 && sizeof(struct place) == 48,
               "no holes: they are written as they are");

struct wl_bundle {
    int fd;
    size_t count;
    struct place *index;
    char targets[256];
    char path[];
};

/* ---- reading ---- */

static bool read_at(int fd, void *to, size_t size, uint64_t offset) {
    char *bytes = to;
    while (size) {
        ssize_t got = pread(fd, bytes, size, (off_t)offset);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return false;
        bytes += got, offset += (uint64_t)got, size -= (size_t)got;
    }
    return true;
}

static XXH128_canonical_t hash_of(const struct header *header, const struct place *index) {
    struct header plain = *header;
    XXH128_canonical_t out;
    XXH3_state_t *state = XXH3_createState();
    memset(&plain.hash, 0, sizeof plain.hash);
    memset(&out, 0, sizeof out);
    if (!state) return out;
    XXH3_128bits_reset(state);
    XXH3_128bits_update(state, &plain, sizeof plain);
    XXH3_128bits_update(state, index, header->count * sizeof *index);
    XXH128_canonicalFromHash(&out, XXH3_128bits_digest(state));
    XXH3_freeState(state);
    return out;
}

static enum wl_status wrong(const struct wl_bundle *bundle, struct wl_error *error, const char *what) {
    return wl_fail(error, WL_ERR_INPUT, bundle->path, 0, NULL, "%s", what);
}

static enum wl_status check_header(const struct wl_bundle *bundle, const struct header *header, uint64_t size,
                                   struct wl_error *error) {
    if (memcmp(header->magic, magic, sizeof magic)) return wrong(bundle, error, "is no bundle of warploom");
    if (header->format != FORMAT)
        return wl_fail(error, WL_ERR_INPUT, bundle->path, 0, NULL,
                       "is a bundle of format %u, this program reads %d; pack it again", header->format,
                       FORMAT);
    if (strncmp(header->generator, WL_VERSION,
                sizeof header->generator)) { /* its hash is not known to be right yet */
        char version[sizeof header->generator + 1] = "";
        memcpy(version, header->generator, sizeof header->generator);
        version[strspn(version, "0123456789.")] = '\0';
        return wl_fail(error, WL_ERR_INPUT, bundle->path, 0, NULL,
                       "is a bundle of warploom %s, this is " WL_VERSION "; pack it again", version);
    }
    if (header->file_bytes != size || header->count > COUNT_MAX ||
        size < sizeof *header + header->count * sizeof(struct place))
        return wl_fail(error, WL_ERR_INPUT, bundle->path, 0, NULL,
                       "is cut short, or too long: %llu bytes of %llu", (unsigned long long)size,
                       (unsigned long long)header->file_bytes);
    return WL_OK;
}

/* Rows must lie inside the file and in order: a search relies on it. */
static enum wl_status check_index(const struct wl_bundle *bundle, uint64_t size, struct wl_error *error) {
    uint64_t least = sizeof(struct header) + bundle->count * sizeof *bundle->index;
    for (size_t i = 0; i < bundle->count; i++) {
        const struct place *p = &bundle->index[i];
        bool inside = p->offset >= least && p->offset <= size && p->bytes <= size - p->offset &&
                      p->bytes <= WL_CACHE_ENTRY_MAX;
        bool sorted = !i || memcmp(&p[-1].key, &p->key, sizeof p->key) < 0;
        if (!inside || !sorted || !*p->target || !memchr(p->target, '\0', sizeof p->target))
            return wrong(bundle, error, "its index is none");
    }
    return WL_OK;
}

static void list_targets(struct wl_bundle *bundle) {
    size_t length = 0;
    for (size_t i = 0; i < bundle->count; i++) {
        const char *target = bundle->index[i].target;
        bool seen = false;
        for (size_t j = 0; j < i && !seen; j++) seen = !strcmp(target, bundle->index[j].target);
        if (!seen && length < sizeof bundle->targets - 20)
            length += (size_t)snprintf(bundle->targets + length, sizeof bundle->targets - length, "%s%s",
                                       length ? "," : "", target);
    }
}

static enum wl_status read_index(struct wl_bundle *bundle, struct wl_error *error) {
    struct header header;
    struct stat info;
    if (fstat(bundle->fd, &info) || !S_ISREG(info.st_mode)) return wrong(bundle, error, "is no regular file");
    uint64_t size = (uint64_t)info.st_size;
    if (size < sizeof header || !read_at(bundle->fd, &header, sizeof header, 0))
        return wrong(bundle, error, "is no bundle of warploom, or cut short");
    enum wl_status status = check_header(bundle, &header, size, error);
    if (status) return status;
    size_t bytes = header.count * sizeof *bundle->index;
    bundle->index = wl_realloc(NULL, bytes + 1);
    if (!bundle->index)
        return wl_fail(error, WL_ERR_NO_MEMORY, bundle->path, 0, NULL, "no memory for its index");
    if (!read_at(bundle->fd, bundle->index, bytes, sizeof header))
        return wrong(bundle, error, "cannot be read whole");
    XXH128_canonical_t hash = hash_of(&header, bundle->index);
    if (memcmp(&hash, &header.hash, sizeof hash))
        return wrong(bundle, error, "its index's hash differs: a bit has changed");
    bundle->count = header.count;
    status = check_index(bundle, size, error);
    if (!status) list_targets(bundle);
    return status;
}

enum wl_status wl_bundle_open(struct wl_bundle **bundle, const char *path, struct wl_error *error) {
    *bundle = NULL;
    struct wl_bundle *fresh = wl_realloc(NULL, sizeof *fresh + strlen(path) + 1);
    if (!fresh) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory for a bundle");
    *fresh = (struct wl_bundle){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    strcpy(fresh->path, path);
    enum wl_status status = fresh->fd < 0 ? wl_fail(error, WL_ERR_INPUT, path, 0, NULL,
                                                    "cannot open the bundle: %s", strerror(errno))
                                          : read_index(fresh, error);
    if (status) wl_bundle_close(fresh);
    else *bundle = fresh;
    return status;
}

void wl_bundle_close(struct wl_bundle *bundle) {
    if (!bundle) return;
    if (bundle->fd >= 0) close(bundle->fd);
    wl_free(bundle->index);
    wl_free(bundle);
}

const char *wl_bundle_path(const struct wl_bundle *bundle) { return bundle->path; }
const char *wl_bundle_targets(const struct wl_bundle *bundle) { return bundle->targets; }

/* ---- kernels ---- */

static int by_key(const void *key, const void *place) {
    return memcmp(key, &((const struct place *)place)->key, sizeof(struct wl_key));
}

static enum wl_status load_at(const struct wl_bundle *bundle, const struct place *place,
                              struct wl_image *image, struct wl_error *error) {
    char key[33];
    struct wl_error why = {0};
    char *bytes = wl_realloc(NULL, place->bytes + 1);
    if (!bytes)
        return wl_fail(error, WL_ERR_NO_MEMORY, bundle->path, 0, NULL, "no memory for a kernel of %llu bytes",
                       (unsigned long long)place->bytes);
    enum wl_status status = read_at(bundle->fd, bytes, place->bytes, place->offset)
                                ? wl_cache_entry_decode(image, &place->key, bytes, place->bytes, &why)
                                : wl_fail(&why, WL_ERR_INPUT, NULL, 0, NULL, "cannot be read whole");
    wl_free(bytes);
    wl_key_text(&place->key, key);
    if (!status && strcmp(image->launch.target, place->target)) {
        wl_image_fini(image);
        status = wl_fail(&why, WL_ERR_INPUT, NULL, 0, NULL, "is not for %s", place->target);
    }
    return status ? wl_fail(error, status, bundle->path, 0, NULL, "its kernel %s %s", key, why.text) : WL_OK;
}

enum wl_status wl_bundle_load(const struct wl_bundle *bundle, const struct wl_key *key,
                              struct wl_image *image, bool *found, struct wl_error *error) {
    const struct place *place =
        bundle->count ? bsearch(key, bundle->index, bundle->count, sizeof *bundle->index, by_key) : NULL;
    *found = false;
    if (!place) return WL_OK;
    enum wl_status status = load_at(bundle, place, image, error);
    *found = !status;
    return status;
}

enum wl_status wl_bundle_each(const struct wl_bundle *bundle,
                              enum wl_status (*fn)(void *, const struct wl_key *, const struct wl_image *,
                                                   struct wl_error *),
                              void *user, struct wl_error *error) {
    enum wl_status status = WL_OK;
    for (size_t i = 0; !status && i < bundle->count; i++) {
        struct wl_image image = {0};
        status = load_at(bundle, &bundle->index[i], &image, error);
        if (!status) status = fn(user, &bundle->index[i].key, &image, error);
        wl_image_fini(&image);
    }
    return status;
}

/* ---- writing ---- */

static int by_item(const void *a, const void *b) {
    return memcmp(&((const struct wl_bundle_item *)a)->key, &((const struct wl_bundle_item *)b)->key,
                  sizeof(struct wl_key));
}

/* The kernels one after another; their places go into the index. */
static enum wl_status put_all(struct wl_text *body, struct place *index, const struct wl_bundle_item *items,
                              size_t count, struct wl_error *error) {
    uint64_t start = sizeof(struct header) + count * sizeof *index;
    for (size_t i = 0; i < count; i++) {
        size_t bytes;
        char *entry = wl_cache_entry_encode(&items[i].key, &items[i].image, &bytes);
        if (!entry) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a bundle");
        memset(&index[i], 0, sizeof index[i]);
        index[i].key = items[i].key;
        snprintf(index[i].target, sizeof index[i].target, "%s", items[i].image.launch.target);
        index[i].offset = start + body->length;
        index[i].bytes = bytes;
        wl_text_append(body, entry, bytes);
        wl_free(entry);
        if (i && !by_item(&items[i - 1], &items[i]))
            return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "two kernels for one problem: %s and %s",
                           items[i - 1].image.launch.entry, items[i].image.launch.entry);
    }
    return body->failed ? wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a bundle") : WL_OK;
}

enum wl_status wl_bundle_write(const char *path, struct wl_bundle_item *items, size_t count,
                               struct wl_error *error) {
    size_t head_bytes = sizeof(struct header) + count * sizeof(struct place);
    struct wl_text body = {0};
    if (count > COUNT_MAX)
        return wl_fail(error, WL_ERR_INPUT, path, 0, NULL, "%zu kernels; a bundle holds %u", count,
                       COUNT_MAX);
    struct header *header = wl_realloc(NULL, head_bytes);
    if (!header) return wl_fail(error, WL_ERR_NO_MEMORY, path, 0, NULL, "no memory for a bundle");
    struct place *index = (struct place *)(header + 1);
    memset(header, 0, sizeof *header);
    if (count) qsort(items, count, sizeof *items, by_item);
    enum wl_status status = put_all(&body, index, items, count, error);
    if (!status) {
        memcpy(header->magic, magic, sizeof magic);
        header->format = FORMAT;
        header->count = (uint32_t)count;
        snprintf(header->generator, sizeof header->generator, "%s", WL_VERSION);
        header->file_bytes = head_bytes + body.length;
        header->hash = hash_of(header, index);
        status = wl_file_write2(path, header, head_bytes, body.bytes, body.length, error);
    }
    wl_text_fini(&body);
    wl_free(header);
    return status;
}
