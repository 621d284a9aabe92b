/* ops/sub.c: y = a - b; da = dy, db = -dy, summed over what was stretched. */
#include "ops/binary.h"
#include "ops/integer.h"

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_sub, (pithp_qattr){ 0 });
}

static const pithp_integer integer = { .kind = PITHP_INT_OWN, .clamps = true, .lower = lower };

PITHP_BINARY_OP(sub, PITHP_B_SUB, 0, &integer, &pithp_channels_same)
