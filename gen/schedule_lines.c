/* schedule_lines: see schedule_lines.h. Just enough of Lua's lexer to tell names, strings, numbers and signs.
 */
#include "gen/schedule_lines.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum kind { END, NAME, STRING, NUMBER, SIGN };

struct token {
    enum kind kind;
    const char *text; /* a short string without its quotes */
    size_t length;
    int line;
};

struct lexer {
    const char *p, *end;
    int line;
};

/* The length of "[[" or "[==[" at p, 0 for none. */
static size_t long_open(const struct lexer *lexer, const char *p) {
    const char *q = p;
    if (q == lexer->end || *q++ != '[') return 0;
    while (q < lexer->end && *q == '=') q++;
    return q < lexer->end && *q == '[' ? (size_t)(q + 1 - p) : 0;
}

static void skip_long(struct lexer *lexer, size_t open) {
    for (lexer->p += open; lexer->p < lexer->end; lexer->p++) {
        if (*lexer->p == '\n') lexer->line++;
        if (*lexer->p != ']' || (size_t)(lexer->end - lexer->p) < open || lexer->p[open - 1] != ']') continue;
        if (strspn(lexer->p + 1, "=") != open - 2) continue;
        lexer->p += open;
        return;
    }
}

static void skip_blanks(struct lexer *lexer) {
    while (lexer->p < lexer->end) {
        if (isspace((unsigned char)*lexer->p)) {
            if (*lexer->p++ == '\n') lexer->line++;
        } else if (lexer->end - lexer->p >= 2 && lexer->p[0] == '-' && lexer->p[1] == '-') {
            size_t open = long_open(lexer, lexer->p + 2);
            lexer->p += 2;
            if (open) skip_long(lexer, open);
            else
                while (lexer->p < lexer->end && *lexer->p != '\n') lexer->p++;
        } else {
            return;
        }
    }
}

static void take_string(struct lexer *lexer, struct token *token) {
    char quote = *lexer->p++;
    token->kind = STRING;
    token->text = lexer->p;
    while (lexer->p < lexer->end && *lexer->p != quote && *lexer->p != '\n') {
        if (*lexer->p == '\\' && lexer->p + 1 < lexer->end && *++lexer->p == '\n') lexer->line++;
        lexer->p++;
    }
    token->length = (size_t)(lexer->p - token->text);
    if (lexer->p < lexer->end && *lexer->p == quote) lexer->p++;
}

static struct token next(struct lexer *lexer) {
    skip_blanks(lexer);
    struct token token = {.kind = END, .text = lexer->p, .line = lexer->line};
    if (lexer->p == lexer->end) return token;
    size_t open = long_open(lexer, lexer->p);
    char c = *lexer->p;
    if (c == '"' || c == '\'') {
        take_string(lexer, &token);
        return token;
    }
    token.kind = isdigit((unsigned char)c) ? NUMBER : isalpha((unsigned char)c) || c == '_' ? NAME : SIGN;
    if (open) skip_long(lexer, open); /* a long string: a sign to us, nobody writes keys so */
    else if (token.kind == SIGN)
        lexer->p += lexer->end - lexer->p >= 2 && strchr("=~<>", c) && lexer->p[1] == '=' ? 2 : 1;
    else
        while (lexer->p < lexer->end && (isalnum((unsigned char)*lexer->p) || *lexer->p == '_' ||
                                         (token.kind == NUMBER && *lexer->p == '.')))
            lexer->p++;
    token.length = (size_t)(lexer->p - token.text);
    return token;
}

static bool is_sign(const struct token *token, const char *signs) {
    return token->kind == SIGN && token->length == 1 && strchr(signs, token->text[0]);
}

static bool is_text(const struct token *token, const char *text) {
    return token->length == strlen(text) && memcmp(token->text, text, token->length) == 0;
}

/* Whether `token`, where it is a whole value (a separator follows), is another value than this. */
static bool contradicts(const struct token *token, const struct token *after,
                        const struct wl_field_value *value) {
    char digits[64];
    if (!value || !(is_sign(after, ",;}") || after->kind == END || after->kind == NAME)) return false;
    if (token->kind == STRING && memchr(token->text, '\\', token->length))
        return false; /* not worth decoding */
    if (token->kind == STRING) return value->kind != WL_VALUE_TEXT || !is_text(token, value->text);
    if (token->kind == NAME && (is_text(token, "true") || is_text(token, "false")))
        return value->kind != WL_VALUE_BOOL || (token->text[0] == 't') != (value->number != 0);
    if (token->kind != NUMBER || token->length >= sizeof digits) return false;
    memcpy(digits, token->text, token->length);
    digits[token->length] = '\0';
    return value->kind != WL_VALUE_NUMBER || strtod(digits, NULL) != value->number;
}

/* t[0..4] are tokens in a row; returns how many of them are a key and its '=', 0 for none. */
static int assigns(const struct token *t, const struct token *before, int depth, const char *key) {
    if (t[0].kind == NAME && is_text(&t[0], key) && is_sign(&t[1], "="))
        return is_sign(before, ".") || (depth > 0 && is_sign(before, "{,;")) ? 2 : 0;
    if (is_sign(&t[0], "[") && t[1].kind == STRING && is_text(&t[1], key) && is_sign(&t[2], "]") &&
        is_sign(&t[3], "="))
        return 4;
    return 0;
}

int wl_schedule_line_of(const char *text, size_t bytes, const char *key, const struct wl_field_value *value) {
    struct lexer lexer = {.p = text, .end = text + bytes, .line = 1};
    struct token before = {.kind = SIGN, .text = ";", .length = 1}, t[6];
    int depth = 0, best_depth = INT_MAX, line = 0;
    for (int i = 0; i < 6; i++) t[i] = next(&lexer);
    while (t[0].kind != END) {
        int used = assigns(t, &before, depth, key);
        if (used && depth <= best_depth && !contradicts(&t[used], &t[used + 1], value)) {
            best_depth = depth;
            line = t[0].line;
        }
        if (is_sign(&t[0], "{")) depth++;
        if (is_sign(&t[0], "}")) depth--;
        before = t[0];
        memmove(t, t + 1, 5 * sizeof t[0]);
        t[5] = next(&lexer);
    }
    return line;
}
