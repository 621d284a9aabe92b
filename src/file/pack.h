/* file/pack.h: the packed form of a model file, after Han, Mao, Dally, "Deep compression", ICLR 2016: what it unpacks to is the
   model file, byte for byte. All numbers little-endian; codes stand in bits, the highest of a byte first.

       "PITHPACK"  version u32 (1)  bytes of the model file u64  their CRC-32 u32  CRC-32 of all that follows u32
       the model file's header as text: bytes u32, then LZ77 in Huffman codes
       blocks, in the order of the data: each begins at a byte
   A block is a tensor; small vectors of four-byte numbers of one last name (.bias, .scale) are one block together.

   A block: form (2 bits), and but for RAW, width (7), table (1), [table: entries - 1 (8), entries (width each)].
       RAW     the bytes as they are (from the next byte on)
       DENSE   every element
       SPARSE  [of one plane: the symbol that is left out (8)], symbols that stand there (32), gap bits (4), gaps, symbols. A gap is
               how many left-out ones lie before the next; the greatest gap says that there are so many and nothing behind
   Elements are `width` bits of the data, lowest bit first in a byte; what does not fill an element follows the block's head as it
   is. Of up to 8 bits, and of more with a table, an element is one symbol (one plane); else as many planes as it has bytes, the
   lowest first. The symbols of a plane, and gaps, are coded in canonical Huffman codes whose lengths stand before them; where
   there is one symbol alone, codes take no bits. */
#ifndef PITHP_PACK_H
#define PITHP_PACK_H

#include "base/kind.h"
#include "file/safetensors.h"

#define PITHP_PACK_MAGIC PITHP_MAGIC_PACKED
enum {
    PITHP_PACK_VERSION = 1,
    PITHP_PACK_HEAD = 28,
    PITHP_PACK_PLANES = 8,
    PITHP_PACK_RATIO =
        8192, /* what is beyond PITHP_PACK_FREE unpacks to no more than so many times its size */
    PITHP_PACK_FREE = 1 << 26,
    PITHP_PACK_VECTOR = 16384, /* most elements of a small vector */
    PITHP_HUFF_MOST = 15,      /* bits of a code */
    PITHP_HUFF_SYMBOLS = 288,
    PITHP_LZ_LITERALS = 256, /* symbols from there on are lengths, by their bucket */
    PITHP_LZ_BUCKETS = 32,
    PITHP_LZ_LEAST = 3
};

typedef enum { PITHP_PACK_RAW = 0, PITHP_PACK_DENSE, PITHP_PACK_SPARSE } pithp_pack_form;

/* ---- Bits ---- */
typedef struct {
    const uint8_t *p;
    size_t n, at; /* bytes; bits read */
    bool over;    /* more was asked for than there is: zeros were given */
} pithp_unbits;

uint32_t pithp_unbits_get(pithp_unbits *b, int n); /* n <= 32 */
void pithp_unbits_byte(pithp_unbits *b);           /* on to the next whole byte */

/* ---- Canonical Huffman codes ---- */
typedef struct {
    uint16_t count[PITHP_HUFF_MOST + 1]; /* codes of each length */
    uint16_t symbol[PITHP_HUFF_SYMBOLS]; /* by code */
    bool single;                         /* one symbol, which takes no bits */
} pithp_unhuff;

/* Reads the lengths: first and last symbol (9 bits each), then 4 bits a symbol, 0 being followed by 4 bits: so many more zeros.
   False: they make no code. */
bool pithp_unhuff_read(pithp_unbits *b, int symbols, pithp_unhuff *h);
int pithp_unhuff_get(pithp_unbits *b, const pithp_unhuff *h);

/* ---- Blocks ---- */
/* Which block each tensor of a file belongs to, [tensors]; blocks are numbered in the order of their first tensors. -1: no memory. */
int pithp_pack_blocks(const pithp_st_file *f, int *block_of);
/* Copies between the tensors of a block and one stretch of bytes; gives its size. to NULL: only that. */
size_t pithp_pack_gather(const pithp_st_file *f, const int *block_of, int block, uint8_t *to);

bool pithp_is_packed(const void *p, size_t n);

/* Unpacks and opens: f holds the unpacked bytes (f->own, f->own_bytes) until it is closed.
   errors   PITH_EFORMAT (path, and what was expected), PITH_ENOMEM; f is then closed. */
pith_status pithp_unpack(pith_ctx *c, pithp_st_file *f, const char *path, const void *p, size_t n);

#endif
