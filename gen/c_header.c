/* c_header: see c_header.h. */
#include "gen/c_header.h"

#include <string.h>

#include "gen/version.h"

static const char *const kinds[] = {
    [WL_PARAM_TENSOR_MAP] = "TENSOR_MAP", [WL_PARAM_POINTER] = "POINTER",
    [WL_PARAM_SEQLEN_Q] = "SEQLEN_Q",     [WL_PARAM_SEQLEN_K] = "SEQLEN_K",
    [WL_PARAM_BATCH] = "BATCH",           [WL_PARAM_HEADS] = "HEADS",
    [WL_PARAM_HEADS_KV] = "HEADS_KV",     [WL_PARAM_HEAD_RATIO] = "HEAD_RATIO",
    [WL_PARAM_TILES] = "TILES",           [WL_PARAM_M_TILES] = "M_TILES",
    [WL_PARAM_SCALE_LOG2] = "SCALE_LOG2",
};
#define KINDS (sizeof kinds / sizeof *kinds)

static const char *const tensors[WL_TENSOR_COUNT] = {"Q", "K", "V", "O", "LSE"};

/* The same in every header, so that a program may include several. */
static void types(struct wl_text *out) {
    wl_text_printf(out, "#include <stddef.h>\n#include <stdint.h>\n\n#ifndef WL_AOT\n#define WL_AOT\n"
                        "enum wl_aot_tensor {");
    for (int i = 0; i < WL_TENSOR_COUNT; i++) wl_text_printf(out, "%s WL_AOT_%s", i ? "," : "", tensors[i]);
    wl_text_printf(
        out,
        " };\n\n/* TENSOR_MAP: 128 bytes, over `tensor`, 4-D {dim, seq, head, batch}; POINTER: its address;\n"
        " * SCALE_LOG2: float, softmax scale * log2(e); M_TILES: seqlen_q / rows_per_tile, rounded up; "
        "TILES:\n"
        " * M_TILES * heads * batch; HEAD_RATIO: heads / heads_kv. Numbers are uint32_t. */\nenum "
        "wl_aot_kind {\n");
    for (size_t i = 0; i < KINDS; i++) wl_text_printf(out, "    WL_AOT_%s,\n", kinds[i]);
    wl_text_printf(out,
                   "};\n\nstruct wl_aot_param {\n    uint8_t kind, tensor;\n"
                   "    uint16_t box[4], swizzle_bytes; /* of a TENSOR_MAP */\n};\n\n"
                   "struct wl_aot_launch {\n    const char *entry, *target;\n"
                   "    uint32_t threads, cluster, smem_bytes;\n"
                   "    uint32_t persistent; /* grid: TILES clusters, or as many of them as fit on the "
                   "device at once */\n"
                   "    uint32_t rows_per_tile, head_dim, head_dim_v;\n    uint32_t fp16, causal; /* 0, 1 */\n"
                   "    uint32_t param_count;\n    struct wl_aot_param params[%d];\n};\n#endif\n\n",
                   WL_LAUNCH_MAX_PARAMS);
}

static void record(struct wl_text *out, const struct wl_launch *l) {
    wl_text_printf(
        out, "static const struct wl_aot_launch %s_launch = {\n    .entry = \"%s\",\n    .target = \"%s\",\n",
        l->entry, l->entry, l->target);
    wl_text_printf(out,
                   "    .threads = %u,\n    .cluster = %u,\n    .smem_bytes = %u,\n    .persistent = %d,\n",
                   l->threads, l->cluster, l->smem_bytes, l->grid == WL_GRID_PERSISTENT);
    wl_text_printf(out, "    .rows_per_tile = %u,\n    .head_dim = %u,\n    .head_dim_v = %u,\n    .fp16 = %d,\n    .causal = %u,\n",
                   l->rows_per_tile, l->head_dim, l->head_dim_v, l->dtype == WL_FP16, l->causal);
    wl_text_printf(out, "    .param_count = %u,\n    .params = {\n", l->param_count);
    for (uint32_t i = 0; i < l->param_count; i++) {
        const struct wl_param *p = &l->params[i];
        wl_text_printf(out, "        {WL_AOT_%s, WL_AOT_%s, {%u, %u, %u, %u}, %u},\n", kinds[p->kind],
                       tensors[p->tensor], p->box.box[0], p->box.box[1], p->box.box[2], p->box.box[3],
                       p->box.swizzle_bytes);
    }
    wl_text_printf(out, "    },\n};\n\n");
}

/* Numbers, since a string literal may not be as long. */
static void array(struct wl_text *out, const char *entry, const unsigned char *bytes, size_t count,
                  int terminated) {
    wl_text_printf(out, "static const size_t %s_bytes = %zu;\nstatic const unsigned char %s_image[] = {",
                   entry, count, entry);
    for (size_t i = 0; i < count; i++) wl_text_printf(out, "%s%u,", i % 32 ? "" : "\n    ", bytes[i]);
    wl_text_printf(out, "%s\n};\n", terminated ? " 0" : "");
}

void wl_c_header(struct wl_text *out, const struct wl_launch *launch, const void *image, size_t bytes) {
    int cubin = bytes > 4 && !memcmp(image, "\177ELF", 4), fatbin = bytes > 4 && !memcmp(image, "\120\355\125\272", 4);
    wl_text_printf(out, "/* %s: %s made by warploom " WL_VERSION " */\n", launch->entry,
                   fatbin ? "a fat binary" : cubin ? "a cubin" : "PTX");
    types(out);
    record(out, launch);
    array(out, launch->entry, image, bytes, !cubin && !fatbin);
}
