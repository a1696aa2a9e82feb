#include "runtime/emu/reduce.h"

#include "runtime/emu/half.h"

enum {
    ARITH = 1 << EMU_REDUCE_ADD,
    ORDER = 1 << EMU_REDUCE_MIN | 1 << EMU_REDUCE_MAX,
    WRAP = 1 << EMU_REDUCE_INC | 1 << EMU_REDUCE_DEC,
    BITS = 1 << EMU_REDUCE_AND | 1 << EMU_REDUCE_OR | 1 << EMU_REDUCE_XOR
};

static const struct {
    uint8_t bytes;
    uint16_t global, shared;
} types[EMU_REDUCE_TYPES] = {
    /* clang-format off */
    [EMU_REDUCE_U32]     = {4, ARITH | ORDER | WRAP, ARITH | ORDER | WRAP},
    [EMU_REDUCE_S32]     = {4, ARITH | ORDER,        ARITH | ORDER},
    [EMU_REDUCE_U64]     = {8, ARITH | ORDER,        ARITH},
    [EMU_REDUCE_S64]     = {8, ORDER,                0},
    [EMU_REDUCE_B32]     = {4, BITS,                 BITS},
    [EMU_REDUCE_B64]     = {8, BITS,                 0},
    [EMU_REDUCE_F16]     = {2, ARITH | ORDER,        0},
    [EMU_REDUCE_BF16]    = {2, ARITH | ORDER,        0},
    [EMU_REDUCE_F32]     = {4, ARITH,                0},
    [EMU_REDUCE_F32_FTZ] = {4, ARITH,                0},
    [EMU_REDUCE_F64]     = {8, ARITH,                0},
    /* clang-format on */
};

bool emu_reduce_legal(enum emu_reduce_op op, enum emu_reduce_type type, bool shared) {
    return (shared ? types[type].shared : types[type].global) >> op & 1;
}

uint32_t emu_reduce_bytes(enum emu_reduce_type type) { return types[type].bytes; }

static uint64_t integer(enum emu_reduce_op op, uint64_t a, uint64_t b, bool is_signed, bool wide) {
    int64_t sa = wide ? (int64_t)a : (int32_t)a, sb = wide ? (int64_t)b : (int32_t)b;
    bool less = is_signed ? sa < sb : a < b;
    switch (op) {
    case EMU_REDUCE_ADD: return a + b;
    case EMU_REDUCE_MIN: return less ? a : b;
    case EMU_REDUCE_MAX: return less ? b : a;
    case EMU_REDUCE_INC: return a >= b ? 0 : a + 1;
    case EMU_REDUCE_DEC: return a == 0 || a > b ? b : a - 1;
    case EMU_REDUCE_AND: return a & b;
    case EMU_REDUCE_OR: return a | b;
    default: return a ^ b;
    }
}

/* 16-bit floats by their bits: NaN operands are dropped, -0 < +0 (facts 6.3). infinity: the type's. */
static uint16_t half_order(enum emu_reduce_op op, uint16_t a, uint16_t b, uint16_t infinity) {
    bool nan_a = (a & 0x7fff) > infinity, nan_b = (b & 0x7fff) > infinity;
    if (nan_a && nan_b) return 0x7fff;
    if (nan_a || nan_b) return nan_a ? b : a;
    int key_a = a & 0x8000 ? -(int)(a & 0x7fff) - 1 : a, key_b = b & 0x8000 ? -(int)(b & 0x7fff) - 1 : b;
    return (key_a < key_b) == (op == EMU_REDUCE_MIN) ? a : b;
}

static uint32_t f32_sum(uint32_t a, uint32_t b, bool flush) {
    if (flush && !(a & 0x7f800000)) a &= 0x80000000;
    if (flush && !(b & 0x7f800000)) b &= 0x80000000;
    uint32_t sum = emu_bits_of_f32(emu_f32_of_bits(a) + emu_f32_of_bits(b));
    if ((sum & 0x7fffffff) > 0x7f800000) return 0x7fffffff;
    return flush && !(sum & 0x7f800000) ? sum & 0x80000000 : sum;
}

#define QUIET (1ull << 51)

/* A NaN keeps its payload, of two the added one; global memory leaves a signalling one as it is [measured H200]. */
uint64_t emu_atomic_add_f64(uint64_t old, uint64_t value, bool global) {
    double x, y;
    memcpy(&x, &old, 8);
    memcpy(&y, &value, 8);
    double sum = x + y;
    if (y != y) return global ? value : value | QUIET;
    if (x != x) return global ? old : old | QUIET;
    memcpy(&value, &sum, 8);
    return sum == sum ? value : 0xfff8000000000000;
}

static uint64_t element(enum emu_reduce_op op, enum emu_reduce_type type, uint64_t a, uint64_t b) {
    uint16_t ha = (uint16_t)a, hb = (uint16_t)b;
    switch (type) {
    case EMU_REDUCE_F16:
        if (op != EMU_REDUCE_ADD) return half_order(op, ha, hb, 0x7c00);
        return emu_f32_to_f16(emu_f16_to_f32(ha) + emu_f16_to_f32(hb)); /* 24 bits: no double rounding */
    case EMU_REDUCE_BF16:
        if (op != EMU_REDUCE_ADD) return half_order(op, ha, hb, 0x7f80);
        return emu_f32_to_bf16(emu_bf16_to_f32(ha) + emu_bf16_to_f32(hb));
    case EMU_REDUCE_F32:
    case EMU_REDUCE_F32_FTZ: return f32_sum((uint32_t)a, (uint32_t)b, type == EMU_REDUCE_F32_FTZ);
    case EMU_REDUCE_F64: return emu_atomic_add_f64(a, b, true);
    default:
        return integer(op, a, b, type == EMU_REDUCE_S32 || type == EMU_REDUCE_S64, types[type].bytes == 8);
    }
}

/* Clusters run on several host threads: each element is a compare-and-swap loop of its width. */
#define REDUCE_ALL(word)                                                                                     \
    for (uint32_t i = 0; i < bytes / sizeof(word); i++) {                                                    \
        word *place = (word *)memory + i, add, old = __atomic_load_n(place, __ATOMIC_RELAXED), next;         \
        memcpy(&add, (const uint8_t *)source + i * sizeof(word), sizeof(word));                              \
        do next = (word)element(op, type, old, add);                                                         \
        while (!__atomic_compare_exchange_n(place, &old, next, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));   \
    }

void emu_reduce(void *memory, const void *source, uint32_t bytes, enum emu_reduce_op op,
                enum emu_reduce_type type) {
    switch (types[type].bytes) {
    case 2: REDUCE_ALL(uint16_t) break;
    case 4: REDUCE_ALL(uint32_t) break;
    default: REDUCE_ALL(uint64_t) break;
    }
}
