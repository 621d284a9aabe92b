/* tests/op_samples_move.c: samples of the ops that only move elements. */
#include "op_sample.h"
#include <math.h>

static bool moved(const op_case *k, int i, int64_t to, int64_t from, double *y, double *terms)
{
    y[to] = (double)op_val(k, i)[from];
    terms[to] = fabs(y[to]);
    return true;
}

/* ---- reshape ---- */
static pith_tensor *reshape_build(op_case *k)
{
    pith_shape s = op_shape(k, 2, 4);
    pith_tensor *x = op_input(k, 0, s, -2, 2, true);
    switch (k->index % 6) {
    case 0: return pith_flatten(x);
    case 1: return pith_reshape(x, PITH_SHAPE(-1));
    case 2: return pith_reshape(x, PITH_SHAPE(0, 1, -1));
    case 3: return pith_reshape(x, PITH_SHAPE(s.d[0] * s.d[1], -1, 1));
    case 4: return pith_reshape(pith_reshape(x, PITH_SHAPE(-1, s.d[s.ndim - 1])), s);
    default: return pith_relu(pith_flatten(pith_reshape(pith_square(x), PITH_SHAPE(1, -1, s.d[0]))));
    }
}
static bool reshape_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        moved(k, 0, i, i, y, terms);
        if (k->index % 6 == 5)
            y[i] *= y[i], terms[i] = y[i];
    }
    return true;
}
static pith_tensor *reshape_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    pith_shape huge = PITH_SHAPE(INT64_C(1) << 40, INT64_C(1) << 40), wild = PITH_SHAPE(6);
    wild.ndim = 99;
    switch (i) {
    case 0: return pith_reshape(x, PITH_SHAPE(4, 2));
    case 1: return pith_reshape(x, PITH_SHAPE(-1, -1));
    case 2: return pith_reshape(x, PITH_SHAPE(4, -1));
    case 3: return pith_reshape(x, PITH_SHAPE(3, 2, 0));
    case 4: return pith_reshape(x, PITH_SHAPE(-2, 3));
    case 5: return pith_reshape(x, huge);
    default: return pith_reshape(x, wild);
    }
}
const op_sample op_sample_reshape = {
    .name = "reshape", .build = reshape_build, .twin = reshape_twin, .bads = 7, .bad = reshape_bad
};

/* ---- transpose ---- */
static pith_tensor *transpose_build(op_case *k)
{
    pith_shape s = op_shape(k, 1, 5);
    int perm[PITH_MAX_DIMS];
    for (int i = 0; i < s.ndim; i++) {
        int j = (int)op_int(k, 0, i);
        perm[i] = perm[j];
        perm[j] = i;
    }
    bool reverse = k->index % 4 == 0;
    for (int i = 0; i < s.ndim; i++)
        k->n[i] = reverse ? s.ndim - 1 - i : perm[i];
    return pith_transpose(op_input(k, 0, s, -2, 2, true), reverse ? NULL : perm);
}
static bool transpose_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape x = op_in_shape(k, 0), out = pith_shape_of(k->out);
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        int64_t idx[PITH_MAX_DIMS], at = i, from = 0;
        for (int j = out.ndim - 1; j >= 0; j--) {
            idx[k->n[j]] = at % out.d[j];
            at /= out.d[j];
        }
        for (int j = 0; j < x.ndim; j++)
            from = from * x.d[j] + idx[j];
        moved(k, 0, i, from, y, terms);
    }
    return true;
}
static pith_tensor *transpose_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    return pith_transpose(x, i == 0 ? (int[]){ 0, 0 } : i == 1 ? (int[]){ 0, 2 } : (int[]){ -1, 0 });
}
const op_sample op_sample_transpose = {
    .name = "transpose", .build = transpose_build, .twin = transpose_twin, .bads = 3, .bad = transpose_bad
};

/* ---- pad ---- */
static pith_tensor *pad_build(op_case *k)
{
    pith_shape s = op_shape(k, 1, 4);
    int before[PITH_MAX_DIMS], after[PITH_MAX_DIMS];
    for (int i = 0; i < s.ndim; i++) {
        k->n[i] = before[i] = (int)op_int(k, 0, 3);
        after[i] = k->index % 5 ? (int)op_int(k, 0, 3) : 0;
    }
    k->f[0] = k->index % 2 ? op_real(k, -1, 1) : 0;
    return pith_pad(op_input(k, 0, s, -2, 2, true), before, k->index % 5 ? after : NULL, k->f[0]);
}
static bool pad_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape x = op_in_shape(k, 0), out = pith_shape_of(k->out);
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        y[i] = (double)(pith_real)k->f[0];
        terms[i] = fabs(y[i]);
        int64_t at = i, from = 0, step = 1;
        bool inside = true;
        for (int j = out.ndim - 1; j >= 0; j--) {
            int64_t idx = at % out.d[j] - k->n[j];
            at /= out.d[j];
            inside = inside && idx >= 0 && idx < x.d[j];
            from += idx * step;
            step *= x.d[j];
        }
        if (inside)
            moved(k, 0, i, from, y, terms);
    }
    return true;
}
static pith_tensor *pad_bad(op_case *k, int i)
{
    pith_tensor *x = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    pith_tensor *huge = op_input(k, 1, PITH_SHAPE(1, 1, 1, 1, 1, 1), -1, 1, true);
    const int much[] = { 2000000000, 2000000000, 2000000000, 2000000000, 2000000000, 2000000000 };
    return i == 0   ? pith_pad(x, (int[]){ -1, 0 }, NULL, 0)
           : i == 1 ? pith_pad(x, NULL, (int[]){ 0, -3 }, 0)
                    : pith_pad(huge, much, much, 0);
}
const op_sample op_sample_pad = {
    .name = "pad", .build = pad_build, .twin = pad_twin, .bads = 3, .bad = pad_bad
};

/* ---- concat: n[0] operands along n[1] ---- */
static pith_tensor *concat_build(op_case *k)
{
    pith_shape s = op_shape(k, 1, 4);
    pith_tensor *x[PITH_OP_MAX_IN];
    int n = (int)op_int(k, 1, PITH_OP_MAX_IN), axis = (int)op_int(k, 0, s.ndim - 1);
    k->n[0] = n;
    k->n[1] = axis;
    for (int i = 0; i < n; i++) {
        s.d[axis] = op_dim(k, 1, 4, 12);
        x[i] = op_input(k, i, s, -2, 2, true);
    }
    return pith_concat(x, n, k->index % 2 ? axis : axis - s.ndim);
}
static bool concat_twin(const op_case *k, bool train, double *y, double *terms)
{
    (void)train;
    pith_shape out = pith_shape_of(k->out);
    int axis = (int)k->n[1];
    int64_t inner = 1, along = out.d[axis];
    for (int j = axis + 1; j < out.ndim; j++)
        inner *= out.d[j];
    for (int64_t i = 0; i < pith_size(k->out); i++) {
        int64_t rest = i % inner, a = i / inner % along, outer = i / inner / along;
        int which = 0;
        while (a >= op_in_shape(k, which).d[axis])
            a -= op_in_shape(k, which++).d[axis];
        moved(k, which, i, (outer * op_in_shape(k, which).d[axis] + a) * inner + rest, y, terms);
    }
    return true;
}
static pith_tensor *concat_bad(op_case *k, int i)
{
    pith_tensor *x[PITH_OP_MAX_IN + 1], *a = op_input(k, 0, PITH_SHAPE(2, 3), -1, 1, true);
    pith_tensor *b = op_input(k, 1, i == 3 ? PITH_SHAPE(2, 3, 1) : PITH_SHAPE(3, 3), -1, 1, true);
    for (int j = 0; j <= PITH_OP_MAX_IN; j++)
        x[j] = a;
    x[1] = i < 4 ? b : a;
    return i == 0 ? pith_concat(x, 2, 1)
                  : pith_concat(x, i == 4 ? PITH_OP_MAX_IN + 1 : 2,
                                i == 1   ? 2
                                : i == 2 ? -3
                                         : 0);
}
const op_sample op_sample_concat = {
    .name = "concat", .build = concat_build, .twin = concat_twin, .bads = 5, .bad = concat_bad
};
