/* Text by LZ77 (Ziv and Lempel 1977): each step takes the longest stretch that stood before, looked for in chains of places with
   the same three bytes, unless the next place has a longer one. */
#include "compress/pack/pack.h"

#include <string.h>

enum { HASH = 1 << 15, CHAIN = 128, LONGEST = 1 << 15 };

typedef struct {
    uint32_t length, distance; /* length 0: a byte */
    uint8_t byte;
} token;

typedef struct {
    const uint8_t *text;
    size_t n;
    int64_t *head, *before; /* [HASH], [n]: the last place of a hash; the one before each place; -1: none */
} finder;

static unsigned hash(const uint8_t *p)
{
    return (p[0] * 506832829u ^ p[1] * 2654435u ^ p[2] * 40503u) >> 3 & (HASH - 1);
}

static void enter(finder *f, size_t at)
{
    if (at + 3 > f->n)
        return;
    unsigned h = hash(f->text + at);
    f->before[at] = f->head[h];
    f->head[h] = (int64_t)at;
}

static token find(const finder *f, size_t at)
{
    token best = { .byte = f->text[at] };
    int64_t from = at + 3 <= f->n ? f->head[hash(f->text + at)] : -1;
    size_t most = PITHP_MIN(f->n - at, (size_t)LONGEST);
    for (int i = 0; from >= 0 && i < CHAIN; i++, from = f->before[from]) {
        size_t k = 0;
        while (k < most && f->text[(size_t)from + k] == f->text[at + k])
            k++;
        if (k >= PITHP_LZ_LEAST && k > best.length) {
            best.length = (uint32_t)k;
            best.distance = (uint32_t)(at - (size_t)from);
        }
    }
    return best;
}

static size_t parse(finder *f, token *t)
{
    size_t n = 0;
    for (size_t at = 0; at < f->n;) {
        token now = find(f, at), next = { 0 };
        enter(f, at);
        if (now.length > 0 && at + 1 < f->n)
            next = find(f, at + 1);
        if (next.length > now.length)
            now = (token){ .byte = f->text[at] };
        t[n++] = now;
        for (size_t end = at + PITHP_MAX(now.length, 1), i = at + 1; i < end; i++)
            enter(f, i);
        at += PITHP_MAX(now.length, 1);
    }
    return n;
}

/* Bucket of v >= 1: how many bits follow its first. */
static int bucket(uint32_t v) { return 31 - __builtin_clz(v); }

static uint32_t length_of(const token *t) { return t->length - PITHP_LZ_LEAST + 1; }

static void write(pithp_tobits *b, const token *t, size_t n)
{
    int64_t symbols[PITHP_LZ_LITERALS + PITHP_LZ_BUCKETS] = { 0 }, distances[PITHP_LZ_BUCKETS] = { 0 };
    pithp_huff hs, hd;
    for (size_t i = 0; i < n; i++) {
        symbols[t[i].length > 0 ? PITHP_LZ_LITERALS + bucket(length_of(&t[i])) : t[i].byte]++;
        if (t[i].length > 0)
            distances[bucket(t[i].distance)]++;
    }
    bool none = true;
    for (int i = 0; i < PITHP_LZ_BUCKETS; i++)
        none = none && distances[i] == 0;
    distances[0] += none; /* a code has to be there */
    pithp_huff_make(symbols, PITHP_LZ_LITERALS + PITHP_LZ_BUCKETS, &hs);
    pithp_huff_make(distances, PITHP_LZ_BUCKETS, &hd);
    pithp_huff_write(b, &hs);
    pithp_huff_write(b, &hd);
    for (size_t i = 0; i < n; i++) {
        if (t[i].length == 0) {
            pithp_huff_put(b, &hs, t[i].byte);
            continue;
        }
        const uint32_t v[2] = { length_of(&t[i]), t[i].distance };
        for (int k = 0; k < 2; k++) {
            int extra = bucket(v[k]);
            pithp_huff_put(b, k == 0 ? &hs : &hd, k == 0 ? PITHP_LZ_LITERALS + extra : extra);
            pithp_tobits_put(b, v[k] & (uint32_t)(((uint64_t)1 << extra) - 1), extra);
        }
    }
}

void pithp_pack_text(pithp_tobits *b, const uint8_t *text, size_t n)
{
    finder f = { .text = text, .n = n };
    token *t = PITHP_NEW_N(b->c, token, n + 1);
    f.head = PITHP_NEW_N(b->c, int64_t, HASH);
    f.before = PITHP_NEW_N(b->c, int64_t, n + 1);
    if (t == NULL || f.head == NULL || f.before == NULL) {
        b->failed = true;
    } else {
        memset(f.head, -1, HASH * sizeof *f.head);
        for (int i = 0; i < 4; i++)
            pithp_tobits_put(b, (uint32_t)(n >> 8 * i & 0xff), 8);
        write(b, t, parse(&f, t));
    }
    pithp_free(b->c, t);
    pithp_free(b->c, f.head);
    pithp_free(b->c, f.before);
}
