/* test: what every Criterion file of warploom starts from.
 *
 * Rows, not copies: a file-scope `static const` table and one body. A parameter is the row's index (strings and
 * function pointers inside parameters crash in position-independent builds):
 *
 *     ParameterizedTestParameters(insn, lane) { return wl_test_rows(WL_LEN(rows)); }
 *     ParameterizedTest(size_t *i, insn, lane) { const struct row *r = &rows[*i]; ... cr_expect(...); }
 *
 * A parameter is a process, some 5 ms: a sweep of thousands is one test with a loop and cr_expect naming the
 * row. */
#ifndef WL_TEST_H
#define WL_TEST_H

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stddef.h>

#define WL_LEN(array) (sizeof(array) / sizeof((array)[0]))

static inline struct criterion_test_params wl_test_rows(size_t count) {
    size_t *rows = cr_malloc(count * sizeof *rows);
    for (size_t i = 0; i < count; i++) rows[i] = i;
    return cr_make_param_array(size_t, rows, count);
}

#endif
