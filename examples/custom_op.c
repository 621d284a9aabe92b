/* custom_op: an op of one's own, with its gradient, from outside the library. Here: mish(x) = x tanh(log(1 + e^x)). */
#include <math.h>
#include <pith/pith.h>
#include <stdio.h>

/* What the op looks like: a result of the operand's shape. All checks belong here; the two below cannot fail. */
static bool mish_shape(pith_infer *q)
{
    if (q->in_dtype[0] != PITH_F32)
        return pith_op_fail(q, "a float tensor is expected");
    q->out = q->in[0];
    q->out_dtype = PITH_F32;
    return true;
}

static int64_t count(const pith_val *v)
{
    int64_t n = 1;
    for (int i = 0; i < v->shape.ndim; i++)
        n *= v->shape.d[i];
    return n;
}

static void mish_forward(const pith_call *k)
{
    const pith_real *x = k->in[0].data;
    pith_real *y = k->out.data;
    for (int64_t i = 0; i < count(&k->out); i++)
        y[i] = (pith_real)(x[i] * tanh(log1p(exp(x[i]))));
}

/* dx = dy f'(x), with t = tanh(log(1 + e^x)) and s = sigmoid(x): f' = t + x s (1 - t^2). */
static void mish_backward(const pith_call *k)
{
    const pith_real *x = k->in[0].data, *dy = k->out.grad;
    pith_real *dx = k->in[0].grad;
    for (int64_t i = 0; i < count(&k->out); i++) {
        double t = tanh(log1p(exp(x[i]))), s = 1 / (1 + exp(-x[i]));
        double d = dy[i] * (t + x[i] * s * (1 - t * t));
        dx[i] = (pith_real)(k->in[0].grad_add ? dx[i] + d : d);
    }
}

static const pith_op mish = { .name = "mish",
                              .min_in = 1,
                              .max_in = 1,
                              .shape = mish_shape,
                              .forward = mish_forward,
                              .backward = mish_backward,
                              .reads = PITH_READS_IN(0) };

int main(void)
{
    pith_ctx *c = pith_ctx_new((pith_ctx_cfg){ 0 });
    if (c == NULL)
        return 1;
    pith_op_register(c, &mish); /* only needed to load model files that use it */

    const pith_real values[] = { -2, -1, 0, 1, 2 };
    pith_tensor *x = pith_leaf(c, PITH_F32, PITH_SHAPE(5), values);
    pith_require_grad(x);
    pith_tensor *y = pith_keep(pith_op_apply(&mish, NULL, "mish", 1, &x));
    if (pith_backward(pith_sum(y)) != PITH_OK) {
        fprintf(stderr, "%s\n", pith_error_text(c));
        pith_ctx_free(c);
        return 1;
    }
    const pith_real *v = pith_values(y), *g = pith_grad(x);
    double worst = 0;
    for (int i = 0; i < 5; i++) {
        double e = 1e-4, a = values[i] + e, b = values[i] - e;
        double slope = (a * tanh(log1p(exp(a))) - b * tanh(log1p(exp(b)))) / (2 * e);
        printf("x %5.1f  mish %8.5f  gradient %8.5f  by differences %8.5f\n", (double)values[i], (double)v[i],
               (double)g[i], slope);
        worst = fmax(worst, fabs(slope - (double)g[i]));
    }
    pith_ctx_free(c);
    return worst < 1e-4 ? 0 : 1;
}
