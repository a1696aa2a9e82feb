/* weave: see weave.h. */
#include "gen/weave.h"

#include <ctype.h>
#include <string.h>
#include <xxhash.h>

void wl_weave_init(struct wl_weave *weave, struct wl_text *out) { *weave = (struct wl_weave){.out = out}; }

static bool is_word(char c) { return isalnum((unsigned char)c) || c == '_' || c == '$' || c == '%'; }

/* Length of "NAME:" at text, 0 where there is no label ("a::b" is part of an instruction's name). */
static size_t label_length(const char *text, const char *end) {
    const char *p = text;
    while (p < end && is_word(*p)) p++;
    if (p == text || p == end || *p != ':') return 0;
    return p + 1 < end && p[1] == ':' ? 0 : (size_t)(p + 1 - text);
}

static bool starts_with(const char *text, const char *end, const char *word) {
    size_t length = strlen(word);
    return (size_t)(end - text) >= length && memcmp(text, word, length) == 0;
}

/* At the start of a statement. Returns how many characters were taken; sets *instruction where one begins
 * here. */
static size_t begin_statement(struct wl_weave *weave, const char *p, const char *end, bool *instruction) {
    size_t label = weave->depth ? label_length(p, end) : 0;
    if (label) return label;
    if (*p == '{') weave->depth++;
    else if (*p == '}') {
        if (weave->depth > 0 && --weave->depth == 0) weave->loc_file = 0; /* next entry starts afresh */
    } else if (*p != ';') {
        /* .loc and .file end with their line, all other statements with a ';' or a block */
        if (starts_with(p, end, ".loc") || starts_with(p, end, ".file")) return (size_t)(end - p);
        weave->in_statement = true;
        if (*p != '.' && weave->depth) *instruction = true;
    }
    return 1;
}

static void continue_statement(struct wl_weave *weave, char c) {
    if (c == '{' && weave->depth == 0 && weave->nest == 0 && weave->last != '=') { /* an entry's body */
        weave->depth = 1;
        weave->in_statement = false;
    } else if (c == '{') weave->nest++;
    else if (c == '}' && weave->nest) weave->nest--;
    else if (c == ';' && weave->nest == 0) weave->in_statement = false;
}

/* Follows a line's text; returns whether an instruction begins in it. */
static bool follow(struct wl_weave *weave, const char *p, const char *end) {
    bool instruction = false;
    while (p < end) {
        if (weave->in_comment) {
            weave->in_comment = !starts_with(p, end, "*/");
            p += weave->in_comment ? 1 : 2;
        } else if (starts_with(p, end, "//")) {
            break;
        } else if (starts_with(p, end, "/*")) {
            weave->in_comment = true;
            p += 2;
        } else if (*p == '"') {
            const char *quote = memchr(p + 1, '"', (size_t)(end - p - 1));
            p = quote ? quote + 1 : end;
        } else if (isspace((unsigned char)*p)) {
            p++;
        } else {
            char c = *p;
            if (weave->in_statement) continue_statement(weave, *p++);
            else p += begin_statement(weave, p, end, &instruction);
            weave->last = c;
        }
    }
    return instruction;
}

/* Whether a comment line is to be left out: it has been written before. */
static bool repeats(struct wl_weave *weave, const char *first, const char *end) {
    if (weave->in_statement || weave->in_comment || !starts_with(first, end, "//")) return false;
    uint64_t hash = XXH3_64bits(first, (size_t)(end - first));
    for (int i = 0; i < weave->comment_count; i++)
        if (weave->comments[i] == hash) return true;
    if (weave->comment_count < WL_WEAVE_MAX_COMMENTS) weave->comments[weave->comment_count++] = hash;
    return false;
}

static void indent(struct wl_text *out, size_t blanks) {
    for (; blanks >= 4; blanks -= 4) wl_text_append(out, "\t", 1);
    wl_text_append(out, "   ", blanks);
}

bool wl_weave_line(struct wl_weave *weave, int file, int line, const char *text, size_t length) {
    while (length && isspace((unsigned char)text[length - 1])) length--;
    const char *first = text, *end = text + length;
    while (first < end && isspace((unsigned char)*first)) first++;
    if (first == end) {
        weave->blank_pending = weave->out->length > 0 && !weave->after_open;
        return false;
    }
    if (weave->depth == 0 && (size_t)(end - first) == strlen(".files") && starts_with(first, end, ".files")) {
        weave->files_at = weave->out->length;
        weave->files_placed = true;
        return false;
    }
    if (repeats(weave, first, end)) return false;
    if (weave->blank_pending && *first != '}') wl_text_append(weave->out, "\n", 1);
    weave->blank_pending = false;
    bool at_start = !weave->in_statement && !weave->in_comment;
    bool instruction = follow(weave, first, end) && at_start;
    bool moved = instruction && file && (file != weave->loc_file || line != weave->loc_line);
    if (moved) {
        wl_text_printf(weave->out, ".loc %d %d 0\n", file, line);
        weave->loc_file = file;
        weave->loc_line = line;
    }
    size_t blanks = 0;
    while (blanks < length && text[blanks] == ' ') blanks++;
    indent(weave->out, blanks);
    wl_text_append(weave->out, text + blanks, length - blanks);
    wl_text_append(weave->out, "\n", 1);
    weave->after_open = length && end[-1] == '{';
    return moved;
}

void wl_weave_files(struct wl_weave *weave, const char *const *names, int count) {
    struct wl_text *out = weave->out, rows = {0};
    size_t end = out->length, at = weave->files_placed ? weave->files_at : end;
    for (int i = 0; i < count; i++) wl_text_printf(&rows, ".file %d \"%s\"\n", i + 1, names[i]);
    wl_text_append(out, rows.bytes, rows.length); /* makes room; what lies behind `at` then moves down */
    if (rows.failed) out->failed = 1;
    if (!out->failed && rows.length) {
        memmove(out->bytes + at + rows.length, out->bytes + at, end - at);
        memcpy(out->bytes + at, rows.bytes, rows.length);
    }
    wl_text_fini(&rows);
}
