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
    {"which --target sm_100a --head-dim 128",       0, 1, "embedded:sm100_fwd_full_hd128.lua            taken"},
    {"which --target sm_100a --head-dim 128 --causal", 0, 1, "embedded:sm100_fwd_full_hd128.lua            serves full attention"},
    {"which --target sm_100a --head-dim 128 --causal", 0, 1, "embedded:sm100_fwd_hd128.lua                 taken"},
    {"emit sm100_fwd_full_hd128 causal=true",       2, 2, "causal: true is not what schedule sm100_fwd_full_hd128 serves"},
    {"which --target sm_90a --head-dim 128",        0, 1, "embedded:sm90_fwd_hd128.lua                  taken"},
    {"which --target sm_90a --head-dim 128 --causal", 0, 1, "embedded:sm90_fwd_hd128.lua                  taken"},
    {"which --target sm_90a --head-dim 80",         0, 1, "embedded:sm90_fwd_hd96.lua                   taken"},
    {"which --target sm_103a --head-dim 32 --json", 0, 1, "\"schedule\": \"embedded:sm100_fwd_hd64.lua\""},
    {"which --target sm_100a --head-dim 512",       2, 2, "no schedule serves head dimension 512 on sm_100a"},
    {"which --target sm_100a --head-dim 192 --head-dim-v 128", 0, 1, "embedded:sm100_fwd_hd192.lua                 taken"},
    {"which --target sm_90a --head-dim 192 --head-dim-v 128", 2, 2, "serves V and O of the head dimension of Q and K"},
    {"run sm90_fwd_hd192 --head-dim-v 128",         2, 2, "head_dim_v: 128 is not head_dim, 192: schedule sm90_fwd_hd192 serves V and O of the same only"},
    {"emit sm100_fwd_hd192 --head-dim 160 --head-dim-v 96", 0, 1, "d160v96_full"},
    {"run sm100_fwd_hd192 --head-dim-v 136",        2, 2, "136 is outside what schedule sm100_fwd_hd192 serves: 8 to 128"},
    {"which --target sm_20",                        2, 2, "\"sm_20\": kernels are made for sm_100a,"},
    {"which --device emu",                          0, 1, "key "},
    {"cache",                                       2, 2, "cache needs more: warploom cache list|show"},
    {"cache lst",                                   2, 2, "did you mean cache list"},
    {"cache show",                                  2, 2, "takes a KEY"},
    {"cache path --dir nowhere/x",                  0, 1, "nowhere/x"},
    {"cache list --dir c",                          0, 1, "0 kernels, 0 B in c"},
    {"cache show 12 --dir c",                       2, 2, "no key begins with 12"},
    {"cache verify --dir c",                        0, 1, "0 kernels, 0 wrong"},
    {"cache prune --dir c --bytes 1",               0, 1, "0 files removed"},
    {"cache clear --dir c --json",                  0, 1, "0 kernels removed"},
    {"emit sm100_fwd_hd64 --c-header",              2, 2, "--c-header: needs -o FILE"},
    {"emit sm100_fwd_hd64 --fatbin",                2, 2, "--fatbin: needs -o FILE"},
    {"emit sm100_fwd_hd64 --fatbin --cubin -o x",   2, 2, "--fatbin: holds the cubin too"},
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
    {"explain sm100_fwd_hd128 --svg --device emu",  2, 2, "exclude each other"},
    {"explain sm90_fwd_hd128 --device emu",         0, 1, "says nothing about a GPU"},
    {"explain sm90_fwd_hd128 --device emu --json",  0, 1, "\"bound_ms\""},
    {"explain sm90_fwd_hd128 --device emu --heads 4 --kv-heads 3", 2, 2, "must divide"},
    {"explain sm90_fwd_hd128 --device tpu",         2, 2, "tpu"},
    {"run sm100_fwd_hd128 --batch 0",               2, 2, "--batch: 0 is out of range; 1 to 2147483647"},
    {"run sm100_fwd_hd128 --seq-q -5",              2, 2, "--seq-q: -5 is out of range"},
    {"run sm100_fwd_hd128 --seq-k 99999999999999999999", 2, 2, "--seq-k: 99999999999999999999 is out of range"},
    {"run sm100_fwd_hd128 --heads 6 --kv-heads 4",  2, 2, "must divide heads, which is 6"},
    {"run sm100_fwd_hd128 --batch 2147483647 --heads 2147483647 --seq-q 2147483647", 2, 2, "does not fit in 64 bits"},
    {"run sm100_fwd_hd128 --head-dim 40",           2, 2, "104 to 128"},
    {"run sm100_fwd_hd128 --scale nan",             2, 2, "--scale: \"nan\" is not a number"},
    {"run sm100_fwd_hd128 --dtype fp32",            2, 2, "--dtype: \"fp32\" is none of bf16|fp16"},
    {"run sm100_fwd_hd128 --order sometimes",       2, 2, "none of eager, late, random:SEED"},
    {"run sm100_fwd_hd128 --device frob",           2, 2, "frob"},
    {"run sm100_fwd_hd128 --device cuda:77",        3, 2, ""},
    {"run sm100_fwd_hd128 --q a.npy",               2, 2, "--k: is missing"},
    {"run sm100_fwd_hd128 --q a.npy --k a.npy --v a.npy", 2, 2, "a.npy: cannot open: No such file"},
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

static void make_tensor(const char *name, const int64_t shape[4], float first) {
    char path[512];
    static float data[4096];
    size_t count = (size_t)(shape[0] * shape[1] * shape[2] * shape[3]);
    cr_assert_leq(count, WL_LEN(data));
    for (size_t i = 0; i < count; i++) data[i] = first + (float)(i * 37 % 101) / 101.0f;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(wl_npy_write(path, WL_NPY_F32, 4, shape, data, NULL), WL_OK);
}

static void read_tensor(const char *name, struct wl_npy *array) {
    char path[512];
    struct wl_error error = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    cr_assert_eq(wl_npy_read(array, path, &error), WL_OK, "%s", error.text);
}

Test(cli, run_takes_and_writes_npy, .init = set_up, .fini = tear_down) {
    static const int64_t q[4] = {1, 5, 4, 40}, kv[4] = {1, 7, 2, 40}, other[4] = {1, 7, 3, 40},
                         lse[3] = {1, 4, 5};
    static char out[1 << 16];
    struct wl_npy array;
    make_tensor("q.npy", q, -0.5f);
    make_tensor("k.npy", kv, -0.25f);
    make_tensor("v.npy", kv, 0.5f);
    make_tensor("w.npy", other, 0.5f);
    cr_expect_eq(warploom("run sm100_fwd_hd64 --q q.npy --k k.npy --v w.npy", 2, out, sizeof out), 2);
    cr_expect(strstr(out, "w.npy: shape: kv_heads is 3 here, 2 elsewhere"), "%s", out);
    cr_expect_eq(warploom("run sm100_fwd_hd64 --batch 2 --q q.npy --k k.npy --v v.npy", 2, out, sizeof out),
                 2);
    cr_expect(strstr(out, "q.npy: shape: batch is 1 here, 2 elsewhere"), "%s", out);
    int code = warploom("run sm100_fwd_hd64 --device emu --causal --q q.npy --k k.npy --v v.npy -o o.npy "
                        "--lse lse.npy --check",
                        1, out, sizeof out);
    cr_assert_eq(code, 0, "exit code %d: %s", code, out);
    cr_expect(strstr(out, "check   right"), "%s", out);
    read_tensor("o.npy", &array);
    cr_expect_arr_eq(array.shape, q, sizeof q);
    /* the last query row sees all keys: a mean of V with positive weights, so within what V holds */
    const float *o = array.data;
    for (int64_t i = array.count - 40; i < array.count; i++)
        cr_expect(o[i] > 0.5f && o[i] < 1.5f, "%g", o[i]);
    wl_npy_fini(&array);
    read_tensor("lse.npy", &array);
    cr_expect_arr_eq(array.shape, lse, sizeof lse);
    wl_npy_fini(&array);
    code =
        warploom("run sm100_fwd_hd64 --device emu --dtype fp16 --q q.npy --k k.npy --v v.npy -o o.npy --json",
                 1, out, sizeof out);
    cr_expect_eq(code, 0);
    cr_expect(strstr(out, "\"checked\": false"), "%s", out);
    read_tensor("o.npy", &array);
    cr_expect_eq(array.type, WL_NPY_F16);
    wl_npy_fini(&array);
}
