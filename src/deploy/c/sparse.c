/* deploy/c/sparse.c: 1x1 convolutions whose weights are mostly zero, as lists of the others (target/sparse.inc). A list costs two
   bytes and some three instructions for each weight at four positions, a whole row one byte and less than one instruction: from
   three zeros of five on the list is the faster one, too: on a Cortex-M4 the 1x1 layers of efnet-nano break even at 59%. */
#include "deploy/c/emit.h"
#include "graph/int8/conv.h"

enum { MOST_GAP = 255, MOST_LISTED = 65535, ZERO_PERCENT = 60 };

/* Bytes of the lists of k channels with n weights each; written where `to` is not NULL. 0: a list is too long. */
static size_t lists(const int8_t *w, int64_t k, int64_t n, int8_t *to)
{
    size_t at = 0;
    for (; k-- > 0; w += n) {
        const size_t head = at;
        int64_t last = 0, listed = 0;
        at += 2;
        for (int64_t i = 0; i < n; i++) {
            if (w[i] == 0)
                continue;
            for (; i - last > MOST_GAP; last += MOST_GAP, listed++, at += 2) /* a zero on the way */
                if (to != NULL)
                    to[at] = (int8_t)MOST_GAP, to[at + 1] = 0;
            if (to != NULL)
                to[at] = (int8_t)(i - last), to[at + 1] = w[i];
            last = i, listed++, at += 2;
        }
        if (listed > MOST_LISTED)
            return 0;
        if (to != NULL)
            to[head] = (int8_t)(listed & 255), to[head + 1] = (int8_t)(listed >> 8);
    }
    return at;
}

/* Whether node's weights, of a product over several positions, are better listed. */
bool pithp_c_is_sparse(const pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_iconv *v = &((const pithp_qconv *)nd->prep)->g;
    const int8_t *w = pithp_q_in(e->g, nd, 1)->data;
    const int64_t all = v->k * v->c;
    int64_t zeros = 0;
    if (e->packed || !pithp_c_pointwise(v) || v->p * v->q < 4)
        return false;
    for (int64_t i = 0; i < all; i++)
        zeros += w[i] == 0;
    return 100 * zeros >= ZERO_PERCENT * all && lists(w, v->k, v->c, NULL) > 0;
}

void pithp_c_plan_sparse(pithp_c_emit *e, int node)
{
    const pithp_qnode *nd = e->g->nodes[node];
    const pithp_iconv *v = &((const pithp_qconv *)nd->prep)->g;
    const int8_t *w = pithp_q_in(e->g, nd, 1)->data;
    int8_t *to = pithp_c_add(e, 'z', node, lists(w, v->k, v->c, NULL), 1);
    if (to != NULL)
        lists(w, v->k, v->c, to);
    e->scratch[node] = 4 * (size_t)v->c;
    e->uses |= PITHP_C_BIT(SIMD) | PITHP_C_BIT(LAYER) | PITHP_C_BIT(SPARSE);
}
