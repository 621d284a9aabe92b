"""Repeats in PyTorch the training step that dump_step wrote, from the model file alone, and compares.

The graph is read from the file's "pith.graph" and the weights through the safetensors package, so the file format, every
op's forward and every op's gradient have a witness that nobody here wrote. Checked: loss within 1e-5, logits within 1e-4,
every gradient within 1e-3 of its tensor's norm (with `kinks` 5e-2: run.sh says why), and what step_double wrote within 1e-7.
usage: check_step.py DIR [kinks]
"""
import json
import os
import sys

import numpy as np


def same_pad(size, kernel, stride, dilation):
    """TensorFlow's SAME: the odd row below, the odd column right."""
    out = -(-size // stride)
    total = max((out - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def spatial_pad(x, a, r, s):
    """Zeroes around an NCHW tensor as attributes `a` ask."""
    from torch.nn import functional as F
    if a["pad_mode"] == 0:
        top, bottom = same_pad(x.shape[2], r, a["stride_h"], a["dilation_h"])
        left, right = same_pad(x.shape[3], s, a["stride_w"], a["dilation_w"])
    elif a["pad_mode"] == 1:
        return x
    else:
        top, bottom, left, right = a["pad_top"], a["pad_bottom"], a["pad_left"], a["pad_right"]
    return F.pad(x, (left, right, top, bottom))


def conv(x, w, b, a):
    """NHWC in and out; w [K,R,S,C/groups], or [1,R,S,C] when depthwise."""
    from torch.nn import functional as F
    x = x.permute(0, 3, 1, 2)
    k = w.permute(3, 0, 1, 2) if a["depthwise"] else w.permute(0, 3, 1, 2)
    groups = x.shape[1] if a["depthwise"] else a["groups"]
    x = spatial_pad(x, a, k.shape[2], k.shape[3])
    y = F.conv2d(x, k, b, (a["stride_h"], a["stride_w"]), 0, (a["dilation_h"], a["dilation_w"]), groups)
    return y.permute(0, 2, 3, 1)


def batch_norm(x, gamma, beta, mean, var, a, train):
    import torch
    axes = tuple(range(x.dim() - 1))
    if train and not a["frozen"]:
        mean, var = x.mean(axes), x.var(axes, unbiased=False)
    return (x - mean) / torch.sqrt(var + a["eps"]) * gamma + beta


def run(graph, weights, x, train):
    import torch
    from torch.nn import functional as F
    v = {}
    for n in graph["nodes"]:
        if n["kind"] == "input":
            v[n["id"]] = x
        elif n["kind"] in ("param", "state"):
            v[n["id"]] = weights[n["tensor"]]
        else:
            i = [None if k is None else v[k] for k in n["inputs"]]
            op, a = n["op"], n["attrs"]
            if op in ("conv2d", "depthwise_conv2d"):
                y = conv(i[0], i[1], i[2], a)
            elif op == "batch_norm":
                y = batch_norm(*i, a, train)
            elif op == "relu":
                y = F.relu(i[0])
            elif op == "relu6":
                y = F.relu6(i[0])
            elif op == "silu":
                y = F.silu(i[0])
            elif op == "sigmoid":
                y = torch.sigmoid(i[0])
            elif op == "add":
                y = i[0] + i[1]
            elif op == "mean":
                axes = [d for d in range(i[0].dim()) if a["axes"] == 0 or a["axes"] >> d & 1]
                y = i[0].mean(axes, keepdim=a["keep"])
            elif op == "mul":
                y = i[0] * i[1]
            elif op == "global_avgpool":
                y = i[0].mean((1, 2))
            elif op == "dense":
                y = F.linear(i[0], i[1], i[2])
            elif op in ("flatten", "reshape"):
                y = i[0].reshape([i[0].shape[0]] + n["shape"][1:])
            elif op == "maxpool":
                y = F.max_pool2d(i[0].permute(0, 3, 1, 2), (a["kernel"], a["kernel_w"] or a["kernel"]),
                                 (a["stride"], a["stride_w"] or a["stride"])).permute(0, 2, 3, 1)
            else:
                raise SystemExit(f"check_step: op {op} is not known here")
            v[n["id"]] = y
    return v[graph["output"]]


def doubles(folder, grads, loss, total):
    """What step_double wrote, against gradients in double: no rounding stands between the two engines there."""
    read = lambda name, like: np.fromfile(f"{folder}/{name}.f64", "<f8").reshape(np.shape(like))
    worst = [(abs(read("loss", [0])[0] - loss) / 1e-10, "loss in double")]
    for name, g in grads.items():
        scale = max(np.linalg.norm(g), 1e-4 * total)
        worst.append((np.linalg.norm(read(name + ".grad", g) - g) / scale / 1e-7, "gradient in double of " + name))
    return worst


def main(folder, kinks=False):
    import torch
    from safetensors import safe_open
    torch.set_num_threads(2)
    with safe_open(folder + "/model.pith", framework="np") as f:
        graph = json.loads(f.metadata()["pith.graph"])
        weights = {k: torch.tensor(f.get_tensor(k), dtype=torch.float64) for k in f.keys()}
    first = next(n for n in graph["nodes"] if n["kind"] == "input")
    x = torch.tensor(np.fromfile(folder + "/x.f32", "<f4").reshape([-1] + first["shape"][1:]), dtype=torch.float64)
    labels = torch.tensor(np.fromfile(folder + "/labels.i32", "<i4")).long()
    params = [n["tensor"] for n in graph["nodes"] if n["kind"] == "param"]
    for p in params:
        weights[p].requires_grad_(True)
    evaluated = run(graph, weights, x, False).detach().numpy()
    logits = run(graph, weights, x, True)
    loss = torch.nn.functional.cross_entropy(logits, labels, label_smoothing=0.1)
    loss.backward()

    ours = lambda name, like: np.fromfile(f"{folder}/{name}.f32", "<f4").reshape(like.shape).astype(np.float64)
    worst = [(abs(ours("loss", np.zeros(1))[0] - loss.item()) / 1e-5, "loss"),
             (np.abs(ours("eval", evaluated) - evaluated).max() / 1e-4, "logits, inference"),
             (np.abs(ours("logits", logits) - logits.detach().numpy()).max() / 1e-4, "logits, training")]
    total = max(weights[p].grad.norm().item() for p in params)
    for p in params:
        g = weights[p].grad.numpy()
        # a gradient that is zero but for rounding (a bias before batch norm) is measured by the largest one
        scale = max(np.linalg.norm(g), 1e-4 * total)
        worst.append((np.linalg.norm(ours(p + ".grad", g) - g) / scale / (5e-2 if kinks else 1e-3), "gradient of " + p))
    if os.path.exists(folder + "/loss.f64"):
        worst += doubles(folder, {p: weights[p].grad.numpy() for p in params}, loss.item(), total)
    worst.sort(reverse=True)
    for share, what in worst[:3]:
        print(f"  {what}: {share:.4f} of what is allowed")
    print(f"{folder}: {len(params)} gradients, loss {loss.item():.6f}:", "agrees" if worst[0][0] <= 1 else "DIFFERS")
    return 0 if worst[0][0] <= 1 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:] == ["kinks"]))
