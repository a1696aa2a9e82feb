/* Templates: text to text, with the way back; and the one clear line that everything else gets. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <lua.h>

#include "gen/embed.h"
#include "gen/ptxas.h"
#include "gen/template.h"

/* ---- a folder of templates, "T" in expectations ---- */

static char folder[64];

static void write_template(const char *name, const char *text) {
    char path[128];
    if (!folder[0]) {
        strcpy(folder, "/tmp/warploom_template_XXXXXX");
        cr_assert(mkdtemp(folder));
        setenv("WARPLOOM_TEMPLATES", folder, 1);
    }
    snprintf(path, sizeof path, "%s/%s.ptx", folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

static void remove_templates(void) {
    static const char *const names[] = {"main", "lib", "again", "user"};
    for (size_t i = 0; i < WL_LEN(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "%s/%s.ptx", folder, names[i]);
        unlink(path);
    }
    rmdir(folder);
}

/* Replaces the folder's name by "T". */
static char *shorten(char *text) {
    size_t length = strlen(folder);
    for (char *at = strstr(text, folder); length && at; at = strstr(at, folder)) {
        *at++ = 'T';
        memmove(at, at + length - 1, strlen(at + length - 1) + 1);
    }
    return text;
}

static int globals(lua_State *L, const void *data) {
    (void)data;
    lua_newtable(L);
    lua_pushinteger(L, 128);
    lua_setfield(L, -2, "tile_n");
    lua_pushliteral(L, "kern");
    lua_setfield(L, -2, "name");
    lua_setfield(L, -2, "plan");
    return 0;
}

TestSuite(template, .fini = remove_templates);

/* ---- text to text ---- */

static const struct {
    const char *what, *text, *ptx;
} rows[] = {
    {"plain text", ".version 9.0\n", ".version 9.0\n"},
    {"no line end", ".version 9.0", ".version 9.0\n"},
    {"nothing", "", ""},
    {"values", "a $(plan.tile_n) $(7 // 2) $(8 / 2) $('x' .. 1) $(-3) $(2^53 - 1) $(#'abc')\n",
     "a 128 3 4 x1 -3 9007199254740991 3\n"},
    {"helpers", "$(f32(1)) $(f32(-0.5)) $(f32(-math.huge)) $(hex(255)) $(hex(-1))\n",
     "0f3F800000 0fBF000000 0fFF800000 0xFF 0xFFFFFFFFFFFFFFFF\n"},
    {"brackets and quotes in values", "$((')'):rep(2)) $(({ 5, 6 })[2]) $(\"\\\")\") $('$(')$('')!\n",
     ")) 6 \") $(!\n"},
    {"only the first of several values", "$((function() return 1, 2 end)())\n", "1\n"},
    {"dollars that are none", "$x $ ( $\n", "$x $ ( $\n"},
    {"a loop", "| for i = 0, 2 do\n  x$(i)\n|   end\n", "  x0\n  x1\n  x2\n"},
    {"functions around text", "| function f(a)\nin $(a)\n| end\nbefore\n| f(1) f(2)\nafter\n",
     "before\nin 1\nin 2\nafter\n"},
    {"comments", "// kept $(1)\n//| gone $(nil)\n  //| gone\nx //| gone $(nil)\ny // kept\n",
     "// kept 1\nx\ny // kept\n"},
    {"blank lines", "\n\na\n\n\n\nb {\n\nc\n\n}\n\n\n",
     "a\n\nb {\n.loc 1 9 0\nc\n}\n.file 1 \"T/main.ptx\"\n"},
    {"blanks at line ends", "a  \t\n  b\r\n", "a\n  b\n"},
    {"Lua over several lines", "| local t = {\n|  1,\n|  2 }\n$(#t)\n", "2\n"},
    {"indented Lua", "  | if true then\n  x\n  | end\n", "  x\n"},
    {"pairs are in order", "| for k in pairs({ c = 1, a = 1, b = 1 }) do\n$(k)\n| end\n", "a\nb\nc\n"},

    {"loc before instructions only",
     ".visible .entry k(\n  .param .u64 p\n)\n.reqntid 128\n{\n  .reg .b32 %r<2>;\n  // why\nL0:\n  add.u32 "
     "%r0, %r0, 1;\n"
     "  { .reg .pred %p; }\nL1: mov.b32 %r1, %r0; mov.b32 %r0, %r1;\n  {\n    ret;\n  }\n}\n",
     ".visible .entry k(\n  .param .u64 p\n)\n.reqntid 128\n{\n  .reg .b32 %r<2>;\n  // why\nL0:\n.loc 1 9 "
     "0\n"
     "  add.u32 %r0, %r0, 1;\n  { .reg .pred %p; }\n.loc 1 11 0\nL1: mov.b32 %r1, %r0; mov.b32 %r0, %r1;\n  "
     "{\n"
     ".loc 1 13 0\n\tret;\n  }\n}\n.file 1 \"T/main.ptx\"\n"},
    {"indentation becomes tabs", "    a\n      b  c\n        d\n", "\ta\n\t  b  c\n\t\td\n"},
    {"a comment line once",
     "| for i = 1, 2 do\n// why\n// $(i)\n/* kept */\nx; // kept\n| end\n",
     "// why\n// 1\n/* kept */\nx; // kept\n// 2\n/* kept */\nx; // kept\n"},
    {"loc where the line changes",
     ".entry k()\n{\n| for i = 1, 3 do\n  a.b32 x;\n| end\n| for i = 1, 2 do\n  b.b32 x;\n  c.b32 x;\n| "
     "end\n}\n",
     ".entry k()\n{\n.loc 1 4 0\n  a.b32 x;\n  a.b32 x;\n  a.b32 x;\n.loc 1 7 0\n  b.b32 x;\n.loc 1 8 0\n  "
     "c.b32 x;\n"
     ".loc 1 7 0\n  b.b32 x;\n.loc 1 8 0\n  c.b32 x;\n}\n.file 1 \"T/main.ptx\"\n"},
    {"statements over several lines",
     ".entry k() {\n  tcgen05.ld.x2.b32\n    { a,\n      b },\n    [c];\n  @p bra.uni L;\n}\n",
     ".entry k() {\n.loc 1 2 0\n  tcgen05.ld.x2.b32\n\t{ a,\n\t  b },\n\t[c];\n.loc 1 6 0\n  @p "
     "bra.uni L;\n}\n"
     ".file 1 \"T/main.ptx\"\n"},
    {"what stands at module scope",
     ".global .b32 t[2] = {\n 1, 2 };\n.extern .shared .align 16 .b8 s[];\n.entry k()\n{\n ret;\n}\n.entry "
     "l()\n{\n ret;\n}\n",
     ".global .b32 t[2] = {\n 1, 2 };\n.extern .shared .align 16 .b8 s[];\n.entry k()\n{\n.loc 1 6 0\n "
     "ret;\n}\n.entry l()\n{\n"
     ".loc 1 10 0\n ret;\n}\n.file 1 \"T/main.ptx\"\n"},
    {"comments and strings that look like text",
     ".entry k()\n{ /* {\n not.code;\n */ .pragma \"a;b\"; // }\n a::b.u32 x;\n}\n",
     ".entry k()\n{ /* {\n not.code;\n */ .pragma \"a;b\"; // }\n.loc 1 5 0\n a::b.u32 x;\n}\n.file 1 "
     "\"T/main.ptx\"\n"},
    {"place of the file rows", ".version 9.0\n.files\n.entry k()\n{\n ret;\n}\n",
     ".version 9.0\n.file 1 \"T/main.ptx\"\n.entry k()\n{\n.loc 1 5 0\n ret;\n}\n"},
    {"included files", "| include 'lib'\n| include 'lib'\n.entry k()\n{\n| twice('x')\n ret;\n}\n",
     "// once\n.entry k()\n{\n.loc 1 4 0\n  one.b32 x;\n.loc 1 5 0\n  two.b32 x;\n.loc 2 6 0\n ret;\n}\n"
     ".file 1 \"T/lib.ptx\"\n.file 2 \"T/main.ptx\"\n"},
};

static const char lib_text[] =
    "// once\n| include 'main'\n| function twice(x)\n  one.b32 $(x);\n  two.b32 $(x);\n| end\n";

Test(template, text_to_text) {
    write_template("lib", lib_text);
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_text out = {0};
        struct wl_error error = {0};
        write_template("main", rows[i].text);
        cr_expect_eq(wl_template_expand("main", globals, NULL, &out, &error), WL_OK, "%s: %s", rows[i].what,
                     error.text);
        char *ptx = shorten(out.bytes ? out.bytes : strdup(""));
        cr_expect_str_eq(ptx, rows[i].ptx, "%s: is\n%s\nnot\n%s", rows[i].what, ptx, rows[i].ptx);
        wl_text_fini(&out);
    }
}

/* ---- what is refused ---- */

static const struct {
    const char *text, *message;
} bad_rows[] = {
    {"a\n$(plan.tile_m)\n", "T/main.ptx:2: $(plan.tile_m) is a nil value, not a number or text"},
    {"$({})", "T/main.ptx:1: $({}) is a table value, not a number or text"},
    {"$(print)", "T/main.ptx:1: variable 'print' is not defined"},
    {"$(pairs)", "T/main.ptx:1: $(pairs) is a function value, not a number or text"},
    {"$(true)", "T/main.ptx:1: $(true) is a boolean value, not a number or text"},
    {"\n\n $(0.5)", "T/main.ptx:3: $(0.5) is 0.5: PTX needs f32() or an integer"},
    {"$(2^60)", "T/main.ptx:1: $(2^60) is 1.152921504606847e+18: PTX needs f32() or an integer"},
    {"$(0/0)", "T/main.ptx:1: $(0/0) is -nan: PTX needs f32() or an integer"},
    {"$('a\\nb')", "T/main.ptx:1: $('a\\nb') has a line break or control character in it"},
    {"$(tile_n)", "T/main.ptx:1: variable 'tile_n' is not defined"},
    {"\n$(1", "T/main.ptx:2: $( without its )"},
    {"$(')", "T/main.ptx:1: $( without its )"},
    {"$(1 -- one)", "T/main.ptx:1: \"--\" is not allowed inside $( )"},
    {"$([[x]])", "T/main.ptx:1: \"[[\" is not allowed inside $( )"},
    {"a\nb $()", "T/main.ptx:2: unexpected symbol near ')'"},
    {"a\nb $(1 2)", "T/main.ptx:2: ')' expected near '2'"},
    {"| for i = 1, 2 do\nx\n", "T/main.ptx:3: 'end' expected (to close 'for' at line 1) near <eof>"},
    {"x\n| y = = 1\n", "T/main.ptx:2: unexpected symbol near '='"},
    {"| local x = nil\n|\n| x.y = 1\n", "T/main.ptx:3: attempt to index a nil value (local 'x')"},
    {"| error('stop')", "T/main.ptx:1: stop"},
    {"| include 'none'", "T/main.ptx:1: T/none.ptx: cannot open: No such file or directory"},
    {"| include '../main'", "T/main.ptx:1: \"../main\" cannot be a template's name"},
    {"| include '/etc/passwd'", "T/main.ptx:1: \"/etc/passwd\" cannot be a template's name"},
    {"| include ''", "T/main.ptx:1: \"\" cannot be a template's name"},
    {"| include 'user'\n| use()",
     "T/user.ptx:2: $(x) is a nil value, not a number or text (from T/main.ptx:2)"},
    {"| while true do\n| end",
     "T/main.ptx:1: still running after 50000000 Lua instructions (an endless loop?)"},
    {"| while true do\nmore and more and more and more and more and more and more and more and more and "
     "more\n| end",
     "T/main.ptx:2: the PTX grew beyond 16 MiB"},
    {"$(f32(1e39))", "T/main.ptx:1: f32: 1e+39 is beyond a float's range"},
    {"$(hex(0.5))", "T/main.ptx:1: bad argument #1 to 'hex' (number has no integer representation)"},
    {"| _text(77)", "T/main.ptx:1: _text is not for templates"},
};

/* All lines of a function of lib/ are led to its first line of text. */
Test(template, lines_of_lib) {
    struct wl_text out = {0};
    struct wl_error error = {0};
    char lib[128];
    write_template("main", "| include 'lib/two'\n.entry k()\n{\n| two(1)\n mid.b32 x;\n| two(0)\n| three()\n}\n");
    snprintf(lib, sizeof lib, "%s/lib", folder);
    cr_assert_eq(mkdir(lib, 0777), 0);
    write_template("lib/two", "| function two(n)\n|   if n > 0 then\n a.b32 x;\n|   end\n b.b32 x;\n| end\n| function three()\n c.b32 x;\n d.b32 x;\n| end\n");
    cr_expect_eq(wl_template_expand("main", globals, NULL, &out, &error), WL_OK, "%s", error.text);
    cr_expect_str_eq(shorten(out.bytes),
                     ".entry k()\n{\n.loc 1 3 0\n a.b32 x;\n b.b32 x;\n.loc 2 5 0\n mid.b32 x;\n.loc 1 3 0\n b.b32 x;\n.loc 1 8 0\n c.b32 x;\n"
                     " d.b32 x;\n}\n.file 1 \"T/lib/two.ptx\"\n.file 2 \"T/main.ptx\"\n");
    wl_text_fini(&out);
    snprintf(lib, sizeof lib, "%s/lib/two.ptx", folder);
    unlink(lib);
    snprintf(lib, sizeof lib, "%s/lib", folder);
    rmdir(lib);
}

Test(template, what_is_refused, .timeout = 60) {
    write_template("user", "| function use(x)\n$(x)\n| end\n");
    for (size_t i = 0; i < WL_LEN(bad_rows); i++) {
        struct wl_text out = {0};
        struct wl_error error = {0};
        char line[4000];
        write_template("main", bad_rows[i].text);
        cr_expect_eq(wl_template_expand("main", globals, NULL, &out, &error), WL_ERR_INPUT, "%s",
                     bad_rows[i].text);
        shorten((char *)wl_error_format(&error, line, sizeof line));
        cr_expect_str_eq(line, bad_rows[i].message, "is  %s\nnot %s", line, bad_rows[i].message);
        wl_text_fini(&out);
    }
}

/* ---- the assembler's view ---- */

static const char kernel[] =
    ".version 8.6\n.target sm_100a\n.address_size 64\n.files\n| include 'lib'\n\n"
    ".visible .entry $(plan.name)(.param .u64 p)\n{\n  .reg .b32 %r<4>;\n  .reg .b64 %d;\n"
    "  ld.param.u64 %d, [p];\n  mov.u32 %r0, %tid.x;\n| add(1)\n| add(2)\n"
    "  st.global.u32 [%d], %r0;\n  ret;\n}\n";
static const char kernel_lib[] = "| function add(n)\n{\n  .reg .pred %p;\nAGAIN:\n  add.u32 %r0, %r0, $(n);\n"
                                 "  setp.lt.u32 %p, %r0, 10;\n  @%p bra AGAIN;\n}\n| end\n";

Test(template, assembles) {
    struct wl_text out = {0};
    struct wl_error error = {0};
    struct wl_ptxas_report report = {0};
    write_template("main", kernel);
    write_template("lib", kernel_lib);
    cr_assert_eq(wl_template_expand("main", globals, NULL, &out, &error), WL_OK, "%s", error.text);
    enum wl_status status = wl_ptxas_run(out.bytes, out.length, "sm_100a", &report, &error);
    if (status == WL_ERR_ENVIRONMENT) cr_skip_test("no ptxas: %s", error.text);
    cr_expect_eq(status, WL_OK, "%s", error.text);
    wl_ptxas_fini(&report);
    wl_text_fini(&out);
}

/* ---- size and time: a kernel's worth of template ---- */

Test(template, big) {
    struct wl_text text = {0}, out = {0};
    wl_text_printf(&text, ".entry k()\n{\n");
    for (int i = 0; i < 1500; i++)
        wl_text_printf(&text,
                       "    fma.rn.f32x2 %%o$(%d + 1), %%s$(plan.tile_n - %d), %%scale, %%bias; // %d\n", i,
                       i, i);
    wl_text_printf(&text, "}\n");
    write_template("main", text.bytes);
    cr_assert_eq(wl_template_expand("main", globals, NULL, &out, NULL), WL_OK);
    cr_expect_gt(out.length, 80000);
    wl_text_fini(&text);
    wl_text_fini(&out);
}

/* ---- memory ---- */

static int allocations, failing_one;
static void *failing_realloc(void *pointer, size_t bytes) {
    if (bytes == 0) {
        free(pointer);
        return NULL;
    }
    return ++allocations == failing_one ? NULL : realloc(pointer, bytes);
}

Test(template, each_allocation_may_fail) {
    write_template("main",
                   "| include 'lib'\n.entry k()\n{\n| for i = 1, 300 do\n| twice('x' .. i)\n| end\n}\n");
    write_template("lib", lib_text);
    wl_set_realloc(failing_realloc);
    for (failing_one = 1;; failing_one++) {
        struct wl_text out = {0};
        struct wl_error error = {0};
        allocations = 0;
        enum wl_status status = wl_template_expand("main", globals, NULL, &out, &error);
        cr_expect(status == WL_OK || status == WL_ERR_NO_MEMORY, "allocation %d: status %d, %s", failing_one,
                  status, error.text);
        if (status == WL_OK) cr_expect(!out.failed && out.length > 10000, "allocation %d", failing_one);
        wl_text_fini(&out);
        if (allocations < failing_one) break;
    }
    cr_expect(failing_one > 100);
    wl_set_realloc(NULL);
}

/* ---- where templates come from ---- */

Test(template, embedded_and_folder) {
    char *text;
    size_t bytes;
    unsetenv("WARPLOOM_TEMPLATES");
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++) {
        char name[128];
        if (sscanf(file->name, "templates/%100s", name) != 1) continue;
        name[strlen(name) - 4] = '\0';
        cr_assert_eq(wl_template_read(name, &text, &bytes, NULL), WL_OK, "%s", name);
        cr_expect(bytes == file->length && memcmp(text, file->bytes, bytes) == 0);
        wl_free(text);
    }
    struct wl_error error = {0};
    cr_expect_eq(wl_template_read("lib/none", &text, &bytes, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.text, "there is no such template");
    write_template("user", "mine\n");
    cr_assert_eq(wl_template_read("user", &text, &bytes, NULL), WL_OK);
    cr_expect_str_eq(text, "mine\n");
    wl_free(text);
}
