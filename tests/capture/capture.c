/* Captures of what a real GPU of Hopper's generation makes of every instruction form that it shares with the emulator:
 *
 *   capture DIR [RAW LIKE]
 *
 * runs all forms of lane_forms, matrix_forms, machine_forms and approx_forms on the first GPU and writes DIR/<kind>_<gpu>.txt,
 * a line a form ("ROW MNEMONIC HASH", "MNEMONIC CLASS HASH", "TEXT RESULT", "NAME HASH"; TEXT is a hash of the PTX). The results themselves of every
 * form whose line is not in LIKE/<kind>_*.txt go to RAW/<kind>: how a mismatch is looked into. LIKE may be this program's own
 * output on the emulated driver (LD_LIBRARY_PATH=build/emu).
 *
 * RESULT or HASH may be "refused" (by the driver's compiler, or its tensor map is). The many lane forms that are have a line
 * together, "# refused: COUNT NAMES", where NAMES is a hash of them; RESULT may also be
 * "fault<N>" with the driver's error, "hang", or "missing" where time ran out (CAPTURE_SECONDS).
 * Workers, one a core, take jobs; one whose GPU context is broken, or whose form does not end, is replaced. */
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/approx_forms.h"
#include "tests/capture/gpu.h"
#include "tests/lane_forms.h"
#include "tests/machine_forms.h"
#include "tests/matrix_forms.h"

enum kind { LANE, MATRIX, MACHINE, APPROX, KINDS };
static const char *const kind_names[KINDS] = {"lane", "matrix", "machine", "approx"};
enum { WORKERS = 64, LANE_BATCH = 32, MISSING = 0, DONE, REFUSED, FAULT, HANG };
enum { BROKEN = 3 }; /* exit status of a worker that is to be replaced */

struct result {
    int state, code;
    uint64_t hash[MATRIX_CLASSES];
};
static struct shared { /* with the workers */
    uint32_t next_job;
    char about[256]; /* the header line */
    char gpu[64];
    struct worker {
        uint32_t job, form; /* form: the one at hand; it counts within the kind */
        double since;
        int busy; /* a job is begun */
    } worker[WORKERS];
    struct result result[];
} *shared;

static size_t count[KINDS], base[KINDS];
static struct job {
    enum kind kind;
    uint32_t first, end;
} *jobs;
static uint32_t job_count;
static struct lane {
    const struct emu_row *row;
    char mnemonic[160];
} *lanes;
static const char *raw_dir, *like_dir;

static struct result *result_of(enum kind kind, size_t i) { return &shared->result[base[kind] + i]; }

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- lines ---- */

static struct machine_form machine;

/* The form's line, of a matrix form that of one class; "": it has none. */
static void line_of(enum kind kind, size_t i, unsigned class, char *out, size_t bytes) {
    const struct result *r = result_of(kind, i);
    char what[32] = "hang";
    if (r->state == DONE) snprintf(what, sizeof what, "%016llx", (unsigned long long)r->hash[class]);
    if (r->state == REFUSED) strcpy(what, "refused");
    if (r->state == FAULT) snprintf(what, sizeof what, "fault%d", r->code);
    out[0] = '\0';
    if (r->state == MISSING) strcpy(what, "missing");
    if (kind == LANE && r->state == REFUSED) return;
    if (kind == LANE) snprintf(out, bytes, "%s %s %s", lanes[i].row->id, lanes[i].mnemonic, what);
    if (kind == MATRIX) snprintf(out, bytes, "%s %u %s", matrix_form_name(i), class, what);
    if (kind == APPROX) snprintf(out, bytes, "%s %s", approx_form(i)->name, what);
    if (kind != MACHINE) return;
    machine_form(i, &machine);
    snprintf(out, bytes, "%08x %s", machine_form_key(&machine), what);
}

static char **like[KINDS]; /* sorted */
static size_t like_count[KINDS];

static int compare_lines(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void read_like(enum kind kind) {
    char pattern[512], line[512];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/%s_*.txt", like_dir, kind_names[kind]);
    if (glob(pattern, 0, NULL, &found)) return;
    FILE *file = fopen(found.gl_pathv[0], "r");
    while (file && fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        like[kind] = realloc(like[kind], (like_count[kind] + 1) * sizeof(char *));
        like[kind][like_count[kind]++] = strdup(line);
    }
    if (file) fclose(file);
    globfree(&found);
    if (like_count[kind]) qsort(like[kind], like_count[kind], sizeof(char *), compare_lines);
}

/* Writes a record in one go, so that workers may share the file: a header line, then the bytes. */
static void keep_raw(enum kind kind, size_t i, const void *bytes, size_t length) {
    char line[512], path[512];
    const char *key = line;
    bool known = true;
    if (!raw_dir) return;
    for (unsigned c = 0; c < (kind == MATRIX ? MATRIX_CLASSES : 1); c++) {
        line_of(kind, i, c, line, sizeof line);
        known = known && like_count[kind] && bsearch(&key, like[kind], like_count[kind], sizeof(char *), compare_lines);
    }
    if (known) return;
    snprintf(path, sizeof path, "%s/%s%s%s", raw_dir, kind_names[kind], kind == APPROX ? "." : "", kind == APPROX ? approx_form(i)->name : "");
    char *record = malloc(length + sizeof line + 64);
    int head = sprintf(record, "%zu %zu %s\n", i, length, line);
    memcpy(record + head, bytes, length);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || write(fd, record, (size_t)head + length) < 0) perror(path);
    close(fd);
    free(record);
}

/* ---- a worker ---- */

static struct worker *self;
static gpu_address d_in, d_out;
static uint8_t *in, *before, *out;
enum { ROOM = MATRIX_BLOCKS * 131072 };

static void begin(uint32_t form) {
    self->since = now();
    self->form = form;
}

static void finish(enum kind kind, size_t i, int state, int code) {
    struct result *r = result_of(kind, i);
    r->code = code;
    r->state = state;
    if (state == FAULT || state == HANG) {
        self->form = (uint32_t)i + 1;
        _exit(BROKEN);
    }
}

static void need(int rc, const char *what) {
    if (!rc) return;
    fprintf(stderr, "capture: %s: error %d\n", what, rc);
    _exit(1);
}

/* Launches, and downloads `bytes` of output to `out`. */
static void launch(enum kind kind, size_t i, void *fn, uint32_t grid, uint32_t block, uint32_t cluster, void **params, size_t bytes) {
    int rc = gpu_run(fn, grid, block, cluster, params);
    if (!rc) rc = gpu.download(out, d_out, bytes);
    if (rc) finish(kind, i, FAULT, rc);
}

static void run_lanes(uint32_t first, uint32_t end) {
    static char text[LANE_BATCH * 4096];
    void *module, *fn, *params[] = {&d_in, &d_out};
    const size_t bytes = (size_t)16 * LANE_THREADS;
    size_t at = (size_t)sprintf(text, ".version 9.0\n.target sm_90a\n.address_size 64\n");
    char name[16];
    if (first >= end) return;
    begin(first);
    for (uint32_t i = first; i < end; i++) {
        sprintf(name, "f%u", i);
        lane_entry(lanes[i].row, lanes[i].mnemonic, name, text + at, sizeof text - at);
        at += strlen(text + at);
    }
    if (gpu.load(&module, text)) { /* somebody in it is refused */
        if (end - first == 1) return finish(LANE, first, REFUSED, 0);
        run_lanes(first, first + (end - first) / 2);
        run_lanes(first + (end - first) / 2, end);
        return;
    }
    lane_inputs((uint64_t *)in);
    need(gpu.upload(d_in, in, sizeof(uint64_t) * LANE_SOURCES * LANE_THREADS), "upload");
    for (uint32_t i = first; i < end; i++) {
        sprintf(name, "f%u", i);
        begin(i);
        need(gpu.function(&fn, module, name), name);
        launch(LANE, i, fn, LANE_THREADS / 32, 32, 1, params, bytes);
        result_of(LANE, i)->hash[0] = lane_hash((const uint32_t *)out);
        finish(LANE, i, DONE, 0);
        keep_raw(LANE, i, out, bytes);
    }
    gpu.unload(module);
}

static void run_matrix(uint32_t i) {
    static char text[1 << 17];
    struct matrix_size size = matrix_form_size(i);
    void *module, *fn, *params[] = {&d_in, &d_out};
    int n = sprintf(text, ".version 8.7\n.target sm_90a\n.address_size 64\n");
    size_t part = (size_t)4 * size.out_bytes;
    matrix_form_text(i, "k", text + n, sizeof text - (size_t)n);
    matrix_form_inputs(i, in);
    begin(i);
    if (gpu.load(&module, text)) return finish(MATRIX, i, REFUSED, 0);
    need(gpu.function(&fn, module, "k") || gpu.upload(d_in, in, (size_t)MATRIX_BLOCKS * size.in_bytes), "upload");
    launch(MATRIX, i, fn, MATRIX_BLOCKS, size.threads, 1, params, MATRIX_CLASSES * part);
    for (unsigned c = 0; c < MATRIX_CLASSES; c++) result_of(MATRIX, i)->hash[c] = matrix_hash(out + c * part, part);
    finish(MATRIX, i, DONE, 0);
    keep_raw(MATRIX, i, out, MATRIX_CLASSES * part);
    gpu.unload(module);
}

static int encode(void *map, gpu_address at) {
    const struct machine_tensor *t = machine.tensor;
    uint64_t size[5], stride[5];
    for (int d = 0; d < 5; d++) size[d] = t->size[d], stride[d] = d < 4 ? t->stride[d] : 0;
    return gpu.encode(map, t->type, t->rank, (void *)(uintptr_t)at, size, stride, t->box, t->step, 0, t->swizzle, 0, t->nan_fill);
}

/* Raw: offset and 16 bytes of each place that changed. */
static void keep_changes(uint32_t i) {
    static uint8_t record[MACHINE_OUT / 16 * 20];
    size_t n = 0;
    for (uint32_t at = 0; at < MACHINE_OUT; at += 16) {
        if (memcmp(before + at, out + at, 16) == 0) continue;
        memcpy(record + n, &at, 4);
        memcpy(record + n + 4, out + at, 16);
        n += 20;
    }
    keep_raw(MACHINE, i, record, n);
}

static void run_machine(uint32_t i) {
    struct {
        _Alignas(64) uint8_t map[128];
    } p;
    void *module, *fn, *params[] = {&d_in, &d_out, p.map};
    machine_form(i, &machine);
    machine_inputs(in, before);
    memcpy(p.map, in + 4096, sizeof p.map);
    begin(i);
    gpu_address at = machine.flags & MACHINE_STORES ? d_out + MACHINE_CTAS * MACHINE_PART : d_in + MACHINE_TILE;
    if ((machine.tensor && encode(p.map, at)) || gpu.load(&module, machine.text)) return finish(MACHINE, i, REFUSED, 0);
    need(gpu.function(&fn, module, "k") || gpu.upload(d_in, in, MACHINE_IN) || gpu.upload(d_out, before, MACHINE_OUT), "upload");
    launch(MACHINE, i, fn, machine.ctas, machine.threads, machine.cluster, params, MACHINE_OUT);
    result_of(MACHINE, i)->hash[0] = machine_hash(out, MACHINE_OUT);
    finish(MACHINE, i, DONE, 0);
    keep_changes(i);
    gpu.unload(module);
}

static void run_approx(uint32_t i) {
    const struct approx_form *f = approx_form(i);
    size_t bytes = (size_t)4 * f->count;
    char text[4096];
    gpu_address results;
    void *module, *fn, *params[] = {&results};
    uint32_t *host = malloc(bytes);
    approx_form_text(i, text, sizeof text);
    begin(i);
    if (gpu.load(&module, text)) return finish(APPROX, i, REFUSED, 0);
    need(gpu.function(&fn, module, "k") || gpu.alloc(&results, bytes), "alloc");
    int rc = gpu_run(fn, approx_form_grid(f), APPROX_BLOCK, 1, params);
    if (!rc) rc = gpu.download(host, results, bytes);
    if (rc) finish(APPROX, i, FAULT, rc);
    result_of(APPROX, i)->hash[0] = machine_hash(host, bytes);
    finish(APPROX, i, DONE, 0);
    if (raw_dir) approx_form_deltas(i, host);
    keep_raw(APPROX, i, host, bytes);
    gpu.free(results);
    gpu.unload(module);
    free(host);
}

static void work(void) {
    in = malloc(ROOM), out = malloc(ROOM), before = malloc(MACHINE_OUT);
    need(gpu_open() || gpu.alloc(&d_in, ROOM) || gpu.alloc(&d_out, ROOM), "no GPU");
    if (self == shared->worker) {
        char date[32], name[128] = "gpu";
        time_t today = time(NULL);
        strftime(date, sizeof date, "%Y-%m-%d", gmtime(&today));
        gpu_describe(shared->about, sizeof shared->about, date);
        gpu.name(name, sizeof name, 0);
        const char *word = strncmp(name, "NVIDIA ", 7) == 0 ? name + 7 : name;
        for (size_t k = 0; word[k] && word[k] != ' ' && k < sizeof shared->gpu - 1; k++)
            shared->gpu[k] = (char)(word[k] >= 'A' && word[k] <= 'Z' ? word[k] + 32 : word[k]);
    }
    self->since = now();
    for (;;) {
        if (!self->busy) {
            self->job = __atomic_fetch_add(&shared->next_job, 1, __ATOMIC_RELAXED);
            if (self->job >= job_count) _exit(0);
            self->form = jobs[self->job].first;
            self->busy = 1;
        }
        const struct job *j = &jobs[self->job];
        uint32_t form = self->form;
        if (form < j->end) switch (j->kind) {
            case LANE: run_lanes(form, j->end); break;
            case MATRIX: run_matrix(form); break;
            case MACHINE: run_machine(form); break;
            default: run_approx(form);
            }
        self->busy = 0;
    }
}

/* ---- the parent ---- */

static pid_t start(struct worker *w) {
    w->since = now() + 30; /* a context takes its time */
    pid_t pid = fork();
    if (pid) return pid;
    self = w;
    work();
    return 0;
}

/* The form at hand ends here: it hung, or took the worker with it. */
static void give_up(struct worker *w, int state) {
    if (!w->busy || w->form >= jobs[w->job].end) return;
    struct result *r = result_of(jobs[w->job].kind, w->form);
    if (r->state == MISSING) r->state = state, r->code = -1;
    w->form++;
}

static void supervise(int workers, double seconds) {
    pid_t pid[WORKERS];
    double end = now() + seconds;
    int running = workers;
    for (int k = 0; k < workers; k++) pid[k] = start(&shared->worker[k]);
    while (running) {
        usleep(5000);
        for (int k = 0; k < workers; k++) {
            struct worker *w = &shared->worker[k];
            int status;
            if (!pid[k]) continue;
            double patience = w->busy && jobs[w->job].kind == APPROX ? 25 : 6;
            if (now() > w->since + patience || now() > end) {
                kill(pid[k], SIGKILL);
                waitpid(pid[k], &status, 0);
                give_up(w, HANG);
            } else if (waitpid(pid[k], &status, WNOHANG) != pid[k]) continue;
            else if (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || !w->busy)) {
                pid[k] = 0, running--;
                continue;
            } else if (!WIFEXITED(status) || WEXITSTATUS(status) != BROKEN) give_up(w, FAULT);
            if (now() > end) pid[k] = 0, running--;
            else pid[k] = start(w);
        }
    }
}

static void write_kind(const char *dir, enum kind kind) {
    char path[512], line[512];
    unsigned states[5] = {0};
    uint64_t refused = LANE_NAMES;
    snprintf(path, sizeof path, "%s/%s_%s.txt", dir, kind_names[kind], shared->gpu);
    FILE *file = fopen(path, "w");
    if (!file) return perror(path);
    fputs(shared->about, file);
    for (size_t i = 0; i < count[kind]; i++) {
        states[result_of(kind, i)->state]++;
        for (unsigned c = 0; c < (kind == MATRIX ? MATRIX_CLASSES : 1); c++) {
            line_of(kind, i, c, line, sizeof line);
            if (line[0]) fprintf(file, "%s\n", line);
        }
        if (kind == LANE && result_of(kind, i)->state == REFUSED) refused = lane_name(refused, lanes[i].row, lanes[i].mnemonic);
    }
    if (kind == LANE) fprintf(file, "# refused: %u %016llx\n", states[REFUSED], (unsigned long long)refused);
    fclose(file);
    printf("%s: %zu forms: %u run, %u refused, %u faults, %u hang, %u not tried\n", path, count[kind], states[DONE], states[REFUSED], states[FAULT],
           states[HANG], states[MISSING]);
}

static void add_lane(void *user, const struct emu_row *row, const char *mnemonic) {
    static char text[8192];
    (void)user;
    if (!lane_entry(row, mnemonic, "f", text, sizeof text)) return;
    lanes = realloc(lanes, (count[LANE] + 1) * sizeof *lanes);
    lanes[count[LANE]].row = row;
    snprintf(lanes[count[LANE]++].mnemonic, sizeof lanes->mnemonic, "%s", mnemonic);
}

static void add_jobs(enum kind kind, uint32_t size) {
    for (uint32_t i = 0; i < count[kind]; i += size) {
        uint32_t end = i + size < count[kind] ? i + size : (uint32_t)count[kind];
        jobs = realloc(jobs, (job_count + 1) * sizeof *jobs);
        jobs[job_count++] = (struct job){kind, i, end};
    }
}

int main(int argc, char **argv) {
    if (argc < 2) return fprintf(stderr, "usage: capture DIR [RAW LIKE], on a machine with a GPU\n"), 2;
    double began = now();
    const char *limit = getenv("CAPTURE_SECONDS");
    if (argc > 3) raw_dir = argv[2], like_dir = argv[3], mkdir(raw_dir, 0777);
    mkdir(argv[1], 0777);
    setenv("CUDA_CACHE_DISABLE", "1", 1);
    for (uint32_t k = 0; k < emu_row_count; k++)
        if (lane_row_fits(&emu_rows[k])) lane_forms(&emu_rows[k], add_lane, NULL);
    count[MATRIX] = matrix_form_count(), count[MACHINE] = machine_form_count(), count[APPROX] = approx_form_count();
    size_t total = 0;
    for (enum kind k = 0; k < KINDS; k++) base[k] = total, total += count[k];
    /* what takes long comes first */
    add_jobs(APPROX, 1), add_jobs(MATRIX, 1), add_jobs(MACHINE, 1), add_jobs(LANE, LANE_BATCH);
    for (enum kind k = 0; raw_dir && k < KINDS; k++) read_like(k);
    shared = mmap(NULL, sizeof *shared + total * sizeof(struct result), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) return perror("mmap"), 1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    supervise((int)(cores < 1 ? 1 : cores > 16 ? 16 : cores), limit ? atof(limit) : 600);
    if (!shared->gpu[0]) return fprintf(stderr, "capture: nothing ran\n"), 1;
    for (enum kind k = 0; k < KINDS; k++) write_kind(argv[1], k);
    printf("%.1f s\n", now() - began);
    return 0;
}
