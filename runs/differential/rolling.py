#!/usr/bin/env python3
"""laser perplexity --convention rolling beside lm-evaluation-harness's rolling log-likelihoods.

    runs/differential/rolling.py MODEL TEXT... [--context 256]

Compared are word and byte perplexity and bits per byte of each text, as the harness's own metrics make them of its own
log-likelihood. Ends with status 1 where anything differs by more than 1e-5 of itself. To be run by an interpreter with
lm_eval 0.4.13, torch and transformers 5.
"""
import argparse, json, logging, pathlib, re, sys

from common import laser

logging.disable(logging.WARNING)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model")
parser.add_argument("texts", nargs="+")
parser.add_argument("--context", type=int, default=256)
arguments = parser.parse_args()

from lm_eval.api.instance import Instance
from lm_eval.api.metrics import bits_per_byte, weighted_perplexity
from lm_eval.models.huggingface import HFLM

model = HFLM(pretrained=arguments.model, device="cpu", dtype="float32", softmax_dtype="float64", batch_size=4,
             max_length=arguments.context)
done = laser("perplexity", arguments.model, "--convention", "rolling", "--context", arguments.context, "--json", "--text",
             *arguments.texts)
if done.returncode:
    sys.exit(done.stderr)
worst = 0
print("| text | by word | by byte | bits per byte | lm-eval: by word | by byte | bits per byte |")
print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
for row, path in zip(json.loads(done.stdout)["corpora"], arguments.texts):
    text = pathlib.Path(path).read_bytes().decode("utf-8")
    request = Instance("loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
    value = model.loglikelihood_rolling([request], disable_tqdm=True)[0]
    words, size = len(re.split(r"\s+", text)), len(text.encode("utf-8"))
    theirs = [weighted_perplexity([(value, words)]), weighted_perplexity([(value, size)]), bits_per_byte([(value, size)])]
    ours = [row["rolling"][key] for key in ("word_perplexity", "byte_perplexity", "bits_per_byte")]
    worst = max([worst] + [abs(a / b - 1) for a, b in zip(ours, theirs)])
    print(f"| {pathlib.Path(path).name} | " + " | ".join(f"{v:.5f}" for v in ours + theirs) + " |")
print(f"Largest difference: {worst:.1e} of itself.")
sys.exit(worst > 1e-5)
