/* config: the emulated driver's environment variables. A value that is none of the legal ones is an error,
 * not a default: whoever set it wanted something. */
#include "runtime/emu/api.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *variable(const char *name) {
    const char *value = getenv(name);
    return value && *value ? value : NULL;
}

static bool number(const char *text, uint64_t *value) {
    char *end;
    errno = 0;
    *value = strtoull(text, &end, 0);
    return *text >= '0' && *text <= '9' && !*end && !errno;
}

static bool read_device(struct emu_config *config, const char *value) {
    config->profile = value ? emu_profile_find(value) : NULL;
    return config->profile || !value;
}

static bool read_order(struct emu_config *config, const char *value) {
    config->order = EMU_ORDER_EAGER;
    if (!value || !strcmp(value, "eager")) return true;
    config->order = EMU_ORDER_LATE;
    if (!strcmp(value, "late")) return true;
    config->order = EMU_ORDER_RANDOM;
    return !strncmp(value, "random:", 7) && number(value + 7, &config->seed);
}

static bool read_check(struct emu_config *config, const char *value) {
    static const char *const values[] = {"0", "1", "error", "strict"};
    static const enum emu_check checks[] = {EMU_CHECK_OFF, EMU_CHECK_ERROR, EMU_CHECK_ERROR, EMU_CHECK_STRICT};
    config->check = EMU_CHECK_OFF;
    if (!value) return true;
    for (int i = 0; i < 4; i++) {
        config->check = checks[i];
        if (!strcmp(value, values[i])) return true;
    }
    return false;
}

static bool read_timeout(struct emu_config *config, const char *value) {
    char *end = NULL;
    double seconds = value ? strtod(value, &end) : 0;
    if (value && (end == value || *end || !(seconds >= 0) || seconds > 1e9)) return false;
    config->timeout_ms = (uint64_t)ceil(seconds * 1000);
    return true;
}

static bool read_threads(struct emu_config *config, const char *value) {
    uint64_t threads = 0;
    if (value && (!number(value, &threads) || threads < 1 || threads > 4096)) return false;
    config->threads = (uint32_t)threads;
    return true;
}

static bool read_report(struct emu_config *config, const char *value) {
    if (value && strlen(value) >= sizeof config->report) return false;
    snprintf(config->report, sizeof config->report, "%s", value ? value : "");
    return true;
}

static bool read_hmm(struct emu_config *config, const char *value) {
    config->hmm = !value || !strcmp(value, "1");
    return config->hmm || !strcmp(value, "0");
}

static const struct row {
    const char *name, *legal;
    bool (*read)(struct emu_config *config, const char *value); /* value NULL: not set */
} rows[] = {
    {"WARPLOOM_EMU_DEVICE", "b200, h100 or a100", read_device},
    {"WARPLOOM_EMU_ORDER", "eager, late or random:SEED (SEED a 64-bit number)", read_order},
    {"WARPLOOM_EMU_CHECK", "0, 1 (or error) or strict", read_check},
    {"WARPLOOM_EMU_TIMEOUT", "seconds, 0 for no limit", read_timeout},
    {"WARPLOOM_EMU_THREADS", "1 to 4096 host threads", read_threads},
    {"WARPLOOM_EMU_REPORT", "a path of less than 512 bytes", read_report},
    {"WARPLOOM_EMU_HMM", "1 (kernels reach memory of malloc, as where Linux has heterogeneous memory management) or 0", read_hmm},
};

bool emu_config_read(struct emu_config *config, char *why, size_t why_bytes) {
    *config = (struct emu_config){0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *value = variable(rows[i].name);
        if (rows[i].read(config, value)) continue;
        snprintf(why, why_bytes, "%s=%s: must be %s", rows[i].name, value, rows[i].legal);
        return false;
    }
    return true;
}
