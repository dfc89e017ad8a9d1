#!/usr/bin/env python3
"""How the cost of laser's work grows while one thing varies: tokens, layers, experts, ranks tried, threads, matrix size.

    runs/bench/growth.py [--svg FILE] [--out TABLES.md] [--runs 3] [--largest SHARE] [--laser PROGRAM] [--scratch FOLDER]

Models are mixtures of random weights by `laser synthesize`, 512 wide with experts of 1792 hidden channels, 2 of 8 for each
token, 4 layers; texts are those of runs/posy. Every point is the median of its runs, which go round all points of a panel
in turn. --largest 0.25 leaves out points above a quarter of each range: to try the script.
"""
import argparse, json, os, shutil, sys, tempfile
from dataclasses import dataclass

import contenders
from measuring import LASER, REPOSITORY, in_turn, median, run
from panels import Panel, drawing
from tables import markdown

POSY = os.path.join(REPOSITORY, "runs", "posy")


@dataclass
class Series:
    """One thing that varies."""
    title: str
    unit: str
    points: dict  # from the thing's amount to the function that runs once
    power: float  # of the law that the panel draws beside it: seconds as amount to this power


def model(scratch, layers=4, experts=8, hidden=512, intermediate=1792, vocabulary=2048):
    """The folder of a synthetic mixture, made when it is first asked for."""
    folder = os.path.join(scratch, f"{layers}-{experts}-{hidden}-{intermediate}")
    if not os.path.exists(folder):
        heads = max(1, hidden // 64)
        run([contenders.laser, "synthesize", "--out", folder, "--layers", layers, "--experts", experts, "--experts-per-token", min(2, experts),
             "--hidden", hidden, "--intermediate", intermediate, "--heads", heads, "--kv-heads", max(1, heads // 4) if heads % 4 == 0 else heads,
             "--vocabulary", vocabulary, "--tokenizer", os.path.join(POSY, "model"), "--quiet"])
    return folder


def text(scratch, tokens):
    """About so many tokens of runs/posy's texts, with the tokenizer of posy (3.1 bytes each)."""
    path = os.path.join(scratch, f"{tokens}.txt")
    if not os.path.exists(path):
        folder = os.path.join(POSY, "text")
        whole = b"".join(open(os.path.join(folder, name), "rb").read() for name in sorted(os.listdir(folder)))
        with open(path, "wb") as target:
            target.write(whole[: tokens * 31 // 10].decode(errors="ignore").encode())
    return path


def perplexity(folder, path, threads=None):
    return lambda: contenders.laser_perplexity(folder, [path], 256, "float32", more=["--threads", threads] if threads else [])


def search(folder, scratch, ranks):
    """One matrix, every rank over the whole text: the seconds that the search itself reports."""
    def once():
        out = os.path.join(scratch, "search")
        shutil.rmtree(out, ignore_errors=True)
        listed = ",".join(str(8 * (number + 1)) for number in range(ranks))
        result = run([contenders.laser, "search", folder, "--text", text(scratch, 4096), "--held-out", text(scratch, 512), "--out", out, "--layers", 2,
                      "--experts", 0, "--roles", "w1", "--strategy", "sweep", "--ranks", listed, "--context", 256, "--exhaustive", "--json", "--quiet"])
        return result | {"seconds": json.loads(result["output"])["seconds"]}
    return once


def spectrum(scratch, side):
    """A square matrix: the whole process, which reads it, decomposes it and prints."""
    folder = model(scratch, layers=1, experts=1, hidden=side, intermediate=side)
    return lambda: contenders.laser_spectrum(folder)


def series(scratch, largest):
    def up_to(*amounts):
        return [amount for amount in amounts if amount <= max(amounts) * largest]

    cores = os.cpu_count()
    threads = sorted({amount for amount in (1, 2, 4, 8, 16, 32, 64) if amount < cores} | {cores})
    four = text(scratch, 4096)
    yield Series("tokens", "thousand tokens", {n: perplexity(model(scratch), text(scratch, 1024 * n)) for n in up_to(1, 2, 4, 8, 16, 32)}, 1)
    yield Series("layers", "layers", {n: perplexity(model(scratch, layers=n), four) for n in up_to(1, 2, 4, 8, 16)}, 1)
    yield Series("experts", "experts, 2 for each token", {n: perplexity(model(scratch, experts=n), four) for n in up_to(2, 4, 8, 16, 32)}, 0)
    yield Series("ranks", "ranks tried of a matrix", {n: search(model(scratch), scratch, n) for n in up_to(1, 2, 4, 8, 16)}, 1)
    yield Series("threads", "threads", {n: perplexity(model(scratch), text(scratch, 8192), n) for n in threads}, -1)
    yield Series("matrix", "rows and columns of a matrix", {n: spectrum(scratch, n) for n in up_to(256, 512, 1024, 2048, 4096)}, 3)


def report(scratch, runs, svg=None, largest=1.0):
    """The tables in Markdown; draws the panels if a file is named."""
    tables, panels = "### Growth\n", []
    scratch = os.path.join(scratch, "growth")
    os.makedirs(scratch)
    for one in series(scratch, largest):
        print(f"  {one.title}:", file=sys.stderr)
        results = in_turn({str(amount): once for amount, once in one.points.items()}, runs)
        amounts = list(one.points)
        seconds = [median(results[str(amount)]) for amount in amounts]
        rows = [["seconds"] + [f"{value:.3f}" for value in seconds]]
        # What the cost grows with between two points: 1 is in proportion.
        rows.append(["times the one before"] + [""] + [f"{b / a:.2f}" for a, b in zip(seconds, seconds[1:])])
        tables += "\n" + markdown([one.unit] + [f"{amount}" for amount in amounts], rows)
        panels.append(Panel(one.unit, amounts, seconds, one.power))
    if svg:
        with open(svg, "w") as file:
            file.write(drawing(panels))
    shutil.rmtree(scratch)
    return tables


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--svg", metavar="FILE")
    parser.add_argument("--out", metavar="FILE", help="also write the tables there")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--largest", type=float, default=1.0, metavar="SHARE")
    parser.add_argument("--laser", default=LASER, metavar="PROGRAM")
    parser.add_argument("--scratch", metavar="FOLDER")
    arguments = parser.parse_args()
    contenders.laser = arguments.laser
    folder = tempfile.mkdtemp(prefix="laser-growth-", dir=arguments.scratch)
    try:
        tables = report(folder, arguments.runs, arguments.svg, arguments.largest)
    finally:
        shutil.rmtree(folder)
    if arguments.out:
        with open(arguments.out, "w") as file:
            file.write(tables)
    print(tables, end="")
