#include "tests/capture_open.h"

#include <string.h>

/* clang-format off */
const struct capture_open capture_opens[] = {
    {"sin.approx", "SIN_F32", "the unit's table is not recovered"},
    {"cos.approx", "COS_F32", "the unit's table is not recovered"},
    {"sqrt.approx", "SQRT_APPROX_F32", "the unit's table is not recovered"},
    {"tanh.approx", "TANH_F32 TANH_HALF TANH_HALF2", "the unit's table is not recovered"},
    {"rcp.approx.ftz.f64", "RCP_APPROX_F64", "the unit's table is not recovered"},
    {"rsqrt.approx.f64", "RSQRT_F64", "the unit's table is not recovered"},
    {"rsqrt.approx.ftz.f64", "RSQRT_APPROX_F64", "the unit's table is not recovered"},
    {"ex2.approx.f16", "EX2_HALF EX2_HALF2", "not looked into"},
    {"ex2.approx.ftz.bf16", NULL, "as ex2.approx.f16"},
    {"createpolicy.range", "CREATEPOLICY_RANGE", "the bits' meaning is not recovered"},
    {".L2::evict_first.b64 %rd20", "CREATEPOLICY", "not looked into"},
    {".tensor.", "TMA_STORE TMA_STORE_H TMA_REDUCE TMA_REDUCE_H", "boxes that end within 16 bytes, and reductions that an H200 refuses to do"},
    {"add.f64", "ATOM_F64 RED_F64 BULK_REDUCE", "NaN keep their payload there"},
    {"atom.add.f32 %o1, [%rd10+4]", "ATOM_F32", "subnormals in shared memory"},
    {"isspacep.const %p0", "ISSPACEP", "constant memory"},
    {"%aggr_smem_size", NULL, "sizes of shared memory"},
    {"prefetch.param.tensormap", "PREFETCH_TENSORMAP", "not looked into"},
    {"%warpid", NULL, "%warpid is the place that the scheduler chose"},
    {"cvta.param.u64 %rd10, %own", NULL, "%own is not a parameter's address"},
    {"st.global.b128 [%own], %q0", NULL, "%q0 is not set"},
    {"st.b128 [%own], %q0", NULL, "%q0 is not set"},
    {"f, (give)", NULL, "reads bytes that were not set"},
    {"st.shared.b32 [%s], %r1; barrier.cluster", NULL, "all lanes store to one place"},
};
/* clang-format on */
const size_t capture_open_count = sizeof capture_opens / sizeof *capture_opens;

const struct capture_open *capture_open(const char *text) {
    for (size_t k = 0; k < capture_open_count; k++)
        if (strstr(text, capture_opens[k].text)) return &capture_opens[k];
    return NULL;
}
