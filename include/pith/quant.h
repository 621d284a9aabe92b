/* pith/quant.h: quantizing a model, after training or while it trains on.

   The integers are the truth: pith_evaluate and pith_predict of a quantized model run its integer form, never a
   simulation in float. A quantized model is a model: it saves, loads, trains on and exports like any other. */
#ifndef PITH_QUANT_H
#define PITH_QUANT_H

#include <pith/data.h>
#include <pith/model.h>
#include <pith/quantizer.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What becomes of the numbers.
   INT8      all of them integers of bits_weights and bits_activations bits
   FLOAT16   weights in float16; evaluated with those halves
   DYNAMIC   weights int8, activations quantized as they come, sample by sample (LiteRT's hybrid kernels); no calibration
   CODEBOOK  the weights of a layer share at most 2^bits_weights values, found by k-means; zeros stay zeros. pith_fit goes on
             training the shared values */
typedef enum {
    PITH_SCHEME_INT8 = 0,
    PITH_SCHEME_FLOAT16,
    PITH_SCHEME_DYNAMIC,
    PITH_SCHEME_CODEBOOK
} pith_quant_scheme;

/* What makes a quantized model better without training it; bits of cfg.improve. BIAS and ADAROUND are for INT8. */
enum {
    PITH_IMPROVE_EQUALIZE = 1, /* equal weight ranges across layers (Nagel et al., ICCV 2019) */
    PITH_IMPROVE_BN = 2,       /* batch-norm statistics taken anew, under rounded weights */
    PITH_IMPROVE_BIAS = 4, /* biases make up for the mean error of each channel (Nagel et al., ICCV 2019) */
    PITH_IMPROVE_ADAROUND = 8 /* learned rounding of weights (Nagel et al., ICML 2020) */
};

/* How a model is quantized; all zero is full int8: weights per output channel in convolutions and per tensor in dense
   layers, activations per tensor, input and output included.
   bits_weights, bits_activations  2 to 8, 4 to 8; 0: 8
   bits_ends         weights of the first and of the last layer; 0: 8; negative: as all others
   conv_per_tensor   one scale for all weights of a convolution
   dense_per_channel one scale for each output of a dense layer
   layers            other bits by layer name: "head=8,blocks.*=4"; the first shell pattern that matches counts
   skip              "stem.*,head": layers of these names stay in float; the model then has no integer form and is evaluated in
                     float, with a warning
   samples           of the training images that ranges are taken from (pith_quantize, pith_qat_from); 0: 512
   calib             how a range follows from what was seen; seed: which images
   lsq               scales are learned with the weights (pith_qat): 0: where fewer than 8 bits ask for it; 1: always;
                     -1: never
   observe_steps     pith_qat: training steps before activations are quantized; pith_qat_from: as how many steps its images count
                     in the moving ranges; 0: 20
   freeze_ranges     training step from which ranges stay; 0: never
   freeze_bn         training step from which batch norms use running statistics only; 0: never
   momentum          of the moving ranges; 0: 0.01
   scheme, improve   as above; adaround_steps: of each layer; 0: 500
   keep_norms        CODEBOOK: batch norms stay instead of going into the weights, so that channels keep scales of their own, and
                     train on; with 2 or 3 bits much is won by it, for two numbers a channel instead of one
   improve_samples   training images that improvers look at; 0: 256 */
typedef struct {
    int bits_weights, bits_activations, bits_ends;
    bool conv_per_tensor, dense_per_channel;
    const char *layers, *skip;
    int samples;
    pith_calib_cfg calib;
    uint64_t seed;
    int lsq;
    int64_t observe_steps, freeze_ranges, freeze_bn;
    double momentum;
    pith_quant_scheme scheme;
    bool keep_norms;
    unsigned improve;
    int adaround_steps, improve_samples;
} pith_quant_cfg;

/* Quantizes a trained model without training: folds batch norms into the convolutions, puts fake_quant nodes where integers
   will be, takes the ranges of the activations from images of d's training split, and rounds the weights.
   errors   m is then as it was. PITH_EINVAL: bits out of range, m is quantized already, d has other classes or another image
            size than m, an op without integer form (named, with the nearest alternative), a bias or sum that does not
            fit; PITH_ENAN: weights or ranges that are not finite; PITH_EDATA: no images. All name the layer.
   source   Jacob et al., CVPR 2018; Krishnamoorthi, arXiv:1806.08342. Since 0.1. */
PITH_API pith_status pith_quantize(pith_model *m, pith_data *d, pith_quant_cfg cfg);

/* Makes a trained model ready for quantization-aware training: pith_fit then trains weights that survive rounding. Batch norms
   are folded as in Krishnamoorthi, section 3.2.2: weights are quantized as they will be deployed, while the batch's statistics
   still normalise, until freeze_bn.
   errors   as pith_quantize; m is then as it was. Since 0.1. */
PITH_API pith_status pith_qat(pith_model *m, pith_quant_cfg cfg);

/* The same, beginning where pith_quantize ends: the ranges of activations are taken from images of d's training split first, as
   cfg.calib says, and quantized from the first step on. With few bits the start decides: a range that holds every value wastes
   most of 16 codes. d NULL: as pith_qat. errors: and those of d that pith_quantize has. Since 0.1. */
PITH_API pith_status pith_qat_from(pith_model *m, pith_data *d, pith_quant_cfg cfg);

/* After training: m keeps its integers, to the last bit, and loses what only training needs. Batch norms go into weights and
   biases, weights become codes times scales, so that files hold them in their few bits; masks stay. m is then like one that
   pith_quantize made, and trains on as such. Weights that are computed (codebooks, or shared by layers) are left as they are.
   errors   m is then as it was. PITH_EINVAL: m is not quantized. Since 0.1. */
PITH_API pith_status pith_qat_convert(pith_model *m);

/* Whether m holds fake_quant nodes. Since 0.1. */
PITH_API bool pith_model_is_quantized(const pith_model *m);

/* What a quantized model is in integers.
   bytes     of weights, biases and their scales as they ship (weights of b bits packed)
   arena     of the activations of one sample, as planned
   kernels   the kernel set that runs
   errors    PITH_EINVAL: m has no integer form (the layer is named). Since 0.1. */
typedef struct {
    int64_t bytes, arena, macs;
    int ops;
    const char *kernels;
} pith_integer_facts;
PITH_API pith_status pith_integer_info(const pith_model *m, pith_integer_facts *facts);

/* ---- Where accuracy goes ------------------------------------------------------------------------------------- */

#define PITH_ANALYSIS_BINS 64

/* One place where numbers are quantized: the weights of a layer, or a result. Ratios of signal to quantization noise in dB,
   infinite where nothing changes:
   alone        of the network's output, when only this place is quantized
   all_but      of the output, when everything is but this place
   accumulated  of the values here, when everything before is quantized too (of weights: of the layer's result)
   own          of the values here, when they alone are quantized
   lo, hi       range of the values in float; clipped: share of them outside what the codes reach
   histogram    of the values in float: PITH_ANALYSIS_BINS bins from lo to hi
   rounded      the same bins, of the values when everything is quantized; what lies outside is in the outermost bins
   values       how many were looked at; zeros: of those, exactly 0 when everything is quantized */
typedef struct {
    const char *layer; /* the analysis's own */
    bool weights;
    int bits;
    double alone, all_but, accumulated, own, lo, hi, clipped;
    int64_t values, zeros, histogram[PITH_ANALYSIS_BINS], rounded[PITH_ANALYSIS_BINS];
} pith_place;

typedef struct pith_analysis pith_analysis;

/* Quantizes a copy of the float model m as cfg says (scheme int8) and measures, on training images (cfg.improve_samples of
   them, 0: 256), what each place costs. m stays as it is.
   ownership  the context's
   errors     NULL; those of pith_quantize. Since 0.1. */
PITH_API pith_analysis *pith_analyze(const pith_model *m, pith_data *d, pith_quant_cfg cfg);

/* The same of a model that is quantized already, beside the float model that it was made of; all_but is NAN, for it is not
   measured, and nothing is ranked. Both models stay as they are.
   made       by pith_quantize (scheme int8 or dynamic) or pith_qat, trained since or not. Of dynamic, only the weights are places
   from       the float model that pith_quantize began with, and cfg as it was given there; NULL: made by pith_qat, and what it
              holds is in float: its places are measured beside its own weights before rounding
   images     of the training split, drawn by cfg.seed; 0: 64
   ownership  the context's
   errors     NULL. PITH_EINVAL: made is not quantized, or not made of from; those of pith_quantize. Since 0.1. */
PITH_API pith_analysis *pith_analyze_made(const pith_model *made, const pith_model *from, pith_data *d,
                                          pith_quant_cfg cfg, int images);
PITH_API void pith_analysis_free(pith_analysis *a); /* NULL is allowed */

/* Places in the order of the network: i counts from 0; NULL after the last. Since 0.1. */
PITH_API const pith_place *pith_analysis_place(const pith_analysis *a, int i);

/* Places by what leaving them in float would gain, the most first; NULL after the last. Since 0.1. */
PITH_API const pith_place *pith_analysis_ranked(const pith_analysis *a, int i);

/* Signal-to-noise ratio of the output when everything is quantized, in dB; images that were looked at. Since 0.1. */
PITH_API double pith_analysis_output(const pith_analysis *a, int64_t *images);

#ifdef __cplusplus
}
#endif
#endif
