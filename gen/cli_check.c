/* cli_check: warploom check: a kernel under the judge of the emulated device, in several orders.
 *
 * Each order is a process of its own, since the device reads its settings once. What the device finds, it also
 * appends to the file that WARPLOOM_EMU_REPORT names: that is how a program's own launches are seen, too. */
#include "gen/cli_check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gen/file.h"
#include "gen/json.h"
#include "gen/tool.h"
#include "runtime/driver.h"

static const struct wl_check_values defaults = {.level = "error", .order = "eager,late,random:1", .timeout = -1};

/* clang-format off */
#define AT(field) offsetof(struct wl_check_values, field)
static const struct wl_cli_option options[] = {
    {"--arg",     WL_CLI_TEXTS,  AT(args),    "SPEC",  0, 0, "one a parameter: f32[1024]=random, f32[1024] (unset), u32=7, map:bf16[64,128]:box=64,64:swizzle=128, hex:00ff"},
    {"--entry",   WL_CLI_TEXT,   AT(entry),   "NAME",  0, 0, "which entry, where there are several"},
    {"--list",    WL_CLI_FLAG,   AT(list),    NULL,    0, 0, "only list the entries and their parameters"},
    {"--grid",    WL_CLI_TEXT,   AT(grid),    "X,Y,Z", 0, 0, "CTAs (1, or one cluster)"},
    {"--block",   WL_CLI_TEXT,   AT(block),   "X,Y,Z", 0, 0, "threads of a CTA (.reqntid or .maxntid of the PTX, else 128)"},
    {"--cluster", WL_CLI_TEXT,   AT(cluster), "X,Y,Z", 0, 0, "CTAs of a cluster (as the PTX says, else 1)"},
    {"--smem",    WL_CLI_INT,    AT(smem),    "N",     0, 1 << 24, "bytes of dynamic shared memory (0)"},
    {"--order",   WL_CLI_TEXT,   AT(order),   "LIST",  0, 0, "eager, late, random:SEED, with commas between (eager,late,random:1)"},
    {"--level",   WL_CLI_TEXT,   AT(level),   "error|strict", 0, 0, "what can go wrong on a chip, or also what only the manual demands (error)"},
    {"--timeout", WL_CLI_NUMBER, AT(timeout), "SECONDS", 0, 1e6, "until a launch is stopped, 0: never ($WARPLOOM_EMU_TIMEOUT, else 60)"},
    {"--json",    WL_CLI_FLAG,   AT(json),    NULL,    0, 0, "as JSON"},
    {0},
};
/* clang-format on */

enum { MAX_ORDERS = 16 };

struct order {
    char name[40];
    int exit_code; /* of its process: 0, 2 or 3 as of a command; of a program, its own */
    bool launched;
    char *reports; /* a form feed and a newline behind each */
    int report_count;
    uint64_t hashes[32];
    double ms;
};

struct check {
    const struct wl_check_values *v;
    struct wl_check_kernel kernel; /* path NULL: a schedule or a program */
    const char *const *words;      /* what is run, where it is no PTX */
    int word_count;
    bool program;
    char library[600]; /* the folder whose libcuda.so.1 is the emulated driver */
    struct order orders[MAX_ORDERS];
    int order_count;
    struct wl_tool_room room;
};

/* ---- orders ---- */

static bool legal_order(const char *name) {
    if (!strcmp(name, "eager") || !strcmp(name, "late")) return true;
    return !strncmp(name, "random:", 7) && name[7] && !name[7 + strspn(name + 7, "0123456789")];
}

static enum wl_status take_orders(struct check *c, struct wl_error *error) {
    for (const char *p = c->v->order; *p;) {
        size_t n = strcspn(p, ",");
        if (c->order_count == MAX_ORDERS)
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--order", "more than %d orders", MAX_ORDERS);
        struct order *o = &c->orders[c->order_count++];
        snprintf(o->name, sizeof o->name, "%.*s", (int)n, p);
        if (!legal_order(o->name))
            return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--order", "\"%s\" is none of eager, late, random:SEED", o->name);
        p += n + (p[n] == ',');
    }
    if (strcmp(c->v->level, "error") && strcmp(c->v->level, "strict"))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--level", "\"%s\" is none of error, strict", c->v->level);
    return c->order_count ? WL_OK : wl_fail(error, WL_ERR_USAGE, NULL, 0, "--order", "names none");
}

/* ---- a process an order ---- */

static void set_environment(const struct check *c, const struct order *o) {
    char seconds[32], path[2048];
    const char *old = getenv("LD_LIBRARY_PATH");
    snprintf(seconds, sizeof seconds, "%g", c->v->timeout < 0 ? 60 : c->v->timeout);
    setenv("WARPLOOM_EMU_ORDER", o->name, 1);
    setenv("WARPLOOM_EMU_CHECK", c->v->level, 1);
    setenv("WARPLOOM_EMU_TIMEOUT", seconds, c->v->timeout >= 0);
    setenv("WARPLOOM_EMU_REPORT", c->room.in, 1);
    if (!c->program) {
        setenv("WARPLOOM_EMU_HMM", "0", 1);
        return;
    }
    snprintf(path, sizeof path, "%s%s%s", c->library, old && *old ? ":" : "", old ? old : "");
    setenv("LD_LIBRARY_PATH", path, 1);
}

static void say(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return;
    if (write(fd, text, strlen(text)) < 0) perror("warploom check");
    close(fd);
}

static int run_ptx(struct check *c, struct order *o) {
    static struct wl_error error;
    char text[4096], *at = text;
    if (!freopen("/dev/null", "w", stderr)) return 3; /* the report is read from its file */
    enum wl_status status = wl_check_launch(&c->kernel, c->v, o->hashes, &error);
    if (status) wl_error_format(&error, text, sizeof text);
    for (int i = 0; i < 32 && !status; i++) at += sprintf(at, "%016llx ", (unsigned long long)o->hashes[i]);
    say(c->room.out, text);
    return wl_exit_code(status);
}

static int run_words(const struct check *c, const struct order *o) {
    char self[512];
    const char *argv[280];
    int count = 0;
    if (!c->program) { /* warploom run SCHEDULE ... --device emu --check */
        ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
        if (length < 0) return 3;
        self[length] = '\0';
        argv[count++] = self;
        argv[count++] = "run";
    }
    for (int i = 0; i < c->word_count && count < 270; i++)
        if (c->program || strcmp(c->words[i], "--")) argv[count++] = c->words[i];
    if (!c->program) {
        const char *last[] = {"--device", "emu", "--order", o->name, "--check"};
        for (size_t i = 0; i < sizeof last / sizeof *last; i++) argv[count++] = last[i];
    }
    argv[count] = NULL;
    if (c->v->json) dup2(STDERR_FILENO, STDOUT_FILENO);
    execvp(argv[0], (char *const *)argv);
    fprintf(stderr, "warploom: %s: %s\n", argv[0], strerror(errno));
    return 126;
}

static int take_reports(struct order *o, const char *path) {
    size_t size;
    if (wl_file_read(path, &o->reports, &size, NULL)) return 0;
    o->launched = size > 0;
    for (const char *p = o->reports; (p = strchr(p, '\f')); p++) o->report_count++;
    return o->report_count;
}

static enum wl_status run_order(struct check *c, struct order *o, struct wl_error *error) {
    int state;
    say(c->room.in, "");
    say(c->room.out, "");
    fflush(stdout);
    double start = wl_cli_now_ms();
    pid_t pid = fork();
    if (pid < 0) return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "fork: %s", strerror(errno));
    if (!pid) {
        set_environment(c, o);
        _exit(c->kernel.path ? run_ptx(c, o) : run_words(c, o));
    }
    while (waitpid(pid, &state, 0) < 0 && errno == EINTR) {}
    o->ms = wl_cli_now_ms() - start;
    o->exit_code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    take_reports(o, c->room.in);
    char *said = NULL;
    size_t size = 0;
    if (!c->kernel.path || wl_file_read(c->room.out, &said, &size, NULL)) return WL_OK;
    enum wl_status status = WL_OK;
    if (o->exit_code == 2) status = wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "%s", said);
    else if (o->exit_code && !o->report_count)
        status = wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL, "%s", size ? said : "the run ended without a word");
    const char *at = said;
    for (int i = 0; i < 32 && !status; i++) o->hashes[i] = strtoull(at, (char **)&at, 16);
    wl_free(said);
    return status;
}

/* ---- what came out ---- */

static bool failed(const struct check *c, const struct order *o) {
    return o->report_count > 0 || (!c->kernel.path && o->exit_code != 0);
}

/* Which argument's buffer ends otherwise than under the first order; 0: none, or nothing to compare. */
static int differs(const struct check *c, const struct order *o) {
    for (int i = 0; i < 32; i++)
        if (c->orders[0].hashes[i] && o->hashes[i] && c->orders[0].hashes[i] != o->hashes[i]) return i + 1;
    return 0;
}

/* Of the reports nothing differs but the name of the order. */
static bool alike(const char *a, const char *b) {
    static const char name[] = ", order ";
    while (a && b && *a && *a == *b) {
        if (!strncmp(a, name, sizeof name - 1) && !strncmp(b, name, sizeof name - 1)) a += strcspn(a, "\n"), b += strcspn(b, "\n");
        else a++, b++;
    }
    return a && b && *a == *b;
}

/* The first order with the same to say; NULL: none. */
static const struct order *said_before(const struct check *c, const struct order *o) {
    for (const struct order *p = c->orders; p < o; p++)
        if (o->report_count && p->report_count == o->report_count && alike(p->reports, o->reports)) return p;
    return NULL;
}

static void put_reports(const struct order *o, struct wl_text *out) {
    for (const char *p = o->reports, *end; p && (end = strchr(p, '\f')); p = end + 2)
        for (const char *line = p; line < end;) {
            size_t n = strcspn(line, "\n\f");
            if (n) wl_text_printf(out, "    %.*s\n", (int)n, line);
            line += n + (line[n] == '\n');
            if (*line == '\f') break;
        }
}

static void report_text(const struct check *c, bool clean, struct wl_text *out) {
    const struct wl_check_kernel *k = &c->kernel;
    if (k->path)
        wl_text_printf(out, "%s: entry %s, %s, grid %u,%u,%u, block %u,%u,%u, level %s\n", k->path, k->entry, k->target,
                       k->grid[0], k->grid[1], k->grid[2], k->block[0], k->block[1], k->block[2], c->v->level);
    else wl_text_printf(out, "%s, level %s\n", c->words[0], c->v->level);
    for (int i = 0; i < c->order_count; i++) {
        const struct order *o = &c->orders[i];
        const struct order *before = said_before(c, o);
        wl_text_printf(out, "  %-20s %s, %.1f s%s%s\n", o->name, failed(c, o) ? "NOT CLEAN" : "clean", o->ms * 1e-3,
                       before ? ", the same as " : "", before ? before->name : "");
        if (!before) put_reports(o, out);
        if (!c->kernel.path && o->exit_code) wl_text_printf(out, "    exit code %d\n", o->exit_code);
        if (differs(c, o))
            wl_text_printf(out, "    note: the buffer of --arg %d does not end as it does under %s\n", differs(c, o),
                           c->orders[0].name);
    }
    wl_text_printf(out, "  check   %s\n", clean ? "clean" : "NOT CLEAN");
}

static void report_json(const struct check *c, bool clean, struct wl_text *out) {
    struct wl_json json = {.text = out};
    wl_json_open(&json, NULL, '{');
    wl_json_text(&json, "checked", c->kernel.path ? c->kernel.path : c->words[0]);
    wl_json_text(&json, "entry", c->kernel.path ? c->kernel.entry : NULL);
    wl_json_text(&json, "level", c->v->level);
    wl_json_bool(&json, "clean", clean);
    wl_json_open(&json, "orders", '[');
    for (int i = 0; i < c->order_count; i++) {
        const struct order *o = &c->orders[i];
        wl_json_open(&json, NULL, '{');
        wl_json_text(&json, "order", o->name);
        wl_json_bool(&json, "clean", !failed(c, o));
        wl_json_int(&json, "exit_code", o->exit_code);
        wl_json_number(&json, "ms", o->ms);
        wl_json_int(&json, "differs", differs(c, o));
        wl_json_open(&json, "reports", '[');
        for (char *p = o->reports, *end; p && (end = strchr(p, '\f')); p = end + 2) {
            *end = '\0';
            wl_json_text(&json, NULL, p);
            *end = '\f';
        }
        wl_json_close(&json);
        wl_json_close(&json);
    }
    wl_json_close(&json);
    wl_json_close(&json);
}

/* ---- the command ---- */

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n > m && !strcmp(text + n - m, end);
}

/* A folder with libcuda.so.1 in it: the emulated driver, wherever it was found. */
static enum wl_status make_library(struct check *c, struct wl_error *error) {
    char link[700], path[4096];
    struct wl_driver *driver;
    enum wl_status status = wl_driver_open(&driver, "emu", NULL, error);
    if (status) return status;
    if (!realpath(driver->path, path)) status = wl_fail(error, WL_ERR_ENVIRONMENT, driver->path, 0, NULL, "%s", strerror(errno));
    wl_driver_close(driver);
    snprintf(c->library, sizeof c->library, "%s", c->room.folder);
    snprintf(link, sizeof link, "%s/libcuda.so.1", c->library);
    if (!status && symlink(path, link) && errno != EEXIST)
        status = wl_fail(error, WL_ERR_ENVIRONMENT, link, 0, NULL, "%s", strerror(errno));
    return status;
}

static enum wl_status prepare(struct check *c, const struct wl_cli_call *call, char **ptx, struct wl_error *error) {
    size_t size;
    c->v = call->values;
    c->words = call->words;
    c->word_count = call->word_count;
    if (!strcmp(c->words[0], "--")) {
        c->program = true;
        c->words++;
        if (!--c->word_count) return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "check --: names no program");
    } else if (ends_with(c->words[0], ".ptx")) {
        if (c->word_count > 1) return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "check does not take \"%s\"", c->words[1]);
        enum wl_status status = wl_file_read(c->words[0], ptx, &size, error);
        if (status) return status;
        c->kernel.path = c->words[0];
        c->kernel.ptx = *ptx;
    }
    return take_orders(c, error);
}

static enum wl_status verdict(const struct check *c, bool *clean, struct wl_error *error) {
    bool launched = false;
    *clean = true;
    for (int i = 0; i < c->order_count; i++) {
        const struct order *o = &c->orders[i];
        launched |= o->launched;
        if (!c->kernel.path && !c->program && o->exit_code > 1) /* it has said why */
            return o->exit_code == 2 ? WL_ERR_USAGE : WL_ERR_ENVIRONMENT;
        if (failed(c, o)) *clean = false;
    }
    if (launched) return WL_OK;
    return wl_fail(error, WL_ERR_ENVIRONMENT, NULL, 0, NULL,
                   "%s launched no kernel on the emulated device: it must load libcuda.so.1 by its name%s", c->words[0],
                   c->orders[0].exit_code ? ", and it failed before" : "");
}

static enum wl_status check(struct check *c, struct wl_error *error) {
    bool clean;
    enum wl_status status = c->program ? make_library(c, error) : WL_OK;
    if (!status && c->kernel.path) status = wl_check_kernel(&c->kernel, c->v, error);
    for (int i = 0; i < c->order_count && !status; i++) {
        status = run_order(c, &c->orders[i], error);
        if (!c->kernel.path && !c->orders[i].launched) break; /* it will not with another order either */
    }
    if (!status) status = verdict(c, &clean, error);
    if (status) return status;
    struct wl_text out = {0};
    if (c->v->json) report_json(c, clean, &out);
    else report_text(c, clean, &out);
    status = wl_cli_output(NULL, &out, error);
    wl_text_fini(&out);
    return status ? status : clean ? WL_OK : WL_ERR_WRONG;
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    static struct check c;
    struct wl_text out = {0};
    char *ptx = NULL, link[700];
    enum wl_status status = prepare(&c, call, &ptx, error);
    if (!status && c.v->list && c.kernel.path) {
        wl_check_list(&c.kernel, &out);
        status = wl_cli_output(NULL, &out, error);
        wl_text_fini(&out);
    } else if (!status) {
        status = wl_tool_enter(&c.room, "report", "said", error);
        if (!status) status = check(&c, error);
        snprintf(link, sizeof link, "%s/libcuda.so.1", c.room.folder);
        if (*c.room.folder) unlink(link);
        if (*c.room.folder) wl_tool_leave(&c.room);
    }
    for (int i = 0; i < c.order_count; i++) wl_free(c.orders[i].reports);
    wl_free(ptx);
    return status;
}

const struct wl_cli_command wl_cli_check = {
    .name = "check",
    .arguments = "KERNEL.ptx --arg SPEC ... | SCHEDULE [key=value ...] [-- run's options] | -- PROGRAM ...",
    .doc = "run a kernel, a schedule's, or all that a program launches, under the emulated device's judge in several orders",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .keep_dashes = true,
    .run = run,
};
