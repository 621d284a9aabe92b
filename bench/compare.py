"""The speed tables: pith against PyTorch (training) and ONNX Runtime and PyTorch (inference), on the same networks.

Engines take turns, so that what disturbs one disturbs all; a row's figure is the median of its rounds. PyTorch's best way
(eager, compiled, traced) is found first, by a short run of each, and only that one competes. Prints the table and writes
RESULT.json with processor, versions and date. usage: compare.py PITH RESULT.json [rounds=N] [seconds=S] [ROW...]
ROW: part of a row's name ("train", "efnet-nano 96", "neighbour"); none: all rows.
"""
import datetime
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
# verb, network, options, image size, batch, threads; training: factor over PyTorch that is a must;
# inference: ms of a batch that is a must (None: none)
ROWS = [("train", "efnet-nano", [], 96, 64, 2, 1.6),
        ("train", "efnet-nano", [], 64, 64, 2, 1.6),
        ("train", "mobilenet-v2", ["--width", "0.5"], 96, 64, 2, 1.6),
        ("train", "efnet-b0", [], 128, 32, 2, 1.6),
        ("train", "efnet-b0", [], 224, 16, 2, 1.6),
        ("infer", "efnet-nano", [], 96, 1, 1, 0.55),
        ("infer", "efnet-b0", [], 224, 1, 1, 11.0),
        ("infer", "efnet-nano", [], 96, 32, 2, 10.0),
        ("infer", "efnet-b0", [], 224, 32, 2, 256.0)]

# malloc keeps its pages (else PyTorch pays for fresh ones every step) and asks for huge ones
MALLOC = {"MALLOC_TRIM_THRESHOLD_": "100000000000", "MALLOC_MMAP_THRESHOLD_": "100000000000",
          "MALLOC_TOP_PAD_": "100000000", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}


def run(argv, env=None):
    e = dict(os.environ, **(env or {}))
    p = subprocess.run(argv, env=e, capture_output=True, text=True)
    if p.returncode != 0:
        raise RuntimeError(p.stderr.strip()[-300:] or f"{argv[0]}: exit status {p.returncode}")
    return json.loads(p.stdout.strip().splitlines()[-1])


def peer(script, verb, model, batch, threads, seconds, how):
    env = dict(MALLOC, OMP_NUM_THREADS=str(threads))
    return run([sys.executable, os.path.join(HERE, script), verb, model, str(batch), str(threads), str(seconds), how], env)


def ways(verb):
    hows = [("peer_torch.py", h) for h in (("eager", "compile") if verb == "train" else ("eager", "trace"))]
    if verb == "infer" and importlib.util.find_spec("onnxruntime"):
        hows.append(("peer_onnx.py", "onnxruntime"))
    return hows


def measure(pith, row, rounds, seconds, folder):
    verb, net, options, size, batch, threads, must = row
    model = os.path.join(folder, f"{net}-{size}.pith")
    ours = [pith, "bench", verb, net, *options, "--image-size", str(size), "--batch", str(batch), "--threads",
            str(threads), "--json", "--seconds"]
    first = run(ours + ["0.2", "--save", model])
    best = {}
    for script, how in ways(verb):
        try:
            r = peer(script, verb, model, batch, threads, 2, how)
        except RuntimeError as e:
            print(f"    {how}: does not run here: {e}", file=sys.stderr)
            continue
        if script not in best or r["ms_median"] < best[script][1]["ms_median"]:
            best[script] = (how, r)
    runs = {"pith": [], **{s: [] for s in best}}
    for _ in range(rounds):
        runs["pith"].append(run(ours + [str(seconds)]))
        for script, (how, _) in best.items():
            runs[script].append(peer(script, verb, model, batch, threads, seconds, how))
    out = {"row": f"{verb} {net}{' ' + ' '.join(options) if options else ''} {size} batch {batch} threads {threads}",
           "must": must, "arena_mb": first.get("arena_mb"),
           "limits": limits(run(ours + ["2", "--profile"])["profile"])}
    for name, rs in runs.items():
        key = {"pith": "pith", "peer_torch.py": "torch", "peer_onnx.py": "onnxruntime"}[name]
        out[key] = {"img_per_s": statistics.median(r["img_per_s"] for r in rs),
                    "ms": statistics.median(r["ms_median"] for r in rs),
                    "ms_runs": [round(r["ms_median"], 4) for r in rs],
                    "ms_min": min(r["ms_min"] for r in rs),
                    "peak_rss_mb": max(r["peak_rss_mb"] for r in rs), "how": rs[0].get("how", "")}
        if key != "pith":
            out["ratio_" + key] = statistics.median(b["ms_median"] / a["ms_median"] for a, b in zip(runs["pith"], rs))
    return out


def limits(p):
    """A profile against what the machine can do: operations at the pace of a large product, bytes at that of copying."""
    least, took = 0.0, 0.0
    for s in p["steps"]:
        for way in ("forward", "backward"):
            took += s.get(way + "_ms", 0)
            least += s.get(way + "_ms", 0) * s.get("share_" + way, 0)
    total = lambda *keys: sum(s.get(k, 0) for s in p["steps"] for k in keys)
    return {"gmacs_a_second": p["limit_gmacs"], "gbytes_a_second": p["limit_gbytes"], "macs": total("macs", "macs_backward"),
            "bytes": total("bytes_forward", "bytes_backward"), "at_limits_ms": least, "profiled_ms": took, "share": least / took}


def neighbour(pith, rounds, seconds, folder):
    """Training with one processor kept busy by another program, as a share of training undisturbed, by turns."""
    _, net, options, size, batch, threads, _ = ROWS[0]
    model = os.path.join(folder, f"{net}-{size}.pith")
    ours = [pith, "bench", "train", net, "--image-size", str(size), "--batch", str(batch), "--threads", str(threads), "--json",
            "--seconds"]
    run(ours + ["0.2", "--save", model])
    engines = {"pith": lambda: run(ours + [str(seconds)]),
               "torch": lambda: peer("peer_torch.py", "train", model, batch, threads, seconds, "eager")}
    runs = {e: {"alone": [], "beside": []} for e in engines}
    for _ in range(rounds):
        for e, measured in engines.items():
            runs[e]["alone"].append(measured()["img_per_s"])
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            try:
                runs[e]["beside"].append(measured()["img_per_s"])
            finally:
                busy.kill()
                busy.wait()
    out = {"row": f"neighbour {net} {size} batch {batch} threads {threads}", "must": 0.45}
    for e, r in runs.items():
        alone, beside = statistics.median(r["alone"]), statistics.median(r["beside"])
        out[e] = {"img_per_s": alone, "beside_a_busy_program": beside, "share": beside / alone}
    print(f"{out['row']:52} " + " | ".join(f"{e} {100 * out[e]['share']:.0f}% of {out[e]['img_per_s']:.1f} img/s" for e in runs),
          flush=True)
    return out


def show(r):
    line = f"{r['row']:52} pith {r['pith']['img_per_s']:8.1f} img/s {r['pith']['ms']:8.2f} ms {r['pith']['peak_rss_mb']:5.0f} MB"
    for key in ("torch", "onnxruntime"):
        if key in r:
            line += (f" | {key} ({r[key]['how']}) {r[key]['img_per_s']:.1f}, {r[key]['ms']:.2f} ms, "
                     f"{r[key]['peak_rss_mb']:.0f} MB, ratio {r['ratio_' + key]:.2f}")
    print(f"{line} | {100 * r['limits']['share']:.0f}% of the machine's limits", flush=True)


def versions(pith):
    cpu = next((l.split(":")[1].strip() for l in open("/proc/cpuinfo") if l.startswith("model name")), platform.processor())
    v = {"date": datetime.date.today().isoformat(), "cpu": cpu, "cores": os.cpu_count(), "python": platform.python_version(),
         "system": platform.platform(), "pith": run([pith, "info", "--build", "--json"])}
    for name in ("torch", "onnxruntime", "numpy"):
        try:
            v[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return v


def main(pith, result, *rest):
    opts = dict(a.split("=") for a in rest if "=" in a)
    wanted = [a for a in rest if "=" not in a]
    rounds, seconds = int(opts.get("rounds", 5)), float(opts.get("seconds", 4))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            name = f"{row[0]} {row[1]} {row[3]} batch {row[4]}"
            if wanted and not any(w in name for w in wanted):
                continue
            try:
                rows.append(measure(pith, row, rounds, seconds, folder))
                show(rows[-1])
            except RuntimeError as e:
                print(f"{name}: {e}", flush=True)
        if not wanted or "neighbour" in wanted:
            rows.append(neighbour(pith, rounds, seconds, folder))
    with open(result + ".tmp", "w") as f:
        json.dump({"machine": versions(pith), "rounds": rounds, "seconds": seconds, "rows": rows}, f, indent=1)
        f.write("\n")
    os.replace(result + ".tmp", result)


if __name__ == "__main__":
    import importlib.metadata
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
