/* What a real GPU of Hopper's generation gave (tests/captures, by tests/capture), against the emulator, bit by bit. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/mufu.h"
#include "tests/machine_forms.h"

/* ---- the approximate functions: every mantissa ---- */

static float ex2_positive(float x) { return mufu_ex2(x - 1.0f); }
static float ex2_negative(float x) { return mufu_ex2(1.0f - x); }

static const struct {
    const char *name;
    float (*fn)(float);
    uint32_t first, count; /* bits of the first argument, and how many follow */
} tables[] = {
    {"ex2", ex2_positive, 0x3f800000, 1 << 23}, {"ex2-", ex2_negative, 0x3f800000, 1 << 23},
    {"rcp", mufu_rcp, 0x3f800000, 1 << 23},     {"rsqrt", mufu_rsqrt, 0x3f800000, 1 << 24},
    {"lg2", mufu_lg2, 0x3f800000, 1 << 23},     {"lg2-", mufu_lg2, 0x3f000000, 1 << 23},
};

ParameterizedTestParameters(capture, approximate) { return wl_test_rows(WL_LEN(tables)); }
ParameterizedTest(size_t *i, capture, approximate) {
    char line[128], name[32];
    unsigned long long wanted = 0, hash;
    FILE *file = fopen("tests/captures/approx_h200.txt", "r");
    cr_assert(file, "run the tests from the repository's root");
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%31s %llx", name, &hash) == 2 && strcmp(name, tables[*i].name) == 0) wanted = hash;
    fclose(file);
    uint32_t *results = malloc((size_t)4 * tables[*i].count);
    for (uint32_t k = 0; k < tables[*i].count; k++)
        results[k] = emu_bits_of_f32(tables[*i].fn(emu_f32_of_bits(tables[*i].first + k)));
    cr_expect_eq(machine_hash(results, (size_t)4 * tables[*i].count), wanted, "%s: not as the H200 has it",
                 tables[*i].name);
    free(results);
}
