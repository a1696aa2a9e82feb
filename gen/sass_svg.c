/* sass_svg: machine code's counts as bars: each role's step by pipe, and the clocks of a step by unit. */
#include "gen/explain_parts.h"
#include "gen/sass_report.h"

#include <stdio.h>

enum { WIDTH = 1000, MARGIN = 20, LEFT = 200, INNER = WIDTH - LEFT - 160, ROW = 22 };

static const char *const colours[WL_SASS_PIPE_COUNT] = {"#f4978e", "#8ecae6", "#ffb703", "#b7e4c7",
                                                        "#cdb4db", "#e9c46a", "#d8e2dc", "#d00000",
                                                        "#84a98c", "#a8dadc", "#adb5bd", "#eeeeee"};

static void put_label(struct wl_text *out, double x, double y, const char *style, const char *text) {
    wl_text_printf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">%s</text>\n", x, y, style, text);
}

static void put_bar(struct wl_text *out, double x, double y, double width, const char *colour,
                    const char *name, double amount) {
    wl_text_printf(out,
                   "<g><title>%s: %.0f</title><rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" "
                   "fill=\"%s\"/></g>\n",
                   name, amount, x, y, width, ROW - 4, colour);
}

static double put_counts(struct wl_text *out, double x, double y, double scale,
                         const struct wl_sass_counts *c) {
    for (int p = 0; p < WL_SASS_PIPE_COUNT; p++) {
        if (!c->pipe[p]) continue;
        put_bar(out, x, y, c->pipe[p] * scale, colours[p], wl_sass_pipe_names[p], c->pipe[p]);
        x += c->pipe[p] * scale;
    }
    return x;
}

static double put_roles(const struct wl_sass_report *r, double y, struct wl_text *out) {
    int most = 1;
    for (int i = 0; i < r->role_count; i++)
        if (wl_sass_step(&r->roles[i], true, true) > most) most = wl_sass_step(&r->roles[i], true, true);
    double scale = (double)INNER / most;
    for (int i = 0; i < r->role_count; i++) {
        const struct wl_sass_role *role = &r->roles[i];
        char text[96];
        if (role->loop < 0) continue;
        snprintf(text, sizeof text, role->turns > 1 ? "%s, %d turns" : "%s", role->name, role->turns);
        put_label(out, MARGIN, y + 14, "", text);
        double x = put_counts(out, LEFT, y, scale, &role->always);
        x = put_counts(out, put_counts(out, x + 4, y, scale, &role->mask) + 4, y, scale, &role->sometimes);
        int length = snprintf(text, sizeof text, "%d", role->always.all);
        if (role->mask.all)
            length += snprintf(text + length, sizeof text - (size_t)length, " +%d", role->mask.all);
        if (role->sometimes.all)
            snprintf(text + length, sizeof text - (size_t)length, " +%d", role->sometimes.all);
        put_label(out, x + 8, y + 14, "", text);
        y += ROW;
    }
    return y;
}

static double put_legend(double y, struct wl_text *out) {
    double x = MARGIN;
    for (int p = 0; p < WL_SASS_PIPE_COUNT; p++, x += 80) {
        put_bar(out, x, y, 12, colours[p], wl_sass_pipe_names[p], 0);
        put_label(out, x + 16, y + 14, "", wl_sass_pipe_names[p]);
    }
    return y + ROW;
}

static double put_clocks(const struct wl_sass_report *r, double y, struct wl_text *out) {
    struct wl_cost_unit units[WL_COST_UNITS];
    char text[192];
    wl_cost_units(&r->counted, units);
    snprintf(text, sizeof text,
             "clocks of a step: bound by %s, tensor cores busy %.0f %%, at best %.0f TFLOP/s",
             r->counted.bound, r->counted.peak_share * 100, wl_cost_tflops(r->plan, &r->counted));
    put_label(out, MARGIN, y + 30, "head", text);
    y += 40;
    for (int u = 0; u < WL_COST_UNITS && units[u].clocks > 0; u++, y += ROW) {
        double width = units[u].clocks * INNER / r->counted.bound_clocks;
        put_label(out, MARGIN, y + 14, "", units[u].name);
        put_bar(out, LEFT, y, width, u ? colours[1] : colours[0], units[u].what, units[u].clocks);
        snprintf(text, sizeof text, "%.0f", units[u].clocks);
        put_label(out, LEFT + width + 8, y + 14, "", text);
    }
    return y;
}

void wl_sass_svg(const struct wl_sass_report *r, struct wl_text *out) {
    int height = 2 * MARGIN + 130 + (r->role_count + 1 + (r->plan ? WL_COST_UNITS : 0)) * ROW;
    wl_text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n"
        "<style>text{font:12px monospace;fill:#222}.head{font-weight:bold}.title{font:bold 16px "
        "monospace}rect{stroke:#444}</style>\n"
        "<rect width=\"%d\" height=\"%d\" style=\"fill:#fff;stroke:none\"/>\n",
        WIDTH, height, WIDTH, height, WIDTH, height);
    put_label(out, MARGIN, MARGIN + 10, "title", r->name);
    put_label(out, MARGIN, MARGIN + 40, "head",
              "instructions of a warp in a step; what a mask adds; what is stepped over where it can be");
    double y = put_legend(put_roles(r, MARGIN + 50, out) + 8, out);
    if (r->plan) put_clocks(r, y, out);
    wl_text_printf(out, "</svg>\n");
}
