/* deploy/flatbuffer_read.h: a reader of FlatBuffers that trusts nothing in the file: every offset, length, vtable and
   alignment is looked at before it is followed.

   The first fault sticks in the buffer with the place where it was found; from then on tables are empty, vectors have no
   elements and scalars are their defaults, so that a caller may read on and ask once. Nothing recurses and nothing is
   allocated; what is handed out points into the buffer. Absent is not a fault.
   Source: the FlatBuffers internals document, flatbuffers.dev/internals. */
#ifndef PITHP_FLATBUFFER_READ_H
#define PITHP_FLATBUFFER_READ_H

#include "base/base.h"

typedef struct {
    const uint8_t *p; /* aligned to 16 bytes, as mapped files are */
    size_t n;
    const char *fault; /* NULL: none so far */
    size_t where;      /* byte at which the fault was found */
} pithp_fbr;

typedef struct {
    pithp_fbr *b;
    size_t at, vtable; /* 0: an absent table */
    unsigned vbytes, bytes;
} pithp_fbr_table;

/* n elements of `size` bytes at p, aligned to it; p NULL: absent. Little-endian. */
typedef struct {
    const uint8_t *p;
    size_t n;
} pithp_fbr_vec;

/* The root table of a buffer whose identifier must be `id` (four characters). */
pithp_fbr_table pithp_fbr_root(pithp_fbr *b, const char *id);

static inline bool pithp_fbr_there(pithp_fbr_table t) { return t.at != 0; }
bool pithp_fbr_has(pithp_fbr_table t, int field);

/* A scalar of 1, 2, 4 or 8 bytes, sign extended; the default where the field is absent. */
int64_t pithp_fbr_int(pithp_fbr_table t, int field, size_t size, int64_t dflt);
static inline unsigned pithp_fbr_u8(pithp_fbr_table t, int field, unsigned dflt)
{
    return (uint8_t)pithp_fbr_int(t, field, 1, dflt);
}
float pithp_fbr_f32(pithp_fbr_table t, int field, float dflt);

pithp_fbr_table pithp_fbr_sub(pithp_fbr_table t, int field); /* a table that a field refers to */
pithp_fbr_vec pithp_fbr_vector(pithp_fbr_table t, int field, size_t size);
const char *pithp_fbr_string(pithp_fbr_table t, int field);              /* ended by a 0; NULL: absent */
pithp_fbr_table pithp_fbr_item(pithp_fbr *b, pithp_fbr_vec v, size_t i); /* of a vector of tables */

uint32_t pithp_fbr_le32(const uint8_t *p);
int64_t pithp_fbr_le64(const uint8_t *p);
float pithp_fbr_lef(const uint8_t *p);
/* Element i of a vector of int32; i < v.n. */
static inline int32_t pithp_fbr_i32(pithp_fbr_vec v, size_t i)
{
    return (int32_t)pithp_fbr_le32(v.p + 4 * i);
}

#endif
