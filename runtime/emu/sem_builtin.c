#include "runtime/emu/sem_builtin.h"

#include <stdio.h>
#include <string.h>

#include "gen/arena.h"
#include "runtime/emu/fault.h"
#include "runtime/emu/lanes.h"

#define MAX_TEXT 4096

static uint64_t param(const struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint32_t index,
                      uint32_t bytes) {
    const struct emu_builtin_call *call = insn->extra;
    uint64_t v = 0;
    memcpy(&v, w->local + (uint64_t)lane * w->fn->local_bytes + call->param[index], bytes);
    return v;
}

/* A string of the kernel, at most bytes - 1 long; false after a fault. */
static bool string(struct emu_warp *w, const struct emu_insn *insn, uint32_t lane, uint64_t address,
                   char *out, size_t bytes) {
    for (size_t k = 0; k + 1 < bytes; k++, address++) {
        const uint8_t *p = emu_generic_at(w, insn, address, 1, 1, lane);
        if (!p) return false;
        out[k] = (char)*p;
        if (!*p) return true;
    }
    out[bytes - 1] = '\0';
    return true;
}

/* ---- vprintf(format, arguments): arguments lie one after the other, aligned to their size ---- */

struct printing {
    struct emu_warp *w;
    const struct emu_insn *insn;
    uint32_t lane;
    uint64_t at; /* of the next argument */
    struct wl_text text;
};

static bool argument(struct printing *p, uint32_t bytes, uint64_t *value) {
    p->at = (p->at + bytes - 1) & ~(uint64_t)(bytes - 1);
    const uint8_t *from = emu_generic_at(p->w, p->insn, p->at, bytes, bytes, p->lane);
    if (!from) return false;
    *value = 0;
    memcpy(value, from, bytes);
    p->at += bytes;
    return true;
}

/* One %...; f stands behind the '%' and moves past the conversion. */
static bool conversion(struct printing *p, const char **f) {
    char spec[64] = "%", s[MAX_TEXT];
    size_t n = 1;
    uint64_t v;
    for (; **f && strchr("-+ #0123456789.*", **f); ++*f) {
        if (**f == '*') { /* a width that is an argument */
            if (!argument(p, 4, &v)) return false;
            n += (size_t)snprintf(spec + n, 12, "%d", (int)v);
        } else if (n < 40) spec[n++] = **f;
        if (n > 50) n = 50;
    }
    bool wide = false;
    for (; **f && strchr("hljztL", **f); ++*f) wide = wide || strchr("ljzt", **f);
    char c = **f;
    if (c) ++*f;
    if (strchr("di", c) || strchr("uoxX", c)) {
        if (!argument(p, wide ? 8 : 4, &v)) return false;
        snprintf(spec + n, sizeof spec - n, "ll%c", c);
        if (!wide && strchr("di", c)) v = (uint64_t)(int64_t)(int32_t)v;
        wl_text_printf(&p->text, spec, v);
    } else if (strchr("fFeEgGaA", c)) {
        if (!argument(p, 8, &v)) return false;
        double d;
        memcpy(&d, &v, sizeof d);
        snprintf(spec + n, sizeof spec - n, "%c", c);
        wl_text_printf(&p->text, spec, d);
    } else if (c == 's') {
        if (!argument(p, 8, &v) || !string(p->w, p->insn, p->lane, v, s, sizeof s)) return false;
        snprintf(spec + n, sizeof spec - n, "s");
        wl_text_printf(&p->text, spec, s);
    } else if (c == 'c') {
        if (!argument(p, 4, &v)) return false;
        snprintf(spec + n, sizeof spec - n, "c");
        wl_text_printf(&p->text, spec, (int)v);
    } else if (c == 'p') {
        if (!argument(p, 8, &v)) return false;
        wl_text_printf(&p->text, "0x%llx", (unsigned long long)v);
    } else if (c == '%') wl_text_append(&p->text, "%", 1);
    return true;
}

static bool print(struct printing *p, const char *format) {
    for (const char *f = format; *f;) {
        size_t plain = strcspn(f, "%");
        wl_text_append(&p->text, f, plain);
        f += plain;
        if (*f == '%') {
            f++;
            if (!conversion(p, &f)) return false;
        }
    }
    return true;
}

static EMU_SEM_HEAD(vprintf_lanes) {
    const struct emu_builtin_call *call = insn->extra;
    EMU_FOR_LANES(mask, i) {
        char format[MAX_TEXT];
        struct printing p = {.w = w, .insn = insn, .lane = i, .at = param(w, insn, i, 1, 8)};
        bool fine = string(w, insn, i, param(w, insn, i, 0, 8), format, sizeof format) && print(&p, format);
        if (fine && p.text.bytes) fwrite(p.text.bytes, 1, p.text.length, stdout);
        int32_t result = (int32_t)p.text.length;
        memcpy(w->local + (uint64_t)i * w->fn->local_bytes + call->result, &result, sizeof result);
        wl_text_fini(&p.text);
        if (!fine) return EMU_FAULT;
    }
    fflush(stdout);
    return EMU_NEXT;
}

/* ---- __assertfail(message, file, line, function, charsize) ---- */

static EMU_SEM_HEAD(assert_failed) {
    uint32_t lane = (uint32_t)__builtin_ctz(mask);
    char message[1024], file[512], function[512];
    if (!string(w, insn, lane, param(w, insn, lane, 0, 8), message, sizeof message) ||
        !string(w, insn, lane, param(w, insn, lane, 1, 8), file, sizeof file) ||
        !string(w, insn, lane, param(w, insn, lane, 3, 8), function, sizeof function))
        return EMU_FAULT;
    return emu_fault(w, insn, EMU_FAULT_ASSERT, "%s:%u: %s: lane %u: assertion `%s` failed", file,
                     (uint32_t)param(w, insn, lane, 2, 4), function, lane, message);
}

static const struct emu_builtin builtins[] = {
    {"vprintf", vprintf_lanes, 2, 4},
    {"__assertfail", assert_failed, 5, 0},
};

const struct emu_builtin *emu_builtin_find(const char *name) {
    for (size_t k = 0; k < sizeof builtins / sizeof builtins[0]; k++)
        if (strcmp(name, builtins[k].name) == 0) return &builtins[k];
    return NULL;
}
