/* ops/silu.c: y = x s(x) with s(x) = 1/(1 + exp(-x)); dx = dy s (1 + x (1 - s)).
   Elfwing, Uchibe, Doya: "Sigmoid-weighted linear units", Neural Networks 107, 2018. */
#include "ops/elementwise.h"
#include "ops/integer.h"

/* In integers: logistic, then mul, quantized in between, as exported. */
static pith_tensor *expand(pith_tensor *const *in, pith_tensor *(*quantize)(void *pass, pith_tensor *y),
                           void *pass)
{
    return pith_mul(in[0], quantize(pass, pith_sigmoid(in[0])));
}

static const pithp_integer integer = { .kind = PITHP_INT_OWN, .expand = expand };

PITHP_UNARY_OP(silu, PITHP_U_SILU, PITH_READS_IN(0), &integer)
