/* The PTX parser: what it takes, what it makes of it, and where it points when it refuses. */
#include "tests/test.h"

#include <stdio.h>
#include <string.h>

#include "runtime/emu/ptx.h"

#define HEAD       ".version 9.0\n.target sm_100a\n.address_size 64\n"
#define BODY(text) HEAD ".visible .entry k() {\n" text "\n}\n" /* text starts on line 5 */

static struct ptx_module *parse(const char *text, struct ptx_error *error) {
    return ptx_parse(text, strlen(text), error);
}

/* ---- what is taken ---- */

/* clang-format off */
static const char *const good[] = {
    HEAD,
    ".version 9.4\n.target sm_100a, debug\n.address_size 64\n",
    "// nvcc starts with comments\n/* of both\n kinds */ .version 8.0 .target sm_90",
    HEAD ".extern .shared .align 1024 .b8 smem[];\n.extern .shared .align 16 .b8 smem[];",
    HEAD ".global .align 4 .b8 g[3] = {1, 2, 3}; .const .f32 c = 0f3F800000; .global .u64 p[2] = {generic(g)+1, g};",
    HEAD ".visible .global .align 8 .f64 m[2][2] = {{1.0, 2e3}, {-1.5, 0d3FF0000000000000}};",
    HEAD ".extern .func (.param .b32 r) f(.param .b64 a, .param .align 8 .b8 b[16]) .noreturn;",
    HEAD ".func (.param .b32 r) f(.param .b32 a) { ret; }\n.weak .func g; .func g { ret; } .func h; .alias h, g;\n",
    HEAD ".entry k(.param .u64 .ptr .global .align 16 a, .param .align 64 .b8 map[128]) .reqntid 512, 1, 1 .minnctapersm 1\n"
         ".reqnctapercluster 2 .explicitcluster .maxclusterrank 8 .maxnreg 128 .pragma \"nounroll\"; { ret; }",
    HEAD ".file 1 \"a.ptx\", 123, 456\n.file 2 \"b\"\n.section .debug_str { info: .b8 65, 0\n .b64 info }\n",
    BODY(".reg .b32 %r<3>, %x; .reg .pred %p; mov.b32 %r1, -5; @!%p bra L; L: ret;"),
    BODY("{ .reg .b32 a; L: mov.u32 a, 1; bra L; } { .reg .b64 a; L: mov.u64 a, 1; bra.uni L; }"),
    BODY(".loc 1 2 3\n.loc 1 4 5, function_name f, inlined_at 1 2 3\n.loc 1 4 5, function_name f+8, inlined_at 1 2 3\nret;"),
    BODY(".reg .b32 %r<9>; .reg .b64 %rd; st.shared.v4.b32 [ %r1 + 16 ], {0, 0x10, %r2, _}; ld.global.u32 %r1, [%rd+-4];"),
    BODY(".reg .b32 %r<9>; .reg .pred %p<2>; shfl.sync.idx.b32 %r1|%p0, %r2, 0, 31, -1; elect.sync _|%p1, 0xffffffff;"),
    BODY(".reg .b64 %d<3>; .reg .b32 %r<4>; cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r1], "
         "[%d1, {%r2, %r3}], [%r1+8];"),
    BODY(".reg .b32 %i; ts: .branchtargets A, B; brx.idx %i, ts; A: ret; B: ret;"),
    BODY(".reg .b32 r; mov.b32 r, (1 << 4) + 3 * 2; mov.b32 r, 0b101; mov.b32 r, 017; mov.b32 r, 5U; mov.b32 r, ~1 & 7; mov.b32 r, WARP_SZ;"),
    BODY(".pragma \"nounroll\"; .local .align 8 .b8 l[8]; .param .b32 q; ;;"),
};
/* clang-format on */

ParameterizedTestParameters(ptx_parse, takes) { return wl_test_rows(WL_LEN(good)); }
ParameterizedTest(size_t *i, ptx_parse, takes) {
    struct ptx_error error;
    struct ptx_module *m = parse(good[*i], &error);
    cr_expect(m, "%u:%u: %s in\n%s", error.line, error.column, error.text, good[*i]);
    if (m) wl_arena_destroy(m->arena);
}

/* ---- what is refused, and where ---- */

/* clang-format off */
static const struct {
    const char *text;
    uint32_t line, column;
    const char *says;
} bad[] = {
    {"", 1, 1, "'.version' is wanted"},
    {".version 9.5\n.target sm_100a", 1, 10, "newer than 9.4"},
    {".version nine\n", 1, 10, "a version such as 9.0"},
    {".version 9.0\n.address_size 64", 2, 1, "'.target' is wanted"},
    {".version 9.0\n.target sm_100a\n.address_size 32", 3, 17, "64-bit"},
    {HEAD "/* never ends", 4, 1, "comment without an end"},
    {HEAD ".file 1 \"never ends", 4, 9, "string without an end"},
    {HEAD "frobnicate", 4, 1, "a directive is wanted, not 'frobnicate'"},
    {HEAD ".global .u32 a; .global .u32 a;", 4, 30, "declared twice"},
    {HEAD ".global .u32 a[2] = {1, 2, 3};", 4, 28, "more initial values"},
    {HEAD ".global .u32 a[];", 4, 14, "has no size"},
    {HEAD ".global .u32 a[-1];", 4, 18, "cannot have -1 elements"},
    {HEAD ".global .u32 a[1/0];", 4, 19, "division by zero"},
    {HEAD ".global .align 3 .u32 a;", 4, 18, "not a power of two"},
    {HEAD ".global .u99 a;", 4, 9, "no place in a declaration"},
    {HEAD ".global .b8 a[0x10000000000][2];", 4, 32, "2^40"},
    {HEAD ".reg .b32 r;", 4, 1, "outside a function"},
    {HEAD ".entry k() {", 4, 13, "the text ends here"},
    {HEAD ".entry k() { ret; } .entry k() { ret; }", 4, 28, "two bodies"},
    {BODY(".reg .b32 r; mov.b32 r, x;"), 5, 25, "'x' is not declared"},
    {BODY("bra NOWHERE;"), 5, 5, "'NOWHERE' is not declared"},
    {BODY("{ IN: ret; } bra IN;"), 5, 18, "'IN' is not declared"},
    {BODY(".reg .b32 %r<4>; mov.b32 %r1, 0f3F8;"), 5, 31, "eight hexadecimal digits"},
    {BODY(".reg .b32 r; mov.b32 r, 0x;"), 5, 25, "needs digits"},
    {BODY(".reg .b32 r; mov.b32 r, 99999999999999999999;"), 5, 25, "64 bits"},
    {BODY(".reg .b32 r; mov.b32 r, 12abc;"), 5, 25, "malformed number"},
    {BODY(".reg .b32 r; @r bra L; L: ret;"), 5, 15, "no predicate register"},
    {BODY(".reg .b32 r; mov.b32 r, 1"), 6, 1, "';' is wanted"},
    {BODY(".reg .v4 .b32 r;"), 5, 15, "vector registers"},
    {BODY("L: ret; L: ret;"), 5, 9, "declared twice"},
    {BODY("mov.b32 ((((;"), 5, 13, "an integer constant"},
    {BODY("\x01"), 5, 1, "no use for"},
    {BODY("L: .callprototype _ ();"), 5, 4, "indirect calls"},
    {BODY("ret;") "}", 7, 1, "a directive is wanted, not '}'"},
};
/* clang-format on */

ParameterizedTestParameters(ptx_parse, refuses) { return wl_test_rows(WL_LEN(bad)); }
ParameterizedTest(size_t *i, ptx_parse, refuses) {
    struct ptx_error error;
    struct ptx_module *m = parse(bad[*i].text, &error);
    cr_assert(!m, "taken:\n%s", bad[*i].text);
    cr_expect(strstr(error.text, bad[*i].says), "row %zu says '%s', wanted '%s'", *i, error.text,
              bad[*i].says);
    cr_expect(error.line == bad[*i].line && error.column == bad[*i].column,
              "row %zu (%s): at %u:%u, wanted %u:%u", *i, error.text, error.line, error.column, bad[*i].line,
              bad[*i].column);
}

/* ---- what it makes of it ---- */

Test(ptx_parse, scopes_and_labels) {
    struct ptx_error error;
    struct ptx_module *m = parse(BODY(".reg .b32 a, %r<3>;\n L: mov.u32 a, 1;\n"
                                      "{ .reg .b64 a; L: mov.u64 a, %r2; bra L; }\n"
                                      "mov.u32 a, 2; bra L;"),
                                 &error);
    cr_assert(m, "%s", error.text);
    struct ptx_function *f = &m->functions[0];
    cr_assert_eq(f->insn_count, 5);
    cr_expect_eq(f->insns[0].operands[0].var->type.bytes, 4);
    cr_expect_eq(f->insns[1].operands[0].var->type.bytes, 8, "the inner block's a");
    cr_expect_eq(f->insns[3].operands[0].var, f->insns[0].operands[0].var, "the outer a again");
    cr_expect_eq(f->insns[2].operands[0].i, 1, "the inner L");
    cr_expect_eq(f->insns[4].operands[0].i, 0, "the outer L");
    cr_expect_eq(f->local_count, 3, "of %%r<3> only the one that is used is made");
    cr_expect_str_eq(f->labels[1], "L");
    wl_arena_destroy(m->arena);
}

Test(ptx_parse, initial_values) {
    struct ptx_error error;
    struct ptx_module *m =
        parse(HEAD ".global .u16 a[2][2] = {{1, 2}, {3}};\n.const .f32 f[] = {1, -2.5, 0f40490fdb};\n"
                   ".global .u64 p = a + 2;",
              &error);
    cr_assert(m, "%u:%u: %s", error.line, error.column, error.text);
    cr_expect_eq(m->variable_count, 3);
    const uint16_t *a = (const void *)m->variables[0]->init;
    cr_expect(a[0] == 1 && a[1] == 2 && a[2] == 3 && a[3] == 0);
    const float *f = (const void *)m->variables[1]->init;
    cr_expect_eq(m->variables[1]->bytes, 12);
    cr_expect(f[0] == 1.0f && f[1] == -2.5f && f[2] == 3.14159274f);
    const struct ptx_reloc *r = m->variables[2]->relocs;
    cr_expect(r && r->var == m->variables[0] && r->addend == 2);
    wl_arena_destroy(m->arena);
}

Test(ptx_parse, positions_and_loc) {
    struct ptx_error error;
    struct ptx_module *m = parse(
        HEAD ".file 3 \"softmax.ptx\"\n.entry k(.param .u32 a, .param .align 8 .b8 b[3], .param .u64 c) {\n"
             ".loc 3 17 0\n  ret;\n}",
        &error);
    cr_assert(m, "%s", error.text);
    const struct ptx_function *f = &m->functions[0];
    cr_expect(f->insns[0].pos.line == 7 && f->insns[0].pos.column == 3 && f->insns[0].pos.loc_line == 17);
    cr_expect_str_eq(m->files[f->insns[0].pos.loc_file], "softmax.ptx");
    cr_expect(f->params[0]->slot == 0 && f->params[1]->slot == 8 && f->params[2]->slot == 16);
    wl_arena_destroy(m->arena);
}

/* ---- hostile inputs: every prefix, and every byte of a sample changed ---- */

/* clang-format off */
static const char sample[] =
    HEAD ".file 1 \"t\"\n.global .align 8 .u64 g[2] = {1, generic(g)+8};\n"
         ".entry k(.param .align 64 .b8 m[128]) .reqntid 32 { .reg .b32 %r<4>; .reg .pred %p; .loc 1 2 0\n"
         "{ L: mov.b64 {%r1, _}, 0d3FF0000000000000; @!%p bra L; st.shared.v2.b32 [%r1+-4], {%r2, -1.5}; }\n"
         "ts: .branchtargets M; brx.idx %r0, ts; M: setp.eq.u32 %p|_, %r1, (1<<3)?2:~1; ret; }\n";
/* clang-format on */

Test(ptx_parse, prefixes_and_changed_bytes) {
    struct ptx_error error;
    char text[sizeof sample];
    for (size_t n = 0; n < sizeof sample; n++) {
        struct ptx_module *m = ptx_parse(sample, n, &error);
        if (m) wl_arena_destroy(m->arena);
        else cr_expect(error.line && error.text[0]);
    }
    static const char changes[] = "{}<>()[];,.:%@\"0fx-/*\n\x80";
    for (size_t n = 0; n + 1 < sizeof sample; n++)
        for (size_t c = 0; c + 1 < sizeof changes; c++) {
            memcpy(text, sample, sizeof sample);
            text[n] = changes[c];
            struct ptx_module *m = ptx_parse(text, sizeof text - 1, &error);
            if (m) wl_arena_destroy(m->arena);
        }
    char deep[4000];
    memset(deep, '(', sizeof deep);
    char *all = wl_realloc(NULL, sizeof deep + 256);
    int at = sprintf(all, BODY(".reg .b32 r; mov.b32 r, "));
    memcpy(all + at - 3, deep, sizeof deep);
    cr_expect(!ptx_parse(all, (size_t)at + sizeof deep - 3, &error));
    cr_expect(strstr(error.text, "nested"), "%s", error.text);
    wl_free(all);
}
