/* compress/pack/pack.h: the writer of packed files (the format: file/pack.h). */
#ifndef PITHP_COMPRESS_PACK_H
#define PITHP_COMPRESS_PACK_H

#include "file/pack.h"
#include <pith/pack.h>

/* ---- Bits, growing ---- */
typedef struct {
    pith_ctx *c;
    uint8_t *p;
    size_t cap, at; /* bytes; bits written */
    bool failed;    /* no memory: what follows is lost */
} pithp_tobits;

void pithp_tobits_put(pithp_tobits *b, uint32_t v, int n); /* n <= 32 */
void pithp_tobits_byte(pithp_tobits *b);
void pithp_tobits_bytes(pithp_tobits *b, const void *p, size_t n); /* at a whole byte */
void pithp_tobits_append(pithp_tobits *b, const pithp_tobits *from);

/* ---- Canonical Huffman codes of least length for these counts ---- */
typedef struct {
    int symbols;
    bool single; /* one symbol alone: its code takes no bits */
    uint8_t length[PITHP_HUFF_SYMBOLS];
    uint16_t code[PITHP_HUFF_SYMBOLS];
} pithp_huff;

/* Some count is above 0. */
void pithp_huff_make(const int64_t *count, int symbols, pithp_huff *h);
void pithp_huff_write(pithp_tobits *b, const pithp_huff *h); /* the lengths */
static inline void pithp_huff_put(pithp_tobits *b, const pithp_huff *h, int symbol)
{
    if (!h->single)
        pithp_tobits_put(b, h->code[symbol], h->length[symbol]);
}
/* Sum of the ideal lengths, in bits: n log2 n - sum of count log2 count. */
double pithp_entropy_bits(const int64_t *count, int symbols);

/* ---- Files (write.c) ---- */
/* Blocks 0 to blocks - 1 of the parts, and on to a whole byte. *ideal as of pithp_pack_block. */
pith_status pithp_pack_write(pithp_tobits *b, const pithp_pack_part *parts, size_t n, int blocks,
                             double *ideal);
/* The packed file of a head with this magic and the body; p, n: what it unpacks to. packed: empty; freed with pithp_free(.p).
   errors   PITH_ENOMEM; PITH_EINVAL: no reader would believe its size. */
pith_status pithp_pack_file(const pithp_tobits *body, const char *magic, const uint8_t *p, size_t n,
                            pithp_tobits *packed);
/* Sizes of files: the one that was packed, p; packed; gzip's; the bound. The rest 0. */
void pithp_pack_sizes(const pithp_tobits *packed, const uint8_t *p, size_t n, double ideal,
                      pith_pack_sizes *sizes);

/* ---- Parts of a file ---- */
void pithp_pack_text(pithp_tobits *b, const uint8_t *text, size_t n);

/* Writes the shortest form of a block. *ideal grows by the order-0 entropy, in bits, of the elements that suit it best. */
pith_status pithp_pack_block(pithp_tobits *b, const uint8_t *bytes, size_t n, pithp_st_dtype dtype,
                             double *ideal);

#endif
