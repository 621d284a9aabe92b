/* ops/pool.h: geometry that avgpool.c and maxpool.c share. Cells of a window that lie outside the input do not count. */
#ifndef PITHP_POOL_H
#define PITHP_POOL_H

#include "graph/qgraph.h"
#include "ops/common.h"

typedef struct {
    int64_t n, h, w, c, p, q; /* input [N,H,W,C], output [N,P,Q,C] */
    int64_t r, s;             /* window */
    int64_t stride_h, stride_w, top, left;
} pithp_pool;

extern const pith_attr_field pithp_pool_fields[]; /* of a pith_pool_cfg */

bool pithp_pool_shape(pith_infer *q);
pithp_pool pithp_pool_of(const pith_call *k);

/* Of output cell o in one dimension: the input cells *from <= i < *to that lie inside; each dimension has some. */
static inline void pithp_pool_window(int64_t o, int64_t stride, int64_t lead, int64_t kernel, int64_t size,
                                     int64_t *from, int64_t *to)
{
    int64_t first = o * stride - lead;
    *from = PITHP_MAX(first, 0);
    *to = PITHP_MIN(first + kernel, size);
}

/* Of input cell i in one dimension: the output cells *from <= o < *to whose window holds it. */
static inline void pithp_pool_reach(int64_t i, int64_t stride, int64_t lead, int64_t kernel, int64_t outputs,
                                    int64_t *from, int64_t *to)
{
    int64_t first = i + lead - kernel + 1; /* o stride >= first */
    *from = first <= 0 ? 0 : (first + stride - 1) / stride;
    *to = PITHP_MIN((i + lead) / stride + 1, outputs);
}

/* fn(k, g, sample, row) for every row of the output (rows = g.p) or the input (g.h), in parallel. */
typedef void (*pithp_pool_row)(const pith_call *k, const pithp_pool *g, int64_t n, int64_t row);
/* Attributes of the integer op. */
pithp_qattr pithp_pool_integer(const pith_tensor *t);
void pithp_pool_rows(const pith_call *k, const pithp_pool *g, int64_t rows, pithp_pool_row fn);

#endif
