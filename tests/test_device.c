/* device: the emulated device's table of allocations against a dumb twin, and how it speaks of addresses; the
 * set of handles likewise. */
#include "runtime/emu/api.h"
#include "runtime/emu/device.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>

static struct emu_device *make(void) {
    struct emu_device *device = emu_device_create(emu_profile_find(NULL));
    cr_assert_not_null(device);
    return device;
}

static uint64_t next(uint64_t *state) {
    *state ^= *state >> 12, *state ^= *state << 25, *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull >> 20;
}

Test(device, profiles) {
    cr_expect_str_eq(emu_profile_find(NULL)->key, "b200");
    cr_expect_str_eq(emu_profile_find("a100")->key, "a100");
    cr_expect_null(emu_profile_find("B200"));
    cr_expect_null(emu_profile_at(-1));
    int count = 0;
    for (; emu_profile_at(count); count++)
        cr_expect_eq(emu_profile_find(emu_profile_at(count)->key), emu_profile_at(count));
    cr_expect_eq(count, 3);
}

Test(device, memory_is_aligned_filled_and_apart) {
    struct emu_device *device = make();
    uint64_t a = emu_device_alloc(device, 100), b = emu_device_alloc(device, 100);
    cr_expect(a % 256 == 0 && b % 256 == 0);
    cr_expect(a > b ? a - b >= 4196 : b - a >= 4196);
    for (int i = 0; i < 100; i++) cr_expect_eq(((unsigned char *)a)[i], 0xff);
    cr_expect_eq(emu_device_used(device), 200);
    cr_expect_eq(emu_device_alloc(device, 0), 0);
    cr_expect_eq(emu_device_alloc(device, SIZE_MAX), 0);
    cr_expect_eq(emu_device_alloc(device, emu_profile_find(NULL)->memory_bytes), 0); /* 200 bytes too many */
    emu_device_destroy(device);
}

static const struct access {
    int64_t offset; /* from the start of an allocation of 100 bytes */
    size_t bytes;
    bool inside;
} accesses[] = {{0, 1, true},    {0, 100, true},        {99, 1, true},           {96, 4, true},
                {97, 4, false},  {100, 1, false},       {-1, 1, false},          {-1, 2, false},
                {0, 101, false}, {0, 0, true},          {99, 0, true},           {100, 0, false},
                {50, 50, true},  {50, SIZE_MAX, false}, {1, SIZE_MAX - 1, false}};

Test(device, bounds) {
    struct emu_device *device = make();
    uint64_t a = emu_device_alloc(device, 100);
    for (size_t i = 0; i < WL_LEN(accesses); i++) {
        const struct access *x = &accesses[i];
        cr_expect_eq(emu_device_contains(device, a + (uint64_t)x->offset, x->bytes), x->inside,
                     "%zu bytes at %ld", x->bytes, (long)x->offset);
    }
    cr_expect_not(emu_device_contains(device, 0, 1));
    cr_expect_not(emu_device_contains(device, UINT64_MAX, 1));
    emu_device_destroy(device);
}

static void describes(struct emu_device *device, uint64_t address, const char *wanted) {
    char text[160];
    emu_device_describe(device, address, text, sizeof text);
    cr_expect(strstr(text, wanted), "'%s' lacks '%s'", text, wanted);
}

Test(device, speaks_of_addresses) {
    struct emu_device *device = make();
    describes(device, 0x123456, "near no allocation");
    describes(device, 8, "next to a null pointer");
    uint64_t a = emu_device_alloc(device, 4096), b = emu_device_alloc(device, 32 << 20);
    describes(device, a + 4096 + 16, "16 bytes past the end of the 4096-byte allocation");
    describes(device, a - 4, "4 bytes before the start of the 4096-byte allocation");
    describes(device, a + 40, "40 bytes into the 4096-byte allocation");
    emu_device_free(device, b);
    describes(device, b + 12345, "12345 bytes into the 33554432-byte allocation");
    describes(device, b + 12345, "which was freed");
    emu_device_destroy(device);
}

Test(device, registered_memory) {
    struct emu_device *device = make();
    static char own[256];
    uint64_t at = (uintptr_t)own;
    cr_expect(emu_device_register(device, at + 16, 100));
    cr_expect(emu_device_contains(device, at + 16, 100));
    cr_expect_not(emu_device_contains(device, at + 15, 1));
    cr_expect_not(emu_device_register(device, at + 16, 100));
    cr_expect_not(emu_device_register(device, at, 17));
    cr_expect_not(emu_device_register(device, at + 115, 1));
    cr_expect_not(emu_device_register(device, at, 256));
    cr_expect(emu_device_register(device, at, 16));
    cr_expect(emu_device_register(device, at + 116, 1));
    cr_expect_not(emu_device_register(device, 0, 16));
    cr_expect_not(emu_device_register(device, at + 200, 0));
    cr_expect_not(emu_device_register(device, at + 200, SIZE_MAX));
    cr_expect_not(emu_device_free(device, at));
    cr_expect_not(emu_device_unregister(device, at + 17));
    cr_expect(emu_device_unregister(device, at + 16));
    cr_expect_not(emu_device_contains(device, at + 16, 1));
    cr_expect_not(emu_device_unregister(device, emu_device_alloc(device, 16)));
    cr_expect_eq(emu_device_used(device), 16); /* host memory is not the device's */
    emu_device_destroy(device);
}

Test(device, owners) {
    struct emu_device *device = make();
    struct emu_range range;
    int me, you;
    uint64_t a = emu_device_alloc(device, 10), b = emu_device_alloc(device, 20),
             c = emu_device_alloc(device, 30);
    emu_device_claim(device, a, EMU_MEMORY_DEVICE, &me, 1);
    emu_device_claim(device, b, EMU_MEMORY_HOST, &you, 2);
    emu_device_claim(device, c, EMU_MEMORY_MANAGED, &me, 3);
    cr_expect(emu_device_find(device, b + 5, &range));
    cr_expect(range.address == b && range.bytes == 20 && range.kind == EMU_MEMORY_HOST &&
              range.owner == &you && range.flags == 2);
    cr_expect_eq(emu_device_used(device), 40);
    for (int i = 0; i < 2; i++) {
        cr_assert(emu_device_owned(device, &me, &range));
        cr_expect(emu_device_free(device, range.address));
    }
    cr_expect_not(emu_device_owned(device, &me, &range));
    cr_expect_not(emu_device_free(device, a));
    cr_expect(emu_device_free(device, b));
    cr_expect_eq(emu_device_used(device), 0);
    emu_device_destroy(device);
}

/* A thousand steps beside a plain list. */
Test(device, against_a_list) {
    enum { MOST = 40 };
    struct emu_device *device = make();
    struct {
        uint64_t address;
        size_t bytes;
    } list[MOST];
    size_t count = 0;
    uint64_t state = 88172645463325252ull;
    for (int step = 0; step < 2000; step++) {
        size_t which = count ? next(&state) % count : 0;
        if (count < MOST && next(&state) % 2) {
            list[count].bytes = 1 + next(&state) % 5000;
            list[count].address = emu_device_alloc(device, list[count].bytes);
            cr_assert(list[count].address != 0);
            count++;
        } else if (count) {
            cr_expect(emu_device_free(device, list[which].address));
            list[which] = list[--count];
        }
        if (!count) continue;
        which = next(&state) % count;
        uint64_t address = list[which].address + next(&state) % 6000 - 500;
        size_t bytes = next(&state) % 300;
        bool inside = false;
        for (size_t i = 0; i < count; i++)
            inside |= address >= list[i].address && address < list[i].address + list[i].bytes &&
                      address + bytes <= list[i].address + list[i].bytes;
        cr_expect_eq(emu_device_contains(device, address, bytes), inside, "step %d", step);
    }
    emu_device_destroy(device);
}

Test(device, handles_against_a_list) {
    enum { MOST = 300 };
    static char memory[MOST];
    bool in[MOST] = {false};
    uint64_t state = 1234567;
    cr_expect_not(emu_handle_is(memory, EMU_KIND_EVENT)); /* while the set is empty */
    emu_handle_remove(memory);
    for (int step = 0; step < 20000; step++) {
        size_t i = next(&state) % MOST;
        enum emu_kind kind = i % 2 ? EMU_KIND_EVENT : EMU_KIND_STREAM;
        if (in[i]) emu_handle_remove(&memory[i]);
        else cr_assert(emu_handle_add(&memory[i], kind));
        in[i] = !in[i];
        size_t j = next(&state) % MOST;
        cr_expect_eq(emu_handle_is(&memory[j], j % 2 ? EMU_KIND_EVENT : EMU_KIND_STREAM), in[j], "step %d",
                     step);
        cr_expect_not(emu_handle_is(&memory[j], EMU_KIND_MODULE));
    }
    cr_expect_not(emu_handle_is(NULL, EMU_KIND_EVENT));
}
