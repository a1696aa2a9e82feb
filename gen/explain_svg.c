/* explain_svg: the plan as a drawing: warps, both memories, barriers between roles, clocks of a step. */
#include "gen/explain_parts.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 1000, MARGIN = 20, INNER = WIDTH - 2 * MARGIN, ROW = 22, BOX = 34 };

static const char *const colours[] = {"#8ecae6", "#ffb703", "#b7e4c7", "#f4978e",
                                      "#cdb4db", "#e9c46a", "#a8dadc", "#d8e2dc"};
#define COLOURS (sizeof colours / sizeof colours[0])

/* The same name, the same colour: O in both memories. */
static const char *colour_of(const char *name) {
    unsigned sum = 0;
    while (*name) sum = sum * 31 + (unsigned char)*name++;
    return colours[sum % COLOURS];
}

struct drawing {
    struct wl_text *out;
    double y; /* where the next part begins */
};

static void put_escaped(struct wl_text *out, const char *text) {
    for (; *text; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;
        if (entity) wl_text_append(out, entity, strlen(entity));
        else if ((unsigned char)*text < ' ') wl_text_append(out, "?", 1);
        else wl_text_append(out, text, 1);
    }
}

static void put_text(struct drawing *d, double x, double y, const char *style, const char *text) {
    wl_text_printf(d->out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, style);
    put_escaped(d->out, text);
    wl_text_printf(d->out, "</text>\n");
}

/* A box whose name shows in it where it has room, and always under the pointer. */
static void put_box(struct drawing *d, double x, double width, double height, const char *colour,
                    const char *label, const char *about) {
    wl_text_printf(d->out, "<g><title>");
    put_escaped(d->out, about);
    wl_text_printf(d->out, "</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>",
                   x, d->y, width, height, colour);
    if ((double)strlen(label) * 7.3 < width) put_text(d, x + width / 2, d->y + height / 2 + 4, "mid", label);
    wl_text_printf(d->out, "</g>\n");
}

static void put_heading(struct drawing *d, const char *text) {
    d->y += ROW;
    put_text(d, MARGIN, d->y, "head", text);
    d->y += 8;
}

static void put_roles(struct drawing *d, const struct wl_plan *plan) {
    int warps = plan->threads / 32;
    double width = (double)INNER / warps;
    put_heading(d, "warps: role, registers a thread");
    for (int i = 0; i < plan->role_count; i++) {
        const struct wl_plan_role *r = &plan->roles[i];
        char label[48], about[128];
        snprintf(label, sizeof label, r->warps > 1 ? "%s  %d" : "%s", r->name, r->regs);
        snprintf(about, sizeof about, "%s: warps %d to %d, %d registers a thread", r->name, r->warp,
                 r->warp + r->warps - 1, r->regs);
        put_box(d, MARGIN + r->warp * width, r->warps * width, BOX, colour_of(r->name), label, about);
    }
    d->y += BOX;
}

static void put_memory(struct drawing *d, const struct wl_plan_region *regions, int count, int room,
                       const char *unit) {
    int layer[WL_PLAN_MAX_REGIONS], layers = wl_region_layers(regions, count, layer);
    double top = d->y;
    wl_text_printf(d->out, "<rect x=\"%d\" y=\"%.1f\" width=\"%d\" height=\"%d\" class=\"free\"/>\n", MARGIN,
                   top, INNER, BOX);
    for (int i = 0; i < count; i++) {
        const struct wl_plan_region *r = &regions[i];
        d->y = top + layer[i] * BOX;
        for (int k = 0; k < r->count; k++) {
            int offset = r->offset + k * r->stride;
            char label[48], about[160];
            snprintf(label, sizeof label, r->count > 1 ? "%s%d" : "%s", r->name, k);
            snprintf(about, sizeof about, "%s: %d to %d, %d %s", label, offset, offset + r->size, r->size,
                     unit);
            put_box(d, MARGIN + (double)offset * INNER / room, (double)r->size * INNER / room, BOX,
                    colour_of(r->name), label, about);
        }
    }
    d->y = top + layers * BOX;
}

static void put_memories(struct drawing *d, const struct wl_plan *plan) {
    char text[96];
    snprintf(text, sizeof text, "shared memory: %d of %d B", plan->smem_bytes, plan->arch->smem_bytes);
    put_heading(d, text);
    put_memory(d, plan->smem, plan->smem_count, plan->arch->smem_bytes, "B");
    if (!plan->tmem_count) return;
    snprintf(text, sizeof text, "tensor memory: %d of %d columns", plan->tmem_cols, plan->arch->tmem_cols);
    put_heading(d, text);
    put_memory(d, plan->tmem, plan->tmem_count, plan->arch->tmem_cols, "columns");
}

static void put_barriers(struct drawing *d, const struct wl_plan *plan) {
    put_heading(d, "barriers: name x count (arrivals), from -> to, what the wait makes safe");
    for (int i = 0; i < plan->barrier_count; i++) {
        const struct wl_plan_barrier *b = &plan->barriers[i];
        char name[64], way[96];
        snprintf(name, sizeof name, "%s x %d (%d)", b->name, b->count, b->arrivals);
        snprintf(way, sizeof way, "%s -> %s", b->from, b->to);
        d->y += ROW - 4;
        put_text(d, MARGIN, d->y, "", name);
        put_text(d, MARGIN + 200, d->y, "", way);
        put_text(d, MARGIN + 460, d->y, "", b->protects);
    }
    d->y += 4;
}

static void put_cost(struct drawing *d, const struct wl_plan *plan, const struct wl_cost *cost) {
    struct wl_cost_unit units[WL_COST_UNITS];
    char text[192];
    wl_cost_units(cost, units);
    snprintf(text, sizeof text,
             "clocks of a step: bound by %s, tensor cores busy %.0f %%, at best %.0f TFLOP/s", cost->bound,
             cost->peak_share * 100, wl_cost_tflops(plan, cost));
    put_heading(d, text);
    for (int u = 0; u < WL_COST_UNITS; u++) {
        if (units[u].clocks <= 0) continue;
        double width = units[u].clocks * (INNER - 330) / cost->bound_clocks;
        put_text(d, MARGIN, d->y + ROW - 7, "", units[u].name);
        put_box(d, MARGIN + 60, width, ROW - 4, u ? colours[0] : colours[3], "", units[u].what);
        snprintf(text, sizeof text, "%.0f  %s", units[u].clocks, units[u].what);
        put_text(d, MARGIN + 68 + width, d->y + ROW - 7, "", text);
        d->y += ROW;
    }
}

static int height_of(const struct wl_plan *plan) {
    int layer[WL_PLAN_MAX_REGIONS];
    int layers = wl_region_layers(plan->smem, plan->smem_count, layer) +
                 wl_region_layers(plan->tmem, plan->tmem_count, layer);
    return 7 * (ROW + 8) + (1 + layers) * BOX + plan->barrier_count * (ROW - 4) + WL_COST_UNITS * ROW +
           2 * MARGIN;
}

void wl_explain_svg(const struct wl_plan *plan, const struct wl_cost *cost, struct wl_text *out) {
    struct drawing d = {.out = out, .y = MARGIN};
    int height = height_of(plan);
    wl_text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
        "<style>text{font:12px monospace;fill:#222}.head{font-weight:bold}.title{font:bold 16px monospace}"
        ".mid{text-anchor:middle}rect{stroke:#444}.free{fill:#eee}</style>\n"
        "<rect width=\"%d\" height=\"%d\" style=\"fill:#fff;stroke:none\"/>\n",
        WIDTH, height, WIDTH, height, WIDTH, height);
    put_text(&d, MARGIN, d.y + 6, "title", plan->launch.entry);
    d.y += 10;
    put_roles(&d, plan);
    put_memories(&d, plan);
    put_barriers(&d, plan);
    put_cost(&d, plan, cost);
    wl_text_printf(out, "</svg>\n");
}
