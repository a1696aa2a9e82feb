#include "runtime/emu/coverage.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "runtime/emu/insn.h"

#define ROWS 4096

static struct {
    pthread_once_t once;
    int file;           /* -1: nobody asked, or it cannot be written */
    uint8_t told[ROWS]; /* by row */
} coverage = {.once = PTHREAD_ONCE_INIT, .file = -1};

static void open_file(void) {
    const char *path = getenv("WARPLOOM_EMU_COVERAGE");
    if (!path || !*path) return;
    coverage.file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (coverage.file < 0) fprintf(stderr, "warploom: WARPLOOM_EMU_COVERAGE: cannot write %s\n", path);
}

static void tell(const struct emu_row *row) {
    char line[80];
    size_t at = (size_t)(row - emu_rows);
    if (at >= ROWS || __atomic_exchange_n(&coverage.told[at], 1, __ATOMIC_RELAXED)) return;
    int length = snprintf(line, sizeof line, "%s\n", row->id);
    if (write(coverage.file, line, (size_t)length) != length) coverage.told[at] = 0;
}

static enum emu_step watched(struct emu_warp *w, const struct emu_insn *insn, uint32_t mask) {
    enum emu_step step = insn->watched(w, insn, mask);
    bool done = step != EMU_FAULT || insn->watched == sem_trap || insn->watched == sem_brkpt;
    if (mask && done) tell(insn->row);
    return step;
}

void emu_coverage_watch(struct emu_function *fn) {
    pthread_once(&coverage.once, open_file);
    for (uint32_t k = 0; coverage.file >= 0 && k < fn->code_count; k++) {
        fn->code[k].watched = fn->code[k].fn;
        fn->code[k].fn = watched;
    }
}

__attribute__((visibility("default"))) bool wlemu_row(uint32_t index, const char *text[5]) {
    static const char *const scopes[] = {"lane", "warp", "thread", "flow"};
    if (index >= emu_row_count) return false;
    const struct emu_row *row = &emu_rows[index];
    text[0] = row->id, text[1] = row->pattern, text[2] = row->operands;
    text[3] = scopes[row->scope], text[4] = row->isa;
    return true;
}
