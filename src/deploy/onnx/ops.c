/* deploy/onnx/ops.c: one row an op: how the float graph's ops are said in ONNX. An op without a row is refused by name.
   Source: onnx/docs/Operators.md, operator set 13. */
#include "deploy/fold.h"
#include "deploy/onnx/emit.h"
#include "ops/table.h"

static bool is_nchw(const pithp_onnx_emit *e, const pithp_fstep *s, int i) { return e->nchw[s->in[i]]; }
static const char *result(const pithp_onnx_emit *e, const pithp_fstep *s)
{
    return e->g->values[s->out].name;
}

/* Operand i in the order it has. */
static const char *as_is(pithp_onnx_emit *e, const pithp_fstep *s, int i, pithp_onnx_name buf)
{
    return is_nchw(e, s, i) ? pithp_onnx_nchw(e, s->in[i], buf) : pithp_onnx_plain(e, s->in[i], buf);
}

/* ---- Elementwise ---- */
static void unary(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    pithp_onnx_name x;
    const char *in = as_is(e, s, 0, x);
    pithp_onnx_simple(&e->pb, type, &in, 1, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void relu(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Relu"); }
static void sigmoid(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Sigmoid"); }
static void square_root(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Sqrt"); }
static void exponential(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Exp"); }
static void logarithm(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Log"); }
static void magnitude(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Abs"); }

/* The last dimension of [N,H,W,C] is the second of [N,C,H,W]. */
static void over_last(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    pithp_onnx_name x;
    const char *in = as_is(e, s, 0, x);
    pithp_onnx_node(&e->pb, type, &in, 1, result(e, s));
    pithp_onnx_attr_int(&e->pb, "axis", is_nchw(e, s, 0) ? 1 : -1);
    pithp_onnx_end(&e->pb);
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void softmax(pithp_onnx_emit *e, const pithp_fstep *s) { over_last(e, s, "Softmax"); }
static void log_softmax(pithp_onnx_emit *e, const pithp_fstep *s) { over_last(e, s, "LogSoftmax"); }

/* Constants are stretched to [N,C,H,W] where the other operand is in that order. A value of fewer dimensions that is
   computed is not: then both are read as [N,H,W,C]. */
static void binary(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    bool nchw = is_nchw(e, s, 0) || is_nchw(e, s, 1);
    for (int i = 0; i < 2; i++) {
        const pithp_fvalue *v = &e->g->values[s->in[i]];
        nchw &= v->data ? v->shape.ndim <= 4 : v->shape.ndim == 4;
    }
    pithp_onnx_name a, b, y;
    const char *in[2] = { nchw ? pithp_onnx_nchw(e, s->in[0], a) : pithp_onnx_plain(e, s->in[0], a),
                          nchw ? pithp_onnx_nchw(e, s->in[1], b) : pithp_onnx_plain(e, s->in[1], b) };
    pithp_onnx_simple(&e->pb, type, in, 2, pithp_onnx_raw(e, s, y));
    pithp_onnx_act(e, s, nchw);
}

static void add(pithp_onnx_emit *e, const pithp_fstep *s) { binary(e, s, "Add"); }
static void sub(pithp_onnx_emit *e, const pithp_fstep *s) { binary(e, s, "Sub"); }
static void mul(pithp_onnx_emit *e, const pithp_fstep *s) { binary(e, s, "Mul"); }
static void divide(pithp_onnx_emit *e, const pithp_fstep *s) { binary(e, s, "Div"); }

static void square(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x;
    as_is(e, s, 0, x);
    pithp_onnx_simple(&e->pb, "Mul", (const char *[]){ x, x }, 2, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void silu(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x, y;
    const char *in[2] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "sigmoid", y) };
    pithp_onnx_simple(&e->pb, "Sigmoid", in, 1, y);
    pithp_onnx_simple(&e->pb, "Mul", in, 2, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void tangent(pithp_onnx_emit *e, const pithp_fstep *s) { unary(e, s, "Tanh"); }

static void leaky_relu(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x;
    const char *in = as_is(e, s, 0, x);
    pithp_onnx_node(&e->pb, "LeakyRelu", &in, 1, result(e, s));
    pithp_onnx_attr_real(&e->pb, "alpha", pithp_attr_real(s->node, "slope"));
    pithp_onnx_end(&e->pb);
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void power(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x, p;
    const char *in[2] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "exponent", p) };
    pithp_onnx_real(&e->pb, p, (float)pithp_attr_real(s->node, "exponent"));
    pithp_onnx_simple(&e->pb, "Pow", in, 2, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void hard_sigmoid(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x;
    pithp_onnx_hard_sigmoid(&e->pb, as_is(e, s, 0, x), result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

/* HardSwish is an operator from set 14 on. */
static void hard_swish(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x, y;
    const char *in[2] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "hard_sigmoid", y) };
    pithp_onnx_hard_sigmoid(&e->pb, x, y);
    pithp_onnx_simple(&e->pb, "Mul", in, 2, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void clip_to(pithp_onnx_emit *e, const pithp_fstep *s, double from, double to)
{
    pithp_onnx_name x, lo, hi;
    const char *in[3] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "lowest", lo),
                          pithp_onnx_part(e, s, "highest", hi) };
    pithp_onnx_real(&e->pb, lo, (float)from);
    pithp_onnx_real(&e->pb, hi, (float)to);
    pithp_onnx_simple(&e->pb, "Clip", in, 3, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void relu6(pithp_onnx_emit *e, const pithp_fstep *s) { clip_to(e, s, 0, 6); }
static void clip(pithp_onnx_emit *e, const pithp_fstep *s)
{
    clip_to(e, s, pithp_attr_real(s->node, "lo"), pithp_attr_real(s->node, "hi"));
}

/* factor*x + offset with constants of these shapes, written here. */
static void affine(pithp_onnx_emit *e, const pithp_fstep *s, pith_shape shape, const float *factor,
                   const float *offset)
{
    pithp_onnx_name x, f, o, y;
    const char *first[2] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "factor", f) },
               *second[2] = { pithp_onnx_part(e, s, "scaled", y), pithp_onnx_part(e, s, "offset", o) };
    pithp_onnx_tensor(&e->pb, f, ONNX_FLOAT, shape, factor);
    pithp_onnx_tensor(&e->pb, o, ONNX_FLOAT, shape, offset);
    pithp_onnx_simple(&e->pb, "Mul", first, 2, y);
    pithp_onnx_simple(&e->pb, "Add", second, 2, result(e, s));
    e->nchw[s->out] = is_nchw(e, s, 0);
}

static void scale(pithp_onnx_emit *e, const pithp_fstep *s)
{
    float factor = (float)pithp_attr_real(s->node, "factor"),
          offset = (float)pithp_attr_real(s->node, "offset");
    affine(e, s, PITH_SCALAR, &factor, &offset);
}

/* A batch norm that nothing could take up. */
static void batch_norm(pithp_onnx_emit *e, const pithp_fstep *s)
{
    int64_t c = e->g->values[s->in[1]].shape.d[0];
    float *factor = PITHP_NEW_N(e->pb.c, float, 2 * c);
    if (!factor)
        pithp_pb_fail(&e->pb, PITH_ENOMEM);
    else if (!pithp_bn_affine(e->g, s, factor, factor + c))
        pithp_onnx_refuse(e, s, "its statistics depend on the input");
    else
        affine(e, s, is_nchw(e, s, 0) ? PITH_SHAPE(c, 1, 1) : PITH_SHAPE(c), factor, factor + c);
    pithp_free(e->pb.c, factor);
}

/* ---- Shapes ---- */
/* The number of samples, the first dimension, is copied from the operand. */
static void reshape(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pith_shape y = e->g->values[s->out].shape;
    pithp_onnx_name x, shape;
    int64_t v[PITH_MAX_DIMS];
    if (y.ndim < 1 || y.d[0] != pithp_onnx_shape(e, s, 0).d[0]) {
        pithp_onnx_refuse(e, s, "it mixes samples; the first dimension has to stay");
        return;
    }
    for (int i = 0; i < y.ndim; i++)
        v[i] = i ? y.d[i] : 0;
    const char *in[2] = { pithp_onnx_plain(e, s->in[0], x), pithp_onnx_part(e, s, "shape", shape) };
    pithp_onnx_ints(&e->pb, shape, v, y.ndim);
    pithp_onnx_simple(&e->pb, "Reshape", in, 2, result(e, s));
}

static void transpose(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pith_shape perm = pithp_attr_shape(s->node, "perm");
    pithp_onnx_name x;
    const char *in = pithp_onnx_plain(e, s->in[0], x);
    pithp_onnx_node(&e->pb, "Transpose", &in, 1, result(e, s));
    pithp_onnx_attr_ints(&e->pb, "perm", perm.d, perm.ndim);
    pithp_onnx_end(&e->pb);
}

static void pad(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pith_shape before = pithp_attr_shape(s->node, "before"), after = pithp_attr_shape(s->node, "after");
    bool nchw = is_nchw(e, s, 0);
    pithp_onnx_name x, pads, value;
    int64_t v[2 * PITH_MAX_DIMS];
    for (int i = 0; i < before.ndim; i++) {
        v[pithp_onnx_axis(i, nchw)] = before.d[i];
        v[before.ndim + pithp_onnx_axis(i, nchw)] = after.d[i];
    }
    const char *in[3] = { as_is(e, s, 0, x), pithp_onnx_part(e, s, "pads", pads),
                          pithp_onnx_part(e, s, "value", value) };
    pithp_onnx_ints(&e->pb, pads, v, 2 * before.ndim);
    pithp_onnx_real(&e->pb, value, (float)pithp_attr_real(s->node, "value"));
    pithp_onnx_simple(&e->pb, "Pad", in, 3, result(e, s));
    e->nchw[s->out] = nchw;
}

static void concat(pithp_onnx_emit *e, const pithp_fstep *s)
{
    int ndim = e->g->values[s->out].shape.ndim, axis = (int)pithp_attr_int(s->node, "axis");
    bool nchw = ndim == 4;
    pithp_onnx_name x[PITH_OP_MAX_IN];
    const char *in[PITH_OP_MAX_IN];
    for (int i = 0; i < s->n_in; i++)
        in[i] = nchw ? pithp_onnx_nchw(e, s->in[i], x[i]) : pithp_onnx_plain(e, s->in[i], x[i]);
    pithp_onnx_node(&e->pb, "Concat", in, s->n_in, result(e, s));
    pithp_onnx_attr_int(&e->pb, "axis", pithp_onnx_axis(axis < 0 ? axis + ndim : axis, nchw));
    pithp_onnx_end(&e->pb);
    e->nchw[s->out] = nchw;
}

/* ---- Reductions ---- */
/* Without its reduced dimensions, [N,C,H,W] is in the order of [N,H,W,C] only if C is gone, or H and W are. */
static bool order_lost(uint32_t axes) { return !(axes >> 3 & 1) && (axes & 6) != 6; }

static void reduce(pithp_onnx_emit *e, const pithp_fstep *s, const char *type, uint32_t axes, bool keep)
{
    int ndim = pithp_onnx_shape(e, s, 0).ndim, n = 0;
    axes = axes ? axes : (1u << ndim) - 1;
    bool nchw = is_nchw(e, s, 0) && (keep || !order_lost(axes)), sum = type[6] == 'S';
    pithp_onnx_name x, name;
    int64_t v[PITH_MAX_DIMS];
    for (int i = 0; i < ndim; i++)
        if (axes >> i & 1)
            v[n++] = pithp_onnx_axis(i, nchw);
    const char *in[2] = { nchw ? pithp_onnx_nchw(e, s->in[0], x) : pithp_onnx_plain(e, s->in[0], x),
                          pithp_onnx_part(e, s, "axes", name) };
    if (sum) /* its axes became an operand in set 13, those of the others in 18 */
        pithp_onnx_ints(&e->pb, name, v, n);
    pithp_onnx_node(&e->pb, type, in, sum ? 2 : 1, result(e, s));
    if (!sum)
        pithp_onnx_attr_ints(&e->pb, "axes", v, n);
    pithp_onnx_attr_int(&e->pb, "keepdims", keep);
    pithp_onnx_end(&e->pb);
    e->nchw[s->out] = nchw && keep;
}

static void reduce_axes(pithp_onnx_emit *e, const pithp_fstep *s, const char *type)
{
    reduce(e, s, type, (uint32_t)pithp_attr_int(s->node, "axes"), pithp_attr_int(s->node, "keep") != 0);
}

static void mean(pithp_onnx_emit *e, const pithp_fstep *s) { reduce_axes(e, s, "ReduceMean"); }
static void sum(pithp_onnx_emit *e, const pithp_fstep *s) { reduce_axes(e, s, "ReduceSum"); }
static void greatest(pithp_onnx_emit *e, const pithp_fstep *s) { reduce_axes(e, s, "ReduceMax"); }
static void global_avgpool(pithp_onnx_emit *e, const pithp_fstep *s) { reduce(e, s, "ReduceMean", 6, false); }

/* ---- Products ---- */
static void dense(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name x[3], y;
    const char *in[3];
    int n = s->n_in > 2 && s->in[2] >= 0 ? 3 : 2;
    for (int i = 0; i < n; i++)
        in[i] = pithp_onnx_plain(e, s->in[i], x[i]);
    pithp_onnx_node(&e->pb, "Gemm", in, n, pithp_onnx_raw(e, s, y));
    pithp_onnx_attr_int(&e->pb, "transB", 1);
    pithp_onnx_end(&e->pb);
    pithp_onnx_act(e, s, false);
}

static void matmul(pithp_onnx_emit *e, const pithp_fstep *s)
{
    pithp_onnx_name a, b;
    const char *in[2] = { pithp_onnx_plain(e, s->in[0], a), pithp_onnx_plain(e, s->in[1], b) };
    pithp_onnx_simple(&e->pb, "MatMul", in, 2, result(e, s));
}

const pithp_onnx_row pithp_onnx_rows[] = {
    { &pithp_op_abs, magnitude },
    { &pithp_op_add, add },
    { &pithp_op_avgpool, pithp_onnx_avgpool },
    { &pithp_op_batch_norm, batch_norm },
    { &pithp_op_clip, clip },
    { &pithp_op_concat, concat },
    { &pithp_op_conv2d, pithp_onnx_conv },
    { &pithp_op_dense, dense },
    { &pithp_op_depthwise_conv2d, pithp_onnx_conv },
    { &pithp_op_div, divide },
    { &pithp_op_exp, exponential },
    { &pithp_op_global_avgpool, global_avgpool },
    { &pithp_op_log, logarithm },
    { &pithp_op_pow, power },
    { &pithp_op_leaky_relu, leaky_relu },
    { &pithp_op_hard_sigmoid, hard_sigmoid },
    { &pithp_op_hard_swish, hard_swish },
    { &pithp_op_tanh, tangent },
    { &pithp_op_log_softmax, log_softmax },
    { &pithp_op_matmul, matmul },
    { &pithp_op_max, greatest },
    { &pithp_op_maxpool, pithp_onnx_maxpool },
    { &pithp_op_mean, mean },
    { &pithp_op_mul, mul },
    { &pithp_op_pad, pad },
    { &pithp_op_relu, relu },
    { &pithp_op_relu6, relu6 },
    { &pithp_op_reshape, reshape },
    { &pithp_op_scale, scale },
    { &pithp_op_sigmoid, sigmoid },
    { &pithp_op_silu, silu },
    { &pithp_op_softmax, softmax },
    { &pithp_op_sqrt, square_root },
    { &pithp_op_square, square },
    { &pithp_op_sub, sub },
    { &pithp_op_sum, sum },
    { &pithp_op_transpose, transpose },
};
const size_t pithp_onnx_rows_n = PITHP_LEN(pithp_onnx_rows);
