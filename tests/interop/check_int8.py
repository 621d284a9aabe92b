"""check_int8.py DIR tflm|litert: repeats the cases that dump_int8 wrote in another runtime; every byte has to be equal.

tflm    TFLite Micro's reference kernels (PyPI tflite-micro), the definition of the integer engine
litert  LiteRT's reference kernels (PyPI ai-edge-litert): differences are counted and told, per op; those of KNOWN do not fail
"""
import json, sys, time
import numpy as np
import flatbuffers
import tflite

TYPES = {"i8": (tflite.TensorType.INT8, np.int8), "i32": (tflite.TensorType.INT32, np.int32),
         "f32": (tflite.TensorType.FLOAT32, np.float32)}
# Where LiteRT's kernels are known to give other bytes than TFLite Micro's, and why.
KNOWN = {
    "dense": "one scale per channel: LiteRT forms S_in*S_w in float32, TFLite Micro in double",
}
# (LiteRT also refuses int8 convolutions without a bias.)


class Model:
    """A .tflite of one op, written from a case."""

    def __init__(self, case, data):
        self.case, self.data, self.b = case, data, flatbuffers.Builder(1 << 16)
        self.buffers, self.tensors = [b""], []

    def numpy(self, t, samples=1):
        dtype = TYPES[t["dtype"]][1]
        shape = list(t["shape"])
        if not t["const"]:
            shape[0] *= samples
        count = int(np.prod(shape))
        return np.frombuffer(self.data, dtype, count, t["data"]).reshape(shape)

    def tensor(self, name, shape, dtype, scale=(), zero=0, axis=0, value=None):
        self.buffers.append(value.tobytes() if value is not None else b"")
        self.tensors.append((name, list(shape), dtype, list(scale), zero, axis, len(self.buffers) - 1 if value is not None else 0))
        if value is None:
            self.buffers.pop()
        return len(self.tensors) - 1

    def from_case(self, t):
        shape = list(t["shape"])
        if not t["const"]:
            shape[0] = self.case["n"]
        return self.tensor(t["name"], shape, TYPES[t["dtype"]][0], t["scale"], t["zero"], t["axis"],
                           self.numpy(t) if t["const"] else None)

    def vector(self, start, items, push):
        start(self.b, len(items))
        for i in reversed(items):
            push(i)
        return self.b.EndVector()

    def ints(self, start, items):
        return self.vector(start, items, self.b.PrependInt32)

    def options(self):
        """(type, offset) of the op's options."""
        b, c = self.b, self.case
        act = [0, 1, 3, 2][c["act"]]  # NONE, RELU, RELU6, RELU_N1_TO_1
        stride, dil = [max(s, 1) for s in c["stride"]], [max(d, 1) for d in c["dilation"]]
        same = 0 if any(c["pad"][:4]) else 1
        op = c["op"]
        if op in ("CONV_2D", "AVERAGE_POOL_2D", "MAX_POOL_2D", "DEPTHWISE_CONV_2D"):
            o = {"CONV_2D": "Conv2DOptions", "DEPTHWISE_CONV_2D": "DepthwiseConv2DOptions"}.get(op, "Pool2DOptions")
            m = {k: getattr(tflite, o + k) for k in ("Start", "End", "AddPadding", "AddStrideH", "AddStrideW",
                                                     "AddFusedActivationFunction")}
            m["Start"](b); m["AddPadding"](b, same); m["AddStrideH"](b, stride[0]); m["AddStrideW"](b, stride[1])
            m["AddFusedActivationFunction"](b, act)
            if o == "Pool2DOptions":
                tflite.Pool2DOptionsAddFilterHeight(b, c["kernel"][0]); tflite.Pool2DOptionsAddFilterWidth(b, c["kernel"][1])
            else:
                getattr(tflite, o + "AddDilationHFactor")(b, dil[0]); getattr(tflite, o + "AddDilationWFactor")(b, dil[1])
            if op == "DEPTHWISE_CONV_2D":
                tflite.DepthwiseConv2DOptionsAddDepthMultiplier(b, c["in"][1]["shape"][3] // c["in"][0]["shape"][3])
            return getattr(tflite.BuiltinOptions, o), m["End"](b)
        if op in ("ADD", "SUB", "MUL", "FULLY_CONNECTED"):
            o = {"ADD": "AddOptions", "SUB": "SubOptions", "MUL": "MulOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}[op]
            getattr(tflite, o + "Start")(b)
            getattr(tflite, o + "AddFusedActivationFunction")(b, act)
            return getattr(tflite.BuiltinOptions, o), getattr(tflite, o + "End")(b)
        if op == "MEAN":
            tflite.ReducerOptionsStart(b); tflite.ReducerOptionsAddKeepDims(b, c["keep_dims"])
            return tflite.BuiltinOptions.ReducerOptions, tflite.ReducerOptionsEnd(b)
        if op == "CONCATENATION":
            tflite.ConcatenationOptionsStart(b); tflite.ConcatenationOptionsAddAxis(b, c["axis"])
            return tflite.BuiltinOptions.ConcatenationOptions, tflite.ConcatenationOptionsEnd(b)
        if op == "SOFTMAX":
            tflite.SoftmaxOptionsStart(b); tflite.SoftmaxOptionsAddBeta(b, c["beta"] or 1.0)
            return tflite.BuiltinOptions.SoftmaxOptions, tflite.SoftmaxOptionsEnd(b)
        return None, None

    def extra(self):
        """Operands that TFLite has as tensors and we as attributes."""
        c, i32 = self.case, tflite.TensorType.INT32
        if c["op"] == "PAD":
            p = [0, 0] + c["pad"]
            return [self.tensor("p", [4, 2], i32, value=np.array(p, np.int32))]
        if c["op"] == "MEAN":
            return [self.tensor("axes", [2], i32, value=np.array([1, 2], np.int32))]
        if c["op"] == "RESHAPE":
            s = [c["n"]] + c["out"]["shape"][1:]
            return [self.tensor("shape", [len(s)], i32, value=np.array(s, np.int32))]
        return []

    def write_tensor(self, t):
        name, shape, dtype, scale, zero, axis, buffer = t
        b = self.b
        off, q = b.CreateString(name), None
        if scale:
            s = self.vector(tflite.QuantizationParametersStartScaleVector, scale, b.PrependFloat32)
            z = self.vector(tflite.QuantizationParametersStartZeroPointVector, [zero] * len(scale), b.PrependInt64)
            tflite.QuantizationParametersStart(b)
            tflite.QuantizationParametersAddScale(b, s); tflite.QuantizationParametersAddZeroPoint(b, z)
            tflite.QuantizationParametersAddQuantizedDimension(b, axis)
            q = tflite.QuantizationParametersEnd(b)
        sh = self.ints(tflite.TensorStartShapeVector, shape)
        tflite.TensorStart(b)
        tflite.TensorAddShape(b, sh); tflite.TensorAddType(b, dtype); tflite.TensorAddBuffer(b, buffer)
        tflite.TensorAddName(b, off)
        if q is not None:
            tflite.TensorAddQuantization(b, q)
        return tflite.TensorEnd(b)

    def write(self):
        b, c = self.b, self.case
        ins = [self.from_case(t) for t in c["in"]] + self.extra()
        out = self.from_case(c["out"])
        bufs = []
        for data in self.buffers:
            d = b.CreateByteVector(data) if data else None
            tflite.BufferStart(b)
            if d is not None:
                tflite.BufferAddData(b, d)
            bufs.append(tflite.BufferEnd(b))
        tensors = [self.write_tensor(t) for t in self.tensors]
        kind, opt = self.options()
        vi, vo = self.ints(tflite.OperatorStartInputsVector, ins), self.ints(tflite.OperatorStartOutputsVector, [out])
        tflite.OperatorStart(b)
        tflite.OperatorAddOpcodeIndex(b, 0); tflite.OperatorAddInputs(b, vi); tflite.OperatorAddOutputs(b, vo)
        if opt is not None:
            tflite.OperatorAddBuiltinOptionsType(b, kind); tflite.OperatorAddBuiltinOptions(b, opt)
        op = tflite.OperatorEnd(b)
        free = [i for i, t in zip(ins, c["in"]) if not t["const"]]
        vt = self.vector(tflite.SubGraphStartTensorsVector, tensors, b.PrependUOffsetTRelative)
        vops = self.vector(tflite.SubGraphStartOperatorsVector, [op], b.PrependUOffsetTRelative)
        gi, go = self.ints(tflite.SubGraphStartInputsVector, free), self.ints(tflite.SubGraphStartOutputsVector, [out])
        tflite.SubGraphStart(b)
        tflite.SubGraphAddTensors(b, vt); tflite.SubGraphAddOperators(b, vops)
        tflite.SubGraphAddInputs(b, gi); tflite.SubGraphAddOutputs(b, go)
        sub = tflite.SubGraphEnd(b)
        code = getattr(tflite.BuiltinOperator, c["op"])
        tflite.OperatorCodeStart(b)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(b, min(code, 127)); tflite.OperatorCodeAddBuiltinCode(b, code)
        tflite.OperatorCodeAddVersion(b, 1)
        oc = tflite.OperatorCodeEnd(b)
        vc = self.vector(tflite.ModelStartOperatorCodesVector, [oc], b.PrependUOffsetTRelative)
        vs = self.vector(tflite.ModelStartSubgraphsVector, [sub], b.PrependUOffsetTRelative)
        vb = self.vector(tflite.ModelStartBuffersVector, bufs, b.PrependUOffsetTRelative)
        tflite.ModelStart(b)
        tflite.ModelAddVersion(b, 3); tflite.ModelAddOperatorCodes(b, vc)
        tflite.ModelAddSubgraphs(b, vs); tflite.ModelAddBuffers(b, vb)
        b.Finish(tflite.ModelEnd(b), b"TFL3")
        return bytes(b.Output())


def run_tflm(model, inputs):
    from tflite_micro import runtime
    i = runtime.Interpreter.from_bytes(model, arena_size=16 << 20)
    for k, x in enumerate(inputs):
        i.set_input(x, k)
    i.invoke()
    return i.get_output(0)


def run_litert(model, inputs):
    from ai_edge_litert import interpreter as lite
    i = lite.Interpreter(model_content=model, experimental_op_resolver_type=lite.OpResolverType.BUILTIN_REF)
    i.allocate_tensors()
    for d, x in zip(i.get_input_details(), inputs):
        i.set_tensor(d["index"], x)
    i.invoke()
    return i.get_tensor(i.get_output_details()[0]["index"])


def main():
    folder, engine = sys.argv[1:3]
    run = {"tflm": run_tflm, "litert": run_litert}[engine]
    data = open(folder + "/data.bin", "rb").read()
    total, bad, worst, refused, spent = {}, {}, {}, {}, {}
    for line in open(folder + "/cases.jsonl"):
        case = json.loads(line)
        m = Model(case, data)
        kind, t0 = case["kind"], time.time()
        inputs = [m.numpy(t, case["n"]) for t in case["in"] if not t["const"]]
        want = m.numpy(case["out"], case["n"])
        try:
            got = run(m.write(), inputs)
        except Exception as e:
            if engine == "tflm":
                raise SystemExit("%s: %s\n%s" % (kind, e, line[:600]))
            refused[kind] = refused.get(kind, 0) + 1
            continue
        got = np.asarray(got).reshape(want.shape)
        diff = got.view(np.uint8).reshape(-1) != want.view(np.uint8).reshape(-1)
        total[kind] = total.get(kind, 0) + want.size
        bad[kind] = bad.get(kind, 0) + int(diff.sum())
        if diff.any():
            w = int(np.abs(got.astype(np.float64) - want.astype(np.float64)).max())
            if w > worst.get(kind, (0,))[0] or kind not in worst:
                worst[kind] = (w, line)
        spent[kind] = spent.get(kind, 0) + time.time() - t0
    failed = False
    for kind in total:
        note = ""
        if bad[kind]:
            note = "largest difference %d" % worst[kind][0]
            note += "; known: " + KNOWN[kind] if engine == "litert" and kind in KNOWN else ""
            failed |= engine == "tflm" or kind not in KNOWN
        if kind in refused:
            note += " (%d cases refused)" % refused[kind]
        print("%-12s %9d outputs  %7d different bytes  %.1f s  %s" % (kind, total[kind], bad[kind], spent[kind], note))
        if bad[kind] and "-v" in sys.argv:
            c = json.loads(worst[kind][1])
            for t in c["in"]:
                t["scale"] = t["scale"][:3]
            print("   ", json.dumps(c)[:900])
    sys.exit(failed)


main()
