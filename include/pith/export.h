/* pith/export.h: models in the formats that other people's runtimes read. */
#ifndef PITH_EXPORT_H
#define PITH_EXPORT_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* How numbers are stored.
   PITH_EXPORT_AUTO  int8 or dynamic where the model is quantized so, float32 otherwise
   PITH_EXPORT_F32   weights and activations float32
   PITH_EXPORT_F16   weights float16 (half the size), activations float32
   PITH_EXPORT_INT8  the integers that pith_evaluate runs; input and output int8 too
   PITH_EXPORT_DYNAMIC  weights int8, activations float32: of a model of PITH_SCHEME_DYNAMIC; layers quantize their inputs as
                     they come (hybrid kernels). A .tflite only */
typedef enum {
    PITH_EXPORT_AUTO = 0,
    PITH_EXPORT_F32,
    PITH_EXPORT_F16,
    PITH_EXPORT_INT8,
    PITH_EXPORT_DYNAMIC
} pith_export_numbers;

/* numbers   as above
   int8_io   of an int8 ONNX file: input and output are the integers themselves; otherwise floats, and the file begins and
             ends with their conversion. An int8 .tflite always has int8 input and output.
   mlperf    of C source: also the harness of MLPerf Tiny
   packed    of C source: weights lie compressed in flash (as in a packed model file) and are unpacked into RAM
   cmsis_nn  of C source: also calls of Arm's CMSIS-NN, compiled instead of our kernels where NAME_CMSIS_NN is defined */
typedef struct {
    pith_export_numbers numbers;
    bool int8_io;
    bool mlperf;
    bool packed;
    bool cmsis_nn;
} pith_export_cfg;

/* Writes a model as .tflite (TensorFlow Lite, LiteRT, TensorFlow Lite Micro). Batch norms are folded into the layers before
   them, dropout disappears, what does not depend on the input is computed once; SAME padding stays SAME, explicit padding
   becomes an op PAD only where SAME and VALID do not say the same. The input is [1,H,W,C], the output as the model
   has it, both float32, or int8 with a scale and zero point of a quantized model: then the reference kernels of TensorFlow
   Lite Micro give the bytes that ours give. The model's name, its input normalisation and its class names (meta "classes": a JSON list) go along
   as TensorFlow Lite's metadata: class names as labels.txt in a zip archive behind the model.
   m          is not changed
   path       the file; it is complete or not there
   errors     PITH_EINVAL: int8 of a model that is not quantized or floats of one that is, an op (named, with its layer) that the format cannot express, or a model without input;
              PITH_EFORMAT: a list of classes that is none; PITH_EIO, PITH_ENOTFOUND: the path. Nothing is written then.
   source     tensorflow/compiler/mlir/lite/schema/schema.fbs, version 3. Since 0.1. */
PITH_API pith_status pith_export_tflite(pith_model *m, const char *path, pith_export_cfg cfg);

/* Writes a model as ONNX (operator set 13, IR version 8), for any number of samples N. An image goes in as [N,C,H,W], as
   ONNX's operators want it, and a result of four dimensions comes out so; all others are as the model has them. Folding,
   dropout and constants as pith_export_tflite has them. The meta strings "classes" and "input" go along as metadata.
   A quantized model is written with its int8 weights and int32 biases, each operator between DequantizeLinear and
   QuantizeLinear, in the groups that ONNX Runtime fuses into its integer operators. These round once, in float, where our
   integers (TensorFlow Lite Micro's) round twice: results differ by a step here and there. Of a layer with a ReLU the bias is
   a step of its sums higher, which is what its single rounding lags behind; weights are uint8, 128 more than ours, since ONNX
   Runtime's sums of int8 ones saturate on processors without dot products of bytes.
   cfg        numbers: PITH_EXPORT_AUTO, PITH_EXPORT_F32 or PITH_EXPORT_INT8
   errors     as pith_export_tflite. Nothing is written then.
   source     onnx/onnx.proto, onnx/docs/Operators.md. Since 0.1. */
PITH_API pith_status pith_export_onnx(pith_model *m, const char *path, pith_export_cfg cfg);

/* Writes a quantized model as C: PATH, which ends in .c, and its header, PATH with .h. With PATH's name NAME:
       int NAME_run(const int8_t *in, int8_t *out);
   C99 that needs <stdint.h> and nothing else: no floating point, no allocation; constants const, one static arena. Its
   bytes are those that pith_evaluate runs. NAME_FLASH_BYTES (constants; the kernels' code comes on top), NAME_RAM_BYTES,
   NAME_MACS and the scales of input and output stand in the header. -DNAME_SELFTEST adds a main() that runs a known input
   and ends with 0 if the output is the known one. On Arm processors with the DSP extension faster kernels are compiled,
   by gcc and clang, with the same bytes (-DPITH_NO_DSP: without).
   cfg        numbers must be PITH_EXPORT_AUTO or PITH_EXPORT_INT8. mlperf: also NAME_th.cpp, MLPerf Tiny's th_* functions
              around NAME_run. packed: void NAME_unpack(void), which the first run calls if nobody did; NAME_RAM_BYTES counts
              the unpacked weights beside the arena (NAME_ARENA_BYTES): for pruned or clustered models where flash is scarcer.
              cmsis_nn: compiled with -DNAME_CMSIS_NN, convolutions, dense layers, and sums and products of equal shapes are
              calls of CMSIS-NN, which the user has (its Include/ in the path, its library linked; written for its version
              of July 2026, 99f736a); the bytes stay the same, constants and arena (with CMSIS-NN's scratch memory) are its
              own, and NAME_run may give -2. Without the define it is the source that it would be
   errors     PITH_EINVAL: a model that is not quantized, an op (named, with its layer) that works on floats or sums more than
              32 bits hold, a path that does not end in .c; PITH_EIO, PITH_ENOTFOUND: the path. Nothing is written then.
   source     the arithmetic is that of TensorFlow Lite Micro's reference kernels. Since 0.1. */
PITH_API pith_status pith_export_c(pith_model *m, const char *path, pith_export_cfg cfg);

/* Writes what pith_export_tflite writes as an array of C or C++, for TensorFlow Lite Micro: NAME_tflite[], aligned to 16
   bytes, and NAME_tflite_len, NAME being the path's without its ending.
   errors     as pith_export_tflite. Nothing is written then. Since 0.1. */
PITH_API pith_status pith_export_tflm(pith_model *m, const char *path, pith_export_cfg cfg);

#ifdef __cplusplus
}
#endif
#endif
