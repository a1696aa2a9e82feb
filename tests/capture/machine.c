/* Captures of memory, warp, barrier, cluster and asynchronous instructions from a real GPU of Hopper's generation.
 *
 *   machine OUT [RAW]
 *     runs every form of machine_forms on the GPU. OUT gets a line each, "TEXT RESULT what", both hashes; RESULT is
 *     "refused" where the driver takes the text or the tensor map for wrong, "fault" where the launch failed or did not
 *     end. RAW gets what changed in the output: index, count, then count times offset and 16 bytes.
 *
 * A child process does the work; where it dies or hangs, the form at hand is a fault and the next child goes on behind it.
 * tests/captures/machine_h200.txt is such an OUT. */
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <poll.h>
#include <signal.h>

#include "tests/capture/gpu.h"
#include "tests/machine_forms.h"

static uint8_t in[MACHINE_IN], before[MACHINE_OUT], after[MACHINE_OUT];
static struct machine_form form;

static void write_line(FILE *out, const char *result) {
    fprintf(out, "%016llx %s %.72s\n", (unsigned long long)machine_hash(form.text, strlen(form.text) & ~7ull), result,
            form.name);
    fflush(out);
}

static void write_changes(FILE *raw, uint32_t index) {
    uint32_t count = 0;
    for (uint32_t at = 0; at < MACHINE_OUT; at += 16) count += memcmp(before + at, after + at, 16) != 0;
    fwrite(&index, 4, 1, raw);
    fwrite(&count, 4, 1, raw);
    for (uint32_t at = 0; at < MACHINE_OUT; at += 16) {
        if (memcmp(before + at, after + at, 16) == 0) continue;
        fwrite(&at, 4, 1, raw);
        fwrite(after + at, 16, 1, raw);
    }
    fflush(raw);
}

static int encode(void *map, gpu_address base) {
    const struct machine_tensor *t = form.tensor;
    uint64_t size[5], stride[5];
    for (int d = 0; d < 5; d++) size[d] = t->size[d], stride[d] = d < 4 ? t->stride[d] : 0;
    return gpu.encode(map, t->type, t->rank, (void *)(uintptr_t)base, size, stride, t->box, t->step, 0, t->swizzle, 0,
                      t->nan_fill);
}

/* Forms from `first` on; tells the parent of each that is done. */
static int child(size_t first, FILE *out, FILE *raw, int progress) {
    gpu_address d_in, d_out;
    struct {
        _Alignas(64) uint8_t map[128];
    } p;
    if (gpu_open() || gpu.alloc(&d_in, MACHINE_IN) || gpu.alloc(&d_out, MACHINE_OUT) || gpu.upload(d_in, in, MACHINE_IN))
        return 2;
    for (size_t i = first; i < machine_form_count(); i++) {
        void *module = NULL, *fn, *params[] = {&d_in, &d_out, p.map};
        char result[32] = "refused";
        machine_form(i, &form);
        memcpy(p.map, in + 4096, sizeof p.map);
        gpu_address base = form.flags & MACHINE_STORES ? d_out + MACHINE_CTAS * MACHINE_PART : d_in + MACHINE_TILE;
        if (!(form.tensor && encode(p.map, base)) && gpu.load(&module, form.text) == 0) {
            if (gpu.function(&fn, module, "k") || gpu.upload(d_out, before, MACHINE_OUT)) return 3;
            if (gpu_run(fn, form.ctas, form.threads, form.cluster, params) || gpu.download(after, d_out, MACHINE_OUT))
                return 4;
            gpu.unload(module);
            snprintf(result, sizeof result, "%016llx", (unsigned long long)machine_hash(after, MACHINE_OUT));
            if (raw) write_changes(raw, (uint32_t)i);
        }
        write_line(out, result);
        if (write(progress, &i, sizeof i) != sizeof i) return 5;
    }
    return 0;
}

/* Waits for a child; returns how many forms are done. */
static size_t watch(pid_t pid, int progress, size_t done) {
    struct pollfd poll_for = {.fd = progress, .events = POLLIN};
    int patience = 20000; /* ms: the first form comes with the context */
    for (size_t i; poll(&poll_for, 1, patience) > 0 && read(progress, &i, sizeof i) == sizeof i; patience = 4000) done = i + 1;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return done;
}

int main(int argc, char **argv) {
    FILE *out = argc > 1 ? fopen(argv[1], "w") : NULL, *raw = argc > 2 ? fopen(argv[2], "wb") : NULL;
    if (!out) return fprintf(stderr, "usage: machine OUT [RAW], on a machine with a GPU\n"), 2;
    machine_inputs(in, before);
    char date[32];
    time_t now = time(NULL);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&now));
    size_t total = machine_form_count(), faults = 0;
    for (size_t done = 0; done < total;) {
        int ends[2];
        fflush(out);
        if (pipe(ends)) return 2;
        pid_t pid = fork();
        if (pid == 0) {
            if (done == 0 && gpu_open() == 0) gpu_describe(out, date);
            _exit(child(done, out, raw, ends[1]));
        }
        close(ends[1]);
        size_t now_done = watch(pid, ends[0], done);
        close(ends[0]);
        if (now_done < total) {
            machine_form(now_done, &form);
            write_line(out, "fault");
            printf("fault: %s\n", form.name);
            now_done++;
            if (++faults > 60) return printf("too many faults\n"), 1;
        }
        done = now_done;
    }
    printf("%zu forms, %zu faults\n", total, faults);
    return 0;
}
