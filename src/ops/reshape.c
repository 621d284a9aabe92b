/* ops/reshape.c: the same elements, row-major, in another shape; the result is the operand's memory, and so is the
   gradient. A size 0 copies the operand's of that dimension, one -1 is worked out: so a recorded reshape holds for any
   number of samples. */
#include "ops/channels.h"
#include "ops/common.h"
#include "ops/integer.h"

typedef struct {
    pith_shape shape;
} reshape_attr;

/* Fills in the zeros; the product of the known sizes and the place of -1 (or -1). */
static bool known(pith_infer *q, pith_shape *out, int64_t *product, int *open)
{
    *product = 1;
    *open = -1;
    for (int i = 0; i < out->ndim; i++) {
        int64_t *d = &out->d[i];
        if (*d == 0 && i >= q->in[0].ndim)
            return pith_op_fail(
                q, "size 0 in dimension %d copies the operand's, but that has only %d dimensions", i,
                q->in[0].ndim);
        if (*d == 0)
            *d = q->in[0].d[i];
        if (*d == -1 && *open < 0) {
            *open = i;
            continue;
        }
        if (*d < 1 || *d > INT64_C(1) << 40 || __builtin_mul_overflow(*product, *d, product))
            return pith_op_fail(
                q,
                "size %lld in dimension %d is not possible; expected a size, 0 (copy) or one -1 "
                "(worked out)",
                (long long)*d, i);
    }
    return true;
}

static bool shape(pith_infer *q)
{
    pith_shape out = ((const reshape_attr *)q->attr)->shape;
    int64_t count = pithp_count(q->in[0]), product;
    int open;
    char text[96];
    if (out.ndim < 0 || out.ndim > PITH_MAX_DIMS)
        return pith_op_fail(q, "%d dimensions are not possible; expected 0 to %d", out.ndim, PITH_MAX_DIMS);
    if (!known(q, &out, &product, &open))
        return false;
    if (open >= 0 && count % product == 0) {
        out.d[open] = count / product;
        product = count;
    }
    if (product != count)
        return pith_op_fail(q, "%lld elements do not fit into %s", (long long)count,
                            pithp_shape_text(out, text));
    q->out = out;
    q->out_dtype = q->in_dtype[0];
    return true;
}

static void forward(const pith_call *k) { (void)k; }

/* Only where the gradient's memory could not be shared. */
static void backward(const pith_call *k)
{
    int64_t n = pithp_count(k->out.shape);
    const pith_val *x = &k->in[0];
    if (!x->grad)
        return;
    if (x->grad_add)
        pithp_run_axpy(pithp_call_env(k), 1, k->out.grad, n, x->grad);
    else
        pithp_run_unary(pithp_call_env(k), PITHP_U_SCALE, k->out.grad, n, 1, 0, x->grad);
}

static const pith_attr_field fields[] = {
    { "shape", PITH_ATTR_SHAPE, offsetof(reshape_attr, shape) },
    PITH_ATTR_END,
};

static int lower(pithp_lower *l, const pithp_site *s)
{
    return pithp_lower_plain(l, s, &pithp_qop_reshape, (pithp_qattr){ .shape = s->t->shape });
}

static const pithp_integer integer = { .kind = PITHP_INT_SAME, .lower = lower };

/* ---- Channels ----
   Dimensions of x and y fall into stretches with the same number of elements. Where one dimension stays one, its slices stay
   what they are. Where several become one (flatten) the last of them, whose slice c is every so many-th element of the one,
   may lose slices; likewise backwards. Sizes of 1 say nothing. */
typedef struct {
    int last, n; /* last dimension of more than one element, and how many there are */
} stretch;

static stretch stretch_of(pith_shape s, int from, int to)
{
    stretch r = { -1, 0 };
    for (int i = from; i < to; i++)
        if (s.d[i] > 1) {
            r.last = i;
            r.n++;
        }
    return r;
}

static void tie_stretch(pithp_ties *k, stretch x, stretch y)
{
    if (x.n == 0 || y.n == 0 || (x.n > 1 && y.n > 1))
        return;
    int64_t dx = k->t->in[0]->shape.d[x.last], dy = k->t->shape.d[y.last];
    for (int64_t at = 0; at < dx; at += dy)
        for (int64_t to = 0; to < dy; to += dx)
            k->tie(k, (pithp_slices){ 0, x.last, at }, (pithp_slices){ PITHP_OUT, y.last, to },
                   PITHP_MIN(dx, dy));
}

static void ties(pithp_ties *k)
{
    pith_shape x = k->t->in[0]->shape, y = k->t->shape;
    for (int i = 0, j = 0; i < x.ndim && j < y.ndim;) {
        int from_i = i, from_j = j;
        int64_t nx = x.d[i++], ny = y.d[j++];
        while (nx != ny && (nx < ny ? i < x.ndim : j < y.ndim)) {
            if (nx < ny)
                nx *= x.d[i++];
            else
                ny *= y.d[j++];
        }
        if (nx == ny)
            tie_stretch(k, stretch_of(x, from_i, i), stretch_of(y, from_j, j));
    }
}

static void shrink(const pithp_kept *k, void *attr)
{
    pith_shape *s = &((reshape_attr *)attr)->shape;
    for (int i = 0; i < s->ndim; i++)
        if (s->d[i] > 0)
            s->d[i] = k->count(k, PITHP_OUT, i, 0, k->t->shape.d[i]);
}

static const pithp_channels channels = { .ties = ties, .shrink = shrink };

const pith_op pithp_op_reshape = {
    .name = "reshape",
    .min_in = 1,
    .max_in = 1,
    .by_sample = 1,
    .channels = &channels,
    .attr_size = sizeof(reshape_attr),
    .fields = fields,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .alias = 1,
    .grad_alias = 1,
    .integer = &integer,
};

pith_tensor *pith_reshape(pith_tensor *x, pith_shape shape_)
{
    return pithp_apply1(&pithp_op_reshape, &(reshape_attr){ shape_ }, x);
}

pith_tensor *pith_flatten(pith_tensor *x) { return pith_reshape(x, PITH_SHAPE(0, -1)); }
