"""Small models with random weights, and what Hugging Face transformers computes for them.

    python make_fixtures.py

writes NAME/config.json, NAME/model.safetensors and NAME/reference.safetensors beside this file for every case below.
Weights are seeded and rounded to bfloat16; the reference is computed in float32 from the written folder, so that transformers
itself has read every one of them. Reference tensors: input_ids, logits (tokens, vocabulary) and, for each layer with a router,
router.N.experts and router.N.weights (tokens, experts per token), as transformers lists them.

Made with transformers 5.24.0, torch 2.15.0 and safetensors 0.8.0 (the versions are written into each reference).
"""

import copy
import json
import pathlib
import platform
import re
import sys
import warnings

import safetensors
import safetensors.torch
import torch
import transformers

HERE = pathlib.Path(__file__).parent
TOKENS = 48

SIZES = dict(
    vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, rms_norm_eps=1e-5, hidden_act="silu", max_position_embeddings=128, bos_token_id=None,
    eos_token_id=None, pad_token_id=None)

YARN = dict(type="yarn", factor=4.0, original_max_position_embeddings=16)
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
MOE = dict(num_experts=5, num_experts_per_tok=2, moe_intermediate_size=24)

# Contexts are short, so bases are small: otherwise most pairs would hardly turn.
CASES = {
    "llama": dict(model_type="llama", rope_theta=100.0, attention_bias=True, head_dim=12),
    "llama-linear-tied": dict(
        model_type="llama", rope_theta=100.0, rope_scaling=dict(type="linear", factor=3.0), tie_word_embeddings=True),
    "llama-llama3": dict(model_type="llama", rope_theta=500.0, rope_scaling=LLAMA3),
    "llama-llama3-parameters": dict(model_type="llama", rope_parameters=dict(LLAMA3, rope_theta=500.0)),
    "mistral-window": dict(model_type="mistral", rope_theta=100.0, sliding_window=7),
    "mixtral": dict(
        model_type="mixtral", rope_theta=100.0, num_local_experts=4, num_experts_per_tok=2, sliding_window=9),
    "qwen2": dict(model_type="qwen2", rope_theta=100.0, sliding_window=4, max_window_layers=1, tie_word_embeddings=True),
    "qwen2-window-yarn": dict(
        model_type="qwen2", num_hidden_layers=3, rope_theta=100.0, rope_scaling=YARN, use_sliding_window=True,
        sliding_window=8, max_window_layers=1),
    "qwen3-layer-types": dict(
        model_type="qwen3", num_hidden_layers=3, head_dim=16, use_sliding_window=True, sliding_window=6,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters=dict(
            rope_type="yarn", rope_theta=200.0, factor=8.0, original_max_position_embeddings=8, beta_fast=4.0,
            beta_slow=0.5, mscale=1.0, mscale_all_dim=0.5, truncate=False)),
    "qwen3-bias": dict(
        model_type="qwen3", head_dim=10, attention_bias=True,
        rope_parameters=dict(
            rope_type="yarn", rope_theta=200.0, factor=2.0, original_max_position_embeddings=32, attention_factor=0.8)),
    "qwen2_moe": dict(
        MOE, model_type="qwen2_moe", num_hidden_layers=3, rope_theta=100.0, shared_expert_intermediate_size=20,
        mlp_only_layers=[1], norm_topk_prob=False),
    "qwen2_moe-normalized": dict(
        MOE, model_type="qwen2_moe", num_hidden_layers=3, rope_theta=100.0, shared_expert_intermediate_size=20,
        decoder_sparse_step=2, norm_topk_prob=True, qkv_bias=False, use_sliding_window=True, sliding_window=5,
        max_window_layers=2),
    "qwen3_moe": dict(
        MOE, model_type="qwen3_moe", head_dim=16, rope_theta=100.0, mlp_only_layers=[0], norm_topk_prob=True,
        rope_scaling=dict(YARN, rope_type="yarn")),
    "qwen3_moe-window": dict(
        MOE, model_type="qwen3_moe", rope_theta=100.0, norm_topk_prob=False, use_sliding_window=True, sliding_window=6,
        tie_word_embeddings=True),
    "olmoe": dict(
        model_type="olmoe", rope_theta=100.0, num_experts=6, num_experts_per_tok=3, intermediate_size=24,
        norm_topk_prob=False),
    "olmoe-normalized": dict(
        model_type="olmoe", rope_theta=100.0, num_experts=6, num_experts_per_tok=3, intermediate_size=24,
        norm_topk_prob=True),
    "phi3-window": dict(model_type="phi3", rope_theta=100.0, sliding_window=11),
    "phi3-partial": dict(model_type="phi3", rope_theta=100.0, partial_rotary_factor=0.5, head_dim=12),
    # As OLMoE is: llama.cpp has no room for fewer keys than queries there.
    "olmoe-heads": dict(
        model_type="olmoe", rope_theta=100.0, num_experts=5, num_experts_per_tok=2, intermediate_size=24,
        num_key_value_heads=4, norm_topk_prob=False),
}

# Written a second time as transformers 5 holds them: experts stacked.
STACKED = ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe"]


def random_weights(model, generator):
    """Large enough that attention is far from even and routers are sure of themselves."""
    weights = {}
    for name, parameter in model.state_dict().items():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            weight = 1 + 0.3 * noise
        elif name.endswith(".bias"):
            weight = 0.5 * noise
        elif "embed_tokens" in name:
            weight = noise
        else:
            weight = 1.5 * noise / parameter.shape[-1] ** 0.5
        weights[name] = weight.to(torch.bfloat16)
    if model.config.tie_word_embeddings:
        del weights["lm_head.weight"]
    return weights


def one_by_one(weights, model_type):
    """The names that checkpoints have had since before transformers 5."""
    gate, up, down = ("w1", "w3", "w2") if model_type == "mixtral" else ("gate_proj", "up_proj", "down_proj")
    result = {}
    for name, weight in weights.items():
        if model_type == "mixtral":
            name = name.replace(".mlp.", ".block_sparse_moe.")
        if match := re.fullmatch(r"(.*\.experts)\.gate_up_proj", name):
            for expert, matrix in enumerate(weight):
                half = len(matrix) // 2
                result[f"{match[1]}.{expert}.{gate}.weight"] = matrix[:half].clone()
                result[f"{match[1]}.{expert}.{up}.weight"] = matrix[half:].clone()
        elif match := re.fullmatch(r"(.*\.experts)\.down_proj", name):
            for expert, matrix in enumerate(weight):
                result[f"{match[1]}.{expert}.{down}.weight"] = matrix.clone()
        else:
            result[name] = weight
    return result


def write(name, configuration, weights):
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(configuration, indent=2) + "\n")
    safetensors.torch.save_file(weights, folder / "model.safetensors", {"format": "pt"})
    return folder


def reference(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    result = {"input_ids": ids.to(torch.int32)}

    def record(layer):
        def hook(module, arguments, output):
            _, weights, experts = output
            result[f"router.{layer}.experts"] = experts.to(torch.int32)
            result[f"router.{layer}.weights"] = weights.float()
        return hook

    for layer, block in enumerate(model.model.layers):
        if hasattr(block.mlp, "gate"):
            block.mlp.gate.register_forward_hook(record(layer))
    with torch.no_grad():
        result["logits"] = model(input_ids=ids[None]).logits[0]
    return {key: value.contiguous() for key, value in result.items()}


def main():
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    versions = {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}, "
        f"safetensors {safetensors.__version__}, float32, {platform.machine()}"}
    for seed, (name, case) in enumerate(CASES.items()):
        if sys.argv[1:] and name not in sys.argv[1:]:
            continue
        configuration = SIZES | case
        generator = torch.Generator().manual_seed(seed)
        config = transformers.AutoConfig.for_model(**copy.deepcopy(configuration))
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        weights = random_weights(model, generator)
        ids = torch.randint(0, SIZES["vocab_size"], (TOKENS,), generator=generator)
        folder = write(name, configuration, one_by_one(weights, configuration["model_type"]))
        values = reference(folder, ids)
        safetensors.torch.save_file(values, folder / "reference.safetensors", versions)
        print(name, sum(file.stat().st_size for file in folder.iterdir()), float(values["logits"].std()))
        if name in STACKED:
            stacked = write(name + "-stacked", configuration, weights)
            again = reference(stacked, ids)
            assert all(torch.equal(again[key], values[key]) for key in values), name


main()
