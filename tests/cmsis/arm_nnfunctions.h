/* tests/cmsis/arm_nnfunctions.h: a stand-in for Arm's CMSIS-NN (github.com/ARM-software/CMSIS-NN, Include/arm_nnfunctions.h): the
   functions that exported source calls, by their documented meaning, one number after the other, written from that alone.
   CMSIS_NN_FLAGS="-I... libcmsis-nn.a" gives tests/test_export_c the library itself. */
#ifndef ARM_NNFUNCTIONS_H
#define ARM_NNFUNCTIONS_H

#include <stdint.h>

typedef enum { ARM_CMSIS_NN_SUCCESS = 0, ARM_CMSIS_NN_ARG_ERROR = -1 } arm_cmsis_nn_status;
typedef struct {
    void *buf;
    int32_t size;
} cmsis_nn_context;
typedef struct {
    int32_t n, h, w, c;
} cmsis_nn_dims;
typedef struct {
    int32_t w, h;
} cmsis_nn_tile;
typedef struct {
    int32_t min, max;
} cmsis_nn_activation;
typedef struct {
    int32_t *multiplier, *shift;
} cmsis_nn_per_channel_quant_params;
typedef struct {
    int32_t input_offset, output_offset;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_conv_params;
typedef struct {
    int32_t input_offset, output_offset, ch_mult;
    cmsis_nn_tile stride, padding, dilation;
    cmsis_nn_activation activation;
} cmsis_nn_dw_conv_params;
typedef struct {
    int32_t input_offset, filter_offset, output_offset;
    cmsis_nn_activation activation;
} cmsis_nn_fc_params;

/* Upper half of the doubled product, rounded; then a division by a power of two, halves away from zero. */
static inline int32_t stand_in_scale(int32_t x, int32_t mult, int32_t shift)
{
    int64_t wide = shift > 0 ? (int64_t)x * ((int64_t)1 << shift) : x;
    int64_t a = (wide * mult + ((int64_t)1 << 30)) >> 31, half;
    if (shift >= 0)
        return (int32_t)a;
    half = (int64_t)1 << (-shift - 1);
    return (int32_t)(a >= 0 ? (a + half) >> -shift : -((-a + half) >> -shift));
}

static inline int8_t stand_in_end(int64_t x, cmsis_nn_activation a)
{
    return (int8_t)(x < a.min ? a.min : x > a.max ? a.max : x);
}

/* One sum of a window: the input's channels from c0, `count` of them; weights lie `step` apart from tap to tap. */
static inline int32_t stand_in_sum(const cmsis_nn_dims *x, const cmsis_nn_dims *w, cmsis_nn_tile stride,
                                   cmsis_nn_tile pad, cmsis_nn_tile dilation, int32_t offset, const int8_t *in,
                                   const int8_t *weights, int32_t p, int32_t q, int32_t c0, int32_t count,
                                   int32_t step)
{
    int32_t r, s, c, sum = 0;
    for (r = 0; r < w->h; r++)
        for (s = 0; s < w->w; s++) {
            const int32_t i = p * stride.h - pad.h + r * dilation.h, j = q * stride.w - pad.w + s * dilation.w;
            if (i < 0 || i >= x->h || j < 0 || j >= x->w)
                continue;
            for (c = 0; c < count; c++)
                sum += (in[(i * x->w + j) * x->c + c0 + c] + offset) * weights[(r * w->w + s) * step + c];
        }
    return sum;
}

static inline int32_t arm_convolve_wrapper_s8_get_buffer_size(const cmsis_nn_conv_params *v,
                                                              const cmsis_nn_dims *x, const cmsis_nn_dims *w,
                                                              const cmsis_nn_dims *y)
{
    (void)v, (void)y;
    return 4 * ((x->c * w->w * w->h + 15) / 16) * 16;
}

static inline arm_cmsis_nn_status
arm_convolve_wrapper_s8(const cmsis_nn_context *ctx, const cmsis_nn_conv_params *v,
                        const cmsis_nn_per_channel_quant_params *quant, const cmsis_nn_dims *x, const int8_t *in,
                        const cmsis_nn_dims *w, const int8_t *weights, const cmsis_nn_dims *b, const int32_t *bias,
                        const cmsis_nn_dims *y, int8_t *out)
{
    int32_t p, q, k, i;
    for (i = 0; i < ctx->size; i++) /* as the library does, it writes where it may */
        ((int8_t *)ctx->buf)[i] = 85;
    if (x->c != w->c || w->n != y->c || b->c != y->c)
        return ARM_CMSIS_NN_ARG_ERROR;
    for (p = 0; p < y->h; p++)
        for (q = 0; q < y->w; q++)
            for (k = 0; k < y->c; k++) {
                const int32_t sum = stand_in_sum(x, w, v->stride, v->padding, v->dilation, v->input_offset, in,
                                                 weights + k * w->h * w->w * w->c, p, q, 0, x->c, x->c) +
                                    bias[k];
                *out++ = stand_in_end((int64_t)stand_in_scale(sum, quant->multiplier[k], quant->shift[k]) +
                                          v->output_offset,
                                      v->activation);
            }
    return ARM_CMSIS_NN_SUCCESS;
}

static inline int32_t arm_depthwise_conv_wrapper_s8_get_buffer_size(const cmsis_nn_dw_conv_params *v,
                                                                    const cmsis_nn_dims *x,
                                                                    const cmsis_nn_dims *w,
                                                                    const cmsis_nn_dims *y)
{
    (void)v, (void)x, (void)y;
    return 4 * 124 * w->w * w->h;
}

static inline arm_cmsis_nn_status
arm_depthwise_conv_wrapper_s8(const cmsis_nn_context *ctx, const cmsis_nn_dw_conv_params *v,
                              const cmsis_nn_per_channel_quant_params *quant, const cmsis_nn_dims *x,
                              const int8_t *in, const cmsis_nn_dims *w, const int8_t *weights,
                              const cmsis_nn_dims *b, const int32_t *bias, const cmsis_nn_dims *y, int8_t *out)
{
    int32_t p, q, k, i;
    for (i = 0; i < ctx->size; i++)
        ((int8_t *)ctx->buf)[i] = 85;
    if (w->c != y->c || x->c * v->ch_mult != y->c || b->c != y->c)
        return ARM_CMSIS_NN_ARG_ERROR;
    for (p = 0; p < y->h; p++)
        for (q = 0; q < y->w; q++)
            for (k = 0; k < y->c; k++) {
                const int32_t sum = stand_in_sum(x, w, v->stride, v->padding, v->dilation, v->input_offset, in,
                                                 weights + k, p, q, k / v->ch_mult, 1, w->c) +
                                    bias[k];
                *out++ = stand_in_end((int64_t)stand_in_scale(sum, quant->multiplier[k], quant->shift[k]) +
                                          v->output_offset,
                                      v->activation);
            }
    return ARM_CMSIS_NN_SUCCESS;
}

/* As its vector kernels have it: biases and the zero point's share come from the context. */
static inline int32_t arm_fully_connected_s8_get_buffer_size(const cmsis_nn_dims *w)
{
    return w->c * (int32_t)sizeof(int32_t);
}

static inline arm_cmsis_nn_status arm_vector_sum_s8(int32_t *to, int32_t columns, int32_t rows, const int8_t *w,
                                                    int32_t offset, int32_t other, const int32_t *bias)
{
    int32_t k, i;
    for (k = 0; k < rows; k++) {
        to[k] = other ? 0 : bias[k];
        for (i = 0; i < columns; i++)
            to[k] += offset * w[k * columns + i];
    }
    return ARM_CMSIS_NN_SUCCESS;
}

static inline arm_cmsis_nn_status
arm_fully_connected_per_channel_s8(const cmsis_nn_context *ctx, const cmsis_nn_fc_params *v,
                                   const cmsis_nn_per_channel_quant_params *quant, const cmsis_nn_dims *x,
                                   const int8_t *in, const cmsis_nn_dims *w, const int8_t *weights,
                                   const cmsis_nn_dims *b, const int32_t *bias, const cmsis_nn_dims *y,
                                   int8_t *out)
{
    int32_t k, i;
    (void)bias;
    if (x->c != w->n || w->c != y->c || b->c != y->c)
        return ARM_CMSIS_NN_ARG_ERROR;
    for (k = 0; k < y->c; k++) {
        int32_t sum = ((const int32_t *)ctx->buf)[k];
        for (i = 0; i < w->n; i++)
            sum += in[i] * weights[k * w->n + i];
        *out++ = stand_in_end(
            (int64_t)stand_in_scale(sum, quant->multiplier[k], quant->shift[k]) + v->output_offset, v->activation);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

static inline arm_cmsis_nn_status arm_elementwise_add_s8(const int8_t *a, const int8_t *b, int32_t offset_a,
                                                         int32_t mult_a, int32_t shift_a, int32_t offset_b,
                                                         int32_t mult_b, int32_t shift_b, int32_t left, int8_t *y,
                                                         int32_t offset, int32_t mult, int32_t shift, int32_t lo,
                                                         int32_t hi, int32_t n)
{
    cmsis_nn_activation act;
    act.min = lo, act.max = hi;
    while (n-- > 0) {
        const int32_t p = stand_in_scale((*a++ + offset_a) * (1 << left), mult_a, shift_a),
                      q = stand_in_scale((*b++ + offset_b) * (1 << left), mult_b, shift_b);
        *y++ = stand_in_end((int64_t)stand_in_scale(p + q, mult, shift) + offset, act);
    }
    return ARM_CMSIS_NN_SUCCESS;
}

static inline arm_cmsis_nn_status arm_elementwise_mul_s8(const int8_t *a, const int8_t *b, int32_t offset_a,
                                                         int32_t offset_b, int8_t *y, int32_t offset, int32_t mult,
                                                         int32_t shift, int32_t lo, int32_t hi, int32_t n)
{
    cmsis_nn_activation act;
    act.min = lo, act.max = hi;
    while (n-- > 0)
        *y++ = stand_in_end(
            (int64_t)stand_in_scale((*a++ + offset_a) * (*b++ + offset_b), mult, shift) + offset, act);
    return ARM_CMSIS_NN_SUCCESS;
}

#endif
