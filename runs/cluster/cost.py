#!/usr/bin/env python3
"""What a search by filters takes on many machines, by a model of its cost. Prints the tables of docs/clusters.md.

    runs/cluster/cost.py [--cores 32] [--gflops 200] [--network 10] [--disk 2] [--tokens 25600] [--models 24]

A search runs the model forward and backward over the search text once, decomposes every matrix, measures some tens of models
whose matrices are made of the decompositions, and writes the result. Of N processes, one a machine:

    compute   (forward, backward, directions, models measured) / N, by windows
              (decompositions, matrices made) / N, by sites
    weights   read from a file system that all share, once, if a machine's memory holds the model
    exchange  vectors and matrices that one has made, to all others, and the changes of every window
    serial    tokenizing, the journal, and writing the checkpoint, by the first

Multiplications are counted from the shapes; --gflops is what a core does of them in products of float32 (docs/performance.md), half as many
in float64; --network and --disk are GB/s.
"""
import argparse

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--cores", type=int, default=32, help="of a machine")
parser.add_argument("--gflops", type=float, default=200, help="of a core")
parser.add_argument("--network", type=float, default=10, help="GB/s")
parser.add_argument("--disk", type=float, default=2, help="GB/s")
parser.add_argument("--tokens", type=int, default=25_600, help="of the search text, and of the held-out text")
parser.add_argument("--models", type=int, default=24, help="that are measured on half of the search text")
options = parser.parse_args()

HIDDEN, INNER, LAYERS, ACTIVE, VOCABULARY, WINDOW = 4096, 14336, 32, 2, 32_000, 256
# Processor seconds of decomposing a matrix of 14336 × 4096, at 200 GFLOP/s a core: docs/performance.md.
DECOMPOSITION = 10.5


def search(experts):
    attention = [(HIDDEN, HIDDEN), (1024, HIDDEN), (1024, HIDDEN), (HIDDEN, HIDDEN)]
    expert = [(INNER, HIDDEN), (INNER, HIDDEN), (HIDDEN, INNER)]
    sites = LAYERS * (attention + experts * expert)
    used = LAYERS * (attention + ACTIVE * expert)
    numbers = sum(m * n for m, n in sites)
    bytes_stored = 2 * (numbers + 2 * VOCABULARY * HIDDEN)
    token = 2 * (sum(m * n for m, n in used) + VOCABULARY * HIDDEN)
    directions = 2 * sum(min(m, n) * (m + n) for m, n in used)
    half = options.tokens / 2
    # The result and two alternatives are measured on the held-out text, the result on the search text too.
    measured = token * (options.models * half + 4 * options.tokens)
    passes = options.tokens * (token + 3 * token + directions)
    largest = INNER * HIDDEN * HIDDEN
    # Once for the search, and once more for the checkpoint.
    decomposition = 2 * DECOMPOSITION * sum(min(m, n) ** 2 * (max(m, n) + 8 * min(m, n)) for m, n in sites) / (
        largest + 8 * HIDDEN**3)
    # H = V F Vᵀ, half of a product of float64, then W H, one of float32; for each model that is measured.
    made = sum(2 * m * n * min(m, n) + 2 * min(m, n) ** 3 for m, n in sites) * (options.models + 4)
    rate = options.gflops * 1e9
    return {
        "sites": len(sites), "bytes": bytes_stored,
        "compute": (measured + passes) / rate + decomposition * 200 / options.gflops + made / rate,
        "parts": (passes / rate, decomposition * 200 / options.gflops, measured / rate, made / rate),
        "vectors": sum(8 * min(m, n) ** 2 for m, n in sites),
        "changes": sum(8 * min(m, n) for m, n in sites) * options.tokens / WINDOW,
        "matrices": 2 * numbers * (options.models + 4),
        "scores": 16 * (options.models * half + 4 * options.tokens),
        "serial": 30 + bytes_stored / (options.disk * 1e9),
    }


def duration(seconds):
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def gigabytes(count):
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.2g}"


mixtures = {"4x7B": search(4), "8x7B": search(8)}
print(f"| | {' | '.join(mixtures)} |\n| --- | {' | '.join('---:' for _ in mixtures)} |")
for name, key in [("passes and directions", 0), ("decompositions", 1), ("models measured", 2), ("their matrices", 3)]:
    print(f"| {name}, core hours | " + " | ".join(f"{m['parts'][key] / 3600:.1f}" for m in mixtures.values()) + " |")
for name, key in [("vectors", "vectors"), ("changes of windows", "changes"), ("matrices", "matrices"), ("scores", "scores")]:
    print(f"| {name} received by each process, GB | " + " | ".join(gigabytes(m[key]) for m in mixtures.values()) + " |")
print(f"\n| machines of {options.cores} cores | " + " | ".join(f"{name}: compute | exchange | weights | serial | all" for name in mixtures) + " |")
print("| --- | " + " | ".join("---: | ---: | ---: | ---: | ---:" for _ in mixtures) + " |")
for machines in [1, 2, 4, 8, 16, 32, 64]:
    cells = []
    for m in mixtures.values():
        compute = m["compute"] / machines / options.cores
        exchange = 0 if machines == 1 else (m["vectors"] + m["changes"] + m["matrices"] + m["scores"]) / (options.network * 1e9)
        weights = m["bytes"] / (options.disk * 1e9)
        cells += [duration(seconds) for seconds in (compute, exchange, weights, m["serial"], compute + exchange + weights + m["serial"])]
    print(f"| {machines} | " + " | ".join(cells) + " |")
