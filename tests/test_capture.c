/* What a real GPU of Hopper's generation gave (tests/captures, written by tests/capture), against the emulator, bit by bit. The
 * lane and the matrix forms are compared where their other tests are: test_emu_lane.c, test_emu_matrix.c. */
#include "tests/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/approx_forms.h"
#include "runtime/emu/insn.h"
#include "tests/emu_run.h"
#include "tests/lane_forms.h"
#include "tests/machine_emu.h"
#include "tests/machine_forms.h"
#include "tests/matrix_forms.h"

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
    cr_assert(captured(f->name, &hash), "%s is not captured", f->name);
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

/* ---- memory, warps, barriers, clusters, asynchronous copies ---- */

/* The machine forms' lines: "TEXT RESULT", in order. */
struct line {
    uint32_t text;
    char result[32];
};
static struct line *machine_lines(void) {
    size_t n = 0;
    char line[256];
    struct line *lines = calloc(machine_form_count() + 1, sizeof *lines);
    FILE *file = fopen("tests/captures/machine_h200.txt", "r");
    cr_assert(file, "run the tests from the repository's root");
    while (n < machine_form_count() && fgets(line, sizeof line, file)) n += line[0] != '#' && sscanf(line, "%x %31s", &lines[n].text, lines[n].result) == 2;
    fclose(file);
    cr_assert_eq(n, machine_form_count(), "%zu forms are captured, there are %zu", n, machine_form_count());
    return lines;
}

enum { PARTS = 16 };
ParameterizedTestParameters(capture, machine) { return wl_test_rows(PARTS); }
ParameterizedTest(size_t *part, capture, machine) {
    static struct machine_form form;
    static char report[16384];
    const enum emu_order orders[] = {EMU_ORDER_EAGER, EMU_ORDER_LATE, EMU_ORDER_RANDOM};
    struct line *lines = machine_lines();
    struct machine_emu *emu = machine_emu_create();
    for (size_t i = *part; i < machine_form_count(); i += PARTS) {
        const uint8_t *out;
        char result[32];
        machine_form(i, &form);
        cr_expect_eq(machine_form_key(&form), lines[i].text, "form %zu is not what was captured: %s", i, form.name);
        if (strcmp(lines[i].result, "refused") == 0) continue;
        /* late and random orders may let a single test_wait or try_wait fail, as the manual allows it */
        bool asks = strstr(form.text, "mbarrier.test_wait") || strstr(form.text, "mbarrier.pending_count") ||
                    strstr(form.text, "expect_tx.relaxed.cluster.shared::cluster"); /* a remote one, which may be late there */
        int rc = machine_emu_run(emu, &form, asks ? EMU_ORDER_EAGER : orders[i % 3], &out, report, sizeof report);
        if (rc == 0) snprintf(result, sizeof result, "%016llx", (unsigned long long)machine_hash(out, MACHINE_OUT));
        else snprintf(result, sizeof result, rc < 0 ? "refused" : "fault%d", rc);
        cr_expect_str_eq(result, lines[i].result, "form %zu %s: not as the H200 has it: %s", i, form.name, rc ? report : "");
    }
    machine_emu_destroy(emu);
    free(lines);
}

/* ---- rows ---- */

static size_t row_index(const char *id) {
    size_t k = 0;
    while (k < emu_row_count && strcmp(emu_rows[k].id, id) != 0) k++;
    return k;
}

static void count_lane(void *user, const struct emu_row *row, const char *mnemonic) {
    static char text[8192];
    *(bool *)user |= lane_entry(row, mnemonic, "f", text, sizeof text);
}

struct rows {
    bool tried[4096], compared[4096]; /* by some form of the row; compared: each that the driver takes, by the tests here */
};

static void rows_of_captures(struct rows *r) {
    static char line[256], name[128], text[1 << 17];
    static struct machine_form form;
    struct line *lines = machine_lines();
    for (size_t i = 0; i < machine_form_count(); i++) {
        machine_form(i, &form);
        machine_emu_rows(form.text, strcmp(lines[i].result, "refused") == 0 ? r->tried : r->compared);
    }
    free(lines);
    for (size_t k = 0; k < emu_row_count; k++)
        if (lane_row_fits(&emu_rows[k])) lane_forms(&emu_rows[k], count_lane, &r->tried[k]);
    FILE *file = fopen("tests/captures/lane_h200.txt", "r");
    while (fgets(line, sizeof line, file))
        if (line[0] != '#' && sscanf(line, "%127s", name) == 1) r->compared[row_index(name)] = true; /* emu_lane/captured */
    fclose(file);
    for (size_t i = 0; i < matrix_form_count(); i++) {
        int n = sprintf(text, ".version 8.7\n.target sm_90a\n.address_size 64\n");
        matrix_form_text(i, "test", text + n, sizeof text - (size_t)n);
        machine_emu_rows(text, r->compared); /* emu_matrix/captures */
    }
}

/* Each row has a form here: one that the driver takes, or it shares none of it. */
Test(capture, rows) {
    static struct rows r;
    size_t shared = 0;
    rows_of_captures(&r);
    for (size_t k = 0; k < emu_row_count; k++) {
        cr_expect(r.compared[k] || r.tried[k], "%s has no form in the captures", emu_rows[k].id);
        shared += r.compared[k];
    }
    printf("capture: of %u rows sm_90a shares %zu (an H200's driver takes forms of them): all are compared bit by bit with tests/captures\n",
           emu_row_count, shared);
}
