#!/usr/bin/env python3
"""Searches posy by several processes (MPI) and compares all that they leave with what one process leaves. Prints one table.

    runs/check/mpi.py --laser PROGRAM [--processes 1,2,3,4] [--kills N] [--seed N]

PROGRAM is a laser built with 'swift build -c release --traits MPI'. Each recipe of runs/posy is run by one process as usual,
and by so many under mpirun: journal, plan, report and checkpoint must be the same bytes, apart from times. Then a random process
of a random number is killed at a random moment, N times for each recipe; another number goes on from the journal to the end, and
must leave the same. The exit status is 1 if anything differs.
"""
import argparse, hashlib, os, pathlib, random, re, shutil, signal, subprocess, sys, tempfile, time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
RECIPES = {name: REPOSITORY / f"runs/posy/{name}.yaml" for name in ["plain", "relative"]}

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--laser", type=pathlib.Path, required=True)
parser.add_argument("--processes", default="1,2,3,4")
parser.add_argument("--kills", type=int, default=5, help="of each recipe")
parser.add_argument("--seed", type=int, default=1)
options = parser.parse_args()
counts = [int(count) for count in options.processes.split(",")]
random.seed(options.seed)
folder = pathlib.Path(tempfile.mkdtemp(prefix="laser-mpi-"))


def line(recipe, out, count):
    command = [str(options.laser), "run", str(RECIPES[recipe]), "--out", str(out / "run"), "--checkpoint", str(out / "lasered")]
    command += ["--force", "--quiet"]
    if count is None:
        return command
    launcher = ["mpirun", "--oversubscribe", "--quiet", "-n", str(count)]
    if os.geteuid() == 0:
        launcher.insert(1, "--allow-run-as-root")
    return launcher + command


TIMES = re.compile(r'"(seconds|started)"\s*:\s*("[^"]*"|[-0-9.e]+),?')


def digest(out):
    """Every file that the search leaves for people, without the times in it."""
    found = {}
    for file in sorted(out.rglob("*")):
        if not file.is_file() or file.name in ["report.html", "report.md", "README.md", "directions.jsonl"]:
            continue
        data = file.read_bytes()
        if file.suffix in [".json", ".jsonl"]:
            data = TIMES.sub("", data.decode()).encode()
        found[str(file.relative_to(out))] = hashlib.sha256(data.replace(str(out).encode(), b"")).hexdigest()
    return found


def differences(out, expected):
    found = digest(out)
    return sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))


def processes(launcher):
    """The processes of laser that a launcher has started."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and int(entry.joinpath("stat").read_text().rsplit(")", 1)[1].split()[1]) == launcher:
                if os.readlink(entry / "exe") == str(options.laser.resolve()):
                    found.append(int(entry.name))
        except (OSError, ValueError):
            pass
    return found


rows, failed = [], 0


def row(recipe, what, seconds, problems):
    global failed
    failed += bool(problems)
    rows.append((recipe, what, f"{seconds:.1f}", "the same" if not problems else "; ".join(problems)))
    print("| " + " | ".join(rows[-1]) + " |", flush=True)


print("| recipe | processes | seconds | against one process |\n| --- | --- | ---: | --- |", flush=True)
try:
    for recipe in RECIPES:
        start = time.time()
        alone = folder / f"{recipe}-alone"
        subprocess.run(line(recipe, alone, None), check=True, stdout=subprocess.DEVNULL)
        seconds = time.time() - start
        expected = digest(alone)
        row(recipe, "one, without mpirun", seconds, [] if "run/plan.yaml" in expected else ["no plan"])
        for count in counts:
            out = folder / f"{recipe}-{count}"
            start = time.time()
            run = subprocess.run(line(recipe, out, count), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            problems = [f"status {run.returncode}: {run.stderr.strip()[:200]}"] if run.returncode else []
            row(recipe, str(count), time.time() - start, problems + differences(out, expected))
            shutil.rmtree(out, ignore_errors=True)
        for number in range(options.kills):
            out = folder / f"{recipe}-kill-{number}"
            before, after = random.choice(counts[1:]), random.choice(counts)
            while after == before:
                after = random.choice(counts)
            launcher = subprocess.Popen(line(recipe, out, before), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            moment = random.uniform(0.3, 0.95) * seconds
            start = time.time()
            while time.time() - start < moment and launcher.poll() is None:
                time.sleep(0.02)
            victims = processes(launcher.pid)
            rank = random.randrange(len(victims)) if victims else None
            if rank is not None:
                os.kill(victims[rank], signal.SIGKILL)
            killed = time.time()
            told = launcher.communicate()[1].strip()
            ended = time.time() - killed
            problems = []
            if rank is not None and launcher.returncode == 0:
                problems.append("status 0 after a kill")
            if rank is not None and ended > 20:
                problems.append(f"it took {ended:.0f} s to end")
            if left := processes(launcher.pid):
                problems.append(f"{len(left)} processes were left")
            run = subprocess.run(line(recipe, out, after), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            if run.returncode:
                problems.append(f"status {run.returncode}: {run.stderr.strip()[:200]}")
            what = f"{before}, one killed after {moment:.1f} s" if rank is not None else f"{before}, done before the kill"
            row(recipe, f"{what}, then {after}", time.time() - start, problems + differences(out, expected))
            if number == 0 and rank is not None:
                print(f"  what is said of a kill: {told!r}", file=sys.stderr)
            shutil.rmtree(out, ignore_errors=True)
finally:
    shutil.rmtree(folder, ignore_errors=True)
print(f"\n{len(rows) - failed} of {len(rows)} the same.")
sys.exit(1 if failed else 0)
