/* launch: what a runtime must know to launch a generated kernel, and nothing else.
 *
 * The generator's plan makes one; the runtime reads it and knows kernels by nothing else. It is plain data without
 * pointers, so it can be stored beside a cubin and written as a C initialiser. */
#ifndef WL_LAUNCH_H
#define WL_LAUNCH_H

#include <stdint.h>

#include "runtime/warploom.h" /* enum wl_dtype */

#define WL_LAUNCH_MAX_PARAMS 24
#define WL_LAUNCH_NAME_BYTES 96

/* Tensors of an attention problem, each in (batch, seq, head, dim) order with free strides but for dim (dense). */
enum wl_tensor { WL_TENSOR_Q, WL_TENSOR_K, WL_TENSOR_V, WL_TENSOR_O, WL_TENSOR_LSE, WL_TENSOR_COUNT };

enum wl_param_kind {
    WL_PARAM_TENSOR_MAP, /* 128 bytes, 64-byte aligned: a tiled tensor map over `tensor`, 4-D {dim, seq, head, batch} */
    WL_PARAM_POINTER,    /* u64 device address of `tensor` (LSE: float32, dense (batch, head, seq_q); may be 0 = do not write) */
    WL_PARAM_SEQLEN_Q,   /* u32 */
    WL_PARAM_SEQLEN_K,   /* u32 */
    WL_PARAM_BATCH,      /* u32 */
    WL_PARAM_HEADS,      /* u32, query heads */
    WL_PARAM_HEADS_KV,   /* u32 */
    WL_PARAM_HEAD_RATIO, /* u32, heads / heads_kv */
    WL_PARAM_TILES,      /* u32, total work tiles = ceil(seqlen_q / rows_per_tile) * heads * batch */
    WL_PARAM_M_TILES,    /* u32, ceil(seqlen_q / rows_per_tile) */
    WL_PARAM_SCALE_LOG2, /* f32, softmax scale * log2(e) */
};

/* How the grid follows from the problem and the device. */
enum wl_grid {
    WL_GRID_TILES,      /* one CTA (or cluster) a work tile */
    WL_GRID_PERSISTENT, /* min(tiles, what fits on the device at once) */
};

struct wl_tensor_box { /* of a WL_PARAM_TENSOR_MAP */
    uint16_t box[4];      /* elements of {dim, seq, head, batch} one copy moves */
    uint16_t swizzle_bytes; /* 0, 32, 64, 128 */
};

struct wl_param {
    uint8_t kind;    /* enum wl_param_kind */
    uint8_t tensor;  /* enum wl_tensor, where the kind names one */
    uint16_t offset; /* bytes from the start of the parameter block, for information */
    struct wl_tensor_box box;
};

struct wl_launch {
    char entry[WL_LAUNCH_NAME_BYTES]; /* the .entry's name */
    char target[16];                  /* "sm_100a" */
    uint32_t threads;                 /* block dimension x; y = z = 1 */
    uint32_t cluster;                 /* CTAs a cluster, 1 = none */
    uint32_t smem_bytes;              /* dynamic shared memory */
    uint32_t grid;                    /* enum wl_grid */
    uint32_t rows_per_tile;           /* query rows of one work tile (of the whole cluster) */
    uint32_t head_dim, head_dim_v;    /* of the problem it was specialised for */
    uint32_t dtype;                   /* enum wl_dtype */
    uint32_t causal;                  /* 0, 1 (bottom-right aligned) */
    uint32_t param_count;
    struct wl_param params[WL_LAUNCH_MAX_PARAMS];
};

#endif
