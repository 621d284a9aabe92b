"""ONNX Runtime on the network of a .pith file, timed as `pith bench infer` times it. The ONNX model is written by hand from
the file's graph and weights; the runtime's own graph optimizer folds batch norms and fuses activations.
usage: peer_onnx.py infer MODEL.pith BATCH THREADS SECONDS [onnxruntime]   prints one JSON object.
"""
import json
import resource
import statistics
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from safetensors import safe_open


class Writer:
    def __init__(self, path):
        with safe_open(path, framework="np") as f:
            graph = json.loads(f.metadata()["pith.graph"])
            tensors = {k: f.get_tensor(k) for k in f.keys()}
        self.value = {n["id"]: tensors[n["tensor"]] for n in graph["nodes"] if n["kind"] in ("param", "state")}
        self.nodes, self.consts = [], []
        for n in graph["nodes"]:
            if n["kind"] == "input":
                self.input, self.shape = f"t{n['id']}", n["shape"][1:]
            elif n["kind"] == "op":
                self.op(n["op"], n["attrs"], n["inputs"], f"t{n['id']}")
        self.output = f"t{graph['output']}"

    def const(self, name, array):
        self.consts.append(numpy_helper.from_array(np.ascontiguousarray(array, dtype=array.dtype), name))
        return name

    def add(self, kind, inputs, out, **attrs):
        self.nodes.append(helper.make_node(kind, inputs, [out], **attrs))

    def op(self, op, a, inputs, out):
        x = f"t{inputs[0]}"
        w = [self.value.get(i) for i in inputs]
        if op in ("conv2d", "depthwise_conv2d"):
            k = w[1].transpose(3, 0, 1, 2) if a["depthwise"] else w[1].transpose(0, 3, 1, 2)
            names = [x, self.const(out + "_w", k)]
            if len(w) > 2 and w[2] is not None:
                names.append(self.const(out + "_b", w[2]))
            pad = {0: "SAME_UPPER", 1: "VALID"}.get(a["pad_mode"])
            where = {"auto_pad": pad} if pad else {"pads": [a["pad_top"], a["pad_left"], a["pad_bottom"], a["pad_right"]]}
            self.add("Conv", names, out, kernel_shape=k.shape[2:], strides=[a["stride_h"], a["stride_w"]],
                     dilations=[a["dilation_h"], a["dilation_w"]],
                     group=k.shape[0] if a["depthwise"] else a["groups"], **where)
        elif op == "batch_norm":
            self.add("BatchNormalization", [x] + [self.const(f"{out}_{i}", w[i]) for i in range(1, 5)], out, epsilon=a["eps"])
        elif op == "relu6":
            self.add("Clip", [x, self.const(out + "_0", np.float32(0)), self.const(out + "_6", np.float32(6))], out)
        elif op in ("relu", "sigmoid"):
            self.add({"relu": "Relu", "sigmoid": "Sigmoid"}[op], [x], out)
        elif op == "silu":
            self.add("Sigmoid", [x], out + "_s")
            self.add("Mul", [x, out + "_s"], out)
        elif op in ("add", "mul"):
            self.add({"add": "Add", "mul": "Mul"}[op], [x, f"t{inputs[1]}"], out)
        elif op == "global_avgpool":
            self.add("GlobalAveragePool", [x], out)
        elif op == "mean":
            nchw = [0, 2, 3, 1]
            self.add("ReduceMean", [x], out, axes=[nchw[i] for i in range(4) if a["axes"] >> i & 1], keepdims=int(a["keep"]))
        elif op == "reshape":
            self.add("Identity", [x], out)  # [N,C] and [N,C,1,1]: GlobalAveragePool keeps the latter
        elif op == "dropout":
            self.add("Identity", [x], out)
        elif op == "dense":
            self.add("Flatten", [x], out + "_f")
            names = [out + "_f", self.const(out + "_w", w[1])]
            if w[2] is not None:
                names.append(self.const(out + "_b", w[2]))
            self.add("Gemm", names, out, transB=1)
        else:
            raise SystemExit(f"peer_onnx: op {op} is not known here")

    def bytes(self, batch):
        h, w, c = self.shape
        x = helper.make_tensor_value_info(self.input, TensorProto.FLOAT, [batch, c, h, w])
        y = helper.make_tensor_value_info(self.output, TensorProto.FLOAT, [batch, None])
        g = helper.make_graph(self.nodes, "net", [x], [y], self.consts)
        m = helper.make_model(g, opset_imports=[helper.make_opsetid("", 17)])
        m.ir_version = 9
        onnx.checker.check_model(m)
        return m.SerializeToString()


def main(what, path, batch, threads, seconds, how="onnxruntime"):
    net, batch = Writer(path), int(batch)
    o = ort.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = int(threads), 1
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    o.add_session_config_entry("session.set_denormal_as_zero", "1")
    s = ort.InferenceSession(net.bytes(batch), o, providers=["CPUExecutionProvider"])
    h, w, c = net.shape
    feed = {net.input: np.random.default_rng(0).uniform(-1, 1, (batch, c, h, w)).astype(np.float32)}
    for _ in range(4):
        s.run(None, feed)
    ms, end = [], time.perf_counter() + float(seconds)
    while len(ms) < 5 or time.perf_counter() < end:
        t = time.perf_counter()
        s.run(None, feed)
        ms.append(1e3 * (time.perf_counter() - t))
    median = statistics.median(ms)
    print(json.dumps({"engine": "ONNX Runtime " + ort.__version__, "how": how, "batch": batch, "threads": int(threads),
                      "img_per_s": 1e3 * batch / median, "ms_median": median, "ms_min": min(ms), "ms_max": max(ms),
                      "steps": len(ms), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
