/* What a real GPU of Hopper's generation gave (tests/captures, written by tests/capture), against the emulator, bit by bit. The
 * lane and the matrix forms are compared where their other tests are: test_emu_lane.c, test_emu_matrix.c. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/approx_forms.h"
#include "tests/emu_run.h"
#include "tests/machine_forms.h"

/* ---- the approximate functions ---- */

static bool captured(const char *wanted, unsigned long long *hash) {
    char line[256], name[32];
    bool found = false;
    FILE *file = fopen("tests/captures/approx_h200.txt", "r");
    cr_assert(file, "run the tests from the repository's root");
    while (!found && fgets(line, sizeof line, file)) found = sscanf(line, "%31s %llx", name, hash) == 2 && strcmp(name, wanted) == 0;
    fclose(file);
    return found;
}

ParameterizedTestParameters(capture, approximate) { return wl_test_rows(approx_form_count()); }
ParameterizedTest(size_t *i, capture, approximate) {
    static char text[4096];
    static struct emu_run run;
    const struct approx_form *f = approx_form(*i);
    unsigned long long hash;
    if (!captured(f->name, &hash)) return;
    approx_form_text(*i, text, sizeof text);
    struct emu_device *device = emu_device_create(emu_profile_find("h100"));
    uint64_t results = emu_device_alloc(device, (size_t)4 * f->count);
    run = (struct emu_run){.ptx = text,
                           .entry = "k",
                           .grid = {approx_form_grid(f)},
                           .block = {APPROX_BLOCK},
                           .params = &results,
                           .param_bytes = sizeof results,
                           .device = device};
    cr_assert_eq(emu_run(&run), 0, "%s: %s", f->name, run.report);
    cr_expect_eq(machine_hash((const void *)(uintptr_t)results, (size_t)4 * f->count), hash, "%s: not as the H200 has it", f->name);
    emu_device_destroy(device);
}
