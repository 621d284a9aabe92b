/* ops/reduce.c: sums over some dimensions of a nest.

   A unit is a piece of the result that is summed in one go: up to PITHP_TERMS neighbours when the last dimension stays,
   one element when it is summed. Long sums are cut along the outermost summed dimension into slots, added in order. */
#include "ops/reduce.h"
#include "kernels/float/kernels.h"
#include "ops/common.h"

#define LONG_SUM   8192
#define TILE_TERMS 16384

pithp_nest pithp_reduce_nest(pith_shape x, uint32_t axes)
{
    pithp_nest n = { .nd = x.ndim };
    int64_t full[PITH_MAX_DIMS], step = 1;
    pithp_strides(x, full);
    for (int i = x.ndim - 1; i >= 0; i--) {
        n.d[i] = x.d[i];
        n.s[1][i] = n.s[2][i] = full[i];
        if (axes >> i & 1)
            continue;
        n.s[0][i] = step;
        step *= x.d[i];
    }
    pithp_nest_merge(&n);
    return n;
}

typedef struct {
    const pithp_reduce *r;
    int64_t full[PITH_MAX_DIMS]; /* row-major strides of the nest */
    int outer;                   /* the outermost summed dimension, -1: none */
    bool inner_stays;
    int64_t results, units, per_tile, slots, pieces; /* pieces: units along the last dimension */
    double *partial;                                 /* [slots][results] */
    const pithp_kern *kern;
} sizes;

static int64_t slots_of(const pithp_nest *n, int set, int64_t *results, int *outer)
{
    int64_t terms = 1;
    *results = 1;
    *outer = -1;
    for (int i = 0; i < n->nd; i++) {
        if (n->s[set][i]) {
            *results *= n->d[i];
        } else {
            terms *= n->d[i];
            if (*outer < 0)
                *outer = i;
        }
    }
    return terms >= LONG_SUM ? PITHP_MIN(PITHP_SLOTS, n->d[*outer]) : 1;
}

size_t pithp_reduce_scratch(const pithp_nest *nest, int set)
{
    int outer;
    int64_t results, slots = slots_of(nest, set, &results, &outer);
    /* as for the most slots: which dimension is the outermost, and how long, depends on what was merged */
    return slots > 1 ? (size_t)(PITHP_SLOTS * results) * sizeof(double) : 0;
}

static sizes sizes_of(const pithp_reduce *r)
{
    const pithp_nest *n = &r->nest;
    sizes z = { .r = r, .partial = r->scratch };
    int last = n->nd - 1;
    z.slots = slots_of(n, r->set, &z.results, &z.outer);
    z.inner_stays = n->s[r->set][last] != 0;
    int64_t inner = n->d[last], width = z.inner_stays ? PITHP_MIN(inner, PITHP_TERMS) : 1;
    z.pieces = z.inner_stays ? (inner + PITHP_TERMS - 1) / PITHP_TERMS : 1;
    z.units = z.inner_stays ? z.results / inner * z.pieces : z.results;
    int64_t work = pithp_nest_count(n) / z.results * width;
    z.per_tile = PITHP_MAX(1, TILE_TERMS / work);
    pithp_strides((pith_shape){ n->nd, { n->d[0], n->d[1], n->d[2], n->d[3], n->d[4], n->d[5] } }, z.full);
    return z;
}

static const pith_real *terms_at(const sizes *z, const int64_t *idx, int64_t n, pith_real *room)
{
    const pithp_reduce *r = z->r;
    int64_t at = 0;
    for (int i = 0; i < r->nest.nd; i++)
        at += idx[i] * z->full[i];
    return r->term ? r->term(r->arg, &r->nest, idx, at, n, room) : (const pith_real *)r->arg + at;
}

/* Sets idx to the beginning of the unit and says which result that is. */
static int64_t unit_start(const sizes *z, int64_t unit, int64_t *idx)
{
    const pithp_nest *n = &z->r->nest;
    int last = n->nd - 1;
    int64_t rest = unit / z->pieces;
    for (int i = last; i >= 0; i--) {
        idx[i] = 0;
        if (!n->s[z->r->set][i] || (i == last && z->inner_stays))
            continue;
        idx[i] = rest % n->d[i];
        rest /= n->d[i];
    }
    if (z->inner_stays)
        idx[last] = unit % z->pieces * PITHP_TERMS;
    return pithp_nest_offset(n, z->r->set, idx);
}

/* The next combination of the summed dimensions before the last; false after all. The outermost runs from lo to hi. */
static bool next(const sizes *z, int64_t *idx, int64_t lo, int64_t hi)
{
    const pithp_nest *n = &z->r->nest;
    for (int i = n->nd - 2; i >= 0; i--) {
        if (n->s[z->r->set][i])
            continue;
        if (++idx[i] < (i == z->outer ? hi : n->d[i]))
            return true;
        idx[i] = i == z->outer ? lo : 0;
    }
    return false;
}

static double sum_run(const sizes *z, int64_t *idx, int64_t from, int64_t to)
{
    pith_real room[PITHP_TERMS];
    int last = z->r->nest.nd - 1;
    double sum = 0;
    for (int64_t j = from; j < to; j += PITHP_TERMS) {
        int64_t n = PITHP_MIN(PITHP_TERMS, to - j), i = 0;
        idx[last] = j;
        const pith_real *t = terms_at(z, idx, n, room);
        double s0 = 0, s1 = 0, s2 = 0, s3 = 0;
        for (; i + 4 <= n; i += 4)
            s0 += t[i], s1 += t[i + 1], s2 += t[i + 2], s3 += t[i + 3];
        for (; i < n; i++)
            s0 += t[i];
        sum += (s0 + s1) + (s2 + s3);
    }
    return sum;
}

static void put(const sizes *z, int64_t slot, int64_t o, int64_t n, const double *sum)
{
    const pithp_reduce *r = z->r;
    for (int64_t j = 0; j < n; j++) {
        pith_real v = (pith_real)(sum[j] * r->factor);
        if (z->slots > 1)
            z->partial[slot * z->results + o + j] = sum[j];
        else
            r->out[o + j] = r->add ? r->out[o + j] + v : v;
    }
}

/* The innermost summed dimension before the last, which `next` steps first; -1: there is none. */
static int summed_last(const sizes *z)
{
    int i = z->r->nest.nd - 2;
    while (i >= 0 && z->r->nest.s[z->r->set][i])
        i--;
    return i;
}

static void do_unit(const sizes *z, int64_t unit, int64_t slot)
{
    const pithp_nest *nest = &z->r->nest;
    int64_t idx[PITH_MAX_DIMS], lo = 0, hi = 1, o = unit_start(z, unit, idx);
    int last = nest->nd - 1;
    if (z->outer >= 0) {
        lo = nest->d[z->outer] * slot / z->slots;
        hi = nest->d[z->outer] * (slot + 1) / z->slots;
        idx[z->outer] = lo;
    }
    double sum[PITHP_TERMS] = { 0 };
    if (!z->inner_stays) {
        bool cut = z->outer == last;
        do
            sum[0] += sum_run(z, idx, cut ? lo : 0, cut ? hi : nest->d[last]);
        while (next(z, idx, lo, hi));
        put(z, slot, o, 1, sum);
        return;
    }
    pith_real room[PITHP_TERMS];
    const int64_t n = PITHP_MIN(PITHP_TERMS, nest->d[last] - idx[last]);
    const int run = z->r->term == NULL ? summed_last(z) : -1;
    do {
        const pith_real *t = terms_at(z, idx, n, room);
        int64_t rows = 1, step = 0;
        if (run >= 0) { /* all of that dimension at once */
            rows = (run == z->outer ? hi : nest->d[run]) - idx[run];
            step = z->full[run];
            idx[run] += rows - 1;
        }
        z->kern->row_sums(t, rows, step, n, sum);
    } while (next(z, idx, lo, hi));
    put(z, slot, o, n, sum);
}

static void sum_tile(void *arg, int64_t tile, int thread)
{
    (void)thread;
    const sizes *z = arg;
    int64_t slot = tile % z->slots, from = tile / z->slots * z->per_tile;
    int64_t to = PITHP_MIN(from + z->per_tile, z->units);
    for (int64_t u = from; u < to; u++)
        do_unit(z, u, slot);
}

void pithp_reduce_run(const pith_call *k, pithp_reduce *r)
{
    sizes z = sizes_of(r);
    z.kern = pithp_call_env(k)->k;
    pith_op_parallel(k, (z.units + z.per_tile - 1) / z.per_tile * z.slots, sum_tile, &z);
    if (z.slots == 1)
        return;
    for (int64_t o = 0; o < z.results; o++) {
        double sum = 0;
        for (int64_t s = 0; s < z.slots; s++)
            sum += z.partial[s * z.results + o];
        pith_real v = (pith_real)(sum * r->factor);
        r->out[o] = r->add ? r->out[o] + v : v;
    }
}

void pithp_reduce_back(const pith_call *k, const pithp_nest *nest, double factor, const pith_real *dy,
                       pith_real *dx, bool add)
{
    pithp_move m = { .nest = *nest, .src = dy, .dst = dx, .factor = (pith_real)factor, .add = add };
    pithp_move_run(k, &m);
}
