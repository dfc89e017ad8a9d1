#!/usr/bin/env python3
"""Random plans as adapters (`laser apply --lora`), held to peft.

    runs/differential/adapters.py [--count 500] [--seed 1]

Small random models in float32, mixtures among them, stored with experts one by one or stacked. A random plan that drops few
directions becomes a checkpoint and an adapter; peft puts the adapter on the model and merges it. Every weight of the
result must be the checkpoint's within 1e-5. Prints what differs, and counts; the exit status is 1 if anything differs. To
be run by an interpreter with torch, transformers, peft and safetensors.
"""
import argparse, collections, logging, pathlib, sys, tempfile, warnings

import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM, logging as transformers_logging

from common import laser, rng

warnings.simplefilter("ignore")
transformers_logging.set_verbosity(logging.CRITICAL)
transformers_logging.disable_progress_bar()
torch.set_num_threads(1)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()
HIDDEN, WIDTH = 32, 24


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


counts = collections.Counter()
for number in range(arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    torch.manual_seed(number)
    kind = draw.choice(["llama", "qwen3", "mixtral", "qwen2_moe", "qwen3_moe", "olmoe"])
    mixture = kind in ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe")
    experts = draw.choice([2, 4])
    keys = dict(vocab_size=64, hidden_size=HIDDEN, intermediate_size=WIDTH, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, head_dim=8, max_position_embeddings=64, pad_token_id=None, bos_token_id=None,
                eos_token_id=None)
    if kind == "olmoe":
        del keys["head_dim"]
    if mixture:
        keys |= {"num_local_experts" if kind == "mixtral" else "num_experts": experts, "num_experts_per_tok": 2}
    if kind in ("qwen2_moe", "qwen3_moe"):
        keys |= dict(moe_intermediate_size=WIDTH, shared_expert_intermediate_size=WIDTH)
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **keys)).float().save_pretrained(
            root / "model", save_original_format=draw.random() < 0.5)
        # Few directions are dropped, or an adapter would not pay: 5 of 24 for an expert, gate and up together.
        entries = []
        for layer in range(2):
            for role in ("q_proj", "v_proj", "o_proj"):
                if draw.random() < 0.4:
                    full = 16 if role == "v_proj" else HIDDEN
                    entries.append((layer, None, role, full - draw.randint(1, 4), full))
            for expert in range(experts) if mixture else [None]:
                for role in ("w1", "w2", "w3"):
                    if draw.random() < 0.5:
                        entries.append((layer, expert, role, WIDTH - draw.randint(1, 4), WIDTH))
        if not entries:
            continue
        plan = ["laser_plan: 1", "model: any", "reductions:"]
        for layer, expert, role, rank, full in entries:
            where = "" if expert is None else f"expert: {expert}, "
            plan.append(f"- {{tensor: t, layer: {layer}, {where}role: {role}, kind: weights, rank: {rank}, full_rank: {full}, "
                        "delta: 0, standard_error: 0}")
        (root / "plan.yaml").write_text("\n".join(plan) + "\n")
        apply = ["apply", root / "model", "--plan", root / "plan.yaml", "--any-model", "--out"]
        runs = [laser(*apply, root / "lasered"), laser(*apply, root / "adapter", "--lora")]
        if any(run.returncode for run in runs):
            counts["laser refuses"] += 1
            print(f"{number} ({kind}): {''.join(run.stderr for run in runs).strip()}")
            continue
        merged = PeftModel.from_pretrained(load(root / "model"), root / "adapter").merge_and_unload().state_dict()
        expected, before = load(root / "lasered").state_dict(), load(root / "model").state_dict()
        worst = max((merged[name] - tensor).abs().max().item() for name, tensor in expected.items())
        changed = max((before[name] - tensor).abs().max().item() for name, tensor in expected.items())
        if set(merged) == set(expected) and worst < 1e-5 < changed:
            counts["equal"] += 1
        else:
            counts["DIFFERENT"] += 1
            print(f"{number} ({kind}) DIFFERS: {worst} where the plan changes {changed}; {entries}", flush=True)
print(", ".join(f"{value} {key}" for key, value in sorted(counts.items())))
sys.exit(counts["DIFFERENT"] > 0)
