/* ops/log.c: y = log(x), NaN below 0; dx = dy / x. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(log, PITHP_U_LOG, PITH_READS_IN(0), NULL)
