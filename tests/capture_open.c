#include "tests/capture_open.h"

#include <ctype.h>
#include <string.h>

/* clang-format off */
const struct capture_open capture_opens[] = {
    /* PTX leaves these open */
    {"prefetch.param.tensormap [%map]", "%map is a generic address there"},
    {"%warpid", "%warpid is the place that the scheduler chose"},
    {"cvta.param.u64 %rd10, %own", "%own is not a parameter's address"},
    {"st.global.b128 [%own], %q0", "%q0 is not set"},
    {"st.b128 [%own], %q0", "%q0 is not set"},
    {"ld.param.s8 %v", "reads bytes that were not set"},
    {"ld.param.u16 %v", "reads bytes that were not set"},
    {"st.shared.b32 [%s], %r1; barrier.cluster", "all lanes store to one place"},
};
/* clang-format on */
const size_t capture_open_count = sizeof capture_opens / sizeof *capture_opens;

const struct capture_open *capture_open(const char *text) {
    for (size_t k = 0; k < capture_open_count; k++) {
        const char *at = strstr(text, capture_opens[k].text);
        if (at && (at == text || !isalpha((unsigned char)at[-1]))) return &capture_opens[k]; /* sqrt is not rsqrt */
    }
    return NULL;
}
