/* ptxas_log: from a line of PTX back to the line of the template that wrote it. */
#include "gen/ptxas.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Start of line `line` (from 1), NULL past the end. */
static const char *line_start(const char *text, int line) {
    while (--line > 0 && text) {
        text = strchr(text, '\n');
        if (text) text++;
    }
    return text;
}

/* The name that `.file number "name"` gives. */
static int file_name(const char *ptx, int number, char *file, size_t file_bytes) {
    for (const char *at = ptx; (at = strstr(at, ".file")); at += 5) {
        char *end;
        if (at > ptx && at[-1] != '\n' && !isblank((unsigned char)at[-1])) continue;
        if (strtol(at + 5, &end, 10) != number || end == at + 5) continue;
        end += strspn(end, " \t");
        if (*end != '"') continue;
        snprintf(file, file_bytes, "%.*s", (int)strcspn(end + 1, "\"\n"), end + 1);
        return 1;
    }
    return 0;
}

int wl_ptx_origin(const char *ptx, int line, char *file, size_t file_bytes, int *template_line) {
    const char *at = line_start(ptx, line), *loc = NULL;
    if (!at) return 0;
    for (const char *p = ptx; p <= at;) { /* the last .loc at or before the line */
        const char *word = p + strspn(p, " \t");
        if (!strncmp(word, ".loc", 4) && isblank((unsigned char)word[4])) loc = word + 4;
        p = strchr(p, '\n');
        if (!p) break;
        p++;
    }
    if (!loc) return 0;
    char *end;
    long number = strtol(loc, &end, 10), source = strtol(end, NULL, 10);
    if (!file_name(ptx, (int)number, file, file_bytes)) return 0;
    *template_line = (int)source;
    return 1;
}

/* "ptxas kernel.ptx, line 8; error   : what" -> 8 and what. */
static const char *first_error(const char *log, int *line) {
    for (const char *at = log; (at = strstr(at, "line ")); at++) {
        char *end;
        long number = strtol(at + 5, &end, 10);
        if (strncmp(end, "; error", 7) && strncmp(end, "; fatal", 7)) continue;
        const char *colon = strchr(end, ':');
        if (!colon) continue;
        *line = (int)number;
        return colon + 1 + strspn(colon + 1, " ");
    }
    return NULL;
}

enum wl_status wl_ptx_diagnose(const char *ptx, const char *log, enum wl_status status,
                               struct wl_error *error) {
    char file[256] = "";
    int line = 0, template_line = 0;
    const char *what = first_error(log, &line);
    if (!what) return wl_fail(error, status, NULL, 0, "ptxas", "refused the PTX\n%.2500s", log);
    const char *text = line_start(ptx, line);
    if (!text) text = "";
    text += strspn(text, " \t");
    wl_ptx_origin(ptx, line, file, sizeof file, &template_line);
    return wl_fail(error, status, file, template_line, "ptxas", "%.*s (PTX line %d: %.*s)\n%.2200s",
                   (int)strcspn(what, "\n"), what, line, (int)strcspn(text, "\n"), text, log);
}
