#!/usr/bin/env python3
"""Runs laser and its peers on the same inputs, in turn, and prints one table of ratios and targets, then what lies behind it.

    runs/bench/bench.py all --peer-python PYTHON --models FOLDER --llama-perplexity PROGRAM --text FILE --out RESULTS.md
    runs/bench/bench.py mixtral decomposition --peer-python PYTHON          some sections
    runs/bench/bench.py perplexity --model MODEL --text FILE --peer-python PYTHON    any model

Sections: {sections}. What a section lacks is
said and left out. search takes minutes, for brute force is its peer; `--without search` leaves it out.

PYTHON is an interpreter with torch, transformers and tokenizers; FOLDER holds smollm2-135m and smollm2-4x135m; PROGRAM is
made by peers/build_llama.sh. FILE is the text of smollm2, of the Mixtral layers and of tokenizing (the texts of runs/posy
by default). A ratio is the median over the rounds of the peer's figure over ours in the same round: 2 is twice as fast, or
half the memory. Processor seconds are of all threads; on a machine that others use too they say more than seconds.
The exit status is 2 if a target is missed.
"""
import argparse, os, shutil, sys, tempfile, time

import contenders
from measuring import LASER, REPOSITORY, Failed
from sections import ALL, Skipped, beside_transformers, needed, profiled
from tables import Row, machine_facts, results_table


def perplexity(setup):
    name = os.path.basename(os.path.normpath(needed(setup.model, "--model")))
    yield from beside_transformers(setup, name, setup.model, [setup.text], setup.context)
    yield from profiled(name, setup.model, [setup.text], setup.context)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.replace("{sections}", ", ".join(ALL)), formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="+", choices=["all", "perplexity", *ALL], metavar="SECTION")
    parser.add_argument("--without", nargs="+", choices=list(ALL), default=[], metavar="SECTION")
    parser.add_argument("--peer-python", metavar="PYTHON")
    parser.add_argument("--models", metavar="FOLDER")
    parser.add_argument("--llama-perplexity", metavar="PROGRAM")
    parser.add_argument("--text", metavar="FILE")
    parser.add_argument("--runs", type=int, default=3, help="rounds; 3 by default")
    parser.add_argument("--out", metavar="FILE", help="also write the tables there, after each section")
    parser.add_argument("--growth-svg", metavar="FILE", help="draw the panels of growth into FILE")
    parser.add_argument("--scratch", metavar="FOLDER", help="where checkpoints of some GB are made; the system's by default")
    parser.add_argument("--laser", metavar="PROGRAM", default=LASER)
    parser.add_argument("--model", help="of perplexity")
    parser.add_argument("--context", type=int, default=512, help="of perplexity")
    parser.add_argument("--mixtral-layers", type=int, default=2, help="2.8 GB each, twice that for transformers")
    parser.add_argument("--mixtral-bytes", type=int, default=10000, help="of text; 10000 by default")
    parser.add_argument("--rows", type=int, default=14336, help="of decomposition")
    parser.add_argument("--columns", type=int, default=4096, help="of decomposition")
    return parser.parse_args()


def joined_texts(path):
    """The texts of runs/posy one after another."""
    folder = os.path.join(REPOSITORY, "runs", "posy", "text")
    with open(path, "wb") as target:
        for name in sorted(os.listdir(folder)):
            with open(os.path.join(folder, name), "rb") as source:
                shutil.copyfileobj(source, target)
    return path


def main():
    setup = arguments()
    contenders.laser = setup.laser
    setup.scratch = tempfile.mkdtemp(prefix="laser-bench-", dir=setup.scratch)
    try:
        setup.text = setup.text or joined_texts(os.path.join(setup.scratch, "texts.txt"))
        names = list(ALL) if "all" in setup.sections else setup.sections
        rows, texts, left_out = [], [], []
        facts = machine_facts(setup.peer_python, setup.llama_perplexity)

        def report():
            missing = "".join(f"Left out: {reason}.\n" for reason in left_out)
            return f"## Results\n\n{facts}\n{results_table(rows)}\n{missing}\n" + "\n".join(texts)

        for name in names:
            if name in setup.without:
                continue
            print(f"{name}:", file=sys.stderr)
            start = time.perf_counter()
            try:
                for found in (ALL | {"perplexity": perplexity})[name](setup):
                    (rows if isinstance(found, Row) else texts).append(found)
            except (Skipped, Failed) as reason:
                left_out.append(f"{name}: {reason}")
                print(f"  left out: {reason}", file=sys.stderr)
            print(f"  {name} took {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
            if setup.out:
                with open(setup.out, "w") as file:
                    file.write(report())
        print(report(), end="")
        if any(row.target is not None and row.ratio < row.target for row in rows):
            sys.exit(2)
    finally:
        shutil.rmtree(setup.scratch)


if __name__ == "__main__":
    main()
