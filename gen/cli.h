/* cli: the command line. A command is a row of the table in cli.c; its options are a table of rows that fill
 * a struct; usage text, parsing, range checks and "did you mean" derive from the rows.
 *
 * Exit codes: 0 right, 1 wrong result, 2 bad usage or input, 3 the environment lacks something
 * (wl_exit_code). */
#ifndef WL_CLI_H
#define WL_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "gen/arena.h"
#include "gen/error.h"
#include "gen/schedule.h"

enum wl_cli_kind {
    WL_CLI_FLAG,   /* bool */
    WL_CLI_INT,    /* int64_t, lo..hi */
    WL_CLI_NUMBER, /* double, lo..hi */
    WL_CLI_TEXT,   /* const char *, from argv */
    WL_CLI_CHOICE, /* int, the index in "a|b|c" */
    WL_CLI_TEXTS,  /* struct wl_cli_texts: may be given again and again */
};
struct wl_cli_texts {
    const char *at[32];
    int count;
};

struct wl_cli_option {
    const char *name; /* "--seq-q", or "-o" */
    enum wl_cli_kind kind;
    size_t offset;     /* of its field in the command's values */
    const char *value; /* how usage names it ("N", "FILE"); the choices of a WL_CLI_CHOICE */
    double lo, hi;
    const char *doc;
};

/* What a command works on: its values filled, the words that are no options. */
struct wl_cli_call {
    const void *values;
    const char *const *words;
    int word_count;
};

struct wl_cli_command {
    const char *name, *arguments, *doc;
    const struct wl_cli_option *options; /* ends with name == NULL */
    const void *defaults;                /* values_bytes; copied before parsing */
    size_t values_bytes;
    int words_min, words_max; /* -1: any number */
    bool keep_dashes;         /* "--" is a word, too, and what is behind it no options */
    enum wl_status (*run)(const struct wl_cli_call *call, struct wl_error *error);
};

extern const struct wl_cli_command wl_cli_emit, wl_cli_explain, wl_cli_sass, wl_cli_run, wl_cli_bench,
    wl_cli_check, wl_cli_tune, wl_cli_list, wl_cli_which,
    wl_cli_emu, wl_cli_cache, wl_cli_pack;

/* Parses argv[0..argc) (after the command's name) into values and words (room for argc). *help: --help was
 * given. */
enum wl_status wl_cli_parse(const struct wl_cli_command *command, int argc, char **argv, void *values,
                            const char **words, int *word_count, bool *help, struct wl_error *error);
void wl_cli_usage(const struct wl_cli_command *command, struct wl_text *out);

/* The entry of `names` (ends with NULL) that is the fewest edits from `word`, NULL where none is near. */
const char *wl_cli_nearest(const char *word, const char *const *names);

/* Writes to stdout, or into `path` where it is not NULL. */
enum wl_status wl_cli_output(const char *path, const struct wl_text *text, struct wl_error *error);

/* "1024,4096" into numbers of 1 to 2^31 - 1; at most `room`. */
enum wl_status wl_cli_numbers(const char *option, const char *text, int64_t *out, int room, int *count,
                              struct wl_error *error);

double wl_cli_now_ms(void); /* monotonic */

/* "163.5 kB" */
const char *wl_cli_bytes(double bytes, char *out, size_t out_bytes);

#endif
