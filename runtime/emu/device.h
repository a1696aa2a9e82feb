/* device: what a launch sees of the emulated GPU: its profile and its memory.
 *
 * Device memory is host memory: a CUdeviceptr is the host address, in a range of addresses that holds nothing else.
 * Every global access is checked against the table of allocations. Generic addresses: [EMU_SHARED_WINDOW, +4 GiB) is shared memory (low word = shared
 * address), [EMU_LOCAL_WINDOW, +4 GiB) is local memory; both ranges are reserved so that no allocation lands
 * there.
 *
 * The table changes only between launches (the API holds its lock through both), so that kernels read it
 * without one. */
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
    const char
        *targets; /* PTX targets it loads, space separated, best first: "sm_100a sm_100f sm_100 sm_90 ..." */
    int blocks_per_sm,
        max_cluster; /* max_cluster 1: no clusters; above 8 only where the function allows it */
    int memory_clock_khz, memory_bus_bits, l2_bytes, l2_persisting_bytes, async_engines, fp32_to_fp64;
};
const struct emu_profile *emu_profile_find(const char *key); /* NULL: unknown; key NULL: the default, b200 */
const struct emu_profile *emu_profile_for(const char *target); /* first that loads it; NULL: none */
const struct emu_profile *emu_profile_at(int index);         /* NULL past the end */

enum emu_memory {
    EMU_MEMORY_DEVICE,     /* emu_device_alloc() */
    EMU_MEMORY_MANAGED,    /* likewise, and the host may touch it */
    EMU_MEMORY_HOST,       /* likewise, allocated as page-locked host memory */
    EMU_MEMORY_REGISTERED, /* somebody else's: emu_device_register() */
};

struct emu_range { /* one line of the table */
    uint64_t address;
    size_t bytes;
    enum emu_memory kind;
    unsigned int flags; /* the caller's own */
    void *owner; /* NULL: the device's (a module's variables), else whoever called emu_device_claim() */
    uint64_t id; /* counts allocations */
    void *pool;  /* the caller's own: what it was taken from, or NULL */
};

struct emu_device;
struct emu_device *
emu_device_create(const struct emu_profile *profile); /* NULL: no memory, or the windows are taken */
void emu_device_destroy(struct emu_device *device);
const struct emu_profile *emu_device_profile(const struct emu_device *device);
/* 256-byte aligned; 0: no memory. Filled with 0xFF: NaN in every floating type, so that what was never
 * written shows. */
uint64_t emu_device_alloc(struct emu_device *device, size_t bytes);
bool emu_device_free(struct emu_device *device, uint64_t address); /* false: not the start of an allocation */
size_t emu_device_count(const struct emu_device *device); /* lines of the table */
size_t emu_device_used(const struct emu_device *device);           /* bytes allocated, without host memory */
/* Whether [address, +bytes) lies in one allocation (or in registered host memory). Any thread. */
bool emu_device_contains(struct emu_device *device, uint64_t address, size_t bytes);
/* Likewise, or, where the device reaches the host's memory, in memory that the process may write outside of the
 * device's range. */
bool emu_device_reaches(struct emu_device *device, uint64_t address, size_t bytes);
void emu_device_reach_host(struct emu_device *device, bool on); /* off in a new one */
/* The allocation that holds an address; false: none. Any thread. */
bool emu_device_find(struct emu_device *device, uint64_t address, struct emu_range *range);
/* Says what the allocation at its start address is for. */
void emu_device_claim(struct emu_device *device, uint64_t address, enum emu_memory kind, void *owner,
                      unsigned int flags);
void emu_device_set_pool(struct emu_device *device, uint64_t address, void *pool);
void emu_device_disown(struct emu_device *device, const void *pool); /* no line is of it any more */
/* Any line of an owner, for tidying up; false: none left. */
bool emu_device_owned(struct emu_device *device, const void *owner, struct emu_range *range);
/* Names an address for a report: "16 bytes past the end of the 4096-byte allocation at 0x...". */
void emu_device_describe(struct emu_device *device, uint64_t address, char *out, size_t out_bytes);
/* Lets kernels use host memory that somebody else owns; false: overlaps a line of the table, or no memory. */
bool emu_device_register(struct emu_device *device, uint64_t address, size_t bytes);
bool emu_device_unregister(struct emu_device *device,
                           uint64_t address); /* false: not the start of a registered range */

#endif
