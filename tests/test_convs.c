/* Convolutions, forward and backward: every kind of geometry against the naive twin on every instruction set, with
   guards around all memory, scratch that starts as NaNs, and the same bits on 1, 2, 3 and 8 threads. */
#include "convs_help.h"

static const int threads_of[] = { 1, 2, 3, 8 };

static buf scratch_new(size_t bytes)
{
    ck_assert_uint_eq(bytes % sizeof(pith_real), 0);
    return buf_new((int64_t)(bytes / sizeof(pith_real)), 0);
}

/* ---- Forward ---------------------------------------------------------------------------------------------------- */
typedef struct {
    pithp_conv g;
    buf x, w, bias, scale, shift, y, mean, var, load_scale, load_shift;
    bool stats, affine;
    pithp_x_src load;
    pithp_act act;
    int64_t key;
} fwd_case;

static void fwd_on(const fwd_case *c, const pithp_env *e, bool with_bias, pith_real *y, pith_real *mean,
                   pith_real *var)
{
    buf scratch = scratch_new(pithp_conv_fwd_scratch(&c->g, e->threads));
    pithp_conv_fwd a = { .g = c->g,
                         .x = c->x.p,
                         .w = c->w.p,
                         .bias = with_bias ? c->bias.p : NULL,
                         .y = y,
                         .mean = c->stats ? mean : NULL,
                         .var = c->stats ? var : NULL,
                         .scale = c->affine ? c->scale.p : NULL,
                         .shift = c->affine ? c->shift.p : NULL,
                         .act = c->act,
                         .scratch = scratch.p,
                         .load = c->load };
    if (e->k)
        pithp_conv_forward(e, &a);
    else
        pithp_ref_conv_forward(&a);
    buf_free(&scratch);
}

/* A transformation of x on loading, for every third shape that has it; on a grid, so that no sum lands on a kink. */
static pithp_x_src load_of(const pithp_conv *g, int64_t i, buf *x, buf *scale, buf *shift, pithp_rand *r)
{
    *scale = buf_grid(g->c, 0.125, 0, r), *shift = buf_grid(g->c, 0.5, 0.001953125, r);
    if (!pithp_conv_loads(g) || i % 3 != 1)
        return (pithp_x_src){ 0 };
    buf_free(x);
    *x = buf_grid(g->n * g->h * g->w * g->c, 0.0625, 0, r);
    return (pithp_x_src){ scale->p, shift->p, (pithp_act)(i % PITHP_ACT_COUNT) };
}

/* |x| as the products see it. */
static buf seen(const buf *x, const pithp_x_src *load, int64_t c)
{
    buf s = buf_copy(x, true);
    for (int64_t i = 0; i < s.n && load->scale; i++)
        s.p[i] = (pith_real)fabs(pithp_ref_act(load->act, (double)x->p[i] * (double)load->scale[i % c] +
                                                              (double)load->shift[i % c]));
    return s;
}

/* How large the sums' terms are: the twin on absolute values, without what follows. */
static buf fwd_size(const fwd_case *c, bool with_bias)
{
    buf x = seen(&c->x, &c->load, c->g.c), w = buf_copy(&c->w, true), b = buf_copy(&c->bias, true);
    buf s = buf_new(c->y.n, 0);
    pithp_ref_conv_forward(
        &(pithp_conv_fwd){ .g = c->g, .x = x.p, .w = w.p, .bias = with_bias ? b.p : NULL, .y = s.p });
    for (int64_t i = 0; i < s.n && c->affine; i++)
        s.p[i] = (pith_real)fabs((double)s.p[i] * (double)c->scale.p[i % c->g.k]) +
                 (pith_real)fabs((double)c->shift.p[i % c->g.k]);
    buf_free(&x), buf_free(&w), buf_free(&b);
    return s;
}

static void check_forward(kind what, int64_t i, pithp_rand *r)
{
    fwd_case c = { .g = geometry(what, i, r),
                   .stats = i & 1,
                   .affine = i & 2,
                   .act = (pithp_act)(i % PITHP_ACT_COUNT),
                   .key = i };
    const pithp_conv *g = &c.g;
    bool with_bias = i % 3 == 0;
    c.x = buf_random(g->n * g->h * g->w * g->c, r), c.w = buf_random(weights(g), r);
    c.load = load_of(g, i, &c.x, &c.load_scale, &c.load_shift, r);
    c.bias = buf_random(g->k, r), c.scale = buf_random(g->k, r), c.shift = buf_random(g->k, r);
    c.y = buf_new(g->n * g->p * g->q * g->k, 1), c.mean = buf_new(g->k, 0), c.var = buf_new(g->k, 0);
    buf got = buf_new(c.y.n, 1), m = buf_new(g->k, 0), v = buf_new(g->k, 0), size = fwd_size(&c, with_bias);
    fwd_on(&c, &(pithp_env){ .threads = 1 }, with_bias, c.y.p, c.mean.p, c.var.p);
    for (int isa = 0; isa <= (int)pithp_isa_best(); isa++) {
        buf first = buf_new(c.y.n, 1), m1 = buf_new(g->k, 0), v1 = buf_new(g->k, 0);
        for (size_t t = 0; t < PITHP_LEN(threads_of); t++) {
            pithp_env e = env(isa, threads_of[t]);
            fwd_on(&c, &e, with_bias, t ? got.p : first.p, t ? m.p : m1.p, t ? v.p : v1.p);
            if (!t)
                continue;
            ck_assert_mem_eq(got.p, first.p, (size_t)got.n * sizeof *got.p);
            ck_assert_mem_eq(m.p, m1.p, (size_t)(c.stats ? g->k : 0) * sizeof *m.p);
            ck_assert_mem_eq(v.p, v1.p, (size_t)(c.stats ? g->k : 0) * sizeof *v.p);
        }
        same("forward", pithp_isa_name((pithp_isa)isa), i + 1000 * what, first.p, c.y.p, size.p, got.n,
             1.2 * TOL);
        for (int64_t k = 0; k < g->k && c.stats; k++) {
            double sd = sqrt((double)c.var.p[k]), mean = fabs((double)c.mean.p[k]),
                   reach = sd + mean + sqrt((double)g->c);
            ck_assert(fabs((double)m1.p[k] - (double)c.mean.p[k]) <= TOL * reach);
            ck_assert(fabs((double)v1.p[k] - (double)c.var.p[k]) <= 2 * TOL * reach * reach);
        }
        buf_free(&first), buf_free(&m1), buf_free(&v1);
    }
    buf_free(&c.x), buf_free(&c.w), buf_free(&c.bias), buf_free(&c.scale), buf_free(&c.shift), buf_free(&c.y);
    buf_free(&c.load_scale), buf_free(&c.load_shift);
    buf_free(&c.mean), buf_free(&c.var), buf_free(&got), buf_free(&m), buf_free(&v), buf_free(&size);
}

START_TEST(forward)
{
    pithp_rand r = test_rand(20 + (uint64_t)_i);
    for (int64_t i = 0; i < 30; i++)
        check_forward((kind)_i, i, &r);
}
END_TEST

/* ---- Backward --------------------------------------------------------------------------------------------------- */
typedef struct {
    pithp_conv g;
    buf x, w, dy, dz, y, scale, shift, a, b, d, dx, dw, db; /* dx, dw, db: what is added to */
    buf load_scale, load_shift, load_mean, s1, s2;
    pithp_x_src load;
    bool fused, add, want_dx, want_dw, want_db;
    pithp_act act;
} bwd_case;

/* to: dx, dw, dbias, s1, s2 */
static void bwd_on(const bwd_case *c, const pithp_env *e, const buf to[5])
{
    pith_real *dx = to[0].p, *dw = to[1].p, *db = to[2].p;
    bool reduce = c->load.scale && c->want_dx;
    buf scratch = scratch_new(pithp_conv_bwd_scratch(&c->g, e->threads));
    pithp_conv_bwd a = { .g = c->g,
                         .x = c->x.p,
                         .w = c->w.p,
                         .dx = c->want_dx ? dx : NULL,
                         .dx_add = c->add,
                         .dw = c->want_dw ? dw : NULL,
                         .dbias = c->want_db ? db : NULL,
                         .scratch = scratch.p,
                         .load = c->load,
                         .load_mean = c->load_mean.p,
                         .load_s1 = reduce ? to[3].p : NULL,
                         .load_s2 = to[4].p };
    if (c->fused)
        a.src = (pithp_dy_src){ .dz = c->dz.p,
                                .y = c->y.p,
                                .scale = c->scale.p,
                                .shift = c->shift.p,
                                .a = c->a.p,
                                .b = c->b.p,
                                .d = c->d.p,
                                .act = c->act };
    else
        a.src.dy = c->dy.p;
    memcpy(dx, c->dx.p, (size_t)c->dx.n * sizeof *dx);
    memcpy(dw, c->dw.p, (size_t)c->dw.n * sizeof *dw);
    memcpy(db, c->db.p, (size_t)c->db.n * sizeof *db);
    memset(to[3].p, 0, (size_t)c->g.c * sizeof *db);
    memset(to[4].p, 0, (size_t)c->g.c * sizeof *db);
    if (e->k)
        pithp_conv_backward(e, &a);
    else
        pithp_ref_conv_backward(&a);
    buf_free(&scratch);
}

/* The sizes of the sums' terms. Where dy is computed, its own terms may cancel, so they count one by one. */
static void bwd_sizes(const bwd_case *c, const buf size[5])
{
    bwd_case s = *c;
    s.x = seen(&c->x, &c->load, c->g.c), s.load.scale = NULL, s.w = buf_copy(&c->w, true),
    s.dy = buf_copy(&c->dy, true), s.fused = false;
    s.dx = buf_copy(&c->dx, true), s.dw = buf_copy(&c->dw, true), s.db = buf_copy(&c->db, true);
    for (int64_t i = 0; i < s.dy.n && c->fused; i++) {
        int64_t k = i % c->g.k;
        s.dy.p[i] = (pith_real)(fabs((double)c->a.p[k] * (double)c->dz.p[i]) * 1.2 + fabs((double)c->d.p[k]) +
                                fabs((double)c->b.p[k] * (double)c->y.p[i]));
    }
    bwd_on(&s, &(pithp_env){ .threads = 1 }, size);
    for (int64_t i = 0; i < c->x.n; i++) { /* an activation's gradient may reach 1.1 */
        int64_t j = i % c->g.c;
        double v = 1.2 * (double)size[0].p[i];
        size[3].p[j] += (pith_real)v;
        size[4].p[j] += (pith_real)(v * fabs((double)c->x.p[i] - (double)c->load_mean.p[j]));
    }
    buf_free(&s.x), buf_free(&s.w), buf_free(&s.dy), buf_free(&s.dx), buf_free(&s.dw), buf_free(&s.db);
}

#define OUTS 5

static void sizes_of(const bwd_case *c, int64_t n[OUTS])
{
    n[0] = c->dx.n, n[1] = c->dw.n, n[2] = c->db.n, n[3] = n[4] = c->g.c;
}

static void check_isa(const bwd_case *c, int isa, int64_t key, const buf want[OUTS], const buf size[OUTS])
{
    static const char *const names[OUTS] = { "dx", "dw", "dbias", "s1", "s2" };
    buf one[OUTS], got[OUTS];
    int64_t n[OUTS];
    sizes_of(c, n);
    for (int j = 0; j < OUTS; j++)
        one[j] = buf_new(n[j], 1), got[j] = buf_new(n[j], 1);
    for (size_t t = 0; t < PITHP_LEN(threads_of); t++) {
        pithp_env e = env(isa, threads_of[t]);
        bwd_on(c, &e, t ? got : one);
        for (int j = 0; j < OUTS && t; j++)
            ck_assert_mem_eq(got[j].p, one[j].p, (size_t)n[j] * sizeof *got[j].p);
    }
    for (int j = 0; j < OUTS; j++) {
        same(names[j], pithp_isa_name((pithp_isa)isa), key, one[j].p, want[j].p, size[j].p, n[j], TOL);
        buf_free(&one[j]), buf_free(&got[j]);
    }
}

static void check_backward(kind what, int64_t i, pithp_rand *r)
{
    bwd_case c = { .g = geometry(what, i, r),
                   .fused = i & 1,
                   .add = i & 2,
                   .want_dx = i % 7 != 3,
                   .want_dw = i % 7 != 5,
                   .want_db = i % 3 == 0,
                   .act = (pithp_act)(i % PITHP_ACT_COUNT) };
    const pithp_conv *g = &c.g;
    int64_t ny = g->n * g->p * g->q * g->k;
    c.x = buf_random(g->n * g->h * g->w * g->c, r), c.w = buf_random(weights(g), r);
    c.dy = buf_random(ny, r), c.dz = buf_random(ny, r), c.y = buf_grid(ny, 0.0625, 0, r);
    c.scale = buf_grid(g->k, 0.125, 0, r), c.shift = buf_grid(g->k, 0.5, 0.001953125, r);
    c.a = buf_random(g->k, r), c.b = buf_random(g->k, r), c.d = buf_random(g->k, r);
    c.dx = buf_random(c.x.n, r), c.dw = buf_random(c.w.n, r), c.db = buf_random(g->k, r);
    c.load = load_of(g, i, &c.x, &c.load_scale, &c.load_shift, r);
    c.load_mean = buf_random(g->c, r), c.s1 = buf_random(1, r), c.s2 = buf_random(1, r);
    buf want[OUTS], size[OUTS];
    int64_t n[OUTS];
    sizes_of(&c, n);
    for (int j = 0; j < OUTS; j++)
        want[j] = buf_new(n[j], 0), size[j] = buf_new(n[j], 0);
    bwd_on(&c, &(pithp_env){ .threads = 1 }, want);
    bwd_sizes(&c, size);
    for (int isa = 0; isa <= (int)pithp_isa_best(); isa++)
        check_isa(&c, isa, i + 1000 * what, want, size);
    for (int j = 0; j < OUTS; j++)
        buf_free(&want[j]), buf_free(&size[j]);
    for (buf *b = &c.x; b <= &c.s2; b++)
        buf_free(b);
}

START_TEST(backward)
{
    pithp_rand r = test_rand(40 + (uint64_t)_i);
    for (int64_t i = 0; i < 24; i++)
        check_backward((kind)_i, i, &r);
}
END_TEST

/* dx and dw sample by sample, row by row, all of dy in view. */
static void by_rows(bwd_case *c, const buf to[OUTS])
{
    const pithp_conv *g = &c->g;
    pithp_env e = env(0, 1);
    memcpy(to[1].p, c->dw.p, (size_t)c->dw.n * sizeof *to[1].p);
    for (int64_t s = 0; s < g->n; s++) {
        int64_t at = s * g->p * g->q * g->k, in = g->w * g->c, out = g->q * g->k;
        pith_real *dy = c->dy.p + at;
        if (c->fused)
            e.k->bn_dy(c->dz.p + at, c->y.p + at, c->scale.p, c->shift.p, c->a.p, c->b.p, c->d.p, c->act,
                       g->p * g->q, g->k, dy, false);
        for (int64_t h = 0; h < g->h; h++)
            e.k->dw_row_dx(g, dy, 0, g->p, c->w.p, h, to[0].p + (s * g->h + h) * in, false);
        for (int64_t p = 0; p < g->p; p++)
            e.k->dw_row_dw(g, c->x.p + s * g->h * in, dy + p * out, p, to[1].p);
    }
}

/* x as the products see it, by that instruction set's own kernel. */
static buf loaded(const bwd_case *c, const pithp_kern *k)
{
    buf t = buf_copy(&c->x, false);
    k->affine_act(c->x.p, c->load.scale, c->load.shift, NULL, false, c->load.act, c->x.n / c->g.c, c->g.c,
                  t.p);
    return t;
}

/* Bands of a forward pass that transform x as they load it, beside x transformed as a whole: the same bits. */
static void forward_bands(const bwd_case *c, const pithp_env *e)
{
    const pithp_conv *g = &c->g;
    buf t = loaded(c, e->k), y[2] = { buf_new(c->dy.n, 0), buf_new(c->dy.n, 0) },
        stats[4] = { buf_new(g->k, 0), buf_new(g->k, 0), buf_new(g->k, 0), buf_new(g->k, 0) };
    fwd_case f = { .g = *g, .x = c->x, .w = c->w, .stats = true, .load = c->load };
    fwd_on(&f, e, false, y[0].p, stats[0].p, stats[1].p);
    f.x = t;
    f.load.scale = NULL;
    f.load.shift = NULL;
    fwd_on(&f, e, false, y[1].p, stats[2].p, stats[3].p);
    suite_check(memcmp(y[0].p, y[1].p, (size_t)y[0].n * sizeof *y[0].p) == 0, "%s: other results in bands",
                e->k->isa);
    for (int i = 0; i < 2; i++)
        suite_check(memcmp(stats[i].p, stats[2 + i].p, (size_t)g->k * sizeof *stats[i].p) == 0,
                    "%s: other statistics in bands", e->k->isa);
    for (int i = 0; i < 2; i++)
        buf_free(&y[i]), buf_free(&stats[i]), buf_free(&stats[2 + i]);
    buf_free(&t);
}

/* A sample taller than one band: bands share rows of dy, and of x where it is transformed. */
START_TEST(bands)
{
    pithp_rand r = test_rand(60);
    for (int64_t i = 0; i < 6; i++) {
        bwd_case c = {
            .fused = i & 1, .want_dx = true, .want_dw = true, .want_db = true, .act = PITHP_ACT_RELU6
        };
        /* many samples: several bands of one are then one thread's in a row */
        c.g = (pithp_conv){ .n = i % 3 == 1 ? 2 : 9,
                            .h = 41,
                            .w = 20,
                            .c = 320,
                            .k = 320,
                            .groups = 320,
                            .depthwise = true,
                            .r = 3 + 2 * (i % 2),
                            .s = 3,
                            .stride_h = 1 + i / 2 % 2,
                            .stride_w = 1,
                            .dil_h = 1 + i / 4,
                            .dil_w = 1,
                            .pt = i % 3,
                            .pl = 1 };
        pithp_conv *g = &c.g;
        g->p = outputs(g->h, g->r, g->stride_h, g->dil_h, g->pt + 1), g->q = g->w;
        int64_t ny = g->n * g->p * g->q * g->k;
        c.x = buf_random(g->n * g->h * g->w * g->c, &r), c.w = buf_random(weights(g), &r);
        c.dy = buf_random(ny, &r), c.dz = buf_random(ny, &r), c.y = buf_grid(ny, 0.0625, 0, &r);
        c.scale = buf_grid(g->k, 0.125, 0, &r), c.shift = buf_grid(g->k, 0.5, 0.001953125, &r);
        c.a = buf_random(g->k, &r), c.b = buf_random(g->k, &r), c.d = buf_random(g->k, &r);
        c.dx = buf_random(c.x.n, &r), c.dw = buf_random(c.w.n, &r), c.db = buf_random(g->k, &r);
        c.load_scale = buf_grid(g->c, 0.125, 0, &r), c.load_shift = buf_grid(g->c, 0.5, 0.001953125, &r);
        c.load_mean = buf_random(g->c, &r), c.s1 = buf_random(1, &r), c.s2 = buf_random(1, &r);
        /* the twin is too slow here: row kernels, which the small shapes proved, on whole samples are the measure */
        buf want[OUTS], got[OUTS];
        int64_t n[OUTS];
        sizes_of(&c, n);
        for (int j = 0; j < OUTS; j++)
            want[j] = buf_new(n[j], 0), got[j] = buf_new(n[j], 0);
        bwd_case plain = c;
        if (i % 3 != 1) {
            c.load = (pithp_x_src){ c.load_scale.p, c.load_shift.p, PITHP_ACT_RELU6 };
            plain.x = loaded(&c, pithp_kern_get(0));
        }
        by_rows(&plain, want);
        if (c.load.scale)
            buf_free(&plain.x);
        for (int64_t j = 0; j < n[0] && c.load.scale; j++) /* what is reduced is past the activation */
            want[0].p[j] *= (pith_real)pithp_ref_act_grad(
                PITHP_ACT_RELU6,
                (double)c.load_scale.p[j % g->c] * (double)c.x.p[j] + (double)c.load_shift.p[j % g->c]);
        for (int isa = 0; isa <= (int)pithp_isa_best(); isa++) {
            pithp_env e = env(isa, 1 + isa);
            bwd_on(&c, &e, got);
            if (c.load.scale)
                forward_bands(&c, &e);
            for (int64_t j = 0; j < n[0]; j++)
                suite_check(fabs((double)got[0].p[j] - (double)want[0].p[j]) <=
                                1e-4 * (10 + fabs((double)want[0].p[j])),
                            "dx[%lld]: %g, not %g", (long long)j, (double)got[0].p[j], (double)want[0].p[j]);
            for (int64_t j = 0; j < n[1]; j++)
                suite_check(fabs((double)got[1].p[j] - (double)want[1].p[j]) <=
                                1e-4 * (100 + fabs((double)want[1].p[j])),
                            "dw[%lld]: %g, not %g", (long long)j, (double)got[1].p[j], (double)want[1].p[j]);
        }
        for (int j = 0; j < OUTS; j++)
            buf_free(&want[j]), buf_free(&got[j]);
        for (buf *b = &c.x; b <= &c.s2; b++)
            buf_free(b);
    }
}
END_TEST

START_TEST(scratch_grows) /* a plan made for N samples must do for any n below */
{
    pithp_rand r = test_rand(70);
    for (int64_t i = 0; i < 200; i++) {
        pithp_conv g = geometry((kind)(i % KINDS), i, &r);
        size_t f = 0, b = 0;
        for (g.n = 1; g.n < 200; g.n += 1 + g.n / 7) {
            size_t f1 = pithp_conv_fwd_scratch(&g, 2), b1 = pithp_conv_bwd_scratch(&g, 2);
            suite_check(f1 >= f && b1 >= b, "%lld samples need less", (long long)g.n);
            f = f1, b = b1;
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("convs");
    TCase *t = suite_case(s, "convs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, forward, 0, KINDS);
    tcase_add_loop_test(t, backward, 0, KINDS);
    tcase_add_test(t, bands);
    tcase_add_test(t, scratch_grows);
    return suite_run("convs", s);
}
