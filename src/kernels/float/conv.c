/* kernels/float/conv.c: convolution forward. A tile is a run of output pixels, flat over N, P and Q. Its windows are laid
   out as a matrix, some rows at a time (a 1x1 convolution's input already is one), and multiplied by the weights; what
   follows the products (bias, statistics, scale, activation) happens while those rows are in cache. */
#include "kernels/float/tile.h"

typedef struct {
    const pithp_env *e;
    const pithp_conv_fwd *a;
    int64_t rows, tile, sub, taps; /* taps: R*S*C/groups */
    int64_t records, packed, col_size,
        y_size; /* reals of scratch: statistics, weights of one group, a thread's windows and results */
    pith_real *record, *col;
    const pith_real *w;
    bool pointwise, stream;
} fwd;

static int64_t pieces(int64_t reals) { return (int64_t)(pithp_piece(reals) / sizeof(pith_real)); }

static fwd fwd_layout(const pithp_conv *g)
{
    fwd f = { .rows = g->n * g->p * g->q, .taps = g->r * g->s * (g->c / g->groups) };
    int64_t width = f.taps + g->k;
    f.tile = pithp_tile_rows(f.rows, width);
    f.sub = pithp_i64min(f.tile, pithp_sub_rows(width));
    f.records = pieces((pithp_ceil_div(f.rows, pithp_tile_cap(width)) + 16) * 3 * g->k);
    f.packed = pieces(pithp_packed(g->k / g->groups, f.taps));
    f.pointwise = pithp_is_pointwise(g);
    f.col_size = pieces(f.sub * f.taps); /* a 1x1's transformed input is as large */
    f.y_size = pieces(f.sub * g->k);
    return f;
}

size_t pithp_conv_fwd_scratch(const pithp_conv *g, int threads)
{
    if (pithp_is_depthwise(g))
        return pithp_dw_fwd_scratch(g, threads);
    fwd f = fwd_layout(g);
    return (size_t)(f.records + g->groups * f.packed + threads * (f.col_size + f.y_size)) * sizeof(pith_real);
}

void pithp_conv_epilogue(const pithp_env *e, const pithp_conv_fwd *a, int64_t rows, pith_real *y,
                         pith_real *record, bool first)
{
    const pithp_kern *k = e->k;
    int64_t c = a->g.k;
    const pith_real *bias = a->bias;
    if (bias && (a->mean || a->scale)) {
        k->affine_act(y, NULL, bias, NULL, false, PITHP_ACT_NONE, rows, c, y);
        bias = NULL;
    }
    if (a->mean) {
        if (first)
            pithp_stats_begin(y, rows, c, record, k);
        pithp_stats_add(y, rows, c, record, k);
    }
    if (a->scale || bias || a->act != PITHP_ACT_NONE)
        k->affine_act(y, a->scale, a->scale ? a->shift : bias, NULL, false, a->act, rows, c, y);
}

bool pithp_conv_loads(const pithp_conv *g) { return pithp_is_depthwise(g) || pithp_is_pointwise(g); }

const pith_real *pithp_x_rows(const pithp_env *e, const pithp_x_src *src, const pith_real *x, int64_t first,
                              int64_t rows, int64_t c, pith_real *buf)
{
    if (!src->scale)
        return x + first * c;
    e->k->affine_act(x + first * c, src->scale, src->shift, NULL, false, src->act, rows, c, buf);
    return buf;
}

static void fwd_tile(void *arg, int64_t t, int thread)
{
    const fwd *f = arg;
    const pithp_conv *g = &f->a->g;
    int64_t from = t * f->tile, to = pithp_i64min(from + f->tile, f->rows), kg = g->k / g->groups;
    pith_real *col = f->col + thread * (f->col_size + f->y_size);
    for (int64_t i = from; i < to; i += f->sub) {
        int64_t rows = pithp_i64min(f->sub, to - i);
        pith_real *out = f->a->y + i * g->k, *y = f->stream ? col + f->col_size : out;
        for (int64_t j = 0; j < g->groups; j++) {
            const pith_real *x = col;
            if (f->pointwise)
                x = pithp_x_rows(f->e, &f->a->load, f->a->x, i, rows, g->c, col);
            else
                pithp_im2col(g, f->a->x, j, i, rows, col);
            f->e->k->gemm(rows, kg, f->taps, x, f->taps, 1, f->w + j * f->packed, 0, false, y + j * kg, g->k);
        }
        pithp_conv_epilogue(f->e, f->a, rows, y, f->record + t * 3 * g->k, i == from);
        if (f->stream)
            f->e->k->stream(y, rows * g->k, out);
    }
}

/* ---- The weights' layout for the products: group by group --------------------------------------------------- */
typedef struct {
    const pithp_env *e;
    int64_t kg, taps, packed;
    const pith_real *w;
    pith_real *out;
} pack_args;

static void pack_tile(void *arg, int64_t j, int thread)
{
    const pack_args *p = arg;
    (void)thread;
    p->e->k->gemm_pack(true, p->kg, p->taps, p->w + j * p->kg * p->taps, p->taps, p->out + j * p->packed);
}

int64_t pithp_conv_packed(const pithp_conv *g)
{
    return pithp_is_depthwise(g) ? 0 : g->groups * fwd_layout(g).packed;
}

void pithp_conv_pack(const pithp_env *e, const pithp_conv *g, const pith_real *w, pith_real *packed)
{
    fwd f = fwd_layout(g);
    pack_args p = { e, g->k / g->groups, f.taps, f.packed, w, packed };
    pithp_parallel(e->threads, g->groups, pack_tile, &p);
}

void pithp_conv_forward(const pithp_env *e, const pithp_conv_fwd *a)
{
    const pithp_conv *g = &a->g;
    if (pithp_is_depthwise(g)) {
        pithp_dw_forward(e, a);
        return;
    }
    fwd f = fwd_layout(g);
    int64_t tiles = pithp_ceil_div(f.rows, f.tile);
    f.e = e;
    f.a = a;
    f.stream = pithp_streams(e, f.rows * g->k);
    f.record = a->scratch;
    pith_real *own = f.record + f.records;
    f.col = own + g->groups * f.packed;
    f.w = a->packed ? a->packed : own;
    if (a->packed == NULL)
        pithp_conv_pack(e, g, a->w, own);
    pithp_parallel(e->threads, tiles, fwd_tile, &f);
    if (a->mean)
        pithp_stats_merge(f.record, tiles, f.rows, f.tile, g->k, a->mean, a->var);
}
