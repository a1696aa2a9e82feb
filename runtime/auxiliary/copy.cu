// copy: to = from, element by element: another type, another layout, or both.
#include "element.cuh"

extern "C" __global__ void wl_copy(array to, array from, i64 batch, i64 seq, i64 heads, i64 dim) {
    for (i64 row = first_row(); row < batch * seq * heads; row += row_step()) {
        i64 h = row % heads, s = row / heads % seq, b = row / heads / seq;
        i64 read = place(from, b, s, h), write = place(to, b, s, h);
#pragma unroll 1
        for (i64 d = lane(); d < dim; d += 32) put(to, write + d * to.stride[3], get(from, read + d * from.stride[3]));
    }
}
