#include "tests/emu_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/module.h"

struct emu_device *emu_run_device(void) {
    static struct emu_device *device;
    if (!device) device = emu_device_create(emu_profile_find(NULL));
    return device;
}

static void set3(uint32_t to[3], const uint32_t from[3], uint32_t first) {
    for (int k = 0; k < 3; k++) to[k] = from[k] ? from[k] : k == 0 ? first : 1;
}

/* Any test under the judge: WARPLOOM_EMU_CHECK=strict build/tests/emu_tma */
static enum emu_check check_of_environment(void) {
    const char *value = getenv("WARPLOOM_EMU_CHECK");
    if (!value || !strcmp(value, "0")) return EMU_CHECK_OFF;
    return strcmp(value, "strict") ? EMU_CHECK_ERROR : EMU_CHECK_STRICT;
}

/* Its other random orders: WARPLOOM_TEST_SEED=5 build/tests/oracle */
static uint64_t more_seed(void) {
    const char *value = getenv("WARPLOOM_TEST_SEED");
    return value ? strtoull(value, NULL, 10) : 0;
}

int emu_run(struct emu_run *run) {
    struct ptx_error error;
    struct emu_device *device = run->device ? run->device : emu_run_device();
    struct emu_module *module = emu_module_load(device, run->ptx, strlen(run->ptx), &error);
    run->status = -1;
    run->report[0] = '\0';
    if (!module) {
        snprintf(run->report, sizeof run->report, "%u:%u: %s", error.line, error.column, error.text);
        return run->status;
    }
    struct emu_launch *launch = calloc(1, sizeof *launch);
    uint8_t *params = aligned_alloc(128, 4096);
    memset(params, 0, 4096);
    if (run->param_bytes) memcpy(params, run->params, run->param_bytes);
    launch->fn = emu_module_function(module, run->entry ? run->entry : "test");
    launch->device = device;
    launch->params = params;
    set3(launch->grid, run->grid, 1);
    set3(launch->block, run->block, 32);
    set3(launch->cluster, run->cluster, 1);
    launch->dynamic_smem = run->smem;
    launch->order = run->order;
    launch->check = run->check ? run->check : check_of_environment();
    launch->seed = run->seed + more_seed();
    launch->timeout_ms = run->timeout_ms ? run->timeout_ms : 20000;
    if (launch->fn) run->status = emu_launch_run(launch);
    else snprintf(run->report, sizeof run->report, "no such entry");
    if (run->status > 0) memcpy(run->report, launch->report, sizeof run->report);
    free(params);
    free(launch);
    emu_module_unload(module);
    return run->status;
}

int emu_run_lanes(const char *body, const uint32_t *in, uint32_t inputs, uint32_t out[4][32],
                  char report[16384]) {
    static const char head[] =
        ".version 9.0\n.target sm_100a\n.address_size 64\n"
        ".global .align 128 .b8 room[4096];\n"
        ".visible .entry test(.param .u64 in, .param .u64 out) {\n"
        ".reg .b32 %r<32>; .reg .b64 %rd<32>; .reg .b16 %h<16>; .reg .f32 %f<32>; .reg .f64 %fd<16>;\n"
        ".reg .b128 %q<4>; .reg .pred %p<16>; .reg .b64 %in, %out; .reg .b32 %lane;\n"
        "ld.param.u64 %in, [in]; ld.param.u64 %out, [out]; mov.u32 %lane, %laneid;\n"
        "mul.wide.u32 %rd31, %lane, 4; add.u64 %in, %in, %rd31; add.u64 %out, %out, %rd31;\n";
    struct emu_device *device = emu_run_device();
    uint64_t params[2] = {emu_device_alloc(device, 32 * 4 * (inputs + 1)),
                          emu_device_alloc(device, 4 * 32 * 4)};
    struct emu_run *run = calloc(1, sizeof *run);
    size_t left = strlen(body) + 16384, at = 0;
    char *ptx = malloc(left);
    at += (size_t)snprintf(ptx, left, "%s", head);
    for (uint32_t k = 0; k < inputs; k++)
        at += (size_t)snprintf(ptx + at, left - at, "ld.global.b32 %%r%u, [%%in + %u];\n", k, k * 128);
    for (uint32_t k = 0; k + 1 < inputs; k += 2)
        at += (size_t)snprintf(ptx + at, left - at, "mov.b64 %%rd%u, {%%r%u, %%r%u};\n", k / 2, k, k + 1);
    at += (size_t)snprintf(ptx + at, left - at, "%s\n", body);
    for (uint32_t k = 0; k < 4; k++)
        at += (size_t)snprintf(ptx + at, left - at, "st.global.b32 [%%out + %u], %%r%u;\n", k * 128, k);
    snprintf(ptx + at, left - at, "ret;\n}\n");
    if (inputs) memcpy((void *)(uintptr_t)params[0], in, (size_t)inputs * 128);
    run->ptx = ptx;
    run->params = params;
    run->param_bytes = sizeof params;
    int status = emu_run(run);
    memcpy(out, (void *)(uintptr_t)params[1], 4 * 128);
    if (report) memcpy(report, run->report, sizeof run->report);
    emu_device_free(device, params[0]);
    emu_device_free(device, params[1]);
    free(ptx);
    free(run);
    return status;
}
