/* api_error: error names, entry points by name, and the reports for people. */
#include "runtime/emu/api.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    CUresult value;
    const char *name, *text;
} errors[] = {
#define WL_CU_ERROR(name, value, text) {value, #name, text},
#include "runtime/cuda_errors.def"
#undef WL_CU_ERROR
};

CUresult emu_cuGetErrorName(CUresult error, const char **name) {
    if (!name) return CUDA_ERROR_INVALID_VALUE;
    *name = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].value == error) *name = errors[i].name;
    return *name ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult emu_cuGetErrorString(CUresult error, const char **text) {
    if (!text) return CUDA_ERROR_INVALID_VALUE;
    *text = NULL;
    for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
        if (errors[i].value == error) *text = errors[i].text;
    return *text ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

/* ---- entry points ---- */

/* cuFoo of cuFoo_v2, cuFoo_ptsz: how long the name is without its suffix. */
static size_t base_length(const char *symbol) {
    size_t length = strlen(symbol);
    const char *suffix = strstr(symbol, "_v");
    if (!suffix) suffix = strstr(symbol, "_pt");
    return suffix ? (size_t)(suffix - symbol) : length;
}

/* The newest row of that name which is old enough; of the refused ones, whichever comes last. */
static const struct emu_entry *find_entry(const char *name, int version, bool *known) {
    const struct emu_entry *best = NULL;
    size_t length = strlen(name);
    *known = false;
    for (size_t i = 0; i < emu_entry_count; i++) {
        const struct emu_entry *entry = &emu_entries[i];
        bool refused = !entry->version;
        bool same = refused ? base_length(entry->symbol) == length && !strncmp(entry->symbol, name, length)
                            : !strcmp(entry->name, name);
        if (!same) continue;
        if (!refused) *known = true;
        if (refused && (*known || best)) continue; /* an old form of an entry that is there */
        if (entry->version <= version && (!best || entry->version >= best->version)) best = entry;
    }
    if (best && !best->version) *known = true;
    return best;
}

CUresult emu_cuGetProcAddress_v2(const char *symbol, void **function, int version, cuuint64_t flags,
                                 CUdriverProcAddressQueryResult *status) {
    int current;
    emu_cuDriverGetVersion(&current);
    if (!symbol || !function || version > current || flags > CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM)
        return CUDA_ERROR_INVALID_VALUE;
    bool known;
    const struct emu_entry *entry = find_entry(symbol, version, &known);
    *function = entry ? entry->address : NULL;
    int found = entry   ? CU_GET_PROC_ADDRESS_SUCCESS
                : known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                        : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    if (status) *status = found; /* then the status is the error: so does the real one [H200] */
    return entry || status ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

CUresult emu_cuGetProcAddress(const char *symbol, void **function, int version, cuuint64_t flags) {
    return emu_cuGetProcAddress_v2(symbol, function, version, flags, NULL);
}

CUresult emu_cuGetExportTable(const void **table, const CUuuid *id) {
    if (!table || !id) return CUDA_ERROR_INVALID_VALUE;
    *table = NULL; /* private tables of NVIDIA's own libraries; there is nothing to answer them with */
    return CUDA_ERROR_NOT_SUPPORTED;
}

/* ---- reports ---- */

static char last_report[16384];

void emu_report_quietly(const char *text) { snprintf(last_report, sizeof last_report, "%s", text); }

/* Appends at once, so that it is there however the process ends. */
static void append(const char *text, const char *end) {
    FILE *file = *emu_driver.config.report ? fopen(emu_driver.config.report, "a") : NULL;
    if (!file) return;
    fprintf(file, "%s%s", text, end);
    fclose(file);
}

void emu_report_launch(void) {
    static bool said;
    if (!said) append("\n", "");
    said = true;
}

void emu_report(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(last_report, sizeof last_report, format, arguments);
    va_end(arguments);
    size_t length = strlen(last_report);
    append(last_report, "\f\n");
    const char *end = length && last_report[length - 1] == '\n' ? "" : "\n";
    fprintf(stderr, "warploom: emulated device: %s%s", last_report, end);
}

const char *wlemu_last_report(void) { return last_report; }
