/* device: see device.h. The table is an array of lines sorted by address; freed ones are remembered for
 * reports.
 *
 * Allocations lie in a range of addresses of the device's own, at least GUARD bytes apart, so that an index which runs
 * over never lands in a neighbour or in the host's memory. The next one goes behind the last one, so that addresses are
 * used again as late as may be; when the range is used up, into the first gap that is wide enough. */
#include "runtime/emu/device.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include "gen/arena.h"

#define GUARD      ((size_t)4096)
#define FILL       0xff
#define LARGE      ((size_t)64 << 20)  /* from here on, ask first whether the host has that much */
#define NEAR       ((uint64_t)1 << 20) /* further off, an address has nothing to do with an allocation */
#define FREED_KEPT 64
#define PAGE       ((uint64_t)4096)

struct line {
    struct emu_range range;
    bool own; /* false: somebody else's memory */
};

struct span { /* of the host's memory */
    uint64_t from, to;
};

struct emu_device {
    const struct emu_profile *profile;
    struct line *lines;
    size_t count, capacity;
    size_t used;
    uint64_t ids;
    struct span arena;
    uint64_t next; /* where the next allocation is tried first */
    bool reaches_host;
    pthread_rwlock_t spans_lock;
    struct span *spans; /* what the process may write, as it was found last; sorted */
    size_t span_count;
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

/* Addresses alone: pages come with the first write. Fewer where a limit forbids many. */
static bool reserve_arena(struct span *arena) {
    for (size_t bytes = (size_t)16 << 40; bytes >= (size_t)1 << 30; bytes /= 4) {
        void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at == MAP_FAILED) continue;
        madvise(at, bytes, MADV_DONTDUMP);
        *arena = (struct span){(uintptr_t)at, (uintptr_t)at + bytes};
        return true;
    }
    return false;
}

struct emu_device *emu_device_create(const struct emu_profile *profile) {
    if (!reserve_windows()) return NULL;
    struct emu_device *device = wl_realloc(NULL, sizeof *device);
    if (!device) return NULL;
    *device = (struct emu_device){.profile = profile, .spans_lock = PTHREAD_RWLOCK_INITIALIZER};
    if (!reserve_arena(&device->arena)) {
        wl_free(device);
        return NULL;
    }
    device->next = device->arena.from;
    return device;
}

void emu_device_destroy(struct emu_device *device) {
    if (!device) return;
    munmap((void *)(uintptr_t)device->arena.from, device->arena.to - device->arena.from);
    pthread_rwlock_destroy(&device->spans_lock);
    wl_free(device->spans);
    wl_free(device->lines);
    wl_free(device);
}

const struct emu_profile *emu_device_profile(const struct emu_device *device) { return device->profile; }

size_t emu_device_count(const struct emu_device *device) { return device->count; }
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

/* Room for bytes with a guard behind, from an address on; 0: none. */
static uint64_t room_from(const struct emu_device *device, uint64_t at, size_t bytes) {
    for (size_t i = lines_up_to(device, at);; i++) {
        if (i) { /* behind the line before, where that is one of ours */
            const struct emu_range *before = &device->lines[i - 1].range;
            uint64_t end = before->address + before->bytes + GUARD;
            if (before->address >= device->arena.from && end > at) at = end;
        }
        at = (at + PAGE - 1) & ~(PAGE - 1);
        if (at < device->arena.from + GUARD) at = device->arena.from + GUARD;
        if (at >= device->arena.to || bytes > device->arena.to - at || device->arena.to - at - bytes < GUARD) return 0;
        if (i == device->count || device->lines[i].range.address >= at + bytes + GUARD) return at;
    }
}

uint64_t emu_device_alloc(struct emu_device *device, size_t bytes) {
    size_t left = device->profile->memory_bytes - device->used;
    if (!bytes || bytes > left || !host_has(bytes)) return 0;
    uint64_t address = room_from(device, device->next, bytes);
    if (!address) address = room_from(device, device->arena.from, bytes);
    struct line line = {.range = {.address = address, .bytes = bytes, .kind = EMU_MEMORY_DEVICE}, .own = true};
    if (!address || !add_line(device, line)) return 0;
    memset((void *)(uintptr_t)address, FILL, bytes);
    device->used += bytes;
    device->next = address + bytes;
    return address;
}

bool emu_device_free(struct emu_device *device, uint64_t address) {
    struct line *line = line_starting(device, address);
    if (!line || !line->own) return false;
    size_t slot = device->freed_count++ % FREED_KEPT;
    device->freed[slot].address = address;
    device->freed[slot].bytes = line->range.bytes;
    if (line->range.kind != EMU_MEMORY_HOST) device->used -= line->range.bytes;
    madvise((void *)(uintptr_t)address, (line->range.bytes + PAGE - 1) & ~(PAGE - 1), MADV_DONTNEED);
    remove_line(device, line);
    return true;
}

bool emu_device_contains(struct emu_device *device, uint64_t address, size_t bytes) {
    const struct line *line = line_at(device, address);
    return line && bytes <= line->range.bytes - (address - line->range.address);
}

/* ---- the host's memory ---- */

void emu_device_reach_host(struct emu_device *device, bool on) { device->reaches_host = on; }

static bool within(const struct emu_device *device, uint64_t address, size_t bytes) {
    size_t low = 0, high = device->span_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (device->spans[middle].to <= address) low = middle + 1;
        else high = middle;
    }
    const struct span *span = &device->spans[low];
    return low < device->span_count && address >= span->from && bytes <= span->to - address;
}

/* What the process may write now, neighbours joined; our own ranges are left out. */
static void look_again(struct emu_device *device) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char text[512], access[8];
    device->span_count = 0;
    struct span s;
    size_t capacity = 0;
    while (maps && fgets(text, sizeof text, maps)) {
        if (sscanf(text, "%" SCNx64 "-%" SCNx64 " %7s", &s.from, &s.to, access) != 3) continue;
        if (strncmp(access, "rw", 2) || (s.from < device->arena.to && s.to > device->arena.from)) continue;
        struct span *last = device->span_count ? &device->spans[device->span_count - 1] : NULL;
        if (last && last->to == s.from) {
            last->to = s.to;
            continue;
        }
        if (device->span_count == capacity) {
            struct span *more = wl_realloc(device->spans, (capacity += 256) * sizeof *more);
            if (!more) break;
            device->spans = more;
        }
        device->spans[device->span_count++] = s;
    }
    if (maps) fclose(maps);
}

static bool host_memory(struct emu_device *device, uint64_t address, size_t bytes) {
    if (address - device->arena.from < device->arena.to - device->arena.from) return false;
    pthread_rwlock_rdlock(&device->spans_lock);
    bool found = within(device, address, bytes);
    pthread_rwlock_unlock(&device->spans_lock);
    if (found) return true;
    pthread_rwlock_wrlock(&device->spans_lock);
    look_again(device);
    found = within(device, address, bytes);
    pthread_rwlock_unlock(&device->spans_lock);
    return found;
}

bool emu_device_reaches(struct emu_device *device, uint64_t address, size_t bytes) {
    if (emu_device_contains(device, address, bytes)) return true;
    return device->reaches_host && host_memory(device, address, bytes);
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
    if (kind == EMU_MEMORY_HOST && line->range.kind != EMU_MEMORY_HOST && line->own)
        device->used -= line->range.bytes;
    line->range.kind = kind;
    line->range.owner = owner;
    line->range.flags = flags;
}

void emu_device_set_pool(struct emu_device *device, uint64_t address, void *pool) {
    struct line *line = line_starting(device, address);
    if (line) line->range.pool = pool;
}

void emu_device_disown(struct emu_device *device, const void *pool) {
    for (size_t i = 0; i < device->count; i++)
        if (device->lines[i].range.pool == pool) device->lines[i].range.pool = NULL;
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
    if (!line || line->own) return false;
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
