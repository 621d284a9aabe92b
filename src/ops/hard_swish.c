/* ops/hard_swish.c: y = x min(max(x + 3, 0), 6) / 6; dx = dy (x/3 + 1/2) on -3 <= x <= 3, dy above, 0 below.
   Howard et al.: "Searching for MobileNetV3", ICCV 2019. */
#include "ops/elementwise.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_hard_swish, (pithp_qattr){ 0 });
}

static const pithp_integer integer = { .kind = PITHP_INT_OWN, .lower = lower };

PITHP_UNARY_OP(hard_swish, PITHP_U_HARD_SWISH, PITH_READS_IN(0), &integer)
