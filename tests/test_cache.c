/* The disk cache under everything that can happen to files: each trouble gives a right answer or one clear
 * warning, and never a wrong kernel. */
#include "tests/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gen/arena.h"
#include "runtime/cache.h"
#include "runtime/cache_entry.h"

static char folder[200], inside[256]; /* this test's own; the cache in it */
static int warnings;
static char last[2048];

static void listen(void *user, enum wl_log_level level, const char *line) {
    (void)user;
    if (level > WL_LOG_WARN) return;
    warnings++;
    snprintf(last, sizeof last, "%s", line);
}
static struct wl_log ears = {listen, NULL, WL_LOG_DEBUG};

static void set_up(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/wl-cache.XXXXXX", base ? base : "/tmp");
    cr_assert(mkdtemp(folder));
    snprintf(inside, sizeof inside, "%s/a/b", folder);
}

static void tear_down(void) {
    char command[500];
    snprintf(command, sizeof command, "chmod -R u+w '%s'; rm -rf '%s'", folder, folder);
    cr_expect_eq(system(command), 0);
}

static struct wl_cache *open_cache(uint64_t bytes) {
    struct wl_cache *cache = NULL;
    struct wl_error error = {0};
    cr_assert_eq(wl_cache_open(&cache, inside, bytes, &ears, &error), WL_OK, "%s", error.text);
    return cache;
}

static struct wl_key key_of(int number) {
    struct wl_key key = {{0}};
    memcpy(key.bytes, &number, sizeof number);
    return key;
}

/* A kernel whose bytes follow from its number. */
static void make_image(struct wl_image *image, int number, size_t bytes) {
    *image = (struct wl_image){.ptx_bytes = bytes, .cubin_bytes = 1000};
    image->ptx = malloc(bytes + 1);
    image->cubin = malloc(1000);
    memset(image->ptx, 'a' + number % 26, bytes);
    image->ptx[bytes] = '\0';
    memset(image->cubin, number, 1000);
    snprintf(image->schedule, sizeof image->schedule, "test");
    snprintf(image->launch.entry, sizeof image->launch.entry, "kernel_%d", number);
    snprintf(image->launch.target, sizeof image->launch.target, "sm_100a");
    image->launch.threads = image->launch.cluster = image->launch.rows_per_tile = 1;
}

static void store(struct wl_cache *cache, int number, size_t bytes) {
    struct wl_image image;
    struct wl_key key = key_of(number);
    make_image(&image, number, bytes);
    wl_cache_store(cache, &key, &image);
    wl_image_fini(&image);
}

/* Whether it was found; what was found is right. */
static bool load(struct wl_cache *cache, int number, size_t bytes) {
    struct wl_image image = {0}, wanted;
    struct wl_error error = {0};
    struct wl_key key = key_of(number);
    bool found = false;
    cr_assert_eq(wl_cache_load(cache, &key, &image, &found, &error), WL_OK, "%s", error.text);
    if (!found) return false;
    make_image(&wanted, number, bytes);
    cr_expect_str_eq(image.ptx, wanted.ptx);
    cr_expect(image.cubin_bytes == 1000 && !memcmp(image.cubin, wanted.cubin, 1000));
    cr_expect_eq(memcmp(&image.launch, &wanted.launch, sizeof image.launch), 0);
    wl_image_fini(&wanted);
    wl_image_fini(&image);
    return true;
}

static void path_of(int number, char *out, size_t room) {
    struct wl_key key = key_of(number);
    char text[33];
    wl_key_text(&key, text);
    snprintf(out, room, "%s/%s.wlk", inside, text);
}

static int count_files(const char *part) {
    char command[400], line[32] = "";
    snprintf(command, sizeof command, "ls -A '%s' | grep -c '%s'", inside, part);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe && fgets(line, sizeof line, pipe));
    pclose(pipe);
    return atoi(line);
}

/* ---- what is meant to happen ---- */

Test(cache, what_is_stored_is_loaded, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(1 << 20);
    struct stat info;
    char path[400];
    cr_expect_not(load(cache, 1, 5000));
    store(cache, 1, 5000);
    cr_expect(load(cache, 1, 5000));
    cr_expect_not(load(cache, 2, 5000));
    path_of(1, path, sizeof path);
    cr_assert_eq(stat(path, &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0600);
    cr_assert_eq(stat(inside, &info), 0);
    cr_expect_eq(info.st_mode & 0777, 0700);
    cr_expect_eq(warnings, 0, "%s", last);
    wl_cache_close(cache);
}

/* The least recently used goes; loading is using. */
Test(cache, eviction, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(50000);
    const struct timespec pause = {0, 20000000};
    for (int i = 0; i < 4; i++) store(cache, i, 9000), nanosleep(&pause, NULL);
    cr_expect(load(cache, 0, 9000));
    nanosleep(&pause, NULL);
    store(cache, 4, 9000); /* five are more than 50000 bytes */
    cr_expect(load(cache, 0, 9000) && load(cache, 2, 9000) && load(cache, 3, 9000) && load(cache, 4, 9000));
    cr_expect_not(load(cache, 1, 9000));
    store(cache, 5, 60000);
    cr_expect_not(load(cache, 5, 60000));
    cr_expect(strstr(last, "more than the limit"), "%s", last);
    cr_expect_eq(wl_cache_prune(cache, 1), 4);
    wl_cache_close(cache);
}

static const struct limit {
    const char *text;
    uint64_t bytes; /* 0: refused */
} limits[] = {{"1", 1},  {"4096", 4096}, {"2K", 2048}, {"3M", 3 << 20}, {"1G", 1 << 30},    {"0", 0},
              {"-1", 0}, {"1T", 0},      {"x", 0},     {"1 G", 0},      {"99999999999G", 0}};

Test(cache, limits) {
    for (size_t i = 0; i < WL_LEN(limits); i++) {
        uint64_t bytes = 0;
        setenv("WARPLOOM_CACHE_BYTES", limits[i].text, 1);
        enum wl_status status = wl_cache_limit(0, &bytes, NULL);
        cr_expect_eq(status, limits[i].bytes ? WL_OK : WL_ERR_USAGE, "%s", limits[i].text);
        if (!status) cr_expect_eq(bytes, limits[i].bytes, "%s", limits[i].text);
    }
}

static const struct place {
    const char *given, *own, *xdg, *home, *path; /* path NULL: an error */
} places[] = {
    {"/g", "/o", "/x", "/h", "/g"},
    {NULL, "/o", "/x", "/h", "/o"},
    {NULL, NULL, "/x", "/h", "/x/warploom"},
    {NULL, NULL, NULL, "/h", "/h/.cache/warploom"},
    {NULL, NULL, "relative", "/h", "/h/.cache/warploom"}, /* the XDG specification: to be ignored */
    {NULL, "", "", "", NULL},
    {NULL, NULL, NULL, NULL, NULL},
};

static void set(const char *name, const char *value) { value ? setenv(name, value, 1) : unsetenv(name); }

Test(cache, places) {
    for (size_t i = 0; i < WL_LEN(places); i++) {
        const struct place *p = &places[i];
        char path[64] = "";
        struct wl_error error = {0};
        set("WARPLOOM_CACHE_DIR", p->own), set("XDG_CACHE_HOME", p->xdg), set("HOME", p->home);
        enum wl_status status = wl_cache_path(p->given, path, sizeof path, &error);
        cr_expect_eq(status, p->path ? WL_OK : WL_ERR_ENVIRONMENT, "row %zu", i);
        if (p->path) cr_expect_str_eq(path, p->path, "row %zu", i);
        else cr_expect(strstr(error.text, "nor HOME"), "%s", error.text);
    }
}

/* ---- entries that are not what they should be ---- */

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
    char command[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    cr_assert_eq(system(command), 0, "%s", command);
}

static const struct spoil {
    const char *command; /* on $F, the entry's file, in the test's folder; $K is another entry's */
    const char *warning;
    bool as_root;
} spoils[] = {
    {"truncate -s 0 $F", "cut short", false},
    {"truncate -s 8 $F", "cut short", false},
    {"truncate -s 1200 $F", "cut short", false},
    {"truncate -s -1 $F", "cut short", false},
    {"echo >>$F", "too long", false},
    {"printf X | dd of=$F bs=1 seek=0 conv=notrunc status=none", "no cache entry", false},
    {"printf '\\3' | dd of=$F bs=1 seek=8 conv=notrunc status=none", "has format 3", false},
    {"printf '\\1' | dd of=$F bs=1 seek=40 conv=notrunc status=none", "hash differs", false},
    {"printf '\\1' | dd of=$F bs=1 seek=3000 conv=notrunc status=none", "hash differs", false},
    {"head -c 16 /dev/zero >z; dd if=z of=$F bs=1 seek=$(($(stat -c %s $F) - 16)) conv=notrunc status=none",
     "hash differs", false},
    {"cp $K $F", "another kernel's", false},
    {"chmod 620 $F", "others may write it", false},
    {"chmod 602 $F", "others may write it", false},
    {"mv $F x; ln -s ../../x $F", "symbolic link", false},
    {"rm $F; mkfifo $F", "no regular file", false},
    {"rm $F; mkdir $F", "no regular file", false},
    {"rm $F; ln -s /dev/zero $F", "symbolic link", false},
    {"chown 12345 $F", "belongs to user 12345", true},
};

ParameterizedTestParameters(cache, spoilt) { return wl_test_rows(WL_LEN(spoils)); }
ParameterizedTest(size_t *i, cache, spoilt, .init = set_up, .fini = tear_down) {
    const struct spoil *s = &spoils[*i];
    char path[400], other[400];
    if (s->as_root && geteuid()) cr_skip_test("only root gives files away");
    struct wl_cache *cache = open_cache(1 << 20);
    store(cache, 1, 3000);
    store(cache, 2, 3000);
    path_of(1, path, sizeof path), path_of(2, other, sizeof other);
    setenv("F", path, 1), setenv("K", other, 1);
    shell("cd '%s' && %s", folder, s->command);
    cr_expect_not(load(cache, 1, 3000), "row %zu", *i);
    cr_expect_eq(warnings, 1);
    cr_expect(strstr(last, s->warning), "row %zu: %s", *i, last);
    store(cache, 1, 3000); /* what a build does next */
    if (!strstr(s->command, "mkdir")) cr_expect(load(cache, 1, 3000), "row %zu: %s", *i, last);
    cr_expect_eq(warnings, 1, "a second warning: %s", last);
    wl_cache_close(cache);
}

/* Every bit of a small entry, and every length. */
Test(cache, no_bit_may_change) {
    struct wl_image image, got;
    struct wl_key key = key_of(7);
    size_t size;
    make_image(&image, 7, 100);
    unsigned char *bytes = wl_cache_entry_encode(&key, &image, &size);
    cr_assert_not_null(bytes);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        cr_expect_eq(wl_cache_entry_decode(&got, &key, bytes, size, NULL), WL_ERR_INPUT, "bit %zu", bit);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    for (size_t length = 0; length < size; length++)
        cr_expect_eq(wl_cache_entry_decode(&got, &key, bytes, length, NULL), WL_ERR_INPUT, "%zu bytes",
                     length);
    cr_expect_eq(wl_cache_entry_decode(&got, &key, bytes, size, NULL), WL_OK);
    wl_image_fini(&got);
    wl_image_fini(&image);
    wl_free(bytes);
}

/* ---- folders that cannot be trusted or used ---- */

#define NOBODY 65534

static const struct untrusted {
    const char *command; /* prepares $D, in the test's folder */
    const char *text;
    uid_t as; /* 0: as we are */
} untrusted[] = {
    {"mkdir x && ln -s x $D", "symbolic link", 0},
    {"touch $D", "no folder", 0},
    {"touch x && ln -s x $D", "symbolic link", 0},
    {"mkdir -m 720 $D", "others may write it (mode 720)", 0},
    {"mkdir -m 777 $D", "others may write it (mode 777)", 0},
    {"mkdir -m 700 $D && chown 12345 $D", "belongs to user 12345", 0},
    {"mkdir -m 755 $D", "belongs to user 0", NOBODY},
    {"true", "cannot be created: Permission denied", NOBODY},
};

ParameterizedTestParameters(cache, folders) { return wl_test_rows(WL_LEN(untrusted)); }
ParameterizedTest(size_t *i, cache, folders, .init = set_up, .fini = tear_down) {
    const struct untrusted *u = &untrusted[*i];
    struct wl_cache *cache = NULL;
    struct wl_error error = {0};
    if ((u->as || strstr(u->command, "chown")) && geteuid()) cr_skip_test("only root becomes another user");
    snprintf(inside, sizeof inside, "%s/d", folder);
    setenv("D", inside, 1);
    shell("cd '%s' && chmod 755 . && %s", folder, u->command);
    if (u->as) cr_assert_eq(seteuid(u->as), 0);
    cr_expect_eq(wl_cache_open(&cache, inside, 1 << 20, &ears, &error), WL_ERR_IO, "row %zu", *i);
    if (u->as) cr_assert_eq(seteuid(0), 0);
    cr_expect(strstr(error.text, u->text), "row %zu: %s", *i, error.text);
    cr_expect_str_eq(error.file, inside);
}

/* A folder that may only be read still gives what it holds. */
Test(cache, read_only, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(1 << 20);
    struct wl_cache_lock lock;
    struct wl_key key = key_of(3);
    store(cache, 1, 3000);
    wl_cache_close(cache);
    bool root = !geteuid();
    if (root) {
        shell("chown -R %d '%s'", NOBODY, folder);
        cr_assert_eq(seteuid(NOBODY), 0);
    }
    cr_assert_eq(chmod(inside, 0500), 0);
    cache = open_cache(1 << 20);
    cr_expect(load(cache, 1, 3000));
    for (int i = 2; i < 5; i++) store(cache, i, 3000);
    cr_expect_eq(warnings, 1);
    cr_expect(strstr(last, "cannot create"), "%s", last);
    wl_cache_acquire(cache, &key, &lock);
    wl_cache_release(cache, &lock);
    cr_expect(load(cache, 1, 3000));
    wl_cache_close(cache);
    if (root) cr_assert_eq(seteuid(0), 0);
}

/* A disk that fills up in the middle of a file. */
Test(cache, full_disk, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(1 << 20);
    struct rlimit limit = {5000, RLIM_INFINITY};
    store(cache, 1, 1000);
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    for (int i = 2; i < 5; i++) store(cache, i, 20000);
    limit.rlim_cur = RLIM_INFINITY;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    cr_expect_eq(warnings, 1);
    cr_expect(strstr(last, "cannot write"), "%s", last);
    cr_expect_eq(count_files("tmp"), 0, "half a file was left");
    cr_expect(load(cache, 1, 1000));
    cr_expect_not(load(cache, 2, 20000));
    store(cache, 2, 20000);
    cr_expect(load(cache, 2, 20000));
    wl_cache_close(cache);
}

/* ---- several processes ---- */

static bool is_right(void *user, const struct wl_cache_entry *entry) {
    cr_expect_str_empty(entry->wrong, "%s: %s", entry->name, entry->wrong);
    ++*(int *)user;
    return true;
}

/* Stores until it is killed. It has a cache of its own and none of its parent's descriptors: Criterion's socket
 * is among them, over which every assertion, also one that holds, waits for an answer. */
static void write_for_ever(void) {
    struct wl_cache *cache;
    for (int fd = 3; fd < 256; fd++) close(fd);
    if (wl_cache_open(&cache, inside, 1 << 24, NULL, NULL)) _exit(1);
    for (int i = 0;; i++) store(cache, i % 4, 40000);
}

/* kill -9 at any moment: what has an entry's name is whole. */
Test(cache, killed_writers, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(1 << 24);
    unsigned seed = (unsigned)getpid();
    int right = 0, killed = 0;
    for (int round = 0, state; round < 1000; round++) { /* and no message to the runner in between */
        pid_t child = fork();
        if (child < 0) break;
        if (!child) write_for_ever();
        struct timespec nap = {0, rand_r(&seed) % 1500000};
        nanosleep(&nap, NULL);
        kill(child, SIGKILL);
        killed += waitpid(child, &state, 0) == child && WIFSIGNALED(state);
    }
    cr_assert_eq(killed, 1000);
    cr_assert_eq(wl_cache_each(cache, is_right, &right, NULL), WL_OK);
    cr_expect(right > 0 && right <= 4, "%d entries", right);
    for (int i = 0; i < 4; i++) load(cache, i, 40000);
    cr_expect_eq(warnings, 0, "%s", last);
    shell("find '%s' -name '*.tmp' -exec touch -d '2 hours ago' {} +", inside);
    wl_cache_prune(cache, UINT64_MAX);
    cr_expect_eq(count_files("tmp"), 0, "what a crash leaves is tidied up after an hour");
    wl_cache_close(cache);
}

/* Whoever comes second waits for the first; when the first is killed, not for long. */
Test(cache, a_builder_is_waited_for, .init = set_up, .fini = tear_down) {
    struct wl_cache *cache = open_cache(1 << 20);
    struct wl_cache_lock lock;
    struct wl_key key = key_of(1);
    for (int killed = 0; killed < 2; killed++) {
        int ready[2];
        char byte;
        cr_assert_eq(pipe(ready), 0);
        pid_t child = fork();
        if (!child) {
            wl_cache_acquire(cache, &key, &lock);
            if (write(ready[1], "x", 1) != 1) _exit(1);
            usleep(100000);
            if (killed) kill(getpid(), SIGKILL);
            store(cache, 1, 3000);
            wl_cache_release(cache, &lock);
            _exit(0);
        }
        cr_assert_eq(read(ready[0], &byte, 1), 1);
        wl_cache_acquire(cache, &key, &lock);
        cr_expect_neq(lock.fd, -1);
        cr_expect_eq(load(cache, 1, 3000), !killed);
        wl_cache_release(cache, &lock);
        waitpid(child, NULL, 0);
        char path[400];
        path_of(1, path, sizeof path);
        unlink(path);
        close(ready[0]), close(ready[1]);
    }
    wl_cache_close(cache);
}
