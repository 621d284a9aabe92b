/* Bits, and canonical Huffman codes, of a packed file. */
#include "file/pack.h"

#include <string.h>

static unsigned next_bit(pithp_unbits *b)
{
    const size_t at = b->at++;
    return b->p[at / 8] >> (7 - at % 8) & 1;
}

uint32_t pithp_unbits_get(pithp_unbits *b, int n)
{
    uint32_t v = 0;
    if ((size_t)n > 8 * b->n - b->at) {
        b->over = true;
        b->at = 8 * b->n;
        return 0;
    }
    while (n-- > 0)
        v = v << 1 | next_bit(b);
    return v;
}

void pithp_unbits_byte(pithp_unbits *b) { b->at = (b->at + 7) / 8 * 8; }

/* Lengths have to fill the codes exactly; one symbol alone has the length 1. */
static bool complete(const pithp_unhuff *h, int used)
{
    unsigned sum = 0;
    for (int l = 1; l <= PITHP_HUFF_MOST; l++)
        sum += (unsigned)h->count[l] << (PITHP_HUFF_MOST - l);
    return used == 1 ? h->count[1] == 1 : sum == 1u << PITHP_HUFF_MOST;
}

bool pithp_unhuff_read(pithp_unbits *b, int symbols, pithp_unhuff *h)
{
    uint8_t length[PITHP_HUFF_SYMBOLS] = { 0 };
    int first = (int)pithp_unbits_get(b, 9), last = (int)pithp_unbits_get(b, 9), used = 0;
    memset(h, 0, sizeof *h);
    if (b->over || first > last || last >= symbols)
        return false;
    for (int s = first; s <= last; s++) {
        length[s] = (uint8_t)pithp_unbits_get(b, 4);
        if (length[s] == 0)
            s += (int)pithp_unbits_get(b, 4);
        else
            h->count[length[s]]++, used++;
    }
    int at[PITHP_HUFF_MOST + 2] = { 0 };
    for (int l = 1; l <= PITHP_HUFF_MOST; l++)
        at[l + 1] = at[l] + h->count[l];
    for (int s = first; s <= last; s++)
        if (length[s] > 0)
            h->symbol[at[length[s]]++] = (uint16_t)s;
    h->single = used == 1;
    return !b->over && used > 0 && complete(h, used);
}

int pithp_unhuff_get(pithp_unbits *b, const pithp_unhuff *h)
{
    int code = 0, first = 0, index = 0;
    if (h->single)
        return h->symbol[0];
    for (int l = 1; l <= PITHP_HUFF_MOST; l++) {
        if (b->at >= 8 * b->n) {
            b->over = true;
            return h->symbol[0];
        }
        code |= (int)next_bit(b);
        if (code - first < h->count[l])
            return h->symbol[index + code - first];
        index += h->count[l];
        first = (first + h->count[l]) << 1;
        code <<= 1;
    }
    b->over = true; /* never: the codes are complete */
    return h->symbol[0];
}
