/* base/protobuf.h: a writer of the Protocol Buffers wire format, as far as ONNX and TensorBoard need it.
   Source: protobuf.dev/programming-guides/encoding. A field is its number and wire type, then a varint, four or eight bytes, or a
   length and that many bytes; a message within a message is such bytes. Every call after one that failed does nothing:
   the status says so at the end. */
#ifndef PITHP_PROTOBUF_H
#define PITHP_PROTOBUF_H

#include "base/base.h"

enum { PITHP_PB_DEPTH = 16, PITHP_PB_BYTES = 0x7fffffff /* most bytes of a message */ };

typedef struct {
    pith_ctx *c;
    pith_status status;
    uint8_t *buf;
    size_t n, cap;
    int depth;
    struct {
        int field;
        size_t from;
    } open[PITHP_PB_DEPTH]; /* messages begun and not ended */
} pithp_pb;

void pithp_pb_init(pith_ctx *c, pithp_pb *pb);
void pithp_pb_free(pithp_pb *pb); /* twice is allowed */

void pithp_pb_int(pithp_pb *pb, int field, int64_t v);
void pithp_pb_f32(pithp_pb *pb, int field, float v);
void pithp_pb_f64(pithp_pb *pb, int field, double v);
void pithp_pb_bytes(pithp_pb *pb, int field, const void *p, size_t n);
void pithp_pb_text(pithp_pb *pb, int field, const char *text); /* NULL: nothing */

/* Room for n bytes of a field, to be filled before the next call; NULL after a failure. */
uint8_t *pithp_pb_room(pithp_pb *pb, int field, size_t n);

/* What comes between is a message in that field. */
void pithp_pb_begin(pithp_pb *pb, int field);
void pithp_pb_end(pithp_pb *pb);

/* Fails pb unless it failed already. */
void pithp_pb_fail(pithp_pb *pb, pith_status status);

#endif
