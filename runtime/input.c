/* input: made-up tensors from a seed. */
#include "runtime/input.h"

#include <math.h>

#define OUTLIER 32.0f

const char *wl_input_name(enum wl_input input) {
    static const char *const names[WL_INPUT_COUNT] = {"normal", "large", "constant", "outlier"};
    return names[input];
}

static uint64_t mix(uint64_t z) { /* splitmix64's finaliser */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* Standard normal by Box and Muller, in double, so that every machine's libm rounds to the same float but for
 * ties. */
static float normal(uint64_t stream, uint64_t index) {
    uint64_t a = mix(stream + 2 * index), b = mix(stream + 2 * index + 1);
    double u = ((double)(a >> 11) + 1.0) * 0x1p-53, v = (double)(b >> 11) * 0x1p-53;
    return (float)(sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v));
}

void wl_input_start(struct wl_input_stream *stream, enum wl_input input, int tensor, uint64_t seed) {
    *stream =
        (struct wl_input_stream){input, tensor, mix(seed * 0x9e3779b97f4a7c15ull + (uint64_t)tensor + 1)};
}

void wl_input_row(const struct wl_input_stream *stream, uint64_t row, float *out, int dim) {
    static const float constants[3] = {0.75f, -0.5f, 1.25f};
    /* scores of unit normal rows are about normal; the largest of some thousand is near 4, so 20 times brings
     * 80 */
    const float factor = stream->input == WL_INPUT_LARGE && stream->tensor < 2 ? sqrtf(20.0f) : 1.0f;
    for (int i = 0; i < dim; i++)
        out[i] = stream->input == WL_INPUT_CONSTANT
                     ? constants[stream->tensor]
                     : factor * normal(stream->state, row * (uint64_t)dim + (uint64_t)i);
    if (stream->input == WL_INPUT_OUTLIER) out[mix(stream->state ^ (row + 1)) % (uint64_t)dim] *= OUTLIER;
}
