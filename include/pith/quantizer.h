/* pith/quantizer.h: quantizers on plain arrays: linear, float16, k-means codebooks, and the calibrators that choose a
   range from data. No graph and no model here (pith/quant.h has those).

   The contract (Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
   inference", CVPR 2018): a real r is S (q - Z) with an integer q of `bits` bits, a scale S > 0, rounded to float32
   before anything is computed from it, and an integer zero point Z, so that 0 is represented exactly. */
#ifndef PITH_QUANTIZER_H
#define PITH_QUANTIZER_H

#include <pith/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Linear --------------------------------------------------------------------------------------------------- */

/* How weights' ranges are chosen when a quantizer is fitted to values. */
typedef enum {
    PITH_FIT_MINMAX = 0, /* nothing is clipped */
    PITH_FIT_MSE         /* the range that leaves the least squared error, shrunk where that pays */
} pith_fit_range;

/* Zero is a good default: 8 bits, asymmetric, min-max.
   bits        2 to 8; 0 = 8. Codes are signed: -2^(bits-1) to 2^(bits-1) - 1
   symmetric   Z = 0, and the range is widened to [-a, a]
   narrow      leaves out the lowest code: [-127, 127] for 8 bits, as TFLite wants weights; symmetric only
   min_scale   a scale is never below it (pith_linear_bias_scale gives the one under which a bias fits int32); 0 = none
   range       how pith_linear_fit chooses */
typedef struct {
    int bits;
    bool symmetric, narrow;
    double min_scale;
    pith_fit_range range;
} pith_linear_cfg;

/* A quantizer that has been chosen. qmin <= zero_point <= qmax, and scale is finite and above 0. */
typedef struct {
    float scale;
    int32_t zero_point, qmin, qmax;
} pith_linear;

/* Chooses S and Z for real values from lo to hi. The range is widened to contain 0; Z is qmin - lo/S rounded half away
   from zero. An all-zero range is legal: S = 1, Z = 0.
   errors   PITH_EINVAL: bits out of range, narrow without symmetric, lo > hi, a range wider than float32;
            PITH_ENAN: lo, hi or min_scale not finite. *q is then untouched. Since 0.1. */
PITH_API pith_status pith_linear_range(pith_ctx *c, pith_linear_cfg cfg, double lo, double hi,
                                       pith_linear *q);

/* How many quantizers an array has: 1 for axis -1 (per tensor), otherwise the size of that dimension (per channel:
   axis 0 of OHWI convolution and [out,in] dense weights, axis 3 of depthwise ones). -1: no such axis. Since 0.1. */
PITH_API int64_t pith_linear_groups(pith_shape shape, int axis);

/* Fits quantizers to the values of an array.
   x        prod(shape) floats
   q        [pith_linear_groups(shape, axis)]
   errors   as pith_linear_range; PITH_ENAN names the first value that is not finite; PITH_EINVAL for an empty array or
            an axis that is not there. Since 0.1. */
PITH_API pith_status pith_linear_fit(pith_ctx *c, const float *x, pith_shape shape, int axis,
                                     pith_linear_cfg cfg, pith_linear *q);

/* x -> codes: clamp(round_half_away(x / S) + Z, qmin, qmax), the division in float32 as TFLite's QUANTIZE does it.
   errors   PITH_ENAN names the first value that is not finite; PITH_EINVAL. Since 0.1. */
PITH_API pith_status pith_linear_quantize(pith_ctx *c, const float *x, pith_shape shape, int axis,
                                          const pith_linear *q, int8_t *codes);

/* Codes -> S (q - Z) in float32. Quantizing the result gives the same codes.
   errors   PITH_EINVAL. Since 0.1. */
PITH_API pith_status pith_linear_dequantize(pith_ctx *c, const int8_t *codes, pith_shape shape, int axis,
                                            const pith_linear *q, float *x);

/* One value. x must be finite. Since 0.1. */
PITH_API int32_t pith_linear_code(const pith_linear *q, float x);
PITH_API float pith_linear_value(const pith_linear *q, int32_t code);

/* The smallest weight scale under which `bias` fits the int32 of scale scale_in * scale, with a bit to spare for what
   is accumulated on top: |bias| / (scale_in * 2^30). For cfg.min_scale. Since 0.1. */
PITH_API double pith_linear_bias_scale(double bias, double scale_in);

/* ---- float16 -------------------------------------------------------------------------------------------------- */

/* IEEE 754 binary16, round to nearest, ties to even; beyond +-65504 infinity; NaN stays NaN. n elements; the arrays
   may not overlap. Source: IEEE 754-2019, 5.4.2. Since 0.1. */
PITH_API void pith_half_from(const float *x, int64_t n, uint16_t *half);
PITH_API void pith_half_to(const uint16_t *half, int64_t n, float *x);

/* ---- Packed codes ----------------------------------------------------------------------------------------------
   Code i stands in the bits [i*bits, (i+1)*bits) of the stream, lowest first; the last byte is filled with zeros. */
PITH_API size_t pith_bits_bytes(int64_t n, int bits); /* 0: n < 0 or bits not from 1 to 8. Since 0.1. */

/* codes [n], each below 2^bits; packed [pith_bits_bytes]. errors: PITH_EINVAL. Since 0.1. */
PITH_API pith_status pith_bits_pack(pith_ctx *c, const uint8_t *codes, int64_t n, int bits, uint8_t *packed);
PITH_API pith_status pith_bits_unpack(pith_ctx *c, const uint8_t *packed, int64_t n, int bits,
                                      uint8_t *codes);

/* ---- k-means codebooks ------------------------------------------------------------------------------------------
   Every weight becomes the index of one of at most 2^bits shared values (Han, Mao, Dally, "Deep compression",
   ICLR 2016). */
typedef enum {
    PITH_CODEBOOK_KMEANSPP = 0, /* Arthur, Vassilvitskii, "k-means++", SODA 2007; the best of `starts` */
    PITH_CODEBOOK_LINEAR        /* evenly over the range, as Han et al. recommend */
} pith_codebook_init;

/* Zero is a good default.
   bits        2 to 8; 0 = 4: at most 2^bits centroids
   init        where Lloyd's iterations start
   keep_zero   one centroid is 0 and stays it: weights that are 0 (pruned) stay exactly 0
   seed        of k-means++
   starts      of k-means++; 0 = 8
   iterations  most of Lloyd's; 0 = 10000. They end earlier when no weight changes its centroid */
typedef struct {
    int bits;
    pith_codebook_init init;
    bool keep_zero;
    uint64_t seed;
    int starts, iterations;
} pith_codebook_cfg;

/* centroid    [k] ascending; the rest 0. k is below 2^bits where there are fewer distinct values: then every value is
               its own centroid and nothing is lost
   zero        index of the centroid that stays 0, -1 without keep_zero
   sse         sum over the weights of importance (or 1) times the squared error
   iterations  Lloyd's, of the start that won; converged: they ended by themselves */
typedef struct {
    int bits, k, zero, iterations;
    bool converged;
    double sse;
    float centroid[256];
} pith_codebook;

/* Clusters n weights.
   importance   [n], finite and >= 0, how much each weight's squared error counts; NULL: all the same
   errors       PITH_EINVAL: n < 1, bits out of range; PITH_ENAN names the first value that is not finite;
                PITH_ENOMEM. Since 0.1. */
PITH_API pith_status pith_codebook_fit(pith_ctx *c, const float *x, const float *importance, int64_t n,
                                       pith_codebook_cfg cfg, pith_codebook *cb);

/* The index of each weight's nearest centroid (exactly between two: the lower one). index [n]
   errors   PITH_ENAN; PITH_EINVAL, also when training has left the centroids out of order. Since 0.1. */
PITH_API pith_status pith_codebook_assign(pith_ctx *c, const pith_codebook *cb, const float *x, int64_t n,
                                          uint8_t *index);

/* index -> centroid. errors: PITH_EINVAL for an index that is not below k. Since 0.1. */
PITH_API pith_status pith_codebook_decode(pith_ctx *c, const pith_codebook *cb, const uint8_t *index,
                                          int64_t n, float *x);

/* dL/dcentroid: the sum of dL/dweight over the weights that share it, 0 for the centroid that stays 0.
   index, dw   [n]; dcentroid [k], overwritten
   errors      PITH_EINVAL for an index that is not below k. Since 0.1. */
PITH_API pith_status pith_codebook_gradient(pith_ctx *c, const pith_codebook *cb, const uint8_t *index,
                                            const float *dw, int64_t n, float *dcentroid);

/* Bytes in a file: packed indices, and the centroids in float32. Since 0.1. */
PITH_API size_t pith_codebook_bytes(const pith_codebook *cb, int64_t n);

/* ---- Calibration ------------------------------------------------------------------------------------------------ */

typedef enum {
    PITH_CALIB_MINMAX = 0,
    PITH_CALIB_AVERAGE,    /* moving average, sample by sample, of each sample's least and greatest value */
    PITH_CALIB_PERCENTILE, /* leaves out the outermost values */
    PITH_CALIB_MSE,        /* least squared error between values and their quantized selves */
    PITH_CALIB_ENTROPY /* least Kullback-Leibler divergence (Migacz, "8-bit inference with TensorRT", 2017) */
} pith_calib_method;

/* Zero is a good default: min-max for 8 bits, asymmetric.
   name         of the layer, for messages; copied
   bits         4 to 8; 0 = 8. symmetric: as in pith_linear_cfg. Mean squared error and entropy depend on them
   percentile   0 = 99.99: at each end at most 100 - percentile per cent lie outside (symmetric: of the absolute values)
   momentum     of the moving average; 0 = 0.99
   bins         of the histogram for each sign, a power of two from 128 to 65536; 0 = 2048 */
typedef struct {
    const char *name;
    pith_calib_method method;
    int bits;
    bool symmetric;
    double percentile, momentum;
    int bins;
} pith_calib_cfg;

typedef struct pith_calib pith_calib;

/* Makes a calibrator, which has seen nothing.
   ownership   the context's
   errors      NULL, with PITH_EINVAL or PITH_ENOMEM. Since 0.1. */
PITH_API pith_calib *pith_calib_new(pith_ctx *c, pith_calib_cfg cfg);
PITH_API void pith_calib_free(pith_calib *k); /* before its context ends; NULL is allowed */

/* Observes n samples of `size` values each, x [n,size]. Allocates nothing. Only the moving average depends on the
   samples' order, and on nothing else but them: not on how they are cut into batches, nor on threads.
   errors   PITH_ENAN names layer, sample and place of the first value that is not finite; nothing of this call then
            counts. PITH_EINVAL: n or size below 1. Since 0.1. */
PITH_API pith_status pith_calib_observe(pith_calib *k, const float *x, int64_t n, int64_t size);

/* The range by the method, 0 included; give it to pith_linear_range.
   errors   PITH_EDATA: no value was ever observed; PITH_EINVAL: values beyond what float32 can be scaled by. Both name
            the layer. Since 0.1. */
PITH_API pith_status pith_calib_range(pith_calib *k, double *lo, double *hi);

/* What was seen. count: values, of which zeros are exactly 0; min, max; width: of a histogram's bin.
   below, above   [bins] how many negative (positive) values have an absolute value in [i*width, (i+1)*width); zeros in
                  neither. ownership: the calibrator's, valid until it observes again. */
typedef struct {
    int64_t samples, count, zeros;
    double min, max, width;
    int bins;
    const int64_t *below, *above;
} pith_calib_facts;
PITH_API pith_calib_facts pith_calib_seen(const pith_calib *k);

/* Is a representative set representative? The bits tell what is doubtful; each is also logged as a warning. */
enum {
    PITH_CALIB_FEW = 1,     /* fewer than 100 samples, or than 10 of a class */
    PITH_CALIB_MISSING = 2, /* a class without a sample */
    PITH_CALIB_LOPSIDED =
        4 /* a class with less than a quarter, or more than three times, of its even share */
};

/* labels [n], from 0 to classes - 1. errors: -1 with PITH_EINVAL (a label out of range, n < 1, classes < 1).
   Since 0.1. */
PITH_API int pith_calib_check(pith_ctx *c, const int32_t *labels, int64_t n, int classes);

#ifdef __cplusplus
}
#endif
#endif
