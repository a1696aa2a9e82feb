/* cli_emu: warploom emu: the instructions that the emulated driver executes, and which of them ran. */
#include "gen/cli.h"

#include <stdio.h>
#include <string.h>

#include "gen/file.h"
#include "gen/json.h"
#include "runtime/driver.h"

struct values {
    bool list, json;
    const char *coverage;
};
static const struct values defaults = {0};

/* clang-format off */
static const struct wl_cli_option options[] = {
    {"--list",     WL_CLI_FLAG, offsetof(struct values, list),     NULL,   0, 0, "every instruction form: pattern, operands, scope, PTX ISA section"},
    {"--coverage", WL_CLI_TEXT, offsetof(struct values, coverage), "FILE", 0, 0, "only the forms that FILE, written under WARPLOOM_EMU_COVERAGE=FILE, does not name; exit code 1 if there are any"},
    {"--json",     WL_CLI_FLAG, offsetof(struct values, json),     NULL,   0, 0, "as JSON"},
    {0},
};
/* clang-format on */

enum { ID, PATTERN, OPERANDS, SCOPE, ISA, COLUMNS };
typedef bool row_fn(uint32_t index, const char *text[COLUMNS]); /* wlemu_row of the emulated driver */

/* Whether a line of `lines` is this word. */
static bool has_line(const char *lines, const char *word) {
    size_t length = strlen(word);
    for (const char *p = lines; (p = strstr(p, word)); p += length)
        if ((p == lines || p[-1] == '\n') && (p[length] == '\n' || !p[length])) return true;
    return false;
}

static void put_json(struct wl_json *json, const char *const row[COLUMNS]) {
    static const char *const keys[COLUMNS] = {"id", "pattern", "operands", "scope", "isa"};
    wl_json_open(json, NULL, '{');
    for (int c = 0; c < COLUMNS; c++) wl_json_text(json, keys[c], row[c]);
    wl_json_close(json);
}

struct listing {
    struct wl_text out;
    uint32_t rows, shown;
};

/* Rows whose mnemonic starts with `prefix` and, with `seen`, that it does not name. */
static void list(const struct values *v, row_fn *row_at, const char *prefix, const char *seen,
                 struct listing *l) {
    const char *row[COLUMNS];
    struct wl_json json = {.text = &l->out};
    if (v->json) wl_json_open(&json, NULL, '[');
    for (uint32_t i = 0; row_at(i, row); i++) {
        if (strncmp(row[PATTERN], prefix, strlen(prefix)) != 0) continue;
        l->rows++;
        if (seen && has_line(seen, row[ID])) continue;
        l->shown++;
        if (v->json) put_json(&json, row);
        else
            wl_text_printf(&l->out, "%-6s %-12s %s  %s\n", row[SCOPE], row[ISA], row[PATTERN], row[OPERANDS]);
    }
    if (v->json) wl_json_close(&json);
    else if (seen)
        wl_text_printf(&l->out, "%u rows, %u executed, %u not\n", l->rows, l->rows - l->shown, l->shown);
    else wl_text_printf(&l->out, "%u rows\n", l->rows);
}

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    struct wl_driver *driver = NULL;
    char *seen = NULL;
    size_t seen_bytes;
    struct listing l = {{0}, 0, 0};
    if (!v->list && !v->coverage)
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, NULL, "say what to do: --list, or --coverage FILE");
    enum wl_status status = v->coverage ? wl_file_read(v->coverage, &seen, &seen_bytes, error) : WL_OK;
    if (!status) status = wl_driver_open(&driver, "emu", NULL, error);
    row_fn *row_at = status ? NULL : (row_fn *)(uintptr_t)wl_driver_symbol(driver, "wlemu_row");
    if (!status && !row_at)
        status = wl_fail(error, WL_ERR_ENVIRONMENT, driver->path, 0, NULL, "it has no table of instructions");
    if (!status) {
        list(v, row_at, call->word_count ? call->words[0] : "", seen, &l);
        status = wl_cli_output(NULL, &l.out, error);
    }
    if (!status && v->coverage && l.shown) status = WL_ERR_WRONG;
    wl_driver_close(driver);
    wl_text_fini(&l.out);
    wl_free(seen);
    return status;
}

const struct wl_cli_command wl_cli_emu = {
    .name = "emu",
    .arguments = "--list [MNEMONIC] [options]",
    .doc = "list the instructions that the emulated device executes",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_max = 1,
    .run = run,
};
