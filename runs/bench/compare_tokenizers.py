#!/usr/bin/env python3
"""Compares the ids of `laser tokenize` with those of the programs that the tokenizers come from, and times both.

    runs/bench/compare_tokenizers.py FOLDER... --text FILE...

To be run by an interpreter with tokenizers, and with sentencepiece where a FOLDER has no tokenizer.json but a
tokenizer.model. A folder with GPT-2's vocab.json and merges.txt is compared with tokenizers as well. Texts go in whole.
Prints for every folder and text how many ids there are, the first difference if there is one, and MB of text a second on
one core. The exit status is 1 if anything differs.
"""
import argparse, json, os, pathlib, subprocess, sys, time

from measuring import LASER, environment

os.environ["TOKENIZERS_PARALLELISM"] = "false"
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("folders", nargs="+", type=pathlib.Path)
parser.add_argument("--text", nargs="+", required=True)
arguments = parser.parse_args()


def peer(folder):
    """The program's name, and a function from text to ids."""
    if (folder / "tokenizer.json").exists():
        import tokenizers
        tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        tokenizer.no_truncation(), tokenizer.no_padding()
        return "tokenizers " + tokenizers.__version__, lambda text: tokenizer.encode(text).ids
    if (folder / "tokenizer.model").exists():
        import sentencepiece
        model = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
        return "sentencepiece " + sentencepiece.__version__, lambda text: model.encode(text, add_bos=model.bos_id() >= 0)
    import tokenizers
    tokenizer = tokenizers.ByteLevelBPETokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"))
    tokenizer.add_special_tokens(["<|endoftext|>"])
    return "tokenizers " + tokenizers.__version__, lambda text: tokenizer.encode(text).ids


def ours(folder, text):
    """The ids, and the seconds that they took."""
    command = [LASER, "tokenize", str(folder), "--text", text, "--ids", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment())
    found = json.loads(done.stdout)["texts"][0]
    return found["ids"], found["seconds"]


differ = False
for folder in arguments.folders:
    name, encode = peer(folder)
    for path in arguments.text:
        text = open(path, encoding="utf-8", newline="").read()
        start = time.perf_counter()
        expected = encode(text)
        peer_seconds = time.perf_counter() - start
        ids, seconds = ours(folder, path)
        megabytes = os.path.getsize(path) / 1e6
        verdict = "equal"
        if ids != expected:
            differ = True
            place = next((i for i, pair in enumerate(zip(ids, expected)) if pair[0] != pair[1]), min(len(ids), len(expected)))
            verdict = f"DIFFER at token {place}: {ids[place:place + 6]} for {expected[place:place + 6]}"
        print(f"{folder.name:12} {os.path.basename(path):18} {len(expected):9,} ids of {name}: {verdict};  "
              f"MB/s {megabytes / seconds:6.1f}, {megabytes / peer_seconds:6.1f}", flush=True)
sys.exit(differ)
