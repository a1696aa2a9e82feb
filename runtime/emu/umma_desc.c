#include "runtime/emu/umma_desc.h"

#include <stdio.h>

#define REFUSE(...) return snprintf(why, why_bytes, __VA_ARGS__), false

/* ---- shared-memory matrix descriptor: PTX ISA 9.1 §9.7.16.4.1 ---- */

static uint32_t bits(uint64_t word, uint32_t low, uint32_t width) {
    return (uint32_t)(word >> low & ((1ull << width) - 1));
}

static const struct {
    const char *name;
    uint8_t low, width;
} smem_fields[] = {
/* clang-format off */
#define SMEM_START 0
    {"start address",         0, 14},
#define SMEM_LBO 1
    {"leading byte offset",  16, 14},
#define SMEM_SBO 2
    {"stride byte offset",   32, 14},
#define SMEM_CONSTANT 3
    {"bits 46-48",           46,  3},
#define SMEM_BASE 4
    {"base offset",          49,  3},
#define SMEM_LBO_MODE 5
    {"leading stride mode",  52,  1},
#define SMEM_ZERO 6
    {"bits 53-60",           53,  8},
#define SMEM_SWIZZLE 7
    {"swizzle mode",         61,  3},
    /* clang-format on */
};

static uint32_t smem_field(uint64_t descriptor, int field) {
    return bits(descriptor, smem_fields[field].low, smem_fields[field].width);
}

bool emu_smem_matrix_decode(struct emu_smem_matrix *m, uint64_t descriptor, char *why, size_t why_bytes) {
    static const int8_t modes[8] = {EMU_SWIZZLE_NONE, EMU_SWIZZLE_128B_ATOM_32B,
                                    EMU_SWIZZLE_128B, -1,
                                    EMU_SWIZZLE_64B,  -1,
                                    EMU_SWIZZLE_32B,  -1};
    uint32_t mode = smem_field(descriptor, SMEM_SWIZZLE), constant = smem_field(descriptor, SMEM_CONSTANT);
    if (constant != 1)
        REFUSE("matrix descriptor 0x%016llx: bits 46-48 are %u, must be 1", (unsigned long long)descriptor,
               constant);
    if (smem_field(descriptor, SMEM_ZERO))
        REFUSE("matrix descriptor 0x%016llx: bits 53-60 must be 0", (unsigned long long)descriptor);
    if (modes[mode] < 0)
        REFUSE("matrix descriptor 0x%016llx: swizzle mode %u, legal are 0, 1, 2, 4, 6",
               (unsigned long long)descriptor, mode);
    if (smem_field(descriptor, SMEM_LBO_MODE))
        REFUSE("matrix descriptor 0x%016llx: absolute leading address (bit 52) is of sm_103a only",
               (unsigned long long)descriptor);
    m->start = smem_field(descriptor, SMEM_START) * 16;
    m->lbo = smem_field(descriptor, SMEM_LBO) * 16;
    m->sbo = smem_field(descriptor, SMEM_SBO) * 16;
    m->base_offset = smem_field(descriptor, SMEM_BASE);
    m->swizzle = (enum emu_swizzle)modes[mode];
    return true;
}

uint32_t emu_smem_matrix_k_major(const struct emu_smem_matrix *m, uint32_t mn, uint32_t chunk) {
    if (!m->swizzle) return m->start + mn % 8 * 16 + mn / 8 * m->sbo + chunk * m->lbo;
    uint32_t span = emu_swizzle_span(m->swizzle);
    return emu_swizzle_address(m->swizzle, m->start + mn % 8 * span + mn / 8 * m->sbo + chunk * 16,
                               m->base_offset);
}

uint32_t emu_smem_matrix_mn_major(const struct emu_smem_matrix *m, uint32_t chunk, uint32_t k) {
    if (!m->swizzle) return m->start + chunk * m->sbo + k % 8 * 16 + k / 8 * m->lbo;
    uint32_t span = emu_swizzle_span(m->swizzle), byte = chunk * 16;
    uint32_t linear = m->start + byte % span + byte / span * m->lbo + k % 8 * span + k / 8 * m->sbo;
    return emu_swizzle_address(m->swizzle, linear, m->base_offset);
}

/* ---- instruction descriptor: §9.7.16.4.2, tables 42 to 44 ---- */

enum field {
    SPARSITY_SELECTOR,
    SPARSE,
    SATURATE,
    D_TYPE,
    A_TYPE,
    B_TYPE,
    NEGATE_A,
    NEGATE_B,
    TRANSPOSE_A,
    TRANSPOSE_B,
    N,
    M,
    B_SHIFT,
    SCALE_B_ID,
    SCALE_A_ID,
    SCALE_TYPE,
    K_96,
    FIELDS
};
enum layout { PLAIN, MXF8F6F4, MXF4, LAYOUTS };

/* {low, width}; width 0: this layout has no such field. What no field covers must be 0. */
static const struct {
    uint8_t low, width;
} positions[LAYOUTS][FIELDS] = {
    /* clang-format off */
    [PLAIN]    = {[SPARSITY_SELECTOR] = {0, 2}, [SPARSE] = {2, 1}, [SATURATE] = {3, 1}, [D_TYPE] = {4, 2}, [A_TYPE] = {7, 3},
                  [B_TYPE] = {10, 3}, [NEGATE_A] = {13, 1}, [NEGATE_B] = {14, 1}, [TRANSPOSE_A] = {15, 1},
                  [TRANSPOSE_B] = {16, 1}, [N] = {17, 6}, [M] = {24, 5}, [B_SHIFT] = {30, 2}},
    [MXF8F6F4] = {[SPARSE] = {2, 1}, [SCALE_B_ID] = {4, 2}, [A_TYPE] = {7, 3}, [B_TYPE] = {10, 3}, [NEGATE_A] = {13, 1},
                  [NEGATE_B] = {14, 1}, [TRANSPOSE_A] = {15, 1}, [TRANSPOSE_B] = {16, 1}, [N] = {17, 6},
                  [SCALE_TYPE] = {23, 1}, [M] = {27, 2}, [SCALE_A_ID] = {29, 2}},
    [MXF4]     = {[SPARSE] = {2, 1}, [SCALE_B_ID] = {4, 2}, [A_TYPE] = {7, 3}, [B_TYPE] = {10, 2}, [NEGATE_A] = {13, 1},
                  [NEGATE_B] = {14, 1}, [N] = {17, 6}, [SCALE_TYPE] = {23, 1}, [M] = {27, 2}, [SCALE_A_ID] = {29, 2},
                  [K_96] = {31, 1}},
    /* clang-format on */
};

static const struct {
    const char *name;
    enum layout layout;
    uint8_t k;
    int8_t types[8]; /* element by its code; -1: none */
    uint8_t d_types; /* bit c: code c is legal (0 f16, 1 f32, 2 s32) */
} kinds[EMU_UMMA_KINDS] = {
    /* clang-format off */
    [EMU_UMMA_F16]      = {"f16",      PLAIN,    16, {EMU_F16, EMU_BF16, -1, -1, -1, -1, -1, -1}, 3},
    [EMU_UMMA_TF32]     = {"tf32",     PLAIN,     8, {-1, -1, EMU_TF32, -1, -1, -1, -1, -1}, 2},
    [EMU_UMMA_F8F6F4]   = {"f8f6f4",   PLAIN,    32, {EMU_E4M3, EMU_E5M2, -1, EMU_E2M3, EMU_E3M2, EMU_E2M1, -1, -1}, 3},
    [EMU_UMMA_I8]       = {"i8",       PLAIN,    32, {EMU_U8, EMU_S8, -1, -1, -1, -1, -1, -1}, 4},
    [EMU_UMMA_MXF8F6F4] = {"mxf8f6f4", MXF8F6F4, 32, {EMU_E4M3, EMU_E5M2, -1, EMU_E2M3, EMU_E3M2, EMU_E2M1, -1, -1}, 2},
    [EMU_UMMA_MXF4]     = {"mxf4",     MXF4,     64, {-1, EMU_E2M1, -1, -1, -1, -1, -1, -1}, 2},
    [EMU_UMMA_MXF4NVF4] = {"mxf4nvf4", MXF4,     64, {-1, EMU_E2M1, -1, -1, -1, -1, -1, -1}, 2},
    /* clang-format on */
};

const char *emu_umma_kind_name(enum emu_umma_kind kind) { return kinds[kind].name; }

const char *emu_element_name(enum emu_element element) {
    static const char *const names[EMU_ELEMENTS] = {"f16",  "bf16", "tf32", "e4m3", "e5m2",
                                                    "e2m3", "e3m2", "e2m1", "u8",   "s8"};
    return names[element];
}

static uint32_t get(uint32_t word, enum layout layout, enum field f) {
    return bits(word, positions[layout][f].low, positions[layout][f].width);
}

static uint32_t covered(enum layout layout) {
    uint64_t mask = 0;
    for (int f = 0; f < FIELDS; f++)
        mask |= ((1ull << positions[layout][f].width) - 1) << positions[layout][f].low;
    return (uint32_t)mask;
}

/* Legal M (bit 0: 32, 1: 64, 2: 128, 3: 256) and N: table 39. */
static const struct {
    uint8_t ms;
    uint16_t n_from, n_step;
} shapes[EMU_UMMA_KINDS][3] = {
    /* cg1, cg2, .ws */
    /* clang-format off */
    [EMU_UMMA_F16]      = {{6, 8, 8}, {12, 16, 16}, {7, 64, 64}},
    [EMU_UMMA_TF32]     = {{6, 8, 8}, {12, 16, 16}, {7, 64, 64}},
    [EMU_UMMA_F8F6F4]   = {{6, 8, 8}, {12, 16, 16}, {7, 64, 64}},
    [EMU_UMMA_I8]       = {{6, 8, 8}, {12, 32, 32}, {7, 64, 64}},
    [EMU_UMMA_MXF8F6F4] = {{4, 8, 8}, {12, 16, 16}, {0, 0, 0}},
    [EMU_UMMA_MXF4]     = {{4, 8, 8}, {12, 16, 16}, {0, 0, 0}},
    [EMU_UMMA_MXF4NVF4] = {{4, 8, 8}, {12, 16, 16}, {0, 0, 0}},
    /* clang-format on */
};

static bool legal_n(const struct emu_umma *u, const struct emu_umma_form *form, uint32_t from,
                    uint32_t step) {
    if (form->weight_stationary) return u->n == 64 || u->n == 128 || (u->n == 256 && !u->sparse);
    if (u->kind == EMU_UMMA_I8 && form->cta_group == 1)
        return u->n == 24 || (u->n < 32 ? u->n % 8 == 0 : u->n % 16 == 0);
    return u->n >= from && u->n <= 256 && u->n % step == 0;
}

static bool check_shape(const struct emu_umma *u, const struct emu_umma_form *form, char *why,
                        size_t why_bytes) {
    int column = form->weight_stationary ? 2 : (int)form->cta_group - 1;
    const char *name = kinds[u->kind].name;
    uint32_t ms = shapes[u->kind][column].ms, from = shapes[u->kind][column].n_from,
             step = shapes[u->kind][column].n_step;
    if (!ms) REFUSE("kind::%s has no .ws form", name);
    bool m_legal = false;
    for (int i = 0; i < 4; i++) m_legal = m_legal || (ms >> i & 1 && u->m == 32u << i);
    if (!m_legal)
        REFUSE("M = %u is not legal for kind::%s with cta_group::%u%s (legal:%s%s%s%s)", u->m, name,
               form->cta_group, form->weight_stationary ? " and .ws" : "", ms & 1 ? " 32" : "",
               ms & 2 ? " 64" : "", ms & 4 ? " 128" : "", ms & 8 ? " 256" : "");
    if (u->n < 8 || u->n > 256 || !legal_n(u, form, from, step))
        REFUSE("N = %u is not legal for kind::%s with cta_group::%u%s (from %u in steps of %u to 256)", u->n,
               name, form->cta_group, form->weight_stationary ? " and .ws" : "", from, step);
    bool byte_transposed_b =
        u->b_mn_major && (u->b == EMU_E4M3 || u->b == EMU_E5M2 || u->b == EMU_U8 || u->b == EMU_S8);
    if (byte_transposed_b && u->n % (16 * form->cta_group))
        REFUSE("N = %u with a transposed 8-bit B: legal are multiples of %u", u->n, 16 * form->cta_group);
    return true;
}

static bool check_types(const struct emu_umma *u, uint32_t d_code, const struct emu_umma_form *form,
                        char *why, size_t why_bytes) {
    const char *name = kinds[u->kind].name;
    if (kinds[u->kind].layout == PLAIN && !(kinds[u->kind].d_types >> d_code & 1))
        REFUSE("D type code %u is not legal for kind::%s", d_code, name);
    if (u->d_f16 && (u->a == EMU_BF16 || u->b == EMU_BF16)) REFUSE("bf16 inputs need a float32 D");
    if (u->kind == EMU_UMMA_F16 && u->a != u->b)
        REFUSE("A is %s and B is %s: kind::f16 wants one type", emu_element_name(u->a),
               emu_element_name(u->b));
    if (form->a_in_tmem && u->a_mn_major) REFUSE("A in tensor memory cannot be transposed (bit 15)");
    bool narrow_a = u->a == EMU_E2M3 || u->a == EMU_E3M2 || u->a == EMU_E2M1,
         narrow_b = u->b == EMU_E2M3 || u->b == EMU_E3M2 || u->b == EMU_E2M1;
    if ((narrow_a && u->a_mn_major) || (narrow_b && u->b_mn_major))
        REFUSE("6- and 4-bit elements cannot be transposed");
    if (u->kind == EMU_UMMA_I8 && (u->negate_a || u->negate_b)) REFUSE("kind::i8 cannot negate");
    if (u->saturate && u->kind != EMU_UMMA_I8) REFUSE("saturation (bit 3) is of kind::i8 only");
    return true;
}

bool emu_umma_decode(struct emu_umma *u, uint32_t word, const struct emu_umma_form *form, char *why,
                     size_t why_bytes) {
    enum layout layout = kinds[form->kind].layout;
    uint32_t d_code = get(word, layout, D_TYPE), a = get(word, layout, A_TYPE), b = get(word, layout, B_TYPE);
    if (word & ~covered(layout))
        REFUSE("instruction descriptor 0x%08x: reserved bits 0x%08x are set", word, word & ~covered(layout));
    if (kinds[form->kind].types[a] < 0 || kinds[form->kind].types[b] < 0)
        REFUSE("instruction descriptor 0x%08x: type codes %u and %u are not of kind::%s", word, a, b,
               kinds[form->kind].name);
    if (get(word, layout, K_96)) REFUSE("instruction descriptor 0x%08x: K = 96 is of sm_103a only", word);
    if (get(word, layout, B_SHIFT) && !form->weight_stationary)
        REFUSE("instruction descriptor 0x%08x: bits 30-31 are of .ws only", word);
    if (get(word, layout, SPARSE) != form->sparse)
        REFUSE("instruction descriptor 0x%08x: bit 2 says %s, the instruction is %s", word,
               form->sparse ? "dense" : "sparse", form->sparse ? "sparse" : "dense");
    *u = (struct emu_umma){
        .kind = form->kind,
        .n = get(word, layout, N) * 8,
        .k = kinds[form->kind].k << form->sparse,
        .m = get(word, layout, M) * (layout == PLAIN ? 16 : 128),
        .a = (enum emu_element)kinds[form->kind].types[a],
        .b = (enum emu_element)kinds[form->kind].types[b],
        .d_f16 = layout == PLAIN && d_code == 0,
        .negate_a = get(word, layout, NEGATE_A),
        .negate_b = get(word, layout, NEGATE_B),
        .a_mn_major = get(word, layout, TRANSPOSE_A),
        .b_mn_major = get(word, layout, TRANSPOSE_B),
        .saturate = get(word, layout, SATURATE),
        .sparse = form->sparse,
        .scale_a_id = get(word, layout, SCALE_A_ID),
        .scale_b_id = get(word, layout, SCALE_B_ID),
        .scale_ue8m0 = get(word, layout, SCALE_TYPE),
    };
    return check_types(u, d_code, form, why, why_bytes) && check_shape(u, form, why, why_bytes);
}

bool emu_umma_operand_legal(const struct emu_umma *u, const struct emu_smem_matrix *m, bool mn_major,
                            enum emu_element element, char *why, size_t why_bytes) {
    (void)u;
    if (!mn_major) return true;
    bool atoms = m->swizzle == EMU_SWIZZLE_128B_ATOM_32B;
    if (element == EMU_TF32) /* facts 1.2, 14.3: its strides are not established anywhere */
        REFUSE("a transposed tf32 operand is not supported (its layout, 128B swizzle with 32B atoms, is not "
               "established)");
    if (atoms)
        REFUSE("128B swizzle with 32B atoms is not legal for a transposed %s operand",
               emu_element_name(element));
    return true;
}
