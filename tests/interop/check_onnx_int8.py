"""ONNX Runtime runs the int8 .onnx files that pith wrote. Its integers round once, in float, ours (TensorFlow Lite Micro's)
round twice, so results may differ by a step. Operators on their own are run as the file says, without fusing. usage: check_onnx_int8.py DIR (as dump_int8_tflite wrote it)
"""
import sys

import numpy as np
import onnx
import onnxruntime as ort


def nchw(x):
    return np.ascontiguousarray(np.moveaxis(x, -1, 1)) if x.ndim == 4 else x


def main(folder):
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    total, off, most, where = {}, {}, {}, {}
    types = {"tensor(int8)": np.int8, "tensor(float)": np.float32}
    for line in open(folder + "/cases.txt"):
        name, n, n_in = line.split()
        n, n_in, kind = int(n), int(n_in), name.rsplit("-", 1)[0]
        onnx.checker.check_model(f"{folder}/{name}.onnx", full_check=True)
        s = ort.InferenceSession(f"{folder}/{name}.onnx", options, providers=["CPUExecutionProvider"])
        feed = {}
        for i, d in enumerate(s.get_inputs()):
            shape = [n] + d.shape[1:]
            if len(shape) == 4:
                shape = [shape[0], shape[2], shape[3], shape[1]]
            feed[d.name] = nchw(np.fromfile(f"{folder}/{name}.x{i}", types[d.type]).reshape(shape))
        got = s.run(None, feed)[0]
        if got.ndim == 4:
            got = np.moveaxis(got, 1, -1)
        want = np.fromfile(f"{folder}/{name}.y", got.dtype).reshape(got.shape)
        if got.dtype == np.float32:
            diff = np.abs(got - want) > 1e-6 * np.abs(want)
        else:
            diff = np.abs(got.astype(int) - want.astype(int))
        total[kind] = total.get(kind, 0) + diff.size
        off[kind] = off.get(kind, 0) + int((diff != 0).sum())
        if diff.max(initial=0) >= most.get(kind, 0):
            most[kind], where[kind] = int(diff.max(initial=0)), name
    bad = 0
    for kind in total:
        wrong = most[kind] > 1
        bad += wrong
        print(f"{kind:12} {total[kind]:8} outputs, {100 * off[kind] / total[kind]:6.3f}% differ, by at most {most[kind]}"
              f"{' in ' + where[kind] + '  WRONG' if wrong else ''}")
    return bad != 0 or not total


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
