/* device: see device.h. The table is an array of lines sorted by address; freed ones are remembered for
 * reports.
 *
 *     block:   | GUARD bytes | allocation, 256-byte aligned | GUARD bytes |
 *
 * The guards belong to nobody, so that an index which runs over never lands in a neighbour. */
#include "runtime/emu/device.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "gen/arena.h"

#define ALIGN      ((size_t)256)
#define GUARD      ((size_t)4096)
#define FILL       0xff
#define LARGE      ((size_t)64 << 20)  /* from here on, ask first whether the host has that much */
#define NEAR       ((uint64_t)1 << 20) /* further off, an address has nothing to do with an allocation */
#define FREED_KEPT 64

struct line {
    struct emu_range range;
    void *block; /* what to give back; NULL: somebody else's memory */
};

struct emu_device {
    const struct emu_profile *profile;
    struct line *lines;
    size_t count, capacity;
    size_t used;
    uint64_t ids;
    struct {
        uint64_t address;
        size_t bytes;
    } freed[FREED_KEPT]; /* a ring */
    size_t freed_count;
};

/* Whether everything mapped in [low, high) is inaccessible: then another copy of this library has reserved
 * it. */
static bool nothing_usable(uint64_t low, uint64_t high) {
    FILE *maps = fopen("/proc/self/maps", "r");
    if (!maps) return false;
    bool usable = false;
    char text[512];
    while (fgets(text, sizeof text, maps)) {
        uint64_t from, to;
        char access[8];
        if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %7s", &from, &to, access) != 3) continue;
        if (from < high && to > low && strncmp(access, "---", 3)) usable = true;
    }
    fclose(maps);
    return !usable;
}

/* Once a process; never given back, since kernels of any device may name addresses in there. */
static bool reserve_windows(void) {
    static bool reserved;
    if (reserved) return true;
    size_t bytes = (size_t)8 << 30; /* both windows, side by side */
    void *wanted = (void *)EMU_SHARED_WINDOW;
    void *got = mmap(wanted, bytes, PROT_NONE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    if (got == wanted) return reserved = true;
    if (got != MAP_FAILED) munmap(got, bytes); /* a kernel that takes the address for a hint */
    return reserved = nothing_usable(EMU_SHARED_WINDOW, EMU_SHARED_WINDOW + bytes);
}

struct emu_device *emu_device_create(const struct emu_profile *profile) {
    if (!reserve_windows()) return NULL;
    struct emu_device *device = wl_realloc(NULL, sizeof *device);
    if (!device) return NULL;
    *device = (struct emu_device){.profile = profile};
    return device;
}

void emu_device_destroy(struct emu_device *device) {
    if (!device) return;
    for (size_t i = 0; i < device->count; i++) wl_free(device->lines[i].block);
    wl_free(device->lines);
    wl_free(device);
}

const struct emu_profile *emu_device_profile(const struct emu_device *device) { return device->profile; }

size_t emu_device_used(const struct emu_device *device) { return device->used; }

/* How many lines start at or below the address. */
static size_t lines_up_to(const struct emu_device *device, uint64_t address) {
    size_t low = 0, high = device->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (device->lines[middle].range.address <= address) low = middle + 1;
        else high = middle;
    }
    return low;
}

static struct line *line_at(const struct emu_device *device, uint64_t address) {
    size_t below = lines_up_to(device, address);
    if (!below) return NULL;
    struct line *line = &device->lines[below - 1];
    return address - line->range.address < line->range.bytes ? line : NULL;
}

static struct line *line_starting(const struct emu_device *device, uint64_t address) {
    struct line *line = line_at(device, address);
    return line && line->range.address == address ? line : NULL;
}

static bool add_line(struct emu_device *device, struct line line) {
    if (device->count == device->capacity) {
        size_t capacity = device->capacity ? 2 * device->capacity : 64;
        struct line *lines = wl_realloc(device->lines, capacity * sizeof *lines);
        if (!lines) return false;
        device->lines = lines;
        device->capacity = capacity;
    }
    size_t place = lines_up_to(device, line.range.address);
    memmove(&device->lines[place + 1], &device->lines[place], (device->count - place) * sizeof line);
    line.range.id = ++device->ids;
    device->lines[place] = line;
    device->count++;
    return true;
}

static void remove_line(struct emu_device *device, struct line *line) {
    size_t place = (size_t)(line - device->lines);
    device->count--;
    memmove(line, line + 1, (device->count - place) * sizeof *line);
}

/* Filling touches every page: a host that has not got them would end the process, not the call. */
static bool host_has(size_t bytes) {
    if (bytes < LARGE) return true;
    FILE *meminfo = fopen("/proc/meminfo", "r");
    if (!meminfo) return true;
    char text[256];
    size_t kilobytes = SIZE_MAX >> 10;
    while (fgets(text, sizeof text, meminfo))
        if (sscanf(text, "MemAvailable: %zu", &kilobytes) == 1) break;
    fclose(meminfo);
    return bytes >> 10 < kilobytes - kilobytes / 16;
}

uint64_t emu_device_alloc(struct emu_device *device, size_t bytes) {
    size_t left = device->profile->memory_bytes - device->used;
    if (!bytes || bytes > left || !host_has(bytes)) return 0;
    void *block = wl_realloc(NULL, bytes + 2 * GUARD + ALIGN);
    if (!block) return 0;
    uint64_t address = ((uint64_t)(uintptr_t)block + GUARD + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
    struct line line = {.range = {.address = address, .bytes = bytes, .kind = EMU_MEMORY_DEVICE},
                        .block = block};
    if (!add_line(device, line)) {
        wl_free(block);
        return 0;
    }
    memset((void *)(uintptr_t)address, FILL, bytes);
    device->used += bytes;
    return address;
}

bool emu_device_free(struct emu_device *device, uint64_t address) {
    struct line *line = line_starting(device, address);
    if (!line || !line->block) return false;
    size_t slot = device->freed_count++ % FREED_KEPT;
    device->freed[slot].address = address;
    device->freed[slot].bytes = line->range.bytes;
    if (line->range.kind != EMU_MEMORY_HOST) device->used -= line->range.bytes;
    wl_free(line->block);
    remove_line(device, line);
    return true;
}

bool emu_device_contains(struct emu_device *device, uint64_t address, size_t bytes) {
    const struct line *line = line_at(device, address);
    return line && bytes <= line->range.bytes - (address - line->range.address);
}

bool emu_device_find(struct emu_device *device, uint64_t address, struct emu_range *range) {
    const struct line *line = line_at(device, address);
    if (line) *range = line->range;
    return line != NULL;
}

void emu_device_claim(struct emu_device *device, uint64_t address, enum emu_memory kind, void *owner,
                      unsigned int flags) {
    struct line *line = line_starting(device, address);
    if (!line) return;
    if (kind == EMU_MEMORY_HOST && line->range.kind != EMU_MEMORY_HOST && line->block)
        device->used -= line->range.bytes;
    line->range.kind = kind;
    line->range.owner = owner;
    line->range.flags = flags;
}

bool emu_device_owned(struct emu_device *device, const void *owner, struct emu_range *range) {
    for (size_t i = 0; i < device->count; i++)
        if (device->lines[i].range.owner == owner) return *range = device->lines[i].range, true;
    return false;
}

bool emu_device_register(struct emu_device *device, uint64_t address, size_t bytes) {
    if (!address || !bytes || bytes - 1 > UINT64_MAX - address) return false;
    size_t below = lines_up_to(device, address + (bytes - 1));
    if (below) { /* the last line that starts before our end must end before our start */
        const struct emu_range *last = &device->lines[below - 1].range;
        if (last->address >= address || address - last->address < last->bytes) return false;
    }
    struct line line = {.range = {.address = address, .bytes = bytes, .kind = EMU_MEMORY_REGISTERED}};
    return add_line(device, line);
}

bool emu_device_unregister(struct emu_device *device, uint64_t address) {
    struct line *line = line_starting(device, address);
    if (!line || line->block) return false;
    remove_line(device, line);
    return true;
}

static bool describe_freed(const struct emu_device *device, uint64_t address, char *out, size_t out_bytes) {
    size_t kept = device->freed_count < FREED_KEPT ? device->freed_count : FREED_KEPT;
    for (size_t i = 1; i <= kept; i++) { /* newest first: addresses are used again */
        size_t slot = (device->freed_count - i) % FREED_KEPT;
        uint64_t start = device->freed[slot].address;
        size_t bytes = device->freed[slot].bytes;
        if (address - start >= bytes) continue;
        snprintf(out, out_bytes,
                 "%" PRIu64 " bytes into the %zu-byte allocation at 0x%" PRIx64 ", which was freed",
                 address - start, bytes, start);
        return true;
    }
    return false;
}

/* The nearer of the allocations below and above. */
static void describe_between(const struct emu_device *device, uint64_t address, char *out, size_t out_bytes) {
    size_t count = lines_up_to(device, address);
    const struct emu_range *below = count ? &device->lines[count - 1].range : NULL;
    const struct emu_range *above = count < device->count ? &device->lines[count].range : NULL;
    uint64_t past = below ? address - (below->address + below->bytes) : UINT64_MAX;
    uint64_t before = above ? above->address - address : UINT64_MAX;
    if (past > NEAR && before > NEAR)
        snprintf(out, out_bytes, "0x%" PRIx64 " is near no allocation", address);
    else if (below && past <= before)
        snprintf(out, out_bytes, "%" PRIu64 " bytes past the end of the %zu-byte allocation at 0x%" PRIx64,
                 past, below->bytes, below->address);
    else
        snprintf(out, out_bytes,
                 "%" PRIu64 " bytes before the start of the %zu-byte allocation at 0x%" PRIx64, before,
                 above->bytes, above->address);
}

void emu_device_describe(struct emu_device *device, uint64_t address, char *out, size_t out_bytes) {
    const struct line *line = line_at(device, address);
    if (line)
        snprintf(out, out_bytes, "%" PRIu64 " bytes into the %zu-byte allocation at 0x%" PRIx64,
                 address - line->range.address, line->range.bytes, line->range.address);
    else if (address < 4096) snprintf(out, out_bytes, "0x%" PRIx64 " is next to a null pointer", address);
    else if (!describe_freed(device, address, out, out_bytes))
        describe_between(device, address, out, out_bytes);
}
