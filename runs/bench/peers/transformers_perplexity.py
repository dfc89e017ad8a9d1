"""Perplexity by transformers on the processor, for bench.py.

    python transformers_perplexity.py MODEL CONTEXT DTYPE WARM TEXT...

Convention `windows` (common.py), 16 windows at once. With WARM 1 a window runs before the clock starts. Prints one JSON
object; `seconds` and `processor` are of the evaluation alone, `load` of reading the model and its tokenizer."""
import json, os, sys, time
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
import common

folder, context, dtype, warm, texts = sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3]), int(sys.argv[4]), sys.argv[5:]
torch.set_num_threads(os.cpu_count())
torch.set_grad_enabled(False)
start = time.perf_counter()
tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
load = time.perf_counter() - start
total, count, seconds, processor = 0.0, 0, 0.0, 0.0
for text in texts:
    ids = common.token_ids(tokenizer, open(text, encoding="utf-8", newline="").read())
    if warm:
        common.nll_of(model, common.window_batches(ids, context)[:1])
    start, used = time.perf_counter(), time.process_time()
    nll, tokens, _ = common.perplexity(model, ids, "windows", context)
    seconds += time.perf_counter() - start
    processor += time.process_time() - used
    total += nll * tokens
    count += tokens
print(json.dumps({"nll": total / count, "seconds": seconds, "processor": processor, "tokens": count, "load": load}))
