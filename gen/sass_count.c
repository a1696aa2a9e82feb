/* sass_count: see sass_count.h. */
#include "gen/sass_count.h"

#include <stdlib.h>
#include <string.h>

const char *const wl_sass_pipe_names[] = {
#define WL_SASS_PIPE_NAME(id, name) name,
    WL_SASS_PIPES(WL_SASS_PIPE_NAME)
#undef WL_SASS_PIPE_NAME
};

/* Opcodes by their beginning; the first row that fits decides, so that what begins alike stands from the
 * special to the general. */
/* clang-format off */
static const struct { const char *begin; enum wl_sass_pipe pipe; } opcodes[] = {
    {"MUFU", WL_SASS_MUFU},   {"I2F", WL_SASS_MUFU},     {"F2I", WL_SASS_MUFU},      {"I2I", WL_SASS_MUFU},
    {"F2F.", WL_SASS_MUFU},   {"POPC", WL_SASS_MUFU},    {"FLO", WL_SASS_MUFU},      {"BREV", WL_SASS_MUFU},
    {"FRND", WL_SASS_MUFU},
    {"UTCATOMSWS", WL_SASS_CONTROL}, {"UTC", WL_SASS_MMA}, {"HGMMA", WL_SASS_MMA},   {"QGMMA", WL_SASS_MMA},
    {"IGMMA", WL_SASS_MMA},   {"HMMA", WL_SASS_MMA},     {"IMMA", WL_SASS_MMA},      {"QMMA", WL_SASS_MMA},
    {"OMMA", WL_SASS_MMA},    {"WARPGROUP", WL_SASS_CONTROL},
    {"LDTM", WL_SASS_TMEM},   {"STTM", WL_SASS_TMEM},
    {"UTMA", WL_SASS_TMA},    {"UBLK", WL_SASS_TMA},     {"UTMACCTL", WL_SASS_TMA},
    {"LDSM", WL_SASS_SHARED}, {"STSM", WL_SASS_SHARED},  {"LDS", WL_SASS_SHARED},    {"STS", WL_SASS_SHARED},
    {"ATOMS", WL_SASS_SHARED}, {"SHFL", WL_SASS_SHARED}, {"STAS", WL_SASS_SHARED},
    {"LDG", WL_SASS_GLOBAL},  {"STG", WL_SASS_GLOBAL},   {"LDGSTS", WL_SASS_GLOBAL}, {"ATOMG", WL_SASS_GLOBAL},
    {"ATOM", WL_SASS_GLOBAL}, {"RED.", WL_SASS_GLOBAL},  {"REDG", WL_SASS_GLOBAL},   {"LD.", WL_SASS_GLOBAL},
    {"ST.", WL_SASS_GLOBAL},
    {"LDL", WL_SASS_LOCAL},   {"STL", WL_SASS_LOCAL},
    {"SYNCS", WL_SASS_CONTROL}, {"BAR", WL_SASS_CONTROL}, {"BRA", WL_SASS_CONTROL},  {"BRX", WL_SASS_CONTROL},
    {"BSSY", WL_SASS_CONTROL}, {"BSYNC", WL_SASS_CONTROL}, {"BREAK", WL_SASS_CONTROL}, {"BPT", WL_SASS_CONTROL},
    {"NOP", WL_SASS_CONTROL}, {"EXIT", WL_SASS_CONTROL}, {"RET", WL_SASS_CONTROL},   {"CALL", WL_SASS_CONTROL},
    {"WARPSYNC", WL_SASS_CONTROL}, {"NANOSLEEP", WL_SASS_CONTROL}, {"YIELD", WL_SASS_CONTROL},
    {"DEPBAR", WL_SASS_CONTROL}, {"FENCE", WL_SASS_CONTROL}, {"MEMBAR", WL_SASS_CONTROL},
    {"ERRBAR", WL_SASS_CONTROL}, {"CCTL", WL_SASS_CONTROL}, {"ELECT", WL_SASS_CONTROL},
    {"USETMAXREG", WL_SASS_CONTROL}, {"UCGABAR", WL_SASS_CONTROL}, {"ACQBULK", WL_SASS_CONTROL},
    {"PREEXIT", WL_SASS_CONTROL}, {"LDGDEPBAR", WL_SASS_CONTROL}, {"UVIRTCOUNT", WL_SASS_CONTROL},
    {"FFMA", WL_SASS_FMA},    {"FADD", WL_SASS_FMA},     {"FMUL", WL_SASS_FMA},      {"IMAD", WL_SASS_FMA},
    {"HFMA2", WL_SASS_FMA},   {"HADD2", WL_SASS_FMA},    {"HMUL2", WL_SASS_FMA},     {"IDP", WL_SASS_FMA},
    {"IMUL", WL_SASS_FMA},
    {"R2UR", WL_SASS_UNIFORM}, {"S2UR", WL_SASS_UNIFORM}, {"REDUX", WL_SASS_UNIFORM}, {"VOTEU", WL_SASS_UNIFORM},
    {"LDCU", WL_SASS_UNIFORM}, {"ULDC", WL_SASS_UNIFORM}, {"CREDUX", WL_SASS_UNIFORM}, {"U", WL_SASS_UNIFORM},
    {"FMNMX", WL_SASS_ALU},   {"FSEL", WL_SASS_ALU},     {"FSET", WL_SASS_ALU},      {"FCHK", WL_SASS_ALU},
    {"F2FP", WL_SASS_ALU},    {"ISETP", WL_SASS_ALU},    {"IADD", WL_SASS_ALU},      {"IABS", WL_SASS_ALU},
    {"IMNMX", WL_SASS_ALU},   {"VI", WL_SASS_ALU},       {"VABSDIFF", WL_SASS_ALU},  {"LOP", WL_SASS_ALU},
    {"PLOP3", WL_SASS_ALU},   {"SHF", WL_SASS_ALU},      {"SGXT", WL_SASS_ALU},      {"BMSK", WL_SASS_ALU},
    {"LEA", WL_SASS_ALU},     {"SEL", WL_SASS_ALU},      {"PRMT", WL_SASS_ALU},      {"MOV", WL_SASS_ALU},
    {"HMNMX2", WL_SASS_ALU},  {"HSET", WL_SASS_ALU},     {"VOTE", WL_SASS_ALU},      {"P2R", WL_SASS_ALU},
    {"R2P", WL_SASS_ALU},
};
/* clang-format on */

enum wl_sass_pipe wl_sass_pipe_of(const char *op) {
    for (size_t i = 0; i < sizeof opcodes / sizeof *opcodes; i++)
        if (!strncmp(op, opcodes[i].begin, strlen(opcodes[i].begin))) return opcodes[i].pipe;
    return WL_SASS_OTHER;
}

/* The bytes that the 32 lanes move: ".x16" in tensor memory are 16 words a lane, ".128" four. */
static int moved_bytes(const char *op, enum wl_sass_pipe pipe) {
    const char *times = pipe == WL_SASS_TMEM ? strstr(op, ".x") : NULL;
    if (times) return atoi(times + 2) * 4 * 32;
    return 32 * (strstr(op, ".128") || strstr(op, ".M88.4") ? 16 : strstr(op, ".64") ? 8 : 4);
}

void wl_sass_count_insn(struct wl_sass_counts *counts, const struct wl_sass_insn *insn) {
    enum wl_sass_pipe pipe = wl_sass_pipe_of(insn->op);
    bool packed =
        !strncmp(insn->op, "FFMA2", 5) || !strncmp(insn->op, "FADD2", 5) || !strncmp(insn->op, "FMUL2", 5);
    counts->all++;
    counts->pipe[pipe]++;
    if (pipe == WL_SASS_FMA) counts->fma_ops += 1 + packed;
    if (!strncmp(insn->op, "LDTM", 4)) counts->tmem_read_bytes += moved_bytes(insn->op, pipe);
    if (pipe == WL_SASS_SHARED && strncmp(insn->op, "SHFL", 4))
        counts->shared_bytes += moved_bytes(insn->op, pipe);
}

/* ---- the step loop of a role ---- */

/* A step waits for what another role did; loops that only repeat the same work (the stores of a tile) do not. */
static bool waits(const struct wl_sass_flow *flow, int loop) {
    const struct wl_sass_function *f = flow->function;
    for (int i = flow->loops[loop].first; i <= flow->loops[loop].last; i++)
        if (flow->loop[i] == loop && !strncmp(f->insns[i].op, "SYNCS.PHASECHK", 14)) return true;
    return false;
}

static bool better(const struct wl_sass_flow *flow, int a, int b) {
    if (b < 0) return true;
    const struct wl_sass_loop *x = &flow->loops[a], *y = &flow->loops[b];
    bool x_waits = waits(flow, a), y_waits = waits(flow, b);
    if (x_waits != y_waits) return x_waits;
    return x->depth > y->depth || (x->depth == y->depth && x->last - x->first > y->last - y->first);
}

/* The most deeply nested loop of the role that waits, else the most deeply nested, or -1. */
static int find_turn(const struct wl_sass_flow *flow, int role) {
    int best = -1;
    for (int l = 0; l < flow->loop_count; l++) {
        const struct wl_sass_loop *loop = &flow->loops[l];
        if (!loop->poll && !loop->tile && loop->role == role && better(flow, l, best)) best = l;
    }
    return best;
}

static bool in_mask(const struct wl_sass_insn *insn) {
    char name[64];
    return strstr(wl_sass_template_function(insn->file, insn->line, name, sizeof name), "mask") != NULL;
}

static void add_times(struct wl_sass_counts *counts, const struct wl_sass_insn *insn, int times) {
    while (times-- > 0) wl_sass_count_insn(counts, insn);
}

/* turn: the loop that counts, -1: none. */
static void count_role(const struct wl_sass_flow *flow, int role, int turn, int q_tiles,
                       struct wl_sass_role *out) {
    const struct wl_sass_function *f = flow->function;
    int step = turn, parent = turn < 0 ? -1 : flow->loops[turn].parent;
    *out = (struct wl_sass_role){.name = flow->roles[role], .loop = -1, .turns = 1};
    if (parent >= 0 && !flow->loops[parent].tile && flow->loops[parent].first == flow->loops[turn].first)
        step = parent, out->turns = q_tiles;
    out->loop = step;
    if (step >= 0) out->address = f->insns[flow->loops[step].first].address;
    for (int i = 0; i < f->count; i++) {
        const struct wl_sass_insn *insn = &f->insns[i];
        if (flow->role[i] == role) wl_sass_count_insn(&out->whole, insn);
        if (flow->loop[i] < 0 || (flow->loop[i] != turn && flow->loop[i] != step)) continue;
        int times = flow->loop[i] == turn ? out->turns : 1;
        if (times > 1 && !flow->apart[i]) out->in_turn++;
        if (flow->apart[i]) out->apart++;
        else if (!flow->skipped[i]) add_times(&out->always, insn, times);
        else add_times(in_mask(insn) ? &out->mask : &out->sometimes, insn, times);
    }
}

/* Code from elsewhere tells no roles: its innermost loops stand for them, as many as there is room for. */
static void count_loops(struct wl_sass_report *report) {
    const struct wl_sass_flow *flow = &report->flow;
    for (int l = 0; l < flow->loop_count && report->role_count < WL_SASS_MAX_ROLES; l++) {
        bool innermost = !flow->loops[l].poll;
        for (int k = 0; k < flow->loop_count; k++)
            innermost &= flow->loops[k].poll || flow->loops[k].parent != l;
        if (!innermost) continue;
        struct wl_sass_role *role = &report->roles[report->role_count++];
        count_role(flow, 0, l, 1, role);
        role->name = "loop";
    }
}

static void count_roles(struct wl_sass_report *report, int q_tiles) {
    const struct wl_sass_flow *flow = &report->flow;
    if (flow->role_count == 1) count_loops(report);
    if (report->role_count) return;
    for (int r = 0; r < flow->role_count; r++) {
        struct wl_sass_role *role = &report->roles[report->role_count];
        count_role(flow, r, find_turn(flow, r), q_tiles, role);
        if (role->whole.all) report->role_count++;
    }
}

int wl_sass_step(const struct wl_sass_role *role, bool masked, bool rescaling) {
    return role->always.all + (masked ? role->mask.all : 0) + (rescaling ? role->sometimes.all : 0);
}

/* ---- clocks ---- */

static void add_row(struct wl_cost *cost, double *sum, const char *unit, const char *what, const char *of,
                    double amount, double rate) {
    if (amount <= 0 || rate <= 0 || cost->row_count == WL_COST_MAX_ROWS) return;
    cost->rows[cost->row_count++] = (struct wl_cost_row){unit, what, of, amount, rate, amount / rate};
    *sum += amount / rate;
}

static void add_role(struct wl_cost *cost, const struct wl_arch *arch, const struct wl_sass_role *role,
                     int warps) {
    const struct wl_sass_counts *c = &role->always;
    add_row(cost, &cost->mufu, "mufu", role->name, "op", 32.0 * warps * c->pipe[WL_SASS_MUFU], arch->mufu);
    add_row(cost, &cost->fma, "fma", role->name, "op", 32.0 * warps * c->fma_ops, arch->fma);
    add_row(cost, &cost->alu, "alu", role->name, "op", 32.0 * warps * c->pipe[WL_SASS_ALU], arch->alu);
    add_row(cost, &cost->issue, "issue", role->name, "warp instruction", (double)warps * c->all,
            arch->issue_warps);
    add_row(cost, &cost->tmem, "tmem", role->name, "B", (double)warps * c->tmem_read_bytes,
            arch->tmem_read_bytes);
    cost->mask_alu += 32.0 * warps * role->mask.pipe[WL_SASS_ALU] / arch->alu;
    cost->mask_fma += 32.0 * warps * role->mask.fma_ops / arch->fma;
}

/* The tensor cores' and TMA's share is the plan's: machine code does not say how large an MMA's tile is. */
static void keep_rows(struct wl_cost *counted, const struct wl_cost *model) {
    for (int i = 0; i < model->row_count; i++) {
        const struct wl_cost_row *row = &model->rows[i];
        double *sum = !strcmp(row->unit, "mma")    ? &counted->mma
                      : !strcmp(row->unit, "smem") ? &counted->smem
                                                   : NULL;
        if (sum) add_row(counted, sum, row->unit, row->what, row->of, row->amount, row->rate);
    }
}

static void find_bound(struct wl_cost *cost) {
    const struct {
        const char *unit;
        double clocks;
    } units[WL_COST_UNITS] = {{"mma", cost->mma},  {"mufu", cost->mufu}, {"fma", cost->fma},
                              {"alu", cost->alu},  {"smem", cost->smem}, {"issue", cost->issue},
                              {"tmem", cost->tmem}};
    for (int u = 0; u < WL_COST_UNITS; u++)
        if (units[u].clocks > cost->bound_clocks)
            cost->bound_clocks = units[u].clocks, cost->bound = units[u].unit;
    cost->peak_share = cost->mma / cost->bound_clocks;
}

static enum wl_status count_clocks(struct wl_sass_report *report, struct wl_error *error) {
    const struct wl_plan *plan = report->plan;
    enum wl_status status = wl_cost_estimate(plan, &report->model, error);
    if (status) return status;
    keep_rows(&report->counted, &report->model);
    for (int r = 0; r < report->role_count; r++) {
        const struct wl_plan_role *role = wl_plan_role(plan, report->roles[r].name);
        if (role && report->roles[r].loop >= 0)
            add_role(&report->counted, plan->arch, &report->roles[r], role->warps);
    }
    find_bound(&report->counted);
    return WL_OK;
}

/* ---- FlashAttention-4 ---- */

/* Its kernels for sm_100a, assembled by ptxas 13.0: a warp's loop against 128 keys; the correction and MMA
 * warps' loops serve both query tiles. */
/* clang-format off */
static const struct {
    int head_dim, causal; /* -1: both */
    const char *role, *what; int theirs;
} peers[] = {
    {128,  0, "softmax",    "step",           544}, {128,  0, "softmax",    "mufu", 105},
    {128,  1, "softmax",    "step",           514}, {128,  1, "softmax",    "mufu", 113},
    { 64, -1, "softmax",    "step",           515}, { 64, -1, "softmax",    "mufu", 113},
    {128, -1, "softmax",    "masked step",    689}, { 64, -1, "softmax",    "masked step", 689},
    {128, -1, "correction", "rescaling step", 185}, { 64, -1, "correction", "rescaling step", 107},
    {128,  0, "mma",        "step",           225}, {128,  1, "mma",        "step", 219},
    { 64, -1, "mma",        "step",           177},
};
/* clang-format on */

static int our_count(const struct wl_sass_role *role, const char *what) {
    if (!strcmp(what, "mufu")) return role->always.pipe[WL_SASS_MUFU];
    return wl_sass_step(role, !strcmp(what, "masked step"), !strcmp(what, "rescaling step"));
}

static void add_peers(struct wl_sass_report *report) {
    const struct wl_schedule *s = &report->plan->schedule;
    if (strncmp(s->target, "sm_10", 5) || s->tile_m != 128 || s->tile_n != 128 || s->q_tiles != 2) return;
    for (size_t p = 0; p < sizeof peers / sizeof *peers; p++)
        for (int r = 0; r < report->role_count; r++)
            if (peers[p].head_dim == report->plan->head_dim &&
                !strcmp(peers[p].role, report->roles[r].name) &&
                (peers[p].causal < 0 || peers[p].causal == report->plan->causal) &&
                report->peer_count < WL_SASS_MAX_PEERS)
                report->peers[report->peer_count++] =
                    (struct wl_sass_peer){peers[p].role, peers[p].what,
                                          our_count(&report->roles[r], peers[p].what), peers[p].theirs};
}

enum wl_status wl_sass_measure(struct wl_arena *arena, const struct wl_sass *sass,
                               const struct wl_sass_function *function, const struct wl_plan *plan,
                               struct wl_sass_report *report, struct wl_error *error) {
    *report = (struct wl_sass_report){.plan = plan,
                                      .name = function->name,
                                      .target = sass->target,
                                      .instructions = function->count,
                                      .registers = function->registers};
    enum wl_status status = wl_sass_flow(arena, function, &report->flow, error);
    if (status) return status;
    count_roles(report, plan ? plan->schedule.q_tiles : 1);
    if (!plan) return WL_OK;
    status = count_clocks(report, error);
    if (!status) add_peers(report);
    return status;
}
