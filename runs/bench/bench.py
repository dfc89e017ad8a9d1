#!/usr/bin/env python3
"""Times laser beside PyTorch on the same inputs, in turn, and prints the ratios of their medians.

    runs/bench/bench.py perplexity MODEL TEXT... [--context 512]   tokens a second, laser and transformers, float32 and bf16
    runs/bench/bench.py decomposition [--rows 14336 --columns 4096]   a matrix to half its rank, and torch.linalg.svd
    runs/bench/bench.py process MODEL TEXT [--context 512]         seconds and memory of the whole process: loading and all

Common options: [--runs 3] [--peer-python PYTHON] [--laser PROGRAM] [--only NAME...]

PYTHON is an interpreter with torch, safetensors and transformers; without it only laser is run (decomposition needs it to
make its input). Processor seconds (of all threads, of the whole process) are printed beside the time: on a machine that
others use too they say more. A thread that waits in a loop counts as busy, which favours no one who does not.
"""
import argparse, atexit, json, os, shutil, statistics, subprocess, sys, tempfile, time

PERPLEXITY = r"""
import json, os, sys, time, torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
folder, context, dtype, texts = sys.argv[1], int(sys.argv[2]), getattr(torch, sys.argv[3]), sys.argv[4:]
torch.set_num_threads(os.cpu_count()); torch.set_grad_enabled(False)
tokenizer = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))
model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
total, count, seconds, processor = 0.0, 0, 0.0, 0.0
for text in texts:
    ids = torch.tensor(tokenizer(open(text, encoding="utf-8", newline="").read()).input_ids)
    windows = ids[: ids.numel() // context * context].view(-1, context)
    model(windows[:1], use_cache=False)
    start, used = time.perf_counter(), time.process_time()
    for batch in windows.split(16):
        logits = model(batch, use_cache=False).logits[:, :-1].float()
        nll = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.shape[-1]), batch[:, 1:].reshape(-1), reduction="none")
        total += nll.double().sum().item(); count += nll.numel()
    seconds += time.perf_counter() - start; processor += time.process_time() - used
print(json.dumps({"nll": total / count, "seconds": seconds, "processor": processor, "tokens": count}))
"""
SVD = r"""
import json, os, sys, time, torch
m, n = int(sys.argv[1]), int(sys.argv[2]); torch.set_num_threads(os.cpu_count())
w = (torch.randn(m, n, generator=torch.Generator().manual_seed(0)) * 0.02).to(torch.bfloat16)
start, used = time.perf_counter(), time.process_time()
u, s, v = torch.linalg.svd(w.double(), full_matrices=False); r = len(s) // 2
print(json.dumps({"svd": time.perf_counter() - start, "processor": time.process_time() - used}))
"""
ONE_LAYER = r"""
import json, os, sys, torch
from safetensors.torch import save_file
out, ff, d = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
g = torch.Generator().manual_seed(0)
def matrix(m, n): return (torch.randn(m, n, generator=g) * 0.02).to(torch.bfloat16)
layer, one = "model.layers.0.", torch.ones(d, dtype=torch.bfloat16)
tensors = {layer + "mlp.gate_proj.weight": matrix(ff, d), "model.embed_tokens.weight": matrix(16, d), "model.norm.weight": one.clone()}
tensors |= {layer + name + ".weight": one.clone() for name in ("input_layernorm", "post_attention_layernorm")}
tensors |= {layer + f"self_attn.{name}_proj.weight": matrix(64 if name in "kv" else d, d) for name in "qkvo"}
tensors |= {layer + "mlp.up_proj.weight": matrix(ff, d), layer + "mlp.down_proj.weight": matrix(d, ff)}
save_file(tensors, os.path.join(out, "model.safetensors"), metadata={"format": "pt"})
json.dump({"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": d, "intermediate_size": ff, "num_hidden_layers": 1,
  "num_attention_heads": d // 64, "num_key_value_heads": 1, "head_dim": 64, "vocab_size": 16, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
  "max_position_embeddings": 4096, "hidden_act": "silu", "tie_word_embeddings": True, "torch_dtype": "bfloat16"},
  open(os.path.join(out, "config.json"), "w"))
"""

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("what", choices=["perplexity", "decomposition", "process"])
parser.add_argument("model", nargs="?")
parser.add_argument("texts", nargs="*")
parser.add_argument("--context", type=int, default=512)
parser.add_argument("--rows", type=int, default=14336)
parser.add_argument("--columns", type=int, default=4096)
parser.add_argument("--runs", type=int, default=3)
parser.add_argument("--only", nargs="+", help="contenders to run")
parser.add_argument("--peer-python")
parser.add_argument("--laser", default=os.path.join(os.path.dirname(__file__), "..", "..", ".build", "release", "laser"))
arguments = parser.parse_args()


def run(command):
    """What a command printed, its seconds, the processor's seconds, and its peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{command[0]} failed with {os.waitstatus_to_exitcode(status)}")
    return output, time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def laser_perplexity(precision):
    output, wall, processor, memory = run(
        [arguments.laser, "perplexity", arguments.model, "--text", *arguments.texts, "--context", str(arguments.context), "--precision", precision, "--json", "--quiet"])
    result = json.loads(output)
    tokens = sum(row["scored_tokens"] for row in result["corpora"])
    nll = sum(row["nll"] * row["scored_tokens"] for row in result["corpora"]) / tokens
    return {"seconds": result["seconds"], "processor": processor, "tokens": tokens, "nll": nll, "wall": wall, "memory": memory}


def peer_perplexity(dtype):
    output, wall, processor, memory = run([arguments.peer_python, "-c", PERPLEXITY, arguments.model, str(arguments.context), dtype, *arguments.texts])
    return {"wall": wall, "memory": memory, "whole": processor} | json.loads(output.splitlines()[-1])


def contenders():
    if arguments.what == "decomposition":
        folder, out = (tempfile.mkdtemp(prefix="laser-bench-") for _ in range(2))
        for path in (folder, out):
            atexit.register(shutil.rmtree, path)
        subprocess.run([arguments.peer_python, "-c", ONE_LAYER, folder, str(arguments.rows), str(arguments.columns)], check=True)
        rank = min(arguments.rows, arguments.columns) // 2
        entry = f"- {{tensor: model.layers.0.mlp.gate_proj.weight, layer: 0, role: w1, kind: weights, rank: {rank}, full_rank: {2 * rank}}}"
        plans = {"full": f"[]", "half": "\n" + entry}
        for name, entries in plans.items():
            with open(f"{folder}/{name}.yaml", "w") as file:
                file.write(f"laser_plan: 1\nmodel: any\nreductions: {entries}\n")

        def apply(plan):
            _, wall, processor, memory = run(
                [arguments.laser, "apply", folder, "--plan", f"{folder}/{plan}.yaml", "--any-model", "--out", f"{out}/model", "--force", "--quiet"])
            return {"seconds": wall, "processor": processor, "memory": memory}

        def ours():
            copying, reducing = apply("full"), apply("half")  # what is not copying is decomposing
            return {key: reducing[key] - copying[key] for key in ("seconds", "processor")} | {"memory": reducing["memory"]}

        def svd():
            output, _, _, memory = run([arguments.peer_python, "-c", SVD, str(arguments.rows), str(arguments.columns)])
            result = json.loads(output)
            return {"seconds": result["svd"], "processor": result["processor"], "memory": memory}

        return {"laser": ours, "torch svd float64": svd}
    ours = {"laser float32": lambda: laser_perplexity("float32"), "laser bf16": lambda: laser_perplexity("bf16")}
    peers = {"transformers float32": lambda: peer_perplexity("float32"), "transformers bf16": lambda: peer_perplexity("bfloat16")}
    return ours | (peers if arguments.peer_python else {})


results = {}
chosen = {name: run for name, run in contenders().items() if not arguments.only or name in arguments.only}
for number in range(arguments.runs):
    for name, contender in chosen.items():
        result = contender()
        if arguments.what == "process":
            result |= {"seconds": result["wall"], "processor": result.get("whole", result["processor"])}
        results.setdefault(name, []).append(result)
        print(f"run {number + 1}: {name} {result['seconds']:.2f} s, processor {result['processor']:.2f} s", file=sys.stderr)


def median(name, key):
    return statistics.median(result[key] for result in results[name])


for name in results:
    tokens = results[name][0].get("tokens")
    speed = f"{tokens / median(name, 'seconds'):9.0f} tokens/s  nll {results[name][0]['nll']:.5f}" if tokens else ""
    print(f"{name:22} {median(name, 'seconds'):8.2f} s  processor {median(name, 'processor'):8.2f} s  {median(name, 'memory'):6.0f} MB {speed}")
for ours in results:
    for peer in results:
        if ours.startswith("laser") and not peer.startswith("laser"):
            ratios = [statistics.median(b[key] / a[key] for a, b in zip(results[ours], results[peer])) for key in ("seconds", "processor")]
            print(f"{ours} is {ratios[0]:.2f} times as fast as {peer}; by processor seconds {ratios[1]:.2f}")
