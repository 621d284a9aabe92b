/* file/pack.h: the packed form of a model file or a .tflite, after Han, Mao, Dally, "Deep compression", ICLR 2016: what it unpacks
   to is the file, byte for byte. All numbers little-endian; codes stand in bits, the highest of a byte first.

       "PITHPACK"  version u32 (1)  bytes of the file u64  their CRC-32 u32  CRC-32 of all that follows u32
       text: bytes u32, then LZ77 in Huffman codes
       blocks: each begins at a byte
   Of a model file the text is its header, and a block is a tensor, in the order of the data; small vectors of four-byte numbers
   of one last name (.bias, .scale) are one block together.

   A .tflite has "PITHTFLP" in place of "PITHPACK". Its blocks are ranges of the file, and the text says where they were:
       ranges u32, and for each: bytes that stay before it u32, its bytes u32 (PITHP_PACK_LEAST at least), group u8
       all bytes that stay
   Ranges of one group are one block together; group 0: a block of its own. Groups come first, by their numbers.

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

#define PITHP_PACK_MAGIC        PITHP_MAGIC_PACKED
#define PITHP_PACK_MAGIC_TFLITE PITHP_MAGIC_PACKED_TFLITE
enum {
    PITHP_PACK_VERSION = 1,
    PITHP_PACK_HEAD = 28,
    PITHP_PACK_PLANES = 8,
    PITHP_PACK_RATIO =
        8192, /* what is beyond PITHP_PACK_FREE unpacks to no more than so many times its size */
    PITHP_PACK_FREE = 1 << 26,
    PITHP_PACK_VECTOR = 16384, /* most elements of a small vector */
    PITHP_PACK_LEAST = 32,     /* of a .tflite: bytes of a range; */
    PITHP_PACK_RANGE = 9,      /* bytes that say where one was; */
    PITHP_PACK_RANGES = 8192,  /* most ranges; */
    PITHP_PACK_GROUPS = 255,   /* groups, which are the first blocks */
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

/* ---- Parts of a file: the readers' common ground (unpack.c) ---- */
/* Bytes that belong to a block; a block is all its parts, in their order. */
typedef struct {
    uint8_t *p;
    size_t bytes;
    int block;
    pithp_st_dtype dtype; /* for who packs */
} pithp_pack_part;

/* Copies the parts of a block into one stretch of bytes; gives its size. to NULL: only that. */
size_t pithp_pack_gather(const pithp_pack_part *parts, size_t n, int block, uint8_t *to);

uint64_t pithp_unpack_number(const uint8_t *p, int bytes); /* little-endian */
/* PITH_EFORMAT, with what is wrong. */
pith_status pithp_unpack_bad(pith_ctx *c, const char *path, const char *what);
/* Checks a head of PITHP_PACK_HEAD bytes (the magic apart) and what it says of the rest. *bytes: of the unpacked file. */
pith_status pithp_unpack_head(pith_ctx *c, const char *path, const uint8_t *p, size_t n, size_t *bytes);
uint32_t pithp_unpack_size(pithp_unbits *b); /* four bytes; those before a text */
/* n bytes of text. False: it makes no sense. */
bool pithp_unpack_text(pithp_unbits *b, uint8_t *to, size_t n);
/* A block. to: zeros. *s: PITH_ENOMEM if that is why it is false. */
bool pithp_unpack_block(pith_ctx *c, pithp_unbits *b, uint8_t *to, size_t bytes, pith_status *s);
/* Blocks 0 to blocks - 1, into their parts. */
pith_status pithp_unpack_parts(pith_ctx *c, const char *path, pithp_unbits *b, const pithp_pack_part *parts,
                               size_t n, int blocks);
/* Nothing stands behind, and what came out is what went in. b->p: the packed file. */
pith_status pithp_unpack_end(pith_ctx *c, const char *path, pithp_unbits *b, const uint8_t *out,
                             size_t bytes);

/* ---- Model files (unpack_st.c) ---- */
bool pithp_is_packed(const void *p, size_t n);

/* The tensors of a file as parts, [tensors]; blocks are numbered in the order of their first tensors. How many; -1: no memory. */
int pithp_pack_parts(const pithp_st_file *f, pithp_pack_part *parts);

/* Unpacks and opens: f holds the unpacked bytes (f->own, f->own_bytes) until it is closed.
   errors   PITH_EFORMAT (path, and what was expected), PITH_ENOMEM; f is then closed. */
pith_status pithp_unpack(pith_ctx *c, pithp_st_file *f, const char *path, const void *p, size_t n);

/* ---- .tflite files (unpack_tflite.c) ---- */
bool pithp_is_packed_tflite(const void *p, size_t n);

/* n bytes at p, aligned to 16, in a block `own` to be given to pithp_free. */
typedef struct {
    void *own;
    uint8_t *p;
    size_t n;
} pithp_unpacked;

/* errors   as pithp_unpack; *u is then all zero. */
pith_status pithp_unpack_tflite(pith_ctx *c, pithp_unpacked *u, const char *path, const void *p, size_t n);

#endif
