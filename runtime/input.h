/* input: made-up tensors for trying a kernel: the same bytes from the same seed on every machine.
 *
 *     normal    independent standard normal elements
 *     large     normal, scaled so that scores reach about +-80 after the softmax scale 1/sqrt(head_dim)
 *     constant  every element of a tensor the same
 *     outlier   normal, with one element of every row 32 times as large */
#ifndef WL_INPUT_H
#define WL_INPUT_H

#include <stddef.h>
#include <stdint.h>

enum wl_input { WL_INPUT_NORMAL, WL_INPUT_LARGE, WL_INPUT_CONSTANT, WL_INPUT_OUTLIER, WL_INPUT_COUNT };

const char *wl_input_name(enum wl_input input);

struct wl_input_stream {
    enum wl_input input;
    int tensor;
    uint64_t state;
};

/* tensor: Q (0), K (1) or V (2). Rows may be asked for in any order. */
void wl_input_start(struct wl_input_stream *stream, enum wl_input input, int tensor, uint64_t seed);
void wl_input_row(const struct wl_input_stream *stream, uint64_t row, float *out, int dim);

#endif
