/* cli_run_progress: a bar on stderr while the emulated device works for longer than a second. */
#include "gen/cli_run.h"

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "runtime/driver.h"

#define FIRST_MS  1000.0
#define EVERY_MS  100.0
#define BAR_CELLS 30

/* The emulated driver calls back from its worker threads; whoever wins the flag draws. */
static struct {
    atomic_flag drawing;
    double start_ms, last_ms;
    bool shown;
} bar = {ATOMIC_FLAG_INIT, 0, 0, false};

static void draw(uint64_t done, uint64_t total, double now) {
    double share = total ? (double)done / (double)total : 0;
    double left = share > 0 ? (now - bar.start_ms) * (1 - share) / share / 1e3 : 0;
    int cells = (int)(share * BAR_CELLS);
    fprintf(stderr, "\r[%.*s%*s] %3.0f%%", cells, "##############################", BAR_CELLS - cells, "",
            share * 100);
    if (share > 0) fprintf(stderr, "  %.0f s left ", left);
    fflush(stderr);
    bar.shown = true;
}

static void on_progress(void *user, uint64_t done, uint64_t total) {
    (void)user;
    if (atomic_flag_test_and_set(&bar.drawing)) return;
    double now = wl_cli_now_ms();
    if (now - bar.start_ms > FIRST_MS && now - bar.last_ms > EVERY_MS) {
        bar.last_ms = now;
        draw(done, total, now);
    }
    atomic_flag_clear(&bar.drawing);
}

typedef void set_progress_fn(void (*fn)(void *user, uint64_t done, uint64_t total), void *user);

/* A real driver has no such entry: then there is nothing to show. */
static set_progress_fn *find_entry(struct wl_driver *driver) {
    return (set_progress_fn *)(uintptr_t)wl_driver_symbol(driver, "wlemu_set_progress");
}

void wl_run_progress_start(struct wl_driver *driver) {
    set_progress_fn *set = find_entry(driver);
    if (!set || !isatty(STDERR_FILENO)) return;
    bar.start_ms = wl_cli_now_ms();
    set(on_progress, NULL);
}

void wl_run_progress_stop(struct wl_driver *driver) {
    set_progress_fn *set = find_entry(driver);
    if (!set) return;
    set(NULL, NULL);
    if (bar.shown) fprintf(stderr, "\r%*s\r", BAR_CELLS + 30, "");
    bar.shown = false;
}
