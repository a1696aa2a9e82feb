/* table: see table.h. */
#include "runtime/table.h"

#include <string.h>

#include "gen/arena.h"

#define FIRST_SLOTS 64 /* a power of two */

struct wl_slots {
    struct wl_slots *smaller; /* the table before this one */
    size_t mask;
    _Atomic(struct wl_table_item *) at[];
};

struct wl_table_key wl_table_key(const struct wl_problem *p) {
    uint64_t dim_v = (uint16_t)(p->head_dim_v ? p->head_dim_v : p->head_dim);
    return (struct wl_table_key){
        dim_v << 48 | (uint64_t)(uint32_t)p->head_dim << 16 | (uint64_t)(p->dtype & 0xff) << 8 | p->causal, p->schedule};
}

static size_t hash(const struct wl_table_key *key) {
    uint64_t h = key->problem * 0x9e3779b97f4a7c15u;
    for (const char *c = key->schedule; c && *c; c++) h = (h ^ (unsigned char)*c) * 0x100000001b3u;
    return (size_t)(h ^ h >> 32);
}

static bool same(const struct wl_table_key *a, const struct wl_table_key *b) {
    if (a->problem != b->problem || !a->schedule != !b->schedule) return false;
    return !a->schedule || !strcmp(a->schedule, b->schedule);
}

struct wl_table_item *wl_table_find(const struct wl_table *table, const struct wl_table_key *key) {
    struct wl_slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire);
    if (!slots) return NULL;
    for (size_t i = hash(key);; i++) { /* at least half of the slots are empty */
        struct wl_table_item *item = atomic_load_explicit(&slots->at[i & slots->mask], memory_order_acquire);
        if (!item || same(&item->key, key)) return item;
    }
}

static void put(struct wl_slots *slots, struct wl_table_item *item) {
    size_t i = hash(&item->key);
    while (atomic_load_explicit(&slots->at[i & slots->mask], memory_order_relaxed)) i++;
    atomic_store_explicit(&slots->at[i & slots->mask], item, memory_order_release);
}

static bool grow(struct wl_table *table) {
    struct wl_slots *old = atomic_load_explicit(&table->slots, memory_order_relaxed);
    size_t size = old ? 2 * (old->mask + 1) : FIRST_SLOTS;
    struct wl_slots *fresh = wl_realloc(NULL, sizeof *fresh + size * sizeof fresh->at[0]);
    if (!fresh) return false;
    fresh->smaller = old;
    fresh->mask = size - 1;
    for (size_t i = 0; i < size; i++) atomic_init(&fresh->at[i], NULL);
    for (size_t i = 0; old && i <= old->mask; i++) {
        struct wl_table_item *item = atomic_load_explicit(&old->at[i], memory_order_relaxed);
        if (item) put(fresh, item);
    }
    atomic_store_explicit(&table->slots, fresh, memory_order_release);
    return true;
}

bool wl_table_add(struct wl_table *table, struct wl_table_item *item) {
    struct wl_slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);
    if ((!slots || 2 * (table->count + 1) > slots->mask + 1) && !grow(table)) return false;
    put(atomic_load_explicit(&table->slots, memory_order_relaxed), item);
    table->count++;
    return true;
}

void wl_table_each(const struct wl_table *table, void (*fn)(struct wl_table_item *item)) {
    struct wl_slots *slots = atomic_load_explicit(&table->slots, memory_order_acquire);
    for (size_t i = 0; slots && i <= slots->mask; i++) {
        struct wl_table_item *item = atomic_load_explicit(&slots->at[i], memory_order_relaxed);
        if (item) fn(item);
    }
}

void wl_table_fini(struct wl_table *table) {
    struct wl_slots *slots = atomic_load_explicit(&table->slots, memory_order_relaxed);
    while (slots) {
        struct wl_slots *smaller = slots->smaller;
        wl_free(slots);
        slots = smaller;
    }
    atomic_init(&table->slots, NULL);
    table->count = 0;
}
