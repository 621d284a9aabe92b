/* base/protobuf.c: varints, lengths, messages within messages. */
#include "base/protobuf.h"
#include <string.h>

enum { VARINT = 0, FIXED64 = 1, LENGTH = 2, FIXED32 = 5, MOST_VARINT = 10 };

void pithp_pb_init(pith_ctx *c, pithp_pb *pb) { *pb = (pithp_pb){ .c = c }; }

void pithp_pb_free(pithp_pb *pb)
{
    pithp_free(pb->c, pb->buf);
    *pb = (pithp_pb){ .c = pb->c, .status = pb->status };
}

void pithp_pb_fail(pithp_pb *pb, pith_status status)
{
    if (!pb->status)
        pb->status = status;
}

static void bug(pithp_pb *pb, const char *what)
{
    if (!pb->status)
        pb->status = pithp_error(pb->c, PITH_EBUG, "protobuf writer: %s", what);
}

static bool room(pithp_pb *pb, size_t n)
{
    size_t want;
    if (pb->status)
        return false;
    if (pithp_add_over(pb->n, n, &want) || want > PITHP_PB_BYTES) {
        pb->status = pithp_error(
            pb->c, PITH_EINVAL,
            "a protobuf message, as an ONNX file is one, holds at most 2 GB; the model is larger");
        return false;
    }
    if (want <= pb->cap)
        return true;
    size_t cap = PITHP_MAX(want, 2 * pb->cap + 4096);
    uint8_t *buf = pithp_realloc(pb->c, pb->buf, cap, 1);
    if (!buf) {
        pb->status = PITH_ENOMEM;
        return false;
    }
    pb->buf = buf;
    pb->cap = cap;
    return true;
}

static int varint(uint64_t v, uint8_t p[MOST_VARINT])
{
    int n = 0;
    do {
        p[n++] = (uint8_t)((v & 0x7f) | (v > 0x7f ? 0x80 : 0));
        v >>= 7;
    } while (v);
    return n;
}

static void put_varint(pithp_pb *pb, uint64_t v)
{
    uint8_t p[MOST_VARINT];
    int n = varint(v, p);
    if (!room(pb, (size_t)n))
        return;
    memcpy(pb->buf + pb->n, p, (size_t)n);
    pb->n += (size_t)n;
}

static void key(pithp_pb *pb, int field, int wire)
{
    if (field < 1 || field >= 1 << 29)
        bug(pb, "a field number out of range");
    put_varint(pb, (uint64_t)field << 3 | (unsigned)wire);
}

void pithp_pb_int(pithp_pb *pb, int field, int64_t v)
{
    key(pb, field, VARINT);
    put_varint(pb, (uint64_t)v);
}

void pithp_pb_f32(pithp_pb *pb, int field, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    key(pb, field, FIXED32);
    if (!room(pb, 4))
        return;
    for (int i = 0; i < 4; i++)
        pb->buf[pb->n++] = (uint8_t)(bits >> 8 * i);
}

void pithp_pb_f64(pithp_pb *pb, int field, double v)
{
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    key(pb, field, FIXED64);
    if (!room(pb, 8))
        return;
    for (int i = 0; i < 8; i++)
        pb->buf[pb->n++] = (uint8_t)(bits >> 8 * i);
}

uint8_t *pithp_pb_room(pithp_pb *pb, int field, size_t n)
{
    key(pb, field, LENGTH);
    put_varint(pb, n);
    if (!room(pb, n))
        return NULL;
    pb->n += n;
    return pb->buf + pb->n - n;
}

void pithp_pb_bytes(pithp_pb *pb, int field, const void *p, size_t n)
{
    uint8_t *to = pithp_pb_room(pb, field, n);
    if (to && n)
        memcpy(to, p, n);
}

void pithp_pb_text(pithp_pb *pb, int field, const char *text)
{
    if (text)
        pithp_pb_bytes(pb, field, text, strlen(text));
}

void pithp_pb_begin(pithp_pb *pb, int field)
{
    if (pb->depth >= PITHP_PB_DEPTH)
        bug(pb, "messages nested too deeply");
    if (pb->status)
        return;
    pb->open[pb->depth].field = field;
    pb->open[pb->depth++].from = pb->n;
}

/* The length is known now: field and length move in before the message. */
void pithp_pb_end(pithp_pb *pb)
{
    if (pb->depth < 1)
        bug(pb, "the end of a message that was not begun");
    if (pb->status)
        return;
    pb->depth--;
    size_t from = pb->open[pb->depth].from, n = pb->n - from;
    int field = pb->open[pb->depth].field;
    key(pb, field, LENGTH);
    put_varint(pb, n);
    if (pb->status)
        return;
    uint8_t head[2 * MOST_VARINT];
    size_t h = pb->n - from - n;
    memcpy(head, pb->buf + from + n, h);
    memmove(pb->buf + from + h, pb->buf + from, n);
    memcpy(pb->buf + from, head, h);
}
