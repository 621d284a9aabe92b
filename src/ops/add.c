/* ops/add.c: y = a + b; da = db = dy, summed over what was stretched. */
#include "ops/binary.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_add, (pithp_qattr){ 0 });
}

static void run(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step, int64_t n, int8_t *y)
{
    pithp_ref_iadd(g, a, b, step, n, false, y);
}

static void exact(const pithp_point *p)
{
    pithp_iarith g = {
        .zero_a = p->zero[0], .zero_b = p->zero[1], .zero_out = p->zero_out, .lo = p->lo, .hi = p->hi
    };
    float twice = 2 * PITHP_MAX(p->scale[0], p->scale[1]);
    g.scale_a = pithp_fixed_from((double)p->scale[0] / (double)twice);
    g.scale_b = pithp_fixed_from((double)p->scale[1] / (double)twice);
    g.scale = pithp_fixed_from((double)twice / ((1 << 20) * (double)p->scale_out));
    pithp_binary_exact(p, &g, run);
}

static const pithp_integer integer = {
    .kind = PITHP_INT_OWN, .clamps = true, .lower = lower, .exact = exact
};

static const pithp_channels channels = { .ties = pithp_ties_same, .residual = true };

PITHP_BINARY_OP(add, PITHP_B_ADD, 0, &integer, &channels)
