/* pith/runner.h: one way to run any of our formats on a picture: a model file in float or quantized, or a .tflite of float32 or
   int8, one of ours or a foreign one. Integers run as integers. For a program that runs int8 .tflite files and nothing else,
   pith/rt.h is smaller. */
#ifndef PITH_RUNNER_H
#define PITH_RUNNER_H

#include <pith/model.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Reads a .tflite of float32 (weights float32, float16, or int8 behind DEQUANTIZE) as a model, which then trains, quantizes and
   exports like any other. Its one input has the shape [1,...].
   ownership  the context's
   errors     NULL. PITH_ENOTFOUND, PITH_EIO: the path; PITH_EFORMAT: no .tflite, or a damaged one; PITH_EINVAL: an op that is not
              known here (named, with its layer), or a file of int8, which only a runner can have. Since 0.1. */
PITH_API pith_model *pith_import_tflite(pith_ctx *c, const char *path);

typedef struct pith_runner pith_runner;

/* Opens a model file or a .tflite, either of them packed or not, by its content.
   ownership  the context's
   errors     NULL; those of pith_model_load and pith_import_tflite. Since 0.1. */
PITH_API pith_runner *pith_runner_open(pith_ctx *c, const char *path);
/* A runner of a model that is there already; m must stay. Since 0.1. */
PITH_API pith_runner *pith_runner_of(pith_model *m);
PITH_API void pith_runner_free(pith_runner *r); /* NULL is allowed */

/* What it is.
   name       of the model; format: ".pith" or ".tflite"
   integers   whether integers run; then q = clamp(round(x / scale) + zero) goes in and comes out
   input, output         shapes of one sample, first dimension 1
   float_io   integers run, but floats go in
   probabilities   its last op is a softmax
   arena, macs     bytes of activations; multiply-adds
   ops        of the graph that runs */
typedef struct {
    const char *name, *format;
    bool integers, float_io, probabilities;
    pith_shape input, output;
    float input_scale, output_scale;
    int32_t input_zero, output_zero;
    int64_t arena, macs;
    int ops;
} pith_runner_facts;
PITH_API pith_runner_facts pith_runner_info(const pith_runner *r);

/* The model, of a file in float or of ours; NULL: integers of a .tflite. Since 0.1. */
PITH_API pith_model *pith_runner_model(const pith_runner *r);
/* The name of class i; NULL: the file names none. Since 0.1. */
PITH_API const char *pith_runner_class(const pith_runner *r, int i);

/* What came of a run; pointers last until the next.
   input      the very bytes that the network was given: int8, or float32
   values     [n] the output as real numbers; output_q: [n] its integers, NULL in float */
typedef struct {
    const void *input;
    size_t input_bytes;
    const pith_real *values;
    const int8_t *output_q;
    int64_t n;
} pith_runner_result;

/* Runs one sample x, as many real numbers as the input's shape has. errors: PITH_ENAN (x is not finite). Since 0.1. */
PITH_API pith_status pith_runner_run(pith_runner *r, const pith_real *x, pith_runner_result *result);

/* Writes the integers of r as an int8 .tflite. errors: PITH_EINVAL: r runs in float; those of pith_export_tflite. Since 0.1. */
PITH_API pith_status pith_runner_export_tflite(const pith_runner *r, const char *path);

/* ---- What a microcontroller needs ----------------------------------------------------------------------------------- */

/* flash   bytes of constants: int8 weights, int32 biases, 8 bytes of factors for each output channel, tables of 256
   ram     bytes of the one arena of activations, as planned
   macs    multiply-adds; ops: how many */
typedef struct {
    int64_t flash, ram, macs;
    int ops;
} pith_needs;

/* The same of one op; ram: what is alive while it runs. */
typedef struct {
    const char *name, *op;
    pith_shape out;
    int64_t flash, ram, macs;
} pith_need;

/* Where one activation lies in the arena: bytes at offset, from the op that writes it (-1: it is the input) to the last that reads
   it (an output: to the number of ops). One that an op overwrites in place ends before that op. */
typedef struct {
    const char *name;
    pith_shape shape;
    int64_t bytes, offset;
    int from_op, to_op;
} pith_need_tensor;

typedef struct pith_needs_plan pith_needs_plan;

/* The needs of m as int8: of its integers where it is quantized, else as if it were (ranges do not matter to sizes).
   ownership  the context's
   errors     NULL. PITH_EINVAL: an op without integer form, named with its layer. Since 0.1. */
PITH_API pith_needs_plan *pith_needs_of_model(const pith_model *m, pith_needs *total);
PITH_API pith_needs_plan *pith_needs_of_runner(const pith_runner *r, pith_needs *total);
/* Op i, from 0, in the order they run; false: there are no more. Since 0.1. */
PITH_API bool pith_needs_op(const pith_needs_plan *p, int i, pith_need *n);
/* Activation i, from 0, in the order they are written; false: there are no more. No two that are there at one op overlap. Since 0.1. */
PITH_API bool pith_needs_tensor(const pith_needs_plan *p, int i, pith_need_tensor *t);
PITH_API void pith_needs_free(pith_needs_plan *p);

#ifdef __cplusplus
}
#endif
#endif
