"""A training of accuracy_torch.sh, repeated in PyTorch: the same network, first weights, pictures and recipe.

Reads what feed_batches writes. Recipe: AdamW, weight decay 0.02 on all but batch norms and biases, peak rate 0.003, linear
warm-up of two epochs (a fifth of the training at most), cosine to a thousandth, label smoothing 0.1; validated with the moving
average of the weights and running statistics (0.999, (1+t)/(10+t) at the beginning).
usage: feed_batches DATA NAME WIDTH SIZE SEED EPOCHS M.pith | train_torch.py M.pith THREADS      prints one JSON object
"""
import json
import math
import sys
import time

import numpy as np
import torch
from torch.nn import functional as F

from peer_torch import Net

LR, DECAY, EMA, SMOOTHING = 0.003, 0.02, 0.999, 0.1


def read_batch(f, size):
    n = int(np.frombuffer(f.read(4), "<i4")[0])
    labels = np.frombuffer(f.read(4 * n), "<i4").astype(np.int64)
    pixels = np.frombuffer(f.read(n * size * size * 3), np.int8).reshape(n, size, size, 3)
    x = torch.from_numpy(pixels.astype(np.float32) / 128).permute(0, 3, 1, 2)  # channels_last as it lies in memory
    return x, torch.from_numpy(labels)


def rate(step, steps, epochs):
    warm, total = min(2.0, epochs / 5) * steps, steps * epochs
    if step < warm:
        return LR * min((step + 1) / warm, 1)
    return LR / 1000 + 0.5 * (LR - LR / 1000) * (1 + math.cos(math.pi * min((step - warm) / (total - warm), 1)))


def main(path, threads):
    torch.set_num_threads(int(threads))
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    f = sys.stdin.buffer
    head = json.loads(f.readline())
    net = Net(path, exact=True).train().to(memory_format=torch.channels_last)
    norms = {p for m in net.modules() if isinstance(m, torch.nn.BatchNorm2d) for p in m.parameters()}
    plain = [p for p in net.parameters() if p in norms or p.dim() == 1]
    decayed = [p for p in net.parameters() if p not in norms and p.dim() > 1]
    opt = torch.optim.AdamW([{"params": decayed, "weight_decay": DECAY}, {"params": plain, "weight_decay": 0}], lr=LR, fused=True)
    state = [t for t in net.state_dict().values() if t.is_floating_point()]
    mean = [t.clone() for t in state]
    start, done = time.time(), 0
    for epoch in range(head["epochs"]):
        loss_sum = 0.0
        for _ in range(head["steps"]):
            x, labels = read_batch(f, head["size"])
            for g in opt.param_groups:
                g["lr"] = rate(done, head["steps"], head["epochs"])
            loss = F.cross_entropy(net(x), labels, label_smoothing=SMOOTHING)
            loss.backward()
            opt.step()
            opt.zero_grad(set_to_none=True)
            torch._foreach_lerp_(mean, state, 1 - min(EMA, (1 + done) / (10 + done)))
            done += 1
            loss_sum += loss.item()
        print(f"epoch {epoch + 1}: loss {loss_sum / head['steps']:.4f}, {time.time() - start:.0f} s", file=sys.stderr, flush=True)
    for t, m in zip(state, mean):
        t.copy_(m)
    net.eval()
    right = n = 0
    with torch.inference_mode():
        for _ in range(head["val"]):
            x, labels = read_batch(f, head["size"])
            right += (net(x).argmax(1) == labels).sum().item()
            n += len(labels)
    print(json.dumps({"engine": "PyTorch " + torch.__version__, "accuracy": right / n, "n": n, "epochs": head["epochs"],
                      "seconds": round(time.time() - start)}))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
