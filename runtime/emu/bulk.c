#include "runtime/emu/bulk.h"

#include "gen/arena.h"
#include "runtime/emu/exec.h"
#include "runtime/emu/fault.h"

struct emu_bulk_group {
    struct emu_bulk_group *next; /* newer */
    uint32_t reads, writes;      /* not yet done */
};

struct emu_bulk { /* in the cluster's arena; groups go round through `spare` */
    struct emu_bulk_lane {
        struct emu_bulk_group *open, *oldest, *newest;
        uint32_t committed;
    } lane[EMU_LANES];
    struct emu_bulk_group *spare;
};

static struct emu_bulk_group *open_group(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane,
                                         struct emu_bulk **set) {
    struct wl_arena *arena = warp->cta->cluster->arena;
    if (!*set) *set = wl_arena_alloc(arena, sizeof **set);
    if (*set && !(*set)->lane[lane].open) {
        struct emu_bulk_group *group = (*set)->spare;
        if (group) (*set)->spare = group->next;
        else group = wl_arena_alloc(arena, sizeof *group);
        if (group) *group = (struct emu_bulk_group){0};
        (*set)->lane[lane].open = group;
    }
    if (*set && (*set)->lane[lane].open) return (*set)->lane[lane].open;
    emu_fault(warp, insn, EMU_FAULT_NO_MEMORY, "no memory for an async-group");
    return NULL;
}

struct emu_bulk_group *emu_bulk_join(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane,
                                     struct emu_bulk **set) {
    struct emu_bulk_group *group = open_group(warp, insn, lane, set);
    if (group) group->reads++, group->writes++;
    return group;
}

void emu_bulk_read_done(struct emu_cluster *cluster, struct emu_bulk_group *group) {
    if (--group->reads == 0) emu_notify(cluster);
}

void emu_bulk_write_done(struct emu_cluster *cluster, struct emu_bulk_group *group) {
    if (--group->writes == 0) emu_notify(cluster);
}

enum emu_step emu_bulk_commit(struct emu_warp *warp, const struct emu_insn *insn, uint32_t lane,
                              struct emu_bulk **set) {
    struct emu_bulk_group *group = open_group(warp, insn, lane, set);
    if (!group) return EMU_FAULT;
    struct emu_bulk_lane *l = &(*set)->lane[lane];
    l->open = NULL;
    if (l->newest) l->newest->next = group;
    else l->oldest = group;
    l->newest = group;
    l->committed++;
    return EMU_NEXT;
}

static void forget_done(struct emu_bulk *set, struct emu_bulk_lane *l) {
    while (l->oldest && !l->oldest->reads && !l->oldest->writes) {
        struct emu_bulk_group *done = l->oldest;
        l->oldest = done->next;
        if (!l->oldest) l->newest = NULL;
        l->committed--;
        done->next = set->spare;
        set->spare = done;
    }
}

bool emu_bulk_reached(struct emu_bulk *set, uint32_t lane, uint64_t pending, bool read_only) {
    if (!set) return true;
    struct emu_bulk_lane *l = &set->lane[lane];
    forget_done(set, l);
    struct emu_bulk_group *group = l->oldest;
    for (uint64_t left = l->committed; left > pending; left--, group = group->next)
        if (group->reads || (!read_only && group->writes)) return false;
    return true;
}
