/* ops/nest.h: loop nests over row-major tensors, shared by the ops that only move or combine elements.

   A nest has the sizes of the widest tensor and, for up to three tensors, a stride per dimension (0: the tensor is
   stretched there). Dimensions that can be walked as one are merged, those of size one dropped, so that most nests
   have one or two dimensions left and a long inner loop. */
#ifndef PITHP_NEST_H
#define PITHP_NEST_H

#include "kernels/float/kernels.h"
#include <pith/op.h>

#define PITHP_NEST_TILE 8192 /* elements that one thread takes at a time */

typedef struct {
    int nd; /* at least 1 */
    int64_t d[PITH_MAX_DIMS];
    int64_t s[3][PITH_MAX_DIMS]; /* strides in elements */
} pithp_nest;

void pithp_strides(pith_shape x, int64_t s[PITH_MAX_DIMS]); /* of a row-major tensor */
void pithp_nest_merge(pithp_nest *n);
int64_t pithp_nest_count(const pithp_nest *n);

/* Walks elements from <= i < to of the nest (row-major over d) in runs along the last dimension:
   for (pithp_walk r = pithp_walk_at(&nest, from, to); r.n; pithp_walk_next(&r)) ... idx, at, n. */
typedef struct {
    const pithp_nest *nest;
    int64_t idx[PITH_MAX_DIMS]; /* where the run begins */
    int64_t at, n, end;         /* index of its first element, its length; end of the range */
} pithp_walk;

pithp_walk pithp_walk_at(const pithp_nest *nest, int64_t from, int64_t to);
void pithp_walk_next(pithp_walk *r);

/* The place of idx in the tensor of stride set `set`. */
static inline int64_t pithp_nest_offset(const pithp_nest *n, int set, const int64_t *idx)
{
    int64_t o = 0;
    for (int i = 0; i < n->nd; i++)
        o += idx[i] * n->s[set][i];
    return o;
}

/* dst[idx . s[1]] (+)= factor * src[idx . s[0]] for every idx: transposes, slices, joins, stretches.
   No two indices may meet in dst. */
typedef struct {
    pithp_nest nest;
    const pith_real *src;
    pith_real *dst;
    pith_real factor;
    bool add;
    const pithp_kern *kern; /* pithp_move_run's */
} pithp_move;

void pithp_move_run(const pith_call *k, pithp_move *m);

#endif
