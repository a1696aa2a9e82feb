/* ptx_expr: integer constant expressions (PTX ISA 9.1 section 4.5.4), by precedence. Unsigned and signed
 * constants are told apart only by division, remainder, comparison and right shift, which here act on signed
 * values. */
#include "runtime/emu/ptx_parser.h"

#include <string.h>

static int64_t ternary(struct ptx_parser *p);

static int64_t primary(struct ptx_parser *p) {
    if (ptx_accept(p, "(")) {
        /* casts (.s64) and (.u64) change nothing in 64-bit two's complement */
        if (p->token.kind == PTX_TOK_WORD && (ptx_accept(p, ".s64") || ptx_accept(p, ".u64"))) {
            ptx_expect(p, ")");
            return primary(p);
        }
        ptx_deeper(p);
        int64_t v = ternary(p);
        p->depth--;
        ptx_expect(p, ")");
        return v;
    }
    static const char unary[] = "+-!~";
    if (p->token.kind == PTX_TOK_PUNCT && p->token.length == 1 && strchr(unary, p->token.text[0])) {
        char op = p->token.text[0];
        ptx_next(p);
        ptx_deeper(p);
        int64_t v = primary(p);
        p->depth--;
        return op == '+' ? v : op == '-' ? (int64_t)(0 - (uint64_t)v) : op == '!' ? !v : ~v;
    }
    if (ptx_accept(p, "WARP_SZ")) return 32;
    if (p->token.kind != PTX_TOK_INT) ptx_fail(p, "an integer constant is wanted");
    int64_t v = (int64_t)p->token.i;
    ptx_next(p);
    return v;
}

static const struct {
    char text[3];
    uint8_t level;
} operators[] = {
    {"*", 10}, {"/", 10}, {"%", 10}, {"+", 9},  {"-", 9}, {"<<", 8}, {">>", 8}, {"<", 7},  {">", 7},
    {"<=", 7}, {">=", 7}, {"==", 6}, {"!=", 6}, {"&", 5}, {"^", 4},  {"|", 3},  {"&&", 2}, {"||", 1},
};

static int operator_at(const struct ptx_parser *p) {
    if (p->token.kind != PTX_TOK_PUNCT) return -1;
    for (size_t k = 0; k < sizeof operators / sizeof operators[0]; k++)
        if (ptx_is(p, operators[k].text)) return (int)k;
    return -1;
}

static int64_t apply(struct ptx_parser *p, const char *op, int64_t a, int64_t b) {
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    if (op[1]) {
        if (op[0] == '<' && op[1] == '<') return ub > 63 ? 0 : (int64_t)(ua << ub);
        if (op[0] == '>' && op[1] == '>') return ub > 63 ? (a < 0 ? -1 : 0) : a >> b;
        switch (op[0]) {
        case '<': return a <= b;
        case '>': return a >= b;
        case '=': return a == b;
        case '!': return a != b;
        case '&': return a && b;
        default: return a || b;
        }
    }
    switch (op[0]) {
    case '*': return (int64_t)(ua * ub);
    case '+': return (int64_t)(ua + ub);
    case '-': return (int64_t)(ua - ub);
    case '<': return a < b;
    case '>': return a > b;
    case '&': return a & b;
    case '^': return a ^ b;
    case '|': return a | b;
    default: break;
    }
    if (b == 0) ptx_fail(p, "division by zero in a constant expression");
    if (b == -1) return op[0] == '/' ? (int64_t)(0 - ua) : 0;
    return op[0] == '/' ? a / b : a % b;
}

static int64_t binary(struct ptx_parser *p, int level) {
    int64_t v = primary(p);
    for (;;) {
        int k = operator_at(p);
        if (k < 0 || operators[k].level < level) return v;
        ptx_next(p);
        ptx_deeper(p);
        int64_t right = binary(p, operators[k].level + 1);
        p->depth--;
        v = apply(p, operators[k].text, v, right);
    }
}

static int64_t ternary(struct ptx_parser *p) {
    int64_t v = binary(p, 1);
    if (!ptx_accept(p, "?")) return v;
    ptx_deeper(p);
    int64_t yes = ternary(p);
    ptx_expect(p, ":");
    int64_t no = ternary(p);
    p->depth--;
    return v ? yes : no;
}

int64_t ptx_expr(struct ptx_parser *p) { return ternary(p); }
