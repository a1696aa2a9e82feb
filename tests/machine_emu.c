#include "tests/machine_emu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/emu/insn.h"
#include "runtime/emu/module.h"
#include "runtime/emu/tensor_map.h"
#include "tests/emu_run.h"

struct machine_emu {
    struct emu_device *device;
    uint8_t *in, *out, before[MACHINE_OUT];
    struct emu_run run;
};

struct machine_emu *machine_emu_create(void) {
    struct machine_emu *emu = calloc(1, sizeof *emu);
    emu->device = emu_device_create(emu_profile_find("h100"));
    emu->in = (uint8_t *)(uintptr_t)emu_device_alloc(emu->device, MACHINE_IN);
    emu->out = (uint8_t *)(uintptr_t)emu_device_alloc(emu->device, MACHINE_OUT);
    machine_inputs(emu->in, emu->before);
    return emu;
}

void machine_emu_destroy(struct machine_emu *emu) {
    emu_device_destroy(emu->device);
    free(emu);
}

static bool encode(const struct machine_form *form, uint8_t *base, uint8_t map[128], char *why, size_t why_bytes) {
    const struct machine_tensor *t = form->tensor;
    struct emu_tensor_map m = {.type = (enum emu_tensor_type)t->type,
                               .rank = t->rank,
                               .address = (uint64_t)(uintptr_t)base,
                               .swizzle = (enum emu_swizzle)t->swizzle,
                               .nan_fill = t->nan_fill};
    for (int d = 0; d < t->rank; d++) {
        m.size[d] = t->size[d], m.box[d] = t->box[d], m.element_stride[d] = t->step[d];
        m.stride[d] = d ? t->stride[d - 1] : emu_tensor_type_bytes(m.type);
    }
    return emu_tensor_map_encode(map, &m, 9, why, why_bytes);
}

int machine_emu_run(struct machine_emu *emu, const struct machine_form *form, enum emu_order order,
                    const uint8_t **out, char *report, size_t report_bytes) {
    struct {
        uint64_t in, out, pad[6];
        uint8_t map[128];
    } params = {(uint64_t)(uintptr_t)emu->in, (uint64_t)(uintptr_t)emu->out, {0}, {0}};
    char why[200] = "";
    int status = -2;
    *out = emu->out;
    memcpy(emu->out, emu->before, MACHINE_OUT);
    memcpy(params.map, emu->in + 4096, sizeof params.map);
    uint8_t *base = form->flags & MACHINE_STORES ? emu->out + MACHINE_CTAS * MACHINE_PART : emu->in + MACHINE_TILE;
    if (!form->tensor || encode(form, base, params.map, why, sizeof why)) {
        emu->run = (struct emu_run){.ptx = form->text,
                                    .entry = "k",
                                    .grid = {form->ctas},
                                    .block = {form->threads},
                                    .cluster = {form->cluster},
                                    .params = &params,
                                    .param_bytes = sizeof params,
                                    .order = order,
                                    .timeout_ms = 5000,
                                    .device = emu->device};
        status = emu_run(&emu->run);
    }
    if (report) snprintf(report, report_bytes, "%s", status == -2 ? why : emu->run.report);
    return status;
}

void machine_emu_rows(const char *text, bool *seen) {
    struct ptx_error error;
    struct emu_device *device = emu_device_create(emu_profile_find("h100"));
    struct emu_module *module = emu_module_load(device, text, strlen(text), &error);
    for (uint32_t f = 0; module && f < module->ptx->function_count; f++)
        for (uint32_t k = 0; k < module->functions[f].code_count; k++)
            if (module->functions[f].code[k].row) seen[module->functions[f].code[k].row - emu_rows] = true;
    if (module) emu_module_unload(module);
    emu_device_destroy(device);
}
