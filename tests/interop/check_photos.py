"""Trained networks on photographs: every format that pith writes, in the runtimes that people use, beside what pith itself
computes. One table, and JSON for scripts.
usage: check_photos.py BUILD-DIR DATA N WORK-DIR [--json OUT.json] [--hardly-trained] NAME=MODEL.pith...
DATA: a folder with train/ and val/; N: photographs of val/ (0: all). A row that a contract promises and does not hold makes
the status 1:
  int8 .tflite    TFLite Micro: 0 different bytes. LiteRT's default kernels (XNNPACK, one rounding): same class on 99.5%
  float32         within 1e-4 of the largest output; float16: same class on 99.8%
  dynamic         same class on 99.8% with LiteRT's reference kernels, 99% with XNNPACK
  int8 .onnx      ONNX Runtime: same class on 99.5%; every operator fused; 99% of the outputs within 2 steps of our integers
                  when they round once, as its own do. (Of our contract's, which round twice, deep networks are farther: told.)
A share that is less than one photograph of N still allows one. Writing any format takes less than a second.
"""
import argparse
import collections
import glob
import importlib.metadata
import json
import logging
import math
import os
import random
import subprocess
import sys
import time

import numpy as np
import onnx
import onnxruntime as ort
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tflite_micro import runtime as micro

XNNPACK, REFERENCE = OpResolverType.AUTO, OpResolverType.BUILTIN_REF
FUSED = {"Conv": "QLinearConv", "Gemm": "QGemm", "Add": "QLinearAdd", "Mul": "QLinearMul", "Sigmoid": "QLinearSigmoid",
         "GlobalAveragePool": "QLinearGlobalAveragePool"}


class Outputs:
    """What pith makes of the photographs: x as given to it (int8 and float32), y."""

    def __init__(self, folder):
        n, h, w, c, k, kind, scale, zero = open(folder + "/facts.txt").read().split()
        self.scale, self.zero, shape = float(scale), int(zero), [int(n), int(h), int(w), int(c)]
        self.x = np.fromfile(folder + "/x.f32", "<f4").reshape(shape)
        self.x8 = np.fromfile(folder + "/x.i8", np.int8).reshape(shape) if kind == "i8" else None
        self.y = np.fromfile(folder + "/y", np.int8 if kind == "i8" else "<f4").reshape(int(n), int(k))
        if kind == "i8":
            self.single = np.fromfile(folder + "/y.single", np.int8).reshape(self.y.shape)


def litert(path, x, resolver):
    it = Interpreter(path, experimental_op_resolver_type=resolver, num_threads=1)
    it.allocate_tensors()
    i, o = it.get_input_details()[0]["index"], it.get_output_details()[0]["index"]
    out = []
    for sample in x:
        it.set_tensor(i, sample[None])
        it.invoke()
        out.append(it.get_tensor(o)[0].copy())
    return np.stack(out)


def tflm(path, x):
    it = micro.Interpreter.from_file(path, arena_size=16 << 20)
    out = []
    for sample in x:
        it.set_input(sample[None], 0)
        it.invoke()
        out.append(np.array(it.get_output(0)).reshape(-1))
    return np.stack(out)


def onnx_run(path, x):
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    s = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
    name = s.get_inputs()[0].name
    return np.concatenate([s.run(None, {name: x[i:i + 32]})[0] for i in range(0, len(x), 32)])


def fusing(path, work):
    """Operators that ONNX Runtime left in float, and how many convolutions it fused."""
    options = ort.SessionOptions()
    options.optimized_model_filepath, options.log_severity_level = work + "/optimized.onnx", 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    before = collections.Counter(n.op_type for n in onnx.load(path).graph.node)
    after = collections.Counter(n.op_type for n in onnx.load(options.optimized_model_filepath).graph.node)
    left = {t: after[t] for t in FUSED if after[t]}
    short = {t: f"{after[q]} of {before[t]}" for t, q in FUSED.items() if after[q] != before[t]}
    return left, short, {q: after[q] for q in FUSED.values() if after[q]}


def compare(net, form, engine, ours, theirs):
    n = len(ours)
    row = {"net": net, "format": form, "engine": engine, "n": n,
           "same_class": int((ours.argmax(1) == theirs.argmax(1)).sum())}
    if ours.dtype == np.int8:
        steps = np.abs(theirs.astype(int) - ours.astype(int))
        row["different"] = int((steps != 0).sum())
        row["outputs"] = int(steps.size)
        row["steps"] = {int(k): int(v) for k, v in zip(*np.unique(steps, return_counts=True))}
    else:
        row["off"] = float(np.abs(theirs - ours).max() / max(1, np.abs(ours).max()))
    return row


def judge(row, trained=True, same=None, bytes_=None, off=None, within=None):
    """A network that hardly trained wavers at one step: then classes and steps are told, not judged. same: least share of equal classes; bytes_: most different; off: most; within (steps, least share)."""
    n, ok = row["n"], True
    if same is not None and trained:
        ok &= row["same_class"] >= min(math.ceil(same * n), n - 1)
    if bytes_ is not None:
        ok &= row["different"] <= bytes_
    if off is not None:
        ok &= row["off"] <= off
    if within is not None and trained:
        ok &= sum(v for k, v in row["steps"].items() if k <= within[0]) >= within[1] * row["outputs"]
    row["ok"] = bool(ok)
    return row


def tell(row):
    if "off" in row:
        seen = f"off by {row['off']:.1e}"
    else:
        seen = "steps " + ", ".join(f"{k}: {v}" for k, v in row["steps"].items())
    extra = "  " + row["note"] if "note" in row else ""
    print(f"{row['net']:14} {row['format']:14} {row['engine']:18} same class {row['same_class']}/{row['n']}  {seen}{extra}"
          f"{'' if row['ok'] else '  NOT HELD'}", flush=True)
    return row


class Net:
    def __init__(self, a, name, model, photographs):
        self.name, self.build, self.trained = name, a.build, not a.hardly_trained
        self.work = f"{a.work}/{name}"
        os.makedirs(self.work, exist_ok=True)
        self.list, self.writing = self.work + "/list.txt", {}
        open(self.list, "w").write("".join(p + "\n" for p in photographs))
        self.models = {"float": model}
        for scheme in ("int8", "dynamic"):
            self.models[scheme] = f"{self.work}/{scheme}.pith"
            if not os.path.exists(self.models[scheme]):
                subprocess.run([f"{a.build}/pith", "quantize", model, "--data", a.data, "--scheme", scheme, "-o",
                                self.models[scheme], "--no-eval", "-q"], check=True, stdout=subprocess.DEVNULL)

    def ours(self, kind):
        folder = f"{self.work}/{kind}"
        os.makedirs(folder, exist_ok=True)
        subprocess.run([f"{self.build}/tests/interop/dump_photos", folder, self.models[kind], self.list], check=True)
        return Outputs(folder)

    def export(self, kind, end, *options):
        path, start = f"{self.work}/{kind}{''.join(options)}.{end}", time.monotonic()
        subprocess.run([f"{self.build}/pith", "export", self.models[kind], "-o", path, "-q", *options], check=True)
        self.writing[" ".join((kind, end) + options)] = round(time.monotonic() - start, 3)
        return path

    def rounding(self, ours, form, engine, theirs):
        """An engine that rounds once, also beside ours when it rounds once: what is then left is not rounding."""
        r = compare(self.name, form, engine, ours.y, theirs)
        steps = np.abs(ours.single.astype(int) - theirs.astype(int))
        r["steps_when_we_round_once"] = {int(k): int(v) for k, v in zip(*np.unique(steps, return_counts=True))}
        r["note"] = "(rounding once: " + ", ".join(f"{k}: {v}" for k, v in r["steps_when_we_round_once"].items()) + ")"
        return r

    def rows(self):
        def row(form, engine, ours, theirs, **want):
            return tell(judge(compare(self.name, form, engine, ours.y, theirs), self.trained, **want))

        ours = self.ours("int8")
        path = self.export("int8", "tflite")
        yield row("int8 .tflite", "TFLite Micro", ours, tflm(path, ours.x8), bytes_=0)
        yield row("int8 .tflite", "LiteRT reference", ours, litert(path, ours.x8, REFERENCE), same=0.995)
        yield tell(judge(self.rounding(ours, "int8 .tflite", "LiteRT XNNPACK", litert(path, ours.x8, XNNPACK)), self.trained, same=0.995))
        path, floats = self.export("int8", "onnx", "--int8-io"), self.export("int8", "onnx")
        theirs, (left, short, fused) = onnx_run(path, ours.x8), fusing(floats, self.work)
        again = np.rint(onnx_run(floats, ours.x) / ours.scale).astype(int) + ours.zero
        r = judge(self.rounding(ours, "int8 .onnx", "ONNX Runtime", theirs), self.trained, same=0.995, within=(2, 0.99))
        r["within_2_steps"] = sum(v for k, v in r["steps"].items() if k <= 2) / r["outputs"]
        r["fused"], r["left_in_float"] = fused, left
        r["note"] += f"; fused {sum(fused.values())}" + (f", NOT {left} {short}" if left or short else ", none left")
        r["ok"] &= not left and not short and bool((again == theirs).all())
        yield tell(r)
        ours = self.ours("float")
        path = self.export("float", "tflite")
        yield row("float32 .tflite", "LiteRT reference", ours, litert(path, ours.x, REFERENCE), off=1e-4)
        yield row("float32 .tflite", "LiteRT XNNPACK", ours, litert(path, ours.x, XNNPACK), off=1e-4)
        yield row("float32 .onnx", "ONNX Runtime", ours, onnx_run(self.export("float", "onnx"), ours.x), off=1e-4)
        path = self.export("float", "tflite", "--numbers", "float16")
        yield row("float16 .tflite", "LiteRT XNNPACK", ours, litert(path, ours.x, XNNPACK), same=0.998)
        ours = self.ours("dynamic")
        path = self.export("dynamic", "tflite")
        yield row("dynamic .tflite", "LiteRT reference", ours, litert(path, ours.x, REFERENCE), same=0.998)
        yield row("dynamic .tflite", "LiteRT XNNPACK", ours, litert(path, ours.x, XNNPACK), same=0.99)


def save(path, rows, writing, n):
    """Networks that the file has from an earlier run on as many photographs stay."""
    old = json.load(open(path)) if os.path.exists(path) else {}
    if old.get("photographs") == n:
        rows = [r for r in old["rows"] if r["net"] not in writing] + rows
        writing = {**old["writing_seconds"], **writing}
    versions = {m: importlib.metadata.version(m) for m in ("tflite-micro", "ai-edge-litert", "onnxruntime")}
    with open(path, "w") as f:
        f.write(json.dumps({"versions": versions, "photographs": n, "writing_seconds": writing})[:-1] + ',\n "rows": [\n  ')
        f.write(",\n  ".join(json.dumps(r) for r in rows) + "\n ]}\n")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build"), p.add_argument("data"), p.add_argument("n", type=int), p.add_argument("work")
    p.add_argument("nets", nargs="+"), p.add_argument("--json"), p.add_argument("--hardly-trained", action="store_true")
    a = p.parse_args()
    photographs = sorted(glob.glob(a.data + "/val/*/*"))
    random.Random(6).shuffle(photographs)
    photographs = photographs[:a.n or None]
    rows, writing = [], {}
    for net in a.nets:
        name, model = net.split("=", 1)
        n = Net(a, name, model, photographs)
        rows += list(n.rows())
        writing[name] = n.writing
    slowest = max(s for w in writing.values() for s in w.values())
    bad = sum(not r["ok"] for r in rows) + (slowest >= 1)
    print(f"writing a file: {slowest} s at most (the whole command){'' if slowest < 1 else '  NOT HELD'}")
    if a.json:
        save(a.json, rows, writing, len(photographs))
    return bad != 0 or not rows


if __name__ == "__main__":
    logging.disable(logging.INFO)
    sys.exit(main())
