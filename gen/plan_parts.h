/* plan_parts: what the planners of all kernels share: placing roles and memory, the launch record, refusals. */
#ifndef WL_PLAN_PARTS_H
#define WL_PLAN_PARTS_H

#include "gen/plan.h"

enum { WL_WARPGROUP = 4, WL_WARP_THREADS = 32, WL_GROUP_THREADS = 128 };
/* Q, K, V and O tiles lie in column blocks of 64 16-bit elements, the span of the 128B swizzle, or of 32, that of 64B. */
enum { WL_BLOCK_DIM = 64, WL_BLOCK_DIM_HALF = 32, WL_ELEMENT_BYTES = 2, WL_TILE_ALIGN = 1024 };

int wl_round_up(int value, int unit);

struct wl_plan_tile wl_plan_tile_of(int head_dim, int columns);
int wl_plan_tile_bytes(const struct wl_plan_tile *tile, int rows);

/* Refuses with WL_ERR_FIT at the field's line of the schedule; the text is printf's. */
enum wl_status wl_plan_refuse(const struct wl_plan *plan, struct wl_error *error, enum wl_field field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

void wl_plan_add_role(struct wl_plan *plan, const char *name, int warp, int warps, int regs);
void wl_plan_add_barrier(struct wl_plan *plan, struct wl_plan_barrier barrier); /* its offset is given here */
/* After the last barrier: closes the "barriers" region; then further regions follow, each aligned. */
void wl_plan_close_barriers(struct wl_plan *plan);
void wl_plan_add_smem(struct wl_plan *plan, const char *name, int size, int count, int align);
/* The K/V ring, last: refuses stages_kv when it does not fit and says how many do. */
enum wl_status wl_plan_add_ring(struct wl_plan *plan, int k_bytes, int v_bytes, struct wl_error *error);

/* Threads and registers at launch from the roles' warps, and the sum of the warpgroups' budgets against the pool.
 * many: the field to blame, whose budget `groups_of_many` warpgroups have. */
enum wl_status wl_plan_registers(struct wl_plan *plan, int idle_regs, enum wl_field many, int groups_of_many, struct wl_error *error);

/* The launch record of an attention forward kernel with the parameters Q K V O lse seqlen_q seqlen_k heads head_ratio
 * m_tiles tiles scale_log2. o_rows: rows of one TMA store. */
void wl_plan_launch_forward(struct wl_plan *plan, int rows_per_tile, int o_rows);

#endif
