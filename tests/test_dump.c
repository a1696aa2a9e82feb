/* WARPLOOM_DUMP: files named by cache key, what is asked for and no more; no harm where they cannot be
 * written. */
#include "tests/test.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gen/arena.h"
#include "gen/file.h"
#include "runtime/warploom.h"
#include "tests/attend.h"

static char folder[200], dump[256];

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-dump.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    snprintf(dump, sizeof dump, "%s/d", folder);
    setenv("WARPLOOM_CACHE_DIR", folder, 1);
    setenv("WARPLOOM_DUMP_DIR", dump, 1);
    setenv("WARPLOOM_DEVICE", "emu", 1);
}

static void tear_down(void) {
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    cr_expect_eq(system(command), 0);
}

static int lines;
static char last[1024];
static void listen(void *user, enum wl_log_level level, const char *line) {
    (void)user;
    if (level <= WL_LOG_WARN) lines++, snprintf(last, sizeof last, "%s", line);
}

/* Specialises, launches twice, and gives the kernel's key and PTX. */
static void run(char key[33], char **ptx) {
    static const struct wl_attention small = {
        .batch = 1, .heads = 2, .heads_kv = 1, .seqlen_q = 20, .seqlen_k = 30, .head_dim = 64};
    struct wl_runtime *runtime;
    struct wl_error error = {0};
    struct attend a;
    struct wl_kernel_report info;
    const struct wl_kernel *kernel;
    const struct wl_problem problem = {64, WL_BF16, false, NULL};
    cr_assert_eq(wl_open(&runtime, &(struct wl_options){.log = listen}, &error), WL_OK, "%s", error.text);
    attend_upload(&a, runtime, &small);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(wl_attention_forward(runtime, &a.problem, NULL, &error), WL_OK, "%s", error.text);
    attend_expect_right(&a, runtime, "dumped");
    attend_release(&a, runtime);
    cr_assert_eq(wl_specialize(runtime, &problem, &kernel, &error), WL_OK);
    wl_kernel_info(kernel, &info);
    memcpy(key, info.key, 33);
    *ptx = strdup(info.ptx);
    wl_close(runtime);
}

static char *read_dump(const char *key, const char *suffix) {
    char path[400], *bytes;
    size_t size;
    struct wl_error error = {0};
    snprintf(path, sizeof path, "%s/%s.%s", dump, key, suffix);
    cr_assert_eq(wl_file_read(path, &bytes, &size, &error), WL_OK, "%s", error.text);
    return bytes;
}

static int count_files(void) {
    DIR *dir = opendir(dump);
    int count = -2;
    if (!dir) return 0;
    while (readdir(dir)) count++;
    closedir(dir);
    return count;
}

static int count_of(const char *text, const char *word) {
    int count = 0;
    for (; (text = strstr(text, word)); text++) count++;
    return count;
}

Test(dump, all_stages, .init = set_up, .fini = tear_down) {
    char key[33], *ptx;
    setenv("WARPLOOM_DUMP", "plan,ptx,cubin,cache,trace", 1);
    for (int round = 0; round < 2; round++) {
        run(key, &ptx);
        char *plan = read_dump(key, "plan.txt"), *text = read_dump(key, "ptx"),
             *cache = read_dump(key, "cache.txt"), *trace = read_dump(key, "trace.txt");
        cr_expect_str_eq(text, ptx);
        cr_expect(!strncmp(ptx, plan, strlen(plan)) && strstr(plan, "// shared memory") &&
                  !strstr(plan, ".version"));
        cr_expect(strstr(cache, key) && strstr(cache, round ? "from       disk" : "from       built"), "%s",
                  cache);
        cr_expect_eq(count_of(trace, "\n"), 2 * (round + 1), "%s", trace);
        cr_expect(strstr(trace, "grid 2, threads 512") && strstr(trace, "batch 1, heads 2/1, seq 20 x 30"),
                  "%s", trace);
        cr_expect_eq(count_files(), 4, "the emulated device has no cubin");
        wl_free(plan), wl_free(text), wl_free(cache), wl_free(trace);
        free(ptx);
    }
}

Test(dump, what_is_asked_for, .init = set_up, .fini = tear_down) {
    static const struct {
        const char *wanted;
        int files;
    } rows[] = {{"", 0}, {"cubin", 0}, {"ptx", 1}, {"trace,plan", 2}, {"all", 4}};
    char key[33], command[300], *ptx;
    snprintf(command, sizeof command, "rm -rf '%s'", dump);
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        cr_assert_eq(system(command), 0);
        setenv("WARPLOOM_DUMP", rows[i].wanted, 1);
        run(key, &ptx);
        cr_expect_eq(count_files(), rows[i].files, "%s", rows[i].wanted);
        free(ptx);
    }
}

Test(dump, words_that_are_none, .init = set_up, .fini = tear_down) {
    static const char *const rows[] = {"frob", "ptx,", "ptx,,plan", "ptx plan", ",", "PTX"};
    for (size_t i = 0; i < WL_LEN(rows); i++) {
        struct wl_runtime *runtime;
        struct wl_error error = {0};
        setenv("WARPLOOM_DUMP", rows[i], 1);
        enum wl_status status = wl_open(&runtime, NULL, &error);
        if (!strcmp(rows[i], "ptx,")) { /* a last comma does no harm */
            cr_expect_eq(status, WL_OK, "%s", error.text);
            wl_close(runtime);
            continue;
        }
        cr_expect_eq(status, WL_ERR_USAGE, "%s", rows[i]);
        cr_expect(strstr(error.text, "must be plan, ptx, cubin, cache, trace"), "%s", error.text);
    }
}

/* The kernel matters, the dump does not. */
Test(dump, a_folder_that_cannot_be, .init = set_up, .fini = tear_down) {
    char key[33], *ptx;
    FILE *file = fopen(dump, "w");
    cr_assert(file && !fclose(file));
    setenv("WARPLOOM_DUMP", "all", 1);
    run(key, &ptx);
    cr_expect_eq(lines, 1);
    cr_expect(strstr(last, "dump ") && strstr(last, "Not a directory"), "%s", last);
    free(ptx);
}
