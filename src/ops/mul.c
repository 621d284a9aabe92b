/* ops/mul.c: y = a b; da = b dy, db = a dy, summed over what was stretched. */
#include "ops/binary.h"

PITHP_BINARY_OP(mul, PITHP_B_MUL, PITH_READS_IN(0) | PITH_READS_IN(1))
