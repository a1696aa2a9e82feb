/* lane_forms: every instruction form that the LANE rows of insn.def stand for, as kernels with made-up
 * operands, and the inputs that all of them get. A GPU and the emulator run the same text on the same bits.
 */
#ifndef LANE_FORMS_H
#define LANE_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "runtime/emu/insn.h"

#define LANE_THREADS 2048 /* 64 blocks of 32 */
#define LANE_SOURCES 5    /* 64-bit words of input a thread; 4 32-bit words of output */

/* Calls fn with every mnemonic that the row's pattern stands for. */
typedef void lane_form_fn(void *user, const struct emu_row *row, const char *mnemonic);
void lane_forms(const struct emu_row *row, lane_form_fn *fn, void *user);

/* Whether a row's operands can be made up: registers, predicates, immediates. */
bool lane_row_fits(const struct emu_row *row);

/* The text of an entry `name`(.param .u64 in, .param .u64 out) that applies the form; false: it does not fit.
 */
bool lane_entry(const struct emu_row *row, const char *mnemonic, const char *name, char *out,
                size_t out_bytes);

/* in[LANE_SOURCES][LANE_THREADS], the same every time: special values of all types, and random bits. */
void lane_inputs(uint64_t *in);

/* The next 64 of such bits. */
uint64_t lane_word(uint64_t *state);

/* Hash of a list of forms, begun with LANE_NAMES and told of each in order. */
#define LANE_NAMES 14695981039346656037ull
uint64_t lane_name(uint64_t hash, const struct emu_row *row, const char *mnemonic);

/* Hash of out[4][LANE_THREADS]. */
uint64_t lane_hash(const uint32_t *out);

#endif
