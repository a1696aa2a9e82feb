/* Schedules: what is read, and the one clear line that everything else gets. */
#include "tests/test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "gen/arena.h"
#include "gen/embed.h"
#include "gen/schedule.h"

static enum wl_status parse(const char *text, struct wl_schedule *schedule, struct wl_error *error) {
    return wl_schedule_parse(schedule, text, strlen(text), "dir/x.lua", NULL, 0, error);
}

/* ---- what is refused: text, and the whole message ---- */

static const struct {
    const char *text, *message;
} bad_rows[] = {
    {"", "dir/x.lua: must return a table of fields, returned nothing"},
    {"-- only a comment", "dir/x.lua: must return a table of fields, returned nothing"},
    {"return 128", "dir/x.lua: must return a table of fields, returned a number"},
    {"return {\n  tile_n = 128,,\n}", "dir/x.lua:2: unexpected symbol near ','"},
    {"return {", "dir/x.lua:1: unexpected symbol near <eof>"},
    {"return {\n\n tile_m = 128,\n tile_nn = 128 }",
     "dir/x.lua:4: tile_nn: unknown field, did you mean tile_n?"},
    {"return {\n stage_kv = 3 }", "dir/x.lua:2: stage_kv: unknown field, did you mean stages_kv?"},
    {"return {\n zzz = 1, Tile_N = 64 }", "dir/x.lua:2: Tile_N: unknown field, did you mean tile_n?"},
    {"return { 5 }", "dir/x.lua: every value of a schedule has a name; one has the key 1"},
    {"return { [{}] = 5 }", "dir/x.lua: every value of a schedule has a name; one has the key table"},
    {"return {\n regs_other = 300 }", "dir/x.lua:2: regs_other: 300 is not allowed: 24 to 256 in steps of 8"},
    {"return {\n regs_other = 33 }", "dir/x.lua:2: regs_other: 33 is not allowed: 24 to 256 in steps of 8"},
    {"return { warp_mma = -1 }", "dir/x.lua:1: warp_mma: -1 is not allowed: 0 to 15"},
    {"return { regs_other = 64.5 }",
     "dir/x.lua:1: regs_other: must be an integer (24 to 256 in steps of 8), is 64.5"},
    {"return { regs_other = '64' }",
     "dir/x.lua:1: regs_other: must be an integer (24 to 256 in steps of 8), is \"64\""},
    {"return { regs_other = {64} }",
     "dir/x.lua:1: regs_other: must be an integer (24 to 256 in steps of 8), is a table"},
    {"return { regs_other = 2^60 }",
     "dir/x.lua:1: regs_other: 1.152921504606847e+18 is not allowed: 24 to 256 in steps of 8"},
    {"return { exp2_share = 1.5 }", "dir/x.lua:1: exp2_share: 1.5 is not allowed: 0 to 1"},
    {"return { exp2_share = 0/0 }", "dir/x.lua:1: exp2_share: -nan is not allowed: 0 to 1"},
    {"return { rescale_threshold = true }",
     "dir/x.lua:1: rescale_threshold: must be a number (0 to 64), is true"},
    {"return { causal = 1 }", "dir/x.lua:1: causal: must be true or false, is 1"},
    {"return { dtype = 'fp8' }", "dir/x.lua:1: dtype: \"fp8\" is not allowed: bf16 or fp16"},
    {"return { dtype = 'bf16|fp16' }", "dir/x.lua:1: dtype: \"bf16|fp16\" is not allowed: bf16 or fp16"},
    {"return { dtype = '' }", "dir/x.lua:1: dtype: \"\" is not allowed: bf16 or fp16"},
    {"return { dtype = 16 }", "dir/x.lua:1: dtype: must be text (bf16 or fp16), is 16"},
    {"return { scheduler = 'lptt' }",
     "dir/x.lua:1: scheduler: \"lptt\" is not allowed: auto, single, persistent, lpt or clc"},
    {"return { name = 'a b' }", "dir/x.lua:1: name: \"a b\" is not allowed: letters, digits and _"},
    {"return { name = 'a\\nb' }", "dir/x.lua:1: name: \"a?b\" is not allowed: letters, digits and _"},
    {"return { head_dim = 64,\n head_dim_min = 72 }",
     "dir/x.lua:2: head_dim_min: head_dim_min 72 is more than head_dim 64"},
    {"local n = tile\nreturn { tile_n = n }", "dir/x.lua:1: variable 'tile' is not defined"},
    {"return { tile_n = nil + 1 }", "dir/x.lua:1: attempt to perform arithmetic on a nil value"},
    {"error('no')", "dir/x.lua:1: no"},
    {"\nerror('a\\nb\\t\\0c')", "dir/x.lua:2: a b "},
    {"error()", "dir/x.lua:1: error(nil)"},
    {"error({})", "dir/x.lua:1: error(table)"},
    {"error(function() end)", "dir/x.lua:1: error(function)"},
    {"error(12.5)", "dir/x.lua:1: error(12.5)"},
    {"\x1bLua", "dir/x.lua: is compiled Lua; only Lua text is read"},
    {"local function f() return 1 + f() end\nreturn f()", "dir/x.lua:1: recursion is deeper than 1000 calls"},
    {"include '../x.lua'",
     "dir/x.lua:1: include \"../x.lua\": must be the name of a file in the same folder"},
    {"include '/etc/passwd'",
     "dir/x.lua:1: include \"/etc/passwd\": must be the name of a file in the same folder"},
    {"include '.hidden'", "dir/x.lua:1: include \".hidden\": must be the name of a file in the same folder"},
    {"include 'none.lua'",
     "dir/x.lua:1: include \"none.lua\": dir/none.lua: cannot open: No such file or directory"},
};

Test(schedule, what_is_refused) {
    for (size_t i = 0; i < WL_LEN(bad_rows); i++) {
        struct wl_schedule schedule;
        struct wl_error error = {0};
        char line[4000];
        cr_expect_eq(parse(bad_rows[i].text, &schedule, &error), WL_ERR_INPUT, "row %zu", i);
        cr_expect_str_eq(wl_error_format(&error, line, sizeof line), bad_rows[i].message,
                         "row %zu: %s\nnot: %s", i, line, bad_rows[i].message);
    }
}

/* What is not there: reading a global that nobody set is an error, so each of these fails in its first word.
 */
static const char *const forbidden[] = {
    "io",     "os",      "package",        "debug",        "coroutine",   "require", "load",
    "dofile", "print",   "loadfile",       "loadstring",   "pcall",       "xpcall",  "next",
    "warn",   "rawset_", "collectgarbage", "setmetatable", "getmetatable"};

Test(schedule, sandbox_is_closed) {
    for (size_t i = 0; i < WL_LEN(forbidden); i++) {
        struct wl_schedule schedule;
        struct wl_error error = {0};
        char text[100], message[100];
        snprintf(text, sizeof text, "local x = %s return {}", forbidden[i]);
        snprintf(message, sizeof message, "variable '%s' is not defined", forbidden[i]);
        cr_expect_eq(parse(text, &schedule, &error), WL_ERR_INPUT);
        cr_expect_str_eq(error.text, message);
    }
    static const char *const nil[] = {"string.dump", "math.random", "math.randomseed", "_G.load",
                                      "('').dump"};
    for (size_t i = 0; i < WL_LEN(nil); i++) {
        struct wl_schedule schedule;
        char text[100];
        snprintf(text, sizeof text, "assert(rawequal(%s, nil)) return {}", nil[i]);
        struct wl_error error = {0};
        if (strcmp(nil[i], "_G.load") == 0)
            snprintf(text, sizeof text, "return { causal = rawget(_G or {}, 'load') }");
        parse(text, &schedule, &error);
        cr_expect(!strstr(error.text, "assertion"), "%s is there", nil[i]);
    }
}

/* ---- what would never end, or eat the memory ---- */

static const struct {
    const char *text, *says;
} bomb_rows[] = {
    {"\nwhile true do end", "dir/x.lua:2: still running after 10000000 Lua instructions (an endless loop?)"},
    {"::a:: goto a", "still running"},
    {"local t = {} while true do t[#t + 1] = 1 end", "needs more memory than the 16 MiB"},
    {"local s = 'x'\nwhile true do s = s .. s end",
     "dir/x.lua:2: needs more memory than the 16 MiB that it may use"},
    {"return string.rep('x', 1 << 30)", "needs more memory"},
    {"return ('x'):rep(1 << 60)", "resulting string too large"},
    {"return string.rep('', 1 << 60)", "still running"},
    {"return string.rep('x', 1e9, 'y')", "needs more memory"},
    {"while true do local s = string.rep('x', 1 << 20) end", "dir/x.lua:1"},
    {"local s = string.rep('x', 4 << 20) while true do local t = s .. 'y' end", "needs more memory"},
    {"local t = {} for i = 1, 1e5 do t[i] = i end while true do table.insert(t, 1, 0) end", ""},
    {"local t = {} for i = 1, 1e5 do t[i] = i end while true do table.sort(t) end", "still running"},
    {"return table.move({}, 1, math.maxinteger - 1, 2)", "still running"},
    {"return table.concat({}, 'x', 1, 1 << 40)", "invalid value (nil) at index 1"},
    {"return table.unpack({}, 1, 1 << 40)", "too many results to unpack"},
    {"return string.find(string.rep('a', 60), string.rep('.-', 30) .. 'b')", "still running"},
    {"return string.find(string.rep('a', 50), string.rep('a?', 50) .. string.rep('a', 50))", "still running"},
    {"return string.gsub(string.rep('a', 1e6), '.-.-.-b', '')", "still running"},
    {"for _ in string.gmatch(string.rep('a', 1e6), '.-.-.-b') do end", "still running"},
    {"local function f(x) return f(x .. 'x') end return f('')", "dir/x.lua:1"},
    {"local function f() return string.gsub('x', 'x', f) end f()",
     "nests too deeply for Lua (C stack overflow)"},
    {"local t = {} for i = 1, 1e6 do t = {t} end return {}", "needs more memory"},
    {"return string.format('%s', {})", "cannot print a table"},
    {"return string.format('%p', {})", "%p is not allowed"},
    {"return string.format('%9999d', 1)", "invalid conversion"},
    {"local t = {} for k in pairs({[{}] = 1}) do end", "a key is a table, which has no order"},
};

Test(schedule, bombs, .timeout = 120) {
    for (size_t i = 0; i < WL_LEN(bomb_rows); i++) {
        struct wl_schedule schedule;
        struct wl_error error = {0};
        char line[4000];
        cr_expect_eq(parse(bomb_rows[i].text, &schedule, &error), WL_ERR_INPUT, "row %zu: %s", i,
                     bomb_rows[i].text);
        wl_error_format(&error, line, sizeof line);
        cr_expect(strstr(line, bomb_rows[i].says), "row %zu: %s\nshould say: %s", i, line, bomb_rows[i].says);
        cr_expect(!strchr(line, '\n') && strlen(line) < 1000, "row %zu: not one line: %s", i, line);
    }
}

/* Nesting deeper than the parser's own stack may go; built here, it would not look well above. */
Test(schedule, deep_nesting) {
    char *text = malloc(200100);
    memset(text, '{', 200000);
    memcpy(text, "return ", 7);
    strcpy(text + 200000, "}");
    struct wl_schedule schedule;
    struct wl_error error = {0};
    cr_expect_eq(parse(text, &schedule, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "nests too deeply for Lua"), "%s", error.text);
    free(text);
}

/* ---- what is read ---- */

Test(schedule, defaults) {
    struct wl_schedule s;
    struct wl_error error = {0};
    char value[64];
    cr_assert_eq(parse("return {}", &s, &error), WL_OK, "%s", error.text);
    cr_expect_str_eq(s.name, "x");
    cr_expect_str_eq(s.target, "sm_100a");
    cr_expect(s.head_dim == 128 && s.tile_n == 128 && s.exp2_share == 0.125 && s.dtype == WL_BF16 &&
              !s.causal);
    cr_expect_eq(s.scheduler, WL_SCHEDULER_AUTO);
    for (int f = 1; f < WL_FIELD_COUNT; f++) {
        cr_expect(s.line[f] == 0 && s.from[f] == WL_FROM_DEFAULT);
        cr_expect_str_eq(wl_schedule_origin(&s, f, value, sizeof value), "default");
    }
    cr_expect_str_eq(wl_schedule_value(&s, WL_FIELD_exp2_share, value, sizeof value), "0.125");
    cr_expect_str_eq(wl_schedule_value(&s, WL_FIELD_scheduler, value, sizeof value), "auto");
    cr_expect_str_eq(wl_schedule_value(&s, WL_FIELD_causal, value, sizeof value), "false");
    cr_expect_str_eq(wl_schedule_value(&s, WL_FIELD_tile_n, value, sizeof value), "128");
}

static const struct {
    const char *text;
    int line; /* of tile_n, which is 64 in each */
} line_rows[] = {
    {"return { tile_n = 64 }", 1},
    {"-- tile_n = 64\n--[[ tile_n = 64\n]] local s = [==[\n tile_n = 64 ]==]\nreturn {\n tile_m = 128,\n "
     "tile_n = 64 }",
     7},
    {"local s = \"{ tile_n = 64\" .. '\\'\\\n{ tile_n = 64'\nreturn {\n tile_n = 64 }", 4},
    {"local n = 64\nreturn {\n tile_n = n }", 3},
    {"local s = {\n tile_n = 128 }\ns.tile_n = 64\nreturn s", 3},
    {"local s = { tile_n = 128 }\n\ns['tile_n'] = 64\nreturn s", 3},
    {"return {\n ['tile_n'] = 64 }", 2},
    {"local by = {\n a = { tile_n = 32 },\n b = { tile_n = 64 } }\nreturn by.b", 3},
    {"local by = { a = {\n tile_n = 64 } }\nreturn {\n tile_n = by.a.tile_n }", 4},
    {"local s = {}\nif s.tile_n == 64 then end\ns.tile_n = 32 * 2\nreturn s", 3},
    {"local t = 'tile_n'\nreturn { [t] = 64 }", 0},
    {"local s = {\n tile_n = 64 }\nif false then\n s.tile_n = 96 end\nreturn s", 2},
    {"return { tile_n\n=\n64 }", 1},
    {"\xEF\xBB\xBFreturn {\r\n tile_n = 64 }\r\n", 2},
};

Test(schedule, lines_of_fields) {
    for (size_t i = 0; i < WL_LEN(line_rows); i++) {
        struct wl_schedule s;
        struct wl_error error = {0};
        cr_assert_eq(parse(line_rows[i].text, &s, &error), WL_OK, "row %zu: %s", i, error.text);
        cr_expect_eq(s.tile_n, 64, "row %zu", i);
        cr_expect_eq(s.line[WL_FIELD_tile_n], line_rows[i].line, "row %zu: line %d, not %d", i,
                     s.line[WL_FIELD_tile_n], line_rows[i].line);
    }
}

/* Every value that a field allows, and its neighbours outside. */
Test(schedule, every_integer_of_every_field) {
    for (int f = 0; f < WL_FIELD_COUNT; f++) {
        char allowed[128], text[128], number[64];
        int lo, hi, step = 1, only;
        wl_field_allowed(f, allowed, sizeof allowed);
        if (sscanf(allowed, "only %d", &only) == 1) lo = hi = only;
        else if (sscanf(allowed, "%d to %d in steps of %d", &lo, &hi, &step) < 2) continue;
        for (int n = lo - step; n <= hi + step; n++) {
            struct wl_schedule s;
            bool fine = n >= lo && n <= hi && (n - lo) % step == 0;
            const char *target = wl_field_applies(f, "sm_100a") ? "sm_100a" : "sm_90a";
            const char *more = f == WL_FIELD_head_dim ? "head_dim_min = 8" : "head_dim = 256";
            snprintf(text, sizeof text, "return { target = '%s', %s, %s = %d }", target, more,
                     wl_field_name(f), n);
            cr_assert_eq(parse(text, &s, NULL), fine ? WL_OK : WL_ERR_INPUT, "%s", text);
            snprintf(text, sizeof text, "%d", n);
            if (fine) cr_assert_str_eq(wl_schedule_value(&s, f, number, sizeof number), text);
        }
    }
}

Test(schedule, computed_values_and_libraries) {
    struct wl_schedule s;
    struct wl_error error = {0};
    const char *text = "local s = { tile_n = math.min(128, 96), stages_kv = 6 // 2 * 1.0, name = "
                       "('%s_%d'):format('a', 1) }\n"
                       "local order = ''\n"
                       "for k, v in pairs({ z = 1, b = 2, [3] = 3, [1] = 4, [true] = 5, [2.5] = 6 }) do\n"
                       "  order = order .. tostring(k) .. ' ' end\n"
                       "assert(order == '1 2.5 3 b z true ', order)\n"
                       "assert(tostring({}) == 'table' and #utf8.char(955) == 2)\n"
                       "return s\n";
    cr_assert_eq(parse(text, &s, &error), WL_OK, "%s", error.text);
    cr_expect(s.tile_n == 96 && s.stages_kv == 3);
    cr_expect_str_eq(s.name, "a_1");
}

/* ---- key=value ---- */

static enum wl_status override(const char *text, struct wl_schedule *s, char *line, size_t bytes) {
    struct wl_error error = {0};
    enum wl_status status = wl_schedule_parse(s, "return {\n tile_n = 64 }", 23, "x.lua", &text, 1, &error);
    wl_error_format(&error, line, bytes);
    return status;
}

static const struct {
    const char *text, *message; /* NULL: fine */
} override_rows[] = {
    {"tile_n=96", NULL},
    {"exp2_share=0.5", NULL},
    {"exp2_share=1e-1", NULL},
    {"dtype=fp16", NULL},
    {"causal=true", NULL},
    {"name=mine", NULL},
    {"regs_other=300", "regs_other=300: 300 is not allowed: 24 to 256 in steps of 8"},
    {"regs_other=", "regs_other=: must be an integer (24 to 256 in steps of 8), is \"\""},
    {"regs_other=64x", "regs_other=64x: must be an integer (24 to 256 in steps of 8), is \"64x\""},
    {"regs_other= 64", "regs_other= 64: must be an integer (24 to 256 in steps of 8), is \" 64\""},
    {"tile_n", "tile_n: an override of a schedule's field reads key=value"},
    {"=4", "=4: an override of a schedule's field reads key=value"},
    {"", "an override of a schedule's field reads key=value"},
    {"tiles_n=4", "tiles_n=4: unknown field, did you mean tile_n?"},
    {"causal=yes", "causal=yes: must be true or false, is \"yes\""},
    {"exp2_share=nan", "exp2_share=nan: nan is not allowed: 0 to 1"},
    {"exp2_share=inf", "exp2_share=inf: inf is not allowed: 0 to 1"},
    {"dtype=fp8", "dtype=fp8: \"fp8\" is not allowed: bf16 or fp16"},
};

Test(schedule, overrides) {
    for (size_t i = 0; i < WL_LEN(override_rows); i++) {
        struct wl_schedule s;
        char line[4000];
        enum wl_status status = override(override_rows[i].text, &s, line, sizeof line);
        if (override_rows[i].message)
            cr_expect_str_eq(line, override_rows[i].message, "%s\nnot: %s", line, override_rows[i].message);
        cr_expect_eq(status, override_rows[i].message ? WL_ERR_INPUT : WL_OK, "%s: %s", override_rows[i].text,
                     line);
    }
    struct wl_schedule s;
    char line[300];
    override("tile_n=96", &s, line, sizeof line);
    cr_expect(s.tile_n == 96 && s.line[WL_FIELD_tile_n] == -1);
    cr_expect_str_eq(wl_schedule_origin(&s, WL_FIELD_tile_n, line, sizeof line), "key=value");
}

/* ---- files ---- */

static void write_file(const char *path, const char *text) {
    FILE *file = fopen(path, "w");
    cr_assert(file, "%s", path);
    fputs(text, file);
    fclose(file);
}

Test(schedule, files_and_includes) {
    char folder[] = "/tmp/warploom_schedule_XXXXXX", a[64], b[64], line[400];
    cr_assert(mkdtemp(folder));
    snprintf(a, sizeof a, "%s/2-a.lua", folder);
    snprintf(b, sizeof b, "%s/base.lua", folder);
    write_file(a, "local s = include 'base.lua'\ns.tile_n = 64\nreturn s\n");
    write_file(b, "return {\n  stages_kv = 4,\n  tile_n = 96,\n}\n");
    struct wl_schedule s;
    struct wl_error error = {0};
    cr_assert_eq(wl_schedule_load(&s, a, NULL, 0, &error), WL_OK, "%s", error.text);
    cr_expect_str_eq(s.name, "_2_a");
    cr_expect(s.tile_n == 64 && s.stages_kv == 4);
    cr_expect_eq(s.line[WL_FIELD_tile_n], 2);
    cr_expect_str_eq(wl_schedule_file(&s, WL_FIELD_tile_n), a);
    cr_expect_eq(s.line[WL_FIELD_stages_kv], 2);
    cr_expect_str_eq(wl_schedule_file(&s, WL_FIELD_stages_kv), b);
    wl_schedule_origin(&s, WL_FIELD_stages_kv, line, sizeof line);
    cr_expect(strstr(line, "/base.lua:2"));

    write_file(b, "return {\n  stages_kv = 400 }\n");
    wl_schedule_load(&s, a, NULL, 0, &error);
    wl_error_format(&error, line, sizeof line);
    cr_expect(strstr(line, "/base.lua:2: stages_kv: 400 is not allowed"), "%s", line);

    write_file(b, "\nlocal x = nil + 1\n");
    error = (struct wl_error){0};
    wl_schedule_load(&s, a, NULL, 0, &error);
    wl_error_format(&error, line, sizeof line);
    cr_expect(strstr(line, "/base.lua:2: attempt") && strstr(line, "/2-a.lua:1)"), "%s", line);

    write_file(b, "return include 'base.lua'");
    error = (struct wl_error){0};
    cr_expect_eq(wl_schedule_load(&s, a, NULL, 0, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "more than 4 includes (a circle?)"), "%s", error.text);

    chmod(b, 0);
    error = (struct wl_error){0};
    if (geteuid() != 0) cr_expect_eq(wl_schedule_load(&s, b, NULL, 0, &error), WL_ERR_INPUT);
    error = (struct wl_error){0};
    cr_expect_eq(wl_schedule_load(&s, folder, NULL, 0, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.text, "is a folder, not a schedule");
    error = (struct wl_error){0};
    cr_expect_eq(wl_schedule_load(&s, "/dev/zero", NULL, 0, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.text, "is a device, not a schedule");
    truncate(a, 2 << 20);
    error = (struct wl_error){0};
    cr_expect_eq(wl_schedule_load(&s, a, NULL, 0, &error), WL_ERR_INPUT);
    cr_expect_str_eq(error.text, "has 2097152 bytes; a schedule may have 1048576");
    unlink(a);
    unlink(b);
    rmdir(folder);
}

Test(schedule, shipped_ones) {
    struct wl_schedule s;
    for (const struct wl_embedded *file = wl_embedded_files; file->name; file++) {
        struct wl_error error = {0};
        char name[128], line[4000];
        if (strncmp(file->name, "schedules/", 10) != 0) continue;
        snprintf(name, sizeof name, "%s", file->name + 10);
        for (int with_suffix = 1; with_suffix >= 0; with_suffix--) {
            if (!with_suffix) name[strlen(name) - 4] = '\0';
            cr_expect_eq(wl_schedule_load(&s, name, NULL, 0, &error), WL_OK, "%s",
                         wl_error_format(&error, line, 4000));
        }
        cr_expect_str_eq(s.name, name);
        cr_expect(strncmp(s.source, "embedded:", 9) == 0);
    }
    struct wl_error error = {0};
    cr_expect_eq(wl_schedule_load(&s, "sm100_fwd_hd1288", NULL, 0, &error), WL_ERR_INPUT);
    cr_expect(strstr(error.text, "no such file, and no shipped schedule has that name (sm100_"), "%s",
              error.text);
    error = (struct wl_error){0};
    cr_expect_eq(wl_schedule_load(&s, "nowhere/../x.lua", NULL, 0, &error), WL_ERR_INPUT);
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

/* Lua collects and tries again, so a single failure may do no harm; else it is told as what it is. */
Test(schedule, each_allocation_may_fail) {
    wl_set_realloc(failing_realloc);
    for (failing_one = 1;; failing_one++) {
        struct wl_schedule s;
        struct wl_error error = {0};
        allocations = 0;
        enum wl_status status =
            parse("local t = {} for i = 1, 20 do t[i] = i .. '' end return { tile_n = 64 }", &s, &error);
        cr_expect(status == WL_ERR_NO_MEMORY || (status == WL_OK && s.tile_n == 64), "allocation %d: %d %s",
                  failing_one, status, error.text);
        if (allocations < failing_one) break;
    }
    cr_expect(failing_one > 100);
    wl_set_realloc(NULL);
}

Test(schedule, unknown_words_are_listed) {
    struct wl_schedule s;
    struct wl_error error = {0};
    parse("return {\n quux = 1 }", &s, &error);
    cr_expect(strstr(error.text, "unknown field; there are name, target, pass, head_dim, "), "%s",
              error.text);
    cr_expect(strstr(error.text, "scheduler"));
}
