/* cli_check_args: what --arg says, as the bytes of a kernel's parameter.
 *
 *     TYPE=NUMBER            a scalar: u8 to u64, s8 to s64, b8 to b64, f16, bf16, f32, f64
 *     TYPE[COUNT]            a buffer; what it holds is NaN until the kernel writes it
 *     TYPE[COUNT]=FILL       zero, iota, random or random:SEED (floats in [-1, 1), integers 0 to 99), or a number
 *     map:TYPE[D0,D1,..]:box=B0,B1,..[:swizzle=0|32|64|128][=FILL]    a tensor map, innermost dimension first, over a
 *                            buffer of its own without gaps (random); by value, or its address where 8 bytes are wanted
 *     hex:0123..             bytes, as for a struct */
#include "gen/cli_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/driver.h"
#include "runtime/half.h"

#define BAD(...) wl_fail(error, WL_ERR_USAGE, NULL, 0, "--arg", __VA_ARGS__)
#define MAX_BUFFER_BYTES ((uint64_t)1 << 34)

enum kind { INTEGER, HALF, BFLOAT, SINGLE, DOUBLE };
static const struct type {
    const char *name;
    uint32_t bytes;
    enum kind kind;
    int map; /* CU_TENSOR_MAP_DATA_TYPE_..., or -1 */
} types[] = {
    {"u8", 1, INTEGER, 0},   {"s8", 1, INTEGER, 0},   {"b8", 1, INTEGER, 0},  {"u16", 2, INTEGER, 1}, {"s16", 2, INTEGER, 1},
    {"b16", 2, INTEGER, 1},  {"u32", 4, INTEGER, 2},  {"s32", 4, INTEGER, 3}, {"b32", 4, INTEGER, 2}, {"u64", 8, INTEGER, 4},
    {"s64", 8, INTEGER, 5},  {"b64", 8, INTEGER, 4},  {"f16", 2, HALF, 6},    {"bf16", 2, BFLOAT, 9}, {"f32", 4, SINGLE, 7},
    {"f64", 8, DOUBLE, 8},
};

static const struct type *take_type(const char **at) {
    size_t length = strspn(*at, "abcdefghijklmnopqrstuvwxyz0123456789");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strlen(types[i].name) != length || memcmp(types[i].name, *at, length)) continue;
        *at += length;
        return &types[i];
    }
    return NULL;
}

/* ---- elements ---- */

static void put_number(const struct type *type, double number, int64_t integer, uint8_t *out) {
    float single = (float)number;
    uint16_t half = wl_half_from_float(single);
    uint32_t bits;
    memcpy(&bits, &single, 4);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
    switch (type->kind) {
    case INTEGER: memcpy(out, &integer, type->bytes); break; /* little endian */
    case HALF: memcpy(out, &half, 2); break;
    case BFLOAT: memcpy(out, &bits, 2); break;
    case SINGLE: memcpy(out, &single, 4); break;
    case DOUBLE: memcpy(out, &number, 8); break;
    }
}

static bool take_number(const struct type *type, const char *text, uint8_t *out) {
    char *end;
    errno = 0;
    if (type->kind != INTEGER) {
        double number = strtod(text, &end);
        if (end == text || *end) return false;
        put_number(type, number, 0, out);
        return true;
    }
    long long value = *text == '-' ? strtoll(text, &end, 0) : (long long)strtoull(text, &end, 0);
    bool fits = type->bytes == 8 || (value >= -(1LL << (8 * type->bytes - 1)) && value < 1LL << 8 * type->bytes);
    if (end == text || *end || errno || !fits) return false;
    put_number(type, 0, value, out);
    return true;
}

static uint64_t next_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* fill NULL: nothing is written. False: not a FILL. */
static bool fill(const struct type *type, const char *text, uint64_t count, uint8_t *out) {
    uint64_t state = 1;
    uint8_t one[8];
    char *end = NULL;
    bool random = !strncmp(text, "random", 6) && (!text[6] || text[6] == ':');
    if (random && text[6]) state = strtoull(text + 7, &end, 10);
    if (end && (end == text + 7 || *end)) return false;
    bool iota = !strcmp(text, "iota"), zero = !strcmp(text, "zero");
    if (!random && !iota && !take_number(type, zero ? "0" : text, one)) return false;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t r = random ? next_random(&state) : i;
        double number = random ? (double)(r >> 11) * 0x1p-52 - 1 : (double)i;
        if (random || iota) put_number(type, number, (int64_t)(random ? r % 100 : i), out + i * type->bytes);
        else memcpy(out + i * type->bytes, one, type->bytes);
    }
    return true;
}

/* ---- buffers ---- */

static enum wl_status make_buffer(struct wl_check_arg *arg, const struct type *type, uint64_t count, const char *how,
                                  const char *spec, struct wl_driver *driver, struct wl_error *error) {
    CUdeviceptr address;
    if (!count || count > MAX_BUFFER_BYTES / type->bytes)
        return BAD("\"%s\": 1 to %llu elements", spec, (unsigned long long)(MAX_BUFFER_BYTES / type->bytes));
    arg->buffer_bytes = count * type->bytes;
    uint8_t *bytes = how ? wl_realloc(NULL, arg->buffer_bytes) : NULL;
    if (how && !bytes) return wl_fail(error, WL_ERR_NO_MEMORY, NULL, 0, "--arg", "no memory for \"%s\"", spec);
    enum wl_status status = WL_OK;
    if (how && !fill(type, how, count, bytes))
        status = BAD("\"%s\": \"%s\" is none of zero, iota, random, random:SEED, or a number for %s", spec, how, type->name);
    if (!status) status = wl_driver_alloc(driver, arg->buffer_bytes, &address, error);
    if (!status) arg->buffer = address;
    if (!status && how) status = wl_driver_upload(driver, address, bytes, arg->buffer_bytes, error);
    wl_free(bytes);
    return status;
}

/* "64,128" up to `stop`: how many; 0: not that. */
static int take_list(const char **at, uint64_t *out, int room) {
    for (int n = 0; n < room;) {
        char *end;
        if (!isdigit((unsigned char)**at)) return 0;
        out[n++] = strtoull(*at, &end, 10);
        *at = end;
        if (*end != ',') return n;
        ++*at;
    }
    return 0;
}

static enum wl_status take_buffer(struct wl_check_arg *arg, const struct type *type, const char *at, const char *spec,
                                  size_t size, struct wl_driver *driver, struct wl_error *error) {
    uint64_t count;
    at++;
    if (take_list(&at, &count, 1) != 1 || *at != ']' || (at[1] && at[1] != '='))
        return BAD("\"%s\": a buffer is TYPE[COUNT] or TYPE[COUNT]=FILL", spec);
    if (size != 8) return BAD("\"%s\" is a buffer, whose address has 8 bytes; the parameter has %zu", spec, size);
    enum wl_status status = make_buffer(arg, type, count, at[1] ? at + 2 : NULL, spec, driver, error);
    memcpy(arg->bytes, &arg->buffer, 8);
    return status;
}

/* ---- tensor maps ---- */

struct map {
    const struct type *type;
    uint64_t dims[5], box[5];
    int rank, swizzle;
    const char *how;
};

static bool take_map(struct map *m, const char *at) {
    *m = (struct map){.how = "random"};
    m->type = take_type(&at);
    if (!m->type || *at++ != '[') return false;
    m->rank = take_list(&at, m->dims, 5);
    if (!m->rank || *at++ != ']' || strncmp(at, ":box=", 5)) return false;
    at += 5;
    if (take_list(&at, m->box, 5) != m->rank) return false;
    if (!strncmp(at, ":swizzle=", 9)) {
        char *end;
        m->swizzle = (int)strtol(at + 9, &end, 10);
        at = end;
    }
    if (*at == '=') m->how = at + 1;
    return !*at || *at == '=';
}

static enum wl_status encode(struct wl_check_arg *arg, const struct map *m, const char *spec, struct wl_driver *driver,
                             struct wl_error *error) {
    static const int swizzles[] = {0, 32, 64, 128};
    CUtensorMap map;
    cuuint64_t strides[5], stride = m->type->bytes;
    cuuint32_t box[5], ones[5] = {1, 1, 1, 1, 1};
    int swizzle = 0;
    while (swizzle < 4 && swizzles[swizzle] != m->swizzle) swizzle++;
    if (swizzle == 4) return BAD("\"%s\": a swizzle is 0, 32, 64 or 128 bytes", spec);
    for (int i = 0; i < m->rank; i++) {
        box[i] = (cuuint32_t)m->box[i];
        strides[i] = stride *= m->dims[i];
    }
    CUresult result = driver->fn.cuTensorMapEncodeTiled(
        &map, m->type->map, (cuuint32_t)m->rank, (void *)(uintptr_t)arg->buffer, m->dims, strides, box, ones,
        CU_TENSOR_MAP_INTERLEAVE_NONE, swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
    if (result) {
        void *symbol = wl_driver_symbol(driver, "wlemu_last_report");
        const char *(*report)(void) = NULL;
        memcpy(&report, &symbol, sizeof symbol);
        return BAD("\"%s\": %s", spec, report ? report() : "no tensor map has such sizes");
    }
    memcpy(arg->bytes, &map, sizeof map);
    return WL_OK;
}

static enum wl_status make_map(struct wl_check_arg *arg, const char *spec, size_t size, struct wl_driver *driver,
                               struct wl_error *error) {
    struct map m;
    uint64_t count = 1;
    if (!take_map(&m, spec + 4))
        return BAD("\"%s\": a tensor map is map:TYPE[D0,D1,..]:box=B0,B1,..[:swizzle=N][=FILL], as many B as D", spec);
    if (size != 128 && size != 8)
        return BAD("\"%s\" is a tensor map of 128 bytes, or its address of 8; the parameter has %zu", spec, size);
    for (int i = 0; i < m.rank; i++)
        if (__builtin_mul_overflow(count, m.dims[i], &count)) return BAD("\"%s\": too large", spec);
    enum wl_status status = make_buffer(arg, m.type, count, m.how, spec, driver, error);
    if (!status) status = encode(arg, &m, spec, driver, error);
    if (status || size == 128) return status;
    CUdeviceptr address; /* freed with the device */
    status = wl_driver_alloc(driver, 128, &address, error);
    if (!status) status = wl_driver_upload(driver, address, arg->bytes, 128, error);
    memcpy(arg->bytes, &address, 8);
    return status;
}

/* ---- */

static enum wl_status take_hex(struct wl_check_arg *arg, const char *spec, size_t size, struct wl_error *error) {
    const char *digits = spec + 4;
    if (strlen(digits) != 2 * size || digits[strspn(digits, "0123456789abcdefABCDEF")] || size > sizeof arg->bytes)
        return BAD("\"%s\": the parameter has %zu bytes: %zu hexadecimal digits", spec, size, 2 * size);
    for (size_t i = 0; i < size; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};
        arg->bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
    }
    return WL_OK;
}

enum wl_status wl_check_arg(struct wl_check_arg *arg, const char *spec, size_t size, struct wl_driver *driver,
                            struct wl_error *error) {
    *arg = (struct wl_check_arg){.size = size};
    if (!strncmp(spec, "map:", 4)) return make_map(arg, spec, size, driver, error);
    if (!strncmp(spec, "hex:", 4)) return take_hex(arg, spec, size, error);
    const char *at = spec;
    const struct type *type = take_type(&at);
    if (!type || (*at != '[' && *at != '=')) return BAD("\"%s\" is none of %s", spec, WL_CHECK_SPECS);
    if (*at == '[') return take_buffer(arg, type, at, spec, size, driver, error);
    if (size != type->bytes) return BAD("\"%s\" has %u bytes; the parameter has %zu", spec, type->bytes, size);
    if (!take_number(type, at + 1, arg->bytes)) return BAD("\"%s\": \"%s\" is no %s", spec, at + 1, type->name);
    return WL_OK;
}
