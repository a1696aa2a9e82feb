#include "tests/emu_kernel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "runtime/emu/device.h"
#include "runtime/emu/module.h"

static struct emu_device *device(void) {
    static struct emu_device *only;
    if (!only) only = emu_device_create(emu_profile_find(NULL));
    return only;
}

void *emu_kernel_memory(size_t bytes) { return (void *)(uintptr_t)emu_device_alloc(device(), bytes); }

static struct emu_module *load(const char *ptx, char *report, size_t report_bytes) {
    struct ptx_error error;
    size_t bytes = strlen(ptx) + 64;
    char *text = malloc(bytes);
    snprintf(text, bytes, "%s%s",
             strstr(ptx, ".version") ? "" : ".version 8.8\n.target sm_100a\n.address_size 64\n", ptx);
    struct emu_module *module = emu_module_load(device(), text, strlen(text), &error);
    if (!module) snprintf(report, report_bytes, "%u:%u: %s", error.line, error.column, error.text);
    free(text);
    return module;
}

int emu_kernel_run(const struct emu_kernel *k, enum emu_order order, uint64_t seed, char *report,
                   size_t report_bytes) {
    report[0] = '\0';
    struct emu_module *module = load(k->ptx, report, report_bytes);
    if (!module) return -1;
    struct emu_launch *launch = calloc(1, sizeof *launch);
    launch->fn = emu_module_function(module, "k");
    launch->device = device();
    launch->order = order;
    launch->seed = seed;
    launch->params = k->params;
    launch->dynamic_smem = k->smem;
    launch->timeout_ms = 20000;
    for (int i = 0; i < 3; i++) launch->grid[i] = launch->block[i] = launch->cluster[i] = 1;
    launch->grid[0] = k->ctas;
    launch->block[0] = k->threads;
    launch->cluster[0] = k->cluster;
    int result = launch->fn ? emu_launch_run(launch) : -1;
    snprintf(report, report_bytes, "%s", launch->report);
    free(launch);
    emu_module_unload(module);
    return result;
}
