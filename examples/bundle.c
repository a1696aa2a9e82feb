/* bundle: a deployment that builds nothing: every kernel comes out of one file, no cache is written, and what
 * the file lacks is an error at once.
 *
 *     warploom pack -o kernels.wlb --head-dim 64,96,128 --causal both
 *     bundle kernels.wlb */
#include <stdio.h>
#include <stdlib.h>
#include <warploom.h>

static struct wl_error error;

static void need(enum wl_status status) {
    char text[4096];
    if (!status) return;
    fprintf(stderr, "%s\n", wl_error_format(&error, text, sizeof text));
    exit(1);
}

int main(int argc, char **argv) {
    const struct wl_options options = {
        .bundle = argc > 1 ? argv[1] : "kernels.wlb", .bundle_only = true, .no_cache = true};
    const struct wl_problem problems[] = {
        {.head_dim = 64}, {.head_dim = 96, .causal = true}, {.head_dim = 128, .causal = true}}; /* of bf16 */
    enum { COUNT = sizeof problems / sizeof *problems };
    const struct wl_problem lacking = {.head_dim = 80};
    struct wl_runtime *runtime;
    struct wl_runtime_report report;
    const struct wl_kernel *kernel;
    int bundled = 0;
    need(wl_open(&runtime, &options, &error));
    need(wl_prepare(runtime, problems, COUNT, 0, &error)); /* before serving starts */
    for (int i = 0; i < COUNT; i++) {
        struct wl_kernel_report info;
        need(wl_specialize(runtime, &problems[i], &kernel, &error));
        wl_kernel_info(kernel, &info);
        bundled += info.origin == WL_FROM_BUNDLE && info.generate_ms == 0;
    }
    int refused = wl_specialize(runtime, &lacking, &kernel, NULL) == WL_ERR_INPUT;
    wl_runtime_info(runtime, &report);
    printf("%d of %d kernels from %s on %s, head_dim 80 %s\n", bundled, COUNT, report.bundle, report.device,
           refused ? "refused" : "was made up");
    wl_close(runtime);
    return bundled != COUNT || !refused;
}
