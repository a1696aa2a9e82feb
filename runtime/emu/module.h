/* module: a PTX text loaded onto an emulated device: parsed, its variables placed in device memory, its
 * functions decoded.
 *
 * A module's globals and constants are allocations of the device (emu_device_alloc), freed with it. A
 * function and its names live as long as the module. */
#ifndef EMU_MODULE_H
#define EMU_MODULE_H

#include "runtime/emu/device.h"
#include "runtime/emu/machine.h"

struct emu_module {
    struct ptx_module *ptx;
    struct wl_arena *arena; /* the decoded functions */
    struct emu_device *device;
    struct emu_function *functions; /* parallel to ptx->functions; code NULL: only declared */
    uint64_t *addresses;            /* parallel to ptx->variables: of .global and .const, else 0 */
};

/* NULL with *error filled ("line:column" is 0:0 where there is no place, e.g. out of memory or a wrong
 * target). */
struct emu_module *emu_module_load(struct emu_device *device, const char *text, size_t bytes,
                                   struct ptx_error *error);
void emu_module_unload(struct emu_module *module);

/* An entry (.entry with a body) by name; NULL: none. Its parameters: fn->source->params[i], ->slot is the
 * offset and
 * ->bytes the size in the parameter block of fn->param_bytes. */
const struct emu_function *emu_module_function(const struct emu_module *module, const char *name);
/* A .global or .const variable by name; false: none. */
bool emu_module_global(const struct emu_module *module, const char *name, uint64_t *address, size_t *bytes);

#endif
