"""PyTorch at its best on the network of a .pith file: one training step, or inference, timed as `pith bench` times it.

The network is rebuilt from the file's own graph and weights, so both engines do the same work. Tuned: channels_last
(oneDNN), the thread count asked for, denormals flushed, fused batch norm and fused SGD, in-place activations; the malloc
settings come from the environment (compare.py sets them). Padding is symmetric where TensorFlow's SAME is not: the same
work without the copy that an odd padding costs PyTorch (train_torch.py, which compares accuracies, asks for exact=True).
usage: peer_torch.py train|infer MODEL.pith BATCH THREADS SECONDS [eager|compile|trace]   prints one JSON object.
"""
import json
import resource
import statistics
import sys
import time

import torch
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

ACTS = {"relu": F.relu, "relu6": F.relu6, "silu": F.silu, "sigmoid": torch.sigmoid}


class Net(nn.Module):
    """The graph's nodes in order; convolutions and batch norms are modules, so PyTorch's own fast paths take them."""

    def __init__(self, path, exact=False):
        super().__init__()
        with safe_open(path, framework="pt") as f:
            graph = json.loads(f.metadata()["pith.graph"])
            tensors = {k: f.get_tensor(k) for k in f.keys()}
        nodes = graph["nodes"]
        value = {n["id"]: tensors[n["tensor"]] for n in nodes if n["kind"] in ("param", "state")}
        self.shape = next(n for n in nodes if n["kind"] == "input")["shape"][1:]
        uses, shape = {}, {n["id"]: n["shape"] for n in nodes}
        for n in nodes:
            for i in n.get("inputs", []):
                uses[i] = uses.get(i, 0) + 1
        self.steps, self.mods, self.output = [], nn.ModuleList(), graph["output"]
        for n in nodes:
            if n["kind"] == "input":
                self.steps.append(("input", None, n["id"], [], {}))
            elif n["kind"] == "op":
                inputs = n["inputs"]
                mod = module(n["op"], n["attrs"], [value.get(i) for i in inputs])
                if exact and isinstance(mod, nn.Conv2d) and n["attrs"]["pad_mode"] == 0:
                    mod = same(mod, shape[inputs[0]])
                if mod is not None:
                    self.mods.append(mod)
                alone = len(inputs) > 0 and uses.get(inputs[0]) == 1
                self.steps.append((n["op"], mod, n["id"], [i for i in inputs if i not in value and i is not None],
                                   dict(n["attrs"], alone=alone)))

    def forward(self, x):
        v = {}
        for op, mod, out, inputs, a in self.steps:
            i = [v[k] for k in inputs]
            if op == "input":
                y = x
            elif mod is not None:
                y = mod(i[0])
            elif op in ACTS:
                inplace = a["alone"] and op != "sigmoid"
                y = ACTS[op](i[0], inplace=True) if inplace else ACTS[op](i[0])
            elif op == "add":
                y = i[0] + i[1]
            elif op == "mul":
                b = i[1][:, :, None, None] if i[1].dim() == 2 and i[0].dim() == 4 else i[1]
                y = i[0] * b
            elif op == "global_avgpool":
                y = i[0].mean((2, 3))
            elif op == "reshape" and len(i[0].shape) == 2:
                y = i[0][:, :, None, None]
            elif op == "mean":  # of squeeze-and-excitation: rows and columns, kept
                if i[0].dim() != 4:
                    raise SystemExit("peer_torch: mean of what is no image is not known here")
                y = i[0].mean((2, 3), keepdim=True)
            elif op == "dropout":
                y = F.dropout(i[0], a["p"], self.training)
            else:
                raise SystemExit(f"peer_torch: op {op} is not known here")
            v[out] = y
        return v[self.output]


def module(op, a, w):
    if op in ("conv2d", "depthwise_conv2d"):
        k = w[1].permute(3, 0, 1, 2) if a["depthwise"] else w[1].permute(0, 3, 1, 2)
        groups = k.shape[0] if a["depthwise"] else a["groups"]
        r, s = k.shape[2:]
        pad = ((r - 1) // 2 * a["dilation_h"], (s - 1) // 2 * a["dilation_w"]) if a["pad_mode"] != 1 else 0
        m = nn.Conv2d(k.shape[1] * groups, k.shape[0], (r, s), (a["stride_h"], a["stride_w"]), pad,
                      (a["dilation_h"], a["dilation_w"]), groups, bias=len(w) > 2 and w[2] is not None)
        m.weight.data = k.contiguous()
        if m.bias is not None:
            m.bias.data = w[2].clone()
        return m
    if op == "batch_norm":
        m = nn.BatchNorm2d(w[1].numel(), a["eps"], a["momentum"])
        m.weight.data, m.bias.data = w[1].clone(), w[2].clone()
        m.running_mean.copy_(w[3])
        m.running_var.copy_(w[4])
        return m
    if op == "dense":
        m = nn.Linear(w[1].shape[1], w[1].shape[0], bias=w[2] is not None)
        m.weight.data = w[1].clone()
        if m.bias is not None:
            m.bias.data = w[2].clone()
        return m
    return None


def same(conv, shape):
    """The convolution with TensorFlow's SAME padding of an input [N,H,W,C]: the odd row below, the odd column right."""
    pads = []
    for size, kernel, stride, dilation in zip(shape[1:3], conv.kernel_size, conv.stride, conv.dilation):
        total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
        pads.append((total // 2, total - total // 2))
    (top, bottom), (left, right) = pads
    if top == bottom and left == right:
        conv.padding = (top, left)
        return conv
    conv.padding = (0, 0)
    return nn.Sequential(nn.ZeroPad2d((left, right, top, bottom)), conv)


def timed(step, seconds):
    for _ in range(4):
        step()
    ms, end = [], time.perf_counter() + seconds
    while len(ms) < 5 or time.perf_counter() < end:
        t = time.perf_counter()
        step()
        ms.append(1e3 * (time.perf_counter() - t))
    return ms


def training(net, batch, how):
    net = net.train().to(memory_format=torch.channels_last)
    opt = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9, weight_decay=4e-5, fused=True)
    x = torch.rand(batch, net.shape[2], net.shape[0], net.shape[1]).to(memory_format=torch.channels_last) * 2 - 1
    labels = torch.arange(batch) % 2
    run = torch.compile(net) if how == "compile" else net

    def step():
        loss = F.cross_entropy(run(x), labels, label_smoothing=0.1)
        loss.backward()
        opt.step()
        opt.zero_grad(set_to_none=True)
        loss.item()

    return step


def inference(net, batch, how):
    net = net.eval().to(memory_format=torch.channels_last)
    x = torch.rand(batch, net.shape[2], net.shape[0], net.shape[1]).to(memory_format=torch.channels_last) * 2 - 1
    if how == "trace":
        run = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
    elif how == "compile":
        run = torch.compile(net)
    else:
        run = net

    def step():
        with torch.inference_mode():
            run(x)

    return step


def main(what, path, batch, threads, seconds, how="eager"):
    torch.manual_seed(0)
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    net = Net(path)
    step = (training if what == "train" else inference)(net, int(batch), how)
    ms = timed(step, float(seconds))
    median = statistics.median(ms)
    print(json.dumps({"engine": "PyTorch " + torch.__version__, "how": how, "batch": int(batch),
                      "threads": int(threads), "img_per_s": 1e3 * int(batch) / median, "ms_median": median,
                      "ms_min": min(ms), "ms_max": max(ms), "steps": len(ms),
                      "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
