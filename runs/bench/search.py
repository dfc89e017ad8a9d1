#!/usr/bin/env python3
"""Times a search by laser and the same search by brute force (peers/brute_force_laser.py: PyTorch, one SVD per site, one
whole evaluation per trial), and compares what they find.

    runs/bench/search.py MODEL --text FILE... --held-out FILE... --peer-python PYTHON [--base BASE] [--layers 0-5]
                         [--ranks 0.9,0.5,0.1] [--context 256] [--scratch FOLDER] [--keep-peer FILE] [--json]

PYTHON is an interpreter with torch and transformers. laser runs four times: with --strategy sweep, with filters (shrink, and truncate for ranks alone), and with --exhaustive,
accepting any decrease, whose trials are compared with those of brute force one by one. --keep-peer FILE keeps what brute
force printed and takes it from there the next time, with its time of then.
"""
import argparse, json, os, shutil, subprocess, sys, tempfile, time

from measuring import HERE, LASER, environment
from tables import markdown

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("model"); p.add_argument("--text", nargs="+", required=True); p.add_argument("--held-out", nargs="+", required=True)
p.add_argument("--peer-python", required=True); p.add_argument("--base"); p.add_argument("--layers")
p.add_argument("--ranks", default="0.9,0.75,0.5,0.25,0.1"); p.add_argument("--context", default="256")
p.add_argument("--scratch"); p.add_argument("--keep-peer"); p.add_argument("--laser", default=LASER); p.add_argument("--json", action="store_true")
a = p.parse_args()

texts = ["--text", *a.text, "--held-out", *a.held_out, "--context", a.context]
shared = [*texts, "--ranks", a.ranks]
shared += ["--base", a.base] if a.base else []
shared += ["--layers", a.layers] if a.layers else []
scratch = a.scratch or tempfile.mkdtemp()
os.makedirs(scratch, exist_ok=True)

def laser(name, *more):
    folder = os.path.join(scratch, name)
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    done = subprocess.run([a.laser, "search", a.model, *texts, "--out", folder, "--json", "--quiet", *more], capture_output=True, text=True, env=environment())
    seconds = time.perf_counter() - start
    if done.returncode != 0: sys.exit(done.stderr)
    with open(os.path.join(folder, "journal.jsonl")) as file: records = [json.loads(line) for line in file]
    return json.loads(done.stdout), [r for r in records if r["record"] == "trial"], seconds

def brute_force():
    if a.keep_peer and os.path.exists(a.keep_peer): return json.load(open(a.keep_peer))
    done = subprocess.run([a.peer_python, os.path.join(HERE, "peers", "brute_force_laser.py"), a.model, *shared], capture_output=True, text=True, env=environment())
    if done.returncode != 0: sys.exit(done.stderr)
    if a.keep_peer: open(a.keep_peer, "w").write(done.stdout)
    return json.loads(done.stdout)

ranks = ["--ranks", a.ranks, "--strategy"]
usual, usual_trials, usual_seconds = laser("usual", *ranks, "sweep")
filters, _, filters_seconds = laser("filters", "--roles", "w1,w2,w3")
truncated, _, truncated_seconds = laser("truncated", "--roles", "w1,w2,w3", "--filter", "truncate")
exhaustive, trials, exhaustive_seconds = laser("exhaustive", *ranks, "sweep", "--exhaustive", "--confidence", "0.5", "--fdr", "1")
peer = brute_force()

def nlls(report, part): return report[part]["baseline"]["nll"], report[part]["result"]["nll"]
def row(name, seconds, trials, kept, search, held):
    return [name, f"{seconds:.1f}", f"{peer['seconds'] / seconds:.1f}", f"{trials}", f"{kept}", *(f"{before:.5f} → {after:.5f}" for before, after in (search, held))]
rows = [row("brute force", peer["seconds"], peer["trials"], len(peer["plan"]), (peer["baseline_nll"], peer["result_nll"]),
            (peer["held_out_baseline_nll"], peer["held_out_result_nll"]))]
for name, report, seconds in (("`laser search --strategy sweep`", usual, usual_seconds), ("`laser search`: filters", filters, filters_seconds), ("`laser search --filter truncate`", truncated, truncated_seconds), ("`laser search`, exhaustive, any decrease", exhaustive, exhaustive_seconds)):
    rows.append(row(name, seconds, report["measured"], len(report["plan"]), nlls(report, "search"), nlls(report, "held_out")))

def label(trial): return ".".join(str(trial[k]) for k in ("layer", "expert", "role") if k in trial)
apart, notes = 0.0, ""
for number, (ours, theirs) in enumerate(zip(trials, peer["all"])):
    if (label(ours), ours["rank"]) != (theirs["site"], theirs["rank"]): sys.exit(f"trial {number}: {label(ours)} rank {ours['rank']} against {theirs}")
    apart = max(apart, abs(ours["nll"] - theirs["nll"]))
    if ours["kept"] != (theirs["delta"] < 0):
        notes = f"Trial {number + 1} ({label(ours)}, rank {ours['rank']}) is decided otherwise: {ours['delta']:+.2e} against {theirs['delta']:+.2e}.\n"
        break
ours = [(label(r), r["rank"]) for r in exhaustive["plan"]]
theirs = [(q["site"], q["rank"]) for q in peer["plan"]]
notes += f"Exhaustive against brute force: largest difference of a trial's nll {apart:.1e}; plans {'equal' if ours == theirs else 'differ'}.\n"
table = markdown(["", "seconds", "times as fast", "trials", "kept", "search nll", "held-out nll"], rows) + "\n" + notes
if a.json:
    print(json.dumps({"brute_force": peer["seconds"], "laser": usual_seconds, "filters": filters_seconds, "truncated": truncated_seconds, "exhaustive": exhaustive_seconds, "table": table}))
else:
    print(table, end="")
if not a.scratch: shutil.rmtree(scratch)
