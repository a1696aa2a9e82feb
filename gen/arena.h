/* arena: memory of one job, freed whole; and the one hook through which all of warploom allocates.
 *
 * A job is one schedule to one PTX text, one parsed module, or one emulated launch. Nothing in an arena is freed
 * singly. Memory is zeroed. Every function that returns NULL does so only when the hook refused. */
#ifndef WL_ARENA_H
#define WL_ARENA_H

#include <stddef.h>

struct wl_arena; /* opaque */

struct wl_arena *wl_arena_create(void);                             /* NULL: no memory */
void wl_arena_destroy(struct wl_arena *arena);                      /* NULL allowed */
void *wl_arena_alloc(struct wl_arena *arena, size_t bytes);         /* zeroed, 16-byte aligned */
char *wl_arena_strdup(struct wl_arena *arena, const char *text);
char *wl_arena_strndup(struct wl_arena *arena, const char *text, size_t bytes);
char *wl_arena_printf(struct wl_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The hook: like realloc(pointer, bytes); bytes 0 frees. Tests replace it to make the n-th allocation fail. */
typedef void *wl_realloc_fn(void *pointer, size_t bytes);
void wl_set_realloc(wl_realloc_fn *fn); /* NULL restores the C library's. Not thread-safe: set it before any use. */
void *wl_realloc(void *pointer, size_t bytes);
void wl_free(void *pointer);

/* A growing text, on the heap through the hook. After a failed append `failed` stays true and text is unchanged;
 * check it once at the end. */
struct wl_text {
    char *bytes;   /* terminated; NULL while empty */
    size_t length, capacity;
    int failed;
};
void wl_text_append(struct wl_text *text, const char *bytes, size_t length);
void wl_text_printf(struct wl_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void wl_text_fini(struct wl_text *text);

#endif
