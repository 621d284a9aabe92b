/* ops/fake_quant.h: the ops of quantization-aware training, and what else reads a fake_quant node's numbers: the passes
   that insert it, the lowering, and fused steps. */
#ifndef PITHP_OPS_FAKE_QUANT_H
#define PITHP_OPS_FAKE_QUANT_H

#include "ops/conv.h"
#include "ops/norm.h"

/* Where the scale comes from. */
typedef enum {
    PITHP_FQ_FIXED = 0, /* it is given */
    PITHP_FQ_OBSERVE,   /* a training run keeps a moving average of x's range */
    PITHP_FQ_FOLLOW     /* a training run takes the range of x as it is (weights) */
} pithp_fq_mode;

typedef struct {
    int bits, mode;
    bool symmetric; /* zero point 0 */
    bool narrow;    /* -qmax..qmax */
    int axis;       /* of the channels; -1: one scale for all */
    bool samples;   /* the first dimension counts samples */
    double momentum;
    int64_t start,
        freeze; /* in training runs: x passes until `start`; the range stays from `freeze` on (0: never) */
} pithp_fq_attr;

enum { PITHP_FQ_X, PITHP_FQ_SCALE, PITHP_FQ_ZERO, PITHP_FQ_SEEN, PITHP_FQ_IN };

/* Elements of the state `seen`: least and greatest value (moving averages), and the number of training runs. */
enum { PITHP_SEEN_LO, PITHP_SEEN_HI, PITHP_SEEN_RUNS, PITHP_SEEN };

static inline int pithp_fq_qmax(const pithp_fq_attr *a) { return (1 << (a->bits - 1)) - 1; }
static inline int pithp_fq_qmin(const pithp_fq_attr *a) { return -(1 << (a->bits - 1)) + a->narrow; }

/* A zero point as it counts: averaged weights make it fractional. */
int pithp_fq_zero(const pithp_fq_attr *a, pith_real zero);

/* Scale and zero point of a range, rounded to float32; the range is widened to hold 0. One of no width (a constant zero)
   gets scale 1. */
void pithp_fq_choose(const pithp_fq_attr *a, double lo, double hi, pith_real *scale, pith_real *zero);

/* Scales of weights by their range, one a channel; channels of zeros or nearly so get at least 2^-14 of the largest scale, so
   that their bias fits the accumulator. */
void pithp_fq_choose_weights(const pithp_fq_attr *a, const pith_real *lo, const pith_real *hi, int64_t c,
                             pith_real *scale);

/* The whole number that x becomes, as TFLite's QUANTIZE has it. */
int pithp_fq_quantize(const pithp_fq_attr *a, pith_real x, pith_real scale, int zero);

/* What a learned scale's gradient is multiplied by: n values of a sample share it. */
double pithp_fq_step(const pithp_fq_attr *a, int64_t n);

/* How files may hold weights that are quantized already (graph.h, pithp_stored). */
bool pithp_stored_fake_quant(const pith_tensor *user, int operand, pithp_stored *how);

/* A run quantizes by what was known before it, then looks at its values. Whether it quantizes at all; whether it looks; the
   moving range takes in `range` (least, greatest), and scale and zero point follow; the run is counted (seen NULL: none). */
bool pithp_fq_active(const pithp_fq_attr *a, const pith_real *scale, int64_t c, const pith_real *seen,
                     bool train);
bool pithp_fq_looks(const pithp_fq_attr *a, const pith_real *seen, bool train);
void pithp_fq_look(const pithp_fq_attr *a, const pith_real range[2], pith_real *seen, pith_real *scale,
                   pith_real *zero);
void pithp_fq_count(pith_real *seen);

/* ---- fold_weight: w[k,..] * gamma[k] / sqrt(var[k] + eps); w, gamma, running_var ---- */
typedef struct {
    double eps;
    bool depthwise; /* channels are the last dimension */
} pithp_fold_attr;

/* ---- folded_batch_norm: what is left of batch norm behind a convolution with folded weights.
   y, gamma, beta, running_mean, running_var, runs (may be absent) ---- */
typedef struct {
    double momentum, eps;
    bool frozen;
    int64_t freeze; /* running statistics from this training run on; 0: never */
} pithp_folded_attr;

/* beta - running_mean * gamma / sqrt(running_var + eps): the bias once statistics are the running ones. */
void pithp_folded_bias(double eps, const pith_real *gamma, const pith_real *beta, const pith_real *mean,
                       const pith_real *var, int64_t c, pith_real *bias);

#endif
