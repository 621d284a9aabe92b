/* One block in every form that its numbers allow; the shortest is written. */
#include "compress/pack/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP_LEAST = 2, GAP_MOST = 8 };

typedef struct {
    pith_ctx *c;
    const uint8_t *bytes;
    size_t n_bytes;
    int width, entries, planes;
    uint64_t table[256];
    int64_t n;
    uint8_t *plane; /* [planes][n] */
    int zero;       /* of one plane: the commonest symbol */
    double ideal;   /* bits */
} form;

/* ---- Elements ---- */
static uint64_t element(const form *f, int64_t i)
{
    uint64_t v = 0;
    if (f->width >= 8) {
        for (int p = f->width / 8 - 1; p >= 0; p--)
            v = v << 8 | f->bytes[i * (f->width / 8) + p];
        return v;
    }
    size_t bit = (size_t)i * (size_t)f->width;
    unsigned both = f->bytes[bit / 8];
    if (bit % 8 + (size_t)f->width > 8)
        both |= (unsigned)f->bytes[bit / 8 + 1] << 8;
    return both >> bit % 8 & ((1u << f->width) - 1);
}

/* Place of v among the entries, or where it belongs. */
static int place(const form *f, uint64_t v)
{
    int low = 0, high = f->entries;
    while (low < high) {
        int middle = (low + high) / 2;
        if (f->table[middle] < v)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* A table of all values there are, if they are at most 256. */
static bool make_table(form *f)
{
    f->entries = 0;
    for (int64_t i = 0; i < f->n; i++) {
        uint64_t v = element(f, i);
        int at = place(f, v);
        if (at < f->entries && f->table[at] == v)
            continue;
        if (f->entries == 256)
            return false;
        memmove(&f->table[at + 1], &f->table[at], (size_t)(f->entries - at) * sizeof *f->table);
        f->table[at] = v;
        f->entries++;
    }
    return f->entries > 0;
}

static bool set_at(const form *f, int64_t i)
{
    if (f->planes == 1)
        return f->plane[i] != f->zero;
    for (int p = 0; p < f->planes; p++)
        if (f->plane[p * f->n + i] != 0)
            return true;
    return false;
}

static void count_plane(const form *f, int p, bool set_only, int64_t count[256])
{
    memset(count, 0, 256 * sizeof *count);
    for (int64_t i = 0; i < f->n; i++)
        count[f->plane[p * f->n + i]] += !set_only || set_at(f, i);
}

/* Order-0 entropy of the elements: of one plane, of its symbols; of several, of each plane, or of where there is something and of
   the planes there, whichever is less. */
static double ideal_of(const form *f)
{
    int64_t count[256] = { 0 };
    double dense = 0, sparse = 0, set = 0;
    for (int p = 0; p < f->planes; p++) {
        count_plane(f, p, false, count);
        dense += pithp_entropy_bits(count, 256);
        if (f->planes == 1)
            return dense;
        count_plane(f, p, true, count);
        sparse += pithp_entropy_bits(count, 256);
    }
    for (int s = 0; s < 256; s++)
        set += (double)count[s];
    const int64_t two[2] = { (int64_t)set, f->n - (int64_t)set };
    return fmin(dense, sparse + pithp_entropy_bits(two, 2));
}

static bool make_planes(form *f, int width, bool table)
{
    f->width = width;
    f->n = (int64_t)(8 * f->n_bytes / (size_t)width);
    f->entries = 0;
    if (f->n == 0 || f->n > UINT32_MAX / 2 || (table && !make_table(f)))
        return false;
    f->planes = width <= 8 || table ? 1 : width / 8;
    for (int64_t i = 0; i < f->n; i++) {
        uint64_t v = element(f, i);
        if (table)
            f->plane[i] = (uint8_t)place(f, v);
        else
            for (int p = 0; p < f->planes; p++)
                f->plane[p * f->n + i] = (uint8_t)(v >> 8 * p);
    }
    int64_t count[256];
    f->zero = 0;
    count_plane(f, 0, false, count);
    for (int s = 1; s < 256 && f->planes == 1; s++)
        if (count[s] > count[f->zero])
            f->zero = s;
    f->ideal = ideal_of(f) + f->entries * width;
    return true;
}

/* ---- Writing ---- */
static void write_head(pithp_tobits *b, const form *f, int kind)
{
    pithp_tobits_put(b, (uint32_t)kind, 2);
    pithp_tobits_put(b, (uint32_t)f->width, 7);
    pithp_tobits_put(b, f->entries > 0, 1);
    if (f->entries > 0)
        pithp_tobits_put(b, (uint32_t)f->entries - 1, 8);
    for (int i = 0; i < f->entries; i++) {
        pithp_tobits_put(b, (uint32_t)f->table[i], PITHP_MIN(f->width, 32));
        if (f->width == 64)
            pithp_tobits_put(b, (uint32_t)(f->table[i] >> 32), 32);
    }
    for (size_t bit = (size_t)f->n * (size_t)f->width; bit < 8 * f->n_bytes; bit++)
        pithp_tobits_put(b, f->bytes[bit / 8] >> bit % 8 & 1, 1);
}

static void write_plane(pithp_tobits *b, const form *f, int p, bool set_only)
{
    int64_t count[256], n = 0;
    pithp_huff h;
    count_plane(f, p, set_only, count);
    for (int s = 0; s < 256; s++)
        n += count[s];
    if (n == 0)
        return;
    int symbols = f->entries > 0 ? f->entries : f->planes > 1 || f->width == 8 ? 256 : 1 << f->width;
    pithp_huff_make(count, symbols, &h);
    pithp_huff_write(b, &h);
    for (int64_t i = 0; i < f->n; i++)
        if (!set_only || set_at(f, i))
            pithp_huff_put(b, &h, f->plane[p * f->n + i]);
}

/* h NULL: counts gaps; else writes them. Gives how many symbols stand. */
static int64_t gaps(pithp_tobits *b, const form *f, int bits, int64_t *count, const pithp_huff *h)
{
    int64_t gap = 0, n = 0, most = (1 << bits) - 1;
    for (int64_t i = 0; i < f->n; i++, gap++) {
        if (!set_at(f, i))
            continue;
        for (; gap >= most; gap -= most) {
            if (h != NULL)
                pithp_huff_put(b, h, (int)most);
            else
                count[most]++;
        }
        if (h != NULL)
            pithp_huff_put(b, h, (int)gap);
        else
            count[gap]++;
        gap = -1;
        n++;
    }
    return n;
}

static void write_sparse(pithp_tobits *b, const form *f, int bits)
{
    int64_t count[1 << GAP_MOST] = { 0 }, n = gaps(b, f, bits, count, NULL);
    pithp_huff h;
    if (f->planes == 1)
        pithp_tobits_put(b, (uint32_t)f->zero, 8);
    pithp_tobits_put(b, (uint32_t)n, 32);
    if (n == 0)
        return;
    pithp_huff_make(count, 1 << bits, &h);
    pithp_tobits_put(b, (uint32_t)bits, 4);
    pithp_huff_write(b, &h);
    gaps(b, f, bits, NULL, &h);
    for (int p = 0; p < f->planes; p++)
        write_plane(b, f, p, true);
}

/* ---- Choosing ---- */
/* Writes f dense (bits 0) or sparse and keeps it if it is the shortest so far. */
static void attempt(const form *f, int bits, pithp_tobits *now, pithp_tobits *best)
{
    if (now->p != NULL)
        memset(now->p, 0, now->cap);
    now->at = 0;
    write_head(now, f, bits > 0 ? PITHP_PACK_SPARSE : PITHP_PACK_DENSE);
    for (int p = 0; bits == 0 && p < f->planes; p++)
        write_plane(now, f, p, false);
    if (bits > 0)
        write_sparse(now, f, bits);
    if (now->failed || best->failed || (best->at > 0 && now->at >= best->at))
        return;
    pithp_tobits other = *best;
    *best = *now;
    *now = other;
}

static void attempt_all(form *f, int width, bool table, pithp_tobits *now, pithp_tobits *best, double *ideal)
{
    if (!make_planes(f, width, table))
        return;
    /* what cannot win need not be written; the factor leaves room for the bound of several planes */
    if (best->at > 0 && f->ideal > (double)best->at)
        return;
    for (int bits = GAP_LEAST - 1; bits <= GAP_MOST; bits++)
        attempt(f, bits < GAP_LEAST ? 0 : bits, now, best);
    *ideal = fmin(*ideal, f->ideal);
}

pith_status pithp_pack_block(pithp_tobits *b, const uint8_t *bytes, size_t n, pithp_st_dtype dtype,
                             double *ideal)
{
    int each = (int)pithp_st_dtype_size(dtype) * 8;
    form f = { .c = b->c, .bytes = bytes, .n_bytes = n };
    pithp_tobits now = { .c = b->c }, best = { .c = b->c };
    double least = 8 * (double)n;
    f.plane = pithp_alloc(b->c, n + 1, 8);
    if (f.plane == NULL)
        return PITH_ENOMEM;
    attempt_all(&f, each, false, &now, &best, &least);
    if (each > 8)
        attempt_all(&f, each, true, &now, &best, &least);
    for (int width = 1; width < 8 && dtype == PITHP_ST_U8; width++) /* packed codes */
        attempt_all(&f, width, false, &now, &best, &least);
    pithp_tobits_byte(b);
    bool failed = now.failed || best.failed;
    if (!failed && best.at > 0 && (best.at + 7) / 8 < n + 1) {
        pithp_tobits_append(b, &best);
    } else {
        pithp_tobits_put(b, PITHP_PACK_RAW, 2);
        pithp_tobits_bytes(b, bytes, n);
    }
    *ideal += least;
    pithp_free(b->c, f.plane);
    pithp_free(b->c, now.p);
    pithp_free(b->c, best.p);
    return failed || b->failed ? PITH_ENOMEM : PITH_OK;
}
