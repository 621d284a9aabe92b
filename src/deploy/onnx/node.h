/* deploy/onnx/node.h: the pieces of an ONNX file that know no graph of ours: the model around it, values, constants, nodes.
   The exporters of the float graph and of the integer graph both write through it. */
#ifndef PITHP_ONNX_NODE_H
#define PITHP_ONNX_NODE_H

#include "deploy/onnx/schema.h"
#include "base/protobuf.h"
#include "graph/model.h"

enum { PITHP_ONNX_NAME = 512 };
typedef char pithp_onnx_name[PITHP_ONNX_NAME];
/* Both, one behind the other, in buf; a name that is too long fails pb. */
const char *pithp_onnx_join(pithp_pb *pb, const char *base, const char *suffix, pithp_onnx_name buf);

/* ---- The model (model.c) ---- */
/* Everything up to the graph, whose inputs, nodes, constants and outputs come between begin and save. */
void pithp_onnx_begin(pithp_pb *pb, const char *name);
/* An input (ONNX_GRAPH_INPUT) or output (ONNX_GRAPH_OUTPUT) of this type. A first dimension of 1 is any number of samples. */
void pithp_onnx_value(pithp_pb *pb, int field, const char *name, int type, pith_shape shape);
/* Ends the graph, adds what the model's meta strings say (m may be NULL), and writes the file: whole, or not at all.
   errors   the first of any call before; PITH_EIO, PITH_ENOTFOUND: the path */
pith_status pithp_onnx_save(pithp_pb *pb, const pith_model *m, const char *path);

/* ---- Constants ---- */
void pithp_onnx_tensor(pithp_pb *pb, const char *name, int type, pith_shape shape, const void *data);
/* [n,h,w,c] as [n,c,h,w], dimensions that are missing being 1 (counted from the last, as broadcasting does); depthwise:
   [1,h,w,c] as [c,1,h,w]. */
void pithp_onnx_tensor_nchw(pithp_pb *pb, const char *name, int type, pith_shape shape, const void *data,
                            bool depthwise);
void pithp_onnx_ints(pithp_pb *pb, const char *name, const int64_t *v, int n);
void pithp_onnx_real(pithp_pb *pb, const char *name, float v);

/* ---- A node: begin, attributes, end; or simple, without attributes ---- */
void pithp_onnx_node(pithp_pb *pb, const char *type, const char *const *in, int n, const char *out);
void pithp_onnx_attr_int(pithp_pb *pb, const char *name, int64_t v);
void pithp_onnx_attr_real(pithp_pb *pb, const char *name, double v);
void pithp_onnx_attr_ints(pithp_pb *pb, const char *name, const int64_t *v, int n);
void pithp_onnx_end(pithp_pb *pb);
void pithp_onnx_simple(pithp_pb *pb, const char *type, const char *const *in, int n, const char *out);

void pithp_onnx_hard_sigmoid(pithp_pb *pb, const char *x, const char *out); /* min(max(x/6 + 1/2, 0), 1) */

/* Where dimension `axis` of [N,H,W,C] lies in [N,C,H,W] (nchw), or where it is. */
int pithp_onnx_axis(int axis, bool nchw);

#endif
