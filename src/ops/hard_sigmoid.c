/* ops/hard_sigmoid.c: y = min(max(x + 3, 0), 6) / 6; dx = dy / 6 on -3 < x < 3, else 0.
   Howard et al.: "Searching for MobileNetV3", ICCV 2019. */
#include "ops/elementwise.h"

PITHP_UNARY_OP(hard_sigmoid, PITHP_U_HARD_SIGMOID, PITH_READS_IN(0), NULL)
