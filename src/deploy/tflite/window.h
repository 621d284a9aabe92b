/* deploy/tflite/window.h: what the float and the integer exporter share: how padding is said, and the options of ops that
   slide a window.  Numbers of fields: Conv2DOptions, DepthwiseConv2DOptions, Pool2DOptions in schema.fbs. */
#ifndef PITHP_TFLITE_WINDOW_H
#define PITHP_TFLITE_WINDOW_H

#include "deploy/tflite/writer.h"
#include "deploy/windows.h"

/* How windows over [N,H,W,C] are padded: TensorFlow's SAME or VALID, or rows of zeroes put around first and VALID. */
typedef struct {
    int padding;       /* TFL_SAME, TFL_VALID */
    bool around;       /* rows and columns are needed: */
    int64_t amount[4]; /* top, bottom, left, right */
} pithp_tfl_padding;

pithp_tfl_padding pithp_tfl_pad_of(pithp_extent rows, pithp_extent columns);

typedef struct {
    int padding, act;                          /* TFL_SAME, ..., TFL_ACT_* */
    int64_t stride[2], dilation[2], kernel[2]; /* rows, columns */
} pithp_tfl_window;

enum { PITHP_TFL_MOST_OPTIONS = 8 };

/* Each returns how many options there are. */
int pithp_tfl_conv_options(const pithp_tfl_window *v, pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS]);
int pithp_tfl_depthwise_options(const pithp_tfl_window *v, int64_t multiplier,
                                pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS]);
int pithp_tfl_pool_options(const pithp_tfl_window *v, pithp_tfl_option o[PITHP_TFL_MOST_OPTIONS]);

#endif
