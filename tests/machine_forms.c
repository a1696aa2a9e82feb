#include "tests/machine_forms.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tests/lane_forms.h"

/* ---- rows and their choices ---- */

/* How many alternatives the choice that starts at p has. */
static size_t alternatives(const char *p) {
    size_t n = 1;
    for (; *p != '>'; p++) n += *p == '|';
    return n;
}

static size_t combinations(const char *body) {
    size_t n = 1;
    for (const char *p = body; (p = strchr(p, '<')); p++) n *= alternatives(p);
    return n;
}

/* The pick-th combination. */
static void choose(const char *body, size_t pick, char *out, size_t bytes) {
    size_t at = 0;
    while (*body && at + 1 < bytes) {
        if (*body != '<') {
            out[at++] = *body++;
            continue;
        }
        size_t n = alternatives(body), k = pick % n;
        const char *alt = body + 1, *end = strchr(body, '>');
        pick /= n;
        while (k--) alt = strchr(alt, '|') + 1;
        for (; *alt != '|' && *alt != '>' && at + 1 < bytes; alt++) out[at++] = *alt;
        body = end + 1;
    }
    out[at] = '\0';
}

/* Row r of all tables; `body` holds the text of a made-up one. */
static struct machine_row row_at(size_t r, char *body, size_t bytes) {
    if (r < machine_memory_count) return machine_memory_rows[r];
    r -= machine_memory_count;
    if (r < machine_warp_count) return machine_warp_rows[r];
    r -= machine_warp_count;
    if (r < machine_async_count) return machine_async_rows[r];
    r -= machine_async_count;
    if (r < machine_refused_count) return machine_refused_rows[r];
    return machine_tensor_row(r - machine_refused_count, body, bytes);
}

static size_t row_count(void) {
    return machine_memory_count + machine_warp_count + machine_async_count + machine_refused_count + machine_tensor_row_count();
}

/* The first form of each row, and behind the last one how many there are. */
static const size_t *first_forms(void) {
    static size_t first[4096];
    char body[4096];
    if (!first[1])
        for (size_t r = 0; r < row_count(); r++) first[r + 1] = first[r] + combinations(row_at(r, body, sizeof body).body);
    return first;
}

size_t machine_form_count(void) { return first_forms()[row_count()]; }

/* ---- the text ---- */

struct text {
    char *at;
    size_t left;
};
static void put(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->left, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->left) n = 0;
    t->at += n, t->left -= (size_t)n;
}

static const char head[] =
    ".version 9.0\n.target sm_90a\n.address_size 64\n%s\n"
    ".visible .entry k(.param .u64 in, .param .u64 out, .param .align 64 .b8 map[128])\n.reqntid %u, 1, 1\n{\n"
    ".reg .b32 %%r<32>, %%o<4>, %%x<4>, %%thread, %%lane, %%cta, %%rank, %%s, %%bar, %%t, %%u;\n"
    ".reg .b64 %%rd<32>, %%gin, %%gout, %%tile, %%own, %%end, %%map, %%w;\n.reg .b16 %%h<16>;\n"
    ".reg .f32 %%f<8>;\n.reg .f64 %%fd<8>;\n.reg .b128 %%q<4>;\n.reg .pred %%p<8>, %%first, %%loop;\n"
    ".shared .align 1024 .b8 smem[%u];\n"
    "ld.param.u64 %%gin, [in];\nld.param.u64 %%gout, [out];\nmov.u32 %%thread, %%tid.x;\nmov.u32 %%lane, %%laneid;\n"
    "mov.u32 %%cta, %%ctaid.x;\nmov.u32 %%rank, %%cluster_ctarank;\nmov.u32 %%s, smem;\nadd.u32 %%bar, %%s, %u;\n"
    "setp.eq.u32 %%first, %%thread, 0;\nadd.u64 %%tile, %%gin, %u;\nmov.b64 %%map, map;\ncvta.param.u64 %%map, %%map;\n"
    "mad.lo.u32 %%t, %%cta, %u, %%thread;\nmad.wide.u32 %%w, %%t, 16, %%gin;\n"
    "ld.global.v4.b32 {%%r0, %%r1, %%r2, %%r3}, [%%w];\nld.global.v4.b32 {%%r4, %%r5, %%r6, %%r7}, [%%w + 8192];\n"
    "ld.global.v4.b32 {%%r8, %%r9, %%r10, %%r11}, [%%w + 16384];\n"
    "mad.wide.u32 %%gout, %%cta, %u, %%gout;\nmad.wide.u32 %%end, %%thread, 16, %%gout;\nadd.u64 %%own, %%end, 2048;\n";

/* Shared memory from the input, or to the output, 16 bytes a thread and turn. */
static void put_copy(struct text *t, const char *label, uint32_t threads, bool fill) {
    put(t, "mov.u32 %%t, %%thread;\n%s:\nshl.b32 %%u, %%t, 4;\nadd.u32 %%u, %%u, %%s;\n", label);
    if (fill)
        put(t, "mad.wide.u32 %%w, %%t, 16, %%tile;\nld.global.v4.b32 {%%x0, %%x1, %%x2, %%x3}, [%%w];\n"
               "st.shared.v4.b32 [%%u], {%%x0, %%x1, %%x2, %%x3};\n");
    else
        put(t, "mad.wide.u32 %%w, %%t, 16, %%gout;\nld.shared.v4.b32 {%%x0, %%x1, %%x2, %%x3}, [%%u];\n"
               "st.global.v4.b32 [%%w + 4096], {%%x0, %%x1, %%x2, %%x3};\n");
    put(t, "add.u32 %%t, %%t, %u;\nsetp.lt.u32 %%loop, %%t, %u;\n@%%loop bra %s;\n", threads, MACHINE_SMEM / 16, label);
}

static void put_meeting(struct text *t, const struct machine_form *f) {
    if (f->cluster > 1) put(t, "barrier.cluster.arrive.aligned;\nbarrier.cluster.wait.aligned;\n");
    else put(t, "bar.sync 0;\n");
}

static void put_entry(struct text *t, const struct machine_form *f, const struct machine_row *row, const char *body) {
    put(t, head, row->before ? row->before : "", f->threads, MACHINE_SMEM + 32, MACHINE_SMEM, MACHINE_TILE,
        f->threads, MACHINE_PART);
    for (int k = 0; k < 6; k++) put(t, "mov.b64 %%rd%d, {%%r%d, %%r%d};\n", k, 2 * k, 2 * k + 1);
    for (int k = 0; k < 4; k++) put(t, "mov.b32 {%%h%d, %%h%d}, %%r%d;\nmov.b32 %%o%d, %d;\n", 2 * k, 2 * k + 1, k, k, k);
    if (row->flags & MACHINE_FILL) put_copy(t, "FILL", f->threads, true);
    if (row->flags & MACHINE_BAR)
        put(t, "@%%first mbarrier.init.shared.b64 [%%bar], 1;\n@%%first mbarrier.init.shared.b64 [%%bar + 8], 2;\n"
               "@%%first fence.mbarrier_init.release.cluster;\n");
    put(t, "fence.proxy.async;\n");
    put_meeting(t, f);
    put(t, "%s\n", body);
    put_meeting(t, f);
    if (row->flags & MACHINE_DUMP) put_copy(t, "DUMP", f->threads, false);
    put(t, "st.global.v4.b32 [%%end], {%%o0, %%o1, %%o2, %%o3};\nret;\n}\n");
}

void machine_form(size_t i, struct machine_form *form) {
    char made[4096], body[8192];
    const size_t *first = first_forms();
    size_t r = 0;
    while (first[r + 1] <= i) r++;
    struct machine_row row = row_at(r, made, sizeof made);
    choose(row.body, i - first[r], body, sizeof body);
    form->flags = row.flags;
    form->tensor = row.tensor;
    form->threads = row.threads ? row.threads : 32;
    form->ctas = row.ctas ? row.ctas : 1;
    form->cluster = row.cluster ? row.cluster : 1;
    snprintf(form->name, sizeof form->name, "%.255s", body);
    for (char *p = form->name; *p; p++)
        if (*p == '\n') *p = ' ';
    struct text t = {form->text, sizeof form->text};
    put_entry(&t, form, &row, body);
}

/* ---- buffers ---- */

void machine_inputs(uint8_t in[MACHINE_IN], uint8_t out[MACHINE_OUT]) {
    uint64_t state = 90;
    for (size_t at = 0; at < MACHINE_IN; at += 8) {
        uint64_t word = lane_word(&state);
        memcpy(in + at, &word, 8);
    }
    for (size_t at = 0; at < MACHINE_OUT; at += 8) {
        uint64_t word = lane_word(&state);
        memcpy(out + at, &word, 8);
    }
}

uint64_t machine_hash(const void *bytes, size_t count) {
    uint64_t h = 0xcbf29ce484222325ull, word;
    for (size_t at = 0; at + 8 <= count; at += 8) {
        memcpy(&word, (const uint8_t *)bytes + at, 8);
        h = (h ^ word) * 0x100000001b3ull;
        h ^= h >> 29;
    }
    return h;
}

uint32_t machine_form_key(const struct machine_form *form) { return (uint32_t)machine_hash(form->text, strlen(form->text) & ~7ull); }
