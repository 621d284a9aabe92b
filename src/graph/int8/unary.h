/* graph/int8/unary.h: what table lookups share. */
#ifndef PITHP_QUNARY_H
#define PITHP_QUNARY_H

#include "graph/qgraph.h"

typedef struct {
    int64_t row; /* elements of a row */
    bool real;   /* quantize: from float32 */
    float scale; /* quantize from, dequantize to float32 */
    int32_t zero;
    int8_t table[2][256]; /* [1]: with one rounding */
} pithp_qunary;

pith_status pithp_q_requantize(pithp_qgraph *g, pithp_qnode *n,
                               pithp_qtensor *out); /* prepare: int8 to int8 */
void pithp_q_unary_run(const pithp_qcall *k, int64_t r0, int64_t r1);

#endif
