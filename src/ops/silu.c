/* ops/silu.c: y = x s(x) with s(x) = 1/(1 + exp(-x)); dx = dy s (1 + x (1 - s)).
   Elfwing, Uchibe, Doya: "Sigmoid-weighted linear units", Neural Networks 107, 2018. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(silu, PITHP_U_SILU, PITH_READS_IN(0))
