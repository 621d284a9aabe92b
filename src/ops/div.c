/* ops/div.c: y = a / b; da = dy / b, db = -y dy / b, summed over what was stretched. */
#include "ops/binary.h"
#include "ops/integer.h"

static const pithp_integer integer = { .instead = "mul by the reciprocal" };

PITHP_BINARY_OP(div, PITHP_B_DIV, PITH_READS_IN(1) | PITH_READS_OUT, &integer, &pithp_channels_same)
