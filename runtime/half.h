/* half: bfloat16 and IEEE half, to and from float. To 16 bits: round to nearest, ties to even; NaN stays NaN
 * (quiet). */
#ifndef WL_HALF_H
#define WL_HALF_H

#include <stddef.h>
#include <stdint.h>

#include "gen/launch.h"

float wl_bf16_to_float(uint16_t bits);
uint16_t wl_bf16_from_float(float value);
float wl_half_to_float(uint16_t bits);
uint16_t wl_half_from_float(float value);

/* By dtype; the array forms take any count. */
float wl_dtype_to_float(enum wl_dtype dtype, uint16_t bits);
uint16_t wl_dtype_from_float(enum wl_dtype dtype, float value);
void wl_dtype_widen(enum wl_dtype dtype, float *to, const uint16_t *from, size_t count);
void wl_dtype_narrow(enum wl_dtype dtype, uint16_t *to, const float *from, size_t count);
const char *wl_dtype_name(enum wl_dtype dtype); /* "bf16", "fp16" */

#endif
