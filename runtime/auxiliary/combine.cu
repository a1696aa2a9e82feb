// combine: O and LSE over all keys from those of disjoint parts of the keys: O = sum of exp(lse_i - lse) O_i. Parts in
// their order, so that the result is the same every time. A part without keys (LSE -inf) is not read.
#include "element.cuh"

extern "C" __global__ void wl_combine(array o, float *lse, array part, i64 part_stride, const float *part_lse,
                                      i64 parts, i64 batch, i64 heads, i64 seq, i64 dim) {
    i64 rows = batch * heads * seq;
    for (i64 row = first_row(); row < rows; row += row_step()) {
        i64 s = row % seq, h = row / seq % heads, b = row / seq / heads;
        float most = NOTHING, all = 0;
        for (i64 p = 0; p < parts; p++) most = fmaxf(most, part_lse[p * rows + row]);
#pragma unroll 1
        for (i64 p = 0; p < parts; p++) {
            float mine = part_lse[p * rows + row];
            if (mine != NOTHING) all += exp2f((mine - most) * 1.4426950409f);
        }
        i64 write = place(o, b, s, h), read = place(part, b, s, h);
#pragma unroll 1
        for (i64 d = lane(); d < dim; d += 32) {
            float sum = 0;
#pragma unroll 1
            for (i64 p = 0; p < parts; p++) {
                float mine = part_lse[p * rows + row];
                if (mine != NOTHING)
                    sum = fmaf(exp2f((mine - most) * 1.4426950409f),
                               get(part, p * part_stride + read + d * part.stride[3]), sum);
            }
            put(o, write + d * o.stride[3], all == 0 ? 0 : sum / all);
        }
        if (lse && !lane()) lse[row] = all == 0 ? NOTHING : most + log2f(all) * 0.69314718056f;
    }
}
