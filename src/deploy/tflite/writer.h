/* deploy/tflite/writer.h: a .tflite file piece by piece: tensors, ops, then the whole at once. It knows the schema and no
   network; the exporters of the float graph and of the integer graph both write through it.

   Every call after one that failed does nothing: pithp_tfl_save's status is the only one to look at. Nothing reaches the
   disk before everything has succeeded. */
#ifndef PITHP_TFLITE_WRITER_H
#define PITHP_TFLITE_WRITER_H

#include "deploy/flatbuffer.h"
#include "deploy/tflite/schema.h"

typedef struct {
    const char *name;
    int type;         /* TFL_FLOAT32, ... */
    pith_shape shape; /* sizes up to 2^31 - 1 */
    const void *data; /* of a constant, all elements; NULL: computed */
    /* real = scale[k] * (q - zero_point[k]); k is 0, or the index along dimension `axis` of per-channel scales; n_scale
       0: not quantized */
    const float *scale;
    const int32_t *zero_point; /* NULL: all 0 */
    int n_scale, axis;
} pithp_tfl_tensor;

/* A field of an op's options; what equals the schema's default may be left out or given. */
typedef struct {
    int field;
    enum { PITHP_TFL_BYTE, PITHP_TFL_INT, PITHP_TFL_FLOAT } kind;
    int32_t i;
    int32_t i_default;
    float f;
} pithp_tfl_option;

typedef struct {
    int builtin, version; /* TFL_CONV_2D, ... */
    const int *in;        /* tensors; -1: absent */
    int n_in, out;
    int options; /* TFL_OPT_CONV_2D, ...; TFL_OPT_NONE */
    const pithp_tfl_option *option;
    int n_options;
} pithp_tfl_op;

typedef struct {
    pith_ctx *c;
    pith_status status;
    pithp_fb fb;
    pithp_fb_ref *tensors, *buffers, *ops, *metadata;
    size_t n_tensors, n_buffers, n_ops, n_metadata, cap_tensors, cap_buffers, cap_ops, cap_metadata;
    struct {
        int builtin, version;
    } * codes;
    size_t n_codes, cap_codes;
    uint8_t *tail; /* appended behind the FlatBuffer: a zip archive of associated files */
    size_t n_tail, cap_tail;
    size_t zip_files;
} pithp_tfl;

void pithp_tfl_init(pith_ctx *c, pithp_tfl *w);
void pithp_tfl_free(pithp_tfl *w); /* twice is allowed */

int pithp_tfl_add_tensor(pithp_tfl *w, const pithp_tfl_tensor *t); /* its number; -1 after a failure */
void pithp_tfl_add_op(pithp_tfl *w, const pithp_tfl_op *o);
void pithp_tfl_add_metadata(pithp_tfl *w, const char *name, const void *p, size_t n);

/* Writes the model. description: of it. Signature: input, input_1, ...; output.
   errors   the first failure of any call; PITH_EIO, PITH_ENOTFOUND: the path. An older file of that name stands then. */
pith_status pithp_tfl_save(pithp_tfl *w, const int *inputs, int n_inputs, int output, const char *description,
                           const char *path);

/* Fails w unless it failed already. */
void pithp_tfl_fail(pithp_tfl *w, pith_status status);

#endif
