/* fuzz: what a tests/fuzz_*.c gives, and tests/fuzzer.c drives.
 *
 * The driver mutates seeds (bit flips, cuts, splices, words put in) for some seconds under ASan and UBSan. On
 * a crash the input is left in build/fuzz/NAME.crash and `build/fuzz/NAME FILE` replays it. With clang's
 * libFuzzer the same file links without the driver. */
#ifndef WL_FUZZ_H
#define WL_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size); /* returns 0; a bug aborts */

/* Writes the index-th seed into out and returns its size; 0 past the last one. */
size_t wl_fuzz_seed(size_t index, uint8_t *out, size_t room);

extern const char *const wl_fuzz_words[]; /* put into inputs now and then; ends with NULL */

#endif
