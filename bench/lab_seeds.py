"""Labs of several seeds in one table: each step's accuracy, and its points to the float network of the same seed, as means with
their standard errors over the seeds; how much smaller; and McNemar's test over all seeds' images together. Steps that some lab
lacks are told of those that have them. usage: lab_seeds.py OUT.json LAB LAB...   (LAB: a folder that `pith lab` wrote)
"""
import json
import math
import os
import statistics
import sys


def results(lab):
    steps = os.path.join(lab, "steps")
    out = {}
    for name in sorted(os.listdir(steps)):
        try:
            with open(os.path.join(steps, name, "result.json")) as f:
                r = json.load(f)
        except OSError:
            continue
        if r.get("status") == "done":
            out[name] = r
    if "float" not in out:
        sys.exit(f"{lab}: no step 'float' is done there; a lab's folder is expected")
    return out


def error(values):
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None


def exact_p(b, c):
    """Two-sided: as many or more on one side of b + c fair coins."""
    n, k = b + c, min(b, c)
    return min(1.0, 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2 ** n)


def row(step, labs):
    have = [(r, lab["float"]) for lab in labs for r in [lab.get(step)] if r is not None]
    accuracy = [100 * r["accuracy"] for r, _ in have]
    points = [100 * (r["accuracy"] - f["accuracy"]) for r, f in have]
    pairs = [r["mcnemar"] for r, _ in have if "mcnemar" in r]
    lost, won = sum(p["only_float"] for p in pairs), sum(p["only_this"] for p in pairs)
    out = {"id": step, "title": have[0][0]["title"], "promise": have[0][0]["promise"], "epochs": have[0][0]["epochs"],
           "seeds": len(have), "accuracy": statistics.mean(accuracy), "accuracy_error": error(accuracy),
           "points": statistics.mean(points), "points_error": error(points), "points_each": [round(p, 4) for p in points],
           "macs": have[0][0].get("macs"), "packed_bytes": [r["bytes"]["packed"] for r, _ in have],
           "times_smaller": statistics.mean(f["bytes"]["file"] / r["bytes"]["packed"] for r, f in have)}
    if pairs:
        out |= {"only_float": lost, "only_this": won, "p": exact_p(lost, won)}
    return out


def main(out, *folders):
    labs = [results(f) for f in folders]
    with open(os.path.join(folders[0], "lab.json")) as f:
        order = json.load(f)["steps"]
    steps = [s for s in order if any(s in lab for lab in labs)]
    steps += sorted({s for lab in labs for s in lab} - set(steps))
    rows = [row(s, labs) for s in steps]
    with open(out + ".tmp", "w") as f:
        json.dump({"n_val": labs[0]["float"]["n"], "labs": len(labs), "rows": rows}, f, indent=1)
        f.write("\n")
    os.replace(out + ".tmp", out)
    print(f"{'':46} seeds accuracy  error   points  error       p  smaller")
    for r in rows:
        e = lambda v: f"{v:6.2f}" if v is not None else "     -"
        print(f"{r['title'][:46]:46} {r['seeds']:5} {r['accuracy']:7.2f}% {e(r['accuracy_error'])}  {r['points']:+6.2f}  "
              f"{e(r['points_error'])} {r.get('p', 1):7.3f} {e(r['times_smaller'])}x")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__.strip().splitlines()[-1])
    main(*sys.argv[1:])
