/* ops/mul.c: y = a b; da = b dy, db = a dy, summed over what was stretched. */
#include "ops/binary.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_mul, (pithp_qattr){ 0 });
}

static void run(const pithp_iarith *g, const int8_t *a, const int8_t *b, int64_t step, int64_t n, int8_t *y)
{
    pithp_ref_imul(g, a, b, step, n, false, y);
}

static void exact(const pithp_point *p)
{
    pithp_iarith g = {
        .zero_a = p->zero[0], .zero_b = p->zero[1], .zero_out = p->zero_out, .lo = p->lo, .hi = p->hi
    };
    g.scale = pithp_fixed_from((double)p->scale[0] * (double)p->scale[1] / (double)p->scale_out);
    pithp_binary_exact(p, &g, run);
}

static const pithp_integer integer = {
    .kind = PITHP_INT_OWN, .clamps = true, .lower = lower, .exact = exact
};

PITHP_BINARY_OP(mul, PITHP_B_MUL, PITH_READS_IN(0) | PITH_READS_IN(1), &integer, &pithp_channels_same)
