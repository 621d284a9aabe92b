/* ops/square.c: y = x^2; dx = 2 x dy. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(square, PITHP_U_SQUARE, PITH_READS_IN(0), NULL)
