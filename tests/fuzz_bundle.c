/* Hostile bundles: refused with one clear line, or kernels whose every byte can be read. A header whose hash
 * is put right lets the index past the check that stops all others. */
#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "gen/arena.h"
#include "runtime/bundle.h"

const char *const wl_fuzz_words[] = {"WLBUNDLE", "WLKERNEL", "\1\1\1\1", "\377\377\377\377\377\377\377\377",
                                     "sm_100a",  "0.1.0",    "\2",       NULL};

enum { HEADER = 64, HASH_AT = 48, PLACE = 48, COUNT_AT = 12, SIZE_AT = 32 };

static void make(struct wl_bundle_item *item, int number) {
    static char cubin[] = "\177ELF and more", ptx[] = ".version 8.8";
    memset(item, 0, sizeof *item);
    item->key.bytes[0] = (uint8_t)number;
    item->image.ptx = ptx, item->image.ptx_bytes = sizeof ptx - 1;
    if (number) item->image.cubin = cubin, item->image.cubin_bytes = sizeof cubin - 1;
    strcpy(item->image.schedule, "embedded:x.lua");
    strcpy(item->image.launch.entry, "kernel");
    strcpy(item->image.launch.target, number ? "sm_100a" : "sm_90a");
    item->image.launch.threads = item->image.launch.cluster = item->image.launch.rows_per_tile = 1;
}

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    struct wl_bundle_item items[3];
    char path[] = "/tmp/wl-fuzz-bundle.XXXXXX";
    if (index > 2) return 0;
    for (size_t i = 0; i <= index; i++) make(&items[i], (int)i);
    int fd = mkstemp(path);
    if (fd < 0) return 0;
    close(fd);
    size_t size = 0;
    FILE *file = wl_bundle_write(path, items, index + 1, NULL) ? NULL : fopen(path, "rb");
    if (file) size = fread(out, 1, room, file), fclose(file);
    unlink(path);
    return size;
}

static enum wl_status look(void *user, const struct wl_key *key, const struct wl_image *image,
                           struct wl_error *error) {
    (void)user, (void)key, (void)error;
    if (image->ptx[image->ptx_bytes] || strlen(image->launch.entry) >= sizeof image->launch.entry ||
        (image->cubin_bytes && image->cubin[image->cubin_bytes]))
        abort();
    return WL_OK;
}

static void open_one(const uint8_t *bytes, size_t size) {
    struct wl_bundle *bundle;
    struct wl_error error = {0};
    char path[64];
    int fd = memfd_create("bundle", 0);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size) abort();
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    enum wl_status status = wl_bundle_open(&bundle, path, &error);
    if (!status) status = wl_bundle_each(bundle, look, NULL, &error);
    if (status && (status != WL_ERR_INPUT || !error.text[0] || strchr(error.text, '\n'))) abort();
    wl_bundle_close(bundle);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    open_one(bytes, size);
    if (size < HEADER) return 0;
    uint8_t *right = malloc(size);
    uint32_t count;
    uint64_t all = size;
    if (!right) return 0;
    memcpy(right, bytes, size);
    memcpy(right + SIZE_AT, &all, sizeof all);
    memcpy(&count, right + COUNT_AT, sizeof count);
    count %= 8;
    if (HEADER + count * PLACE <= size) {
        XXH128_canonical_t hash;
        memcpy(right + COUNT_AT, &count, sizeof count);
        memset(right + HASH_AT, 0, sizeof hash);
        XXH128_canonicalFromHash(&hash, XXH3_128bits(right, HEADER + count * PLACE));
        memcpy(right + HASH_AT, &hash, sizeof hash);
        open_one(right, size);
    }
    free(right);
    return 0;
}
