/* deploy/tflite/read.c: the file's tables: which there are, what they hold, and whether that can be. */
#include "deploy/tflite/read.h"
#include <math.h>
#include <string.h>

enum { TENSOR_VARIABLE = 5, TENSOR_SPARSITY = 6, QUANT_DETAILS_TYPE = 4, OPERATOR_CUSTOM = 5 };
enum { BUFFER_OFFSET = 1, BUFFER_SIZE = 2 };

/* The reader's fault, as the context's error. */
static pith_status broken(pithp_tfl_file *f, const char *what, int64_t i)
{
    char number[24] = "";
    if (i >= 0)
        snprintf(number, sizeof number, " %lld", (long long)i);
    return pithp_error(f->c, PITH_EFORMAT, "%s: damaged, or no .tflite: at byte %zu, %s%s %s", f->path,
                       f->b.where, what, number, f->b.fault);
}

/* "PATH: tensor 3 ('NAME') ..."; name NULL: it has none. */
static pith_status refuse(const pithp_tfl_file *f, const char *what, int64_t i, const char *name,
                          const char *fmt, ...) PITH_PRINTF(5, 6);
static pith_status refuse(const pithp_tfl_file *f, const char *what, int64_t i, const char *name,
                          const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pithp_error(f->c, PITH_EFORMAT, "%s: %s %lld%s%.80s%s %s", f->path, what, (long long)i,
                       name ? " ('" : "", name ? name : "", name ? "')" : "", text);
}

pith_status pithp_tfl_node_error(const pithp_tfl_file *f, const pithp_tfl_node *n, pith_status code,
                                 const char *fmt, ...)
{
    char text[640];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return pithp_error(f->c, code, "%s: op %d (%s, '%.80s'): %s", f->path, n->id, pithp_tfl_op_name(n->code),
                       n->name ? n->name : "", text);
}

/* ---- The whole -----------------------------------------------------------------------------------------------------*/
static pith_status counts(pithp_tfl_file *f, size_t subgraphs)
{
    if (subgraphs != 1)
        return refuse(f, "the model has", (int64_t)subgraphs, NULL,
                      "subgraphs; expected 1 (no IF, WHILE or CALL)");
    if (f->tensors.n < 1 || f->tensors.n > PITHP_TFL_MOST_TENSORS)
        return refuse(f, "the model has", (int64_t)f->tensors.n, NULL, "tensors; expected 1 to %d",
                      PITHP_TFL_MOST_TENSORS);
    if (f->ops.n < 1 || f->ops.n > PITHP_TFL_MOST_OPS)
        return refuse(f, "the model has", (int64_t)f->ops.n, NULL, "ops; expected 1 to %d",
                      PITHP_TFL_MOST_OPS);
    if (f->inputs.n < 1 || f->inputs.n > PITHP_TFL_MOST_IO)
        return refuse(f, "the model has", (int64_t)f->inputs.n, NULL, "inputs; expected 1 to %d",
                      PITHP_TFL_MOST_IO);
    if (f->outputs.n < 1 || f->outputs.n > PITHP_TFL_MOST_IO)
        return refuse(f, "the model has", (int64_t)f->outputs.n, NULL, "outputs; expected 1 to %d",
                      PITHP_TFL_MOST_IO);
    return PITH_OK;
}

pith_status pithp_tfl_open(pith_ctx *c, pithp_tfl_file *f, const char *path, const void *p, size_t n)
{
    *f = (pithp_tfl_file){ .c = c, .path = path, .b = { .p = p, .n = n } };
    if ((n > 0 && (uintptr_t)p % 16) || *(const uint8_t *)&(const uint16_t){ 1 } != 1)
        return pithp_error(c, PITH_EINVAL,
                           "%s: its bytes are not aligned to 16, or this machine is big-endian: "
                           "data is used where it lies",
                           path);
    if (n > INT32_MAX)
        return pithp_error(c, PITH_EFORMAT, "%s: %zu bytes; a .tflite has less than 2 GB", path, n);
    pithp_fbr_table model = pithp_fbr_root(&f->b, PITHP_TFL_IDENTIFIER);
    int64_t version = pithp_fbr_int(model, TFL_MODEL_VERSION, 4, 0);
    pithp_fbr_vec subgraphs = pithp_fbr_vector(model, TFL_MODEL_SUBGRAPHS, 4);
    pithp_fbr_table g = pithp_fbr_item(&f->b, subgraphs, 0);
    f->codes = pithp_fbr_vector(model, TFL_MODEL_CODES, 4);
    f->buffers = pithp_fbr_vector(model, TFL_MODEL_BUFFERS, 4);
    f->description = pithp_fbr_string(model, TFL_MODEL_DESCRIPTION);
    f->tensors = pithp_fbr_vector(g, TFL_SUBGRAPH_TENSORS, 4);
    f->ops = pithp_fbr_vector(g, TFL_SUBGRAPH_OPERATORS, 4);
    f->inputs = pithp_fbr_vector(g, TFL_SUBGRAPH_INPUTS, 4);
    f->outputs = pithp_fbr_vector(g, TFL_SUBGRAPH_OUTPUTS, 4);
    if (f->b.fault)
        return broken(f, "the model", -1);
    if (version != PITHP_TFL_VERSION)
        return refuse(f, "has the schema version", version, NULL, "; expected %d", PITHP_TFL_VERSION);
    return counts(f, subgraphs.n);
}

pithp_fbr_vec pithp_tfl_metadata(pithp_tfl_file *f, const char *name)
{
    pithp_fbr_table model = pithp_fbr_root(&f->b, PITHP_TFL_IDENTIFIER);
    pithp_fbr_vec list = pithp_fbr_vector(model, TFL_MODEL_METADATA, 4);
    for (size_t i = 0; i < list.n && i < 64; i++) {
        pithp_fbr_table m = pithp_fbr_item(&f->b, list, i);
        const char *is = pithp_fbr_string(m, TFL_METADATA_NAME);
        int64_t buffer = pithp_fbr_int(m, TFL_METADATA_BUFFER, 4, 0) & UINT32_MAX;
        if (is && !strcmp(is, name))
            return pithp_fbr_vector(pithp_fbr_item(&f->b, f->buffers, (size_t)buffer), TFL_BUFFER_DATA, 1);
    }
    return (pithp_fbr_vec){ 0 };
}

/* ---- Tensors -------------------------------------------------------------------------------------------------------*/
static pith_status shape_of(pithp_tfl_file *f, pithp_tfl_view *v, pithp_fbr_vec dims)
{
    if (dims.n > PITH_MAX_DIMS)
        return refuse(f, "tensor", v->id, v->name, "has %zu dimensions; expected at most %d", dims.n,
                      PITH_MAX_DIMS);
    v->shape.ndim = (int)dims.n;
    for (size_t i = 0; i < dims.n; i++) {
        v->shape.d[i] = pithp_fbr_i32(dims, i);
        if (v->shape.d[i] < 1)
            return refuse(f, "tensor", v->id, v->name,
                          "has the size %lld in dimension %zu; expected 1 or more", (long long)v->shape.d[i],
                          i);
    }
    if (!dims.n)
        v->shape = PITH_SHAPE(1);
    if (!pithp_count_ok(v->shape, &v->count) || v->count > INT32_MAX)
        return refuse(f, "tensor", v->id, v->name, "has more than 2^31-1 elements");
    return PITH_OK;
}

static pith_status data_of(pithp_tfl_file *f, pithp_tfl_view *v, int64_t buffer)
{
    size_t size = pithp_tfl_type_bytes(v->type);
    if (buffer >= (int64_t)f->buffers.n)
        return refuse(f, "tensor", v->id, v->name, "has its data in buffer %lld of %zu", (long long)buffer,
                      f->buffers.n);
    pithp_fbr_table b = pithp_fbr_item(&f->b, f->buffers, (size_t)buffer);
    pithp_fbr_vec data = pithp_fbr_vector(b, TFL_BUFFER_DATA, 1);
    if (f->b.fault)
        return broken(f, "buffer", buffer);
    if (pithp_fbr_int(b, BUFFER_OFFSET, 8, 0) || pithp_fbr_int(b, BUFFER_SIZE, 8, 0))
        return refuse(f, "buffer", buffer, NULL, "lies outside the FlatBuffer; expected its data inside");
    if (!data.n)
        return PITH_OK;
    if (buffer == 0)
        return refuse(f, "buffer", 0, NULL, "holds %zu bytes; expected none (it stands for \"no data\")",
                      data.n);
    if (!size)
        return refuse(f, "tensor", v->id, v->name, "is a constant of the type %s, which is not known here",
                      pithp_tfl_type_name(v->type));
    if (data.n != (size_t)v->count * size)
        return refuse(f, "tensor", v->id, v->name, "has %zu bytes of data; its shape and type take %zu",
                      data.n, (size_t)v->count * size);
    if ((size_t)(data.p - f->b.p) % size)
        return refuse(f, "tensor", v->id, v->name, "has its data at a byte that is no multiple of %zu", size);
    v->data = data.p;
    return PITH_OK;
}

static pith_status zeros_of(pithp_tfl_file *f, pithp_tfl_view *v, pithp_fbr_vec zeros)
{
    if (zeros.n && zeros.n != (size_t)v->n_scale)
        return refuse(f, "tensor", v->id, v->name, "has %d scales and %zu zero points; expected as many",
                      v->n_scale, zeros.n);
    for (size_t i = 0; i < zeros.n; i++) {
        int64_t z = pithp_fbr_le64(zeros.p + 8 * i);
        if (z < INT32_MIN || z > INT32_MAX || (i && z != v->zero))
            return refuse(f, "tensor", v->id, v->name,
                          "has the zero point %lld at index %zu; expected an int32 that all "
                          "channels share",
                          (long long)z, i);
        v->zero = (int32_t)z;
    }
    return PITH_OK;
}

static pith_status quantization_of(pithp_tfl_file *f, pithp_tfl_view *v, pithp_fbr_table q)
{
    pithp_fbr_vec scales = pithp_fbr_vector(q, TFL_QUANT_SCALE, 4),
                  zeros = pithp_fbr_vector(q, TFL_QUANT_ZERO_POINT, 8);
    int64_t axis = pithp_fbr_int(q, TFL_QUANT_DIMENSION, 4, 0);
    unsigned details = pithp_fbr_u8(q, QUANT_DETAILS_TYPE, 0);
    if (f->b.fault)
        return broken(f, "the quantization of tensor", v->id);
    if (details)
        return refuse(f, "tensor", v->id, v->name,
                      "has a quantization of kind %u; expected scales and zero "
                      "points",
                      details);
    if (!scales.n)
        return zeros.n ? refuse(f, "tensor", v->id, v->name, "has zero points without scales") : PITH_OK;
    if (v->shape.ndim == 1 && axis > 0 && axis < PITH_MAX_DIMS)
        axis = 0; /* older converters gave biases the axis of their weights */
    if (scales.n > 1 && (axis < 0 || axis >= v->shape.ndim || (int64_t)scales.n != v->shape.d[axis]))
        return refuse(f, "tensor", v->id, v->name,
                      "has %zu scales along dimension %lld; expected one, or one for each index of "
                      "a dimension it has",
                      scales.n, (long long)axis);
    v->n_scale = (int)scales.n;
    v->axis = scales.n > 1 ? (int)axis : 0;
    v->scale = (const float *)(const void *)scales.p;
    for (size_t i = 0; i < scales.n; i++)
        if (!isfinite(pithp_fbr_lef(scales.p + 4 * i)) || !(pithp_fbr_lef(scales.p + 4 * i) > 0))
            return refuse(f, "tensor", v->id, v->name,
                          "has the scale %g at index %zu; expected a finite "
                          "number above 0",
                          (double)pithp_fbr_lef(scales.p + 4 * i), i);
    return zeros_of(f, v, zeros);
}

pith_status pithp_tfl_view_get(pithp_tfl_file *f, int64_t i, pithp_tfl_view *v)
{
    if (i < 0 || i >= (int64_t)f->tensors.n)
        return refuse(f, "there is no tensor", i, NULL, "(there are %zu)", f->tensors.n);
    pithp_fbr_table t = pithp_fbr_item(&f->b, f->tensors, (size_t)i);
    *v = (pithp_tfl_view){ .id = (int)i, .type = (int)pithp_fbr_u8(t, TFL_TENSOR_TYPE, TFL_FLOAT32) };
    v->name = pithp_fbr_string(t, TFL_TENSOR_NAME);
    v->name = v->name ? v->name : "";
    pithp_fbr_vec dims = pithp_fbr_vector(t, TFL_TENSOR_SHAPE, 4);
    pithp_fbr_table quant = pithp_fbr_sub(t, TFL_TENSOR_QUANTIZATION);
    int64_t buffer = pithp_fbr_int(t, TFL_TENSOR_BUFFER, 4, 0) & UINT32_MAX;
    bool variable = pithp_fbr_u8(t, TENSOR_VARIABLE, 0), sparse = pithp_fbr_has(t, TENSOR_SPARSITY);
    if (f->b.fault)
        return broken(f, "tensor", i);
    if (variable || sparse)
        return refuse(f, "tensor", v->id, v->name, "is %s; expected a plain one",
                      variable ? "a variable" : "sparse");
    pith_status s = shape_of(f, v, dims);
    if (!s)
        s = data_of(f, v, buffer);
    return s ? s : quantization_of(f, v, quant);
}

/* ---- Ops -----------------------------------------------------------------------------------------------------------*/
/* Older files have the code in one signed byte, newer ones in a field of four; the greater counts. */
static pith_status code_of(pithp_tfl_file *f, pithp_tfl_node *n, int64_t index)
{
    if (index >= (int64_t)f->codes.n)
        return refuse(f, "op", n->id, NULL, "has the operator code %lld of %zu", (long long)index,
                      f->codes.n);
    pithp_fbr_table t = pithp_fbr_item(&f->b, f->codes, (size_t)index);
    int64_t old = pithp_fbr_int(t, TFL_CODE_DEPRECATED, 1, 0),
            code = pithp_fbr_int(t, TFL_CODE_BUILTIN, 4, 0);
    n->version = (int)pithp_fbr_int(t, TFL_CODE_VERSION, 4, 1);
    n->code = (int)PITHP_MAX(old, code);
    if (f->b.fault)
        return broken(f, "operator code", index);
    return n->code < 0 ? refuse(f, "op", n->id, NULL, "has the operator number %d", n->code) : PITH_OK;
}

pith_status pithp_tfl_node_get(pithp_tfl_file *f, size_t i, pithp_tfl_node *n)
{
    pithp_fbr_table t = pithp_fbr_item(&f->b, f->ops, i);
    *n = (pithp_tfl_node){ .id = (int)i, .out = -1 };
    int64_t index = pithp_fbr_int(t, TFL_OPERATOR_CODE, 4, 0) & UINT32_MAX;
    n->in = pithp_fbr_vector(t, TFL_OPERATOR_INPUTS, 4);
    pithp_fbr_vec out = pithp_fbr_vector(t, TFL_OPERATOR_OUTPUTS, 4);
    n->options_type = (int)pithp_fbr_u8(t, TFL_OPERATOR_OPTIONS_TYPE, 0);
    n->options = pithp_fbr_sub(t, TFL_OPERATOR_OPTIONS);
    if (f->b.fault)
        return broken(f, "op", (int64_t)i);
    pith_status s = code_of(f, n, index);
    if (s)
        return s;
    if (n->in.n > 64 || out.n != 1)
        return pithp_tfl_node_error(f, n, PITH_EFORMAT,
                                    "has %zu operands and %zu results; expected at most 64 "
                                    "and 1",
                                    n->in.n, out.n);
    n->n_in = (int)n->in.n;
    n->out = pithp_fbr_i32(out, 0);
    for (int k = 0; k < n->n_in; k++)
        if (pithp_tfl_input(n, k) < -1 || pithp_tfl_input(n, k) >= (int64_t)f->tensors.n)
            return pithp_tfl_node_error(
                f, n, PITH_EFORMAT,
                "operand %d is tensor %d of %zu; expected one that is there, or -1 for "
                "none",
                k, pithp_tfl_input(n, k), f->tensors.n);
    pithp_tfl_view v;
    if ((s = pithp_tfl_view_get(f, n->out, &v)))
        return s;
    n->name = v.name;
    return v.data ? pithp_tfl_node_error(f, n, PITH_EFORMAT, "computes a constant") : PITH_OK;
}
