/* device: what a launch sees of the emulated GPU: its profile and its memory.
 *
 * Device memory is host memory: a CUdeviceptr is the host address. Every global access is checked against the table of
 * allocations. Generic addresses: [EMU_SHARED_WINDOW, +4 GiB) is shared memory (low word = shared address),
 * [EMU_LOCAL_WINDOW, +4 GiB) is local memory; both ranges are reserved so that no allocation lands there. */
#ifndef EMU_DEVICE_H
#define EMU_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EMU_SHARED_WINDOW 0x7e0000000000ull
#define EMU_LOCAL_WINDOW  0x7e0100000000ull

struct emu_profile { /* B200, H100, A100 */
    const char *key, *name;
    int cc_major, cc_minor;
    int sms, smem_per_sm, smem_per_block, regs_per_sm, threads_per_sm, clock_khz;
    size_t memory_bytes;
    const char *targets; /* PTX targets it loads, space separated, best first: "sm_100a sm_100f sm_100 sm_90 ..." */
};
const struct emu_profile *emu_profile_find(const char *key); /* NULL: unknown; key NULL: the default, b200 */

struct emu_device;
struct emu_device *emu_device_create(const struct emu_profile *profile);
void emu_device_destroy(struct emu_device *device);
const struct emu_profile *emu_device_profile(const struct emu_device *device);
uint64_t emu_device_alloc(struct emu_device *device, size_t bytes); /* 256-byte aligned; 0: no memory. Filled with 0xC7 */
bool emu_device_free(struct emu_device *device, uint64_t address);  /* false: not the start of an allocation */
/* Whether [address, +bytes) lies in one allocation (or in registered host memory). Any thread. */
bool emu_device_contains(struct emu_device *device, uint64_t address, size_t bytes);
/* Names an address for a report: "16 bytes past the end of the 4096-byte allocation at 0x...". */
void emu_device_describe(struct emu_device *device, uint64_t address, char *out, size_t out_bytes);
void emu_device_register(struct emu_device *device, uint64_t address, size_t bytes); /* module globals, host memory */
void emu_device_unregister(struct emu_device *device, uint64_t address);

#endif
