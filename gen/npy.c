/* npy: NumPy's array files. The header is a Python literal; only the dictionary that NumPy itself writes is
 * understood. */
#include "gen/npy.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "gen/arena.h"
#include "gen/file.h"

#define MAGIC       "\x93NUMPY"
#define MAGIC_BYTES 6

/* clang-format off */
static const struct { const char *descr; enum wl_npy_type type; int bytes; } types[] = {
    {"<f4", WL_NPY_F32, 4}, {"=f4", WL_NPY_F32, 4},
    {"<f2", WL_NPY_F16, 2}, {"=f2", WL_NPY_F16, 2},
};
/* clang-format on */

/* A cursor over the header's text. The first failure stays in `error`; everything after it returns false. */
struct reader {
    const char *at, *end, *name;
    struct wl_error *error;
};

static bool refuse(struct reader *r, const char *field, const char *what) {
    wl_fail(r->error, WL_ERR_INPUT, r->name, 0, field, "%s", what);
    return false;
}

static void skip_blanks(struct reader *r) {
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n')) r->at++;
}

static bool take(struct reader *r, char c) {
    skip_blanks(r);
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static bool take_word(struct reader *r, const char *word) {
    size_t length = strlen(word);
    skip_blanks(r);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length)) return false;
    r->at += length;
    return true;
}

static bool take_string(struct reader *r, char *out, size_t room) {
    skip_blanks(r);
    if (r->at == r->end || (*r->at != '\'' && *r->at != '"')) return false;
    char quote = *r->at++;
    size_t length = 0;
    for (; r->at < r->end && *r->at != quote; r->at++) {
        if (!isprint((unsigned char)*r->at) || *r->at == '\\' || length + 1 == room) return false;
        out[length++] = *r->at;
    }
    out[length] = 0;
    return r->at++ < r->end;
}

static bool take_size(struct reader *r, int64_t *size) {
    skip_blanks(r);
    if (r->at == r->end || !isdigit((unsigned char)*r->at)) return refuse(r, "shape", "not a tuple of sizes");
    *size = 0;
    for (; r->at < r->end && isdigit((unsigned char)*r->at); r->at++)
        if (__builtin_mul_overflow(*size, 10, size) || __builtin_add_overflow(*size, *r->at - '0', size))
            return refuse(r, "shape", "a size does not fit 64 bits");
    if (r->at < r->end && *r->at == 'L') r->at++; /* Python 2 wrote longs so */
    return true;
}

static bool read_descr(struct reader *r, struct wl_npy *array) {
    char descr[24];
    if (!take_string(r, descr, sizeof descr))
        return refuse(r, "descr", "not a plain type; float32 or float16 is needed");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (!strcmp(descr, types[i].descr)) {
            array->type = types[i].type;
            return true;
        }
    wl_fail(r->error, WL_ERR_INPUT, r->name, 0, "descr",
            "elements are '%s'; '<f4' (float32) or '<f2' (float16), little-endian, is needed", descr);
    return false;
}

static bool read_order(struct reader *r) {
    if (take_word(r, "False")) return true;
    if (take_word(r, "True"))
        return refuse(r, "fortran_order",
                      "the array is in Fortran order; save numpy.ascontiguousarray(x) instead");
    return refuse(r, "fortran_order", "neither True nor False");
}

static bool read_shape(struct reader *r, struct wl_npy *array) {
    if (!take(r, '(')) return refuse(r, "shape", "not a tuple of sizes");
    array->rank = 0;
    array->count = 1;
    bool comma = true;
    while (!take(r, ')')) {
        int64_t size;
        if (!comma || array->rank == WL_NPY_MAX_RANK)
            return refuse(r, "shape", comma ? "more than 8 dimensions" : "a comma is missing");
        if (!take_size(r, &size)) return false;
        if (__builtin_mul_overflow(array->count, size, &array->count))
            return refuse(r, "shape", "the number of elements does not fit 64 bits");
        array->shape[array->rank++] = size;
        comma = take(r, ',');
    }
    if (array->rank == 1 && !comma) return refuse(r, "shape", "not a tuple of sizes");
    return true;
}

enum { KEY_DESCR, KEY_ORDER, KEY_SHAPE, KEY_COUNT };
static const char *const keys[KEY_COUNT] = {"descr", "fortran_order", "shape"};

static bool read_entry(struct reader *r, struct wl_npy *array, unsigned *seen) {
    char key[24];
    int k = 0;
    if (!take_string(r, key, sizeof key)) return refuse(r, "header", "a key in quotes is missing");
    while (k < KEY_COUNT && strcmp(key, keys[k])) k++;
    if (k == KEY_COUNT || *seen & 1u << k) {
        wl_fail(r->error, WL_ERR_INPUT, r->name, 0, "header", "%s key '%s'",
                k == KEY_COUNT ? "unknown" : "repeated", key);
        return false;
    }
    *seen |= 1u << k;
    if (!take(r, ':')) return refuse(r, keys[k], "a colon is missing");
    return k == KEY_DESCR ? read_descr(r, array) : k == KEY_ORDER ? read_order(r) : read_shape(r, array);
}

static bool read_header(struct reader *r, struct wl_npy *array) {
    unsigned seen = 0;
    if (!take(r, '{')) return refuse(r, "header", "not a Python dictionary");
    for (bool comma = true; !take(r, '}'); comma = take(r, ',')) {
        if (!comma) return refuse(r, "header", "a comma is missing, or the dictionary has no end");
        if (!read_entry(r, array, &seen)) return false;
    }
    for (int k = 0; k < KEY_COUNT; k++)
        if (!(seen & 1u << k)) return refuse(r, keys[k], "missing in the header");
    skip_blanks(r);
    return r->at == r->end || refuse(r, "header", "something follows the dictionary");
}

/* Finds the header's text: *at .. *end. */
static enum wl_status find_header(const unsigned char *b, size_t size, const char *name, size_t *at,
                                  size_t *end, struct wl_error *error) {
    if (size < MAGIC_BYTES || memcmp(b, MAGIC, MAGIC_BYTES))
        return wl_fail(error, WL_ERR_INPUT, name, 0, NULL,
                       "not an .npy file: it does not begin with \\x93NUMPY");
    if (size < MAGIC_BYTES + 2) return wl_fail(error, WL_ERR_INPUT, name, 0, NULL, "ends inside the header");
    int major = b[6], minor = b[7];
    if (major < 1 || major > 3 || minor)
        return wl_fail(error, WL_ERR_INPUT, name, 0, NULL, "format version %d.%d; 1.0, 2.0 and 3.0 are known",
                       major, minor);
    *at = major == 1 ? 10 : 12;
    if (size < *at) return wl_fail(error, WL_ERR_INPUT, name, 0, NULL, "ends inside the header");
    uint32_t length = b[8] | (uint32_t)b[9] << 8;
    if (major > 1) length |= (uint32_t)b[10] << 16 | (uint32_t)b[11] << 24;
    if (length > size - *at)
        return wl_fail(error, WL_ERR_INPUT, name, 0, NULL,
                       "the header takes %" PRIu32 " bytes, the file has %zu left", length, size - *at);
    *end = *at + length;
    return WL_OK;
}

static size_t element_bytes(enum wl_npy_type type) { return type == WL_NPY_F32 ? 4 : 2; }

enum wl_status wl_npy_parse(struct wl_npy *array, const void *bytes, size_t size, const char *name,
                            struct wl_error *error) {
    const char *text = bytes;
    size_t at = 0, end = 0;
    struct wl_error ignored = {0};
    *array = (struct wl_npy){0};
    enum wl_status status = find_header(bytes, size, name, &at, &end, error);
    if (status) return status;
    struct reader r = {text + at, text + end, name, error ? error : &ignored};
    if (!read_header(&r, array)) return WL_ERR_INPUT;
    uint64_t need, has = size - end;
    if (__builtin_mul_overflow((uint64_t)array->count, element_bytes(array->type), &need) || need != has) {
        char shape[WL_NPY_MAX_RANK * 24];
        return wl_fail(error, WL_ERR_INPUT, name, 0, "shape",
                       "%s of %zu-byte elements does not match the %" PRIu64 " bytes that follow the header",
                       wl_npy_shape_text(array->rank, array->shape, shape, sizeof shape),
                       element_bytes(array->type), has);
    }
    array->data = text + end;
    return WL_OK;
}

enum wl_status wl_npy_read(struct wl_npy *array, const char *path, struct wl_error *error) {
    char *bytes;
    size_t size;
    *array = (struct wl_npy){0};
    enum wl_status status = wl_file_read(path, &bytes, &size, error);
    if (status) return status;
    status = wl_npy_parse(array, bytes, size, path, error);
    if (status) {
        wl_free(bytes);
        return status;
    }
    /* the allocation is aligned, so move the elements to its start */
    memmove(bytes, array->data, (size_t)array->count * element_bytes(array->type));
    array->data = array->owned = bytes;
    return WL_OK;
}

void wl_npy_fini(struct wl_npy *array) {
    wl_free(array->owned);
    *array = (struct wl_npy){0};
}

const char *wl_npy_shape_text(int rank, const int64_t *shape, char *out, size_t out_bytes) {
    size_t length = (size_t)snprintf(out, out_bytes, "(");
    for (int i = 0; i < rank && length < out_bytes; i++)
        length += (size_t)snprintf(out + length, out_bytes - length, "%s%" PRId64, i ? ", " : "", shape[i]);
    if (length < out_bytes) snprintf(out + length, out_bytes - length, rank == 1 ? ",)" : ")");
    return out;
}

enum wl_status wl_npy_write(const char *path, enum wl_npy_type type, int rank, const int64_t *shape,
                            const void *data, struct wl_error *error) {
    char head[320], text[WL_NPY_MAX_RANK * 24];
    size_t count = 1;
    for (int i = 0; i < rank; i++) count *= (size_t)shape[i];
    int length =
        snprintf(head + 10, sizeof head - 10, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                 type == WL_NPY_F32 ? "<f4" : "<f2", wl_npy_shape_text(rank, shape, text, sizeof text));
    /* NumPy pads the whole to 64 bytes, the last of them a line feed */
    int padded = (10 + length + 1 + 63) / 64 * 64;
    memset(head + 10 + length, ' ', (size_t)(padded - 10 - length));
    head[padded - 1] = '\n';
    memcpy(head, MAGIC "\1\0", 8);
    head[8] = (char)((padded - 10) & 255);
    head[9] = (char)((padded - 10) >> 8);
    return wl_file_write2(path, head, (size_t)padded, data, count * element_bytes(type), error);
}
