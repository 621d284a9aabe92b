"""An int8 .tflite of ours as calls of Arm's CMSIS-NN: net.c and net.h with the names that examples/mcu/main.c wants, for comparing
bytes and instructions with our own kernels on the same layers. MEAN, which CMSIS-NN lacks, is a loop.
usage: cmsis_nn.py MODEL.tflite OUT-DIR        (PyPI: tflite, flatbuffers, numpy)
CMSIS-NN itself is the user's: its s8 sources built for the board with -IInclude become a library, and
    make -f examples/mcu/Makefile run MODEL=OUT-DIR/net.c BOARD=m4 LIBS=libcmsis-nn.a CFLAGS="-O2 -ICMSIS-NN/Include
        -ffunction-sections -fdata-sections -Wl,--gc-sections" IMAGE=x.i8 ANSWERS=y
runs it; tests/interop/dump_photos writes x.i8 and the y that it must give. M55: -mfloat-abi=softfp, on both, for its vectors.
"""
import math
import sys
import types

import numpy as np
import tflite

OPS = {v: k for k, v in vars(tflite.BuiltinOperator).items() if isinstance(v, int)}
CAST = {np.dtype(np.int8): "int8_t", np.dtype(np.int32): "int32_t"}


def fixed(real):
    """Multiplier of 31 bits and exponent (TFLite's QuantizeMultiplier)."""
    if real == 0:
        return 0, 0
    m, shift = math.frexp(real)
    q = int(math.floor(m * (1 << 31) + 0.5))
    return (q // 2, shift + 1) if q == 1 << 31 else (q, shift)


class Net:
    def __init__(self, path):
        self.model = tflite.Model.GetRootAs(open(path, "rb").read(), 0)
        self.g = self.model.Subgraphs(0)
        self.consts, self.calls, self.macs = [], [], 0

    def t(self, i):
        t, q = self.g.Tensors(int(i)), self.g.Tensors(int(i)).Quantization()
        return types.SimpleNamespace(n=i, raw=t, dims=[int(d) for d in t.ShapeAsNumpy()], scale=q.ScaleAsNumpy() if q and q.ScaleLength() else None,
                                     zero=int(q.ZeroPoint(0)) if q and q.ZeroPointLength() else 0)

    def data(self, t):
        raw = self.model.Buffers(t.raw.Buffer()).DataAsNumpy()
        return np.frombuffer(raw.tobytes(), np.int8 if t.raw.Type() == tflite.TensorType.INT8 else "<i4")

    def const(self, a):
        name = f"c{len(self.consts)}"
        a = np.ascontiguousarray(a).reshape(-1)
        self.consts.append(f"static const {CAST[a.dtype]} {name}[{a.size}] = {{ {','.join(map(str, a.tolist()))} }};\n")
        return name

    def bounds(self, act, y):
        lo, hi = -128, 127
        at = lambda v: int(np.float32(v) / np.float32(y.scale[0]) + (0.5 if v >= 0 else -0.5)) + y.zero
        A = tflite.ActivationFunctionType
        if act in (A.RELU, A.RELU6):
            lo = max(lo, at(0))
        if act == A.RELU6:
            hi = min(hi, at(6))
        return f"{{ {lo}, {hi} }}"

    def layer(self, op, options, kind):
        x, w, b, y = self.t(op.Inputs(0)), self.t(op.Inputs(1)), self.t(op.Inputs(2)), self.t(op.Outputs(0))
        o = options()
        o.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
        dw, dense = kind == "dw", kind == "fc"
        k = y.dims[-1]
        scale = [float(x.scale[0]) * float(s) / float(y.scale[0]) for s in w.scale]
        if dense and len(scale) == 1:
            scale = [float(np.float32(x.scale[0]) * np.float32(w.scale[0])) / float(y.scale[0])]
        m = [fixed(s) for s in (scale if dense else scale * (k // len(scale)))]
        W, B = self.const(self.data(w)), self.const(self.data(b).astype(np.int32))
        act = self.bounds(o.FusedActivationFunction(), y)
        if dense:
            self.macs += w.dims[0] * w.dims[1]
            self.calls.append(
                f"{{ static int32_t sums[{k}]; cmsis_nn_context c = {{ sums, sizeof sums }}; const cmsis_nn_fc_params p = {{ {-x.zero}, 0, "
                f"{y.zero}, {act} }}; const cmsis_nn_per_tensor_quant_params q = {{ {m[0][0]}, {m[0][1]} }}; const cmsis_nn_dims xd = {{ 1, 1, 1, "
                f"{w.dims[1]} }}, wd = {{ {w.dims[1]}, 1, 1, {k} }}, bd = {{ 1, 1, 1, {k} }}, yd = {{ 1, 1, 1, {k} }}; "
                f"arm_vector_sum_s8(sums, {w.dims[1]}, {k}, {W}, {-x.zero}, 0, {B}); "
                f"bad |= arm_fully_connected_s8(&c, &p, &q, &xd, t{x.n}, &wd, {W}, &bd, {B}, &yd, t{y.n}) != 0; }}")
            return
        r, s, st = w.dims[1], w.dims[2], (o.StrideH(), o.StrideW())
        same = o.Padding() == tflite.Padding.SAME
        pad = [max((y.dims[1 + i] - 1) * st[i] + (r, s)[i] - x.dims[1 + i], 0) // 2 if same else 0 for i in (0, 1)]
        self.macs += y.dims[1] * y.dims[2] * k * r * s * (1 if dw else w.dims[3])
        M, S = self.const(np.array([v[0] for v in m], np.int32)), self.const(np.array([v[1] for v in m], np.int32))
        mult = f"{k // x.dims[3]}, " if dw else ""
        name, fn = ("cmsis_nn_dw_conv_params", "arm_depthwise_conv_wrapper_s8") if dw else ("cmsis_nn_conv_params", "arm_convolve_wrapper_s8")
        wd = f"{{ 1, {r}, {s}, {k} }}" if dw else f"{{ {k}, {r}, {s}, {w.dims[3]} }}"
        self.calls.append(
            f"{{ const {name} p = {{ {-x.zero}, {y.zero}, {mult}{{ {st[1]}, {st[0]} }}, {{ {pad[1]}, {pad[0]} }}, {{ 1, 1 }}, {act} }}; "
            f"const cmsis_nn_per_channel_quant_params q = {{ (int32_t *){M}, (int32_t *){S} }}; const cmsis_nn_dims xd = {{ 1, {x.dims[1]}, {x.dims[2]}, "
            f"{x.dims[3]} }}, wd = {wd}, bd = {{ 1, 1, 1, {k} }}, yd = {{ 1, {y.dims[1]}, {y.dims[2]}, {k} }}; "
            f"cmsis_nn_context c = {{ scratch, sizeof scratch }}; bad |= {fn}_get_buffer_size(&p, &xd, &wd, &yd) > (int32_t)sizeof scratch; "
            f"bad |= {fn}(&c, &p, &q, &xd, t{x.n}, &wd, {W}, &bd, {B}, &yd, t{y.n}) != 0; }}")

    def add(self, op):
        a, b, y = self.t(op.Inputs(0)), self.t(op.Inputs(1)), self.t(op.Outputs(0))
        o = tflite.AddOptions()
        o.Init(op.BuiltinOptions().Bytes, op.BuiltinOptions().Pos)
        twice = 2 * max(float(a.scale[0]), float(b.scale[0]))
        f = [fixed(float(v.scale[0]) / twice) for v in (a, b)] + [fixed(twice / ((1 << 20) * float(y.scale[0])))]
        lo, hi = self.bounds(o.FusedActivationFunction(), y).strip("{} ").split(",")
        self.calls.append(
            f"bad |= arm_elementwise_add_s8(t{a.n}, t{b.n}, {-a.zero}, {f[0][0]}, {f[0][1]}, {-b.zero}, {f[1][0]}, {f[1][1]}, 20, t{y.n}, "
            f"{y.zero}, {f[2][0]}, {f[2][1]}, {lo}, {hi}, {math.prod(y.dims)}) != 0;")

    def mean(self, op):
        x, y = self.t(op.Inputs(0)), self.t(op.Outputs(0))
        n, c = x.dims[1] * x.dims[2], x.dims[3]
        m, s = fixed(float(x.scale[0]) / float(y.scale[0]))
        down = min(63 - (64 - n.bit_length()), 31 + s, 32)  # TFLite Micro folds 1/n into the multiplier
        m, s = (m << down) // n, s - down
        self.calls.append(
            f"for (int c = 0; c < {c}; c++) {{ int32_t sum = {-x.zero * n}, v; for (int i = 0; i < {n}; i++) sum += t{x.n}[i * {c} + c]; "
            f"v = arm_nn_requantize(sum, {m}, {s}) + {y.zero}; t{y.n}[c] = (int8_t)(v < -128 ? -128 : v > 127 ? 127 : v); }}")

    def reshape(self, op):
        x, y = self.t(op.Inputs(0)), self.t(op.Outputs(0))
        self.calls.append(f"memcpy(t{y.n}, t{x.n}, {math.prod(y.dims)});")

    def write(self, out):
        rows = {"CONV_2D": lambda p: self.layer(p, tflite.Conv2DOptions, "conv"),
                "DEPTHWISE_CONV_2D": lambda p: self.layer(p, tflite.DepthwiseConv2DOptions, "dw"),
                "FULLY_CONNECTED": lambda p: self.layer(p, tflite.FullyConnectedOptions, "fc"),
                "ADD": self.add, "MEAN": self.mean, "RESHAPE": self.reshape}
        for i in range(self.g.OperatorsLength()):
            op = self.g.Operators(i)
            code = self.model.OperatorCodes(op.OpcodeIndex())
            rows[OPS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]](op)
        x, y = self.t(self.g.Inputs(0)), self.t(self.g.Outputs(0))
        live = sorted({i for k in range(self.g.OperatorsLength()) for i in (*self.g.Operators(k).InputsAsNumpy(), *self.g.Operators(k).OutputsAsNumpy())
                       if i >= 0 and not self.model.Buffers(self.g.Tensors(int(i)).Buffer()).DataLength()})
        with open(out + "/net.h", "w") as f:
            f.write(f"#include <stdint.h>\n#define NET_INPUT_SIZE {math.prod(x.dims)}\n#define NET_OUTPUT_SIZE {math.prod(y.dims)}\n"
                    f"#define NET_MACS {self.macs}LL\nint net_run(const int8_t *in, int8_t *out);\nint8_t *net_input(void);\n")
        with open(out + "/net.c", "w") as f:
            f.write('#include "net.h"\n#include "arm_nnfunctions.h"\n#include "arm_nnsupportfunctions.h"\n#include <string.h>\nstatic int8_t scratch[65536] __attribute__((aligned(16)));\n')
            f.writelines(self.consts)
            f.writelines(f"static int8_t t{i}[{math.prod(self.t(int(i)).dims)}] __attribute__((aligned(16)));\n" for i in live)
            f.write(f"int8_t *net_input(void) {{ return t{x.n}; }}\nint net_run(const int8_t *in, int8_t *out)\n{{\n    int bad = 0;\n"
                    f"    if (in != t{x.n}) memcpy(t{x.n}, in, sizeof t{x.n});\n")
            f.writelines("    " + c + "\n" for c in self.calls)
            f.write(f"    memcpy(out, t{y.n}, sizeof t{y.n});\n    return bad;\n}}\n")


net = Net(sys.argv[1])
net.write(sys.argv[2])
