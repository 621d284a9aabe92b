/* ops/exp.c: y = exp(x); dx = y dy. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(exp, PITHP_U_EXP, PITH_READS_OUT, NULL)
