/* deploy/tflite/bytes.h: the bytes of a .tflite: mapped, given, or unpacked into memory (file/pack.h). */
#ifndef PITHP_TFLITE_BYTES_H
#define PITHP_TFLITE_BYTES_H

#include "file/pack.h"

typedef struct {
    const uint8_t *p; /* the file, aligned to 16 if it was mapped or unpacked */
    size_t n, stored; /* its bytes; as they came, packed or not */
    pithp_map map;    /* nothing, once it is unpacked */
    pithp_unpacked own;
} pithp_tfl_bytes;

/* Of any file: what is no packed .tflite is taken as it is. path is for messages, too.
   errors   those of mapping and unpacking; then, as when all zero, there is nothing to close, and closing is allowed. */
pith_status pithp_tfl_bytes_open(pith_ctx *c, pithp_tfl_bytes *b, const char *path);
/* Of n bytes at p, which must stay unless they are packed. */
pith_status pithp_tfl_bytes_of(pith_ctx *c, pithp_tfl_bytes *b, const char *path, const void *p, size_t n);
void pithp_tfl_bytes_close(pith_ctx *c, pithp_tfl_bytes *b);

#endif
