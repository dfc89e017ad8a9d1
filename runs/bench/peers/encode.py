"""Times Hugging Face tokenizers on one text and one core, for bench.py: python encode.py TOKENIZER.JSON TEXT"""
import json, os, sys, time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

tokenizer = tokenizers.Tokenizer.from_file(sys.argv[1])
tokenizer.no_truncation(), tokenizer.no_padding()
text = open(sys.argv[2], encoding="utf-8", newline="").read()
start = time.perf_counter()
ids = tokenizer.encode(text).ids
print(json.dumps({"seconds": time.perf_counter() - start, "tokens": len(ids)}))
