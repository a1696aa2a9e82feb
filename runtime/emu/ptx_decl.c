/* ptx_decl: declarations of registers, variables and parameters, with their initial values. PTX ISA 9.1
 * section 5.4. */
#include "runtime/emu/ptx_parser.h"

#include <string.h>

#define MAX_DIMENSIONS   8
#define MAX_OBJECT_BYTES (1ull << 40)
#define MAX_INIT_BYTES   (1ull << 28)

/* clang-format off */
static const struct ptx_type types[] = {
    {"pred", 0},  {"b8", 1},    {"u8", 1},     {"s8", 1},    {"b16", 2},   {"u16", 2},
    {"s16", 2},   {"f16", 2},   {"bf16", 2},   {"b32", 4},   {"u32", 4},   {"s32", 4},
    {"f32", 4},   {"tf32", 4},  {"b64", 8},    {"u64", 8},   {"s64", 8},   {"f64", 8},
    {"b128", 16}, {"f16x2", 4}, {"bf16x2", 4}, {"u16x2", 4}, {"s16x2", 4}, {"f32x2", 8},
};
/* clang-format on */

bool ptx_type_find(const char *text, uint32_t length, struct ptx_type *type) {
    for (size_t k = 0; k < sizeof types / sizeof types[0]; k++)
        if (strlen(types[k].name) == length && memcmp(types[k].name, text, length) == 0) {
            *type = types[k];
            return true;
        }
    return false;
}

static bool at_type(const struct ptx_parser *p, struct ptx_type *type) {
    return p->token.kind == PTX_TOK_WORD && p->token.length > 1 && p->token.text[0] == '.' &&
           ptx_type_find(p->token.text + 1, p->token.length - 1, type);
}

static const struct {
    const char *text;
    enum ptx_space space;
} spaces[] = {
    {".reg", PTX_REG},       {".param", PTX_PARAM}, {".shared", PTX_SHARED},
    {".global", PTX_GLOBAL}, {".const", PTX_CONST}, {".local", PTX_LOCAL},
};

static int space_at(const struct ptx_parser *p) {
    for (size_t k = 0; k < sizeof spaces / sizeof spaces[0]; k++)
        if (ptx_is(p, spaces[k].text)) return (int)k;
    return -1;
}

bool ptx_at_space(const struct ptx_parser *p) { return space_at(p) >= 0; }

/* What stands between the space and the name. */
struct head {
    struct ptx_var model;
    uint32_t vector; /* 1, 2, 4, 8 */
};

static uint32_t power_of_two(struct ptx_parser *p) {
    uint32_t n = ptx_expect_count(p, "an alignment", 1u << 20);
    if (n == 0 || (n & (n - 1))) ptx_fail(p, "alignment %u is not a power of two", n);
    return n;
}

static void skip_attribute(
    struct ptx_parser *p) { /* .attribute(.managed) and the like: unified memory is plain memory here */
    ptx_expect(p, "(");
    while (!ptx_accept(p, ")")) {
        if (p->token.kind == PTX_TOK_END) ptx_fail(p, "')' is wanted");
        ptx_next(p);
    }
}

/* .ptr .space .align N of a kernel parameter: what the pointer points to, of no use here */
static void skip_pointer_attributes(struct ptx_parser *p) {
    if (!ptx_accept(p, ".ptr")) return;
    if (space_at(p) >= 0) ptx_next(p);
    if (ptx_accept(p, ".align")) power_of_two(p);
}

static struct head head(struct ptx_parser *p) {
    struct head h = {.vector = 1};
    int space = space_at(p);
    if (space < 0) ptx_fail(p, "a state space is wanted");
    h.model.space = spaces[space].space;
    ptx_next(p);
    ptx_accept(p, "::cta");
    bool typed = false;
    while (p->token.kind == PTX_TOK_WORD && p->token.text[0] == '.') {
        struct ptx_type type;
        if (ptx_accept(p, ".align")) h.model.align = power_of_two(p);
        else if (ptx_accept(p, ".attribute")) skip_attribute(p);
        else if (ptx_accept(p, ".v2")) h.vector = 2;
        else if (ptx_accept(p, ".v4")) h.vector = 4;
        else if (ptx_accept(p, ".v8")) h.vector = 8;
        else if (ptx_is(p, ".ptr")) skip_pointer_attributes(p);
        else if (!typed && at_type(p, &type)) {
            h.model.type = type;
            typed = true;
            ptx_next(p);
        } else ptx_fail(p, "'%.*s' has no place in a declaration", (int)p->token.length, p->token.text);
    }
    if (!typed) ptx_fail(p, "a type is wanted");
    if (h.model.space != PTX_REG && h.model.type.bytes == 0) ptx_fail(p, ".pred is for registers only");
    if (h.model.space == PTX_REG && h.vector != 1) ptx_fail(p, "vector registers are not supported");
    return h;
}

/* ---- arrays and initial values ---- */

struct shape {
    uint64_t extent[MAX_DIMENSIONS]; /* elements; [0] = 0: to be found from the initial value */
    uint32_t count;
};

static struct shape dimensions(struct ptx_parser *p, const struct head *h) {
    struct shape s = {.count = 0};
    uint64_t total = h->model.type.bytes;
    while (ptx_accept(p, "[")) {
        if (s.count == MAX_DIMENSIONS - 1) ptx_fail(p, "more than %d array dimensions", MAX_DIMENSIONS - 1);
        uint64_t n = 0;
        if (!ptx_is(p, "]")) {
            int64_t v = ptx_expr(p);
            if (v < 0) ptx_fail(p, "an array cannot have %lld elements", (long long)v);
            n = (uint64_t)v;
        } else if (s.count) ptx_fail(p, "only the first dimension may be left open");
        ptx_expect(p, "]");
        if (n > MAX_OBJECT_BYTES || total * (n ? n : 1) > MAX_OBJECT_BYTES)
            ptx_fail(p, "array of more than 2^40 bytes");
        total *= n ? n : 1;
        s.extent[s.count++] = n;
    }
    if (h->vector > 1) s.extent[s.count++] = h->vector;
    return s;
}

struct filler {
    struct ptx_var *var;
    uint8_t *bytes;
    uint64_t size, capacity; /* size grows where the first dimension is open */
    bool open;
};

static uint8_t *element(struct ptx_parser *p, struct filler *f, uint64_t at) {
    uint32_t bytes = f->var->type.bytes;
    if (at + bytes > f->size) {
        if (!f->open) ptx_fail(p, "more initial values than '%s' has elements", f->var->name);
        f->size = at + bytes;
    }
    if (f->size > f->capacity) {
        uint64_t capacity = f->size * 2 > MAX_INIT_BYTES ? f->size : f->size * 2;
        if (capacity > MAX_INIT_BYTES) ptx_fail(p, "initial value of more than 2^28 bytes");
        uint8_t *grown = ptx_alloc(p, capacity);
        if (f->bytes) memcpy(grown, f->bytes, f->capacity);
        f->bytes = grown;
        f->capacity = capacity;
    }
    return f->bytes + at;
}

static void address_value(struct ptx_parser *p, struct filler *f, uint64_t at) {
    bool generic = ptx_accept(p, "generic");
    if (generic) ptx_expect(p, "(");
    const char *name = ptx_expect_name(p, "a variable");
    struct ptx_name *n = ptx_name_find(p, p->scope, name);
    if (!n || n->kind != PTX_NAME_VAR || (n->var->space != PTX_GLOBAL && n->var->space != PTX_CONST))
        ptx_fail(p, "'%s' is no .global or .const variable: its address is no constant", name);
    if (f->var->type.bytes != 8) ptx_fail(p, "an address needs an eight-byte element");
    int64_t addend = 0;
    if (ptx_is(p, "+") || ptx_is(p, "-")) addend = ptx_expr(p);
    if (generic) ptx_expect(p, ")");
    if (generic && (ptx_is(p, "+") || ptx_is(p, "-"))) addend += ptx_expr(p);
    struct ptx_reloc *r = ptx_alloc(p, sizeof *r);
    element(p, f, at);
    *r = (struct ptx_reloc){f->var->relocs, at, n->var, addend};
    f->var->relocs = r;
}

static void value(struct ptx_parser *p, struct filler *f, uint64_t at) {
    const struct ptx_type *type = &f->var->type;
    bool negative = false, is_float = type->name[0] == 'f';
    if (p->token.kind == PTX_TOK_WORD && !ptx_is(p, "WARP_SZ")) {
        address_value(p, f, at);
        return;
    }
    struct ptx_lexer lexer = p->lexer;
    struct ptx_token token = p->token;
    if (ptx_is(p, "-") || ptx_is(p, "+")) {
        negative = ptx_is(p, "-");
        ptx_next(p);
    }
    if (p->token.kind != PTX_TOK_FLOAT) { /* the sign belongs to an expression: read it again */
        p->lexer = lexer;
        p->token = token;
        int64_t v = ptx_expr(p);
        if (is_float) {
            if (type->bytes != 4 && type->bytes != 8)
                ptx_fail(p, "a .%s wants its bits: declare it .b16", type->name);
            double d = (double)v;
            float s = (float)d;
            memcpy(element(p, f, at), type->bytes == 4 ? (void *)&s : (void *)&d, type->bytes);
        } else memcpy(element(p, f, at), &v, type->bytes > 8 ? 8 : type->bytes);
        return;
    }
    double d = negative ? -p->token.f : p->token.f;
    float s = (float)d;
    if (type->bytes == 4) memcpy(element(p, f, at), &s, 4);
    else if (type->bytes == 8) memcpy(element(p, f, at), &d, 8);
    else ptx_fail(p, "a floating-point constant does not fit .%s", type->name);
    ptx_next(p);
}

static void fill(struct ptx_parser *p, struct filler *f, const struct shape *s, uint32_t level, uint64_t at) {
    if (level == s->count) {
        value(p, f, at);
        return;
    }
    uint64_t step = f->var->type.bytes;
    for (uint32_t k = level + 1; k < s->count; k++) step *= s->extent[k];
    ptx_expect(p, "{");
    for (uint64_t k = 0; !ptx_is(p, "}"); k++) {
        if (s->extent[level] && k == s->extent[level])
            ptx_fail(p, "more initial values than '%s' has elements", f->var->name);
        fill(p, f, s, level + 1, at + k * step);
        if (!ptx_accept(p, ",")) break;
    }
    ptx_expect(p, "}");
}

static void initialise(struct ptx_parser *p, struct ptx_var *var, const struct shape *s) {
    if (var->space != PTX_GLOBAL && var->space != PTX_CONST)
        ptx_fail(p, "only .global and .const variables have initial values");
    struct filler f = {.var = var, .size = var->bytes, .open = s->count && s->extent[0] == 0};
    if (f.open) f.size = 0;
    if (f.size > MAX_INIT_BYTES) ptx_fail(p, "initial value of more than 2^28 bytes");
    f.capacity = f.size;
    if (f.size) f.bytes = ptx_alloc(p, f.size);
    fill(p, &f, s, 0, 0);
    if (f.open && s->count > 1) { /* whole rows */
        uint64_t row = var->type.bytes;
        for (uint32_t k = 1; k < s->count; k++) row *= s->extent[k];
        f.size = row ? (f.size + row - 1) / row * row : 0;
        if (f.size) element(p, &f, f.size - var->type.bytes);
    }
    var->init = f.bytes;
    var->bytes = f.size;
}

/* ---- declarations ---- */

static void range(struct ptx_parser *p, const struct head *h, const char *prefix) {
    if (h->model.space != PTX_REG && h->model.space != PTX_PARAM && h->model.space != PTX_LOCAL)
        ptx_fail(p, "numbered names are for registers, parameters and local variables");
    uint32_t count = ptx_expect_count(p, "a number of registers", 1u << 24);
    ptx_expect(p, ">");
    struct ptx_range *r = ptx_alloc(p, sizeof *r);
    *r = (struct ptx_range){p->scope->ranges, prefix, (uint32_t)strlen(prefix), count, h->model};
    r->model.bytes = h->model.type.bytes;
    r->model.pos = ptx_here(p);
    if (r->model.align == 0) r->model.align = r->model.type.bytes;
    p->scope->ranges = r;
}

static struct ptx_var *new_var(struct ptx_parser *p, const struct head *h, const char *name,
                               struct ptx_pos pos) {
    struct ptx_var *var = ptx_alloc(p, sizeof *var);
    *var = h->model;
    var->name = name;
    var->pos = pos;
    return var;
}

static struct shape size_it(struct ptx_parser *p, const struct head *h, struct ptx_var *var) {
    struct shape s = dimensions(p, h);
    var->bytes = var->type.bytes;
    for (uint32_t k = 0; k < s.count; k++) var->bytes *= s.extent[k];
    uint32_t natural = var->type.bytes * h->vector;
    if (var->align < natural && (h->model.align == 0 || h->model.space == PTX_REG))
        var->align = natural ? natural : 1;
    return s;
}

/* A second declaration of a module variable is fine where one of the two is .extern. */
static bool joins_earlier(struct ptx_parser *p, struct ptx_var *var) {
    struct ptx_name *n = ptx_name_here(p, var->name);
    if (!n || n->kind != PTX_NAME_VAR || p->function || n->var->space != var->space) return false;
    if (!n->var->external && !var->external) return false;
    if (n->var->external && !var->external) {
        struct ptx_pos pos = n->var->pos;
        *n->var = *var;
        n->var->pos = pos;
    }
    return true;
}

static void enter(struct ptx_parser *p, struct ptx_var *var) {
    bool of_module = !p->function || var->space == PTX_GLOBAL || var->space == PTX_CONST;
    if (joins_earlier(p, var)) return;
    ptx_name_add(p, var->name, PTX_NAME_VAR, var->pos)->var = var;
    if (of_module) {
        struct ptx_module *m = p->module;
        m->variables =
            ptx_grow(p, m->variables, m->variable_count, &p->variable_capacity, sizeof *m->variables);
        m->variables[m->variable_count++] = var;
    } else ptx_local_add(p, var);
}

void ptx_declaration(struct ptx_parser *p, bool external) {
    struct ptx_pos start = ptx_here(p);
    struct head h = head(p);
    h.model.external = external;
    if (!p->function &&
        (h.model.space == PTX_REG || h.model.space == PTX_PARAM || h.model.space == PTX_LOCAL))
        ptx_fail_at(p, start,
                    "a register, parameter or local variable cannot be declared outside a function");
    do {
        struct ptx_pos pos = ptx_here(p);
        const char *name = ptx_expect_name(p, "a name");
        if (ptx_accept(p, "<")) {
            range(p, &h, name);
            continue;
        }
        struct ptx_var *var = new_var(p, &h, name, pos);
        struct shape s = size_it(p, &h, var);
        if (var->space == PTX_REG && s.count) ptx_fail(p, "registers have no dimensions");
        if (ptx_accept(p, "=")) initialise(p, var, &s);
        else if (var->bytes == 0 && var->space != PTX_REG && !external && s.count)
            ptx_fail_at(p, pos, "'%s' has no size", name);
        enter(p, var);
    } while (ptx_accept(p, ","));
    ptx_expect(p, ";");
}

struct ptx_var *ptx_parameter(struct ptx_parser *p) {
    struct head h = head(p);
    struct ptx_pos pos = ptx_here(p);
    const char *name = ptx_expect_name(p, "a parameter's name");
    struct ptx_var *var = new_var(p, &h, name, pos);
    size_it(p, &h, var);
    return var;
}
