/* handle: a set of the pointers given out as handles, so that one a program made up is refused, not followed.
 * Open addressing with linear probing; removal closes the gap behind it. Guarded by the API's lock. */
#include "runtime/emu/api.h"

#include "gen/arena.h"

struct slot {
    const void *handle; /* NULL: free */
    enum emu_kind kind;
};

static struct slot *slots;
static size_t capacity, count; /* capacity: a power of two, at least a third of it free */

static size_t home_of(const void *handle) {
    uint64_t bits = (uint64_t)(uintptr_t)handle * 0x9e3779b97f4a7c15ull;
    return (size_t)(bits >> 32) & (capacity - 1);
}

static size_t find(const void *handle) {
    size_t i = home_of(handle);
    while (slots[i].handle && slots[i].handle != handle) i = (i + 1) & (capacity - 1);
    return i;
}

static bool grow(void) {
    struct slot *old = slots;
    size_t old_capacity = capacity, bigger = capacity ? 2 * capacity : 64;
    struct slot *fresh = wl_realloc(NULL, bigger * sizeof *fresh);
    if (!fresh) return false;
    for (size_t i = 0; i < bigger; i++) fresh[i] = (struct slot){0};
    slots = fresh;
    capacity = bigger;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].handle) slots[find(old[i].handle)] = old[i];
    wl_free(old);
    return true;
}

bool emu_handle_add(const void *handle, enum emu_kind kind) {
    if (3 * (count + 1) > 2 * capacity && !grow()) return false;
    struct slot *slot = &slots[find(handle)];
    count += !slot->handle;
    *slot = (struct slot){handle, kind};
    return true;
}

void emu_handle_remove(const void *handle) {
    if (!capacity) return;
    size_t gap = find(handle);
    if (!slots[gap].handle) return;
    count--;
    for (size_t i = (gap + 1) & (capacity - 1); slots[i].handle; i = (i + 1) & (capacity - 1)) {
        size_t home = home_of(slots[i].handle);
        bool stays = gap < i ? home > gap && home <= i : home > gap || home <= i;
        if (stays) continue;
        slots[gap] = slots[i];
        gap = i;
    }
    slots[gap] = (struct slot){0};
}

bool emu_handle_is(const void *handle, enum emu_kind kind) {
    if (!handle || !capacity) return false;
    const struct slot *slot = &slots[find(handle)];
    return slot->handle && slot->kind == kind;
}
