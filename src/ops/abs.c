/* ops/abs.c: y = |x|; dx = sign(x) dy, with sign(0) = 0. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(abs, PITHP_U_ABS, PITH_READS_IN(0), NULL)
