/* judge_map: tensor maps that a kernel makes itself. What the generic proxy wrote into one is for the
 * tensormap proxy to see only behind a fence.proxy.tensormap::generic.acquire of it: by any thread of the
 * cluster, if that is behind the write and before the use. PTX ISA 9.1 §8.5, §9.7.13.4. Maps that other
 * clusters wrote are not looked at. */
#include <stdio.h>

#include "runtime/emu/judge_parts.h"

enum { ACQUIRES = 64 /* that are kept: a cluster's warps, where each has its own */ };

struct judge_map {
    struct judge_map *next;
    uint64_t address;
    struct judge_party write;
    struct judge_event {
        uint32_t epoch;
        uint16_t who;
        bool any;
    } acquired[ACQUIRES];
    uint32_t count;
};

static struct judge_map *find(const struct emu_judge *judge, uint64_t address) {
    struct judge_map *m = judge->maps;
    while (m && m->address != address) m = m->next;
    return m;
}

static struct judge_party party_of(struct emu_judge_warp *w, const struct emu_insn *insn) {
    return (struct judge_party){.who = (uint16_t)w->base,
                                .epoch = w->clock.g[w->base],
                                .pc = judge_pc(w->warp, insn),
                                .kind = JUDGE_LDST};
}

void emu_judge_map_written(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_map *m = find(w->judge, address);
    judge_touch(w);
    if (!m) {
        if (!(m = judge_alloc(w->judge, sizeof *m))) return;
        m->next = w->judge->maps;
        w->judge->maps = m;
    }
    *m = (struct judge_map){.next = m->next, .address = address, .write = party_of(w, insn)};
}

void emu_judge_map_acquired(struct emu_warp *warp, uint64_t address) {
    struct emu_judge_warp *w = warp->judge;
    struct judge_map *m = find(w->judge, address);
    if (!m || !judge_knows(w->clock.g, &m->write)) return;
    for (uint32_t i = 0; i < ACQUIRES; i++) /* its first one is known to more */
        if (m->acquired[i].any && m->acquired[i].who == w->base) return;
    judge_touch(w);
    m->acquired[m->count++ % ACQUIRES] = (struct judge_event){w->clock.g[w->base], (uint16_t)w->base, true};
}

void emu_judge_map_used(struct emu_warp *warp, const struct emu_insn *insn, uint64_t address) {
    struct emu_judge_warp *w = warp->judge;
    const struct judge_map *m = find(w->judge, address);
    char where[64];
    if (!m) return;
    for (uint32_t i = 0; i < ACQUIRES; i++)
        if (m->acquired[i].any && w->clock.g[m->acquired[i].who] >= m->acquired[i].epoch) return;
    judge_touch(w);
    struct judge_party now = party_of(w, insn);
    snprintf(where, sizeof where, "tensor map at 0x%llx", (unsigned long long)address);
    judge_say(w->judge,
              &(struct judge_report){.name = "proxy", .now = &now, .then = &m->write, .then_writes = true},
              where, "no fence.proxy.tensormap::generic.acquire of it stands between");
}
