"""Reads a model file with the safetensors package: every parameter and state of the graph is a finite float32 tensor of the
shape the graph says, and there is no other tensor. usage: check_file.py FILE"""
import json
import sys

import numpy as np
from safetensors import safe_open

with safe_open(sys.argv[1], framework="np") as f:
    graph = json.loads(f.metadata()["pith.graph"])
    wanted = {n["tensor"]: n["shape"] for n in graph["nodes"] if n["kind"] in ("param", "state")}
    found = set(f.keys())
    assert found == set(wanted), found ^ set(wanted)
    for name, shape in wanted.items():
        t = f.get_tensor(name)
        assert t.dtype == np.float32 and list(t.shape) == shape and np.isfinite(t).all(), (name, t.dtype, t.shape, shape)
print(f"{len(found)} tensors as the graph says")
