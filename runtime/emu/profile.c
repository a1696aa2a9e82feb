/* profile: the GPUs that the emulated device can be. Figures: facts sheet section 11; what no source here
 * gives (memory clocks, L2 of the B200) is the data sheet's rounded figure [UNPROVEN: one
 * cuDeviceGetAttribute on each]. */
#include "runtime/emu/device.h"

#include <string.h>

#define TARGETS_TO_80 "sm_80 sm_75 sm_72 sm_70 sm_62 sm_61 sm_60 sm_53 sm_52 sm_50"
#define GIB           ((size_t)1 << 30)

/* clang-format off */
static const struct emu_profile profiles[] = {
    {.key = "b200", .name = "NVIDIA B200 (emulated)", .cc_major = 10, .cc_minor = 0,
     .sms = 148, .smem_per_sm = 233472, .smem_per_block = 232448, .regs_per_sm = 65536, .threads_per_sm = 2048,
     .clock_khz = 1980000, .memory_bytes = 178 * GIB, .targets = "sm_100a sm_100f sm_100 sm_90 sm_89 sm_87 sm_86 " TARGETS_TO_80,
     .blocks_per_sm = 32, .max_cluster = 16, .memory_clock_khz = 3996000, .memory_bus_bits = 8192, .l2_bytes = 126 << 20,
     .l2_persisting_bytes = 79 << 20, .async_engines = 4, .fp32_to_fp64 = 2},
    {.key = "h100", .name = "NVIDIA H100 80GB HBM3 (emulated)", .cc_major = 9, .cc_minor = 0,
     .sms = 132, .smem_per_sm = 233472, .smem_per_block = 232448, .regs_per_sm = 65536, .threads_per_sm = 2048,
     .clock_khz = 1980000, .memory_bytes = 79 * GIB, .targets = "sm_90a sm_90 sm_89 sm_87 sm_86 " TARGETS_TO_80,
     .blocks_per_sm = 32, .max_cluster = 16, .memory_clock_khz = 2619000, .memory_bus_bits = 5120, .l2_bytes = 50 << 20,
     .l2_persisting_bytes = 32 << 20, .async_engines = 3, .fp32_to_fp64 = 2},
    {.key = "a100", .name = "NVIDIA A100-SXM4-80GB (emulated)", .cc_major = 8, .cc_minor = 0,
     .sms = 108, .smem_per_sm = 167936, .smem_per_block = 166912, .regs_per_sm = 65536, .threads_per_sm = 2048,
     .clock_khz = 1410000, .memory_bytes = 79 * GIB, .targets = TARGETS_TO_80,
     .blocks_per_sm = 32, .max_cluster = 1, .memory_clock_khz = 1593000, .memory_bus_bits = 5120, .l2_bytes = 40 << 20,
     .l2_persisting_bytes = 30 << 20, .async_engines = 3, .fp32_to_fp64 = 2},
};
/* clang-format on */

const struct emu_profile *emu_profile_at(int index) {
    return index >= 0 && index < (int)(sizeof profiles / sizeof *profiles) ? &profiles[index] : NULL;
}

const struct emu_profile *emu_profile_find(const char *key) {
    if (!key) return &profiles[0];
    for (int i = 0; emu_profile_at(i); i++)
        if (!strcmp(profiles[i].key, key)) return &profiles[i];
    return NULL;
}

const struct emu_profile *emu_profile_for(const char *target) {
    size_t bytes = target ? strlen(target) : 0;
    for (int i = 0; bytes && emu_profile_at(i); i++)
        for (const char *t = profiles[i].targets; *t; t += strspn(t, " ")) {
            size_t length = strcspn(t, " ");
            if (length == bytes && !memcmp(t, target, bytes)) return &profiles[i];
            t += length;
        }
    return NULL;
}
