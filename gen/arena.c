/* arena: see arena.h. Blocks in a list; the newest one is filled from its front. */
#include "gen/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A stress build makes blocks small, so that every job crosses many of them. */
#ifndef WL_ARENA_BLOCK_BYTES
#define WL_ARENA_BLOCK_BYTES ((size_t)64 << 10)
#endif
#define ARENA_ALIGN ((size_t)16)

struct block {
    struct block *next;
    size_t used, size; /* of the bytes behind this header */
};

struct wl_arena {
    struct block *newest;
};

/* The one global of the generator: which allocator it runs on. Set before any use, see arena.h. */
static wl_realloc_fn *realloc_hook;

void wl_set_realloc(wl_realloc_fn *fn) { realloc_hook = fn; }

void *wl_realloc(void *pointer, size_t bytes) {
    if (realloc_hook) return realloc_hook(pointer, bytes);
    if (bytes) return realloc(pointer, bytes);
    free(pointer);
    return NULL;
}

void wl_free(void *pointer) {
    if (pointer) wl_realloc(pointer, 0);
}

static size_t round_up(size_t bytes) { return (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1); }

static size_t header_bytes(void) { return round_up(sizeof(struct block)); }

struct wl_arena *wl_arena_create(void) {
    struct wl_arena *arena = wl_realloc(NULL, sizeof *arena);
    if (arena) arena->newest = NULL;
    return arena;
}

void wl_arena_destroy(struct wl_arena *arena) {
    if (!arena) return;
    for (struct block *block = arena->newest, *next; block; block = next) {
        next = block->next;
        wl_free(block);
    }
    wl_free(arena);
}

/* A large request gets a block of its own behind the newest, which stays in use for small ones. */
static struct block *add_block(struct wl_arena *arena, size_t bytes) {
    size_t size = bytes > WL_ARENA_BLOCK_BYTES ? bytes : WL_ARENA_BLOCK_BYTES;
    struct block *block = wl_realloc(NULL, header_bytes() + size);
    if (!block) return NULL;
    block->used = 0;
    block->size = size;
    if (arena->newest && bytes > WL_ARENA_BLOCK_BYTES / 4) {
        block->next = arena->newest->next;
        arena->newest->next = block;
    } else {
        block->next = arena->newest;
        arena->newest = block;
    }
    return block;
}

void *wl_arena_alloc(struct wl_arena *arena, size_t bytes) {
    if (bytes > SIZE_MAX / 2) return NULL;
    bytes = bytes ? round_up(bytes) : ARENA_ALIGN; /* every allocation has an address of its own */
    struct block *block = arena->newest;
    if (!block || block->size - block->used < bytes) block = add_block(arena, bytes);
    if (!block) return NULL;
    char *pointer = (char *)block + header_bytes() + block->used;
    block->used += bytes;
    return memset(pointer, 0, bytes);
}

char *wl_arena_strndup(struct wl_arena *arena, const char *text, size_t bytes) {
    char *copy = bytes < SIZE_MAX ? wl_arena_alloc(arena, bytes + 1) : NULL;
    if (copy && bytes) memcpy(copy, text, bytes);
    return copy;
}

char *wl_arena_strdup(struct wl_arena *arena, const char *text) {
    return wl_arena_strndup(arena, text, strlen(text));
}

char *wl_arena_printf(struct wl_arena *arena, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    char *text = length < 0 ? NULL : wl_arena_alloc(arena, (size_t)length + 1);
    if (text) vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

/* Room for `more` bytes and the terminator. */
static int text_reserve(struct wl_text *text, size_t more) {
    if (text->failed) return 0;
    if (more < SIZE_MAX / 4 && text->length + more < text->capacity) return 1;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (more < SIZE_MAX / 4 && capacity <= text->length + more) capacity *= 2;
    char *bytes = more < SIZE_MAX / 4 ? wl_realloc(text->bytes, capacity) : NULL;
    if (!bytes) {
        text->failed = 1;
        return 0;
    }
    text->bytes = bytes;
    text->capacity = capacity;
    return 1;
}

void wl_text_append(struct wl_text *text, const char *bytes, size_t length) {
    if (!text_reserve(text, length)) return;
    if (length) memcpy(text->bytes + text->length, bytes, length);
    text->length += length;
    text->bytes[text->length] = '\0';
}

void wl_text_printf(struct wl_text *text, const char *format, ...) {
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    if (length < 0) text->failed = 1;
    else if (text_reserve(text, (size_t)length)) {
        vsnprintf(text->bytes + text->length, (size_t)length + 1, format, again);
        text->length += (size_t)length;
    }
    va_end(again);
    va_end(arguments);
}

void wl_text_fini(struct wl_text *text) {
    wl_free(text->bytes);
    *text = (struct wl_text){0};
}
