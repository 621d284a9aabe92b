/* deploy/flatbuffer_read.c: FlatBuffers, read with suspicion. */
#include "deploy/flatbuffer_read.h"
#include <string.h>

static void fault(pithp_fbr *b, const char *what, size_t where)
{
    if (!b->fault) {
        b->fault = what;
        b->where = where;
    }
}

/* Whether n bytes at `at` are in the buffer and start at a multiple of `align`. */
static bool lies(pithp_fbr *b, size_t at, size_t n, size_t align)
{
    if (b->fault)
        return false;
    if (n > b->n || at > b->n - n)
        fault(b, "lies beyond the end of the file", at);
    else if (at % align)
        fault(b, "is not aligned", at);
    return !b->fault;
}

/* Written out, so that compilers make one load of each. */
static unsigned le16(const uint8_t *p) { return p[0] | (unsigned)p[1] << 8; }
uint32_t pithp_fbr_le32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}
int64_t pithp_fbr_le64(const uint8_t *p)
{
    return (int64_t)((uint64_t)pithp_fbr_le32(p) | (uint64_t)pithp_fbr_le32(p + 4) << 32);
}

float pithp_fbr_lef(const uint8_t *p)
{
    uint32_t u = pithp_fbr_le32(p);
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* Where the reference at `at` leads; 0 after a fault. References go forwards, so that no chain of them is endless. */
static size_t follow(pithp_fbr *b, size_t at)
{
    if (!lies(b, at, 4, 4))
        return 0;
    size_t by = pithp_fbr_le32(b->p + at);
    if (by == 0 || by > INT32_MAX || !lies(b, at + by, 4, 4)) {
        fault(b, "is a reference to nothing", at);
        return 0;
    }
    return at + by;
}

/* The vtable lies a signed distance before (or behind) its table; both must hold what they say. */
static pithp_fbr_table table_at(pithp_fbr *b, size_t at)
{
    pithp_fbr_table t = { .b = b };
    if (!at || !lies(b, at, 4, 4))
        return t;
    int64_t back = (int32_t)pithp_fbr_le32(b->p + at), v = (int64_t)at - back;
    if (v < 0 || !lies(b, (size_t)v, 4, 2)) {
        fault(b, "has its table of fields outside the file", at);
        return t;
    }
    unsigned vbytes = le16(b->p + v), bytes = le16(b->p + v + 2);
    if (vbytes < 4 || vbytes % 2 || bytes < 4 || !lies(b, (size_t)v, vbytes, 2) || !lies(b, at, bytes, 4)) {
        fault(b, "has a table of fields that is damaged", at);
        return t;
    }
    return (pithp_fbr_table){ b, at, (size_t)v, vbytes, bytes };
}

pithp_fbr_table pithp_fbr_root(pithp_fbr *b, const char *id)
{
    if (b->n < 8)
        fault(b, "is too short to be such a file", b->n);
    else if (memcmp(b->p + 4, id, 4))
        fault(b, "does not have the format's four letters", 4);
    return table_at(b, follow(b, 0));
}

/* Where a field of `size` bytes lies; 0: absent. */
static size_t field_at(pithp_fbr_table t, int field, size_t size)
{
    size_t slot = 4 + 2 * (size_t)field;
    if (!t.at || t.b->fault || slot + 2 > t.vbytes)
        return 0;
    size_t off = le16(t.b->p + t.vtable + slot);
    if (!off)
        return 0;
    if (off < 4 || off + size > t.bytes) {
        fault(t.b, "has a field outside its table", t.at);
        return 0;
    }
    return lies(t.b, t.at + off, size, size) ? t.at + off : 0;
}

bool pithp_fbr_has(pithp_fbr_table t, int field) { return field_at(t, field, 1) != 0; }

int64_t pithp_fbr_int(pithp_fbr_table t, int field, size_t size, int64_t dflt)
{
    size_t at = field_at(t, field, size);
    if (!at)
        return dflt;
    const uint8_t *p = t.b->p + at;
    return size == 1   ? (int8_t)*p
           : size == 2 ? (int16_t)le16(p)
           : size == 4 ? (int32_t)pithp_fbr_le32(p)
                       : pithp_fbr_le64(p);
}

float pithp_fbr_f32(pithp_fbr_table t, int field, float dflt)
{
    size_t at = field_at(t, field, 4);
    return at ? pithp_fbr_lef(t.b->p + at) : dflt;
}

pithp_fbr_table pithp_fbr_sub(pithp_fbr_table t, int field)
{
    size_t at = field_at(t, field, 4);
    return at ? table_at(t.b, follow(t.b, at)) : (pithp_fbr_table){ .b = t.b };
}

pithp_fbr_vec pithp_fbr_vector(pithp_fbr_table t, int field, size_t size)
{
    pithp_fbr_vec none = { 0 };
    size_t at = field_at(t, field, 4);
    if (!at || !(at = follow(t.b, at)))
        return none;
    size_t n = pithp_fbr_le32(t.b->p + at), bytes;
    if (pithp_mul_over(n, size, &bytes) || !lies(t.b, at + 4, bytes, n ? size : 1)) {
        fault(t.b, "is a list longer than the file", at);
        return none;
    }
    return (pithp_fbr_vec){ t.b->p + at + 4, n };
}

const char *pithp_fbr_string(pithp_fbr_table t, int field)
{
    pithp_fbr_vec v = pithp_fbr_vector(t, field, 1);
    if (!v.p)
        return NULL;
    size_t at = (size_t)(v.p - t.b->p);
    if (!lies(t.b, at + v.n, 1, 1) || v.p[v.n] != 0) {
        fault(t.b, "is a text without an end", at);
        return NULL;
    }
    return (const char *)v.p;
}

pithp_fbr_table pithp_fbr_item(pithp_fbr *b, pithp_fbr_vec v, size_t i)
{
    if (i >= v.n)
        return (pithp_fbr_table){ .b = b };
    return table_at(b, follow(b, (size_t)(v.p - b->p) + 4 * i));
}
