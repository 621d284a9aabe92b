/* compress/pack/sizes.h: what a model would take in other forms. */
#ifndef PITHP_PACK_SIZES_H
#define PITHP_PACK_SIZES_H

#include "graph/model.h"
#include <pith/pack.h>

/* Bytes of a gzip file; -1: no zlib, or no memory. */
int64_t pithp_gzip_size(pith_ctx *c, const void *p, size_t n);

/* Fills in floats, int8, their gzip, weights and zeros. */
pith_status pithp_plain_sizes(const pith_model *m, pith_pack_sizes *s);

#endif
