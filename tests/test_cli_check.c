/* warploom check: what it says of a kernel that is right, of one that is not, of arguments that do not fit, and of
 * what a program launches. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[256]; /* this test's own */

#define HEAD ".version 8.0\n.target sm_90\n.address_size 64\n"
#define SHIFT(barrier)                                                                                       \
    HEAD ".visible .entry shift(.param .u64 .ptr .global out, .param .u32 n) .reqntid 64 {\n"                 \
         "  .shared .align 4 .b8 s[256]; .reg .b64 %a, %b; .reg .b32 %t, %u, %x, %n;\n"                       \
         "  mov.u32 %t, %tid.x; mov.u32 %u, s; shl.b32 %x, %t, 2; add.u32 %u, %u, %x;\n"                      \
         "  st.shared.u32 [%u], %t;\n" barrier "  xor.b32 %x, %x, 128; mov.u32 %u, s; add.u32 %u, %u, %x;\n" \
         "  ld.shared.u32 %n, [%u];\n"                                                                       \
         "  ld.param.u64 %a, [out]; mul.wide.u32 %b, %t, 4; add.u64 %a, %a, %b; st.global.u32 [%a], %n; ret; }\n"

static const struct kernel {
    const char *name, *ptx;
} kernels[] = {
    {"fine.ptx", SHIFT("  bar.sync 0;\n")},
    {"race.ptx", SHIFT("")},
    {"two.ptx", HEAD "// .entry not_this\n.visible .entry a() { ret; }\n.visible .entry b(.param .f32 x) { ret; }\n"},
    {"odd.ptx", HEAD ".visible .entry k() { foo.bar; ret; }\n"},
    {"empty.ptx", "hello\n"},
    {"hang.ptx", HEAD ".visible .entry k() { L: bra L; }\n"},
    {"wait.ptx", HEAD ".visible .entry k() .reqntid 64 { .reg .b32 %t; .reg .pred %p; mov.u32 %t, %tid.x;\n"
                      "  setp.lt.u32 %p, %t, 32; @%p bra L; ret; L: bar.sync 1, 64; ret; }\n"},
    {"phase.ptx", HEAD ".visible .entry k() .reqntid 64 {\n"
                       "  .shared .align 8 .b64 b; .reg .b32 %t, %a, %w; .reg .b64 %s; .reg .pred %p, %q;\n"
                       "  mov.u32 %t, %tid.x; mov.u32 %a, b; and.b32 %w, %t, 31; setp.ne.u32 %q, %t, 0; @%q bra A;\n"
                       "  mbarrier.init.shared.b64 [%a], 2;\nA: bar.sync 0; setp.ne.u32 %p, %w, 0; @%p ret;\n"
                       "  mbarrier.arrive.shared.b64 %s, [%a];\n"
                       "W: mbarrier.try_wait.parity.shared.b64 %p, [%a], 0; @!%p bra W; @%q ret;\n"
                       "  mbarrier.arrive.shared.b64 %s, [%a];\n"
                       "V: mbarrier.try_wait.parity.shared.b64 %p, [%a], 1; @!%p bra V; ret; }\n"},
    {"map.ptx", HEAD ".visible .entry k(.param .align 64 .b8 m[128], .param .u64 out, .param .f64 d, .param .align 4 .b8 s[8]) {\n"
                     "  .reg .b64 %a, %m; .reg .f64 %d; .reg .b32 %x; ld.param.u64 %a, [out]; ld.param.f64 %d, [d];\n"
                     "  mov.b64 %m, m; prefetch.param.tensormap [%m]; ld.param.u32 %x, [s+4]; st.global.f64 [%a], %d;\n"
                     "  st.global.u32 [%a+8], %x; ret; }\n"},
};

/* The program beside the folder of the tests: build/tests/all -> build/warploom. */
static void program(char *out, size_t room) {
    ssize_t length = readlink("/proc/self/exe", out, room - 32);
    cr_assert(length > 0);
    out[length] = 0;
    strcpy(strrchr(out, '/'), "/../warploom");
}

static void set_up(void) {
    char path[512];
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-check.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    for (size_t i = 0; i < WL_LEN(kernels); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, kernels[i].name);
        FILE *file = fopen(path, "w");
        cr_assert(file && fputs(kernels[i].ptx, file) >= 0 && !fclose(file));
    }
}

static void tear_down(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static int warploom(const char *arguments, char *out, size_t room) { /* both streams */
    char binary[512], command[2048];
    program(binary, sizeof binary);
    snprintf(command, sizeof command, "cd '%s' && '%s' check %s 2>&1", folder, binary, arguments);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe);
    size_t length = fread(out, 1, room - 1, pipe);
    out[length] = 0;
    while (fgetc(pipe) != EOF) {}
    int state = pclose(pipe);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

/* clang-format off */
static const struct row {
    const char *arguments; int exit_code; const char *text, *and_text;
} rows[] = {
    {"--help",                                                  0, "--arg SPEC", "--cluster"},
    {"",                                                        2, "check needs more", ""},
    {"fine.ptx --arg u32[64] --arg u32=1",                      0, "entry shift, sm_90, grid 1,1,1, block 64,1,1, level error", "random:1             clean"},
    {"race.ptx --arg u32[64] --arg u32=1",                      1, "error [race]", "check   NOT CLEAN"},
    {"race.ptx --arg u32[64] --arg u32=1 --order late,eager",   1, " s, the same as late\n  check", "error [race]"},
    {"wait.ptx --order eager,late",                             1, " s, the same as eager\n  check", ", order eager"},
    {"race.ptx --arg u32[64] --arg u32=1 --order late --json",  1, "\"clean\": false", "[race]"},
    {"fine.ptx --arg u32[63] --arg u32=1 --order eager",        1, "0 bytes past the end of the 252-byte allocation", "eager                NOT CLEAN"},
    {"race.ptx --list",                                         0, ".param .u64 .ptr .global out", "--arg u32=1"},
    {"fine.ptx",                                                2, "entry shift has 2 parameters, 0 are given; the next is \".param .u64 .ptr .global out\"", "--list"},
    {"fine.ptx --arg u32[64] --arg u32=1 --arg u32=2",          2, "has 2 parameters, 3 are given", ""},
    {"fine.ptx --arg u32[64]",                                  2, "the next is \".param .u32 n\": --arg u32=1", ""},
    {"fine.ptx --arg u32[64] --arg f64=1",                      2, "\"f64=1\" has 8 bytes; the parameter has 4", ""},
    {"fine.ptx --arg u32[64] --arg u32=abc",                    2, "\"abc\" is no u32", ""},
    {"fine.ptx --arg u32[64] --arg u32=4294967296",             2, "is no u32", ""},
    {"fine.ptx --arg q32[64] --arg u32=1",                      2, "is none of f32[1024]=random", ""},
    {"fine.ptx --arg u32[64]=zeros --arg u32=1",                2, "none of zero, iota, random", ""},
    {"fine.ptx --arg u32[] --arg u32=1",                        2, "a buffer is TYPE[COUNT]", ""},
    {"fine.ptx --arg u32[0] --arg u32=1",                       2, "1 to ", ""},
    {"fine.ptx --arg u32[64] --arg u32=1 --block 65",           2, "the launch is refused", "block 65,1,1"},
    {"fine.ptx --arg u32[64] --arg u32=1 --grid 2,x",           2, "--grid: \"", ""},
    {"fine.ptx --arg u32[64] --arg u32=1 --order soon",         2, "\"soon\" is none of eager, late, random:SEED", ""},
    {"fine.ptx --arg u32[64] --arg u32=1 --level high",         2, "\"high\" is none of error, strict", ""},
    {"fine.ptx other.ptx",                                      2, "check does not take \"other.ptx\"", ""},
    {"two.ptx",                                                 2, "--entry: is missing: two.ptx has a, b", ""},
    {"two.ptx --entry c",                                       2, "has no entry \"c\"; it has a, b", ""},
    {"two.ptx --entry a",                                       0, "entry a, sm_90, grid 1,1,1, block 128,1,1", "clean"},
    {"two.ptx --entry b --arg f32=1.5 --level strict",          0, "level strict", "clean"},
    {"odd.ptx",                                                 2, "odd.ptx:4: ", "foo"},
    {"empty.ptx",                                               2, "there is no .entry in it", ""},
    {"nowhere.ptx",                                             2, "nowhere.ptx: cannot open", ""},
    {"hang.ptx --timeout 0.1 --order eager",                    1, "not done after 100 ms", "runs"},
    {"wait.ptx --order eager",                                  1, "deadlock: nothing can move", "waits at barrier 1: 32 of 64 threads have arrived; ended: warp 1"},
    {"phase.ptx --order late",                                  1, "in it have arrived CTA 0 warp 0 (mbarrier.arrive", "not yet in it, but in an earlier one: CTA 0 warp 1 (mbarrier.arrive"},
    {"map.ptx --arg map:bf16[64,128]:box=64,64:swizzle=128 --arg u8[64] --arg f64=2.5 --arg hex:0102030405060708", 0, "clean", ""},
    {"map.ptx --arg map:bf16[64,128]:box=64 --arg u8[64] --arg f64=2.5 --arg hex:0102030405060708", 2, "as many B as D", ""},
    {"map.ptx --arg map:bf16[63,128]:box=63,64 --arg u8[64] --arg f64=2.5 --arg hex:0102030405060708", 2, "map:bf16[63,128]", "16"},
    {"map.ptx --arg map:bf16[64,128]:box=64,64 --arg u8[64] --arg f64=2.5 --arg hex:01", 2, "16 hexadecimal digits", ""},
    {"sm100_fwd_hd64 --order late --level strict -- --seq-q 130 --heads 1", 0, "sm100_fwd_hd64, level strict", "late                 clean"},
    {"sm100_fwd_hd12",                                          2, "no shipped schedule has that name", ""},
    {"sm100_fwd_hd64 -- --sqe-q 1",                             2, "did you mean --seq-q?", ""},
    {"-- true",                                                 3, "true launched no kernel on the emulated device", ""},
    {"-- /nowhere/program",                                     3, "/nowhere/program: No such file", "launched no kernel"},
    {"--",                                                      2, "names no program", ""},
};
/* clang-format on */

ParameterizedTestParameters(cli_check, says) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, cli_check, says, .init = set_up, .fini = tear_down) {
    static char out[1 << 18];
    const struct row *row = &rows[*i];
    int code = warploom(row->arguments, out, sizeof out);
    cr_expect_eq(code, row->exit_code, "warploom check %s: exit code %d, %d is right: %.800s", row->arguments, code,
                 row->exit_code, out);
    cr_expect(strstr(out, row->text), "warploom check %s: lacks \"%s\": %.800s", row->arguments, row->text, out);
    cr_expect(strstr(out, row->and_text), "warploom check %s: lacks \"%s\": %.800s", row->arguments, row->and_text, out);
}

Test(cli_check, timeout_of_the_environment, .init = set_up, .fini = tear_down) {
    static char out[1 << 16];
    setenv("WARPLOOM_EMU_TIMEOUT", "0.1", 1);
    cr_expect_eq(warploom("hang.ptx --order eager", out, sizeof out), 1);
    cr_expect(strstr(out, "not done after 100 ms"), "%s", out);
    cr_expect_eq(warploom("hang.ptx --order eager --timeout 0.2", out, sizeof out), 1);
    cr_expect(strstr(out, "not done after 200 ms"), "%s", out);
}

/* A program that loads libcuda.so.1 by its name and launches the kernel of argv[1] once. */
static const char launcher[] =
    "#include <dlfcn.h>\n#include <stdio.h>\n"
    "int main(int n, char **v) {\n"
    "  static char ptx[8192]; void *l = dlopen(\"libcuda.so.1\", RTLD_NOW), *c, *m, *f; unsigned long long p; unsigned k = 1;\n"
    "  if (!l || n < 2) return 9;\n"
    "#define F(name) int (*name)() = (int (*)())dlsym(l, #name)\n"
    "  F(cuInit); F(cuCtxCreate_v2); F(cuModuleLoadData); F(cuModuleGetFunction); F(cuMemAlloc_v2); F(cuLaunchKernel);\n"
    "  fread(ptx, 1, sizeof ptx - 1, fopen(v[1], \"r\")); void *a[] = {&p, &k};\n"
    "  if (cuInit(0) || cuCtxCreate_v2(&c, 0, 0) || cuModuleLoadData(&m, ptx) || cuModuleGetFunction(&f, m, \"shift\")) return 8;\n"
    "  cuMemAlloc_v2(&p, (unsigned long)256); cuLaunchKernel(f, 1, 1, 1, 64, 1, 1, 0, (void *)0, a, (void *)0); puts(\"launched\"); return 0; }\n";

#ifdef WL_SANITIZE
#define LAUNCHER_FLAGS "-fsanitize=address" /* as the libcuda.so.1 that it loads */
#else
#define LAUNCHER_FLAGS ""
#endif

Test(cli_check, programs, .init = set_up, .fini = tear_down) {
    static char out[1 << 16];
    char command[1024], path[512];
    snprintf(path, sizeof path, "%s/launch.c", folder);
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs(launcher, file) >= 0 && !fclose(file));
    snprintf(command, sizeof command, "cd '%s' && ${CC:-cc} -w " LAUNCHER_FLAGS " -o launch launch.c -ldl", folder);
    cr_assert_eq(system(command), 0);
    int code = warploom("--order eager,late -- ./launch fine.ptx", out, sizeof out);
    cr_expect_eq(code, 0, "%d: %s", code, out);
    cr_expect(strstr(out, "launched"), "%s", out);
    cr_expect(strstr(out, "check   clean"), "%s", out);
    code = warploom("--order eager -- ./launch race.ptx", out, sizeof out); /* whatever the program makes of it */
    cr_expect_eq(code, 1, "%d: %s", code, out);
    cr_expect(strstr(out, "error [race]"), "%s", out);
}
