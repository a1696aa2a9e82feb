/* mutants: the ways in which one synchronisation of a PTX text can be removed or weakened. */
#ifndef MUTANTS_H
#define MUTANTS_H

#include <stdbool.h>
#include <stddef.h>

#include "gen/arena.h"

struct mutant {
    int ptx_line, line; /* in the PTX, and in the template file that .loc names */
    const char *file;
    char where[48]; /* the last label before it */
    char what[160]; /* "removed: tcgen05.wait::ld.sync.aligned;" */
    int nth;        /* of those with the same where and what, from 1 */
    char text[256]; /* what stands in place of that line */
};

struct mutants {
    struct mutant *list;
    size_t count, capacity;
    char **lines;
    size_t line_count;
    char *copy; /* of the text, cut into lines */
    const char *files[64];
};

bool mutants_find(struct mutants *all, const char *ptx); /* false: no memory */
void mutants_apply(const struct mutants *all, size_t index, struct wl_text *ptx);
void mutants_fini(struct mutants *all);

#endif
