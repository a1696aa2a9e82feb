#include "runtime/emu/tensor_map.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Bit positions count through the whole descriptor: word * 64 + bit. From a sweep of cuTensorMapEncodeTiled
 * on an H200 (driver 580.159.04) and from what CuTe DSL 4.8.1 writes for sm_100a. w8 and w9 are figures that
 * no device reads. */
/* clang-format off */
#define FIELDS \
    FIELD(ADDRESS,       0,  0, 64) FIELD(VERSION,      1,  0,  4) FIELD(RANK,          1,  4,  3) \
    FIELD(ELEMENT,       1,  7,  4) FIELD(INTERLEAVE,   1, 11,  2) FIELD(SWIZZLE,       1, 13,  2) \
    FIELD(NAN_FILL,      1, 15,  1) FIELD(TF32,         1, 16,  1) FIELD(L2_PROMOTION,  1, 17,  2) \
    FIELD(ATOM,          1, 19,  2) FIELD(LARGE,        1, 21,  1)                                 \
    FIELD(STRIDE1,       1, 32, 32) FIELD(STRIDE2,      2,  0, 32) FIELD(STRIDE3,       2, 32, 32) \
    FIELD(STRIDE4,       3,  0, 32) FIELD(HIGH1,        3, 32,  4) FIELD(HIGH2,         3, 36,  4) \
    FIELD(HIGH3,         3, 40,  4) FIELD(HIGH4,        3, 44,  4)                                 \
    FIELD(SIZE0,         4,  0, 32) FIELD(SIZE1,        4, 32, 32) FIELD(SIZE2,         5,  0, 32) \
    FIELD(SIZE3,         5, 32, 32) FIELD(SIZE4,        6,  0, 32)                                 \
    FIELD(STEP0,         6, 32,  3) FIELD(STEP1,        6, 35,  3) FIELD(STEP2,         6, 38,  3) \
    FIELD(STEP3,         6, 41,  3) FIELD(STEP4,        6, 44,  3)                                 \
    FIELD(BOX0,          6, 56,  8) FIELD(BOX1,         7,  0,  8) FIELD(BOX2,          7,  8,  8) \
    FIELD(BOX3,          7, 16,  8) FIELD(BOX4,         7, 24,  8)                                 \
    FIELD(BOX_BYTES,     8,  0, 16) FIELD(PERIOD,       9,  0, 32)
/* clang-format on */

enum field {
#define FIELD(name, word, bit, width) name,
    FIELDS
#undef FIELD
};
static const struct {
    uint8_t word, bit, width;
} fields[] = {
#define FIELD(name, word, bit, width) {word, bit, width},
    FIELDS
#undef FIELD
};

static const struct {
    const char *name;
    uint8_t code, tf32, bytes, real;
} types[EMU_TENSOR_TYPES] = {
    /* clang-format off */
    [EMU_TENSOR_U8]       = {"u8",       0, 0, 1, 0}, [EMU_TENSOR_U16]     = {"u16",     1, 0, 2, 0},
    [EMU_TENSOR_U32]      = {"u32",      2, 0, 4, 0}, [EMU_TENSOR_S32]     = {"s32",     3, 0, 4, 0},
    [EMU_TENSOR_U64]      = {"u64",      4, 0, 8, 0}, [EMU_TENSOR_S64]     = {"s64",     5, 0, 8, 0},
    [EMU_TENSOR_F16]      = {"f16",      6, 0, 2, 1}, [EMU_TENSOR_F32]     = {"f32",     7, 0, 4, 1},
    [EMU_TENSOR_F64]      = {"f64",      9, 0, 8, 1}, [EMU_TENSOR_BF16]    = {"bf16",   10, 0, 2, 1},
    [EMU_TENSOR_F32_FTZ]  = {"f32.ftz",  8, 0, 4, 1}, [EMU_TENSOR_TF32]    = {"tf32",    7, 1, 4, 1},
    [EMU_TENSOR_TF32_FTZ] = {"tf32.ftz", 8, 1, 4, 1},
    /* clang-format on */
};

/* The driver's swizzle as the two fields of the descriptor. Atoms of 32 B are known from CuTe DSL, the two
 * last rows are [UNPROVEN: a dump from a B200's driver] guesses by the enum's order. */
static const struct {
    uint8_t swizzle, atom;
} swizzles[EMU_SWIZZLE_COUNT] = {
    /* clang-format off */
    [EMU_SWIZZLE_NONE]          = {0, 0}, [EMU_SWIZZLE_32B]                   = {1, 0}, [EMU_SWIZZLE_64B]           = {2, 0},
    [EMU_SWIZZLE_128B]          = {3, 0}, [EMU_SWIZZLE_128B_ATOM_32B]         = {3, 1},
    [EMU_SWIZZLE_128B_ATOM_32B_FLIP_8B] = {3, 2}, [EMU_SWIZZLE_128B_ATOM_64B] = {3, 3},
    /* clang-format on */
};

uint32_t emu_tensor_type_bytes(enum emu_tensor_type type) { return types[type].bytes; }
const char *emu_tensor_type_name(enum emu_tensor_type type) { return types[type].name; }

static bool refuse(char *why, size_t why_bytes, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static bool refuse(char *why, size_t why_bytes, const char *format, ...) {
    va_list args;
    va_start(args, format);
    if (why) vsnprintf(why, why_bytes, format, args);
    va_end(args);
    return false;
}

static void put(uint64_t words[16], enum field f, uint64_t value) {
    uint64_t mask = fields[f].width == 64 ? ~0ull : (1ull << fields[f].width) - 1;
    words[fields[f].word] |= (value & mask) << fields[f].bit;
}

static uint64_t get(const uint64_t words[16], enum field f) {
    uint64_t mask = fields[f].width == 64 ? ~0ull : (1ull << fields[f].width) - 1;
    return words[fields[f].word] >> fields[f].bit & mask;
}

#define REFUSE(...) return refuse(why, why_bytes, __VA_ARGS__)
typedef unsigned long long ull;

/* What concerns one dimension. */
static bool check_dimension(const struct emu_tensor_map *m, uint32_t i, char *why, size_t why_bytes) {
    if (m->size[i] < 1 || m->size[i] > 1ull << 32)
        REFUSE("globalDim[%u] is %llu, legal are 1 to 2^32", i, (ull)m->size[i]);
    if (m->box[i] < 1 || m->box[i] > 256) REFUSE("boxDim[%u] is %u, legal are 1 to 256", i, m->box[i]);
    if (m->element_stride[i] < 1 || m->element_stride[i] > 8)
        REFUSE("elementStrides[%u] is %u, legal are 1 to 8", i, m->element_stride[i]);
    uint64_t unit = m->interleave == 2 ? 32 : 16;
    if (i && (m->stride[i] % unit || m->stride[i] >= 1ull << 40))
        REFUSE("globalStrides[%u] is %llu bytes, legal are multiples of %llu below 2^40", i - 1,
               (ull)m->stride[i], (ull)unit);
    return true;
}

/* What a device refuses however the descriptor came to be: shared by both directions. */
static bool check(const struct emu_tensor_map *m, char *why, size_t why_bytes) {
    if ((uint32_t)m->type >= EMU_TENSOR_TYPES)
        REFUSE("tensorDataType %d is not supported, legal are 0 to 12", m->type);
    if (m->rank < 1 || m->rank > EMU_TENSOR_MAX_RANK) REFUSE("tensorRank is %u, legal are 1 to 5", m->rank);
    if (m->interleave > 2 || (m->interleave && m->rank < 3))
        REFUSE("interleave %u with rank %u: legal are 0, or 1 and 2 with rank 3 and more", m->interleave,
               m->rank);
    uint64_t unit = m->interleave == 2 ? 32 : 16;
    if (m->address % unit)
        REFUSE("globalAddress 0x%llx is not a multiple of %llu", (ull)m->address, (ull)unit);
    for (uint32_t i = 0; i < m->rank; i++)
        if (!check_dimension(m, i, why, why_bytes)) return false;
    if ((uint32_t)m->swizzle >= EMU_SWIZZLE_COUNT) REFUSE("swizzle %d, legal are 0 to 6", m->swizzle);
    if (m->interleave == 2 && m->swizzle != EMU_SWIZZLE_32B) REFUSE("interleave 32B needs swizzle 32B");
    uint32_t inner = m->box[0] * types[m->type].bytes, span = emu_swizzle_span(m->swizzle);
    if (!m->interleave && inner % 16) REFUSE("boxDim[0] is %u bytes, legal are multiples of 16", inner);
    if (!m->interleave && m->swizzle && inner > span)
        REFUSE("boxDim[0] is %u bytes, this swizzle spans %u", inner, span);
    if (m->nan_fill && !types[m->type].real) REFUSE("NaN fill with %s elements", types[m->type].name);
    return true;
}

bool emu_tensor_map_encode(uint8_t out[EMU_TENSOR_MAP_BYTES], const struct emu_tensor_map *m, int cc_major,
                           char *why, size_t why_bytes) {
    if (!check(m, why, why_bytes)) return false;
    if (m->l2_promotion > 3) REFUSE("l2Promotion %u, legal are 0 to 3", m->l2_promotion);
    if (cc_major < 10 && m->swizzle > EMU_SWIZZLE_128B)
        REFUSE("swizzle %d needs compute capability 10.0", m->swizzle);
    uint64_t words[16] = {0}, box_bytes = types[m->type].bytes, span = types[m->type].bytes * m->size[0];
    for (uint32_t i = 0; i < m->rank; i++) {
        if (i) {
            put(words, STRIDE1 + i - 1, m->stride[i] >> 4);
            put(words, HIGH1 + i - 1, m->stride[i] >> 36);
            span += m->stride[i] * (m->size[i] - 1);
        }
        put(words, SIZE0 + i, m->size[i] - 1);
        put(words, STEP0 + i, m->element_stride[i] - 1);
        put(words, BOX0 + i, m->box[i] - 1);
        box_bytes *= m->box[i] / m->element_stride[i];
    }
    put(words, ADDRESS, m->address);
    put(words, VERSION, cc_major >= 10 ? 2 : 0);
    put(words, RANK, m->rank - 1);
    put(words, ELEMENT, types[m->type].code);
    put(words, TF32, types[m->type].tf32);
    put(words, INTERLEAVE, m->interleave);
    put(words, SWIZZLE, swizzles[m->swizzle].swizzle);
    put(words, ATOM, swizzles[m->swizzle].atom);
    put(words, NAN_FILL, m->nan_fill);
    put(words, L2_PROMOTION, m->l2_promotion);
    put(words, LARGE, cc_major >= 10 && span >= 128 << 10);
    put(words, BOX_BYTES, box_bytes);
    put(words, PERIOD, emu_swizzle_period(m->swizzle));
    memcpy(out, words, EMU_TENSOR_MAP_BYTES);
    return true;
}

static bool decode_element(struct emu_tensor_map *m, uint64_t code, uint64_t tf32) {
    for (int t = 0; t < EMU_TENSOR_TYPES; t++)
        if (types[t].code == code && types[t].tf32 == tf32) {
            m->type = (enum emu_tensor_type)t;
            return true;
        }
    return false;
}

static enum emu_swizzle decode_swizzle(uint64_t swizzle, uint64_t atom) {
    for (int s = 0; s < EMU_SWIZZLE_COUNT; s++)
        if (swizzles[s].swizzle == swizzle && swizzles[s].atom == atom) return (enum emu_swizzle)s;
    return EMU_SWIZZLE_COUNT;
}

bool emu_tensor_map_decode(struct emu_tensor_map *m, const uint8_t bytes[EMU_TENSOR_MAP_BYTES], char *why,
                           size_t why_bytes) {
    uint64_t words[16];
    memcpy(words, bytes, sizeof words);
    memset(m, 0, sizeof *m);
    m->version = (uint32_t)get(words, VERSION);
    if (m->version != 0 && m->version != 2) REFUSE("format version %u, known are 0 and 2", m->version);
    m->rank = (uint32_t)get(words, RANK) + 1;
    if (m->rank > EMU_TENSOR_MAX_RANK) REFUSE("tensorRank is %u, legal are 1 to 5", m->rank);
    if (!decode_element(m, get(words, ELEMENT), get(words, TF32)))
        REFUSE("unknown element code %u (tf32 bit %u)", (unsigned)get(words, ELEMENT),
               (unsigned)get(words, TF32));
    m->address = get(words, ADDRESS);
    m->interleave = (uint32_t)get(words, INTERLEAVE);
    m->swizzle = decode_swizzle(get(words, SWIZZLE), get(words, ATOM));
    m->nan_fill = get(words, NAN_FILL);
    m->l2_promotion = (uint32_t)get(words, L2_PROMOTION);
    m->stride[0] = types[m->type].bytes;
    for (uint32_t i = 0; i < m->rank; i++) {
        if (i) m->stride[i] = get(words, STRIDE1 + i - 1) << 4 | get(words, HIGH1 + i - 1) << 36;
        m->size[i] = get(words, SIZE0 + i) + 1;
        m->element_stride[i] = (uint32_t)get(words, STEP0 + i) + 1;
        m->box[i] = (uint32_t)get(words, BOX0 + i) + 1;
    }
    return check(m, why, why_bytes);
}

/* ---- tensormap.replace: PTX ISA 9.1 §9.7.9.28; what it writes where: ptxas expands it to loads and stores
 * [ptxas] ---- */

const struct emu_tensor_limits emu_tensor_limits[EMU_TENSOR_FIELDS] = {
    /* clang-format off */
    [EMU_TENSOR_ADDRESS] = {"global_address", 0, 0},    [EMU_TENSOR_STRIDE]     = {"global_stride", 4, 0},
    [EMU_TENSOR_BOX]     = {"box_dim", 5, 0},           [EMU_TENSOR_SIZE]       = {"global_dim", 5, 0},
    [EMU_TENSOR_STEP]    = {"element_stride", 5, 0},    [EMU_TENSOR_RANK]       = {"rank", 0, 0},
    [EMU_TENSOR_ELEMENT] = {"elemtype", 0, 13},         [EMU_TENSOR_INTERLEAVE] = {"interleave_layout", 0, 3},
    [EMU_TENSOR_SWIZZLE] = {"swizzle_mode", 0, 4},      [EMU_TENSOR_ATOM]       = {"swizzle_atomicity", 0, 4},
    [EMU_TENSOR_FILL]    = {"fill_mode", 0, 2},
    /* clang-format on */
};

static void set(uint64_t words[16], enum field f, uint64_t value) {
    uint64_t mask = fields[f].width == 64 ? ~0ull : (1ull << fields[f].width) - 1;
    words[fields[f].word] &= ~(mask << fields[f].bit);
    put(words, f, value);
}

/* PTX counts .tf32 and .tf32.ftz behind .bf16; the descriptor has them as .f32 and .f32.ftz with a bit. */
static void set_element(uint64_t words[16], uint64_t value) {
    set(words, ELEMENT, value > 10 ? value - 4 : value);
    if (value > 10) set(words, TF32, 1);
}

void emu_tensor_map_replace(uint8_t bytes[EMU_TENSOR_MAP_BYTES], enum emu_tensor_field field,
                            uint32_t ordinal, uint64_t value) {
    uint64_t words[16];
    memcpy(words, bytes, sizeof words);
    switch (field) {
    case EMU_TENSOR_ADDRESS: set(words, ADDRESS, value); break;
    case EMU_TENSOR_STRIDE:
        set(words, STRIDE1 + ordinal, value >> 4);
        set(words, HIGH1 + ordinal, value >> 36);
        break;
    case EMU_TENSOR_BOX: set(words, BOX0 + ordinal, value - 1); break;
    case EMU_TENSOR_SIZE: set(words, SIZE0 + ordinal, value - 1); break;
    case EMU_TENSOR_STEP: set(words, STEP0 + ordinal, value - 1); break;
    case EMU_TENSOR_RANK: set(words, RANK, value); break;
    case EMU_TENSOR_ELEMENT: set_element(words, value); break;
    case EMU_TENSOR_INTERLEAVE: set(words, INTERLEAVE, value); break;
    case EMU_TENSOR_SWIZZLE: set(words, SWIZZLE, value); break;
    case EMU_TENSOR_ATOM: set(words, ATOM, value); break;
    default: set(words, NAN_FILL, value);
    }
    memcpy(bytes, words, sizeof words);
}
