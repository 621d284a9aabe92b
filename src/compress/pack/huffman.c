/* Bits, and Huffman codes (Huffman 1952) of at most 15 bits, made canonical: codes of one length count up, shorter ones first. */
#include "compress/pack/pack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Bits ---- */
static bool room(pithp_tobits *b, size_t bits)
{
    size_t need = (b->at + bits) / 8 + 8;
    if (!b->failed && need > b->cap && !pithp_grow(b->c, &b->p, &b->cap, need, 1))
        b->failed = true;
    return !b->failed;
}

void pithp_tobits_put(pithp_tobits *b, uint32_t v, int n)
{
    if (!room(b, (size_t)n))
        return;
    for (int left = n; left > 0;) {
        int free_bits = 8 - (int)(b->at % 8), take = PITHP_MIN(left, free_bits);
        unsigned part = v >> (left - take) & ((1u << take) - 1);
        b->p[b->at / 8] |= (uint8_t)(part << (free_bits - take));
        b->at += (size_t)take;
        left -= take;
    }
}

void pithp_tobits_byte(pithp_tobits *b) { b->at = (b->at + 7) / 8 * 8; }

void pithp_tobits_bytes(pithp_tobits *b, const void *p, size_t n)
{
    pithp_tobits_byte(b);
    if (n == 0 || !room(b, 8 * n))
        return;
    memcpy(b->p + b->at / 8, p, n);
    b->at += 8 * n;
}

void pithp_tobits_append(pithp_tobits *b, const pithp_tobits *from)
{
    b->failed = b->failed || from->failed;
    pithp_tobits_bytes(b, from->p, from->failed ? 0 : (from->at + 7) / 8);
}

/* ---- Codes ---- */
typedef struct {
    int64_t count;
    int symbol, left, right; /* symbol -1: a pair of nodes */
} node;

static int by_count(const void *a, const void *b)
{
    const node *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return x->symbol < y->symbol ? -1 : x->symbol > y->symbol;
}

static void depths(const node *t, int at, int depth, uint8_t *length, int *deepest)
{
    if (t[at].symbol >= 0) {
        length[t[at].symbol] = (uint8_t)PITHP_MAX(depth, 1);
        *deepest = PITHP_MAX(*deepest, depth);
        return;
    }
    depths(t, t[at].left, depth + 1, length, deepest);
    depths(t, t[at].right, depth + 1, length, deepest);
}

/* Two queues, both in order: symbols, and pairs as they are made. Gives the greatest length. */
static int lengths(const int64_t *count, int symbols, uint8_t *length)
{
    node t[2 * PITHP_HUFF_SYMBOLS] = { 0 };
    int n = 0, deepest = 0;
    memset(length, 0, (size_t)symbols);
    for (int s = 0; s < symbols; s++)
        if (count[s] > 0)
            t[n++] = (node){ count[s], s, 0, 0 };
    qsort(t, (size_t)n, sizeof *t, by_count);
    int leaf = 0, pair = n, end = n;
    while (n - leaf + end - pair > 1) {
        int two[2];
        for (int i = 0; i < 2; i++)
            two[i] = leaf < n && (pair == end || t[leaf].count <= t[pair].count) ? leaf++ : pair++;
        t[end++] = (node){ t[two[0]].count + t[two[1]].count, -1, two[0], two[1] };
    }
    depths(t, end - 1, 0, length, &deepest);
    return deepest;
}

void pithp_huff_make(const int64_t *count, int symbols, pithp_huff *h)
{
    int64_t flat[PITHP_HUFF_SYMBOLS];
    int of_length[PITHP_HUFF_MOST + 2] = { 0 };
    memcpy(flat, count, (size_t)symbols * sizeof *flat);
    h->symbols = symbols;
    while (lengths(flat, symbols, h->length) > PITHP_HUFF_MOST) /* too deep: counts become more alike */
        for (int s = 0; s < symbols; s++)
            flat[s] = flat[s] > 0 ? flat[s] / 2 + 1 : 0;
    for (int s = 0; s < symbols; s++)
        of_length[h->length[s]]++;
    h->single = symbols - of_length[0] == 1;
    of_length[0] = 0;
    unsigned next[PITHP_HUFF_MOST + 2] = { 0 };
    for (int l = 1; l <= PITHP_HUFF_MOST; l++)
        next[l + 1] = (next[l] + (unsigned)of_length[l]) << 1;
    for (int s = 0; s < symbols; s++)
        h->code[s] = h->length[s] > 0 ? (uint16_t)next[h->length[s]]++ : 0;
}

void pithp_huff_write(pithp_tobits *b, const pithp_huff *h)
{
    int first = 0, last = h->symbols - 1;
    while (h->length[first] == 0)
        first++;
    while (h->length[last] == 0)
        last--;
    pithp_tobits_put(b, (uint32_t)first, 9);
    pithp_tobits_put(b, (uint32_t)last, 9);
    for (int s = first; s <= last; s++) {
        pithp_tobits_put(b, h->length[s], 4);
        if (h->length[s] > 0)
            continue;
        int more = 0;
        while (more < 15 && h->length[s + 1] == 0) /* the last is not 0 */
            more++, s++;
        pithp_tobits_put(b, (uint32_t)more, 4);
    }
}

double pithp_entropy_bits(const int64_t *count, int symbols)
{
    double n = 0, sum = 0;
    for (int s = 0; s < symbols; s++)
        if (count[s] > 0) {
            n += (double)count[s];
            sum += (double)count[s] * log2((double)count[s]);
        }
    return n > 0 ? n * log2(n) - sum : 0;
}
