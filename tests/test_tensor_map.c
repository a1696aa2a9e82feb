/* The 128 bytes of a tensor map, against a sweep of cuTensorMapEncodeTiled on an H200 (driver 580.159.04,
 * CUDA 13.0). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "runtime/emu/tensor_map.h"
#include "tests/test.h"

/* What every row starts from: bf16, 128B swizzle, 128 x 300 x 5 x 3 in boxes of 64 x 128. */
static const struct emu_tensor_map base = {.type = EMU_TENSOR_BF16,
                                           .rank = 4,
                                           .address = 0x7f1234567000,
                                           .size = {128, 300, 5, 3, 1},
                                           .stride = {2, 256, 76800, 384000, 0},
                                           .box = {64, 128, 1, 1, 1},
                                           .element_stride = {1, 1, 1, 1, 1},
                                           .swizzle = EMU_SWIZZLE_128B};
static const uint64_t base_words[16] = {0x00007f1234567000,
                                        0x0000001000006530,
                                        0x00005dc0000012c0,
                                        0,
                                        0x0000012b0000007f,
                                        0x0000000200000004,
                                        0x3f00000000000000,
                                        0x7f,
                                        0x4000,
                                        0x400};

/* clang-format off */
static const struct { const char *change, *words; } rows[] = { /* words that differ from the base's, or "refused" */
    {"type=0 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000030 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000000800 w9=0000000000000010"},
    {"type=1 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000000b0 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000001000 w9=0000000000000010"},
    {"type=2 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000130 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=3 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000001b0 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=4 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000230 w2=0005dc0000012c00 w6=0f00000000000000 w9=0000000000000010"},
    {"type=5 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000002b0 w2=0005dc0000012c00 w6=0f00000000000000 w9=0000000000000010"},
    {"type=6 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000330 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000001000 w9=0000000000000010"},
    {"type=7 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000003b0 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=8 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000004b0 w2=0005dc0000012c00 w6=0f00000000000000 w9=0000000000000010"},
    {"type=9 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000530 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000001000 w9=0000000000000010"},
    {"type=10 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000000430 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=11 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=00000100000103b0 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=12 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0",
     "w1=0000010000010430 w2=0005dc0000012c00 w6=0f00000000000000 w8=0000000000002000 w9=0000000000000010"},
    {"type=13 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0", "refused"},
    {"type=14 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0", "refused"},
    {"type=15 stride1=4096 stride2=0x12c000 stride3=0x5dc000 box0=16 swizzle=0", "refused"},
    {"swizzle=0 box0=64", "w1=0000001000000530 w9=0000000000000010"},
    {"swizzle=1 box0=16", "w1=0000001000002530 w6=0f00000000000000 w8=0000000000001000 w9=0000000000000100"},
    {"swizzle=2 box0=32", "w1=0000001000004530 w6=1f00000000000000 w8=0000000000002000 w9=0000000000000200"},
    {"swizzle=3 box0=64", "w0=00007f1234567000"},
    {"swizzle=4 box0=64", "refused"},
    {"swizzle=5 box0=64", "refused"},
    {"swizzle=6 box0=64", "refused"},
    {"swizzle=7 box0=64", "refused"},
    {"l2=1", "w1=0000001000026530"},
    {"l2=2", "w1=0000001000046530"},
    {"l2=3", "w1=0000001000066530"},
    {"nan=1", "w1=000000100000e530"},
    {"interleave=1 swizzle=0 box0=8",
     "w1=0000001000000d30 w6=0700000000000000 w8=0000000000000800 w9=0000000000000010"},
    {"interleave=2 swizzle=1 box0=16",
     "w1=0000001000003530 w6=0f00000000000000 w8=0000000000001000 w9=0000000000000100"},
    {"step0=2 box0=64", "w6=3f00000100000000 w8=0000000000002000"},
    {"step0=5 box0=64", "w6=3f00000400000000 w8=0000000000000c00"},
    {"step0=8 box0=64", "w6=3f00000700000000 w8=0000000000000800"},
    {"step1=2 box1=64", "w6=3f00000800000000 w7=000000000000003f w8=0000000000001000"},
    {"step1=5 box1=64", "w6=3f00002000000000 w7=000000000000003f w8=0000000000000600"},
    {"step1=8 box1=64", "w6=3f00003800000000 w7=000000000000003f w8=0000000000000400"},
    {"step2=2 box2=1", "w6=3f00004000000000 w8=0000000000000000"},
    {"step2=5 box2=1", "w6=3f00010000000000 w8=0000000000000000"},
    {"step2=8 box2=1", "w6=3f0001c000000000 w8=0000000000000000"},
    {"step3=2 box3=1", "w6=3f00020000000000 w8=0000000000000000"},
    {"step3=5 box3=1", "w6=3f00080000000000 w8=0000000000000000"},
    {"step3=8 box3=1", "w6=3f000e0000000000 w8=0000000000000000"},
    {"box0=32", "w6=1f00000000000000 w8=0000000000002000"},
    {"box1=256", "w7=00000000000000ff w8=0000000000008000"},
    {"box2=3", "w7=000000000000027f w8=000000000000c000"},
    {"box3=3", "w7=000000000002007f w8=000000000000c000"},
    {"size0=0x12345678 stride1=0x2468ad00 stride2=0x48d15a00 stride3=0x91a2b400",
     "w1=02468ad000006530 w2=091a2b40048d15a0 w4=0000012b12345677"},
    {"size1=0x12345678", "w4=123456770000007f"},
    {"size2=0x12345678", "w5=0000000212345677"},
    {"size3=0x12345678", "w5=1234567700000004"},
    {"size3=0x100000000", "w5=ffffffff00000004"},
    {"stride1=0x9abcdef120", "w1=abcdef1200006530 w3=0000000900000000"},
    {"stride2=0x9abcdef120", "w2=00005dc0abcdef12 w3=0000009000000000"},
    {"stride3=0x9abcdef120", "w2=abcdef12000012c0 w3=0000090000000000"},
    {"rank=1",
     "w1=0000000000006500 w2=0000000000000000 w4=000000000000007f w5=0000000000000000 w7=0000000000000000 w8=0000000000000080"},
    {"rank=2", "w1=0000001000006510 w2=0000000000000000 w5=0000000000000000"},
    {"rank=3", "w1=0000001000006520 w2=00000000000012c0 w5=0000000000000004"},
    {"rank=4", "w0=00007f1234567000"},
    {"rank=5 stride4=0x119400 size4=7 box4=2",
     "w1=0000001000006540 w3=0000000000011940 w6=3f00000000000006 w7=000000000100007f w8=0000000000008000"},
    {"address=0x123456789a10", "w0=0000123456789a10"},
    {"size1=2 size2=2 size3=2 stride2=512 stride3=1024",
     "w2=0000004000000020 w4=000000010000007f w5=0000000100000001"},
    {"rank=2 size1=511", "w1=0000001000006510 w2=0000000000000000 w4=000001fe0000007f w5=0000000000000000"},
    {"rank=2 size1=512", "w1=0000001000006510 w2=0000000000000000 w4=000001ff0000007f w5=0000000000000000"},
    {"rank=2 size1=513", "w1=0000001000006510 w2=0000000000000000 w4=000002000000007f w5=0000000000000000"},
    {"rank=2 size1=1024", "w1=0000001000006510 w2=0000000000000000 w4=000003ff0000007f w5=0000000000000000"},
    {"rank=2 size1=4096", "w1=0000001000006510 w2=0000000000000000 w4=00000fff0000007f w5=0000000000000000"},
    {"rank=2 size1=1048576",
     "w1=0000001000006510 w2=0000000000000000 w4=000fffff0000007f w5=0000000000000000"},
    {"box0=128", "refused"},
    {"address=0x7f1234567008", "refused"},
    {"stride1=264", "refused"},
    {"box1=257", "refused"},
    {"box1=0", "refused"},
    {"size1=0", "refused"},
    {"rank=6", "refused"},
    {"step1=9", "refused"},
    {"step1=0", "refused"},
    {"box0=4 swizzle=0", "refused"},
    {"stride1=0", "w1=0000000000006530"},
    {"stride1=0x10000000000", "refused"},
    {"stride1=128", "w1=0000000800006530"},
};
/* clang-format on */

static void set_field(struct emu_tensor_map *m, const char *name, unsigned index, unsigned long long value) {
    if (!strcmp(name, "type")) m->type = (enum emu_tensor_type)value;
    else if (!strcmp(name, "rank")) m->rank = (uint32_t)value;
    else if (!strcmp(name, "address")) m->address = value;
    else if (!strcmp(name, "size")) m->size[index] = value;
    else if (!strcmp(name, "stride")) m->stride[index] = value;
    else if (!strcmp(name, "box")) m->box[index] = (uint32_t)value;
    else if (!strcmp(name, "step")) m->element_stride[index] = (uint32_t)value;
    else if (!strcmp(name, "interleave")) m->interleave = (uint32_t)value;
    else if (!strcmp(name, "swizzle")) m->swizzle = (enum emu_swizzle)value;
    else if (!strcmp(name, "l")) m->l2_promotion = (uint32_t)value; /* "l2=" */
    else if (!strcmp(name, "nan")) m->nan_fill = value;
    else cr_assert_fail("no field %s", name);
}

static struct emu_tensor_map changed(const char *change) {
    struct emu_tensor_map m = base;
    for (const char *p = change; *p; p += *p == ' ') {
        char name[16];
        int length = 0;
        if (sscanf(p, "%15[a-z]%n", name, &length) != 1) cr_assert_fail("%s", p);
        char *end;
        unsigned index = (unsigned)strtoul(p + length, &end, 10);
        set_field(&m, name, index, strtoull(end + 1, &end, 0));
        p = end;
    }
    return m;
}

ParameterizedTestParameters(tensor_map, h200) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, tensor_map, h200) {
    struct emu_tensor_map m = changed(rows[*i].change);
    uint64_t words[16], expected[16];
    char why[160] = "";
    bool ok = emu_tensor_map_encode((uint8_t *)words, &m, 9, why, sizeof why);
    if (!strcmp(rows[*i].words, "refused")) {
        cr_expect(!ok && why[0], "%s: must be refused with a reason", rows[*i].change);
        return;
    }
    cr_assert(ok, "%s: %s", rows[*i].change, why);
    memcpy(expected, base_words, sizeof expected);
    for (const char *p = rows[*i].words; p; p = strchr(p, ' ') ? strchr(p, ' ') + 1 : NULL) {
        unsigned word;
        unsigned long long value;
        cr_assert_eq(sscanf(p, "w%u=%llx", &word, &value), 2, "%s", p);
        expected[word] = value;
    }
    for (int w = 0; w < 16; w++)
        cr_expect_eq(words[w], expected[w], "%s: w%d is %016llx, the H200 has %016llx", rows[*i].change, w,
                     (unsigned long long)words[w], (unsigned long long)expected[w]);
}

/* Whatever is encoded, for either version, reads back as it was. */
Test(tensor_map, round_trip) {
    for (size_t i = 0; i < WL_LEN(rows); i++)
        for (int cc = 9; cc <= 10; cc++) {
            struct emu_tensor_map m = changed(rows[i].change), back;
            uint8_t bytes[EMU_TENSOR_MAP_BYTES];
            char why[160];
            if (!emu_tensor_map_encode(bytes, &m, cc, why, sizeof why)) continue;
            memset(bytes + 64, 0xa5, 64); /* w8 to w15: a reader must not depend on them */
            cr_assert(emu_tensor_map_decode(&back, bytes, why, sizeof why), "%s: %s", rows[i].change, why);
            cr_expect_eq(back.version, cc == 9 ? 0u : 2u);
            m.version = back.version;
            m.stride[0] = emu_tensor_type_bytes(m.type);
            for (uint32_t d = m.rank; d < EMU_TENSOR_MAX_RANK; d++)
                m.size[d] = m.stride[d] = m.box[d] = m.element_stride[d] = 0;
            cr_expect(memcmp(&m, &back, sizeof m) == 0, "%s (cc %d) does not read back", rows[i].change, cc);
        }
}

Test(tensor_map, sm100_only) {
    struct emu_tensor_map m = base;
    uint64_t words[16];
    char why[160];
    m.swizzle = EMU_SWIZZLE_128B_ATOM_32B;
    cr_expect(emu_tensor_map_encode((uint8_t *)words, &m, 10, why, sizeof why), "%s", why);
    cr_expect_eq(words[1] >> 13 & 3, 3u);
    cr_expect_eq(words[1] >> 19 & 3, 1u);
    cr_expect_eq(words[1] >> 21 & 1, 1u, "this tensor spans more than 128 KiB");
}

Test(tensor_map, hostile_bytes) {
    uint8_t bytes[EMU_TENSOR_MAP_BYTES];
    struct emu_tensor_map m;
    char why[160];
    uint64_t state = 1;
    for (int round = 0; round < 20000; round++) {
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (uint8_t)((state = state * 6364136223846793005u + 1) >> 56);
        if (round % 2) bytes[8] = (uint8_t)(bytes[8] & 0xf2 & ~0x0d);
        if (emu_tensor_map_decode(&m, bytes, why, sizeof why)) cr_expect(m.rank >= 1 && m.rank <= 5);
        else cr_expect(strlen(why) > 0);
    }
}
