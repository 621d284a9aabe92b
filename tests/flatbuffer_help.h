/* tests/flatbuffer_help.h: a reader of FlatBuffers written from the format's description alone, for the suites of what we
   write. Whatever it is asked for and does not find fails the test. */
#ifndef PITH_TESTS_FLATBUFFER_HELP_H
#define PITH_TESTS_FLATBUFFER_HELP_H

#include "file_help.h"

typedef struct {
    const uint8_t *p;
    size_t n;
} blob;

static inline uint64_t fb_at(blob b, size_t at, size_t size)
{
    uint64_t v = 0;
    suite_check(at + size <= b.n && at % size == 0, "%zu bytes at %zu of %zu", size, at, b.n);
    for (size_t i = 0; i < size; i++)
        v |= (uint64_t)b.p[at + i] << 8 * i;
    return v;
}

static inline size_t fb_follow(blob b, size_t at) { return at + (size_t)fb_at(b, at, 4); }
static inline size_t fb_root(blob b) { return fb_follow(b, 0); }
static inline size_t fb_vtable(blob b, size_t table)
{
    return (size_t)((int64_t)table - (int32_t)fb_at(b, table, 4));
}

/* Where a table's field lies; 0: absent. */
static inline size_t fb_field(blob b, size_t table, int field)
{
    size_t v = fb_vtable(b, table), bytes = (size_t)fb_at(b, v, 2), slot = 4 + 2 * (size_t)field;
    size_t off = slot + 2 <= bytes ? (size_t)fb_at(b, v + slot, 2) : 0;
    suite_check(off < fb_at(b, v + 2, 2), "field %d lies outside its table", field);
    return off ? table + off : 0;
}

static inline int64_t fb_int(blob b, size_t table, int field, size_t size, int64_t dflt)
{
    size_t at = fb_field(b, table, field);
    uint64_t v = at ? fb_at(b, at, size) : 0;
    return !at ? dflt : size == 4 ? (int32_t)v : size == 1 ? (int64_t)(int8_t)v : (int64_t)v;
}

/* Where the table, string or vector lies that a field refers to. */
static inline size_t fb_ref(blob b, size_t table, int field)
{
    size_t at = fb_field(b, table, field);
    suite_check(at != 0, "field %d is absent", field);
    return fb_follow(b, at);
}

static inline size_t fb_len(blob b, size_t vector) { return (size_t)fb_at(b, vector, 4); }
static inline size_t fb_item(blob b, size_t vector, size_t i) /* of a vector of references */
{
    suite_check(i < fb_len(b, vector), "no element %zu", i);
    return fb_follow(b, vector + 4 + 4 * i);
}

static inline const char *fb_text(blob b, size_t string)
{
    size_t n = fb_len(b, string);
    suite_check(string + 4 + n < b.n && b.p[string + 4 + n] == 0, "a string without its end");
    return (const char *)b.p + string + 4;
}

#endif
