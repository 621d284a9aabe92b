/* ops/activation.c: the activation functions by their number. */
#include "ops/common.h"

pith_tensor *pith_activation(pith_tensor *x, pith_act act)
{
    switch (act) {
    case PITH_LINEAR: return x;
    case PITH_RELU: return pith_relu(x);
    case PITH_RELU6: return pith_relu6(x);
    case PITH_SILU: return pith_silu(x);
    case PITH_SIGMOID: return pith_sigmoid(x);
    case PITH_HARD_SWISH: return pith_hard_swish(x);
    case PITH_HARD_SIGMOID: return pith_hard_sigmoid(x);
    case PITH_TANH: return pith_tanh(x);
    }
    if (!x)
        return NULL;
    pithp_error(pith_ctx_of(x), PITH_EINVAL,
                "pith_activation: there is no activation number %d; expected a pith_act "
                "such as PITH_RELU6",
                (int)act);
    return pithp_poison(pith_ctx_of(x));
}
