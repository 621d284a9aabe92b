/* deploy/flatbuffer.c: FlatBuffers, written from their end. */
#include "deploy/flatbuffer.h"
#include <string.h>

void pithp_fb_init(pith_ctx *c, pithp_fb *fb) { *fb = (pithp_fb){ .c = c, .align = 4 }; }

void pithp_fb_free(pithp_fb *fb)
{
    pithp_free(fb->c, fb->buf);
    pithp_free(fb->c, fb->vtables);
    *fb = (pithp_fb){ .c = fb->c, .align = 4, .status = fb->status };
}

static void bug(pithp_fb *fb, const char *what)
{
    if (!fb->status)
        fb->status = pithp_error(fb->c, PITH_EBUG, "FlatBuffers writer: %s", what);
}

/* Room for n more bytes before what is written. */
static bool room(pithp_fb *fb, size_t n)
{
    size_t want;
    if (fb->status)
        return false;
    if (pithp_add_over(fb->used, n, &want) || want > PITHP_FB_BYTES) {
        fb->status =
            pithp_error(fb->c, PITH_EINVAL, "a FlatBuffer holds at most 2 GB; the model is larger than that");
        return false;
    }
    if (want <= fb->cap)
        return true;
    size_t cap = PITHP_MIN(PITHP_MAX(want, 2 * fb->cap + 4096), (size_t)PITHP_FB_BYTES);
    uint8_t *buf = pithp_alloc(fb->c, cap, 1);
    if (!buf) {
        fb->status = PITH_ENOMEM;
        return false;
    }
    if (fb->used)
        memcpy(buf + cap - fb->used, fb->buf + fb->cap - fb->used, fb->used);
    pithp_free(fb->c, fb->buf);
    fb->buf = buf;
    fb->cap = cap;
    return true;
}

/* Zeroes, so that after `ahead` more bytes the front is a multiple of align from the end. */
static bool pad(pithp_fb *fb, size_t ahead, size_t align)
{
    if (!align || align > PITHP_FB_ALIGN || (align & (align - 1))) {
        bug(fb, "an alignment that is no power of two up to 64");
        return false;
    }
    if (fb->status || !room(fb, ahead))
        return false;
    fb->align = PITHP_MAX(fb->align, align);
    size_t n = (align - (fb->used + ahead) % align) % align;
    if (!room(fb, n + ahead))
        return false;
    fb->used += n;
    if (n)
        memset(fb->buf + fb->cap - fb->used, 0, n);
    return true;
}

/* One scalar, little-endian, at the front; pad has made sure of the room. */
static void put(pithp_fb *fb, uint64_t value, size_t size)
{
    fb->used += size;
    uint8_t *p = fb->buf + fb->cap - fb->used;
    for (size_t i = 0; i < size; i++)
        p[i] = (uint8_t)(value >> 8 * i);
}

static uint32_t here(const pithp_fb *fb) { return (uint32_t)fb->used; }

/* The value of a reference that will stand `at` bytes from the end. */
static uint32_t distance(pithp_fb *fb, size_t at, pithp_fb_ref ref)
{
    if (!ref || ref >= at)
        bug(fb, "a reference to what is not written");
    return fb->status ? 0 : (uint32_t)at - ref;
}

static uint64_t element(const uint8_t *p, size_t size)
{
    switch (size) {
    case 1: return *p;
    case 2: return *(const uint16_t *)(const void *)p;
    case 4: return *(const uint32_t *)(const void *)p;
    default: return *(const uint64_t *)(const void *)p;
    }
}

/* The elements, swapped where this machine is big-endian. */
static void put_all(pithp_fb *fb, const uint8_t *p, size_t n, size_t size)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    (void)element;
    fb->used += n * size;
    if (n)
        memcpy(fb->buf + fb->cap - fb->used, p, n * size);
#else
    for (size_t i = n; i-- > 0;)
        put(fb, element(p + i * size, size), size);
#endif
}

/* What begins a vector or string: `bytes` of data and `extra` behind them will follow, the first at align. */
static bool vector_room(pithp_fb *fb, size_t n, size_t bytes, size_t align)
{
    if (fb->open)
        bug(fb, "a vector or string within a table");
    if (PITHP_MAX(n, bytes) > PITHP_FB_BYTES - PITHP_FB_ALIGN) { /* before memory is asked for */
        room(fb, SIZE_MAX);
        return false;
    }
    return pad(fb, bytes, PITHP_MAX(align, 4)) && room(fb, bytes + 4);
}

pithp_fb_ref pithp_fb_vector(pithp_fb *fb, const void *p, size_t n, size_t size, size_t align)
{
    size_t bytes;
    if (size != 1 && size != 2 && size != 4 && size != 8)
        bug(fb, "elements of other than 1, 2, 4 or 8 bytes");
    if (pithp_mul_over(n, size, &bytes))
        bytes = SIZE_MAX;
    if (!vector_room(fb, n, bytes, PITHP_MAX(align, size)))
        return 0;
    put_all(fb, p, n, size);
    put(fb, n, 4);
    return here(fb);
}

pithp_fb_ref pithp_fb_string(pithp_fb *fb, const char *text)
{
    if (!text)
        return 0;
    size_t n = strlen(text);
    if (!vector_room(fb, n, n + 1, 4))
        return 0;
    put_all(fb, (const uint8_t *)text, n + 1, 1);
    put(fb, n, 4);
    return here(fb);
}

pithp_fb_ref pithp_fb_refs(pithp_fb *fb, const pithp_fb_ref *refs, size_t n)
{
    size_t bytes;
    if (pithp_mul_over(n, sizeof *refs, &bytes))
        bytes = SIZE_MAX;
    if (!vector_room(fb, n, bytes, 4))
        return 0;
    for (size_t i = n; i-- > 0 && !fb->status;)
        put(fb, distance(fb, fb->used + 4, refs[i]), 4);
    put(fb, n, 4);
    return fb->status ? 0 : here(fb);
}

void pithp_fb_table(pithp_fb *fb)
{
    if (fb->open)
        bug(fb, "a table within a table");
    memset(fb->slots, 0, sizeof fb->slots);
    fb->n_slots = 0;
    fb->open = true;
    fb->table_from = fb->used;
}

static bool field_room(pithp_fb *fb, int field, size_t size)
{
    if (!fb->open || field < 0 || field >= PITHP_FB_FIELDS || fb->slots[field])
        bug(fb, !fb->open ? "a field outside a table" : "a field set twice or out of range");
    return !fb->status && pad(fb, size, size);
}

static void scalar(pithp_fb *fb, int field, uint64_t value, size_t size)
{
    if (!field_room(fb, field, size))
        return;
    put(fb, value, size);
    fb->slots[field] = here(fb);
    fb->n_slots = PITHP_MAX(fb->n_slots, field + 1);
}

void pithp_fb_u8(pithp_fb *fb, int field, uint8_t value, uint8_t dflt)
{
    if (value != dflt)
        scalar(fb, field, value, 1);
}

void pithp_fb_u32(pithp_fb *fb, int field, uint32_t value, uint32_t dflt)
{
    if (value != dflt)
        scalar(fb, field, value, 4);
}

void pithp_fb_i32(pithp_fb *fb, int field, int32_t value, int32_t dflt)
{
    pithp_fb_u32(fb, field, (uint32_t)value, (uint32_t)dflt);
}

void pithp_fb_f32(pithp_fb *fb, int field, float value, float dflt)
{
    uint32_t bits, dflt_bits;
    memcpy(&bits, &value, sizeof bits);
    memcpy(&dflt_bits, &dflt, sizeof dflt_bits);
    pithp_fb_u32(fb, field, bits, dflt_bits);
}

void pithp_fb_to(pithp_fb *fb, int field, pithp_fb_ref ref)
{
    if (ref && field_room(fb, field, 4))
        scalar(fb, field, distance(fb, fb->used + 4, ref), 4);
}

/* An equal vtable that was written before: where it lies; 0: none. */
static uint32_t find_vtable(const pithp_fb *fb, const uint8_t *p, size_t bytes)
{
    for (size_t i = 0; i < fb->n_vtables; i++) {
        const uint8_t *q = fb->buf + fb->cap - fb->vtables[i];
        size_t other = (size_t)q[0] | (size_t)q[1] << 8;
        if (other == bytes && !memcmp(p, q, bytes))
            return fb->vtables[i];
    }
    return 0;
}

pithp_fb_ref pithp_fb_table_end(pithp_fb *fb)
{
    if (!fb->open)
        bug(fb, "the end of a table that was not begun");
    fb->open = false;
    if (fb->status || !pad(fb, 4, 4))
        return 0;
    put(fb, 0, 4); /* the distance to the vtable, known below */
    uint32_t table = here(fb);
    uint8_t vtable[4 + 2 * PITHP_FB_FIELDS];
    size_t bytes = 4 + 2 * (size_t)fb->n_slots, size = table - fb->table_from;
    if (size > UINT16_MAX) {
        bug(fb, "a table of more than 65535 bytes");
        return 0;
    }
    for (size_t i = 0; i < bytes / 2; i++) {
        size_t v = i == 0 ? bytes : i == 1 ? size : fb->slots[i - 2] ? table - fb->slots[i - 2] : 0;
        vtable[2 * i] = (uint8_t)v;
        vtable[2 * i + 1] = (uint8_t)(v >> 8);
    }
    uint32_t at = find_vtable(fb, vtable, bytes);
    if (!at) {
        if (!pithp_grow(fb->c, &fb->vtables, &fb->cap_vtables, fb->n_vtables, sizeof *fb->vtables)) {
            fb->status = PITH_ENOMEM;
            return 0;
        }
        if (!pad(fb, bytes, 2))
            return 0;
        put_all(fb, vtable, bytes, 1);
        fb->vtables[fb->n_vtables++] = at = here(fb);
    }
    /* signed: table minus vtable, as positions counted from the beginning */
    uint32_t back = at - table;
    uint8_t *p = fb->buf + fb->cap - table;
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(back >> 8 * i);
    return table;
}

pith_status pithp_fb_finish(pithp_fb *fb, pithp_fb_ref root, const char *identifier, const uint8_t **p,
                            size_t *n)
{
    if (fb->open || strlen(identifier) != 4)
        bug(fb, "an unfinished table, or an identifier of other than four characters");
    if (fb->status || !pad(fb, 8, fb->align))
        return fb->status;
    for (int i = 3; i >= 0; i--)
        put(fb, (uint8_t)identifier[i], 1);
    put(fb, distance(fb, fb->used + 4, root), 4);
    if (fb->status)
        return fb->status;
    *p = fb->buf + fb->cap - fb->used;
    *n = fb->used;
    return PITH_OK;
}
