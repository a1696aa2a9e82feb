/* cache_entry: see cache_entry.h. */
#include "runtime/cache_entry.h"

#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "gen/arena.h"
#include "gen/version.h"

#define FORMAT 2

static const char magic[8] = "WLKERNEL"; /* not terminated */

struct header {
    char magic[8];
    uint32_t format, header_bytes;
    struct wl_key key;
    char generator[16];
    uint64_t cubin_bytes, ptx_bytes; /* ptx_bytes without the 0 behind it */
    char schedule[256];
    struct wl_launch launch;
};

void *wl_cache_entry_encode(const struct wl_key *key, const struct wl_image *image, size_t *bytes) {
    struct header header;
    memset(&header, 0, sizeof header);
    memcpy(header.magic, magic, sizeof magic);
    header.format = FORMAT;
    header.header_bytes = sizeof header;
    header.key = *key;
    snprintf(header.generator, sizeof header.generator, "%s", WL_VERSION);
    header.cubin_bytes = image->cubin_bytes;
    header.ptx_bytes = image->ptx_bytes;
    memcpy(header.schedule, image->schedule, sizeof header.schedule);
    header.launch = image->launch;
    size_t body = sizeof header + image->cubin_bytes + image->ptx_bytes + 1;
    char *out = wl_realloc(NULL, body + sizeof(XXH128_canonical_t));
    if (!out) return NULL;
    memcpy(out, &header, sizeof header);
    if (image->cubin_bytes) memcpy(out + sizeof header, image->cubin, image->cubin_bytes);
    memcpy(out + sizeof header + image->cubin_bytes, image->ptx, image->ptx_bytes);
    out[body - 1] = '\0';
    XXH128_canonical_t hash;
    XXH128_canonicalFromHash(&hash, XXH3_128bits(out, body));
    memcpy(out + body, &hash, sizeof hash);
    *bytes = body + sizeof hash;
    return out;
}

/* ---- reading: nothing is believed before the hash, little after it ---- */

static bool is_text(const char *text, size_t room) { return *text && memchr(text, '\0', room); }

static bool launch_is_sane(const struct wl_launch *launch) {
    if (!is_text(launch->entry, sizeof launch->entry) || !is_text(launch->target, sizeof launch->target))
        return false;
    if (!launch->threads || launch->threads > 1024 || !launch->cluster || launch->cluster > 16) return false;
    return launch->rows_per_tile && launch->param_count <= WL_LAUNCH_MAX_PARAMS &&
           launch->grid <= WL_GRID_PERSISTENT;
}

static enum wl_status wrong(struct wl_error *error, const char *what) {
    return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "%s", what);
}

static enum wl_status check(const struct header *header, const struct wl_key *key, const char *bytes,
                            size_t size, struct wl_error *error) {
    XXH128_canonical_t hash;
    size_t rest = size - sizeof *header - sizeof hash;
    if (memcmp(header->magic, magic, sizeof magic)) return wrong(error, "is no cache entry");
    if (header->format != FORMAT || header->header_bytes != sizeof *header)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "has format %u, this program reads %d",
                       header->format, FORMAT);
    if (header->cubin_bytes > rest || header->ptx_bytes > rest ||
        header->cubin_bytes + header->ptx_bytes + 1 != rest)
        return wrong(error, "is cut short, or too long");
    XXH128_canonicalFromHash(&hash, XXH3_128bits(bytes, size - sizeof hash));
    if (memcmp(&hash, bytes + size - sizeof hash, sizeof hash))
        return wrong(error, "its hash differs: a bit has changed");
    if (memcmp(&header->key, key, sizeof *key)) return wrong(error, "is another kernel's");
    if (strncmp(header->generator, WL_VERSION, sizeof header->generator))
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, NULL, "is of warploom %.15s", header->generator);
    if (!launch_is_sane(&header->launch) || !is_text(header->schedule, sizeof header->schedule))
        return wrong(error, "its launch record is none");
    return WL_OK;
}

static char *copy(const char *bytes, size_t size) {
    char *out = wl_realloc(NULL, size + 1);
    if (!out) return NULL;
    memcpy(out, bytes, size);
    out[size] = '\0';
    return out;
}

enum wl_status wl_cache_entry_decode(struct wl_image *image, const struct wl_key *key, const void *bytes,
                                     size_t size, struct wl_error *error) {
    struct header header;
    const char *body = (const char *)bytes + sizeof header;
    *image = (struct wl_image){0};
    if (size < sizeof header + sizeof(XXH128_canonical_t) + 1) return wrong(error, "is cut short");
    memcpy(&header, bytes, sizeof header);
    enum wl_status status = check(&header, key, bytes, size, error);
    if (status) return status;
    image->launch = header.launch;
    memcpy(image->schedule, header.schedule, sizeof image->schedule);
    image->cubin_bytes = header.cubin_bytes;
    image->ptx_bytes = header.ptx_bytes;
    if (header.cubin_bytes) image->cubin = copy(body, header.cubin_bytes);
    image->ptx = copy(body + header.cubin_bytes, header.ptx_bytes);
    if (image->ptx && (image->cubin || !header.cubin_bytes)) return WL_OK;
    wl_image_fini(image);
    return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, NULL, "no memory for a kernel of %zu bytes", size);
}
