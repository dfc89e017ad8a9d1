#!/usr/bin/env python3
"""Quantised GGUF files against llama.cpp's own code: types tensor by tensor, bytes, importance, what is read.

    runs/differential/quants.py LLAMA_CPP [--count 100] [--seed 1]

LLAMA_CPP is a checkout of llama.cpp, of which ggml-quants.c and llama-quant.cpp are compiled (a minute, into LLAMA_CPP/laser).
Random Llamas, Mixtrals and Qwen3-MoEs, with rows of whole and of broken blocks, become GGUF in F32 and in each mixture of
types, with and without `--imatrix`. Types are held to llama_tensor_get_type, bytes to ggml's quantize_*, of the sums of the
importance matrix to what transformers says that the matrices' inputs are. Prints what differs, and counts.
"""
import argparse, collections, ctypes, json, pathlib, subprocess, sys, tempfile

import numpy as np
import torch
from gguf import GGML_QUANT_SIZES, GGUFReader
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging

from common import PROSE, ROOT, ids_of, laser, rng

sys.path.insert(0, str(ROOT / "Tests/Fixtures/gguf"))
from make_mixtures import FILE_TYPES

logging.disable_progress_bar()
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source", type=pathlib.Path)
parser.add_argument("--count", type=int, default=100)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()

# llama.cpp ---------------------------------------------------------------------------------------------------------



def build():
    """ggml's quantisers as a library, and the program that says types; made once."""
    source, folder = arguments.source.resolve(), arguments.source.resolve() / "laser"
    library, program = folder / "libquants.so", folder / "mixture"
    if program.exists():
        return library, program
    folder.mkdir(exist_ok=True)
    version = source / "ggml/src/ggml-version.h"
    if not version.exists():
        version.write_text('#pragma once\n#define GGML_VERSION "0"\n#define GGML_COMMIT "0"\n')
    includes = [f"-I{source / part}" for part in ("include", "src", "ggml/include", "ggml/src")]
    flags = ["-O2", "-w", "-fPIC", "-DNDEBUG", "-D_GNU_SOURCE", "-ffp-contract=off", *includes]
    objects = []
    for path in ("ggml/src/ggml-quants.c", "ggml/src/ggml.c", "ggml/src/ggml-threading.cpp"):
        objects.append(folder / (pathlib.Path(path).name + ".o"))
        subprocess.run(["gcc", *flags, "-c", source / path, "-o", objects[-1]], check=True)
    # ggml.c asks these of backends, which the quantisers never reach.
    absent = [f"-Wl,--defsym,ggml_backend_{name}=0" for name in ("buffer_get_usage", "tensor_memset", "tensor_set")]
    subprocess.run(["g++", "-shared", *objects, "-o", library, "-lm", *absent], check=True)
    # What is never reached is left out of the link.
    lax = ["-Wl,--unresolved-symbols=ignore-all", "-Wl,-z,lazy", "-lm"]
    for path in (ROOT / "runs/differential/mixture.cpp", *(source / "src" / f"llama-{part}.cpp" for part in
                                                             ("arch", "hparams", "impl"))):
        objects.append(folder / (path.name + ".o"))
        subprocess.run(["g++", "-std=c++17", *flags[1:], "-O0", "-c", path, "-o", objects[-1]], check=True)
    subprocess.run(["g++", *objects, "-o", program, "-no-pie", *lax, "-lpthread"], check=True)
    return library, program


library, program = build()
ggml = ctypes.CDLL(str(library))


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p) if array is not None else None


def quantized(numbers, kind, importance):
    """ggml's bytes of rows; importance is for all of them."""
    size, byte_count = GGML_QUANT_SIZES[kind]
    numbers = np.ascontiguousarray(numbers, np.float32)
    rows, columns = numbers.shape
    result = np.zeros((rows, columns // size * byte_count), np.uint8)
    name = kind.name.lower().replace("_k", "_K")
    getattr(ggml, f"quantize_{name}")(pointer(numbers), pointer(result), ctypes.c_int64(rows), ctypes.c_int64(columns),
                                      pointer(importance))
    return result


def types(shape, file_type, has_importance, tensors):
    lines = [f"model {FILE_TYPES[file_type]} {shape['architecture']} {shape['layers']} {shape['experts']} {shape['heads']} "
             f"{shape['keys']} 0 {int(has_importance)}"]
    for tensor in tensors:
        dimensions = [int(n) for n in tensor.shape] + [1, 1]
        lines.append(f"{tensor.name} {dimensions[0]} {dimensions[1]} {dimensions[2]}")
    done = subprocess.run([program], input="\n".join(lines + ["end", ""]), capture_output=True, text=True, check=True)
    return {line.split()[0]: line.split()[1].upper() for line in done.stdout.splitlines() if " " in line}


# Models ------------------------------------------------------------------------------------------------------------


def random_model(draw, folder):
    """A random model in a folder; returns what its types depend on."""
    kind = draw.choice(["llama", "llama", "mixtral", "qwen3_moe"])
    keys = draw.choice([1, 2])
    heads = keys * draw.choice([1, 2, 4])
    dimension = draw.choice([32, 64, 128])
    hidden, inner = draw.choice([256, 512, 64, 96, 320]), draw.choice([256, 512, 96, 160, 48])
    layers, experts = draw.randint(1, 9), draw.choice([2, 4, 8, 8]) if kind != "llama" else 0
    config = {"model_type": kind, "vocab_size": 2048, "hidden_size": hidden, "intermediate_size": inner,
              "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": keys, "head_dim": dimension,
              "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 512,
              "tie_word_embeddings": draw.random() < 0.3, "torch_dtype": "float32"}
    if kind == "mixtral":
        config |= {"num_local_experts": experts, "num_experts_per_tok": 2, "sliding_window": None}
    if kind == "qwen3_moe":
        config |= {"num_experts": experts, "num_experts_per_tok": 2, "moe_intermediate_size": inner, "norm_topk_prob": True,
                   "decoder_sparse_step": 1, "mlp_only_layers": []}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer.json").write_bytes((ROOT / "runs/posy/model/tokenizer.json").read_bytes())
    torch.manual_seed(draw.randrange(1 << 30))
    width, part = heads * dimension, keys * dimension
    tensors = {"model.embed_tokens.weight": (2048, hidden), "model.norm.weight": (hidden,)}
    if not config["tie_word_embeddings"]:
        tensors["lm_head.weight"] = (2048, hidden)
    for layer in range(layers):
        prefix = f"model.layers.{layer}."
        tensors |= {prefix + "input_layernorm.weight": (hidden,), prefix + "post_attention_layernorm.weight": (hidden,),
                    prefix + "self_attn.q_proj.weight": (width, hidden), prefix + "self_attn.k_proj.weight": (part, hidden),
                    prefix + "self_attn.v_proj.weight": (part, hidden), prefix + "self_attn.o_proj.weight": (hidden, width)}
        if kind == "qwen3_moe":
            tensors |= {prefix + f"self_attn.{name}_norm.weight": (dimension,) for name in "qk"}
        names = {"llama": "mlp", "mixtral": "block_sparse_moe", "qwen3_moe": "mlp"}
        three = ("w1", "w3", "w2") if kind == "mixtral" else ("gate_proj", "up_proj", "down_proj")
        if experts:
            tensors[prefix + names[kind] + ".gate.weight"] = (experts, hidden)
        for expert in range(max(experts, 1)):
            place = prefix + names[kind] + (f".experts.{expert}." if experts else ".")
            tensors |= {place + three[0] + ".weight": (inner, hidden), place + three[1] + ".weight": (inner, hidden),
                        place + three[2] + ".weight": (hidden, inner)}
    save_file({name: torch.randn(shape) * (shape[-1] ** -0.5 if len(shape) > 1 else 0.1) + (len(shape) == 1)
               for name, shape in tensors.items()}, folder / "model.safetensors", metadata={"format": "pt"})
    return {"architecture": "qwen3moe" if kind == "qwen3_moe" else "llama", "layers": layers, "experts": experts,
            "heads": heads, "keys": keys, "kind": kind}


def inputs_of(folder, shape, ids):
    """Sums of squares of the inputs of the matrices by tensor, and how many tokens came to each, from transformers."""
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    sums = collections.defaultdict(lambda: collections.defaultdict(float))
    counts = collections.defaultdict(lambda: collections.defaultdict(int))

    def add(name, expert, x):
        x = x.detach().double().reshape(-1, x.shape[-1])
        sums[name][expert] += (x * x).sum(0).numpy()
        counts[name][expert] += len(x)

    def watch(module, *names):
        module.register_forward_pre_hook(lambda _, given: [add(name, 0, given[0]) for name in names] and None)

    for number, layer in enumerate(model.model.layers):
        place, attention = f"blk.{number}.", layer.self_attn
        for module, name in (("q_proj", "attn_q"), ("k_proj", "attn_k"), ("v_proj", "attn_v"), ("o_proj", "attn_output")):
            watch(getattr(attention, module), place + name + ".weight")
        if not shape["experts"]:
            watch(layer.mlp.gate_proj, place + "ffn_gate.weight", place + "ffn_up.weight")
            watch(layer.mlp.down_proj, place + "ffn_down.weight")
            continue

        def experts(module, given, place=place):
            states, chosen = given[0].reshape(-1, given[0].shape[-1]), given[1]
            for expert in range(shape["experts"]):
                tokens = (chosen == expert).any(-1).nonzero()[:, 0]
                if len(tokens) == 0:
                    continue
                x = states[tokens]
                gate, up = (x @ module.gate_up_proj[expert].T).chunk(2, -1)
                for name in ("ffn_gate_exps", "ffn_up_exps"):
                    add(place + name + ".weight", expert, x)
                add(place + "ffn_down_exps.weight", expert, torch.nn.functional.silu(gate) * up)

        layer.mlp.experts.register_forward_pre_hook(experts)
    with torch.no_grad():
        for window in ids:
            model(torch.tensor([window]))
    return sums, counts


# The run -----------------------------------------------------------------------------------------------------------

counts = collections.Counter()
for number in range(arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        shape = random_model(draw, root / "model")
        start = draw.randrange(len(PROSE) // 2)
        text = root / "text.txt"
        text.write_text(PROSE[start:start + 4000])
        file_type = draw.choice(list(FILE_TYPES))
        weighs = file_type not in ("f32", "f16", "bf16") and (draw.random() < 0.6 or file_type == "q2_k_s")
        options = ["--imatrix", text, "--imatrix-out", root / "imatrix.gguf"] if weighs else []
        for name, more in (("whole", ["--type", "f32"]), ("small", ["--type", file_type, *options])):
            done = laser("convert", root / "model", "--out", root / f"{name}.gguf", *more)
            if done.returncode:
                raise SystemExit(f"{number}: {done.stderr}")
        whole = {tensor.name: tensor for tensor in GGUFReader(root / "whole.gguf").tensors}
        small = GGUFReader(root / "small.gguf").tensors
        problems = []
        expected = types(shape, file_type, weighs, small)
        importance = {}
        if weighs:
            stored = {tensor.name: np.array(tensor.data) for tensor in GGUFReader(root / "imatrix.gguf").tensors}
            for name in {name.rsplit(".", 1)[0] for name in stored}:
                sums, tokens = stored[name + ".in_sum2"], stored[name + ".counts"].reshape(-1, 1)
                importance[name] = np.where(tokens > 0, sums / np.maximum(tokens, 1), 1).astype(np.float32)
            ids = ids_of(root / "model", text)[0]
            windows = [ids[place:place + 512] for place in range(0, len(ids) - 511, 512)]
            sums, tokens = inputs_of(root / "model", shape, windows)
            if set(sums) != set(importance):
                problems.append(f"importance of {set(sums) ^ set(importance)}")
            for name in sums:
                for expert, sum in sums[name].items():
                    own, size = stored[name + ".in_sum2"][expert], max(1, tokens[name][expert])
                    error = np.abs(own - sum).max() / (np.abs(sum).max() + 1e-30)
                    # Of a mixture, a token whose two best experts are nearly equal may go elsewhere.
                    if error > (0.02 if shape["experts"] else 1e-4):
                        problems.append(f"sums of {name} [{expert}] by {error:.1e}")
                    counts["sums of inputs"] += 1
        for tensor in small:
            kind = tensor.tensor_type
            if kind.name != expected[tensor.name]:
                problems.append(f"{tensor.name} is {kind.name}, not {expected[tensor.name]}")
                continue
            counts["types"] += 1
            if kind.name in ("F32", "F16", "BF16"):
                continue
            numbers = np.array(whole[tensor.name].data)
            numbers = numbers.reshape(-1, *numbers.shape[-2:])
            weights = importance.get(tensor.name)
            own = np.array(tensor.data).reshape(len(numbers), numbers.shape[1], -1)
            for matrix in range(len(numbers)):
                theirs = quantized(numbers[matrix], kind, None if weights is None else np.ascontiguousarray(weights[matrix]))
                counts["matrices" + (" by importance" if weights is not None else "")] += 1
                if not np.array_equal(own[matrix].view(np.uint8), theirs):
                    problems.append(f"bytes of {tensor.name} [{matrix}], {kind.name}")
        counts["DIFFERENT" if problems else "equal"] += 1
        if problems:
            print(f"{number} ({shape['kind']}, {file_type}{', weighed' if weighs else ''}) DIFFERS: {'; '.join(problems[:4])}",
                  flush=True)
print("\n".join(f"{value} {key}" for key, value in sorted(counts.items())))
sys.exit(counts["DIFFERENT"] > 0)
