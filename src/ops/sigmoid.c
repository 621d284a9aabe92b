/* ops/sigmoid.c: y = 1/(1 + exp(-x)); dx = dy y (1 - y). */
#include "ops/elementwise.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_logistic, (pithp_qattr){ 0 });
}

static void exact(const pithp_point *p)
{
    int8_t table[256];
    pithp_table_logistic(p->scale[0], p->zero[0], false, table);
    pithp_ref_itable(table, p->in[0], pithp_count(p->shape[0]), p->out);
}

static const pithp_integer integer = {
    .kind = PITHP_INT_FIXED, .scale = 1.0f / 256, .zero = -128, .lower = lower, .exact = exact
};

PITHP_UNARY_OP(sigmoid, PITHP_U_SIGMOID, PITH_READS_OUT, &integer)
