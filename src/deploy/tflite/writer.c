/* deploy/tflite/writer.c: the tables of the TFLite schema. */
#include "deploy/tflite/writer.h"
#include "deploy/tflite/metadata.h"
#include <string.h>

void pithp_tfl_init(pith_ctx *c, pithp_tfl *w)
{
    *w = (pithp_tfl){ .c = c };
    pithp_fb_init(c, &w->fb);
}

void pithp_tfl_free(pithp_tfl *w)
{
    pithp_fb_free(&w->fb);
    pithp_free(w->c, w->tensors);
    pithp_free(w->c, w->buffers);
    pithp_free(w->c, w->ops);
    pithp_free(w->c, w->metadata);
    pithp_free(w->c, w->codes);
    pithp_free(w->c, w->tail);
    pith_status status = w->status;
    pithp_tfl_init(w->c, w);
    w->status = status;
}

void pithp_tfl_fail(pithp_tfl *w, pith_status status)
{
    if (!w->status)
        w->status = status;
}

/* The builder's status becomes ours. True: go on. */
static bool well(pithp_tfl *w)
{
    pithp_tfl_fail(w, w->fb.status);
    return !w->status;
}

/* Adds a reference to a list. Its index, -1 after a failure. */
static int append(pithp_tfl *w, pithp_fb_ref **list, size_t *n, size_t *cap, pithp_fb_ref ref)
{
    if (!well(w))
        return -1;
    if (!pithp_grow(w->c, list, cap, *n, sizeof **list)) {
        w->status = PITH_ENOMEM;
        return -1;
    }
    (*list)[*n] = ref;
    return (int)(*n)++;
}

/* Data 16-byte aligned, so that kernels may read it where it lies. Buffer 0 is the empty one by convention. */
static int add_buffer(pithp_tfl *w, const void *p, size_t n)
{
    if (!w->n_buffers) {
        pithp_fb_table(&w->fb);
        if (append(w, &w->buffers, &w->n_buffers, &w->cap_buffers, pithp_fb_table_end(&w->fb)) < 0)
            return -1;
    }
    pithp_fb_ref data = pithp_fb_vector(&w->fb, p, n, 1, 16);
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_BUFFER_DATA, data);
    return append(w, &w->buffers, &w->n_buffers, &w->cap_buffers, pithp_fb_table_end(&w->fb));
}

static size_t type_size(int type)
{
    switch (type) {
    case TFL_FLOAT32:
    case TFL_INT32: return 4;
    case TFL_FLOAT16: return 2;
    case TFL_INT64: return 8;
    default: return 1;
    }
}

/* 0: none, or failed. */
static pithp_fb_ref quantization(pithp_tfl *w, const pithp_tfl_tensor *t)
{
    if (!t->n_scale)
        return 0;
    int64_t *zero = PITHP_NEW_N(w->c, int64_t, t->n_scale);
    if (!zero) {
        pithp_tfl_fail(w, PITH_ENOMEM);
        return 0;
    }
    for (int i = 0; i < t->n_scale && t->zero_point; i++)
        zero[i] = t->zero_point[i];
    pithp_fb_ref scales = pithp_fb_vector(&w->fb, t->scale, (size_t)t->n_scale, sizeof *t->scale, 0),
                 zeros = pithp_fb_vector(&w->fb, zero, (size_t)t->n_scale, sizeof *zero, 0);
    pithp_free(w->c, zero);
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_QUANT_SCALE, scales);
    pithp_fb_to(&w->fb, TFL_QUANT_ZERO_POINT, zeros);
    pithp_fb_i32(&w->fb, TFL_QUANT_DIMENSION, t->axis, 0);
    return pithp_fb_table_end(&w->fb);
}

/* Elements of a shape that a .tflite can hold; false: an error is recorded. */
static bool shape_ok(pithp_tfl *w, const pithp_tfl_tensor *t, int32_t dims[PITH_MAX_DIMS], size_t *count)
{
    char text[96];
    *count = 1;
    for (int i = 0; i < t->shape.ndim; i++) {
        dims[i] = (int32_t)t->shape.d[i];
        if (t->shape.d[i] < 1 || t->shape.d[i] > INT32_MAX ||
            pithp_mul_over(*count, (size_t)t->shape.d[i], count)) {
            pithp_tfl_fail(w,
                           pithp_error(w->c, PITH_EINVAL, "tensor '%s': a .tflite cannot hold the shape %s",
                                       t->name, pithp_shape_text(t->shape, text)));
            return false;
        }
    }
    return true;
}

int pithp_tfl_add_tensor(pithp_tfl *w, const pithp_tfl_tensor *t)
{
    int32_t dims[PITH_MAX_DIMS];
    size_t count;
    int buffer = 0;
    if (!well(w) || !shape_ok(w, t, dims, &count))
        return -1;
    if (t->data && (buffer = add_buffer(w, t->data, count * type_size(t->type))) < 0)
        return -1;
    pithp_fb_ref shape = pithp_fb_vector(&w->fb, dims, (size_t)t->shape.ndim, sizeof *dims, 0),
                 name = pithp_fb_string(&w->fb, t->name), quant = quantization(w, t);
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_TENSOR_SHAPE, shape);
    pithp_fb_to(&w->fb, TFL_TENSOR_NAME, name);
    pithp_fb_to(&w->fb, TFL_TENSOR_QUANTIZATION, quant);
    pithp_fb_u32(&w->fb, TFL_TENSOR_BUFFER, (uint32_t)buffer, 0);
    pithp_fb_u8(&w->fb, TFL_TENSOR_TYPE, (uint8_t)t->type, TFL_FLOAT32);
    return append(w, &w->tensors, &w->n_tensors, &w->cap_tensors, pithp_fb_table_end(&w->fb));
}

static int code_of(pithp_tfl *w, int builtin, int version)
{
    for (size_t i = 0; i < w->n_codes; i++)
        if (w->codes[i].builtin == builtin && w->codes[i].version == version)
            return (int)i;
    if (!pithp_grow(w->c, &w->codes, &w->cap_codes, w->n_codes, sizeof *w->codes)) {
        pithp_tfl_fail(w, PITH_ENOMEM);
        return -1;
    }
    w->codes[w->n_codes].builtin = builtin;
    w->codes[w->n_codes].version = version;
    return (int)w->n_codes++;
}

static pithp_fb_ref options_table(pithp_tfl *w, const pithp_tfl_op *o)
{
    if (o->options == TFL_OPT_NONE)
        return 0;
    pithp_fb_table(&w->fb);
    for (int i = 0; i < o->n_options; i++) {
        const pithp_tfl_option *p = &o->option[i];
        if (p->kind == PITHP_TFL_BYTE)
            pithp_fb_u8(&w->fb, p->field, (uint8_t)p->i, (uint8_t)p->i_default);
        else if (p->kind == PITHP_TFL_INT)
            pithp_fb_i32(&w->fb, p->field, p->i, p->i_default);
        else
            pithp_fb_f32(&w->fb, p->field, p->f, 0);
    }
    return pithp_fb_table_end(&w->fb);
}

void pithp_tfl_add_op(pithp_tfl *w, const pithp_tfl_op *o)
{
    int32_t in[64], out = o->out;
    if (!well(w))
        return;
    bool ok = o->n_in >= 0 && (size_t)o->n_in <= PITHP_LEN(in) && out >= 0 && (size_t)out < w->n_tensors;
    for (int i = 0; i < o->n_in && ok; i++) {
        in[i] = o->in[i];
        ok = in[i] >= -1 && in[i] < (int64_t)w->n_tensors;
    }
    if (!ok) {
        w->status =
            pithp_error(w->c, PITH_EBUG, "TFLite op %d refers to a tensor that is not there", o->builtin);
        return;
    }
    int code = code_of(w, o->builtin, o->version);
    pithp_fb_ref inputs = pithp_fb_vector(&w->fb, in, (size_t)o->n_in, sizeof *in, 0),
                 outputs = pithp_fb_vector(&w->fb, &out, 1, sizeof out, 0), options = options_table(w, o);
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_OPERATOR_INPUTS, inputs);
    pithp_fb_to(&w->fb, TFL_OPERATOR_OUTPUTS, outputs);
    pithp_fb_to(&w->fb, TFL_OPERATOR_OPTIONS, options);
    pithp_fb_u32(&w->fb, TFL_OPERATOR_CODE, (uint32_t)code, 0);
    pithp_fb_u8(&w->fb, TFL_OPERATOR_OPTIONS_TYPE, (uint8_t)o->options, 0);
    append(w, &w->ops, &w->n_ops, &w->cap_ops, pithp_fb_table_end(&w->fb));
}

void pithp_tfl_add_metadata(pithp_tfl *w, const char *name, const void *p, size_t n)
{
    if (!well(w))
        return;
    int buffer = add_buffer(w, p, n);
    pithp_fb_ref text = pithp_fb_string(&w->fb, name);
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_METADATA_NAME, text);
    pithp_fb_u32(&w->fb, TFL_METADATA_BUFFER, (uint32_t)buffer, 0);
    append(w, &w->metadata, &w->n_metadata, &w->cap_metadata, pithp_fb_table_end(&w->fb));
}

/* ---- The whole ---- */
static pithp_fb_ref codes(pithp_tfl *w)
{
    pithp_fb_ref *refs = PITHP_NEW_N(w->c, pithp_fb_ref, w->n_codes + 1), all = 0;
    if (!refs) {
        pithp_tfl_fail(w, PITH_ENOMEM);
        return 0;
    }
    for (size_t i = 0; i < w->n_codes; i++) {
        int b = w->codes[i].builtin;
        pithp_fb_table(&w->fb);
        pithp_fb_i32(&w->fb, TFL_CODE_BUILTIN, b, 0);
        pithp_fb_i32(&w->fb, TFL_CODE_VERSION, w->codes[i].version, 1);
        /* the old, one-byte field, which readers before 2020 look at */
        pithp_fb_u8(&w->fb, TFL_CODE_DEPRECATED,
                    (uint8_t)PITHP_MIN(b, (int)TFL_PLACEHOLDER_FOR_GREATER_OP_CODES), 0);
        refs[i] = pithp_fb_table_end(&w->fb);
    }
    all = pithp_fb_refs(&w->fb, refs, w->n_codes);
    pithp_free(w->c, refs);
    return all;
}

enum { MOST_INPUTS = 8 };

static pithp_fb_ref tensor_map(pithp_tfl *w, const char *base, const int *tensors, int n)
{
    pithp_fb_ref maps[MOST_INPUTS];
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, i ? "%s_%d" : "%s", base, i);
        pithp_fb_ref text = pithp_fb_string(&w->fb, name);
        pithp_fb_table(&w->fb);
        pithp_fb_to(&w->fb, TFL_TENSORMAP_NAME, text);
        pithp_fb_u32(&w->fb, TFL_TENSORMAP_INDEX, (uint32_t)tensors[i], 0);
        maps[i] = pithp_fb_table_end(&w->fb);
    }
    return pithp_fb_refs(&w->fb, maps, (size_t)n);
}

static pithp_fb_ref signatures(pithp_tfl *w, const int *inputs, int n, int output)
{
    pithp_fb_ref in = tensor_map(w, "input", inputs, n), out = tensor_map(w, "output", &output, 1),
                 key = pithp_fb_string(&w->fb, "serving_default");
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_SIGNATURE_INPUTS, in);
    pithp_fb_to(&w->fb, TFL_SIGNATURE_OUTPUTS, out);
    pithp_fb_to(&w->fb, TFL_SIGNATURE_KEY, key);
    pithp_fb_ref one = pithp_fb_table_end(&w->fb);
    return pithp_fb_refs(&w->fb, &one, 1);
}

static pithp_fb_ref subgraphs(pithp_tfl *w, const int *inputs, int n, int32_t output)
{
    pithp_fb_ref tensors = pithp_fb_refs(&w->fb, w->tensors, w->n_tensors),
                 ops = pithp_fb_refs(&w->fb, w->ops, w->n_ops),
                 in = pithp_fb_vector(&w->fb, inputs, (size_t)n, sizeof *inputs, 0),
                 out = pithp_fb_vector(&w->fb, &output, 1, sizeof output, 0),
                 name = pithp_fb_string(&w->fb, "main");
    pithp_fb_table(&w->fb);
    pithp_fb_to(&w->fb, TFL_SUBGRAPH_TENSORS, tensors);
    pithp_fb_to(&w->fb, TFL_SUBGRAPH_INPUTS, in);
    pithp_fb_to(&w->fb, TFL_SUBGRAPH_OUTPUTS, out);
    pithp_fb_to(&w->fb, TFL_SUBGRAPH_OPERATORS, ops);
    pithp_fb_to(&w->fb, TFL_SUBGRAPH_NAME, name);
    pithp_fb_ref one = pithp_fb_table_end(&w->fb);
    return pithp_fb_refs(&w->fb, &one, 1);
}

static pith_status finish(pithp_tfl *w, const int *inputs, int n_inputs, int output, const char *description,
                          const uint8_t **p, size_t *n)
{
    bool ok = n_inputs > 0 && n_inputs <= MOST_INPUTS && output >= 0 && (size_t)output < w->n_tensors;
    for (int i = 0; i < n_inputs && ok; i++)
        ok = inputs[i] >= 0 && (size_t)inputs[i] < w->n_tensors;
    if (!ok)
        pithp_tfl_fail(w, pithp_error(w->c, PITH_EBUG, "a .tflite without input or output"));
    if (!w->n_buffers)
        add_buffer(w, NULL, 0);
    if (!well(w))
        return w->status;
    pithp_fb_ref sub = subgraphs(w, inputs, n_inputs, output), code = codes(w),
                 sign = signatures(w, inputs, n_inputs, output),
                 buffers = pithp_fb_refs(&w->fb, w->buffers, w->n_buffers),
                 metadata = w->n_metadata ? pithp_fb_refs(&w->fb, w->metadata, w->n_metadata) : 0,
                 text = pithp_fb_string(&w->fb, description);
    pithp_fb_table(&w->fb);
    pithp_fb_u32(&w->fb, TFL_MODEL_VERSION, PITHP_TFL_VERSION, 0);
    pithp_fb_to(&w->fb, TFL_MODEL_CODES, code);
    pithp_fb_to(&w->fb, TFL_MODEL_SUBGRAPHS, sub);
    pithp_fb_to(&w->fb, TFL_MODEL_DESCRIPTION, text);
    pithp_fb_to(&w->fb, TFL_MODEL_BUFFERS, buffers);
    pithp_fb_to(&w->fb, TFL_MODEL_METADATA, metadata);
    pithp_fb_to(&w->fb, TFL_MODEL_SIGNATURES, sign);
    pithp_fb_ref root = pithp_fb_table_end(&w->fb);
    pithp_fb_finish(&w->fb, root, PITHP_TFL_IDENTIFIER, p, n);
    well(w);
    return w->status;
}

pith_status pithp_tfl_save(pithp_tfl *w, const int *inputs, int n_inputs, int output, const char *description,
                           const char *path)
{
    pithp_save save;
    const uint8_t *p = NULL;
    size_t n = 0;
    if (w->status || finish(w, inputs, n_inputs, output, description, &p, &n) || pithp_zip_close(w, n))
        return w->status;
    pith_status s = pithp_save_begin(w->c, &save, path);
    if (s)
        return s;
    if (!(s = pithp_save_write(w->c, &save, p, n)) &&
        !(s = pithp_save_write(w->c, &save, w->tail, w->n_tail)))
        s = pithp_save_commit(w->c, &save, false);
    if (s)
        pithp_save_abort(w->c, &save);
    return s;
}
