#!/usr/bin/env python3
"""Times `laser perplexity` and Hugging Face transformers (float32, CPU) on the same model and texts, in turn.

    runs/bench/perplexity.py MODEL TEXT... [--context 512] [--runs 3] [--peer-python PYTHON]

PYTHON is an interpreter with torch and transformers; without it only laser is run. Both time the evaluation alone, the
model loaded. Prints every run, the medians, their ratio, and by how much the perplexities differ.
"""
import argparse, json, os, statistics, subprocess, sys

PEER = r"""
import json, math, os, sys, time, torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
folder, context, texts = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
torch.set_num_threads(os.cpu_count()); torch.set_grad_enabled(False)
tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
total, count, seconds = 0.0, 0, 0.0
for text in texts:
    ids = torch.tensor(tokenizer(open(text, encoding="utf-8", newline="").read()).input_ids)
    windows = ids[: ids.numel() // context * context].view(-1, context)
    model(windows[:1], use_cache=False)
    start = time.perf_counter()
    for batch in windows.split(16):
        logits = model(batch, use_cache=False).logits[:, :-1]
        nll = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1), reduction="none")
        total += nll.double().sum().item(); count += nll.numel()
    seconds += time.perf_counter() - start
print(json.dumps({"nll": total / count, "tokens_per_second": count / seconds}))
"""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("texts", nargs="+")
parser.add_argument("--context", type=int, default=512)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--peer-python")
arguments = parser.parse_args()
laser = os.path.join(os.path.dirname(__file__), "..", "..", ".build", "release", "laser")


def ours():
    command = [laser, "perplexity", arguments.model, "--text", *arguments.texts, "--context", str(arguments.context), "--json", "--quiet"]
    result = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    scored = sum(row["scored_tokens"] for row in result["corpora"])
    return {"nll": sum(row["nll"] * row["scored_tokens"] for row in result["corpora"]) / scored, "tokens_per_second": result["tokens_per_second"]}


def peer():
    command = [arguments.peer_python, "-c", PEER, arguments.model, str(arguments.context), *arguments.texts]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


contenders = {"laser": ours} | ({"transformers": peer} if arguments.peer_python else {})
results = {name: [] for name in contenders}
for number in range(arguments.runs):
    for name, run in contenders.items():
        results[name].append(run())
        print(f"run {number + 1}: {name} {results[name][-1]['tokens_per_second']:.0f} tokens/s", file=sys.stderr)
medians = {name: statistics.median(row["tokens_per_second"] for row in rows) for name, rows in results.items()}
for name, median in medians.items():
    print(f"{name:13} {median:9.0f} tokens/s   nll {results[name][0]['nll']:.6f}")
if arguments.peer_python:
    ratios = [a["tokens_per_second"] / b["tokens_per_second"] for a, b in zip(results["laser"], results["transformers"])]
    print(f"laser / transformers: {statistics.median(ratios):.2f} (from {min(ratios):.2f} to {max(ratios):.2f})")
