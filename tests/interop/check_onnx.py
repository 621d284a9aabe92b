"""ONNX Runtime runs what pith exported and gets our results within 1e-4 of the largest; the onnx package's checker accepts
the files, with the shapes it infers. usage: check_onnx.py DIR (as dump_nets wrote it)
"""
import sys

import numpy as np
import onnx
import onnxruntime


def main(folder):
    bad = 0
    for line in open(folder + "/nets.txt"):
        name, n, *sizes = line.split()
        path = f"{folder}/{name}.onnx"
        x = np.fromfile(f"{folder}/{name}.x.f32", "<f4").reshape([int(n)] + [int(s) for s in sizes])
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        if len({i.name for i in model.graph.initializer}) != len(model.graph.initializer):
            raise SystemExit(f"{name}: two constants of one name")
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        if x.ndim == 4:
            x = x.transpose(0, 3, 1, 2)
        theirs = session.run(None, {session.get_inputs()[0].name: np.ascontiguousarray(x)})[0]
        if theirs.ndim == 4:
            theirs = theirs.transpose(0, 2, 3, 1)
        y = np.fromfile(f"{folder}/{name}.y.f32", "<f4").reshape(theirs.shape)
        off = np.abs(theirs - y).max() / max(1, np.abs(y).max())
        bad += not off <= 1e-4
        print(f"{name}: off by {off:.2e} of {np.abs(y).max():.3g}{'' if off <= 1e-4 else '  DIFFERS'}")
    return bad != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
