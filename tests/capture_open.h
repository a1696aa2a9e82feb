/* capture_open: where the emulator and what an H200 gave (tests/captures) differ. A row of insn.def of which such a form is a
 * lane form, or that has no other, is unproven. */
#ifndef CAPTURE_OPEN_H
#define CAPTURE_OPEN_H

#include <stddef.h>

struct capture_open {
    const char *text; /* forms that have it in their mnemonic or PTX are not compared */
    const char *why;
};

extern const struct capture_open capture_opens[];
extern const size_t capture_open_count;

const struct capture_open *capture_open(const char *text); /* NULL: it has to be equal */

#endif
