"""timm's own networks against ours, weights going both ways through safetensors files with timm's names.

usage: check_timm.py make TIMM-NAME CLASSES FILE      a randomly initialised network, its running statistics those of random
                                                      images, saved
       check_timm.py check TIMM-NAME CLASSES DIR [kinks]   DIR is what dump_step made of FILE: its weights.safetensors loads into
                                                      timm's network with nothing missing or left over; logits of all images
                                                      within 1e-4; of at most 32 images also the training step's loss
                                                      within 1e-5 and every gradient within 1e-3 of its tensor's norm (timm
                                                      computes in double; with `kinks` 5e-2: run.sh says why)
"""
import sys

import numpy as np
import timm
import torch
from safetensors.torch import load_file, save_file


def make(name, classes, path):
    torch.manual_seed(1)
    net = timm.create_model(name, num_classes=classes)
    for module in net.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # the plain mean over what it sees
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.5, 0.5)
    net.train()
    with torch.no_grad():
        for _ in range(2):
            net(torch.rand(16, 3, 96, 96) * 2 - 1)
    save_file(net.state_dict(), path, metadata={"format": "pt"})
    print(len(net.state_dict()), "entries")


def step(net, x, labels, folder, read, kinks):
    """One training step: loss and gradients against ours, as (share of what is allowed, what)."""
    net.train()
    loss = torch.nn.functional.cross_entropy(net(x), labels, label_smoothing=0.1)
    loss.backward()
    worst = [(abs(read("loss", np.zeros(1))[0] - loss.item()) / 1e-5, f"loss {loss.item():.6f}")]
    grads = load_file(folder + "/grads.safetensors")
    params = dict(net.named_parameters())
    total = max(p.grad.norm().item() for p in params.values())
    for k, p in params.items():
        difference = (grads[k].double() - p.grad).norm().item()
        # a gradient that is zero but for rounding is measured by the largest one
        worst.append((difference / max(p.grad.norm().item(), 1e-4 * total) / (5e-2 if kinks else 1e-3), "gradient of " + k))
    return worst


def check(name, classes, folder, kinks):
    torch.set_num_threads(2)
    net = timm.create_model(name, num_classes=classes)
    ours = load_file(folder + "/weights.safetensors")
    print(net.load_state_dict(ours, strict=True), len(ours), "entries")
    net = net.double()
    x = np.fromfile(folder + "/x.f32", "<f4")
    labels = torch.tensor(np.fromfile(folder + "/labels.i32", "<i4")).long()
    side = int(round((x.size / len(labels) / 3) ** 0.5))
    x = torch.tensor(x.reshape(-1, side, side, 3), dtype=torch.float64).permute(0, 3, 1, 2)
    read = lambda what, like: np.fromfile(f"{folder}/{what}.f32", "<f4").reshape(like.shape).astype(np.float64)

    net.eval()
    with torch.no_grad():
        logits = net(x).numpy()
    worst = [(np.abs(read("eval", logits) - logits).max() / 1e-4, f"logits of {len(x)} images, {np.abs(logits).max():.3f} the largest")]
    if len(x) <= 32:
        worst += step(net, x, labels, folder, read, kinks)
    worst.sort(reverse=True)
    for share, what in worst[:4] + [w for w in worst[4:] if w[1][0] == "l"]:
        print(f"  {what}: {share:.4f} of what is allowed")
    print(f"{name}: {len(worst)} comparisons:", "agrees" if worst[0][0] <= 1 else "DIFFERS")
    return 0 if worst[0][0] <= 1 else 1


if __name__ == "__main__":
    if sys.argv[1] == "make":
        sys.exit(make(sys.argv[2], int(sys.argv[3]), sys.argv[4]))
    sys.exit(check(sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5:] == ["kinks"]))
