/* fuzzer: a small mutating driver for tests/fuzz_*.c, so that `make fuzz` needs no more than a C compiler.
 *
 *     build/fuzz/NAME [--seconds N] [--seed S] [FILE...]     FILEs are replayed instead */
#include "tests/fuzz.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_BYTES  (64 * 1024)
#define CORPUS_COUNT 256

static uint8_t input[INPUT_BYTES];
static size_t input_size;
static char crash_path[512];

static uint64_t state;
static uint64_t next(uint64_t bound) { /* splitmix64 */
    uint64_t z = state += 0x9e3779b97f4a7c15ull;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return bound ? (z ^ z >> 31) % bound : 0;
}

static void keep_crash(void) {
    FILE *file = fopen(crash_path, "wb");
    if (!file) return;
    fwrite(input, 1, input_size, file);
    fclose(file);
    fprintf(stderr, "fuzz: the input is in %s\n", crash_path);
}

static void on_abort(int number) {
    keep_crash();
    signal(number, SIG_DFL);
    raise(number);
}

#if defined(__SANITIZE_ADDRESS__)
void __sanitizer_set_death_callback(void (*callback)(void));
#endif

static struct {
    uint8_t *bytes;
    size_t size;
} corpus[CORPUS_COUNT];
static size_t corpus_count, corpus_kept; /* kept: the first ones are the seeds, never replaced */

static void corpus_add(const uint8_t *bytes, size_t size) {
    size_t slot =
        corpus_count < CORPUS_COUNT ? corpus_count++ : corpus_kept + next(CORPUS_COUNT - corpus_kept);
    uint8_t *copy = malloc(size + 1);
    if (!copy) return;
    memcpy(copy, bytes, size);
    free(corpus[slot].bytes);
    corpus[slot].bytes = copy;
    corpus[slot].size = size;
}

/* Replaces input[at, at + cut) by bytes. */
static void splice(size_t at, size_t cut, const void *bytes, size_t size) {
    if (input_size - cut + size > INPUT_BYTES) return;
    uint8_t copy[4096];
    if (size > sizeof copy) size = sizeof copy;
    memcpy(copy, bytes, size); /* bytes may lie in input */
    memmove(input + at + size, input + at + cut, input_size - at - cut);
    memcpy(input + at, copy, size);
    input_size += size - cut;
}

static void mutate(void) {
    size_t at = next(input_size + 1), left = input_size - at;
    size_t span = next((left < 64 ? left : 64) + 1);
    size_t words = 0, other;
    uint8_t byte = (uint8_t)next(256);
    while (wl_fuzz_words[words]) words++;
    const char *word = words ? wl_fuzz_words[next(words)] : "";
    switch (next(8)) {
    case 0:
        if (left) input[at] ^= (uint8_t)(1u << next(8));
        break;
    case 1:
        if (left) input[at] = byte;
        break;
    case 2: splice(at, 0, &byte, 1); break;
    case 3: splice(at, span, "", 0); break;
    case 4: splice(at, next(2) ? span : 0, word, strlen(word)); break;
    case 5: splice(next(input_size + 1), 0, input + at, span); break;
    case 6:
        other = next(corpus_count);
        if (corpus[other].size) {
            size_t from = next(corpus[other].size);
            splice(at, span, corpus[other].bytes + from, next(corpus[other].size - from + 1));
        }
        break;
    case 7:
        if (!next(8)) input_size = at;
        break;
    }
}

static int replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        return 2;
    }
    input_size = fread(input, 1, sizeof input, file);
    fclose(file);
    LLVMFuzzerTestOneInput(input, input_size);
    printf("%s: %zu bytes, no crash\n", path, input_size);
    return 0;
}

int main(int argc, char **argv) {
    long seconds = 10, files = 0, runs = 0;
    state = 1;
    signal(SIGABRT, on_abort);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_set_death_callback(keep_crash);
#endif
    snprintf(crash_path, sizeof crash_path, "%s.crash", argv[0]);
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--seconds") && i + 1 < argc) seconds = atol(argv[++i]);
        else if (!strcmp(argv[i], "--seed") && i + 1 < argc) state = strtoull(argv[++i], NULL, 0);
        else if (replay(argv[i])) return 2;
        else files++;
    }
    if (files) return 0;
    while (corpus_count < CORPUS_COUNT && (input_size = wl_fuzz_seed(corpus_count, input, sizeof input)))
        corpus_add(input, input_size);
    size_t seeds = corpus_kept = corpus_count < CORPUS_COUNT ? corpus_count : CORPUS_COUNT - 1;
    unsigned long long seed = state;
    if (!seeds) corpus_add((const uint8_t *)"", 0);
    for (size_t i = 0; i < seeds; i++) { /* the seeds as they are */
        memcpy(input, corpus[i].bytes, input_size = corpus[i].size);
        LLVMFuzzerTestOneInput(input, input_size);
    }
    for (time_t end = time(NULL) + seconds; runs % 64 || time(NULL) < end; runs++) {
        size_t from = next(corpus_count);
        memcpy(input, corpus[from].bytes, input_size = corpus[from].size);
        for (uint64_t n = 1 + next(6); n; n--) mutate();
        LLVMFuzzerTestOneInput(input, input_size);
        if (!next(512)) { /* without coverage to steer by, a mild random walk: some mutants become seeds */
            if (corpus_count == CORPUS_COUNT && next(4)) continue;
            corpus_add(input, input_size);
        }
    }
    printf("%s: %ld inputs from %zu seeds, no crash (--seed %llu)\n", argv[0], runs, seeds, seed);
    return 0;
}
