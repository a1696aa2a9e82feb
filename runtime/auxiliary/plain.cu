// plain: attention without tricks, in float32: one warp a query row, one key after another, running maximum and sum.
// What a fast kernel's result is compared with on the device; nothing is rounded but O.
#include "element.cuh"

enum { MOST = 16 }; // of 32 dimensions

extern "C" __global__ void wl_plain(array q, array k, array v, array o, float *lse, i64 batch, i64 heads, i64 heads_kv,
                                    i64 seq_q, i64 seq_k, int dim, int dim_v, int causal, float scale_log2) {
    for (i64 row = first_row(); row < batch * heads * seq_q; row += row_step()) {
        i64 s = row % seq_q, h = row / seq_q % heads, b = row / seq_q / heads, hk = h / (heads / heads_kv);
        i64 keys = causal ? s + seq_k - seq_q + 1 : seq_k; // may be none
        float query[MOST], sum[MOST], most = NOTHING, all = 0;
        i64 at = place(q, b, s, h);
        for (int i = 0; i < MOST; i++) {
            int d = lane() + 32 * i;
            query[i] = d < dim ? get(q, at + d * q.stride[3]) : 0;
            sum[i] = 0;
        }
#pragma unroll 1
        for (i64 key = 0; key < keys; key++) {
            float dot = 0;
            at = place(k, b, key, hk);
            for (int i = 0; i < MOST; i++) {
                int d = lane() + 32 * i;
                if (d < dim) dot = fmaf(query[i], get(k, at + d * k.stride[3]), dot);
            }
            for (int step = 16; step; step /= 2) dot += __shfl_xor_sync(~0u, dot, step);
            float score = dot * scale_log2, next = fmaxf(most, score);
            if (score != score) next = score; // a NaN stays one
            float keep = next == most ? 1 : exp2f(most - next), weight = next == NOTHING ? 0 : exp2f(score - next);
            most = next;
            all = fmaf(all, keep, weight);
            at = place(v, b, key, hk);
            for (int i = 0; i < MOST; i++) {
                int d = lane() + 32 * i;
                if (d < dim_v) sum[i] = fmaf(sum[i], keep, weight * get(v, at + d * v.stride[3]));
            }
        }
        at = place(o, b, s, h);
        for (int i = 0; i < MOST; i++) {
            int d = lane() + 32 * i;
            if (d < dim_v) put(o, at + d * o.stride[3], all == 0 ? 0 : sum[i] / all);
        }
        if (lse && !lane()) lse[row] = all == 0 ? NOTHING : (most + log2f(all)) * 0.69314718056f;
    }
}
