/* ptx_lex: see ptx_lex.h. PTX ISA 9.1 sections 4.1 to 4.5. */
#include "runtime/emu/ptx_lex.h"

#include <stdlib.h>
#include <string.h>

void ptx_lex_init(struct ptx_lexer *lexer, const char *text, size_t bytes) {
    const char *nul =
        bytes ? memchr(text, 0, bytes) : NULL; /* drivers are handed terminated texts with the terminator */
    *lexer = (struct ptx_lexer){text, nul ? nul : text + bytes, text, 1};
}

static bool is_alpha(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_word(char c) { return is_alpha(c) || is_digit(c); }

static int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static char peek(const struct ptx_lexer *l, size_t ahead) {
    return (size_t)(l->end - l->at) > ahead ? l->at[ahead] : '\0';
}

static void newline(struct ptx_lexer *l) {
    l->line++;
    l->line_start = l->at + 1;
}

/* Skips blanks and comments; false, with *at where it starts, at a comment without an end. */
static bool skip_blank(struct ptx_lexer *l, struct ptx_token *at) {
    for (; l->at < l->end; l->at++) {
        char c = *l->at;
        if (c == '\n') newline(l);
        else if (c == '/' && peek(l, 1) == '/') {
            while (l->at + 1 < l->end && l->at[1] != '\n') l->at++;
        } else if (c == '/' && peek(l, 1) == '*') {
            at->line = l->line;
            at->column = (uint32_t)(l->at - l->line_start) + 1;
            l->at += 2;
            while (l->at < l->end && !(*l->at == '*' && peek(l, 1) == '/')) {
                if (*l->at == '\n') newline(l);
                l->at++;
            }
            if (l->at >= l->end) return false;
            l->at++;
        } else if (c != ' ' && c != '\t' && c != '\r' && c != '\f' && c != '\v') break;
    }
    return true;
}

static struct ptx_token bad(struct ptx_token t, const char *why) {
    t.kind = PTX_TOK_BAD;
    t.text = why;
    return t;
}

/* ".x" is one word; "a.b::c" too, but a single ':' ends it (a label) */
static void lex_word(struct ptx_lexer *l) {
    bool dotted = *l->at == '.';
    l->at++;
    for (;;) {
        char c = peek(l, 0);
        if (is_word(c)) l->at++;
        else if (c == '.' && !dotted && is_word(peek(l, 1))) l->at++;
        else if (c == ':' && peek(l, 1) == ':' && is_word(peek(l, 2))) l->at += 2;
        else return;
    }
}

static struct ptx_token lex_hex_float(struct ptx_lexer *l, struct ptx_token t) {
    int digits = (l->at[1] | 32) == 'f' ? 8 : 16;
    l->at += 2;
    for (int k = 0; k < digits; k++, l->at++) {
        int v = hex_value(peek(l, 0));
        if (v < 0)
            return bad(t, digits == 8 ? "0f needs eight hexadecimal digits"
                                      : "0d needs sixteen hexadecimal digits");
        t.i = t.i << 4 | (uint64_t)v;
    }
    if (is_word(peek(l, 0))) return bad(t, "too many digits in a floating-point constant");
    t.kind = PTX_TOK_FLOAT;
    t.float_bits = digits * 4;
    if (digits == 8) {
        uint32_t bits = (uint32_t)t.i;
        float f;
        memcpy(&f, &bits, sizeof f);
        t.f = f;
    } else memcpy(&t.f, &t.i, sizeof t.f);
    return t;
}

static struct ptx_token lex_decimal_float(struct ptx_lexer *l, struct ptx_token t, const char *start) {
    char text[64], *end;
    while (is_digit(peek(l, 0)) || peek(l, 0) == '.') l->at++;
    if ((peek(l, 0) | 32) == 'e') {
        l->at++;
        if (peek(l, 0) == '+' || peek(l, 0) == '-') l->at++;
        while (is_digit(peek(l, 0))) l->at++;
    }
    size_t length = (size_t)(l->at - start);
    if (length >= sizeof text) return bad(t, "floating-point constant too long");
    memcpy(text, start, length);
    text[length] = '\0';
    t.f = strtod(text, &end);
    if (*end || is_word(peek(l, 0))) return bad(t, "malformed floating-point constant");
    t.kind = PTX_TOK_FLOAT;
    return t;
}

static struct ptx_token lex_number(struct ptx_lexer *l, struct ptx_token t) {
    const char *start = l->at;
    char second = (char)(peek(l, 1) | 32);
    if (*start == '0' && (second == 'f' || second == 'd')) return lex_hex_float(l, t);
    unsigned base = 10;
    if (*start == '0' && (second == 'x' || (second == 'b' && hex_value(peek(l, 2)) >= 0))) {
        base = second == 'x' ? 16 : 2;
        l->at += 2;
        if (hex_value(peek(l, 0)) < 0) return bad(t, "a number needs digits");
    } else {
        const char *s = start;
        while (s < l->end && is_digit(*s)) s++;
        if (s < l->end && (*s == '.' || (*s | 32) == 'e')) return lex_decimal_float(l, t, start);
        if (*start == '0') base = 8;
    }
    for (;; l->at++) {
        int v = hex_value(peek(l, 0));
        if (v < 0 || (unsigned)v >= base) break;
        if (t.i > (UINT64_MAX - (unsigned)v) / base)
            return bad(t, "integer constant needs more than 64 bits");
        t.i = t.i * base + (unsigned)v;
    }
    if (peek(l, 0) == 'U') l->at++;
    if (is_word(peek(l, 0))) return bad(t, "malformed number");
    t.kind = PTX_TOK_INT;
    return t;
}

static struct ptx_token lex_string(struct ptx_lexer *l, struct ptx_token t) {
    const char *start = ++l->at;
    while (l->at < l->end && *l->at != '"' && *l->at != '\n')
        l->at += *l->at == '\\' && peek(l, 1) != '\n' ? 2 : 1;
    if (l->at >= l->end || *l->at != '"') return bad(t, "string without an end");
    t.kind = PTX_TOK_STRING;
    t.text = start;
    t.length = (uint32_t)(l->at++ - start);
    return t;
}

struct ptx_token ptx_lex(struct ptx_lexer *l) {
    struct ptx_token t = {.kind = PTX_TOK_END};
    if (!skip_blank(l, &t)) return bad(t, "comment without an end");
    t.line = l->line;
    t.column = (uint32_t)(l->at - l->line_start) + 1;
    t.text = l->at;
    if (l->at >= l->end) {
        l->at = l->end;
        return t;
    }
    char c = *l->at, next = peek(l, 1);
    if (is_digit(c)) {
        t = lex_number(l, t);
    } else if (c == '"') {
        return lex_string(l, t);
    } else if (is_alpha(c) || ((c == '.' || c == '%') && is_word(next))) {
        t.kind = PTX_TOK_WORD;
        lex_word(l);
    } else {
        static const char *const pairs[] = {"<<", ">>", "<=", ">=", "==", "!=", "&&", "||"};
        t.kind = PTX_TOK_PUNCT;
        l->at++;
        for (size_t k = 0; k < sizeof pairs / sizeof pairs[0]; k++)
            if (c == pairs[k][0] && next == pairs[k][1]) {
                l->at++;
                break;
            }
        if (c < 0x20 || c > 0x7e) return bad(t, "a character that PTX has no use for");
    }
    if (t.kind != PTX_TOK_BAD) t.length = (uint32_t)(l->at - t.text);
    return t;
}
