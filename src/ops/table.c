/* ops/table.c: the table of ops.def, which the graph floor looks names up in. */
#include "ops/common.h"

const pith_op *const pithp_op_table[] = {
#define PITHP_OP(name, sample) &pithp_op_##name,
#include "ops/ops.def"
#undef PITHP_OP
};
const size_t pithp_op_table_n = PITHP_LEN(pithp_op_table);
