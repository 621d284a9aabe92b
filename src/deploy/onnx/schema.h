/* deploy/onnx/schema.h: numbers of ONNX's messages that are used here.
   Source: onnx/onnx.proto, github.com/onnx/onnx; IR version 8, operator set 13. */
#ifndef PITHP_ONNX_SCHEMA_H
#define PITHP_ONNX_SCHEMA_H

enum { PITHP_ONNX_IR = 8, PITHP_ONNX_OPSET = 13 };

enum { ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT8 = 3, ONNX_INT32 = 6, ONNX_INT64 = 7 };

enum {
    ONNX_MODEL_IR = 1,
    ONNX_MODEL_PRODUCER = 2,
    ONNX_MODEL_PRODUCER_VERSION = 3,
    ONNX_MODEL_GRAPH = 7,
    ONNX_MODEL_OPSET = 8,
    ONNX_MODEL_METADATA = 14
};
enum { ONNX_OPSET_VERSION = 2 };
enum { ONNX_PROP_KEY = 1, ONNX_PROP_VALUE = 2 };
enum {
    ONNX_GRAPH_NODE = 1,
    ONNX_GRAPH_NAME = 2,
    ONNX_GRAPH_INITIALIZER = 5,
    ONNX_GRAPH_INPUT = 11,
    ONNX_GRAPH_OUTPUT = 12
};
enum {
    ONNX_NODE_INPUT = 1,
    ONNX_NODE_OUTPUT = 2,
    ONNX_NODE_NAME = 3,
    ONNX_NODE_TYPE = 4,
    ONNX_NODE_ATTRIBUTE = 5
};
enum { ONNX_ATTR_NAME = 1, ONNX_ATTR_F = 2, ONNX_ATTR_I = 3, ONNX_ATTR_INTS = 8, ONNX_ATTR_TYPE = 20 };
enum { ONNX_ATTR_IS_FLOAT = 1, ONNX_ATTR_IS_INT = 2, ONNX_ATTR_IS_INTS = 7 };
enum { ONNX_TENSOR_DIMS = 1, ONNX_TENSOR_TYPE = 2, ONNX_TENSOR_NAME = 8, ONNX_TENSOR_RAW = 9 };
enum {
    ONNX_VALUE_NAME = 1,
    ONNX_VALUE_TYPE = 2,
    ONNX_TYPE_TENSOR = 1,
    ONNX_TYPE_ELEM = 1,
    ONNX_TYPE_SHAPE = 2
};
enum { ONNX_SHAPE_DIM = 1, ONNX_DIM_VALUE = 1, ONNX_DIM_PARAM = 2 };

#endif
