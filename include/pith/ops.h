/* pith/ops.h: builders of all ops. Each records one node; shapes are checked at once.
   Common to all: operands belong to one graph; the result is the graph's; a failing builder records PITH_ESHAPE or
   PITH_EINVAL and returns the poison tensor. Tensors are float32 unless said otherwise. N H W C: samples, rows,
   columns, channels; K output channels or classes; R S kernel rows, columns; P Q output rows, columns.
   Since 0.1 all. */
#ifndef PITH_OPS_H
#define PITH_OPS_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What lies around an input. PITH_SYMMETRIC (convolutions only): dilation * (kernel - 1) / 2 zeros on every side, as
   PyTorch's networks pad; it is recorded as PITH_EXPLICIT with those numbers, or as PITH_SAME where that comes to the same. */
typedef enum { PITH_SAME = 0, PITH_VALID, PITH_EXPLICIT, PITH_SYMMETRIC } pith_pad_mode;
typedef enum {
    PITH_LINEAR = 0,
    PITH_RELU,
    PITH_RELU6,
    PITH_SILU,
    PITH_SIGMOID,
    PITH_HARD_SWISH,
    PITH_HARD_SIGMOID,
    PITH_TANH
} pith_act;

/* Convolution's settings. Zero: kernel 1x1, stride 1, dilation 1, groups 1, padding SAME as TensorFlow defines it
   (P = ceil(H / stride), the odd row or column below and right). PITH_EXPLICIT uses pad[]. */
typedef struct {
    int64_t out;          /* K; used by pith_nn_* only (the op takes it from the weights) */
    int kernel, kernel_w; /* R, S; S = R when 0; used by pith_nn_* only */
    int stride, stride_w;
    int dilation, dilation_w;
    int64_t groups;
    pith_pad_mode pad_mode;
    int pad[4];                 /* top, bottom, left, right */
    bool bias;                  /* pith_nn_* only */
    double bn_momentum, bn_eps; /* pith_nn_* with a batch norm only: see pith_batch_norm_cfg */
} pith_conv2d_cfg;

/* y[n,p,q,k] = sum x[n, p*sh+r*dh-pt, q*sw+s*dw-pl, c] w[k,r,s,c] (+ b[k]); c over the group of k.
   x [N,H,W,C], w [K,R,S,C/groups], b [K] or NULL -> [N,P,Q,K].  gradient: x, w, b. */
PITH_API pith_tensor *pith_conv2d(pith_tensor *x, pith_tensor *w, pith_tensor *b, pith_conv2d_cfg cfg);

/* One filter a channel: x [N,H,W,C], w [1,R,S,C], b [C] or NULL -> [N,P,Q,C]. gradient: x, w, b. */
PITH_API pith_tensor *pith_depthwise_conv2d(pith_tensor *x, pith_tensor *w, pith_tensor *b,
                                            pith_conv2d_cfg cfg);

/* y = x w^T + b: x [N,in], w [out,in], b [out] or NULL -> [N,out]. gradient: x, w, b. */
PITH_API pith_tensor *pith_dense(pith_tensor *x, pith_tensor *w, pith_tensor *b);

/* a [M,K] x b [K,N] -> [M,N]. gradient: a, b. */
PITH_API pith_tensor *pith_matmul(pith_tensor *a, pith_tensor *b);

/* Batch normalisation over all dimensions but the last (Ioffe and Szegedy 2015).
   y = gamma (x - mean)/sqrt(var + eps) + beta, with the batch's statistics (biased variance) in a training plan, the
   running ones otherwise or when frozen. A training run moves running = (1-momentum)*running + momentum*batch, the
   variance unbiased, as PyTorch does. gamma, beta, running_mean, running_var [C]. momentum 0: 0.1; eps 0: 1e-3.
   gradient: x, gamma, beta. */
typedef struct {
    double momentum, eps;
    bool frozen;
} pith_batch_norm_cfg;
PITH_API pith_tensor *pith_batch_norm(pith_tensor *x, pith_tensor *gamma, pith_tensor *beta,
                                      pith_tensor *running_mean, pith_tensor *running_var,
                                      pith_batch_norm_cfg cfg);

/* Elementwise, any shape. The gradient at a kink is 0 for relu at 0 and relu6 at 0 and 6; of abs at 0 it is 0; clip's
   is 1 on lo <= x <= hi. log and sqrt of what they do not take give NaN, as IEEE 754 has it. */
PITH_API pith_tensor *pith_relu(pith_tensor *x);
PITH_API pith_tensor *pith_relu6(pith_tensor *x);
PITH_API pith_tensor *pith_silu(pith_tensor *x); /* x sigmoid(x) */
PITH_API pith_tensor *pith_sigmoid(pith_tensor *x);
PITH_API pith_tensor *
pith_hard_sigmoid(pith_tensor *x); /* min(max(x + 3, 0), 6) / 6; gradient 1/6 on -3 < x < 3 */
PITH_API pith_tensor *
pith_hard_swish(pith_tensor *x); /* x hard_sigmoid(x) (Howard et al. 2019); gradient x/3 + 1/2 on
                                                            -3 <= x <= 3, 1 above */
PITH_API pith_tensor *pith_leaky_relu(pith_tensor *x, double slope); /* x where x > 0, else slope x */
PITH_API pith_tensor *pith_tanh(pith_tensor *x);
PITH_API pith_tensor *pith_pow(pith_tensor *x, double exponent); /* x^exponent, as C's pow has it; gradient
                                                                    exponent x^(exponent-1), 0 for exponent 0 */
PITH_API pith_tensor *pith_square(pith_tensor *x);
PITH_API pith_tensor *pith_sqrt(pith_tensor *x);
PITH_API pith_tensor *pith_exp(pith_tensor *x);
PITH_API pith_tensor *pith_log(pith_tensor *x);
PITH_API pith_tensor *pith_abs(pith_tensor *x);
PITH_API pith_tensor *pith_clip(pith_tensor *x, double lo, double hi);
PITH_API pith_tensor *pith_scale(pith_tensor *x, double factor, double offset); /* factor*x + offset */
PITH_API pith_tensor *pith_activation(pith_tensor *x, pith_act act);            /* PITH_LINEAR: x itself */

/* Elementwise on two operands, broadcast as in NumPy: sizes align at the last dimension, 1 stretches.
   gradient: both (summed over what was stretched). */
PITH_API pith_tensor *pith_add(pith_tensor *a, pith_tensor *b);
PITH_API pith_tensor *pith_sub(pith_tensor *a, pith_tensor *b);
PITH_API pith_tensor *pith_mul(pith_tensor *a, pith_tensor *b);
PITH_API pith_tensor *pith_div(pith_tensor *a, pith_tensor *b);

/* Reductions over the dimensions whose bits are set in `axes` (bit 0: the first); axes 0 means all, giving a scalar.
   keep: leave size 1 in their place. max's gradient goes to the first greatest element. */
PITH_API pith_tensor *pith_sum(pith_tensor *x);
PITH_API pith_tensor *pith_mean(pith_tensor *x);
PITH_API pith_tensor *pith_max(pith_tensor *x);
PITH_API pith_tensor *pith_sum_axes(pith_tensor *x, uint32_t axes, bool keep);
PITH_API pith_tensor *pith_mean_axes(pith_tensor *x, uint32_t axes, bool keep);
PITH_API pith_tensor *pith_max_axes(pith_tensor *x, uint32_t axes, bool keep);

/* The same elements in another shape. One size may be -1 (worked out); size 0 copies the operand's (so a first 0 keeps
   the number of samples). No copy is made. */
PITH_API pith_tensor *pith_reshape(pith_tensor *x, pith_shape shape);
PITH_API pith_tensor *pith_flatten(pith_tensor *x);                    /* [N, all the rest] */
PITH_API pith_tensor *pith_transpose(pith_tensor *x, const int *perm); /* perm [ndim]; NULL reverses */

/* Pooling of [N,H,W,C]. Averages divide by the number of cells inside the input. */
typedef struct {
    int kernel, kernel_w, stride, stride_w; /* stride 0: the kernel */
    pith_pad_mode pad_mode;
    int pad[4];
} pith_pool_cfg;
PITH_API pith_tensor *pith_global_avgpool(pith_tensor *x); /* [N,H,W,C] -> [N,C] */
PITH_API pith_tensor *pith_avgpool(pith_tensor *x, pith_pool_cfg cfg);
PITH_API pith_tensor *pith_maxpool(pith_tensor *x, pith_pool_cfg cfg);

/* Zero (or `value`) rows around each dimension: before[ndim], after[ndim]. */
PITH_API pith_tensor *pith_pad(pith_tensor *x, const int *before, const int *after, double value);

/* Joins 1 to 8 tensors along one dimension (negative counts from the last). */
PITH_API pith_tensor *pith_concat(pith_tensor *const *x, int n, int axis);

/* In a training plan each element is dropped with probability p and the others are divided by 1-p; identity else. */
PITH_API pith_tensor *pith_dropout(pith_tensor *x, double p);

/* Stochastic depth (Huang et al. 2016), EfficientNet's drop connect: in a training plan whole samples x[n,...] are
   dropped with probability p and the others are divided by 1-p; identity else. For the branch of a residual sum. */
PITH_API pith_tensor *pith_drop_connect(pith_tensor *x, double p);

/* Over the last dimension. */
PITH_API pith_tensor *pith_softmax(pith_tensor *x);
PITH_API pith_tensor *pith_log_softmax(pith_tensor *x);

/* Mean over the samples of the cross-entropy between softmax(logits) [N,K] and target: class indices (int32 [N]; an
   index that is no class, such as -1, leaves the sample out; with none left the loss is 0) or probabilities (float32
   [N,K]). smoothing s mixes the target with the uniform distribution: (1-s) target + s/K (Szegedy et al. 2016).
   class_weights w [K], or NULL: every term of class k counts w[k] times, and with class indices the sum is divided by the
   sum of the samples' w[label] in place of their number (as PyTorch has it); a negative weight counts as 0.
   gradient: logits (and soft targets: none). */
typedef struct {
    double smoothing;
    pith_tensor *class_weights;
} pith_cross_entropy_cfg;
PITH_API pith_tensor *pith_cross_entropy(pith_tensor *logits, pith_tensor *target,
                                         pith_cross_entropy_cfg cfg);

/* Mean over the samples of T^2 KL(softmax(target/T) || softmax(logits/T)), logits and target float32 [N,K]: the loss of
   distillation, whose gradient keeps its size when T changes. temperature 0: 1.
   gradient: logits. source: Hinton, Vinyals, Dean, arXiv:1503.02531. */
typedef struct {
    double temperature;
} pith_kl_divergence_cfg;
PITH_API pith_tensor *pith_kl_divergence(pith_tensor *logits, pith_tensor *target,
                                         pith_kl_divergence_cfg cfg);

/* The same taken apart: mean over the samples of T^2 (target TCKD + others NCKD), TCKD the divergence of "the class itself or
   another", NCKD that among the other classes alone. logits, teacher float32 [N,K], labels int32 [N] (one that is no class leaves
   its sample out). temperature 0: 1; target 0: 1; others 0: 1 (the paper's best: 1 and up to 8). With two classes NCKD is 0.
   gradient: logits. source: Zhao et al., "Decoupled knowledge distillation", CVPR 2022. Since 0.1. */
typedef struct {
    double temperature, target, others;
} pith_decoupled_kl_cfg;
PITH_API pith_tensor *pith_decoupled_kl(pith_tensor *logits, pith_tensor *teacher, pith_tensor *labels,
                                        pith_decoupled_kl_cfg cfg);

/* Where a layer looks: the mean over the channels of x^2, divided by each sample's length. x [N,H,W,C] -> [N,HW]. pith_mse of two
   such maps is attention transfer. gradient: x. source: Zagoruyko, Komodakis, ICLR 2017. Since 0.1. */
PITH_API pith_tensor *pith_attention_map(pith_tensor *x);

/* How the samples of a batch lie to each other, in the student x [N,D] and in the teacher [N,E]; N at most 2048, E may differ
   from D. All three are scalars. gradient: x.
   distance    mean over all pairs of Huber's loss (bend at 1) of their distances, each over its mean distance
   angle       mean over all triples of Huber's loss of the cosines of their angles; takes N^3 steps
   similarity  mean over all pairs of the squared difference of X X^T, its rows divided by their lengths
   source      Park et al., "Relational knowledge distillation", CVPR 2019 (both); Tung, Mori, ICCV 2019. Since 0.1. */
PITH_API pith_tensor *pith_relation_distance(pith_tensor *x, pith_tensor *teacher);
PITH_API pith_tensor *pith_relation_angle(pith_tensor *x, pith_tensor *teacher);
PITH_API pith_tensor *pith_similarity_preserving(pith_tensor *x, pith_tensor *teacher);

/* Mean of (a-b)^2 over all elements; same shapes. gradient: both. */
PITH_API pith_tensor *pith_mse(pith_tensor *a, pith_tensor *b);

/* Fake quantization: y = S (clamp(round(x/S) + Z, qmin, qmax) - Z), halves rounded away from zero, in float32: the values
   that b-bit integers will have. x any shape; S = scale and Z = zero_point (whole numbers) [1], or [C] with per_channel,
   C the size of dimension `axis`. qmin = -2^(b-1) (+1 if narrow), qmax = 2^(b-1)-1; bits 0: 8. S = 0: y = x.
   A scale that is a parameter stays above zero: optimisers drop the sign it has after a step.
   gradient: x: dy where nothing was clamped, else 0 (straight-through); scale: LSQ's, times 1/sqrt(n qmax), n the elements
   that share a scale (of one sample, if `samples` says that the first dimension counts those).
   source: Jacob et al., CVPR 2018; Esser et al., "Learned step size quantization", ICLR 2020. */
typedef struct {
    int bits;
    bool symmetric; /* Z is 0; says so to later passes */
    bool narrow;
    bool per_channel;
    int axis;
    bool samples;
} pith_fake_quant_cfg;
PITH_API pith_tensor *pith_fake_quant(pith_tensor *x, pith_tensor *scale, pith_tensor *zero_point,
                                      pith_fake_quant_cfg cfg);

/* What a hybrid int8 layer sees of a float input: each sample of x [N,...] quantized to int8 by its own range (0 included,
   asymmetric) and back. gradient: dx = dy. source: TensorFlow Lite's hybrid kernels. Since 0.1. */
PITH_API pith_tensor *pith_dynamic_quant(pith_tensor *x);

/* Weights that share values: w[i] = centroids[index[i]]. centroids [k] with k <= 2^bits (bits 0: 8); index int32 of w's shape, 0
   to k - 1; keep_zero: the centroid at index `zero` gets no gradient, so that pruned weights stay what they are.
   gradient: of a centroid the sum of its weights' gradients; index: none.
   source: Han, Mao, Dally, "Deep compression", ICLR 2016. Since 0.1. */
typedef struct {
    int bits, zero;
    bool keep_zero;
} pith_codebook_weights_cfg;
PITH_API pith_tensor *pith_codebook_weights(pith_tensor *centroids, pith_tensor *index,
                                            pith_codebook_weights_cfg cfg);

/* x, but no gradient passes. */
PITH_API pith_tensor *pith_stop_gradient(pith_tensor *x);

#ifdef __cplusplus
}
#endif
#endif
