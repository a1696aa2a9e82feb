/* insn: the rows of insn.def as a table, and the matcher of their patterns. */
#include "runtime/emu/insn.h"

#include <stddef.h>
#include <string.h>

const struct emu_row emu_rows[] = {
#define WL_INSN(id, pattern, operands, scope, isa, semantics)                                                \
    {#id, pattern, operands, isa, EMU_SCOPE_##scope, semantics},
#define WL_DECODE(semantics, decoder)
#include "runtime/emu/insn.def"
#undef WL_INSN
#undef WL_DECODE
    {NULL, NULL, NULL, NULL, EMU_SCOPE_LANE, NULL},
};
const uint32_t emu_row_count = sizeof emu_rows / sizeof emu_rows[0] - 1;

static const struct {
    emu_sem_fn *fn;
    emu_decode_fn *decode;
} decoders[] = {
#define WL_INSN(id, pattern, operands, scope, isa, semantics)
#define WL_DECODE(semantics, decoder) {semantics, decoder},
#include "runtime/emu/insn.def"
#undef WL_INSN
#undef WL_DECODE
    {NULL, NULL},
};

/* Numbering of groups while walking a pattern: next free number, and the brace whose first angle is still to
 * come. */
struct groups {
    int next, open;
};

static int group_of(struct groups *g, char bracket) {
    if (bracket == '{') return g->open = g->next++;
    int k = g->open >= 0 ? g->open : g->next++;
    g->open = -1;
    return k;
}

/* Behind the brace that starts at p; counts the groups inside as absent. */
static const char *skip_brace(const char *p, struct groups *g, uint8_t *mod) {
    int depth = 0;
    for (;; p++) {
        if (*p == '{' || *p == '<') {
            int k = group_of(g, *p);
            if (k < EMU_MAX_MODS) mod[k] = 0;
            depth += *p == '{';
        } else if (*p == '}') {
            g->open = -1;
            if (--depth == 0) return p + 1;
        }
    }
}

static bool match(const char *p, const char *s, struct groups g, uint8_t *mod);

/* Tries the alternatives of the angle that starts at p. */
static bool match_angle(const char *p, const char *s, struct groups g, uint8_t *mod) {
    int k = group_of(&g, '<');
    const char *end = strchr(p, '>');
    uint8_t choice = 1;
    for (const char *alt = p + 1; alt <= end; choice++) {
        size_t length = strcspn(alt, "|>");
        if (strncmp(alt, s, length) == 0) {
            if (match(end + 1, s + length, g, mod)) {
                mod[k] = choice;
                return true;
            }
        }
        alt += length + 1;
    }
    return false;
}

static bool match(const char *p, const char *s, struct groups g, uint8_t *mod) {
    for (;; p++, s++) {
        while (*p == '}') {
            g.open = -1;
            p++;
        }
        if (*p == '<') return match_angle(p, s, g, mod);
        if (*p == '{') {
            struct groups inside = g, behind = g;
            int k = group_of(&inside, '{');
            if (match(p + 1, s, inside, mod)) {
                if (mod[k] == 0) mod[k] = 1;
                return true;
            }
            /* what the failed try left in mod is overwritten: groups in the brace become 0, later ones are
             * set again */
            p = skip_brace(p, &behind, mod);
            return match(p, s, behind, mod);
        }
        if (*p != *s) return false;
        if (*p == '\0') return true;
    }
}

static size_t base_length(const char *text) { return strcspn(text, ".{<"); }

const struct emu_row *emu_row_match_next(const struct emu_row *after, const char *mnemonic,
                                         uint8_t mod[EMU_MAX_MODS]) {
    size_t base = base_length(mnemonic);
    for (const struct emu_row *row = after ? after + 1 : emu_rows; row->id; row++) {
        if (strncmp(row->pattern, mnemonic, base) != 0 || base_length(row->pattern) != base) continue;
        memset(mod, 0, EMU_MAX_MODS);
        if (match(row->pattern, mnemonic, (struct groups){0, -1}, mod)) return row;
    }
    return NULL;
}

const struct emu_row *emu_row_match(const char *mnemonic, uint8_t mod[EMU_MAX_MODS]) {
    return emu_row_match_next(NULL, mnemonic, mod);
}

emu_decode_fn *emu_row_decoder(const struct emu_row *row) {
    for (size_t i = 0; decoders[i].fn; i++)
        if (decoders[i].fn == row->fn) return decoders[i].decode;
    return NULL;
}

static bool has_word(const char *mnemonic, const char *word) {
    size_t length = strlen(word);
    for (const char *s = strchr(mnemonic, '.'); s; s = strchr(s + 1, '.'))
        if (strncmp(s + 1, word, length) == 0 && (s[length + 1] == '.' || s[length + 1] == '\0')) return true;
    return false;
}

const char *emu_row_refused(const char *mnemonic) {
    static const struct {
        const char *start, *word, *reason;
    } rows[] = {
#define WL_REFUSED(start, word, reason) {start, word, reason},
#include "runtime/emu/insn_refused.def"
#undef WL_REFUSED
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t length = strlen(rows[i].start);
        bool starts = strncmp(mnemonic, rows[i].start, length) == 0 &&
                      (rows[i].word || !mnemonic[length] || !strchr("_:", mnemonic[length]));
        if (starts && (!rows[i].word || has_word(mnemonic, rows[i].word))) return rows[i].reason;
    }
    return NULL;
}

bool emu_row_known_base(const char *mnemonic) {
    size_t base = base_length(mnemonic);
    for (const struct emu_row *row = emu_rows; row->id; row++)
        if (strncmp(row->pattern, mnemonic, base) == 0 && base_length(row->pattern) == base) return true;
    return false;
}
