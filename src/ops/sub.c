/* ops/sub.c: y = a - b; da = dy, db = -dy, summed over what was stretched. */
#include "ops/binary.h"

PITHP_BINARY_OP(sub, PITHP_B_SUB, 0)
