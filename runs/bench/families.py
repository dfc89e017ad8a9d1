#!/usr/bin/env python3
"""Time per token of a layer of each family, in its published shape, by laser and by transformers in float32 and bfloat16.

    runs/bench/families.py [FAMILY ...] [--windows 16] [--threads 2]

Random weights in BF16, as many layers as show each kind once, a vocabulary of 500 tokens so that the layers are what is
measured. Windows of 256 tokens, one after another in transformers; the time of a few windows is taken off that of many,
so that loading counts in neither. Prints a row for each family: microseconds per token and layer, and ratios to laser.
To be run by an interpreter with torch, transformers 5, tokenizers and safetensors; LASER in the environment names the
program.
"""
import argparse, os, pathlib, statistics, sys, tempfile, time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "differential"))
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from common import PROSE, byte_level, laser

FAMILIES = {
    "gemma3 (4B)": dict(
        model_type="gemma3_text", hidden_size=2560, intermediate_size=10240, num_attention_heads=8, num_key_value_heads=4,
        head_dim=256, layer_types=["sliding_attention", "full_attention"], sliding_window=1024, tie_word_embeddings=True),
    "deepseek_v2 (Lite)": dict(
        model_type="deepseek_v2", hidden_size=2048, intermediate_size=10944, moe_intermediate_size=1408, n_routed_experts=64,
        num_experts_per_tok=6, n_shared_experts=2, first_k_dense_replace=0, num_attention_heads=16, num_key_value_heads=16,
        q_lora_rank=None, kv_lora_rank=512, qk_nope_head_dim=128, qk_rope_head_dim=64, v_head_dim=128),
    "qwen3_5_moe (35B-A3B)": dict(
        model_type="qwen3_5_moe_text", hidden_size=2048, moe_intermediate_size=512, shared_expert_intermediate_size=512,
        num_experts=256, num_experts_per_tok=8, num_attention_heads=16, num_key_value_heads=2, head_dim=256,
        layer_types=["linear_attention", "full_attention"]),
    "gemma4 (26B-A4B)": dict(
        model_type="gemma4_text", hidden_size=2816, intermediate_size=2112, num_attention_heads=16, num_key_value_heads=8,
        head_dim=256, global_head_dim=512, num_global_key_value_heads=2, attention_k_eq_v=True, sliding_window=1024,
        layer_types=["sliding_attention", "full_attention"], hidden_size_per_layer_input=0, num_kv_shared_layers=0,
        enable_moe_block=True, num_experts=128, top_k_experts=8, moe_intermediate_size=704, tie_word_embeddings=True),
    "gpt_oss (20B)": dict(
        model_type="gpt_oss", hidden_size=2880, intermediate_size=2880, num_local_experts=32, num_experts_per_tok=4,
        num_attention_heads=64, num_key_value_heads=8, head_dim=64, sliding_window=128),
    "granitemoe (3B-A800M)": dict(
        model_type="granitemoe", hidden_size=1536, intermediate_size=512, num_local_experts=40, num_experts_per_tok=8,
        num_attention_heads=24, num_key_value_heads=8, embedding_multiplier=12, residual_multiplier=0.22,
        attention_multiplier=0.015625, logits_scaling=6),
    "olmo2 (7B)": dict(
        model_type="olmo2", hidden_size=4096, intermediate_size=11008, num_attention_heads=32, num_key_value_heads=32),
    "smollm3 (3B)": dict(
        model_type="smollm3", hidden_size=2048, intermediate_size=11008, num_attention_heads=16, num_key_value_heads=4,
        no_rope_layers=[1, 0]),
}
CONTEXT, LAYERS = 256, 2
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("families", nargs="*")
parser.add_argument("--windows", type=int, default=16)
parser.add_argument("--threads", type=int, default=os.cpu_count())
arguments = parser.parse_args()
torch.set_num_threads(arguments.threads)
tokenizer = byte_level("gpt-2", 500)
ids = tokenizer.encode(PROSE).ids
few, many = arguments.windows // 4, arguments.windows


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def by_laser(folder):
    """Microseconds per token, all layers; the median of three differences."""
    texts = {}
    for count in (few, many):
        texts[count] = folder / f"{count}.txt"
        texts[count].write_text(tokenizer.decode(ids[:count * CONTEXT + 8]), encoding="utf-8")

    def run(count):
        done = laser("perplexity", folder, "--context", CONTEXT, "--threads", arguments.threads, "--text", texts[count])
        if done.returncode:
            sys.exit(done.stderr)

    run(few)
    times = [seconds(lambda: run(many)) - seconds(lambda: run(few)) for _ in range(3)]
    return statistics.median(times) / ((many - few) * CONTEXT) * 1e6


def by_transformers(folder, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    window = torch.tensor([ids[:CONTEXT]])
    with torch.no_grad():
        model(window, use_cache=False)
        times = [seconds(lambda: model(window, use_cache=False)) for _ in range(many - few)]
    return sum(times) / ((many - few) * CONTEXT) * 1e6


print("| family | laser, us | transformers float32, us | bfloat16, us | ratios to laser |")
print("| --- | ---: | ---: | ---: | ---: |")
for name, shape in FAMILIES.items():
    if arguments.families and not any(part in name for part in arguments.families):
        continue
    config = AutoConfig.for_model(**shape, vocab_size=500, num_hidden_layers=LAYERS, max_position_embeddings=4096,
                                  bos_token_id=0, eos_token_id=1, pad_token_id=None)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16).save_pretrained(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        times = [by_laser(folder), by_transformers(folder, torch.float32), by_transformers(folder, torch.bfloat16)]
    times = [value / LAYERS for value in times]
    print(f"| {name} | {times[0]:.0f} | {times[1]:.0f} | {times[2]:.0f} | "
          f"{times[1] / times[0]:.2f}, {times[2] / times[0]:.2f} |", flush=True)
