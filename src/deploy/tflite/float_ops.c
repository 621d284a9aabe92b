/* deploy/tflite/float_ops.c: one row an op: how the float graph's ops are said in TFLite. An op without a row is refused by
   name. Versions as op_version.cc has them for float32. */
#include "deploy/fold.h"
#include "deploy/tflite/float_emit.h"
#include "ops/table.h"

static int version_by_dims(const pithp_tfl_emit *e, const pithp_fstep *s, int most, int then)
{
    return pithp_tfl_shape(e, s, 0).ndim > most ? then : 1;
}

/* ---- Elementwise ---- */
static void unary(pithp_tfl_emit *e, const pithp_fstep *s, int builtin, int options)
{
    int x = pithp_tfl_in(e, s, 0);
    pithp_tfl_put(e, builtin, 1, &x, 1, pithp_tfl_out(e, s), options, NULL, 0);
}

static void relu(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_RELU, TFL_OPT_NONE); }
static void relu6(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_RELU6, TFL_OPT_NONE); }
static void sigmoid(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_LOGISTIC, TFL_OPT_NONE); }
static void square(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_SQUARE, TFL_OPT_SQUARE); }
static void square_root(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_SQRT, TFL_OPT_NONE); }
static void exponential(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_EXP, TFL_OPT_EXP); }
static void logarithm(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_LOG, TFL_OPT_NONE); }
static void magnitude(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_ABS, TFL_OPT_ABS); }
static void tangent(pithp_tfl_emit *e, const pithp_fstep *s) { unary(e, s, TFL_TANH, TFL_OPT_NONE); }
static void hard_swish(pithp_tfl_emit *e, const pithp_fstep *s)
{
    unary(e, s, TFL_HARD_SWISH, TFL_OPT_HARD_SWISH);
}
static void log_softmax(pithp_tfl_emit *e, const pithp_fstep *s)
{
    unary(e, s, TFL_LOG_SOFTMAX, TFL_OPT_LOG_SOFTMAX);
}

static void softmax(pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pithp_tfl_option o[] = { { .field = 0, .kind = PITHP_TFL_FLOAT, .f = 1 } }; /* beta */
    int x = pithp_tfl_in(e, s, 0);
    pithp_tfl_put(e, TFL_SOFTMAX, 1, &x, 1, pithp_tfl_out(e, s), TFL_OPT_SOFTMAX, o, PITHP_LEN(o));
}

static void leaky_relu(pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pithp_tfl_option o[] = {
        { .field = 0, .kind = PITHP_TFL_FLOAT, .f = (float)pithp_attr_real(s->node, "slope") }
    };
    int x = pithp_tfl_in(e, s, 0);
    pithp_tfl_put(e, TFL_LEAKY_RELU, 1, &x, 1, pithp_tfl_out(e, s), TFL_OPT_LEAKY_RELU, o, PITHP_LEN(o));
}

static void power(pithp_tfl_emit *e, const pithp_fstep *s)
{
    int in[2] = { pithp_tfl_in(e, s, 0),
                  pithp_tfl_real(e, s, "exponent", (float)pithp_attr_real(s->node, "exponent")) };
    pithp_tfl_put(e, TFL_POW, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_POW, NULL, 0);
}

/* min(max(x + 3, 0), 6) times a sixth */
static void hard_sigmoid(pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pithp_tfl_option o[] = { { .field = 0, .kind = PITHP_TFL_BYTE, .i = TFL_ACT_RELU6 } };
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_real(e, s, "three", 3) };
    int between = pithp_tfl_between(e, s, "to_six", pithp_tfl_shape(e, s, 0));
    pithp_tfl_put(e, TFL_ADD, 1, in, 2, between, TFL_OPT_ADD, o, PITHP_LEN(o));
    in[0] = between;
    in[1] = pithp_tfl_real(e, s, "sixth", 1.0f / 6);
    pithp_tfl_put(e, TFL_MUL, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_MUL, NULL, 0);
}

static void binary(pithp_tfl_emit *e, const pithp_fstep *s, int builtin, int options)
{
    const pithp_tfl_option o[] = { { .field = 0, .kind = PITHP_TFL_BYTE, .i = pithp_tfl_act(s->act) } };
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_in(e, s, 1) };
    pithp_tfl_put(e, builtin, 1, in, 2, pithp_tfl_out(e, s), options, o, PITHP_LEN(o));
}

static void add(pithp_tfl_emit *e, const pithp_fstep *s) { binary(e, s, TFL_ADD, TFL_OPT_ADD); }
static void sub(pithp_tfl_emit *e, const pithp_fstep *s) { binary(e, s, TFL_SUB, TFL_OPT_SUB); }
static void mul(pithp_tfl_emit *e, const pithp_fstep *s) { binary(e, s, TFL_MUL, TFL_OPT_MUL); }
static void divide(pithp_tfl_emit *e, const pithp_fstep *s) { binary(e, s, TFL_DIV, TFL_OPT_DIV); }

/* x sigmoid(x): LOGISTIC, then MUL */
static void silu(pithp_tfl_emit *e, const pithp_fstep *s)
{
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_between(e, s, "sigmoid", pithp_tfl_shape(e, s, 0)) };
    pithp_tfl_put(e, TFL_LOGISTIC, 1, in, 1, in[1], TFL_OPT_NONE, NULL, 0);
    pithp_tfl_put(e, TFL_MUL, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_MUL, NULL, 0);
}

/* Two ops with a scalar each, the second on the first's result. */
static void scalars(pithp_tfl_emit *e, const pithp_fstep *s, const int builtin[2], const int options[2],
                    const char *const name[2], const double value[2])
{
    int version = version_by_dims(e, s, 4, builtin[0] == TFL_MAXIMUM ? 3 : 1);
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_real(e, s, name[0], (float)value[0]) };
    int between = pithp_tfl_between(e, s, "between", pithp_tfl_shape(e, s, 0));
    pithp_tfl_put(e, builtin[0], version, in, 2, between, options[0], NULL, 0);
    in[0] = between;
    in[1] = pithp_tfl_real(e, s, name[1], (float)value[1]);
    pithp_tfl_put(e, builtin[1], version, in, 2, pithp_tfl_out(e, s), options[1], NULL, 0);
}

static void clip(pithp_tfl_emit *e, const pithp_fstep *s)
{
    scalars(e, s, (int[]){ TFL_MAXIMUM, TFL_MINIMUM },
            (int[]){ TFL_OPT_MAXIMUM_MINIMUM, TFL_OPT_MAXIMUM_MINIMUM },
            (const char *[]){ "lowest", "highest" },
            (double[]){ pithp_attr_real(s->node, "lo"), pithp_attr_real(s->node, "hi") });
}

static void scale(pithp_tfl_emit *e, const pithp_fstep *s)
{
    scalars(e, s, (int[]){ TFL_MUL, TFL_ADD }, (int[]){ TFL_OPT_MUL, TFL_OPT_ADD },
            (const char *[]){ "factor", "offset" },
            (double[]){ pithp_attr_real(s->node, "factor"), pithp_attr_real(s->node, "offset") });
}

/* A batch norm that nothing could take up: MUL and ADD by a vector each. */
static void batch_norm(pithp_tfl_emit *e, const pithp_fstep *s)
{
    int64_t c = pithp_count(e->g->values[s->in[1]].shape);
    float *factor = PITHP_NEW_N(e->w.c, float, 2 * c), *offset = factor ? factor + c : NULL;
    if (!factor || !pithp_bn_affine(e->g, s, factor, offset)) {
        if (factor)
            pithp_tfl_refuse(e, s, "its statistics depend on the input");
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
        pithp_free(e->w.c, factor);
        return;
    }
    char *names[2] = { pithp_sprintf(e->w.c, "%s/factor", e->g->values[s->out].name),
                       pithp_sprintf(e->w.c, "%s/offset", e->g->values[s->out].name) };
    int between = pithp_tfl_between(e, s, "scaled", pithp_tfl_shape(e, s, 0)), x = pithp_tfl_in(e, s, 0);
    for (int i = 0; i < 2 && names[0] && names[1]; i++) {
        int in[2] = { x, pithp_tfl_add_tensor(&e->w, &(pithp_tfl_tensor){ .name = names[i],
                                                                          .type = TFL_FLOAT32,
                                                                          .shape = PITH_SHAPE(c),
                                                                          .data = i ? offset : factor }) };
        pithp_tfl_put(e, i ? TFL_ADD : TFL_MUL, 1, in, 2, i ? pithp_tfl_out(e, s) : between,
                      i ? TFL_OPT_ADD : TFL_OPT_MUL, NULL, 0);
        x = between;
    }
    if (!names[0] || !names[1])
        pithp_tfl_fail(&e->w, PITH_ENOMEM);
    pithp_free(e->w.c, names[0]);
    pithp_free(e->w.c, names[1]);
    pithp_free(e->w.c, factor);
}

/* ---- Shapes ---- */
static void reshape(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pith_shape y = e->g->values[s->out].shape;
    int32_t v[PITH_MAX_DIMS];
    for (int i = 0; i < y.ndim; i++)
        v[i] = (int32_t)y.d[i];
    if (y.ndim == 0) {
        pithp_tfl_refuse(e, s, "its result has no dimensions");
        return;
    }
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_ints(e, s, "shape", PITH_SHAPE(y.ndim), v) };
    pithp_tfl_put(e, TFL_RESHAPE, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_NONE, NULL, 0);
}

static void transpose(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pith_shape perm = pithp_attr_shape(s->node, "perm");
    int32_t v[PITH_MAX_DIMS];
    for (int i = 0; i < perm.ndim; i++)
        v[i] = (int32_t)perm.d[i];
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_ints(e, s, "permutation", PITH_SHAPE(perm.ndim), v) };
    pithp_tfl_put(e, TFL_TRANSPOSE,
                  perm.ndim > 5   ? 6
                  : perm.ndim > 4 ? 4
                                  : 1,
                  in, 2, pithp_tfl_out(e, s), TFL_OPT_TRANSPOSE, NULL, 0);
}

static void pad(pithp_tfl_emit *e, const pithp_fstep *s)
{
    pith_shape before = pithp_attr_shape(s->node, "before"), after = pithp_attr_shape(s->node, "after");
    int32_t v[2 * PITH_MAX_DIMS];
    for (int i = 0; i < before.ndim; i++) {
        v[2 * i] = (int32_t)before.d[i];
        v[2 * i + 1] = (int32_t)after.d[i];
    }
    int in[3] = { pithp_tfl_in(e, s, 0), pithp_tfl_ints(e, s, "paddings", PITH_SHAPE(before.ndim, 2), v) },
        n = 2;
    double value = pithp_attr_real(s->node, "value");
    if (value != 0)
        in[n++] = pithp_tfl_real(e, s, "padding_value", (float)value);
    pithp_tfl_put(e, n == 2 ? TFL_PAD : TFL_PADV2, version_by_dims(e, s, 4, 4), in, n, pithp_tfl_out(e, s),
                  n == 2 ? TFL_OPT_PAD : TFL_OPT_PADV2, NULL, 0);
}

static void concat(pithp_tfl_emit *e, const pithp_fstep *s)
{
    const pithp_tfl_option o[] = {
        { .field = 0, .kind = PITHP_TFL_INT, .i = (int32_t)pithp_attr_int(s->node, "axis") }
    };
    int in[PITH_OP_MAX_IN];
    for (int i = 0; i < s->n_in; i++)
        in[i] = pithp_tfl_in(e, s, i);
    pithp_tfl_put(e, TFL_CONCATENATION, 1, in, s->n_in, pithp_tfl_out(e, s), TFL_OPT_CONCATENATION, o,
                  PITHP_LEN(o));
}

/* ---- Sums over dimensions, products ---- */
static void reduce(pithp_tfl_emit *e, const pithp_fstep *s, int builtin, uint32_t axes, bool keep)
{
    const pithp_tfl_option o[] = { { .field = 0, .kind = PITHP_TFL_BYTE, .i = keep } };
    int32_t v[PITH_MAX_DIMS];
    int n = 0, ndim = pithp_tfl_shape(e, s, 0).ndim;
    for (int i = 0; i < ndim; i++)
        if (!axes || (axes >> i & 1))
            v[n++] = i;
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_ints(e, s, "axes", PITH_SHAPE(n), v) };
    pithp_tfl_put(e, builtin, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_REDUCER, o, PITHP_LEN(o));
}

static void reduce_axes(pithp_tfl_emit *e, const pithp_fstep *s, int builtin)
{
    reduce(e, s, builtin, (uint32_t)pithp_attr_int(s->node, "axes"), pithp_attr_int(s->node, "keep") != 0);
}

static void mean(pithp_tfl_emit *e, const pithp_fstep *s) { reduce_axes(e, s, TFL_MEAN); }
static void sum(pithp_tfl_emit *e, const pithp_fstep *s) { reduce_axes(e, s, TFL_SUM); }
static void greatest(pithp_tfl_emit *e, const pithp_fstep *s) { reduce_axes(e, s, TFL_REDUCE_MAX); }
static void global_avgpool(pithp_tfl_emit *e, const pithp_fstep *s)
{
    reduce(e, s, TFL_MEAN, 1u << 1 | 1u << 2, false);
}

static void matmul(pithp_tfl_emit *e, const pithp_fstep *s)
{
    int in[2] = { pithp_tfl_in(e, s, 0), pithp_tfl_in(e, s, 1) };
    pithp_tfl_put(e, TFL_BATCH_MATMUL, 1, in, 2, pithp_tfl_out(e, s), TFL_OPT_BATCH_MATMUL, NULL, 0);
}

const pithp_tfl_row pithp_tfl_rows[] = { { &pithp_op_abs, magnitude },
                                         { &pithp_op_add, add },
                                         { &pithp_op_avgpool, pithp_tfl_avgpool },
                                         { &pithp_op_batch_norm, batch_norm },
                                         { &pithp_op_clip, clip },
                                         { &pithp_op_concat, concat },
                                         { &pithp_op_conv2d, pithp_tfl_conv },
                                         { &pithp_op_dense, pithp_tfl_dense },
                                         { &pithp_op_depthwise_conv2d, pithp_tfl_depthwise },
                                         { &pithp_op_div, divide },
                                         { &pithp_op_dynamic_quant, pithp_tfl_dynamic_quant },
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
                                         { &pithp_op_maxpool, pithp_tfl_maxpool },
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
                                         { &pithp_op_transpose, transpose } };
const size_t pithp_tfl_rows_n = PITHP_LEN(pithp_tfl_rows);
