/* tests/test_graph_random.c: gradients of random graphs of many ops, in double: values used several times, shared and
   aliased gradients, branches that end. The same graph with every value kept (nothing shares memory) and unfused must
   give the same gradients to the last bits, and both must agree with central differences. */
#include "graph/graph.h"
#include "suite.h"
#include <math.h>
#include <pith/ops.h>
#include <stdlib.h>
#include <string.h>

#define LEAVES 3
#define NODES  14
#define EPS    1e-6

typedef struct {
    pith_ctx *c;
    pithp_rand rng;
    pith_tensor *t[LEAVES + NODES], *loss;
    int n;
} graph;

static int pick(graph *g, int n) { return (int)pithp_rand_below(&g->rng, (uint64_t)n); }
static pith_tensor *any(graph *g) { return g->t[pick(g, 4) ? pick(g, g->n) : g->n - 1]; }

/* Everything is [1 or 2, 3, 2, 4] or has as many elements, so that operands can be brought together. */
static pith_tensor *flat(pith_tensor *x) { return pith_reshape(x, PITH_SHAPE(24)); }

static pith_tensor *binary(graph *g)
{
    pith_tensor *a = flat(any(g)), *b = flat(any(g));
    switch (pick(g, 4)) {
    case 0: return pith_add(a, b);
    case 1: return pith_sub(a, pith_scale(b, 0.5, 0));
    case 2: return pith_mul(a, pith_sigmoid(b));
    default: return pith_div(a, pith_scale(pith_square(b), 1, 1));
    }
}

static pith_tensor *image(graph *g) { return pith_reshape(any(g), PITH_SHAPE(1, 3, 2, 4)); }

static pith_tensor *conv(graph *g)
{
    pith_tensor *x = image(g), *w = pith_reshape(flat(any(g)), PITH_SHAPE(1, 3, 2, 4)), *v[4];
    for (int i = 0; i < 4; i++)
        v[i] = pith_leaf(g->c, PITH_F32, PITH_SHAPE(4), (pith_real[]){ 1, 0.5, 2, 1 });
    pith_tensor *y = pith_depthwise_conv2d(x, w, NULL, (pith_conv2d_cfg){ 0 });
    y = pith_batch_norm(y, v[0], v[1], v[2], v[3], (pith_batch_norm_cfg){ .frozen = true });
    y = pith_activation(y, pick(g, 2) ? PITH_SILU : PITH_LINEAR);
    return pick(g, 2) ? pith_add(pick(g, 2) ? x : image(g), y) : y;
}

static pith_tensor *node(graph *g)
{
    pith_tensor *x = any(g), *y;
    switch (pick(g, 12)) {
    case 0:
    case 1: return binary(g);
    case 2: return pith_sigmoid(x);
    case 3: return pith_silu(x);
    case 4: return pith_transpose(x, NULL);
    case 5: return conv(g);
    case 6: return pith_softmax(image(g));
    case 7: return pith_mul(image(g), pith_mean_axes(image(g), 6, true));
    case 8: return pith_dropout(x, 0.25);
    case 9: return pith_reshape(pith_flatten(image(g)), PITH_SHAPE(2, 3, 4));
    case 10:
        y = pith_reshape(any(g), PITH_SHAPE(2, 12));
        return pith_dense(y, pith_matmul(pith_reshape(x, PITH_SHAPE(12, 2)), y), NULL);
    default:
        y = pith_concat((pith_tensor *[]){ image(g), image(g) }, 2, pick(g, 4));
        return pith_mean_axes(pith_reshape(y, PITH_SHAPE(2, 24)), 1, false);
    }
}

static void make(graph *g, int seed, bool keep)
{
    *g = (graph){ .c = pith_ctx_new((pith_ctx_cfg){ .seed = 1, .threads = 1 }) };
    g->rng = pithp_rand_at(99, 0, (uint64_t)seed, PITHP_USE_OTHER);
    for (; g->n < LEAVES; g->n++) {
        pith_real *v;
        g->t[g->n] = pith_param(g->c, PITH_SHAPE(2, 3, 1, 4));
        v = pith_values(g->t[g->n]);
        for (int i = 0; i < 24; i++)
            v[i] = 2 * pithp_rand_uniform(&g->rng) - 1;
    }
    for (; g->n < LEAVES + NODES; g->n++) {
        pith_tensor *t = node(g);
        g->t[g->n] = t;
    }
    g->loss = pith_sum(pith_mul(flat(g->t[g->n - 1]), flat(any(g))));
    for (int i = LEAVES; i < g->n && keep; i++)
        pith_keep(g->t[i]);
    ck_assert_msg(pith_ctx_status(g->c) == PITH_OK, "graph %d: %s", seed, pith_error_text(g->c));
}

static double loss_at(graph *g, pith_plan *p)
{
    suite_check(pith_plan_forward(p, 0, 1) == PITH_OK, "%s", pith_error_text(g->c));
    return *(const double *)pith_plan_value(p, g->loss);
}

static pith_plan *gradients(graph *g, bool no_fuse, double grads[LEAVES][24])
{
    pith_plan *p = pith_plan_new(&g->loss, 1, (pith_plan_cfg){ .train = true, .no_fuse = no_fuse });
    ck_assert_msg(p != NULL, "%s", pith_error_text(g->c));
    pith_zero_grad(g->c);
    loss_at(g, p);
    ck_assert_int_eq(pith_plan_backward(p), PITH_OK);
    for (int i = 0; i < LEAVES; i++)
        memcpy(grads[i], pith_grad(g->t[i]), sizeof grads[i]);
    return p;
}

START_TEST(random_graphs)
{
    for (int seed = _i * 50; seed < _i * 50 + 50; seed++) {
        graph g, kept;
        double a[LEAVES][24], b[LEAVES][24], c[LEAVES][24];
        make(&g, seed, false);
        make(&kept, seed, true);
        pith_plan *p = gradients(&g, false, a);
        gradients(&kept, true, b);
        gradients(&g, true, c);
        for (int i = 0; i < LEAVES; i++)
            for (int j = 0; j < 24; j++) {
                double *x = (double *)pith_values(g.t[i]) + j, x0 = *x;
                suite_check(fabs(a[i][j] - b[i][j]) <= 1e-12 * (1 + fabs(b[i][j])) &&
                                fabs(a[i][j] - c[i][j]) <= 1e-12 * (1 + fabs(c[i][j])),
                            "graph %d: leaf %d[%d] %.17g, kept %.17g, unfused %.17g", seed, i, j, a[i][j],
                            b[i][j], c[i][j]);
                if (j % 5)
                    continue;
                *x = x0 + EPS;
                double up = loss_at(&g, p);
                *x = x0 - EPS;
                double want = (up - loss_at(&g, p)) / (2 * EPS);
                *x = x0;
                suite_check(fabs(a[i][j] - want) <= 1e-7 + 1e-5 * fabs(want),
                            "graph %d: leaf %d[%d] %.10g, differences %.10g", seed, i, j, a[i][j], want);
            }
        pith_ctx_free(g.c);
        pith_ctx_free(kept.c);
    }
}
END_TEST

int main(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ .threads = 1 }); /* holds the BLAS library open */
    Suite *s = suite_create("graph_random");
    tcase_add_loop_test(suite_case(s, "graphs"), random_graphs, 0, 8);
    int status = suite_run("graph_random", s);
    pith_ctx_free(c);
    return status;
}
