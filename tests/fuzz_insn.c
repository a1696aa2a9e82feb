/* Programs of instructions that are well formed one by one and make no sense together: bytes choose rows of
 * insn.def, modifiers and operands. The module loads or is refused with its place; the launch ends, in
 * whatever way, with a report. */
#include "tests/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/device.h"
#include "runtime/emu/insn.h"
#include "runtime/emu/module.h"

#define INSTRUCTIONS 24

const char *const wl_fuzz_words[] = {"\x01", "\xff", "\0\0", "\x7f\x80", NULL};

size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room) {
    if (index >= 64 || room < 512) return 0;
    uint64_t state = index * 7919 + 1;
    for (int k = 0; k < 512; k++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        out[k] = (uint8_t)(state >> 56);
    }
    return 512;
}

struct source { /* bytes that choose */
    const uint8_t *at, *end;
};

static uint32_t choose(struct source *s, uint32_t n) {
    if (s->at == s->end || n < 2) return 0;
    uint32_t v = *s->at++;
    if (n > 256 && s->at < s->end) v |= (uint32_t)*s->at++ << 8;
    return v % n;
}

/* A mnemonic of the pattern. */
static void mnemonic(struct source *s, const char *p, struct wl_text *out) {
    for (; *p; p++) {
        if (*p == '{' && choose(s, 2)) {
            for (int depth = 0;; p++) {
                depth += *p == '{';
                if (*p == '}' && --depth == 0) break;
            }
        } else if (*p == '<') {
            const char *end = strchr(p, '>');
            uint32_t count = 1, pick;
            for (const char *q = p; q < end; q++) count += *q == '|';
            pick = choose(s, count);
            for (p++; pick; p++) pick -= *p == '|';
            size_t length = strcspn(p, "|>");
            wl_text_append(out, p, length);
            p = end;
        } else if (*p != '{' && *p != '}') wl_text_append(out, p, 1);
    }
}

static void scalar(struct source *s, int bits, int dest, struct wl_text *out) {
    static const char *const shared[] = {"s", "s+8", "dyn", "64", "1032", "0x1000400"};
    uint32_t how = choose(s, 8);
    if (!dest && how == 0) wl_text_printf(out, "%u", choose(s, 256));
    else if (!dest && how == 1 && bits == 32) wl_text_printf(out, "%s", shared[choose(s, 6)]);
    else if (dest && how == 0) wl_text_printf(out, "_");
    else
        wl_text_printf(out, "%%%s%u",
                       bits == 8    ? "c"
                       : bits == 16 ? "h"
                       : bits == 32 ? "r"
                       : bits == 64 ? "d"
                                    : "q",
                       choose(s, 6));
}

static void address(struct source *s, struct wl_text *out) {
    static const char *const forms[] = {"[s+%u]", "[dyn+%u]", "[%%r0+%u]", "[%%d0+%u]", "[%%d1+%u]",
                                        "[p+%u]", "[l+%u]",   "[g+%u]",    "[%%r1+%u]", "[%u]"};
    wl_text_printf(out, forms[choose(s, 10)], choose(s, 4) * 8 + (choose(s, 8) == 0));
}

/* One operand of a column such as "=b32+*" or "mem". */
static void operand(struct source *s, const char *c, size_t length, struct wl_text *out) {
    int dest = *c == '=', bits = 0, vector = memchr(c, '*', length) != NULL;
    c += dest;
    if (strncmp(c, "pred", 4) == 0)
        wl_text_printf(out, "%s%%p%u", !dest && choose(s, 4) == 0 ? "!" : "", choose(s, 4));
    else if (strncmp(c, "mem", 3) == 0) address(s, out);
    else if (strncmp(c, "tmap", 4) == 0) wl_text_printf(out, "[%%d%u, {%%r0, %%r1, %%r2}]", choose(s, 3));
    else if (strncmp(c, "mask", 4) == 0) wl_text_printf(out, "%s", choose(s, 3) ? "-1" : "%r2");
    else if (strncmp(c, "imm", 3) == 0) wl_text_printf(out, "%u", choose(s, 256) * (choose(s, 4) ? 8 : 1));
    else if (strncmp(c, "labels", 6) == 0) wl_text_printf(out, "targets");
    else if (strncmp(c, "label", 5) == 0) wl_text_printf(out, "L%u", choose(s, 4));
    else if (strncmp(c, "clock", 5) == 0) wl_text_printf(out, "%%clock64");
    else if (sscanf(c, "b%d", &bits) == 1 || sscanf(c, "f%d", &bits) == 1) {
        uint32_t count = vector ? 1u << choose(s, 4) : 1;
        if (vector) wl_text_printf(out, "{");
        for (uint32_t k = 0; k < count; k++) {
            if (k) wl_text_printf(out, ", ");
            scalar(s, bits, dest, out);
        }
        if (vector) wl_text_printf(out, "}");
        if (dest && memchr(c, '|', length) && choose(s, 2)) wl_text_printf(out, "|%%p%u", choose(s, 4));
    } else wl_text_printf(out, "%%r0");
}

static void instruction(struct source *s, struct wl_text *out) {
    const struct emu_row *row = &emu_rows[choose(s, emu_row_count)];
    uint32_t guard = choose(s, 8), first = 1;
    if (guard < 2) wl_text_printf(out, "@%s%%p%u ", guard ? "!" : "", choose(s, 4));
    mnemonic(s, row->pattern, out);
    for (const char *c = row->operands; *c;) {
        c += strspn(c, " ,");
        size_t length = strcspn(c, ",");
        if (length && !(c[length - 1] == '?' && choose(s, 2))) {
            wl_text_printf(out, first ? " " : ", ");
            operand(s, c, length, out);
            first = 0;
        }
        c += length;
    }
    wl_text_printf(out, ";\n");
}

static void program(struct source *s, struct wl_text *out) {
    wl_text_printf(out, ".version 9.0\n.target sm_100a\n.address_size 64\n.extern .shared .align 128 .b8 "
                        "dyn[];\n.global .align 8 .b8 g[64];\n"
                        ".visible .entry k(.param .u64 p, .param .align 64 .b8 q[128]) .reqntid 64 {\n.reg "
                        ".b8 %%c<6>; .reg .b16 %%h<6>; .reg .b32 %%r<6>;\n"
                        ".reg .b64 %%d<6>; .reg .b128 %%q<6>; .reg .pred %%p<4>; .shared .align 16 .b8 "
                        "s[64]; .local .align 16 .b8 l[64];\n"
                        "targets: .branchtargets L0, L1, L2, L3;\n"
                        "mov.u32 %%r0, s; mov.u32 %%r1, dyn; mov.u32 %%r2, -1; mov.u32 %%r3, %%laneid; "
                        "mov.u32 %%r4, 1; mov.u32 %%r5, 0;\n"
                        "ld.param.u64 %%d0, [p]; cvta.shared.u64 %%d1, s; mov.u64 %%d2, q; mov.u64 %%d3, 0; "
                        "mov.u64 %%d4, 1; mov.u64 %%d5, -1;\n"
                        "setp.lt.u32 %%p0, %%r3, 16; setp.eq.u32 %%p1, %%r3, 3; setp.ge.u32 %%p2, %%r3, 0; "
                        "not.pred %%p3, %%p2;\n");
    for (uint32_t k = 0; k < INSTRUCTIONS; k++) {
        if (k % 6 == 0) wl_text_printf(out, "L%u: ", k / 6);
        instruction(s, out);
    }
    wl_text_printf(out, "ret; }\n");
}

/* Lines that the loader refuses are taken out one by one, so that the others are run. */
static struct emu_module *load(struct emu_device *device, struct wl_text *text) {
    struct ptx_error error;
    for (int tries = 0; tries <= INSTRUCTIONS; tries++) {
        struct emu_module *module = emu_module_load(device, text->bytes, text->length, &error);
        if (module) return module;
        if (!error.line || !error.text[0]) abort();
        char *line = text->bytes;
        for (uint32_t k = 1; k < error.line; k++) line = strchr(line, '\n') + 1;
        if (*line == 'L') line += 4;
        if (line[0] == ';') return NULL;
        for (; *line != '\n'; line++) *line = ';';
    }
    return NULL;
}

static void run(struct emu_device *device, const struct emu_module *module, const uint8_t *params,
                uint8_t kind) {
    struct emu_launch *launch = calloc(1, sizeof *launch);
    if (!launch) return;
    launch->fn = emu_module_function(module, "k");
    launch->device = device;
    launch->params = params;
    launch->grid[0] = launch->cluster[0] = kind & 1 ? 2 : 1;
    launch->grid[1] = launch->grid[2] = launch->cluster[1] = launch->cluster[2] = 1;
    launch->block[0] = 64;
    launch->block[1] = launch->block[2] = 1;
    launch->dynamic_smem = 1024;
    launch->timeout_ms = 5;
    launch->order = (enum emu_order)(kind / 2 % 3);
    if (emu_launch_run(launch) && !launch->report[0]) abort();
    free(launch);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    static struct emu_device *device;
    static uint64_t buffer;
    struct source s = {bytes, bytes + size};
    struct wl_text text = {0};
    if (!device) {
        device = emu_device_create(emu_profile_find(NULL));
        buffer = device ? emu_device_alloc(device, 4096) : 0;
        if (!buffer) abort();
    }
    if (size < 8) return 0;
    uint8_t *params = aligned_alloc(64, 256), kind = (uint8_t)choose(&s, 6);
    if (!params) abort();
    memset(params, 0, 256);
    memcpy(params, &buffer, sizeof buffer);
    program(&s, &text);
    if (getenv("FUZZ_PRINT")) fputs(text.bytes, stderr);
    struct emu_module *module = text.failed ? NULL : load(device, &text);
    if (module) run(device, module, params, kind);
    emu_module_unload(module);
    wl_text_fini(&text);
    free(params);
    return 0;
}
