/* tests/tflite_help.h: what the suites of .tflite files ask of one. */
#ifndef PITH_TESTS_TFLITE_HELP_H
#define PITH_TESTS_TFLITE_HELP_H

#include "deploy/tflite/schema.h"
#include "flatbuffer_help.h"

static blob file;
static size_t graph, buffers;

static inline void open_file(const char *path)
{
    free((void *)(uintptr_t)file.p);
    file.p = slurp(path, &file.n);
    ck_assert_mem_eq(file.p + 4, "TFL3", 4);
    size_t model = fb_root(file);
    ck_assert_int_eq(fb_int(file, model, TFL_MODEL_VERSION, 4, 0), 3);
    graph = fb_item(file, fb_ref(file, model, TFL_MODEL_SUBGRAPHS), 0);
    buffers = fb_ref(file, model, TFL_MODEL_BUFFERS);
}

static inline size_t n_ops(void) { return fb_len(file, fb_ref(file, graph, TFL_SUBGRAPH_OPERATORS)); }
static inline size_t op_at(size_t i) { return fb_item(file, fb_ref(file, graph, TFL_SUBGRAPH_OPERATORS), i); }

static inline int code_of(size_t i)
{
    size_t codes = fb_ref(file, fb_root(file), TFL_MODEL_CODES);
    size_t code = fb_item(file, codes, (size_t)fb_int(file, op_at(i), TFL_OPERATOR_CODE, 4, 0));
    return (int)fb_int(file, code, TFL_CODE_BUILTIN, 4, 0);
}

static inline int64_t option(size_t i, int field, size_t size, int64_t dflt)
{
    return fb_int(file, fb_ref(file, op_at(i), TFL_OPERATOR_OPTIONS), field, size, dflt);
}

static inline size_t tensor(size_t i) { return fb_item(file, fb_ref(file, graph, TFL_SUBGRAPH_TENSORS), i); }
static inline size_t input_of(size_t i, size_t k)
{
    size_t v = fb_ref(file, op_at(i), TFL_OPERATOR_INPUTS);
    ck_assert_uint_lt(k, fb_len(file, v));
    return tensor((size_t)fb_at(file, v + 4 + 4 * k, 4));
}

/* A constant's bytes; NULL: the tensor has none. */
static inline const void *data_of(size_t t, size_t *n)
{
    size_t b = fb_item(file, buffers, (size_t)fb_int(file, t, TFL_TENSOR_BUFFER, 4, 0));
    if (!fb_field(file, b, TFL_BUFFER_DATA))
        return NULL;
    size_t v = fb_ref(file, b, TFL_BUFFER_DATA);
    ck_assert_uint_eq((v + 4) % 16, 0);
    *n = fb_len(file, v);
    return file.p + v + 4;
}

static inline size_t quant(size_t t) { return fb_ref(file, t, TFL_TENSOR_QUANTIZATION); }
static inline size_t scales(size_t t) { return fb_len(file, fb_ref(file, quant(t), TFL_QUANT_SCALE)); }
static inline int64_t axis(size_t t) { return fb_int(file, quant(t), TFL_QUANT_DIMENSION, 4, 0); }
static inline int64_t type(size_t t) { return fb_int(file, t, TFL_TENSOR_TYPE, 1, 0); }

static inline int64_t zero_point(size_t t, size_t i)
{
    size_t v = fb_ref(file, quant(t), TFL_QUANT_ZERO_POINT);
    ck_assert_uint_lt(i, fb_len(file, v));
    return (int64_t)fb_at(file, v + 4 + 8 * i, 8);
}

static inline int64_t version_of(size_t i)
{
    size_t codes = fb_ref(file, fb_root(file), TFL_MODEL_CODES);
    return fb_int(file, fb_item(file, codes, (size_t)fb_int(file, op_at(i), TFL_OPERATOR_CODE, 4, 0)),
                  TFL_CODE_VERSION, 4, 1);
}

/* After each test: the file read last, then the context. */
static inline void close_file(void)
{
    free((void *)(uintptr_t)file.p);
    file.p = NULL;
    teardown();
}

#endif
