/* insn_order: modifiers in another order than the manual prints them. ptxas takes them in any [ptxas 13.0],
 * and the manual's own examples use that: ld.global.relaxed.gpu.u32, min.s16x2.relu, red.global.v2.f32.add.
 *
 * Types keep their order among themselves, and so do state spaces and layouts: what they mean depends on it.
 */
#include <stdio.h>
#include <string.h>

#include "runtime/emu/insn.h"

enum { WORDS = 16, WORD_BYTES = 48 };
enum class { FREE, TYPE, PLACE };

struct words {
    uint32_t count; /* word[0] is the instruction */
    char word[WORDS][WORD_BYTES];
};

static enum class class_of(const char *word) {
    static const char *const places[] = {"global", "shared", "local", "const", "param", "row", "col"};
    static const char digits[] = "0123456789";
    for (size_t i = 0; i < sizeof places / sizeof *places;
         i++) if (strncmp(word, places[i], strlen(places[i])) == 0) return PLACE;
    if (strcmp(word, "pred") == 0) return TYPE;
    size_t letters = strspn(word, "usbfte"); /* u8 s16x2 b128 f32 bf16 tf32 e4m3 ue8m0x2 */
    return letters && letters <= 2 && word[letters] && strchr(digits, word[letters]) ? TYPE : FREE;
}

static bool split(const char *mnemonic, struct words *w) {
    w->count = 0;
    for (const char *p = mnemonic; *p; w->count++) {
        size_t length = strcspn(p, ".");
        if (w->count == WORDS || !length || length >= WORD_BYTES) return false;
        memcpy(w->word[w->count], p, length);
        w->word[w->count][length] = '\0';
        p += length + (p[length] == '.');
    }
    return w->count > 2;
}

static bool fits(const struct words *w, char *out, size_t out_bytes) {
    uint8_t mod[EMU_MAX_MODS];
    size_t at = 0;
    for (uint32_t i = 0; i < w->count && at < out_bytes; i++)
        at += (size_t)snprintf(out + at, out_bytes - at, "%s%s", i ? "." : "", w->word[i]);
    return at < out_bytes && emu_row_match(out, mod);
}

/* Word `from` to the place `to`, unless it would pass one of its own class. */
static bool move(const struct words *w, uint32_t from, uint32_t to, struct words *moved) {
    enum class own = class_of(w->word[from]);
    uint32_t low = from < to ? from + 1 : to, high = from < to ? to : from - 1;
    for (uint32_t i = low; own != FREE && i <= high; i++)
        if (class_of(w->word[i]) == own) return false;
    *moved = *w;
    memmove(moved->word[from], moved->word[from + 1], (w->count - 1 - from) * WORD_BYTES);
    memmove(moved->word[to + 1], moved->word[to], (w->count - 1 - to) * WORD_BYTES);
    memcpy(moved->word[to], w->word[from], WORD_BYTES);
    return true;
}

static bool search(const struct words *w, int moves, char *out, size_t out_bytes) {
    struct words moved;
    if (moves == 0) return fits(w, out, out_bytes);
    for (uint32_t from = 1; from < w->count; from++)
        for (uint32_t to = 1; to < w->count; to++)
            if (from != to && move(w, from, to, &moved) && search(&moved, moves - 1, out, out_bytes))
                return true;
    return false;
}

bool emu_row_reorder(const char *mnemonic, char *out, size_t out_bytes) {
    struct words w;
    if (!emu_row_known_base(mnemonic) || !split(mnemonic, &w) || w.count > 10) return false;
    return search(&w, 1, out, out_bytes) || search(&w, 2, out, out_bytes);
}
