#include "tests/mutants.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows: a word of the line, and what is done to it ---- */

enum change {
    REMOVE,
    COUNT_UP,    /* the last number + 1 */
    COUNT_DOWN,  /* the last number - 1 */
    HALVE,       /* the last number: bytes */
    FLIP_PARITY, /* of a wait: the third operand */
    NO_WAIT,     /* a wait says that it is over */
    ASK_ONCE,    /* a wait's branch back is removed: it asks once, and a try_wait may give up */
};
static const char *const change_names[] = {"removed",      "one more",      "one less", "half",
                                           "other parity", "does not wait", "asks once"};

static const struct {
    const char *word;
    enum change change;
} rows[] = {
    /* clang-format off */
    {"fence",                       REMOVE},     {"tcgen05.wait",                REMOVE},
    {"tcgen05.commit",              REMOVE},     {"mbarrier.arrive",             REMOVE},
    {"mbarrier.arrive.expect_tx",   HALVE},      {"mbarrier.arrive.expect_tx",   COUNT_UP},
    {"mbarrier.init",               COUNT_UP},   {"mbarrier.init",               COUNT_DOWN},
    {"mbarrier.init",               REMOVE},     {"mbarrier.try_wait",           FLIP_PARITY},
    {"mbarrier.try_wait",           NO_WAIT},
    {"bra WAIT",                    ASK_ONCE},  {"bar.sync",                    REMOVE},
    {"bar.warp.sync",               REMOVE},     {"bar.arrive",                  REMOVE},
    {"cp.async.bulk.commit_group",  REMOVE},     {"cp.async.bulk.wait_group",    REMOVE},
    {"cp.async.bulk.wait_group",    COUNT_UP},   {"cp.async.wait_group",         REMOVE},
    {"wgmma.fence",                 REMOVE},     {"wgmma.commit_group",          REMOVE},
    {"wgmma.wait_group",            REMOVE},     {"wgmma.wait_group",            COUNT_UP},
    {"barrier.cluster",             REMOVE},     {"griddepcontrol.wait",         REMOVE},
    /* clang-format on */
};

/* ---- a line ---- */

/* Behind blanks and a guard. */
static const char *instruction(const char *line) {
    while (isspace((unsigned char)*line)) line++;
    if (*line != '@') return line;
    while (*line && !isspace((unsigned char)*line)) line++;
    while (isspace((unsigned char)*line)) line++;
    return line;
}

static bool has_word(const char *line, const char *word) {
    const char *start = instruction(line);
    if (strncmp(word, "bra", 3) == 0)
        return strncmp(start, word, strlen(word)) == 0 && strstr(line, "@!%done");
    if (strncmp(start, word, strlen(word)) == 0) return true;
    return strcmp(word, "fence") == 0 && strncmp(start, "tcgen05.fence", 13) == 0;
}

/* The last number of the line, in operands. */
static char *last_number(char *line) {
    char *end = line + strlen(line), *at = end;
    while (at > line && !isdigit((unsigned char)at[-1])) at--;
    while (at > line && isdigit((unsigned char)at[-1])) at--;
    return at > line && isspace((unsigned char)at[-1]) ? at : NULL;
}

static bool change_number(const char *line, enum change change, char *out, size_t bytes) {
    char copy[256], *number;
    snprintf(copy, sizeof copy, "%s", line);
    if (!(number = last_number(copy))) return false;
    char *rest;
    long value = strtol(number, &rest, 10);
    long changed = change == HALVE ? value / 2 : change == COUNT_UP ? value + 1 : value - 1;
    if (change == COUNT_UP && strstr(line, "expect_tx")) changed = value + 16;
    if (changed < 0 || (changed == 0 && strstr(line, "mbarrier.init"))) return false;
    snprintf(out, bytes, "%.*s%ld%s", (int)(number - copy), copy, changed, rest);
    return true;
}

/* "... [address], %parity, hint;": the parity through a register of its own. */
static bool flip_parity(const char *line, char *out, size_t bytes) {
    const char *bracket = strchr(line, ']'), *parity = bracket ? bracket + 1 : NULL;
    if (!parity || *parity != ',') return false;
    while (*parity == ',' || isspace((unsigned char)*parity)) parity++;
    size_t length = strcspn(parity, ",;");
    return snprintf(out, bytes, "{ .reg .b32 %%mutant; xor.b32 %%mutant, %.*s, 1; %.*s%%mutant%s }",
                    (int)length, parity, (int)(parity - line), line, parity + length) < (int)bytes;
}

static bool change_line(const char *line, enum change change, char *out, size_t bytes) {
    switch (change) {
    case REMOVE:
    case ASK_ONCE: *out = '\0'; return true;
    case NO_WAIT: return snprintf(out, bytes, "setp.eq.u32 %%done, 0, 0;") < (int)bytes;
    case FLIP_PARITY: return flip_parity(line, out, bytes);
    default: return change_number(line, change, out, bytes);
    }
}

/* ---- the text ---- */

struct place { /* on the way through it */
    int line, file;
    char where[48];
};

static struct mutant *add(struct mutants *all) {
    if (all->count == all->capacity) {
        size_t capacity = all->capacity ? 2 * all->capacity : 64;
        struct mutant *list = wl_realloc(all->list, capacity * sizeof *list);
        if (!list) return NULL;
        all->list = list, all->capacity = capacity;
    }
    struct mutant *m = &all->list[all->count++];
    *m = (struct mutant){0};
    return m;
}

static bool mutate_line(struct mutants *all, size_t index, const struct place *place) {
    char *line = all->lines[index];
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        struct mutant *m;
        if (!has_word(line, rows[r].word)) continue;
        if (!(m = add(all))) return false;
        m->ptx_line = (int)index + 1;
        m->line = place->line;
        m->file = all->files[place->file] ? all->files[place->file] : "PTX";
        snprintf(m->where, sizeof m->where, "%s", place->where);
        const char *shown = instruction(line);
        for (size_t k = index; rows[r].change == ASK_ONCE && k > 0 && strncmp(shown, "mbarrier", 8) != 0;)
            shown = instruction(all->lines[--k]); /* the wait that it belongs to */
        snprintf(m->what, sizeof m->what, "%s: %s", change_names[rows[r].change], shown);
        m->nth = 1;
        for (size_t k = 0; k + 1 < all->count; k++)
            m->nth += strcmp(all->list[k].where, m->where) == 0 && strcmp(all->list[k].what, m->what) == 0;
        if (!change_line(line, rows[r].change, m->text, sizeof m->text)) all->count--;
    }
    return true;
}

/* Labels, .file and .loc. */
static void note_place(struct mutants *all, char *line, struct place *place) {
    int file, number;
    char name[200];
    size_t length = strspn(line, " \t"), end = length + strcspn(line + length, " \t:");
    if (sscanf(line, ".loc %d %d", &file, &number) == 2 && file >= 0 && file < 64)
        place->file = file, place->line = number;
    if (sscanf(line, ".file %d \"%199[^\"]", &file, name) == 2 && file >= 0 && file < 64)
        all->files[file] = strdup(name);
    if (line[end] == ':' && line[end + 1] == '\0' && strncmp(line + length, "WAIT", 4) != 0)
        snprintf(place->where, sizeof place->where, "%.*s", (int)(end - length), line + length);
}

static bool cut(struct mutants *all, const char *ptx) {
    size_t lines = 1;
    for (const char *p = ptx; *p; p++) lines += *p == '\n';
    all->copy = strdup(ptx);
    all->lines = calloc(lines, sizeof *all->lines);
    if (!all->copy || !all->lines) return false;
    for (char *p = all->copy; p; all->line_count++) {
        char *end = strchr(p, '\n');
        all->lines[all->line_count] = p;
        if (end) *end++ = '\0';
        p = end;
    }
    return true;
}

bool mutants_find(struct mutants *all, const char *ptx) {
    struct place place = {0};
    *all = (struct mutants){0};
    if (!cut(all, ptx)) return false;
    for (size_t i = 0; i < all->line_count; i++) {
        note_place(all, all->lines[i], &place);
        if (!mutate_line(all, i, &place)) return false;
    }
    return true;
}

void mutants_apply(const struct mutants *all, size_t index, struct wl_text *ptx) {
    const struct mutant *m = &all->list[index];
    for (size_t i = 0; i < all->line_count; i++)
        wl_text_printf(ptx, "%s\n", (int)i + 1 == m->ptx_line ? m->text : all->lines[i]);
}

void mutants_fini(struct mutants *all) {
    for (size_t i = 0; i < sizeof all->files / sizeof *all->files; i++) free((char *)all->files[i]);
    free(all->copy);
    free(all->lines);
    wl_free(all->list);
}
