/* The command line as a user meets it: exit codes, the one line that says what was wrong, no partial output
 * files. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/npy.h"

static char folder[256]; /* this test's own */

/* The program beside the folder of the tests: build/tests/all -> build/warploom. */
static void program(char *out, size_t room) {
    ssize_t length = readlink("/proc/self/exe", out, room - 32);
    cr_assert(length > 0);
    out[length] = 0;
    strcpy(strrchr(out, '/'), "/../warploom");
}

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-cli.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
}

static void tear_down(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

/* Runs `warploom ARGUMENTS` in the test's folder; what it printed on stdout (1) or stderr (2) comes back in
 * out. */
static int warploom(const char *arguments, int stream, char *out, size_t room) {
    char binary[512], command[2048];
    program(binary, sizeof binary);
    snprintf(command, sizeof command, "cd '%s' && '%s' %s %s", folder, binary, arguments,
             stream == 1 ? "2>/dev/null" : "2>&1 >/dev/null");
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
    const char *arguments; int exit_code, stream; const char *text; /* text: a part of what the stream says */
} rows[] = {
    {"",                                            2, 1, "warploom COMMAND"},
    {"--help",                                      0, 1, "warploom COMMAND"},
    {"--version",                                   0, 1, "warploom 0."},
    {"emti",                                        2, 2, "no command \"emti\"; did you mean \"emit\"?"},
    {"frobnicate",                                  2, 2, "see warploom --help"},
    {"emit --help",                                 0, 1, "--cubin"},
    {"run --help",                                  0, 1, "--kv-heads N"},
    {"explain -h",                                  0, 1, "--svg"},
    {"list --help",                                 0, 1, "--json"},
    {"list",                                        0, 1, "sm100_fwd_hd128"},
    {"list --json",                                 0, 1, "\"schedule\": \"sm100_fwd_hd64\""},
    {"list x",                                      2, 2, "list does not take \"x\""},
    {"emit",                                        2, 2, "emit needs a SCHEDULE"},
    {"emit sm100_fwd_hd128 --cubni",                2, 2, "has no option --cubni; did you mean --cubin?"},
    {"emit sm100_fwd_hd128 --cubin",                2, 2, "--cubin: needs -o FILE"},
    {"emit sm100_fwd_hd128 --json=1",               2, 2, "--json: takes no value"},
    {"emit sm100_fwd_hd128 --head-dim",             2, 2, "--head-dim: needs a value: N"},
    {"emit sm100_fwd_hd128 --head-dim x",           2, 2, "--head-dim: \"x\" is not a whole number"},
    {"emit sm100_fwd_hd128 --head-dim 300",         2, 2, "--head-dim: 300 is out of range; 8 to 256"},
    {"emit sm100_fwd_hd128 --head-dim 100",         2, 2, "multiple of 8"},
    {"emit sm100_fwd_hd128",                        0, 1, ".visible .entry"},
    {"emit sm100_fwd_hd128 causal=true target=sm_103a", 0, 1, ".target sm_103a"},
    {"emit sm100_fwd_hd128 --json",                 0, 1, "\"ptx_hash\": \""},
    {"emit sm100_fwd_hd12",                         2, 2, "sm100_fwd_hd12"},
    {"emit sm100_fwd_hd128 stage_kv=2",             2, 2, "stages_kv"},
    {"emit sm100_fwd_hd128 stages_kv",              2, 2, "stages_kv"},
    {"emit sm100_fwd_hd128 stages_kv=two",          2, 2, "stages_kv"},
    {"emit sm100_fwd_hd128 stages_kv=9",            2, 2, "3 fit"},
    {"emit sm100_fwd_hd128 -o /nowhere/x.ptx",      3, 2, "/nowhere/x.ptx: cannot create"},
    {"explain sm100_fwd_hd128",                     0, 1, "kv_full"},
    {"explain sm100_fwd_hd128 --json",              0, 1, "{"},
    {"explain sm100_fwd_hd128 --svg",               0, 1, "<svg"},
    {"explain sm100_fwd_hd128 --svg --json",        2, 2, "exclude each other"},
};
/* clang-format on */

ParameterizedTestParameters(cli, says) { return wl_test_rows(WL_LEN(rows)); }
ParameterizedTest(size_t *i, cli, says, .init = set_up, .fini = tear_down) {
    static char out[1 << 20];
    const struct row *row = &rows[*i];
    int code = warploom(row->arguments, row->stream, out, sizeof out);
    cr_expect_eq(code, row->exit_code, "warploom %s: exit code %d, %d is right", row->arguments, code,
                 row->exit_code);
    cr_expect(strstr(out, row->text), "warploom %s: lacks \"%s\": %.500s", row->arguments, row->text, out);
    if (row->stream == 2) {
        char *end = strchr(out, '\n');
        cr_expect(end && !end[1], "warploom %s: one line, not: %s", row->arguments, out);
    }
}

static bool folder_is_empty(void) { return rmdir(folder) == 0 && mkdir(folder, 0700) == 0; }

Test(cli, emit_writes_all_or_nothing, .init = set_up, .fini = tear_down) {
    static char ptx[1 << 20], file[1 << 20], out[4096];
    char path[512];
    cr_expect_eq(warploom("emit sm100_fwd_hd64 stages_kv=99 -o a.ptx", 2, out, sizeof out), 2);
    cr_expect(folder_is_empty(), "a refused schedule leaves nothing");
    cr_assert_eq(warploom("emit sm100_fwd_hd64", 1, ptx, sizeof ptx), 0);
    cr_assert_eq(warploom("emit sm100_fwd_hd64 -o a.ptx", 1, out, sizeof out), 0);
    cr_expect(strstr(out, "wrote   a.ptx"), "%s", out);
    snprintf(path, sizeof path, "%s/a.ptx", folder);
    FILE *stream = fopen(path, "rb");
    cr_assert(stream);
    file[fread(file, 1, sizeof file - 1, stream)] = 0;
    fclose(stream);
    cr_expect(!strcmp(ptx, file), "-o and standard output say the same");
}
