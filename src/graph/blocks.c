/* graph/blocks.c: where pieces of memory that are needed at different times lie in one arena. */
#include "graph/blocks.h"
#include <stdlib.h>

/* ---- Offsets: largest block first, each at the lowest place where it meets no block of its time ---- */
static int by_size(const void *a, const void *b)
{
    const pithp_block *x = *(pithp_block *const *)a, *y = *(pithp_block *const *)b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? 1 : -1;
    return x < y ? -1 : 1; /* a total order, so that the layout is the same everywhere */
}

static int by_offset(const void *a, const void *b)
{
    const pithp_block *x = *(pithp_block *const *)a, *y = *(pithp_block *const *)b;
    if (x->offset != y->offset)
        return x->offset < y->offset ? -1 : 1;
    return x < y ? -1 : 1;
}

static void place(pithp_block *b, pithp_block **placed, int n, pithp_block **meets)
{
    int k = 0;
    for (int i = 0; i < n; i++)
        if (placed[i]->from <= b->to && b->from <= placed[i]->to)
            meets[k++] = placed[i];
    qsort(meets, (size_t)k, sizeof *meets, by_offset);
    size_t at = 0;
    for (int i = 0; i < k; i++) {
        if (meets[i]->offset >= at + b->bytes)
            break;
        if (meets[i]->offset + meets[i]->bytes > at)
            at = meets[i]->offset + meets[i]->bytes;
    }
    b->offset = at;
}

pith_status pithp_blocks_place(pith_ctx *c, pithp_block *blocks, int n, size_t *total)
{
    pithp_block **order = pithp_alloc(c, 2 * (size_t)n + 1, sizeof *order);
    if (order == NULL)
        return PITH_ENOMEM;
    for (int i = 0; i < n; i++)
        order[i] = &blocks[i];
    qsort(order, (size_t)n, sizeof *order, by_size);
    *total = 0;
    for (int i = 0; i < n; i++) {
        place(order[i], order, i, order + n);
        *total = PITHP_MAX(*total, order[i]->offset + order[i]->bytes);
    }
    pithp_free(c, order);
    return PITH_OK;
}
