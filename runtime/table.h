/* table: kernels by problem: readers take no lock; writers take turns (the caller's lock).
 *
 * Open addressing over atomic pointers; nothing is ever removed. A table that fills up is copied into a
 * larger one, which then is published whole; the small one stays until the end, for those who still read it.
 */
#ifndef WL_TABLE_H
#define WL_TABLE_H

#include <stdatomic.h>

#include "gen/error.h"

struct wl_slots;

struct wl_table { /* zeroed: empty */
    _Atomic(struct wl_slots *) slots;
    size_t count;
};

struct wl_table_key {
    uint64_t problem;     /* head_dim_v, head_dim, dtype, causal, packed; WL_TABLE_AUXILIARY */
    const char *schedule; /* NULL: none named; the auxiliary kernel's name */
};
#define WL_TABLE_AUXILIARY UINT64_MAX

struct wl_table_item { /* head of what the table holds, which the caller owns */
    struct wl_table_key key;
};

struct wl_table_key wl_table_key(const struct wl_problem *problem);

struct wl_table_item *wl_table_find(const struct wl_table *table,
                                    const struct wl_table_key *key); /* NULL: none */

/* The key must not be there yet. False: no memory. */
bool wl_table_add(struct wl_table *table, struct wl_table_item *item);

/* Calls fn for each item; nobody may be adding. */
void wl_table_each(const struct wl_table *table, void (*fn)(struct wl_table_item *item));
void wl_table_fini(struct wl_table *table); /* nobody may be reading */

#endif
