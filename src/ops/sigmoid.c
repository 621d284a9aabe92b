/* ops/sigmoid.c: y = 1/(1 + exp(-x)); dx = dy y (1 - y). */
#include "ops/elementwise.h"

PITHP_UNARY_OP(sigmoid, PITHP_U_SIGMOID, PITH_READS_OUT)
