/* ops/tanh.c: y = tanh(x); dx = dy (1 - y^2). */
#include "ops/elementwise.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_tanh, (pithp_qattr){ 0 });
}

static void exact(const pithp_point *p)
{
    int8_t table[256];
    pithp_table_tanh(p->scale[0], p->zero[0], false, table);
    pithp_ref_itable(table, p->in[0], pithp_count(p->shape[0]), p->out);
}

static const pithp_integer integer = {
    .kind = PITHP_INT_FIXED, .scale = 1.0f / 128, .zero = 0, .lower = lower, .exact = exact
};

PITHP_UNARY_OP(tanh, PITHP_U_TANH, PITH_READS_OUT, &integer)
