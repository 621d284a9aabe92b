/* deploy/windows.h: what slides over an image, one dimension at a time, as all exporters ask it. */
#ifndef PITHP_DEPLOY_WINDOWS_H
#define PITHP_DEPLOY_WINDOWS_H

#include "deploy/fgraph.h"

typedef struct {
    int64_t in, out, window, stride, lead; /* window: with dilation; lead: zeroes before the input */
} pithp_extent;

pithp_extent pithp_conv_rows(const pithp_conv *g);
pithp_extent pithp_conv_columns(const pithp_conv *g);
/* Rows and columns of a pool node over x [N,H,W,C] with the result y. */
void pithp_pool_extents(const pith_tensor *t, pith_shape x, pith_shape y, pithp_extent d[2]);

/* Zeroes before and after that give the same windows; input behind the last window needs none. */
void pithp_extent_amounts(pithp_extent x, int64_t *before, int64_t *after);

#endif
