/* image: PTX text out of what a program hands in as an image.
 *
 * A fatbin, as nvcc and fatbinary write it (read off CUDA 13.0's files), little endian:
 *
 *   wrapper   u32 0x466243b1, u32 version, u64 address of the container, u64
 *   container u32 0xba55ed50, u16 version, u16 header bytes, u64 bytes of all entries
 *   entry     +0  u16 kind (1 PTX, 2 machine code)   +2  u16 version    +4  u32 header bytes   +8  u64 payload bytes
 *             +16 u32 compressed bytes               +28 u32 sm         +40 u64 flags          +56 u64 bytes of the text
 *   flags     0x2000: the payload is an LZ4 block, 0x8000: a Zstandard frame
 *
 * Both decompressors are the system's own libraries, opened only where an entry needs one. */
#include "runtime/emu/api.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include "gen/arena.h"

#define MAX_TEXT_BYTES ((uint64_t)1 << 30)

enum { KIND_PTX = 1, FLAG_LZ4 = 0x2000, FLAG_ZSTD = 0x8000 };

struct entry {
    uint32_t kind, header_bytes, compressed_bytes, sm;
    uint64_t payload_bytes, flags, text_bytes;
    const uint8_t *payload;
};

static uint64_t field(const uint8_t *at, int bytes) {
    uint64_t value = 0;
    memcpy(&value, at, (size_t)bytes);
    return value;
}

/* False: there is no entry at *at, or it does not fit before the end. */
static bool next_entry(const uint8_t **at, const uint8_t *end, struct entry *entry) {
    const uint8_t *p = *at;
    if (end - p < 64) return false;
    *entry = (struct entry){.kind = (uint32_t)field(p, 2),
                            .header_bytes = (uint32_t)field(p + 4, 4),
                            .payload_bytes = field(p + 8, 8),
                            .compressed_bytes = (uint32_t)field(p + 16, 4),
                            .sm = (uint32_t)field(p + 28, 4),
                            .flags = field(p + 40, 8),
                            .text_bytes = field(p + 56, 8)};
    uint64_t left = (uint64_t)(end - p);
    if (entry->header_bytes < 64 || entry->header_bytes > left) return false;
    if (entry->payload_bytes > left - entry->header_bytes) return false;
    if (entry->compressed_bytes > entry->payload_bytes) return false;
    entry->payload = p + entry->header_bytes;
    *at = entry->payload + entry->payload_bytes;
    return true;
}

static void *symbol(const char *library, const char *name) {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL); /* kept: a program has many such images */
    return handle ? dlsym(handle, name) : NULL;
}

/* Whether exactly text_bytes came out. */
static bool unpack_zstd(char *text, const struct entry *entry, const char **why) {
    size_t (*decompress)(void *, size_t, const void *, size_t);
    void *found = symbol("libzstd.so.1", "ZSTD_decompress");
    *why = "its PTX is compressed with Zstandard and libzstd.so.1 is not here (package libzstd1; nvcc --no-compress)";
    if (!found) return false;
    memcpy(&decompress, &found, sizeof found);
    *why = "its compressed PTX is damaged";
    return decompress(text, entry->text_bytes, entry->payload, entry->compressed_bytes) == entry->text_bytes;
}

static bool unpack_lz4(char *text, const struct entry *entry, const char **why) {
    int (*decompress)(const char *, char *, int, int);
    void *found = symbol("liblz4.so.1", "LZ4_decompress_safe");
    *why = "its PTX is compressed with LZ4 and liblz4.so.1 is not here (package liblz4-1; nvcc --no-compress)";
    if (!found) return false;
    memcpy(&decompress, &found, sizeof found);
    *why = "its compressed PTX is damaged";
    int bytes = decompress((const char *)entry->payload, text, (int)entry->compressed_bytes, (int)entry->text_bytes);
    return bytes >= 0 && (uint64_t)bytes == entry->text_bytes;
}

static char *unpack(const struct entry *entry, const char **why) {
    bool packed = entry->flags & (FLAG_LZ4 | FLAG_ZSTD);
    uint64_t bytes = packed ? entry->text_bytes : entry->payload_bytes;
    *why = "its PTX is larger than 1 GiB";
    if (bytes > MAX_TEXT_BYTES) return NULL;
    char *text = wl_realloc(NULL, bytes + 1);
    *why = "out of memory";
    if (!text) return NULL;
    bool whole = true;
    if (entry->flags & FLAG_ZSTD) whole = unpack_zstd(text, entry, why);
    else if (entry->flags & FLAG_LZ4) whole = unpack_lz4(text, entry, why);
    else memcpy(text, entry->payload, bytes);
    text[bytes] = '\0';
    if (whole) return text;
    wl_free(text);
    return NULL;
}

/* How well a text's .target suits the device: its place in the profile's list, best first; INT32_MAX: not at all. */
static int32_t rank_of(const char *text) {
    const char *target = strstr(text, ".target");
    if (!target) return INT32_MAX;
    target += 7 + strspn(target + 7, " \t");
    size_t length = strcspn(target, ", \t\r\n");
    const char *list = emu_driver.config.profile->targets;
    for (int32_t rank = 0; *list; rank++) {
        size_t n = strcspn(list, " ");
        if (n == length && !memcmp(list, target, n)) return rank;
        list += n + strspn(list + n, " ");
    }
    return INT32_MAX;
}

static CUresult from_fatbin(char **text, const uint8_t *at, struct emu_logs *logs) {
    const uint8_t *end = at + field(at + 6, 2) + field(at + 8, 8);
    const char *why = NULL, *trouble = NULL;
    char said[320], seen[128] = "";
    int32_t best = INT32_MAX;
    struct entry entry;
    for (at += field(at + 6, 2); next_entry(&at, end, &entry);) {
        size_t used = strlen(seen);
        snprintf(seen + used, sizeof seen - used, "%s%s for sm_%u", used ? ", " : "",
                 entry.kind == KIND_PTX ? "PTX" : "machine code", entry.sm);
        char *candidate = entry.kind == KIND_PTX ? unpack(&entry, &why) : NULL;
        if (entry.kind == KIND_PTX && !candidate) trouble = why;
        int32_t rank = candidate ? rank_of(candidate) : INT32_MAX;
        if (rank < best) {
            best = rank;
            wl_free(*text);
            *text = candidate;
        } else wl_free(candidate);
    }
    if (*text) return CUDA_SUCCESS;
    if (trouble) snprintf(said, sizeof said, "the fatbin cannot be read: %s", trouble);
    else
        snprintf(said, sizeof said,
                 "the fatbin holds no PTX that this device runs (it has: %s); nvcc -gencode arch=compute_%d,code=compute_%d "
                 "puts some in",
                 *seen ? seen : "nothing", 10 * emu_driver.config.profile->cc_major,
                 10 * emu_driver.config.profile->cc_major);
    return emu_logs_fail(logs, CUDA_ERROR_NO_BINARY_FOR_GPU, said);
}

CUresult emu_image_text(char **text, const void *image, struct emu_logs *logs) {
    const uint8_t *bytes = image;
    *text = NULL;
    if (!strncmp(image, "\x7f" "ELF", 4))
        return emu_logs_fail(logs, CUDA_ERROR_NO_BINARY_FOR_GPU,
                             "the image is a cubin; the emulated device executes PTX text only");
    if (!strncmp(image, "\xb1\x43\x62\x46", 4)) bytes = (const uint8_t *)(uintptr_t)field(bytes + 8, 8);
    if (bytes && !strncmp((const char *)bytes, "\x50\xed\x55\xba", 4)) /* a text may be shorter */
        return from_fatbin(text, bytes, logs);
    if (bytes != image || !strstr(image, ".version"))
        return emu_logs_fail(logs, CUDA_ERROR_INVALID_IMAGE, "the image is no PTX text: it has no .version directive");
    size_t length = strlen(image) + 1;
    *text = wl_realloc(NULL, length);
    if (!*text) return CUDA_ERROR_OUT_OF_MEMORY;
    memcpy(*text, image, length);
    return CUDA_SUCCESS;
}

char *emu_file_read(const char *path, CUresult *result) {
    FILE *file = fopen(path, "rb");
    *result = CUDA_ERROR_FILE_NOT_FOUND;
    if (!file) return NULL;
    long bytes = fseek(file, 0, SEEK_END) ? -1 : ftell(file);
    char *image = bytes >= 0 && (uint64_t)bytes < MAX_TEXT_BYTES ? wl_realloc(NULL, (size_t)bytes + 16) : NULL;
    *result = CUDA_ERROR_INVALID_IMAGE;
    rewind(file);
    if (image && fread(image, 1, (size_t)bytes, file) == (size_t)bytes) {
        memset(image + bytes, 0, 16);
        *result = CUDA_SUCCESS;
    } else {
        wl_free(image);
        image = NULL;
    }
    fclose(file);
    return image;
}
