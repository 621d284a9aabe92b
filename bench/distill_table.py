"""What bench/distill.sh made, as tables: students against the student trained alone, by seed, with a 95% interval of the mean
difference from a bootstrap over seeds and images; and few-bit networks with and without a teacher: KL divergence to the float
network and images classed otherwise. usage: distill_table.py OUT RESULT.json
"""
import csv
import glob
import json
import os
import random
import re
import statistics
import sys

DRAWS = 2000


def right(path):
    """Of each image, whether it was classed rightly."""
    with open(path, newline="") as f:
        return [int(r["label"] == r["predicted"]) for r in csv.DictReader(f)]


def seeds(out, name):
    found = {}
    for p in glob.glob(os.path.join(out, name + "-s*.json")):
        m = re.fullmatch(re.escape(name) + r"-s(\d+)\.json", os.path.basename(p))
        if m:
            found[int(m[1])] = p
    return dict(sorted(found.items()))


def interval(differences):
    """differences[seed][image] in -1, 0, 1: the mean's 95% interval, seeds and images drawn with replacement."""
    rng, means, n = random.Random(1), [], len(differences[0])
    for _ in range(DRAWS):
        some = rng.choices(differences, k=len(differences))
        images = rng.choices(range(n), k=n)
        means.append(100 * sum(d[i] for d in some for i in images) / (n * len(some)))
    means.sort()
    return means[int(0.025 * DRAWS)], means[int(0.975 * DRAWS) - 1]


def student(out, kind, alone):
    taught = seeds(out, kind)
    both = [s for s in taught if s in alone]
    if not both:
        return None
    differences = []
    for s in both:
        a, b = (right(p[s][:-5] + ".csv") for p in (alone, taught))
        differences.append([y - x for x, y in zip(a, b, strict=True)])
    each = [100 * sum(d) / len(d) for d in differences]
    low, high = interval(differences)
    accuracy = [100 * json.load(open(taught[s]))["accuracy"] for s in both]
    return {"kind": kind, "seeds": both, "accuracy": statistics.mean(accuracy), "points_each": [round(e, 4) for e in each],
            "points": statistics.mean(each), "interval": [low, high]}


def bits(out, how):
    rows, of = {}, {way: seeds(out, f"{how}-{way}") for way in ("alone", "taught")}
    both = [s for s in of["alone"] if s in of["taught"]]
    if not both:
        return None
    for way in of:
        rs = [json.load(open(of[way][s])) for s in both]
        rows[way] = {"seeds": len(rs), "accuracy": 100 * statistics.mean(r["accuracy"] for r in rs),
                     "kl": statistics.mean(r["against"]["kl"] for r in rs),
                     "differ": statistics.mean(r["against"]["differ"] / r["n"] for r in rs)}
    cut = {k: 1 - rows["taught"][k] / rows["alone"][k] if rows["alone"][k] > 0 else 0 for k in ("kl", "differ")}
    return {"network": how, **rows, "kl_cut": cut["kl"], "differ_cut": cut["differ"]}


def main(out, result):
    alone = seeds(out, "alone")
    kinds = sorted({re.sub(r"-s\d+\.json$", "", os.path.basename(p)) for p in glob.glob(os.path.join(out, "*-s*.json"))})
    kinds = [k for k in kinds if k != "alone" and not k.endswith(("-alone", "-taught"))]
    table = {"alone": [100 * json.load(open(p))["accuracy"] for p in alone.values()]}
    teacher = os.path.join(out, "teacher.json")
    if os.path.exists(teacher):
        table["teacher"] = 100 * json.load(open(teacher))["accuracy"]
    table["students"] = [r for k in kinds for r in [student(out, k, alone)] if r]
    table["bits"] = [r for h in ("w4a8", "code2") for r in [bits(out, h)] if r]
    with open(result + ".tmp", "w") as f:
        json.dump(table, f, indent=1)
        f.write("\n")
    os.replace(result + ".tmp", result)
    if table["alone"]:
        print(f"alone {statistics.mean(table['alone']):.2f}% ({len(alone)} seeds)"
              + (f", teacher {table['teacher']:.2f}%" if "teacher" in table else ""))
    for r in table["students"]:
        print(f"{r['kind']:24} {r['accuracy']:6.2f}%  {r['points']:+.2f} ({r['interval'][0]:+.2f} to {r['interval'][1]:+.2f}), "
              f"{len(r['seeds'])} seeds")
    for r in table["bits"]:
        print(f"{r['network']:24} KL {r['alone']['kl']:.4f} -> {r['taught']['kl']:.4f} (cut {100 * r['kl_cut']:.0f}%), otherwise "
              f"{100 * r['alone']['differ']:.2f}% -> {100 * r['taught']['differ']:.2f}% (cut {100 * r['differ_cut']:.0f}%)")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.strip().splitlines()[-1])
    main(*sys.argv[1:])
