#include "tests/lane_forms.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- patterns ---- */

struct expansion {
    const struct emu_row *row;
    lane_form_fn *fn;
    void *user;
    char text[256];
};

static const char *closing(const char *brace) {
    int depth = 0;
    for (const char *p = brace;; p++) {
        depth += *p == '{';
        if (*p == '}' && --depth == 0) return p;
    }
}

static void expand(struct expansion *e, const char *p, size_t at) {
    for (; *p && *p != '{' && *p != '<'; p++)
        if (*p != '}') e->text[at++] = *p;
    if (!*p) {
        e->text[at] = '\0';
        e->fn(e->user, e->row, e->text);
    } else if (*p == '{') {
        expand(e, p + 1, at);
        expand(e, closing(p) + 1, at);
    } else {
        const char *end = strchr(p, '>');
        for (const char *alt = p + 1; alt <= end;) {
            size_t length = strcspn(alt, "|>");
            memcpy(e->text + at, alt, length);
            expand(e, end + 1, at + length);
            alt += length + 1;
        }
    }
}

void lane_forms(const struct emu_row *row, lane_form_fn *fn, void *user) {
    struct expansion e = {row, fn, user, ""};
    expand(&e, row->pattern, 0);
}

/* ---- operands ---- */

/* One column's first alternative, without marks; its width in bits, 0 predicate, -1 immediate, -2 what cannot
 * be made up. */
static int width(const char *column) {
    if (strstr(column, "pred") == column) return 0;
    if (strstr(column, "imm") == column) return -1;
    if (strpbrk(column, "*")) return -2;
    int bits;
    if (sscanf(column, "b%d", &bits) == 1 || sscanf(column, "f%d", &bits) == 1) return bits > 64 ? -2 : bits;
    return -2;
}

struct columns {
    char text[10][32];
    int count;
};

static struct columns split(const char *operands) {
    struct columns c = {.count = 0};
    while (*operands && c.count < 10) {
        operands += strspn(operands, " ,");
        size_t length = strcspn(operands, ",");
        snprintf(c.text[c.count++], 32, "%.*s", (int)length, operands);
        operands += length;
    }
    return c;
}

bool lane_row_fits(const struct emu_row *row) {
    struct columns c = split(row->operands);
    if (row->scope != EMU_SCOPE_LANE || c.count < 2 || c.text[0][0] != '=') return false;
    if (strncmp(row->pattern, "createpolicy", 12) == 0 || strncmp(row->pattern, "cvta", 4) == 0) return false;
    if (strncmp(row->pattern, "mapa", 4) == 0 || strncmp(row->pattern, "getctarank", 10) == 0) return false;
    if (strncmp(row->pattern, "isspacep", 8) == 0 || strncmp(row->pattern, "mbarrier", 8) == 0) return false;
    if (strncmp(row->pattern, "bar", 3) == 0 || strncmp(row->pattern, "fns", 3) == 0)
        return false; /* fns: mostly undefined inputs */
    for (int k = 0; k < c.count; k++)
        if (width(c.text[k] + (k == 0)) == -2) return false;
    return true;
}

/* cvt's columns take any wider register: the types of the mnemonic say which */
static int type_width(const char *mnemonic, int from_end) {
    const char *parts[16];
    int n = 0, bits = 0;
    for (const char *s = strchr(mnemonic, '.'); s && n < 16; s = strchr(s + 1, '.')) parts[n++] = s + 1;
    const char *t = parts[n - 1 - from_end];
    while (*t && (*t < '0' || *t > '9')) t++;
    sscanf(t, "%d", &bits);
    return bits < 16 ? 16 : bits;
}

/* ---- entries ---- */

/* What does not fit is left out, and then at == bytes. */
struct text {
    char *out;
    size_t bytes, at;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *t, const char *format, ...) {
    size_t left = t->bytes - t->at;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->out + t->at, left, format, args);
    va_end(args);
    t->at += n < 0 || (size_t)n >= left ? left : (size_t)n;
}

/* Registers, and where the thread's input and output are. */
static void put_head(struct text *t, const char *name) {
    put(t,
        ".visible .entry %s(.param .u64 in, .param .u64 out) {\n"
        ".reg .b64 %%in, %%out, %%t, %%rd<8>, %%dd;\n"
        ".reg .b32 %%i, %%j, %%r<8>, %%dr, %%z; .reg .b16 %%h<8>, %%dh; .reg .pred %%p<8>, %%dp, %%dq;\n"
        "ld.param.u64 %%in, [in]; ld.param.u64 %%out, [out]; mov.u32 %%i, %%ctaid.x; mov.u32 %%j, %%tid.x; "
        "mad.lo.u32 %%i, %%i, 32, %%j;\n"
        "mul.wide.u32 %%t, %%i, 8; add.u64 %%in, %%in, %%t; mul.wide.u32 %%t, %%i, 4; "
        "add.u64 %%out, %%out, %%t;\n"
        "mov.b64 %%dd, 0; mov.b32 %%dr, 0; mov.b16 %%dh, 0; setp.ne.u32 %%dp, %%i, %%i; "
        "setp.ne.u32 %%dq, %%i, %%i;\n",
        name);
}

/* The prefix of registers of so many bits, 0 for predicates. */
static const char *prefix(int bits) {
    return bits == 64 ? "%rd" : bits == 32 ? "%r" : bits == 16 ? "%h" : "%p";
}

/* Reads source k into a register of so many bits, whose number is k. */
static void put_source(struct text *t, int k, int bits) {
    put(t, "ld.global.b64 %%rd%d, [%%in + %d];\n", k, (k - 1) % LANE_SOURCES * LANE_THREADS * 8);
    if (bits == 32) put(t, "cvt.u32.u64 %%r%d, %%rd%d;\n", k, k);
    if (bits == 16) put(t, "cvt.u16.u64 %%h%d, %%rd%d;\n", k, k);
    if (bits == 0)
        put(t, "cvt.u32.u64 %%r%d, %%rd%d; and.b32 %%r%d, %%r%d, 1; setp.ne.u32 %%p%d, %%r%d, 0;\n", k, k, k,
            k, k, k);
}

/* The instruction; of extended precision, a carry or borrow before it, and what it leaves behind. */
static void put_instruction(struct text *t, const char *mnemonic, const char *operands) {
    bool subtracts = strncmp(mnemonic, "sub", 3) == 0;
    if (strncmp(mnemonic, "addc", 4) == 0 || strncmp(mnemonic, "subc", 4) == 0 ||
        strncmp(mnemonic, "madc", 4) == 0)
        put(t, "ld.global.b32 %%z, [%%in + 65536];\n%s;\n",
            subtracts ? "sub.cc.u32 %z, %z, 0x7f000000" : "add.cc.u32 %z, %z, %z");
    put(t, "%s %s;\n", mnemonic, operands);
    if (strstr(mnemonic, ".cc."))
        put(t, "%s.u32 %%z, 0, 0; setp.ne.u32 %%dq, %%z, 0;\n", subtracts ? "subc" : "addc");
}

/* Writes the destination, of so many bits, and both predicates. */
static void put_results(struct text *t, int bits) {
    if (bits == 32) put(t, "cvt.u64.u32 %%dd, %%dr;\n");
    if (bits == 16) put(t, "cvt.u64.u16 %%dd, %%dh;\n");
    put(t,
        "mov.b64 {%%r0, %%z}, %%dd;\nst.global.b32 [%%out], %%r0;\nst.global.b32 [%%out + %d], %%z;\n"
        "selp.b32 %%z, 1, 0, %%dp; st.global.b32 [%%out + %d], %%z;\nselp.b32 %%z, 1, 0, %%dq; "
        "st.global.b32 [%%out + %d], %%z;\nret;\n}\n",
        LANE_THREADS * 4, LANE_THREADS * 8, LANE_THREADS * 12);
}

bool lane_entry(const struct emu_row *row, const char *mnemonic, const char *name, char *out, size_t bytes) {
    struct columns c = split(row->operands);
    char operands[512];
    struct text t = {out, bytes, 0}, o = {operands, sizeof operands, 0};
    int dest = strchr(c.text[0], '+') ? type_width(mnemonic, 1) : width(c.text[0] + 1);
    if (dest == 8) return false;
    put_head(&t, name);
    put(&o, "%s", dest == 0 ? "%dp" : dest == 64 ? "%dd" : dest == 32 ? "%dr" : "%dh");
    if (strstr(c.text[0], "|pred")) put(&o, "|%s", dest == 0 ? "%dq" : "%dp");
    bool third = strstr(mnemonic, ".and.") || strstr(mnemonic, ".or.") || strstr(mnemonic, ".xor.");
    for (int k = 1; k < c.count; k++) {
        int bits = strchr(c.text[k], '+') ? type_width(mnemonic, 0) : width(c.text[k]);
        if (strchr(c.text[k], '?') && !(third && bits == 0)) continue;
        if (bits == 8) return false;
        if (bits == -1) put(&o, ", 0x%x", 0xca ^ (unsigned)strlen(mnemonic));
        else {
            put_source(&t, k, bits);
            put(&o, ", %s%d", prefix(bits), k);
        }
    }
    put_instruction(&t, mnemonic, operands);
    put_results(&t, dest);
    return t.at < bytes && o.at < sizeof operands;
}

/* ---- inputs ---- */

static uint64_t next(uint64_t *state) { /* splitmix64 */
    uint64_t z = *state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

/* clang-format off */
static const uint32_t special32[] = {
    0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc00001, 0x7f800001, 0x7fffffff, 0xffffffff,
    0x00000001, 0x80000001, 0x007fffff, 0x807fffff, 0x00800000, 0x80800000, 0x7f7fffff, 0xff7fffff, 0x4b000000, 0x4f000000,
    0xcf000000, 0x4f800000, 0x5f000000, 0x3f000000, 0xbf000000, 0x3fc00000, 0xc0200000, 0x33800000, 0x34000000, 0x477fe000,
    0x477ff000, 0x38800000, 0x33000000, 0x43e00000, 0x43e80000, 0x00003c00, 0x7c007bff, 0xfbff0400, 0x7e01fe01, 0x03ff83ff,
    0x7f80ff80, 0x3f803f80, 0x00018000, 0x3f7fffff, 0x3f800001, 0xbf7fffff, 0x00ffffff, 0x1f800000, 0x20000001, 31, 32, 33, 63, 64, 255, 256, 0x7fff, 0x8000, 0xffff, 0x10000, 0x1f00, 0x00ff00ff,
};
/* clang-format on */
/* clang-format off */
static const uint64_t special64[] = {
    0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
    0xfff0000000000001, 1, 0x8000000000000001, 0x000fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0xffffffffffffffff,
    0x7fffffffffffffff, 0x41dfffffffc00000, 0x41efffffffe00000, 0x43e0000000000000, 0xc3e0000000000000, 0x36a0000000000000,
    0x3690000000000000, 0x380fffffe0000000, 0x47efffffefffffff, 0x47effffff0000000, 0x3fe0000000000000, 0x4004000000000000,
};
/* clang-format on */

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

uint64_t lane_word(uint64_t *state) {
    uint64_t r = next(state), choice = next(state) % 8;
    switch (choice) {
    case 0: return special64[r % COUNT(special64)];
    case 1:
    case 2:
        return (uint64_t)special32[r % COUNT(special32)] | (uint64_t)special32[(r >> 32) % COUNT(special32)]
                                                               << 32;
    case 3: return r % 70 | (r >> 32) % 70 << 32;                 /* small integers, shift amounts */
    case 4: return (r & 0x83ffffff83ffffff) | 0x3c0000003c000000; /* floats near 1 */
    case 5: return (r & 0xbfffbfffbfffbfff) | 0x2000200020002000; /* moderate halves */
    default: return r;
    }
}

void lane_inputs(uint64_t *in) {
    uint64_t state = 2026;
    for (size_t k = 0; k < (size_t)LANE_SOURCES * LANE_THREADS; k++) in[k] = lane_word(&state);
    /* operands that are equal, or differ in the last place or the sign */
    for (size_t t = 0; t < LANE_THREADS; t += 7) {
        uint64_t v = in[t];
        in[LANE_THREADS + t] = t % 4 == 0   ? v
                               : t % 4 == 1 ? v ^ 0x0000000100000001
                               : t % 4 == 2 ? v ^ 0x8000000080000000
                                            : v + 1;
    }
}

uint64_t lane_hash(const uint32_t *out) {
    uint64_t h = 14695981039346656037ull;
    for (size_t k = 0; k < 4 * LANE_THREADS; k++) {
        h = (h ^ out[k]) * 1099511628211ull;
        h ^= h >> 29;
    }
    return h;
}

uint64_t lane_name(uint64_t hash, const struct emu_row *row, const char *mnemonic) {
    for (const char *p = row->id; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211ull;
    for (const char *p = mnemonic; *p; p++) hash = (hash ^ (uint8_t)*p) * 1099511628211ull;
    return hash;
}
