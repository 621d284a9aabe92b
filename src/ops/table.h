/* ops/table.h: the descriptors of ops.def. */
#ifndef PITHP_OPS_TABLE_H
#define PITHP_OPS_TABLE_H

#include <pith/op.h>

#define PITHP_OP(name, sample) extern const pith_op pithp_op_##name;
#include "ops/ops.def"
#undef PITHP_OP

#endif
