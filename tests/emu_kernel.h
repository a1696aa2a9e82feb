/* emu_kernel: a PTX text, run on an emulated device inside the test. Parameters are one struct laid out as
 * the kernel's. */
#ifndef EMU_KERNEL_H
#define EMU_KERNEL_H

#include "runtime/emu/machine.h"

struct emu_kernel {
    const char
        *ptx; /* one .entry named "k"; without .version, .target and .address_size these are put before it */
    uint32_t ctas, threads, cluster, smem;
    const void *params;
};

/* Device memory of the test's device: allocated once, never freed. */
void *emu_kernel_memory(size_t bytes);
/* Runs it under one order; returns the CUresult, 0 when it is right, and the report ("" then). Load errors:
 * -1. */
int emu_kernel_run(const struct emu_kernel *kernel, enum emu_order order, uint64_t seed, char *report,
                   size_t report_bytes);

#endif
