/* launch_json: see launch_json.h. */
#include "gen/launch_json.h"

/* In the order of enum wl_param_kind and enum wl_tensor. */
static const char *const kinds[] = {
    [WL_PARAM_TENSOR_MAP] = "tensor_map", [WL_PARAM_POINTER] = "pointer",
    [WL_PARAM_SEQLEN_Q] = "seqlen_q",     [WL_PARAM_SEQLEN_K] = "seqlen_k",
    [WL_PARAM_BATCH] = "batch",           [WL_PARAM_HEADS] = "heads",
    [WL_PARAM_HEADS_KV] = "heads_kv",     [WL_PARAM_HEAD_RATIO] = "head_ratio",
    [WL_PARAM_TILES] = "tiles",           [WL_PARAM_M_TILES] = "m_tiles",
    [WL_PARAM_SCALE_LOG2] = "scale_log2"};
static const char *const tensors[] = {"q", "k", "v", "o", "lse"};

static void put_param(struct wl_json *json, const struct wl_param *param) {
    wl_json_open(json, NULL, '{');
    wl_json_text(json, "kind", kinds[param->kind]);
    if (param->kind == WL_PARAM_TENSOR_MAP || param->kind == WL_PARAM_POINTER)
        wl_json_text(json, "tensor", tensors[param->tensor]);
    if (param->kind == WL_PARAM_TENSOR_MAP) {
        wl_json_open(json, "box", '['); /* elements of dim, seq, head, batch */
        for (int i = 0; i < 4; i++) wl_json_int(json, NULL, param->box.box[i]);
        wl_json_close(json);
        wl_json_int(json, "swizzle_bytes", param->box.swizzle_bytes);
    }
    wl_json_close(json);
}

void wl_launch_json(struct wl_json *json, const char *key, const struct wl_launch *launch) {
    wl_json_open(json, key, '{');
    wl_json_text(json, "entry", launch->entry);
    wl_json_text(json, "target", launch->target);
    wl_json_int(json, "threads", launch->threads);
    wl_json_int(json, "cluster", launch->cluster);
    wl_json_int(json, "smem_bytes", launch->smem_bytes);
    wl_json_text(json, "grid", launch->grid == WL_GRID_PERSISTENT ? "persistent" : "tiles");
    wl_json_int(json, "rows_per_tile", launch->rows_per_tile);
    wl_json_int(json, "head_dim", launch->head_dim);
    wl_json_int(json, "head_dim_v", launch->head_dim_v);
    wl_json_text(json, "dtype", launch->dtype == WL_BF16 ? "bf16" : "fp16");
    wl_json_bool(json, "causal", launch->causal != 0);
    wl_json_open(json, "params", '[');
    for (uint32_t i = 0; i < launch->param_count; i++) put_param(json, &launch->params[i]);
    wl_json_close(json);
    wl_json_close(json);
}
