#!/usr/bin/env python3
"""Calibration methods, written again in NumPy from their descriptions, against dump_calib.

usage: check_calib.py DUMP_CALIB

Entropy follows the talk "8-bit inference with TensorRT" (2017): for every number of bins kept, the reference keeps what
was cut off in its last bin; the candidate is the kept part put into as many levels as there are codes, each level's mass
spread evenly over those of its bins where the reference has mass; the least divergence decides, and the threshold lies half
a bin further. One thing differs from the talk, by intention: exact zeros count in no bin, for every quantizer here holds
them exactly.
"""
import subprocess
import sys
import tempfile

import numpy as np

BINS = 2048


def histogram(x):
    """Counts of |x| in bins of a power-of-two width, the least with which the largest fits."""
    a = np.abs(x[x != 0].astype(np.float64))
    width = 2.0 ** (np.frexp(a.max())[1]) / BINS
    return np.bincount(np.floor(a / width).astype(int), minlength=BINS), width


def entropy(x, bits, symmetric):
    counts, width = histogram(x)
    used = int(np.nonzero(counts)[0][-1]) + 1
    one_side = not symmetric and (x.min() >= 0 or x.max() <= 0)
    levels = 1 << (bits if one_side else bits - 1)
    best, least = used, np.inf
    for keep in range(used, levels - 1, -1):
        p = counts[:keep].astype(np.float64)
        inside = p.copy()
        p[-1] += counts[keep:].sum()
        level = np.arange(keep) * levels // keep
        mass = np.bincount(level, weights=inside, minlength=levels)
        filled = np.bincount(level, weights=(p > 0).astype(np.float64), minlength=levels)
        q = np.where(p > 0, (mass / np.maximum(filled, 1))[level], 0)
        p, q, there = p / p.sum(), q / max(q.sum(), 1e-300), p > 0
        kl = np.inf if (q[there] == 0).any() else float((p[there] * np.log(p[there] / q[there])).sum())
        if kl < least - 1e-12:
            best, least = keep, kl
    t = min((best + 0.5) * width, float(np.abs(x).max()))
    if symmetric:
        return -t, t
    return max(min(float(x.min()), 0), -t), min(max(float(x.max()), 0), t)


def minmax(x, bits, symmetric):
    return min(float(x.min()), 0.0), max(float(x.max()), 0.0)


def percentile(x, bits, symmetric):
    """The order statistics themselves; dump_calib may be off by the width of a bin."""
    out = int(np.floor((100 - 99.99) / 100 * x.size * (1 + 1e-12)))
    if symmetric:
        t = float(np.sort(np.abs(x))[-1 - out])
        return -t, t
    s = np.sort(x)
    return min(float(s[out]), 0.0), max(float(s[-1 - out]), 0.0)


def main():
    rng = np.random.default_rng(7)
    normal = rng.standard_normal(60000).astype(np.float32)
    sets = {
        "relu": np.maximum(normal, 0),
        "two-sided": normal + np.float32(0.3),
        "heavy tails": (normal * np.exp(np.abs(normal))).astype(np.float32),
        "silu": (normal / (1 + np.exp(-normal))).astype(np.float32),
        "negative": -np.abs(normal),
    }
    tried = bad = 0
    for name, x in sets.items():
        _, width = histogram(x)
        with tempfile.NamedTemporaryFile(suffix=".f32") as f:
            x.tofile(f.name)
            for number, method, slack in ((0, minmax, 0), (2, percentile, width), (4, entropy, 0)):
                for bits in (4, 8):
                    for symmetric in (0, 1):
                        got = subprocess.run([sys.argv[1], f.name, str(number), str(bits), str(symmetric)],
                                             check=True, capture_output=True, text=True).stdout.split()
                        got = tuple(float(v) for v in got)
                        want = method(x, bits, symmetric)
                        tried += 1
                        if any(abs(g - w) > slack * 1.0001 for g, w in zip(got, want)):
                            bad += 1
                            print(f"{name}, {method.__name__}, {bits} bits, symmetric {symmetric}: {got}, not {want}")
    print(f"{tried} ranges, {bad} differ")
    return bad != 0


sys.exit(main())
