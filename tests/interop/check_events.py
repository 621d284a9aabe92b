#!/usr/bin/env python3
"""check_events.py RUN: TensorBoard's own reader (PyPI: tensorboard) reads a run's event file, and finds what log.jsonl says."""
import json
import math
import sys

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

run = sys.argv[1]
events = EventAccumulator(run, size_guidance={"scalars": 0})
events.Reload()
tags = set(events.Tags()["scalars"])
keys = {"loss": "loss", "accuracy": "accuracy", "val_loss": "val_loss", "val_accuracy": "val_accuracy", "lr": "lr",
        "images_per_second": "img_per_s"}
epochs = [line for line in map(json.loads, open(run + "/log.jsonl")) if line["event"] == "epoch"]
assert epochs, "no epochs in the log"
for tag, key in keys.items():
    told = [(e["step"], e[key]) for e in epochs if e[key] is not None]
    read = [(s.step, s.value) for s in events.Scalars("epoch/" + tag)] if "epoch/" + tag in tags else []
    assert len(told) == len(read), f"{tag}: {len(read)} points, {len(told)} in the log"
    for (a, x), (b, y) in zip(told, read):
        assert a == b and math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-12), f"{tag} at {a}: {x}, {b}: {y}"
steps = [s.step for s in events.Scalars("step/loss")] if "step/loss" in tags else []
assert steps == sorted(set(steps)), f"steps repeat or go back: {steps}"
print(f"{len(epochs)} epochs, {len(steps)} points within: TensorBoard reads what the log says")
