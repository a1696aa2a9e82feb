/* half: every one of the 65536 values of both types, and what lies between and beside them. */
#include "runtime/half.h"
#include "tests/test.h"

#include <math.h>
#include <string.h>

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The value that the bits stand for, from the definition: sign, exponent, fraction. */
static double value_of(uint16_t bits, int fraction_bits, int bias) {
    int exponent = (bits & 0x7fff) >> fraction_bits, fraction = bits & ((1 << fraction_bits) - 1);
    int most = 0x7fff >> fraction_bits;
    double magnitude;
    if (exponent == most) magnitude = fraction ? NAN : INFINITY;
    else if (exponent == 0) magnitude = ldexp(fraction, 1 - bias - fraction_bits);
    else magnitude = ldexp(fraction + (1 << fraction_bits), exponent - bias - fraction_bits);
    return bits & 0x8000 ? -magnitude : magnitude;
}

static const struct type {
    enum wl_dtype dtype;
    int fraction_bits, bias;
} types[] = {{WL_BF16, 7, 127}, {WL_FP16, 10, 15}};

ParameterizedTestParameters(half, widens_every_value) { return wl_test_rows(WL_LEN(types)); }
ParameterizedTest(size_t *i, half, widens_every_value) {
    const struct type *t = &types[*i];
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        double wanted = value_of((uint16_t)bits, t->fraction_bits, t->bias);
        float got = wl_dtype_to_float(t->dtype, (uint16_t)bits);
        bool same = isnan(wanted) ? isnan(got) : got == wanted;
        cr_expect(same && !signbit(wanted) == !signbit(got), "%s 0x%04x is %g, not %g",
                  wl_dtype_name(t->dtype), bits, got, wanted);
    }
}

ParameterizedTestParameters(half, narrows_back) { return wl_test_rows(WL_LEN(types)); }
ParameterizedTest(size_t *i, half, narrows_back) {
    const struct type *t = &types[*i];
    for (uint32_t bits = 0; bits < 0x10000; bits++) {
        float value = wl_dtype_to_float(t->dtype, (uint16_t)bits);
        uint16_t got = wl_dtype_from_float(t->dtype, value);
        bool same =
            isnan(value) ? isnan(wl_dtype_to_float(t->dtype, got)) && (got ^ bits) < 0x8000 : got == bits;
        cr_expect(same, "%s 0x%04x comes back as 0x%04x", wl_dtype_name(t->dtype), bits, got);
    }
}

/* Between each finite value and the next: a quarter of the way rounds down, three quarters up, the middle to
 * the even one; just beside the middle to the nearer. The step after the greatest ends in infinity. */
ParameterizedTestParameters(half, rounds_to_nearest_even) { return wl_test_rows(WL_LEN(types)); }
ParameterizedTest(size_t *i, half, rounds_to_nearest_even) {
    const struct type *t = &types[*i];
    uint32_t infinity = 0x7fffu >> t->fraction_bits << t->fraction_bits;
    double beyond = 2 * value_of((uint16_t)(infinity - 1), t->fraction_bits, t->bias) -
                    value_of((uint16_t)(infinity - 2), t->fraction_bits, t->bias);
    for (uint32_t bits = 0; bits < infinity; bits++) {
        double low = value_of((uint16_t)bits, t->fraction_bits, t->bias);
        double high =
            bits + 1 == infinity ? beyond : value_of((uint16_t)(bits + 1), t->fraction_bits, t->bias);
        float middle =
            (float)((low + high) / 2); /* exact: floats have the bits, or it is a float subnormal */
        if (middle == (float)low || middle == (float)high) continue;
        uint16_t even = (uint16_t)(bits + (bits & 1));
        cr_expect_eq(wl_dtype_from_float(t->dtype, middle), even, "%s: middle above 0x%04x",
                     wl_dtype_name(t->dtype), bits);
        cr_expect_eq(wl_dtype_from_float(t->dtype, nextafterf(middle, 0)), bits,
                     "%s: below the middle above 0x%04x", wl_dtype_name(t->dtype), bits);
        cr_expect_eq(wl_dtype_from_float(t->dtype, nextafterf(middle, INFINITY)), bits + 1,
                     "%s: past the middle above 0x%04x", wl_dtype_name(t->dtype), bits);
        cr_expect_eq(wl_dtype_from_float(t->dtype, -middle), even | 0x8000,
                     "%s: minus the middle above 0x%04x", wl_dtype_name(t->dtype), bits);
    }
}

static const struct corner {
    enum wl_dtype dtype;
    uint32_t from;
    uint16_t to;
} corners[] = {
    {WL_BF16, 0x7f7fffff, 0x7f80}, /* the greatest float */
    {WL_BF16, 0x00000001, 0x0000},
    {WL_BF16, 0x80000001, 0x8000},
    {WL_BF16, 0x00008001, 0x0001}, /* just more than half the least */
    {WL_BF16, 0x7f800001, 0x7fc0}, /* a signalling NaN whose upper half is infinity's */
    {WL_BF16, 0xff800001, 0xffc0},
    {WL_FP16, 0x7f7fffff, 0x7c00},
    {WL_FP16, 0x477fe000, 0x7bff}, /* 65504 */
    {WL_FP16, 0x477fefff, 0x7bff}, /* just less than 65520 */
    {WL_FP16, 0x477ff000, 0x7c00}, /* 65520 */
    {WL_FP16, 0x33000000, 0x0000}, /* 2^-25: half the least, even is 0 */
    {WL_FP16, 0x33000001, 0x0001},
    {WL_FP16, 0xb3000001, 0x8001},
    {WL_FP16, 0x00000001, 0x0000},
    {WL_FP16, 0x387fe000, 0x0400}, /* the middle between the greatest subnormal and 2^-14 */
    {WL_FP16, 0x7f800001, 0x7e00},
};

Test(half, corners) {
    for (size_t i = 0; i < WL_LEN(corners); i++) {
        uint16_t got = wl_dtype_from_float(corners[i].dtype, float_of(corners[i].from));
        cr_expect_eq(got, corners[i].to, "%s of 0x%08x is 0x%04x, not 0x%04x",
                     wl_dtype_name(corners[i].dtype), corners[i].from, got, corners[i].to);
    }
}

Test(half, arrays) {
    const float values[] = {1, -2.5f, 0, 65504, 1e-7f};
    for (size_t t = 0; t < WL_LEN(types); t++) {
        uint16_t narrow[WL_LEN(values)];
        float wide[WL_LEN(values)];
        wl_dtype_narrow(types[t].dtype, narrow, values, WL_LEN(values));
        wl_dtype_widen(types[t].dtype, wide, narrow, WL_LEN(values));
        for (size_t i = 0; i < WL_LEN(values); i++) {
            cr_expect_eq(narrow[i], wl_dtype_from_float(types[t].dtype, values[i]));
            cr_expect_eq(wide[i], wl_dtype_to_float(types[t].dtype, narrow[i]));
        }
    }
}
