"""peer_int8.py [THREADS]: efnet-nano at 96x96 (random weights) as int8 in ONNX Runtime: static QDQ quantization, weights per
channel, activations uint8. Prints batch 1 on one thread and batch 32 on two, for bench/bench_int8 to be compared with.
Needs: pip install onnx onnxruntime numpy."""
import os, sys, tempfile, time
import numpy as np
import onnx
from onnx import helper as h, numpy_helper as nh, TensorProto as T
import onnxruntime as ort
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

rng = np.random.default_rng(1)
nodes, weights, count = [], [], [0]


def name(p):
    count[0] += 1
    return "%s%d" % (p, count[0])


def const(a):
    n = name("c")
    weights.append(nh.from_array(np.asarray(a), n))
    return n


def conv(x, ci, co, k, stride, groups, act):
    w = rng.normal(0, 1 / np.sqrt(ci // groups * k * k), (co, ci // groups, k, k)).astype(np.float32)
    y = name("t")
    nodes.append(h.make_node("Conv", [x, const(w), const(rng.normal(0, .1, co).astype(np.float32))], [y], kernel_shape=[k, k],
                             strides=[stride] * 2, group=groups, auto_pad="SAME_UPPER"))
    if not act:
        return y
    z = name("t")
    nodes.append(h.make_node("Clip", [y, zero, six], [z]))
    return z


zero, six = const(np.float32(0)), const(np.float32(6))
x, c = conv("x", 3, 16, 3, 2, 1, True), 16
for e, k, s, o, n in [(1, 3, 1, 16, 1), (4, 3, 2, 24, 2), (4, 5, 2, 40, 2), (4, 3, 2, 80, 3), (4, 5, 2, 112, 2)]:
    for i in range(n):
        stride, x0, m = (s if i == 0 else 1), x, c * e
        if e > 1:
            x = conv(x, c, m, 1, 1, 1, True)
        x = conv(x, m, m, k, stride, m, True)
        x = conv(x, m, o, 1, 1, 1, False)
        if stride == 1 and c == o:
            y = name("t")
            nodes.append(h.make_node("Add", [x0, x], [y]))
            x = y
        c = o
x = conv(x, c, 256, 1, 1, 1, True)
nodes.append(h.make_node("GlobalAveragePool", [x], ["gap"]))
nodes.append(h.make_node("Flatten", ["gap"], ["flat"]))
nodes.append(h.make_node("Gemm", ["flat", const(rng.normal(0, .06, (2, 256)).astype(np.float32)), const(np.zeros(2, np.float32))],
                         ["y"], transB=1))
graph = h.make_graph(nodes, "efnet-nano", [h.make_tensor_value_info("x", T.FLOAT, ["n", 3, 96, 96])],
                     [h.make_tensor_value_info("y", T.FLOAT, ["n", 2])], weights)
folder = tempfile.mkdtemp()
f32, i8 = os.path.join(folder, "f.onnx"), os.path.join(folder, "q.onnx")
onnx.save(h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8), f32)


class Data(CalibrationDataReader):
    def __init__(self):
        self.left = 8

    def get_next(self):
        self.left -= 1
        return {"x": rng.normal(0, 1, (8, 3, 96, 96)).astype(np.float32)} if self.left >= 0 else None


quantize_static(f32, i8, Data(), quant_format=QuantFormat.QDQ, per_channel=True, weight_type=QuantType.QInt8,
                activation_type=QuantType.QUInt8)


def measure(path, batch, threads, what):
    o = ort.SessionOptions()
    o.intra_op_num_threads = threads
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    data, t, end = {"x": rng.normal(0, 1, (batch, 3, 96, 96)).astype(np.float32)}, [], time.time() + 3
    while len(t) < 300 and time.time() < end:
        t0 = time.perf_counter()
        s.run(None, data)
        t.append(time.perf_counter() - t0)
    m = float(np.median(t))
    print("ONNX Runtime %s %s, batch %d, %d threads: median %.3f ms, least %.3f ms, %.0f img/s" %
          (ort.__version__, what, batch, threads, 1e3 * m, 1e3 * min(t), batch / m))


measure(i8, 1, 1, "int8")
measure(i8, 32, 2, "int8")
measure(f32, 1, 1, "float")
