/* Arena and text: a dumb twin, and every allocation made to fail. */
#include "tests/test.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "gen/arena.h"
#include "gen/error.h"

static int allocations, failing_one;

static void *failing_realloc(void *pointer, size_t bytes) {
    if (bytes == 0) {
        free(pointer);
        return NULL;
    }
    return ++allocations == failing_one ? NULL : realloc(pointer, bytes);
}

Test(arena, pieces_do_not_overlap) {
    enum { COUNT = 3000 };
    static unsigned char *pieces[COUNT];
    static size_t sizes[COUNT];
    struct wl_arena *arena = wl_arena_create();
    uint32_t random = 1;
    for (int i = 0; i < COUNT; i++) {
        random = random * 1664525u + 1013904223u;
        sizes[i] = (random >> 8) % ((i % 100) ? 300 : 200000);
        pieces[i] = wl_arena_alloc(arena, sizes[i]);
        cr_assert(pieces[i] && (uintptr_t)pieces[i] % 16 == 0);
        for (size_t b = 0; b < sizes[i]; b++)
            if (pieces[i][b]) cr_assert_fail("piece %d is not zeroed at %zu of %zu", i, b, sizes[i]);
        memset(pieces[i], i & 255, sizes[i]);
    }
    for (int i = 0; i < COUNT; i++)
        for (size_t b = 0; b < sizes[i]; b++)
            if (pieces[i][b] != (i & 255))
                cr_assert_fail("piece %d was overwritten at %zu of %zu", i, b, sizes[i]);
    wl_arena_destroy(arena);
    wl_arena_destroy(NULL);
}

Test(arena, texts) {
    struct wl_arena *arena = wl_arena_create();
    char long_text[70000];
    memset(long_text, 'x', sizeof long_text - 1);
    long_text[sizeof long_text - 1] = '\0';
    cr_expect_str_eq(wl_arena_strdup(arena, "warp"), "warp");
    cr_expect_str_eq(wl_arena_strndup(arena, "warploom", 4), "warp");
    cr_expect_str_eq(wl_arena_strndup(arena, NULL, 0), "");
    cr_expect_str_eq(wl_arena_printf(arena, "%s-%d", "sm", 100), "sm-100");
    cr_expect_eq(strlen(wl_arena_printf(arena, "%s!", long_text)), sizeof long_text);
    cr_expect_null(wl_arena_alloc(arena, SIZE_MAX));
    cr_expect_null(wl_arena_strndup(arena, "", SIZE_MAX));
    wl_arena_destroy(arena);
}

Test(arena, growing_text) {
    struct wl_text text = {0};
    for (int i = 0; i < 1000; i++) {
        wl_text_printf(&text, "%d,", i);
        wl_text_append(&text, "ab", 1);
    }
    cr_expect(strncmp(text.bytes, "0,a1,a2,a", 9) == 0 && strlen(text.bytes) == text.length && !text.failed);
    wl_text_fini(&text);
    cr_expect(!text.bytes && !text.length);
}

Test(arena, failures_are_told) {
    wl_set_realloc(failing_realloc);
    for (failing_one = 1; failing_one < 8; failing_one++) {
        allocations = 0;
        struct wl_arena *arena = wl_arena_create();
        int failed = !arena;
        for (int i = 0; arena && i < 6; i++) failed += !wl_arena_alloc(arena, 60000);
        cr_expect_eq(failed, 1, "allocation %d: %d failures", failing_one, failed);
        wl_arena_destroy(arena);
    }
    failing_one = 2;
    allocations = 0;
    struct wl_text text = {0};
    for (int i = 0; i < 300; i++) wl_text_append(&text, "x", 1);
    cr_expect(text.failed && text.length == 255 && strlen(text.bytes) == 255);
    wl_text_fini(&text);
    wl_set_realloc(NULL);
}

Test(error, first_one_wins_and_prints) {
    struct wl_error error = {0};
    char out[128], path[400];
    wl_fail(&error, WL_ERR_FIT, "schedules/a.lua", 14, "stages_kv", "%d stages", 6);
    cr_expect_eq(wl_fail(&error, WL_ERR_IO, "b", 1, NULL, "later"), WL_ERR_IO);
    cr_expect_eq(error.status, WL_ERR_FIT);
    cr_expect_str_eq(wl_error_format(&error, out, sizeof out), "schedules/a.lua:14: stages_kv: 6 stages");
    error.line = 0;
    cr_expect_str_eq(wl_error_format(&error, out, sizeof out), "schedules/a.lua: stages_kv: 6 stages");
    error.file[0] = error.field[0] = '\0';
    cr_expect_str_eq(wl_error_format(&error, out, sizeof out), "6 stages");
    cr_expect_str_eq(wl_error_format(&error, out, 4), "6 s");
    cr_expect_eq(wl_fail(NULL, WL_ERR_IO, NULL, 0, NULL, "x"), WL_ERR_IO);
    memset(path, 'p', sizeof path - 1);
    snprintf(path + 380, 20, "/end.lua");
    struct wl_error far_away = {0};
    wl_fail(&far_away, WL_ERR_INPUT, path, 1, NULL, "x");
    cr_expect(strncmp(far_away.file, "...p", 4) == 0 && strstr(far_away.file, "/end.lua"));
}

Test(error, exit_codes) {
    static const int codes[] = {[WL_OK] = 0,
                                [WL_ERR_USAGE] = 2,
                                [WL_ERR_INPUT] = 2,
                                [WL_ERR_FIT] = 2,
                                [WL_ERR_NO_MEMORY] = 3,
                                [WL_ERR_IO] = 3,
                                [WL_ERR_ENVIRONMENT] = 3,
                                [WL_ERR_DRIVER] = 3,
                                [WL_ERR_WRONG] = 1,
                                [WL_ERR_INTERNAL] = 1};
    for (size_t i = 0; i < WL_LEN(codes); i++)
        cr_expect_eq(wl_exit_code((enum wl_status)i), codes[i], "status %zu", i);
}
