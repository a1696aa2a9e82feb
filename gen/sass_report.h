/* sass_report: wl_sass_report for people (text, SVG) and programs (JSON). */
#ifndef WL_SASS_REPORT_H
#define WL_SASS_REPORT_H

#include "gen/json.h"
#include "gen/sass_count.h"

void wl_sass_text(const struct wl_sass_report *report, struct wl_text *out);
void wl_sass_json(const struct wl_sass_report *report, struct wl_json *json); /* one object */
void wl_sass_svg(const struct wl_sass_report *report, struct wl_text *out);

#endif
