/* measure: how long a kernel takes on a problem, by the device's own clock (events), as medians that single
 * slow runs do not move. */
#ifndef WL_MEASURE_H
#define WL_MEASURE_H

#include "runtime/attention.h"

struct wl_measure {
    double warm_ms;   /* launches before the first that counts, at least one; 0 on the emulated device */
    double budget_ms; /* of the launches that count */
    int samples_min, samples_max;
    double stop_above_ms; /* 0: never; else give up once the median of a third of the samples lies above it */
};

struct wl_measurement {
    double median_ms, least_ms, most_ms; /* of a launch */
    double spread;                       /* median distance from the median, as a share of it */
    int samples, launches;               /* a sample is the mean of launches / samples launches */
    bool stopped;                        /* at stop_above_ms */
};

/* The problem's tensors must be on the device. */
enum wl_status wl_measure_kernel(const struct wl_kernel *kernel, const struct wl_attention *problem,
                                 const struct wl_measure *how, struct wl_measurement *out,
                                 struct wl_error *error);

/* The median of `count` values, which it sorts. */
double wl_median(double *values, int count);

/* Device tensors of a problem with normally distributed elements (a block of them, again and again: what
 * matters is that bits toggle as in real data) and dense strides; lse too. Addresses go into the problem. */
enum wl_status wl_measure_tensors(struct wl_driver *driver, struct wl_attention *problem,
                                  struct wl_error *error);
void wl_measure_free(struct wl_driver *driver, struct wl_attention *problem);

/* 4 b h sq sk d, half of it when causal: what attention's figures are usually given in. */
double wl_attention_flops(const struct wl_attention *problem);

#endif
