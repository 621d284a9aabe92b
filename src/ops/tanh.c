/* ops/tanh.c: y = tanh(x); dx = dy (1 - y^2). */
#include "ops/elementwise.h"

PITHP_UNARY_OP(tanh, PITHP_U_TANH, PITH_READS_OUT)
