/* kernels/float/tile.h: how the drivers cut work. Sizes follow from shapes alone, never from the number of threads. */
#ifndef PITHP_TILE_H
#define PITHP_TILE_H

#include "kernels/float/kernels.h"

/* What a tile's inputs and outputs may hold together: a quarter megabyte, so that several fit the second-level cache. */
#define PITHP_TILE_BYTES (256 * 1024)

static inline int64_t pithp_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline int64_t pithp_i64min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t pithp_i64max(int64_t a, int64_t b) { return a > b ? a : b; }

/* Scratch is handed out in pieces of whole cache lines. */
static inline size_t pithp_piece(int64_t reals)
{
    return ((size_t)(reals > 0 ? reals : 0) * sizeof(pith_real) + 63) / 64 * 64;
}

/* Rows of a tile when each row holds `width` reals: as many as the budget takes, fewer where that would leave less
   than 16 tiles, in multiples of 48 (what the product kernels like). */
int64_t pithp_tile_cap(int64_t width);
int64_t pithp_tile_rows(int64_t rows, int64_t width);

/* Rows that are worked on at a time within a tile, so that what one step leaves the next finds in the first-level
   cache. */
int64_t pithp_sub_rows(int64_t width);

/* Statistics of [rows,c] by tiles. A tile's record is 3*c reals: sums of (x - centre), of their squares, and the centre,
   which is the mean of the tile's first rows; so one pass does, and no large mean drowns the variance. Begin with the
   first rows, then add all rows; at the end the records are merged in order. */
#define PITHP_CENTRE_ROWS 48
void pithp_stats_begin(const pith_real *x, int64_t rows, int64_t c, pith_real *record, const pithp_kern *k);
void pithp_stats_add(const pith_real *x, int64_t rows, int64_t c, pith_real *record, const pithp_kern *k);
void pithp_stats_merge(const pith_real *records, int64_t tiles, int64_t rows, int64_t tile, int64_t c,
                       pith_real *mean, pith_real *var);

/* dst[i] (+)= the sum over slots, in order, of part[slot*stride + i]. */
void pithp_slots_add(const pithp_env *e, const pith_real *part, int64_t slots, int64_t stride, int64_t n,
                     pith_real *dst, bool add);

/* Whether a result of so many reals goes past the caches. */
static inline bool pithp_streams(const pithp_env *e, int64_t reals)
{
    return (size_t)reals * sizeof(pith_real) >= (e->stream_from ? e->stream_from : PITHP_STREAM_FROM);
}

/* Geometry. */
static inline bool pithp_is_depthwise(const pithp_conv *g)
{
    return g->depthwise && (g->c > 1 || g->r * g->s > 1);
}
static inline bool pithp_is_pointwise(const pithp_conv *g)
{
    return g->r == 1 && g->s == 1 && g->stride_h == 1 && g->stride_w == 1 && g->pt == 0 && g->pl == 0 &&
           g->groups == 1 && g->p == g->h && g->q == g->w;
}

/* Reals that gemm_pack fills for a B of [k,n]; 16 is the most lanes there are. */
static inline int64_t pithp_packed(int64_t n, int64_t k) { return k * ((n + 15) / 16 * 16); }

/* col[rows, R*S*cg] of output pixels first..first+rows (flat over N,P,Q), channels of one group; and its transpose,
   which adds to dx. */
void pithp_im2col(const pithp_conv *g, const pith_real *x, int64_t group, int64_t first, int64_t rows,
                  pith_real *col);
void pithp_col2im(const pithp_conv *g, const pith_real *col, int64_t group, int64_t first, int64_t rows,
                  pith_real *dx);

/* dy of `rows` rows of K starting at row `first`: src->dy itself or computed into buf. */
const pith_real *pithp_dy_rows(const pithp_env *e, const pithp_dy_src *src, int64_t first, int64_t rows,
                               int64_t k, pith_real *buf);

/* x rows first..first+rows of C as the products see them: x itself, or transformed into buf. */
const pith_real *pithp_x_rows(const pithp_env *e, const pithp_x_src *src, const pith_real *x, int64_t first,
                              int64_t rows, int64_t c, pith_real *buf);

/* What follows the products, on rows that are in cache: bias, statistics (into the tile's record, begun when `first`),
   scale and activation. */
void pithp_conv_epilogue(const pithp_env *e, const pithp_conv_fwd *a, int64_t rows, pith_real *y,
                         pith_real *record, bool first);

/* Depthwise (dwconv.c). */
size_t pithp_dw_fwd_scratch(const pithp_conv *g, int threads);
void pithp_dw_forward(const pithp_env *e, const pithp_conv_fwd *a);
size_t pithp_dw_bwd_scratch(const pithp_conv *g, int threads);
void pithp_dw_backward(const pithp_env *e, const pithp_conv_bwd *a);

#endif
