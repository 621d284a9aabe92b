/* ops/sqrt.c: y = sqrt(x), NaN below 0; dx = dy / (2 y). */
#include "ops/elementwise.h"

PITHP_UNARY_OP(sqrt, PITHP_U_SQRT, PITH_READS_OUT, NULL)
