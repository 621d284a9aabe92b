/* ops/relu.c: y = max(x, 0); dx = dy where y > 0, else 0.
   Nair, Hinton: "Rectified linear units improve restricted Boltzmann machines", ICML 2010. */
#include "ops/elementwise.h"
#include "ops/integer.h"

/* The kernel asks x > 0; y answers the same, and x need not be kept. */
static const pithp_integer integer = { .kind = PITHP_INT_CLAMP, .act = PITHP_QRELU };

PITHP_UNARY_OP(relu, PITHP_U_RELU, PITH_READS_OUT, &integer)
