/* ops/add.c: y = a + b; da = db = dy, summed over what was stretched. */
#include "ops/binary.h"

PITHP_BINARY_OP(add, PITHP_B_ADD, 0)
