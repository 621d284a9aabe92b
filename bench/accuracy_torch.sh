#!/bin/sh
# accuracy_torch.sh: the same trainings by pith and by PyTorch: one network, first weights, pictures, order and recipe; seeds by turns.
# usage: bench/accuracy_torch.sh BUILD DATA OUT NAME WIDTH [SEED...]        (BUILD: where pith was built)
# Results: OUT/NAME-sSEED/{pith,torch}.json and OUT/NAME.json; what is there is not made again, so it may be interrupted.
# THREADS (2) for each engine, EPOCHS (12). PyTorch from PyPI into OUT/venv, or PITH_BENCH_VENV names an environment that has it.
set -eu
[ $# -ge 5 ] || { sed -n 2,5p "$0"; exit 2; }
build=$1 data=$2 out=$3 name=$4 width=$5
shift 5
[ $# -gt 0 ] || set -- 0 1 2
here=$(cd "$(dirname "$0")" && pwd)
threads=${THREADS:-2} epochs=${EPOCHS:-12}
mkdir -p "$out"
make -s -C "$build" pith bench/feed_batches
venv=${PITH_BENCH_VENV:-$out/venv}
[ -x "$venv/bin/python" ] || python3 -m venv "$venv"
"$venv/bin/python" -c "import torch, safetensors" 2>/dev/null || "$venv/bin/pip" install -q numpy safetensors torch
for seed in "$@"; do
    run=$out/$name-s$seed
    mkdir -p "$run"
    if [ ! -f "$run/pith.json" ]; then
        start=$(date +%s)
        if [ -f "$run/last.pith" ]; then set -- --resume "$run"; else
            set -- --data "$data" --model "$name" --width "$width" --image-size 96 --epochs $epochs --optimizer adamw --lr 0.003 \
                --weight-decay 0.02 --crop-min 0.5 --seed "$seed" --out "$run" --force
        fi
        "$build/pith" train "$@" --threads "$threads" --json >"$run/pith.tmp" 2>>"$run/pith.log"
        sed "s/^{/{\"seconds\":$(($(date +%s) - start)),/" "$run/pith.tmp" >"$run/pith.json"
        rm "$run/pith.tmp"
    fi
    if [ ! -f "$run/torch.json" ]; then
        "$build/bench/feed_batches" "$data" "$name" "$width" 96 "$seed" $epochs "$run/first.pith" |
            "$venv/bin/python" "$here/train_torch.py" "$run/first.pith" "$threads" >"$run/torch.tmp" 2>"$run/torch.log"
        mv "$run/torch.tmp" "$run/torch.json"
    fi
done
"$venv/bin/python" - "$out" "$name" "$width" $epochs <<'PY'
import glob, json, statistics, sys
out, name, width, epochs = sys.argv[1:]
rows = []
for d in sorted(glob.glob(f"{out}/{name}-s*")):
    try:
        p, t = (json.load(open(f"{d}/{e}.json")) for e in ("pith", "torch"))
    except FileNotFoundError:
        continue
    rows.append({"seed": int(d.rsplit("s", 1)[1]), "pith": p["accuracy"], "torch": t["accuracy"], "n": p["n"],
                 "pith_seconds": p["seconds"], "torch_seconds": t["seconds"]})
mean = lambda k: statistics.mean(r[k] for r in rows)
r = {"network": name, "width": float(width), "image_size": 96, "epochs": int(epochs), "runs": rows, "pith": mean("pith"),
     "torch": mean("torch"), "difference_points": 100 * (mean("pith") - mean("torch"))}
json.dump(r, open(f"{out}/{name}.json", "w"), indent=1)
print(json.dumps(r, indent=1))
PY
