/* special: the special registers of PTX ISA 9.1 section 10, and the addresses that are known when a warp
 * starts. */
#include <string.h>

#include "runtime/emu/decoder.h"
#include "runtime/emu/device.h"

static const struct {
    const char *name;
    enum emu_special what;
    int64_t value;
    uint8_t bytes;
} specials[] = {
    /* clang-format off */
    {"%tid.x", EMU_SPECIAL_TID, 0, 4}, {"%tid.y", EMU_SPECIAL_TID, 1, 4}, {"%tid.z", EMU_SPECIAL_TID, 2, 4},
    {"%ntid.x", EMU_SPECIAL_NTID, 0, 4}, {"%ntid.y", EMU_SPECIAL_NTID, 1, 4}, {"%ntid.z", EMU_SPECIAL_NTID, 2, 4},
    {"%ctaid.x", EMU_SPECIAL_CTAID, 0, 4}, {"%ctaid.y", EMU_SPECIAL_CTAID, 1, 4}, {"%ctaid.z", EMU_SPECIAL_CTAID, 2, 4},
    {"%nctaid.x", EMU_SPECIAL_NCTAID, 0, 4}, {"%nctaid.y", EMU_SPECIAL_NCTAID, 1, 4}, {"%nctaid.z", EMU_SPECIAL_NCTAID, 2, 4},
    {"%clusterid.x", EMU_SPECIAL_CLUSTERID, 0, 4}, {"%clusterid.y", EMU_SPECIAL_CLUSTERID, 1, 4}, {"%clusterid.z", EMU_SPECIAL_CLUSTERID, 2, 4},
    {"%nclusterid.x", EMU_SPECIAL_NCLUSTERID, 0, 4}, {"%nclusterid.y", EMU_SPECIAL_NCLUSTERID, 1, 4}, {"%nclusterid.z", EMU_SPECIAL_NCLUSTERID, 2, 4},
    {"%cluster_ctaid.x", EMU_SPECIAL_CLUSTER_CTAID, 0, 4}, {"%cluster_ctaid.y", EMU_SPECIAL_CLUSTER_CTAID, 1, 4}, {"%cluster_ctaid.z", EMU_SPECIAL_CLUSTER_CTAID, 2, 4},
    {"%cluster_nctaid.x", EMU_SPECIAL_CLUSTER_NCTAID, 0, 4}, {"%cluster_nctaid.y", EMU_SPECIAL_CLUSTER_NCTAID, 1, 4}, {"%cluster_nctaid.z", EMU_SPECIAL_CLUSTER_NCTAID, 2, 4},
    {"%cluster_ctarank", EMU_SPECIAL_CLUSTER_CTARANK, 0, 4}, {"%cluster_nctarank", EMU_SPECIAL_CLUSTER_NCTARANK, 0, 4},
    {"%is_explicit_cluster", EMU_SPECIAL_IS_EXPLICIT_CLUSTER, 0, 0},
    {"%laneid", EMU_SPECIAL_LANEID, 0, 4}, {"%warpid", EMU_SPECIAL_WARPID, 0, 4}, {"%nwarpid", EMU_SPECIAL_NWARPID, 0, 4},
    {"%smid", EMU_SPECIAL_SMID, 0, 4}, {"%nsmid", EMU_SPECIAL_NSMID, 0, 4}, {"%gridid", EMU_SPECIAL_GRIDID, 0, 8},
    {"%lanemask_eq", EMU_SPECIAL_LANEMASK, 0, 4}, {"%lanemask_le", EMU_SPECIAL_LANEMASK, 1, 4}, {"%lanemask_lt", EMU_SPECIAL_LANEMASK, 2, 4},
    {"%lanemask_ge", EMU_SPECIAL_LANEMASK, 3, 4}, {"%lanemask_gt", EMU_SPECIAL_LANEMASK, 4, 4},
    {"%total_smem_size", EMU_SPECIAL_TOTAL_SMEM, 0, 4}, {"%aggr_smem_size", EMU_SPECIAL_AGGR_SMEM, 0, 4}, {"%dynamic_smem_size", EMU_SPECIAL_DYNAMIC_SMEM, 0, 4},
    {"%reserved_smem_offset_begin", EMU_SPECIAL_RESERVED_SMEM, 0, 4}, {"%reserved_smem_offset_end", EMU_SPECIAL_RESERVED_SMEM, 1, 4},
    {"%reserved_smem_offset_cap", EMU_SPECIAL_RESERVED_SMEM, 2, 4}, {"%reserved_smem_offset_0", EMU_SPECIAL_RESERVED_SMEM, 3, 4},
    {"%reserved_smem_offset_1", EMU_SPECIAL_RESERVED_SMEM, 4, 4},
    {"%current_graph_exec", EMU_SPECIAL_ZERO, 0, 8},
    /* clang-format on */
};

static const char *const clocks[] = {"%clock",          "%clock_hi",       "%clock64",
                                     "%globaltimer_lo", "%globaltimer_hi", "%globaltimer"};

bool emu_special_find(const char *name, enum emu_special *what, int64_t *value, uint8_t *bytes) {
    for (size_t k = 0; k < sizeof specials / sizeof specials[0]; k++)
        if (strcmp(name, specials[k].name) == 0) {
            *what = specials[k].what;
            *value = specials[k].value;
            *bytes = specials[k].bytes;
            return true;
        }
    if (strncmp(name, "%envreg", 7) != 0) return false;
    *what = EMU_SPECIAL_ZERO;
    *value = 0;
    *bytes = 4;
    return true;
}

int emu_clock_find(const char *name, uint8_t *bytes) {
    for (size_t k = 0; k < sizeof clocks / sizeof clocks[0]; k++)
        if (strcmp(name, clocks[k]) == 0) {
            *bytes = k == 2 || k == 5 ? 8 : 4;
            return (int)k + 1;
        }
    return 0;
}

static uint32_t product(const uint32_t v[3]) { return v[0] * v[1] * v[2]; }

static uint32_t rounded(uint32_t bytes, uint32_t unit) { return (bytes + unit - 1) / unit * unit; }

/* Coordinate k of the CTA inside its cluster: ranks run x first. */
static uint32_t cluster_ctaid(const struct emu_cta *cta, int64_t k) {
    const uint32_t *size = cta->cluster->launch->cluster;
    uint32_t rank = cta->rank;
    return k == 0 ? rank % size[0] : k == 1 ? rank / size[0] % size[1] : rank / size[0] / size[1];
}

static uint64_t lane_mask(int64_t which, uint32_t lane) {
    uint32_t eq = 1u << lane, lt = eq - 1;
    return which == 0 ? eq : which == 1 ? eq | lt : which == 2 ? lt : which == 3 ? ~lt : ~(eq | lt);
}

static uint64_t thread_index(const struct emu_warp *w, int64_t k, uint32_t lane) {
    const uint32_t *block = w->cta->cluster->launch->block;
    uint32_t t = w->index * EMU_LANES + lane;
    return k == 0 ? t % block[0] : k == 1 ? t / block[0] % block[1] : t / block[0] / block[1];
}

static uint64_t cta_value(const struct emu_warp *w, const struct emu_special_lanes *s) {
    const struct emu_cta *cta = w->cta;
    const struct emu_cluster *cluster = cta->cluster;
    const struct emu_launch *launch = cluster->launch;
    const struct emu_profile *profile = emu_device_profile(launch->device);
    int64_t k = s->value;
    switch (s->what) {
    case EMU_SPECIAL_SHARED: return (cta->rank << 24) + (uint64_t)k;
    case EMU_SPECIAL_DYNAMIC: return (cta->rank << 24) + launch->fn->dynamic_smem_offset + (uint64_t)k;
    case EMU_SPECIAL_PARAM: return (uint64_t)(uintptr_t)launch->params + (uint64_t)k;
    case EMU_SPECIAL_NTID: return launch->block[k];
    case EMU_SPECIAL_CTAID: return cta->ctaid[k];
    case EMU_SPECIAL_NCTAID: return launch->grid[k];
    case EMU_SPECIAL_CLUSTERID: return cluster->clusterid[k];
    case EMU_SPECIAL_NCLUSTERID: return launch->grid[k] / launch->cluster[k];
    case EMU_SPECIAL_CLUSTER_CTAID: return cluster_ctaid(cta, k);
    case EMU_SPECIAL_CLUSTER_NCTAID: return launch->cluster[k];
    case EMU_SPECIAL_CLUSTER_CTARANK: return cta->rank;
    case EMU_SPECIAL_CLUSTER_NCTARANK: return product(launch->cluster);
    case EMU_SPECIAL_IS_EXPLICIT_CLUSTER: return product(launch->cluster) > 1;
    case EMU_SPECIAL_WARPID: return w->index;
    case EMU_SPECIAL_NWARPID: return (uint32_t)(profile->threads_per_sm / EMU_LANES);
    case EMU_SPECIAL_SMID: {
        uint32_t linear = cta->ctaid[0] + launch->grid[0] * (cta->ctaid[1] + launch->grid[1] * cta->ctaid[2]);
        return linear % (uint32_t)profile->sms;
    }
    case EMU_SPECIAL_NSMID: return (uint32_t)profile->sms;
    case EMU_SPECIAL_GRIDID: return 1;
    case EMU_SPECIAL_TOTAL_SMEM:
        return rounded(cta->smem_bytes - EMU_SMEM_RESERVED, 128); /* in units of 128 bytes [ISA] */
    case EMU_SPECIAL_AGGR_SMEM: return cta->smem_bytes; /* [measured H200], as the next */
    case EMU_SPECIAL_DYNAMIC_SMEM: return launch->dynamic_smem;
    case EMU_SPECIAL_RESERVED_SMEM: return k == 1 ? 0x120 : k == 2 ? EMU_SMEM_RESERVED : 0;
    default: return 0;
    }
}

static uint64_t lane_value(const struct emu_warp *w, const struct emu_special_lanes *s, uint32_t lane) {
    if (s->what == EMU_SPECIAL_TID) return thread_index(w, s->value, lane);
    if (s->what == EMU_SPECIAL_LANEID) return lane;
    return lane_mask(s->value, lane);
}

void emu_warp_specials(struct emu_warp *w) {
    for (uint32_t k = 0; k < w->fn->special_count; k++) {
        const struct emu_special_lanes *s = &w->fn->specials[k];
        bool by_lane =
            s->what == EMU_SPECIAL_TID || s->what == EMU_SPECIAL_LANEID || s->what == EMU_SPECIAL_LANEMASK;
        uint64_t same = by_lane ? 0 : cta_value(w, s);
        void *lanes = w->bank[EMU_BANK_SPECIAL] + (uint64_t)s->slot * EMU_SLOT_BYTES;
        if (s->bytes == 0) {
            *(uint32_t *)lanes = same ? EMU_FULL : 0;
            continue;
        }
        for (uint32_t lane = 0; lane < EMU_LANES; lane++) {
            uint64_t v = by_lane ? lane_value(w, s, lane) : same;
            if (s->bytes == 8) ((uint64_t *)lanes)[lane] = v;
            else ((uint32_t *)lanes)[lane] = (uint32_t)v;
        }
    }
}
