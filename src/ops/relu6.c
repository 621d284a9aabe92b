/* ops/relu6.c: y = min(max(x, 0), 6); dx = dy where 0 < y < 6, else 0.
   Krizhevsky: "Convolutional deep belief networks on CIFAR-10", 2010. */
#include "ops/elementwise.h"
#include "ops/integer.h"

static const pithp_integer integer = { .kind = PITHP_INT_CLAMP, .act = PITHP_QRELU6 };

/* The kernel asks 0 < x < 6; y answers the same, and x need not be kept. */
PITHP_UNARY_OP(relu6, PITHP_U_RELU6, PITH_READS_OUT, &integer)
