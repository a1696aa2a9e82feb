/* cli_explain: warploom explain: the plan, its maps and the cost model; with --device beside a measured time.
 */
#include "gen/cli.h"

#include <string.h>

#include "gen/emit.h"
#include "gen/tune.h"
#include "runtime/gpu_state.h"
#include "runtime/measure.h"

#define SIZES 2147483647.0

struct values {
    int64_t head_dim, head_dim_v, seq, tokens, heads, heads_kv, ms;
    const char *out, *device;
    bool json, svg;
};
static const struct values defaults = {.seq = 4096, .tokens = 16384, .ms = 200};

/* clang-format off */
#define AT(field) offsetof(struct values, field)
static const struct wl_cli_option options[] = {
    {"--head-dim",   WL_CLI_INT,  AT(head_dim),   "N",    8, 256,   "specialise for this head dimension (the schedule's)"},
    {"--head-dim-v", WL_CLI_INT,  AT(head_dim_v), "N",    8, 256,   "and V and O for this one (the schedule's, else as --head-dim)"},
    {"--device",     WL_CLI_TEXT, AT(device),     "auto|emu|cuda:N", 0, 0, "what each unit needs for a problem there, beside the time that it takes"},
    {"--seq",        WL_CLI_INT,  AT(seq),        "N",    1, SIZES, "with --device: query rows and keys (4096)"},
    {"--tokens",     WL_CLI_INT,  AT(tokens),     "N",    1, SIZES, "with --device: batch x sequence length (16384)"},
    {"--heads",      WL_CLI_INT,  AT(heads),      "N",    1, SIZES, "with --device: query heads (2048 / head_dim)"},
    {"--kv-heads",   WL_CLI_INT,  AT(heads_kv),   "N",    1, SIZES, "with --device: key and value heads (as --heads)"},
    {"--ms",         WL_CLI_INT,  AT(ms),         "N",    1, 100000, "with --device: milliseconds to measure (200)"},
    {"-o",           WL_CLI_TEXT, AT(out),        "FILE", 0, 0,     "write there instead of to standard output"},
    {"--json",       WL_CLI_FLAG, AT(json),       NULL,   0, 0,     "as JSON"},
    {"--svg",        WL_CLI_FLAG, AT(svg),        NULL,   0, 0,     "as a drawing"},
    {0},
};
/* clang-format on */

/* ---- a problem on a device ---- */

/* Bytes a second of the device's memory, both edges of its clock used [CUDA: cuDeviceGetAttribute]; 0: not
 * known. */
static double memory_gb_per_s(struct wl_driver *driver) {
    int khz = 0, bits = 0;
    if (driver->fn.cuDeviceGetAttribute(&khz, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE, driver->device) ||
        driver->fn.cuDeviceGetAttribute(&bits, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH, driver->device))
        return 0;
    return 2.0 * khz * 1e3 * bits / 8 / 1e9;
}

static double bytes_once(const struct wl_plan *plan, const struct wl_attention *p) {
    double q = (double)p->batch * (double)p->heads * (double)p->seqlen_q,
           k = (double)p->batch * (double)p->heads_kv * (double)p->seqlen_k;
    return 2 * (q + k) * (plan->head_dim + plan->head_dim_v) + 4 * q;
}

static enum wl_status measure(struct wl_driver *driver, const struct wl_plan *plan,
                              struct wl_attention *problem, double ms, struct wl_explain_device *device,
                              struct wl_error *error) {
    struct wl_text ptx = {0};
    struct wl_kernel kernel = {0};
    struct wl_measurement time = {0};
    struct wl_measure how = {.warm_ms = ms / 3, .budget_ms = ms, .samples_min = 7, .samples_max = 501};
    struct wl_gpu_monitor *monitor = wl_gpu_monitor_open(driver);
    enum wl_status status = wl_emit(plan, &ptx, error);
    if (!status)
        status =
            wl_jit_load(&kernel, driver, ptx.bytes, ptx.length, plan->launch.entry, &plan->launch, error);
    if (!status) status = wl_measure_tensors(driver, problem, error);
    if (!status) {
        status = wl_measure_kernel(&kernel, problem, &how, &time, error);
        device->ghz = wl_gpu_state_now(monitor).sm_mhz / 1e3;
        wl_measure_free(driver, problem);
    }
    device->ms = time.median_ms;
    device->spread = time.spread;
    device->launches = time.launches;
    if (!status) device->tflops = wl_attention_flops(problem) / time.median_ms * 1e-9;
    wl_jit_unload(&kernel);
    wl_gpu_monitor_close(monitor);
    wl_text_fini(&ptx);
    return status;
}

static enum wl_status on_device(struct wl_driver *driver, const struct values *v, const struct wl_plan *plan,
                                struct wl_explain_device *device, struct wl_error *error) {
    int64_t heads = v->heads ? v->heads : 2048 / plan->head_dim, heads_kv = v->heads_kv ? v->heads_kv : heads;
    struct wl_attention problem = {.batch = v->tokens / v->seq ? v->tokens / v->seq : 1,
                                   .heads = heads,
                                   .heads_kv = heads_kv,
                                   .seqlen_q = v->seq,
                                   .seqlen_k = v->seq,
                                   .head_dim = plan->head_dim,
                                   .head_dim_v = plan->head_dim_v,
                                   .dtype = plan->dtype,
                                   .causal = plan->causal};
    struct wl_tune_problem work = {problem.batch, heads, heads_kv, v->seq, plan->causal};
    if (heads % heads_kv)
        return wl_fail(error, WL_ERR_INPUT, NULL, 0, "--kv-heads", "%lld must divide the %lld heads",
                       (long long)heads_kv, (long long)heads);
    *device = (struct wl_explain_device){.name = driver->name,
                                         .batch = problem.batch,
                                         .heads = heads,
                                         .heads_kv = heads_kv,
                                         .seq = v->seq,
                                         .steps = wl_tune_steps(plan, &work),
                                         .bytes = bytes_once(plan, &problem),
                                         .gb_per_s = memory_gb_per_s(driver)};
    return driver->emulated ? WL_OK : measure(driver, plan, &problem, (double)v->ms, device, error);
}

/* ---- the command ---- */

static enum wl_status run(const struct wl_cli_call *call, struct wl_error *error) {
    const struct values *v = call->values;
    struct wl_schedule schedule;
    struct wl_plan plan;
    struct wl_text text = {0};
    struct wl_driver *driver = NULL;
    struct wl_explain_device device;
    struct wl_specialization special = {(int)v->head_dim, -1, -1, (int)v->head_dim_v};
    if (v->svg && (v->json || v->device))
        return wl_fail(error, WL_ERR_USAGE, NULL, 0, "--svg", "and %s exclude each other",
                       v->json ? "--json" : "--device");
    enum wl_explain_form form = v->json ? WL_EXPLAIN_JSON : v->svg ? WL_EXPLAIN_SVG : WL_EXPLAIN_TEXT;
    enum wl_status status =
        wl_schedule_load(&schedule, call->words[0], call->words + 1, call->word_count - 1, error);
    if (!status) status = wl_plan_make(&plan, &schedule, &special, error);
    if (!status && v->device) status = wl_driver_open(&driver, v->device, schedule.target, error);
    if (!status && v->device) status = on_device(driver, v, &plan, &device, error);
    if (!status) status = wl_explain(&plan, form, v->device ? &device : NULL, &text, error);
    if (!status) status = wl_cli_output(v->out, &text, error);
    wl_driver_close(driver);
    wl_text_fini(&text);
    return status;
}

const struct wl_cli_command wl_cli_explain = {
    .name = "explain",
    .arguments = "SCHEDULE [key=value ...] [options]",
    .doc = "show roles, registers, memory maps, barriers and where the cycles go",
    .options = options,
    .defaults = &defaults,
    .values_bytes = sizeof defaults,
    .words_min = 1,
    .words_max = -1,
    .run = run,
};
