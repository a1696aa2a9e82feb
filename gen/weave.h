/* weave: lines of PTX text in, PTX with the way back to each line's template out.
 *
 * A `.loc FILE LINE 0` goes before an instruction whose template line is not that of the instruction before.
 * It goes between statements only: the text is followed just closely enough to know blocks from vectors,
 * statements that span lines, labels and directives. Runs of blank lines, and blank lines at the ends of
 * blocks, are dropped; four blanks of indentation become a tab; a comment line that has been written before (a
 * function's, at its second use) is left out. */
#ifndef WL_WEAVE_H
#define WL_WEAVE_H

#include <stdbool.h>
#include <stdint.h>
#include "gen/arena.h"

#define WL_WEAVE_MAX_COMMENTS 256 /* those beyond are written each time */

struct wl_weave {
    struct wl_text *out;
    int depth; /* of blocks; 0 is the module */
    int nest;  /* of braces inside the statement */
    bool in_statement, in_comment;
    bool blank_pending, after_open;
    char last; /* last character that was not blank */
    int loc_file, loc_line;
    size_t files_at; /* offset in out where the .file rows go */
    bool files_placed;
    uint64_t comments[WL_WEAVE_MAX_COMMENTS]; /* hashes of the comment lines written */
    int comment_count;
};

void wl_weave_init(struct wl_weave *weave,
                   struct wl_text *out); /* all zero beside out: out is the caller's */

/* Appends one line without its line end. file: the template's .file number, 0 = never write a .loc for it.
 * Returns whether a .loc was written. */
bool wl_weave_line(struct wl_weave *weave, int file, int line, const char *text, size_t length);

/* Inserts the .file rows: where the line `.files` stood, else at the end. */
void wl_weave_files(struct wl_weave *weave, const char *const *names, int count);

#endif
