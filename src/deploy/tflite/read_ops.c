/* deploy/tflite/read_ops.c: the walk over the ops, and their options. */
#include "deploy/tflite/read_ops.h"

/* ---- The walk -------------------------------------------------------------------------------------------------------*/
static pith_status read_op(pithp_tfl_file *f, const pithp_tfl_node *n, const pithp_tfl_row *row, void *reader)
{
    pithp_tfl_view out;
    if (n->n_in < row->min_in || n->n_in > row->max_in)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has %d operands; expected %d to %d", n->n_in,
                                    row->min_in, row->max_in);
    for (int i = 0; i < n->n_in; i++)
        if (pithp_tfl_input(n, i) < 0 && i < row->min_in)
            return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has no operand %d (tensor -1), which it needs",
                                        i);
    if (n->options_type != row->options && n->options_type != TFL_OPT_NONE)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has options of kind %d; expected kind %d",
                                    n->options_type, row->options);
    pith_status s = pithp_tfl_view_get(f, n->out, &out);
    return s ? s : row->read(reader, n, &out);
}

pith_status pithp_tfl_walk_op(pithp_tfl_file *f, size_t i, const pithp_tfl_row *rows, size_t n_rows,
                              const char *what, void *reader)
{
    pithp_tfl_node n;
    pith_status s = pithp_tfl_node_get(f, i, &n);
    if (s)
        return s;
    const pithp_tfl_row *row = NULL;
    for (size_t k = 0; k < n_rows && !row; k++)
        row = rows[k].code == n.code ? &rows[k] : NULL;
    if (!row)
        return pithp_tfl_node_error(f, &n, PITH_EINVAL, "there is no such op here among those of %s", what);
    return read_op(f, &n, row, reader);
}

pith_status pithp_tfl_walk(pithp_tfl_file *f, const pithp_tfl_row *rows, size_t n_rows, const char *what,
                           void *reader)
{
    pith_status s = PITH_OK;
    for (size_t i = 0; i < f->ops.n && !s; i++)
        s = pithp_tfl_walk_op(f, i, rows, n_rows, what, reader);
    return s;
}

/* ---- Options --------------------------------------------------------------------------------------------------------*/
const pithp_tfl_look_fields pithp_tfl_conv_fields = { 1, 2, 4, 5, -1, -1, 3 },
                            pithp_tfl_depthwise_fields = { 1, 2, 5, 6, -1, -1, 4 },
                            pithp_tfl_pool_fields = { 1, 2, -1, -1, 3, 4, 5 };

enum { MOST_STEP = 1 << 15 }; /* strides, dilations, windows */

static pith_status step(pithp_tfl_file *f, const pithp_tfl_node *n, const char *what, int field, int64_t dflt,
                        int64_t *to)
{
    *to = field < 0 ? 1 : pithp_fbr_int(n->options, field, 4, dflt);
    if (*to >= 1 && *to <= MOST_STEP)
        return PITH_OK;
    return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has a %s of %lld; expected 1 to %d", what,
                                (long long)*to, MOST_STEP);
}

/* SAME: ceil(size / stride) results, the smaller half of the zeroes before. */
static void same_pad(int64_t size, const pithp_tfl_look *l, int i, int64_t *pad)
{
    int64_t out = (size + l->stride[i] - 1) / l->stride[i];
    int64_t total = (out - 1) * l->stride[i] + (l->kernel[i] - 1) * l->dilation[i] + 1 - size;
    total = PITHP_MAX(total, 0);
    pad[0] = total / 2;
    pad[1] = total - total / 2;
}

pith_status pithp_tfl_look_get(pithp_tfl_file *f, const pithp_tfl_node *n,
                               const pithp_tfl_look_fields *fields, const pith_shape *x,
                               const int64_t *kernel, pithp_tfl_look *l)
{
    *l = (pithp_tfl_look){ 0 };
    unsigned padding = pithp_fbr_u8(n->options, 0, TFL_SAME);
    pith_status s = step(f, n, "row stride", fields->stride_h, 0, &l->stride[0]);
    if (!s)
        s = step(f, n, "column stride", fields->stride_w, 0, &l->stride[1]);
    if (!s)
        s = step(f, n, "row dilation", fields->dilation_h, 1, &l->dilation[0]);
    if (!s)
        s = step(f, n, "column dilation", fields->dilation_w, 1, &l->dilation[1]);
    if (!s && !kernel)
        s = step(f, n, "window height", fields->kernel_h, 0, &l->kernel[0]);
    if (!s && !kernel)
        s = step(f, n, "window width", fields->kernel_w, 0, &l->kernel[1]);
    if (!s)
        s = pithp_tfl_act_get(f, n, fields->act, &l->act);
    if (s)
        return s;
    if (padding > TFL_VALID)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has a padding of kind %u; expected SAME or VALID",
                                    padding);
    for (int i = 0; i < 2 && kernel; i++)
        l->kernel[i] = kernel[i];
    l->same = padding == TFL_SAME;
    for (int i = 0; i < 2 && l->same; i++)
        same_pad(x->d[1 + i], l, i, &l->pad[2 * i]);
    return PITH_OK;
}

pith_status pithp_tfl_act_get(pithp_tfl_file *f, const pithp_tfl_node *n, int field, int *act)
{
    *act = (int)pithp_fbr_u8(n->options, field, TFL_ACT_NONE);
    if (f->b.fault)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT, "its options are damaged at byte %zu: a table %s",
                                    f->b.where, f->b.fault);
    return *act <= TFL_ACT_RELU6 ? PITH_OK
                                 : pithp_tfl_node_error(f, n, PITH_EINVAL,
                                                        "has the fused activation %d; expected none, ReLU, "
                                                        "ReLU6 or ReLU -1 to 1",
                                                        *act);
}

pith_status pithp_tfl_ints_get(pithp_tfl_file *f, const pithp_tfl_node *n, int i, int64_t *to, int most,
                               int *count)
{
    pithp_tfl_view v;
    pith_status s = pithp_tfl_view_get(f, pithp_tfl_input(n, i), &v);
    if (s)
        return s;
    if (!v.data || (v.type != TFL_INT32 && v.type != TFL_INT64) || v.count > most)
        return pithp_tfl_node_error(
            f, n, PITH_EINVAL, "operand %d ('%.80s') is no constant of at most %d integers", i, v.name, most);
    *count = (int)v.count;
    for (int k = 0; k < *count; k++)
        to[k] = v.type == TFL_INT32 ? (int32_t)pithp_fbr_le32((const uint8_t *)v.data + 4 * k)
                                    : pithp_fbr_le64((const uint8_t *)v.data + 8 * k);
    return PITH_OK;
}

pith_status pithp_tfl_axis_get(pithp_tfl_file *f, const pithp_tfl_node *n, int64_t axis, int ndim, int *to)
{
    if (axis < -ndim || axis >= ndim)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT, "has the axis %lld; expected %d to %d",
                                    (long long)axis, -ndim, ndim - 1);
    *to = (int)(axis < 0 ? axis + ndim : axis);
    return PITH_OK;
}

pith_status pithp_tfl_paddings_get(pithp_tfl_file *f, const pithp_tfl_node *n, int ndim,
                                   int64_t to[2 * PITH_MAX_DIMS])
{
    int count = 0;
    pith_status s = pithp_tfl_ints_get(f, n, 1, to, 2 * ndim, &count);
    if (s)
        return s;
    if (count != 2 * ndim)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT,
                                    "has %d paddings; expected %d, two for each dimension", count, 2 * ndim);
    for (int i = 0; i < count; i++)
        if (to[i] < 0 || to[i] > 1 << 20 || (i < 2 && to[i]))
            return pithp_tfl_node_error(
                f, n, PITH_EFORMAT, "has a padding of %lld at index %d; expected 0 to 2^20, and 0 of samples",
                (long long)to[i], i);
    return PITH_OK;
}

pith_status pithp_tfl_axes_get(pithp_tfl_file *f, const pithp_tfl_node *n, int ndim, uint32_t *axes)
{
    int64_t list[PITH_MAX_DIMS];
    int count = 0, axis = 0;
    pith_status s = pithp_tfl_ints_get(f, n, 1, list, PITH_MAX_DIMS, &count);
    *axes = 0;
    for (int i = 0; i < count && !s; i++)
        if (!(s = pithp_tfl_axis_get(f, n, list[i], ndim, &axis)))
            *axes |= 1u << axis;
    return s;
}
