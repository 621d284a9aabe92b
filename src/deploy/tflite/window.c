/* deploy/tflite/window.c: padding, and options of convolutions and pools. */
#include "deploy/tflite/window.h"

/* SAME in one dimension: ceil(in / stride) outputs, the smaller half of the zeroes before. */
static bool is_same(pithp_extent x)
{
    int64_t out = (x.in + x.stride - 1) / x.stride,
            pad = PITHP_MAX((out - 1) * x.stride + x.window - x.in, 0);
    return x.out == out && x.lead == pad / 2;
}

static bool is_valid(pithp_extent x)
{
    return x.lead == 0 && x.in >= x.window && x.out == (x.in - x.window) / x.stride + 1;
}

pithp_tfl_padding pithp_tfl_pad_of(pithp_extent rows, pithp_extent columns)
{
    pithp_tfl_padding p = { .padding = TFL_VALID };
    if (is_valid(rows) && is_valid(columns))
        return p;
    if (is_same(rows) && is_same(columns)) {
        p.padding = TFL_SAME;
        return p;
    }
    pithp_extent_amounts(rows, &p.amount[0], &p.amount[1]);
    pithp_extent_amounts(columns, &p.amount[2], &p.amount[3]);
    p.around = p.amount[0] || p.amount[1] || p.amount[2] || p.amount[3];
    return p;
}

static pithp_tfl_option integer(int field, int64_t value, int32_t dflt)
{
    return (
        pithp_tfl_option){ .field = field, .kind = PITHP_TFL_INT, .i = (int32_t)value, .i_default = dflt };
}

static pithp_tfl_option byte(int field, int value)
{
    return (pithp_tfl_option){ .field = field, .kind = PITHP_TFL_BYTE, .i = value };
}

int pithp_tfl_conv_options(const pithp_tfl_window *v, pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS])
{
    o[0] = byte(0, v->padding);
    o[1] = integer(1, v->stride[1], 0);
    o[2] = integer(2, v->stride[0], 0);
    o[3] = byte(3, v->act);
    o[4] = integer(4, v->dilation[1], 1);
    o[5] = integer(5, v->dilation[0], 1);
    return 6;
}

int pithp_tfl_depthwise_options(const pithp_tfl_window *v, int64_t multiplier,
                                pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS])
{
    o[0] = byte(0, v->padding);
    o[1] = integer(1, v->stride[1], 0);
    o[2] = integer(2, v->stride[0], 0);
    o[3] = integer(3, multiplier, 0);
    o[4] = byte(4, v->act);
    o[5] = integer(5, v->dilation[1], 1);
    o[6] = integer(6, v->dilation[0], 1);
    return 7;
}

int pithp_tfl_pool_options(const pithp_tfl_window *v, pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS])
{
    o[0] = byte(0, v->padding);
    o[1] = integer(1, v->stride[1], 0);
    o[2] = integer(2, v->stride[0], 0);
    o[3] = integer(3, v->kernel[1], 0);
    o[4] = integer(4, v->kernel[0], 0);
    o[5] = byte(5, v->act);
    return 6;
}
