/* data/pack.h: the packed file as it lies on the disk.

     header                128 bytes
     pixels                [h,w,3] uint8 of every image, one after the other
     index                 pithp_pack_rec [n_images], then uint32 pairs (path, reason) [n_bad],
                           then uint32 names [n_classes], then the strings, zero-terminated
   Numbers are in the byte order of the machine that wrote them; the file is a cache and never leaves it. */
#ifndef PITHP_DATA_PACK_H
#define PITHP_DATA_PACK_H

#include "base/kind.h"
#include <stdint.h>

enum { PITHP_CACHE_VERSION = 1, PITHP_CACHE_ORDER = 0x01020304 };

typedef struct {
    char magic[8];
    uint32_t version, order;
    uint64_t source, settings;
    uint64_t file_bytes, index_offset, index_bytes, strings_bytes;
    uint32_t n_images, n_bad, n_classes, own_split;
    uint64_t ignored;
    uint64_t spare[3];
    uint64_t index_hash;  /* of the index */
    uint64_t header_hash; /* of the 120 bytes before it */
} pithp_pack_head;

typedef struct {
    uint64_t offset, hash;
    uint32_t path, label;
    uint16_t width, height;
    uint8_t split, format, spare[2];
    uint32_t full_width, full_height;
} pithp_pack_rec;

_Static_assert(sizeof(pithp_pack_head) == 128, "the header is 128 bytes");
_Static_assert(sizeof(pithp_pack_rec) == 40, "a record is 40 bytes");

/* Fills in both hashes; index is the index's bytes. */
void pithp_pack_hashes(pithp_pack_head *h, const uint8_t *index);

#endif
