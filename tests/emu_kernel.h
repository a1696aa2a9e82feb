/* emu_kernel: a kernel named "k" on the emulator, in one call: what tests of asynchronous instructions need
 * of emu_run. */
#ifndef EMU_KERNEL_H
#define EMU_KERNEL_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/emu_run.h"

struct emu_kernel {
    const char *ptx; /* without .version, .target and .address_size: put before it */
    uint32_t ctas, threads, cluster, smem;
    const void *params;
    size_t param_bytes;
};

/* Device memory of the test's device, filled with 0xFF; lives as long as the test. */
static inline void *emu_kernel_memory(size_t bytes) {
    return (void *)(uintptr_t)emu_device_alloc(emu_run_device(), bytes);
}

/* The CUresult (0: right, -1: did not load) and the report ("" when right). */
static inline int emu_kernel_run(const struct emu_kernel *k, enum emu_order order, uint64_t seed,
                                 char *report, size_t report_bytes) {
    size_t bytes = strlen(k->ptx) + 64;
    char *text = malloc(bytes);
    struct emu_run *run = calloc(1, sizeof *run);
    snprintf(text, bytes, ".version 8.8\n.target sm_100a\n.address_size 64\n%s", k->ptx);
    *run = (struct emu_run){.ptx = text,
                            .entry = "k",
                            .grid = {k->ctas, 1, 1},
                            .block = {k->threads, 1, 1},
                            .cluster = {k->cluster, 1, 1},
                            .smem = k->smem,
                            .params = k->params,
                            .param_bytes = k->param_bytes,
                            .order = order,
                            .seed = seed,
                            .timeout_ms = 20000,
                            .device = emu_run_device()};
    int status = emu_run(run);
    snprintf(report, report_bytes, "%.*s", (int)report_bytes - 1, run->report);
    free(run);
    free(text);
    return status;
}

#endif
