#!/bin/sh
# accuracy.sh: efnet-nano from scratch on a folder of photographs, from the plain defaults, once a seed; then mean and spread.
# usage: bench/accuracy.sh PITH DIR OUT [SEED...]     (PITH: the command; OUT: where runs and OUT/accuracy.json go)
# Validation accuracy is that of the model the training ends with (the moving average of its weights), never of a best epoch.
set -eu
[ $# -ge 3 ] || { sed -n 2,3p "$0"; exit 2; }
pith=$1 data=$2 out=$3
shift 3
[ $# -gt 0 ] || set -- 0 1 2
mkdir -p "$out"
for seed in "$@"; do
    run=$out/seed-$seed
    [ -f "$run/result.json" ] && continue
    start=$(date +%s)
    if [ -f "$run/last.pith" ]; then
        "$pith" train --resume "$run" --json >"$run/result.tmp" 2>>"$run/train.log"
    else
        mkdir -p "$run"
        "$pith" train --data "$data" --model efnet-nano --seed "$seed" --out "$run" --json >"$run/result.tmp" 2>"$run/train.log"
    fi
    sed "s/^{/{\"seed\":$seed,\"seconds\":$(($(date +%s) - start)),/" "$run/result.tmp" >"$run/result.json"
    rm "$run/result.tmp"
done
python3 - "$out" <<'PY'
import json, statistics, sys, glob
rows = [json.load(open(f)) for f in sorted(glob.glob(sys.argv[1] + "/seed-*/result.json"))]
acc = [100 * r["accuracy"] for r in rows]
summary = {"runs": [{k: r[k] for k in ("seed", "accuracy", "loss", "n", "seconds")} for r in rows],
           "mean": statistics.mean(acc), "deviation": statistics.stdev(acc) if len(acc) > 1 else None}
json.dump(summary, open(sys.argv[1] + "/accuracy.json", "w"), indent=1)
print(json.dumps(summary, indent=1))
PY
