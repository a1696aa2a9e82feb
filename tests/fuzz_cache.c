/* Hostile cache entries: refused with one clear line, or an image whose every byte can be read. A hash put
 * right behind the bytes lets them past the check that stops all others. */
#include "tests/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "gen/arena.h"
#include "runtime/cache_entry.h"

const char *const wl_fuzz_words[] = {"WLKERNEL", "\1\1\1\1", "\377\377\377\377\377\377\377\377",
                                     "\177ELF",  "kernel",   "sm_100a",
                                     "0.1.0",    NULL};

static const struct wl_key key = {{1, 2, 3, 4}};

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    static char cubin[] = "\177ELF and more", ptx[] = ".version 8.8";
    struct wl_image image = {.ptx = ptx, .ptx_bytes = sizeof ptx - 1};
    size_t size = 0;
    if (index > 1) return 0;
    if (index) image.cubin = cubin, image.cubin_bytes = sizeof cubin - 1;
    strcpy(image.schedule, "embedded:x.lua");
    strcpy(image.launch.entry, "kernel");
    strcpy(image.launch.target, "sm_100a");
    image.launch.threads = image.launch.cluster = image.launch.rows_per_tile = 1;
    void *bytes = wl_cache_entry_encode(&key, &image, &size);
    size = bytes && size - sizeof(XXH128_canonical_t) <= room ? size - sizeof(XXH128_canonical_t) : 0;
    if (size) memcpy(out, bytes, size);
    wl_free(bytes);
    return size;
}

static void decode(const uint8_t *bytes, size_t size) {
    struct wl_image image;
    struct wl_error error = {0};
    enum wl_status status = wl_cache_entry_decode(&image, &key, bytes, size, &error);
    if (status) {
        if (status != WL_ERR_INPUT || !error.text[0] || strchr(error.text, '\n') || image.ptx || image.cubin)
            abort();
        return;
    }
    if (image.ptx[image.ptx_bytes] || strlen(image.launch.entry) >= sizeof image.launch.entry ||
        strlen(image.schedule) >= sizeof image.schedule ||
        (image.cubin_bytes && image.cubin[image.cubin_bytes]))
        abort();
    wl_image_fini(&image);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    XXH128_canonical_t hash;
    uint8_t *exact = malloc(size + sizeof hash); /* no byte to spare: a read past the end is seen */
    if (!exact) return 0;
    if (size) memcpy(exact, bytes, size);
    XXH128_canonicalFromHash(&hash, XXH3_128bits(exact, size));
    memcpy(exact + size, &hash, sizeof hash);
    decode(exact, size + sizeof hash);
    free(exact);
    exact = malloc(size ? size : 1);
    if (exact && size) memcpy(exact, bytes, size);
    if (exact) decode(exact, size);
    free(exact);
    return 0;
}
