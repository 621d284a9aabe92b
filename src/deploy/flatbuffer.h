/* deploy/flatbuffer.h: a writer of FlatBuffers, from the end of the buffer to its beginning, as the format wants it: what
   is referred to is written before what refers to it.

   A FlatBuffer is little-endian. A reference is a positive 32-bit distance to what it refers to; a table begins with the
   distance back to its vtable, which says where each field lies; equal vtables are written once. Every scalar is aligned
   to its size, counted from the beginning of the file; the whole is a multiple of the greatest alignment asked for.
   Source: the FlatBuffers internals document, flatbuffers.dev/internals.

   Every call after one that failed does nothing, so that pithp_fb_finish's status is the only one to look at. Misuse (a
   field set twice or out of range, a table within a table, a reference to nothing) is an error, PITH_EBUG. */
#ifndef PITHP_FLATBUFFER_H
#define PITHP_FLATBUFFER_H

#include "base/base.h"

/* Something written: its distance from the end of the buffer. 0: nothing, and a reference to it is left out. */
typedef uint32_t pithp_fb_ref;

enum {
    PITHP_FB_FIELDS = 32,       /* most fields of a table */
    PITHP_FB_ALIGN = 64,        /* greatest alignment */
    PITHP_FB_BYTES = 0x7fffffff /* most bytes: references and readers are signed 32-bit */
};

typedef struct {
    pith_ctx *c;
    pith_status status; /* of the first call that failed */
    uint8_t *buf;       /* [cap]; what is written are its last `used` bytes */
    size_t cap, used, align;
    bool open; /* between table and table_end */
    size_t table_from;
    uint32_t slots[PITHP_FB_FIELDS]; /* of the open table: where its fields lie, from the end; 0: absent */
    int n_slots;
    uint32_t *vtables; /* where those written lie */
    size_t n_vtables, cap_vtables;
} pithp_fb;

void pithp_fb_init(pith_ctx *c, pithp_fb *fb);
void pithp_fb_free(pithp_fb *fb); /* twice is allowed */

/* n elements of 1, 2, 4 or 8 bytes in this machine's order; align: of the first one, at least `size`, a power of two;
   0: size. NULL is allowed when n is 0. */
pithp_fb_ref pithp_fb_vector(pithp_fb *fb, const void *p, size_t n, size_t size, size_t align);
pithp_fb_ref pithp_fb_string(pithp_fb *fb, const char *text); /* NULL gives 0 */
/* References, none of them 0. */
pithp_fb_ref pithp_fb_refs(pithp_fb *fb, const pithp_fb_ref *refs, size_t n);

/* A table: begin, set fields by their number in the schema, end. A scalar that equals the schema's default is left out.
   A union is two fields: its type (u8) and its reference, the next number. */
void pithp_fb_table(pithp_fb *fb);
void pithp_fb_u8(pithp_fb *fb, int field, uint8_t value, uint8_t dflt);
void pithp_fb_i32(pithp_fb *fb, int field, int32_t value, int32_t dflt);
void pithp_fb_u32(pithp_fb *fb, int field, uint32_t value, uint32_t dflt);
void pithp_fb_f32(pithp_fb *fb, int field, float value, float dflt);
void pithp_fb_to(pithp_fb *fb, int field, pithp_fb_ref ref);
pithp_fb_ref pithp_fb_table_end(pithp_fb *fb);

/* Closes the buffer; *p are its n bytes, fb's own. identifier: four characters. */
pith_status pithp_fb_finish(pithp_fb *fb, pithp_fb_ref root, const char *identifier, const uint8_t **p,
                            size_t *n);

#endif
