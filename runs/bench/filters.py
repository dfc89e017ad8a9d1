#!/usr/bin/env python3
"""What filters gain on held-out text, with what needs no search beside it: the table of docs/performance.md.

    runs/bench/filters.py [--laser PROGRAM] [--trained FOLDER] [--scratch FOLDER] [--repeats 3]

Texts are those of runs/posy, context 256. FOLDER is posy-4x1m-trained, left out where it is not given. Seconds are the median of the repeats; nothing else differs among them.
"""
import argparse, json, os, shutil, statistics, subprocess, sys, tempfile, time
from measuring import LASER, REPOSITORY, environment
from tables import markdown

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("--laser", default=LASER); p.add_argument("--trained"); p.add_argument("--scratch"); p.add_argument("--repeats", type=int, default=3)
a = p.parse_args()
scratch = a.scratch or tempfile.mkdtemp(prefix="laser-filters-")
posy = os.path.join(REPOSITORY, "runs", "posy")
texts = [f"{posy}/text/{name}" for name in ("tales", "novels", "essays", "plays")]
shared = ["--text", *(t + ".search.txt" for t in texts), "--held-out", *(t + ".heldout.txt" for t in texts), "--context", "256", "--quiet"]
experts = ["--roles", "w1,w2,w3"]
model, base = [f"{posy}/model"], ["--base", f"{posy}/base"]
runs = [("relative, experts", kind, [*model, *base, *experts]) for kind in ("truncate", "select", "shrink", "reweight")]
runs += [("plain, experts", kind, [*model, *experts]) for kind in ("shrink", "reweight")]
runs += [("plain", kind, model) for kind in ("select", "shrink", "reweight")]
if a.trained: runs += [("trained, plain", kind, [a.trained]) for kind in ("shrink", "reweight")]
runs += [(f"{name}, two rounds", kind, [*arguments, "--rounds", "2"]) for name, kind, arguments in runs if kind in ("shrink", "reweight")]


def change(before, after):
    """Nats per token and the standard error, paired by window."""
    tokens = sum(w["tokens"] for w in before)
    deltas = [y["nll"] - x["nll"] for x, y in zip(before, after)]
    mean = sum(deltas) / tokens
    squares = sum((d - mean * w["tokens"]) ** 2 for d, w in zip(deltas, before))
    return f"{mean:+.4f} ± {(len(before) / (len(before) - 1) * squares) ** 0.5 / tokens:.4f}"


rows = []
for number, (name, kind, arguments) in enumerate(runs):
    seconds = []
    for _ in range(a.repeats):
        folder = os.path.join(scratch, str(number))
        shutil.rmtree(folder, ignore_errors=True)
        start = time.perf_counter()
        done = subprocess.run([a.laser, "search", *arguments, *shared, "--filter", kind, "--out", folder], capture_output=True, text=True, env=environment())
        seconds.append(time.perf_counter() - start)
        if done.returncode != 0: sys.exit(done.stderr)
    with open(os.path.join(folder, "journal.jsonl")) as file: records = [json.loads(line) for line in file]
    result = records[-1]
    kept = next((r for r in records if r["record"] == "trial"), {"together": []})["together"]
    groups = {("attention" if m["role"].endswith("_proj") else "feed-forward"): m["damping"] for m in kept}
    others = {x["name"]: change(result["heldOutBaseline"], x["heldOut"]) for x in result.get("alternatives", [])}
    rows.append([name, kind, change(result["heldOutBaseline"], result["heldOut"]), ", ".join(f"{k:g}" for k in groups.values()),
                 others.get("one factor for each matrix", ""), others.get("the base's own matrices", ""), f"{statistics.median(seconds):.1f}"])
print(markdown(["run", "filter", "held out", "k", "one factor each", "the base's own", "seconds"], rows))
