/* reference_multiply: c (rows x columns) += a (rows x terms) * b (terms x columns), for reference.c, which
 * includes this once for each type and vector width:
 *
 *     REAL   double, float      BYTES   of a vector      TARGET   the function's attribute      MULTIPLY,
 * VECTOR   its names
 *
 * rows even, columns a multiple of 4 vectors. A tile of 2 rows and 4 vectors stays in registers. Each sum
 * runs over its terms in order, one addition a term: so all widths give the same bits. */

typedef REAL VECTOR __attribute__((vector_size(BYTES), aligned(sizeof(REAL)), may_alias));

TARGET static void MULTIPLY(REAL *c, int64_t c_step, const REAL *a, int64_t a_step, const REAL *b,
                            int64_t b_step, int64_t rows, int64_t columns, int64_t terms) {
    int64_t lanes = BYTES / sizeof(REAL);
    for (int64_t n = 0; n < columns; n += 4 * lanes)
        for (int64_t m = 0; m < rows; m += 2) {
            const REAL *a0 = a + m * a_step, *a1 = a0 + a_step;
            VECTOR *upper = (VECTOR *)(c + m * c_step + n), *lower = (VECTOR *)(c + (m + 1) * c_step + n);
            VECTOR u0 = upper[0], u1 = upper[1], u2 = upper[2], u3 = upper[3];
            VECTOR l0 = lower[0], l1 = lower[1], l2 = lower[2], l3 = lower[3];
            for (int64_t k = 0; k < terms; k++) {
                const VECTOR *row = (const VECTOR *)(b + k * b_step + n);
                VECTOR b0 = row[0], b1 = row[1], b2 = row[2], b3 = row[3];
                u0 += a0[k] * b0, u1 += a0[k] * b1, u2 += a0[k] * b2, u3 += a0[k] * b3;
                l0 += a1[k] * b0, l1 += a1[k] * b1, l2 += a1[k] * b2, l3 += a1[k] * b3;
            }
            upper[0] = u0, upper[1] = u1, upper[2] = u2, upper[3] = u3;
            lower[0] = l0, lower[1] = l1, lower[2] = l2, lower[3] = l3;
        }
}

#undef BYTES
#undef TARGET
#undef MULTIPLY
#undef VECTOR
