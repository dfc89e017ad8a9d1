#!/usr/bin/env python3
"""How fast two processes of one thread are beside one process of two threads. Prints one table.

    runs/bench/processes.py --laser PROGRAM [--rounds N] [--processes N] [MODEL TEXT HELD-OUT]

PROGRAM is a laser built with 'swift build -c release --traits MPI'; the model is runs/posy/model with its tales, if nothing else is
given. Both take turns, so that a machine that slows down slows both; each figure is a median, and the ratio is that of the rounds.
"""
import argparse, pathlib, os, shutil, statistics, subprocess, tempfile, time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
POSY = REPOSITORY / "runs/posy"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--laser", type=pathlib.Path, required=True)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--processes", type=int, default=2)
parser.add_argument("--memory", default="2G")
parser.add_argument("inputs", nargs="*", default=[POSY / "model", POSY / "text/tales.search.txt", POSY / "text/tales.heldout.txt"])
options = parser.parse_args()
model, text, held_out = map(str, options.inputs)
folder = pathlib.Path(tempfile.mkdtemp(prefix="laser-bench-"))
count = str(options.processes)
launcher = ["mpirun", "--oversubscribe", "--quiet", "-n", count] + (["--allow-run-as-root"] if os.geteuid() == 0 else [])


def seconds(command):
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


commands = {
    "perplexity": ["perplexity", model, "--text", text, "--context", "256"],
    "search, filters": ["search", model, "--text", text, "--held-out", held_out, "--context", "256", "--out", str(folder / "run")],
    "search, sweep": ["search", model, "--text", text, "--held-out", held_out, "--context", "256", "--strategy", "sweep",
                      "--out", str(folder / "run")],
}
print(f"| | 1 × {count} threads, s | {count} processes × 1 thread, s | speed of the processes |\n| --- | ---: | ---: | ---: |")
try:
    for name, arguments in commands.items():
        arguments += ["--memory", options.memory]
        pairs = []
        for _ in range(options.rounds):
            pair = []
            for start, threads in [([], count), (launcher, "1")]:
                pair.append(seconds(start + [str(options.laser)] + arguments + ["--threads", threads]))
                shutil.rmtree(folder / "run", ignore_errors=True)
            pairs.append(pair)
        threads, processes = (statistics.median(pair[index] for pair in pairs) for index in (0, 1))
        ratio = statistics.median(pair[0] / pair[1] for pair in pairs)
        print(f"| {name} | {threads:.2f} | {processes:.2f} | {ratio:.2f} |", flush=True)
finally:
    shutil.rmtree(folder, ignore_errors=True)
