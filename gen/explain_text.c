/* explain_text: the plan for people. */
#include "gen/explain_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define MAP_CELLS 96
#define BAR_CELLS 48

static void heading(struct wl_text *out, const char *name) { wl_text_printf(out, "\n%s\n", name); }

static void put_title(const struct wl_plan *plan, struct wl_text *out) {
    char dim_v[48] = "";
    if (plan->head_dim_v != plan->head_dim) snprintf(dim_v, sizeof dim_v, ", V and O %d", plan->head_dim_v);
    wl_text_printf(out, "%s  (%s)\n", plan->launch.entry, plan->schedule.source);
    wl_text_printf(out, "%s %s for %s, head_dim %d%s%s, %s\n", plan->dtype == WL_BF16 ? "bf16" : "fp16",
                   plan->schedule.pass, plan->arch->name, plan->head_dim,
                   plan->head_dim % 64 ? " (filled up with zeros)" : "", dim_v,
                   plan->causal ? "causal" : "full");
}

static void put_schedule(const struct wl_plan *plan, struct wl_text *out) {
    char value[64], origin[300];
    heading(out, "schedule");
    for (int f = 0; f < WL_FIELD_COUNT; f++) {
        if (!wl_field_applies(f, plan->arch->name)) continue;
        wl_text_printf(out, "  %-18s %-16s %-34s %s\n", wl_field_name(f),
                       wl_schedule_value(&plan->schedule, f, value, sizeof value),
                       wl_schedule_origin(&plan->schedule, f, origin, sizeof origin), wl_field_doc(f));
    }
    wl_text_printf(
        out,
        "  exp2: %d of %d values of a row on the FMA pipe, polynomial of degree %d, relative error <= %.2g\n",
        plan->exp2_pairs * 2, plan->schedule.tile_n, plan->poly.degree, plan->poly.worst);
}

/* What the schedule's scheduler and head_order come to. */
static void put_tiles(const struct wl_plan *plan, struct wl_text *out) {
    static const char *const walks[] = {
        "", "one tile a CTA", "persistent CTAs, each takes every n-th tile of n CTAs",
        "persistent CTAs, there and back through the tiles",
        "a CTA that is done takes the tile of one that has not been launched"};
    static const char *const orders[] = {"", "a head's tiles follow each other",
                                         "the query heads of a key head side by side",
                                         "heads side by side whose K and V fit in L2"};
    heading(out, "tiles");
    if (plan->cluster > 1)
        wl_text_printf(out,
                       "  a pair of CTAs a tile (a cluster of %d): each has half of the rows, of a K tile's "
                       "keys and of a V tile's columns\n",
                       plan->cluster);
    wl_text_printf(out, "  %d query rows each; %s; %s; %s\n", plan->launch.rows_per_tile,
                   walks[plan->scheduler], orders[plan->head_order],
                   plan->longest_first ? "last rows first" : "first rows first");
    if (plan->head_order == WL_HEAD_ORDER_SECTION)
        wl_text_printf(out, "  5/6 of the %d MB of L2 hold K and V of %d key heads of 4096 keys\n",
                       plan->arch->l2_bytes >> 20, plan->l2_keys / 4096);
}

static void put_roles(const struct wl_plan *plan, struct wl_text *out) {
    int used = 0;
    heading(out, "roles");
    wl_text_printf(out, "  %-12s %-8s %8s  %s\n", "role", "warps", "threads", "registers a thread");
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        char warps[32];
        snprintf(warps, sizeof warps, r->warps > 1 ? "%d-%d" : "%d", r->warp, r->warp + r->warps - 1);
        wl_text_printf(out, "  %-12s %-8s %8d  %d\n", r->name, warps, r->warps * 32, r->regs);
        used += r->warps;
    }
    if (plan->threads / 32 > used) wl_text_printf(out, "  %-12s %d\n", "idle", plan->threads / 32 - used);
    wl_text_printf(out, "  %d threads, launched with %d registers each: %d of %d\n", plan->threads,
                   plan->regs_launch, plan->threads * plan->regs_launch, plan->arch->regs_per_sm);
}

/* "[KV1------]" in `width` cells; what is too narrow for its name keeps its brackets or a bar. */
static void draw_cell(char *line, int width, const char *name, int index, int count) {
    char label[32];
    int length = count > 1 ? snprintf(label, sizeof label, "%s%d", name, index)
                           : snprintf(label, sizeof label, "%s", name);
    if (width <= 0) return;
    memset(line, '-', (size_t)width);
    line[0] = width > 1 ? '[' : '|';
    if (width > 1) line[width - 1] = ']';
    if (length <= width - 2) memcpy(line + 1, label, (size_t)length);
}

/* One line per layer; `room` units (bytes, columns) across MAP_CELLS cells. */
static void draw_map(const struct wl_plan_region *regions, int count, int room, struct wl_text *out) {
    int layer[WL_PLAN_MAX_REGIONS], layers = wl_region_layers(regions, count, layer);
    for (int l = 0; l < layers; l++) {
        char line[MAP_CELLS + 1];
        memset(line, l ? ' ' : '.', MAP_CELLS);
        line[MAP_CELLS] = '\0';
        for (int i = 0; i < count; i++)
            for (int k = 0; layer[i] == l && k < regions[i].count; k++) {
                long long start = regions[i].offset + (long long)k * regions[i].stride;
                int first = (int)(start * MAP_CELLS / room),
                    end = (int)((start + regions[i].size) * MAP_CELLS / room);
                draw_cell(line + first, end - first, regions[i].name, k, regions[i].count);
            }
        wl_text_printf(out, "  %s\n", line);
    }
}

static void put_regions(const struct wl_plan_region *regions, int count, const char *unit,
                        struct wl_text *out) {
    for (int i = 0; i < count; i++) {
        const struct wl_plan_region *r = &regions[i];
        int end = r->offset + r->stride * (r->count - 1) + r->size;
        wl_text_printf(out, "  %7d .. %-7d %-13s %d", r->offset, end, r->name, r->count);
        wl_text_printf(out, " x %d %s\n", r->size, unit);
    }
}

static void put_memories(const struct wl_plan *plan, struct wl_text *out) {
    int room = plan->arch->smem_bytes;
    heading(out, "shared memory");
    wl_text_printf(out, "  %d of %d B, %d free\n", plan->smem_bytes, room, room - plan->smem_bytes);
    draw_map(plan->smem, plan->smem_count, room, out);
    put_regions(plan->smem, plan->smem_count, "B", out);
    if (!plan->tmem_count) return;
    heading(out, "tensor memory");
    wl_text_printf(out, "  %d of %d columns of %d lanes\n", plan->tmem_cols, plan->arch->tmem_cols,
                   plan->arch->tmem_lanes);
    draw_map(plan->tmem, plan->tmem_count, plan->arch->tmem_cols, out);
    put_regions(plan->tmem, plan->tmem_count, "columns", out);
}

static void put_barriers(const struct wl_plan *plan, struct wl_text *out) {
    heading(out, "barriers");
    wl_text_printf(out, "  %6s  %-13s %5s %8s  %-32s %s\n", "offset", "name", "count", "arrivals",
                   "from -> to", "protects");
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        char way[80];
        snprintf(way, sizeof way, "%s -> %s", b->from, b->to);
        wl_text_printf(out, "  %6d  %-13s %5d %8d  %-32s %s\n", b->offset, b->name, b->count, b->arrivals,
                       way, b->protects);
    }
}

static void put_cost(const struct wl_plan *plan, const struct wl_cost *cost, struct wl_text *out) {
    struct wl_cost_unit units[WL_COST_UNITS];
    wl_cost_units(cost, units);
    heading(out, "clocks of a step");
    wl_text_printf(out,
                   "  %d query rows against %d keys, none masked; the units work side by side, so the "
                   "busiest is the bound\n",
                   plan->launch.rows_per_tile / plan->cluster, plan->schedule.tile_n);
    for (int u = 0; u < WL_COST_UNITS; u++) {
        static const char bar[] = "################################################";
        int cells = (int)(units[u].clocks * BAR_CELLS / cost->bound_clocks + 0.5);
        if (units[u].clocks <= 0) continue;
        wl_text_printf(out, "  %-5s %8.0f  %-*.*s  %s\n", units[u].name, units[u].clocks, BAR_CELLS, cells,
                       bar, units[u].what);
        for (int i = 0; i < cost->row_count; i++) {
            const struct wl_cost_row *r = &cost->rows[i];
            if (strcmp(r->unit, units[u].name) == 0)
                wl_text_printf(out, "        %8.0f  %s: %.0f %s at %.0f a clock\n", r->clocks, r->what,
                               r->amount, r->of, r->rate);
        }
    }
    wl_text_printf(out, "  a step that the mask crosses adds %.0f to alu, %.0f to fma\n", cost->mask_alu, cost->mask_fma);
    wl_text_printf(
        out,
        "  bound: %s, %.0f clocks; tensor cores busy %.0f %%: at best %.0f TFLOP/s on %d SMs at %.2f GHz\n",
        cost->bound, cost->bound_clocks, cost->peak_share * 100, wl_cost_tflops(plan, cost), plan->arch->sms,
        plan->arch->clock_ghz);
}

static void put_device(const struct wl_plan *plan, const struct wl_cost *cost,
                       const struct wl_explain_device *d, struct wl_text *out) {
    struct wl_explain_unit units[WL_EXPLAIN_UNITS];
    wl_explain_units(plan, cost, d, units);
    heading(out, d->ms > 0 ? "measured" : "a problem");
    wl_text_printf(out, "  %s: batch %" PRId64 ", heads %" PRId64 "/%" PRId64 ", %" PRId64 " x %" PRId64 "\n",
                   d->name, d->batch, d->heads, d->heads_kv, d->seq, d->seq);
    if (d->ms > 0)
        wl_text_printf(out, "  %.4f ms a launch (median of %d, spread %.2f %%), %.1f TFLOP/s\n", d->ms,
                       d->launches, d->spread * 100, d->tflops);
    else wl_text_printf(out, "  not measured: an emulated device's time says nothing about a GPU\n");
    wl_text_printf(out, "  what each unit needs for it, at %.3f GHz%s, %.0f steps an SM:\n",
                   d->ghz > 0 ? d->ghz : plan->arch->clock_ghz, d->ghz > 0 ? " as measured" : "", d->steps);
    for (int u = 0; u < WL_EXPLAIN_UNITS; u++) {
        if (units[u].ms <= 0) continue;
        wl_text_printf(out, "  %-6s %9.4f ms", units[u].name, units[u].ms);
        if (d->ms > 0) wl_text_printf(out, "  %3.0f %% of the time", units[u].ms / d->ms * 100);
        if (strcmp(units[u].name, "memory") == 0)
            wl_text_printf(out, "  (%.1f MB, each byte once, at %.0f GB/s)", d->bytes / 1e6, d->gb_per_s);
        wl_text_printf(out, "\n");
    }
    if (d->ms > 0)
        wl_text_printf(out,
                       "  %s is the nearest to its bound; what is left of the time is waiting that no unit's "
                       "work covers\n",
                       units[0].name);
}

void wl_explain_text(const struct wl_plan *plan, const struct wl_cost *cost,
                     const struct wl_explain_device *device, struct wl_text *out) {
    put_title(plan, out);
    put_schedule(plan, out);
    put_tiles(plan, out);
    put_roles(plan, out);
    put_memories(plan, out);
    put_barriers(plan, out);
    put_cost(plan, cost, out);
    if (device) put_device(plan, cost, device, out);
}
