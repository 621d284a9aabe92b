/* graph/blocks.h: pieces of memory, each in use from one moment to another, laid into one arena. */
#ifndef PITHP_BLOCKS_H
#define PITHP_BLOCKS_H

#include "base/base.h"

typedef struct {
    size_t bytes, offset;
    int from, to; /* time of first and last use */
} pithp_block;

/* Offsets of n blocks in one arena of *total bytes, none overlapping another of its time. */
pith_status pithp_blocks_place(pith_ctx *c, pithp_block *blocks, int n, size_t *total);

#endif
