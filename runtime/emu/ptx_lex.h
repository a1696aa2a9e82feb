/* ptx_lex: PTX text to tokens. A word is an identifier, a register, a whole mnemonic
 * ("cp.async.bulk.shared::cta") or, where it starts with a dot, one directive or type (".reg"); comments
 * vanish. */
#ifndef EMU_PTX_LEX_H
#define EMU_PTX_LEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ptx_token_kind {
    PTX_TOK_END,
    PTX_TOK_WORD,
    PTX_TOK_INT,
    PTX_TOK_FLOAT,
    PTX_TOK_STRING,
    PTX_TOK_PUNCT,
    PTX_TOK_BAD
};

struct ptx_token {
    enum ptx_token_kind kind;
    const char *text; /* in the source, not terminated; PUNCT: "<<" etc. are one token; BAD: what is wrong
                         (terminated) */
    uint32_t length;
    uint32_t line, column;
    uint64_t i;     /* INT; FLOAT written 0f/0d: the bits */
    double f;       /* FLOAT */
    int float_bits; /* FLOAT: 32 or 64 for 0f/0d, 0 for decimal */
};

struct ptx_lexer {
    const char *at, *end, *line_start;
    uint32_t line;
};

void ptx_lex_init(struct ptx_lexer *lexer, const char *text, size_t bytes);
struct ptx_token ptx_lex(struct ptx_lexer *lexer);

#endif
