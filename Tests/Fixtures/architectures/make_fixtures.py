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
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

HERE = pathlib.Path(__file__).parent
TOKENS = 48

SIZES = dict(
    vocab_size=64, hidden_size=32, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, rms_norm_eps=1e-5, hidden_act="silu", max_position_embeddings=128, bos_token_id=None,
    eos_token_id=None, pad_token_id=None)

YARN = dict(type="yarn", factor=4.0, original_max_position_embeddings=16)
LLAMA3 = dict(
    rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=32)
GELU = dict(hidden_activation="gelu_pytorch_tanh", tie_word_embeddings=True)
SIGMOID = dict(n_routed_experts=8, num_experts_per_tok=3, moe_intermediate_size=24, n_shared_experts=2)
MULTIPLIERS = dict(
    embedding_multiplier=3.0, residual_multiplier=0.4, attention_multiplier=0.2, logits_scaling=2.5)
HYBRID = dict(
    head_dim=12, linear_num_key_heads=2, linear_num_value_heads=4, linear_key_head_dim=8, linear_value_head_dim=6,
    linear_conv_kernel_dim=4, rope_parameters=dict(
        rope_type="default", rope_theta=100.0, partial_rotary_factor=0.5, mrope_section=[1, 1, 1],
        mrope_interleaved=True))
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
    "gemma2": dict(
        GELU, model_type="gemma2", num_hidden_layers=3, head_dim=12, query_pre_attn_scalar=20, attn_logit_softcapping=4.0,
        final_logit_softcapping=3.0, sliding_window=7, attention_bias=True, rope_theta=100.0),
    # As llama.cpp computes it.
    "gemma2-plain": dict(
        GELU, model_type="gemma2", head_dim=8, query_pre_attn_scalar=8, attn_logit_softcapping=5.0,
        final_logit_softcapping=4.0, sliding_window=5, rope_theta=100.0),
    "gemma3": dict(
        GELU, model_type="gemma3_text", num_hidden_layers=6, head_dim=12, query_pre_attn_scalar=12, sliding_window=6,
        rope_theta=200.0, rope_local_base_freq=30.0, rope_scaling=dict(rope_type="linear", factor=3.0)),
    "gemma3-parameters": dict(
        GELU, model_type="gemma3_text", num_hidden_layers=3, head_dim=8, query_pre_attn_scalar=17, sliding_window=6,
        final_logit_softcapping=5.0, attention_bias=True, tie_word_embeddings=False,
        layer_types=["full_attention", "sliding_attention", "full_attention"],
        rope_parameters=dict(
            full_attention=dict(YARN, rope_type="yarn", rope_theta=300.0),
            sliding_attention=dict(rope_type="default", rope_theta=40.0))),
    "glm4_moe": dict(
        SIGMOID, model_type="glm4_moe", num_hidden_layers=3, head_dim=12, first_k_dense_replace=1, use_qk_norm=True,
        attention_bias=True, partial_rotary_factor=0.5, rope_theta=100.0, n_group=4, topk_group=2,
        routed_scaling_factor=1.5, norm_topk_prob=True),
    "glm4_moe-plain": dict(
        SIGMOID, model_type="glm4_moe", head_dim=16, first_k_dense_replace=0, rope_theta=100.0, n_group=1, topk_group=1,
        routed_scaling_factor=0.7, norm_topk_prob=False, partial_rotary_factor=1.0),
    "dots1": dict(
        SIGMOID, model_type="dots1", num_hidden_layers=3, head_dim=12, first_k_dense_replace=1, rope_theta=100.0,
        routed_scaling_factor=2.5, norm_topk_prob=True, sliding_window=6, max_window_layers=2, attention_bias=True),
    "granite": dict(
        MULTIPLIERS, model_type="granite", rope_theta=100.0, attention_bias=True, tie_word_embeddings=True),
    "granitemoe": dict(
        MULTIPLIERS, model_type="granitemoe", rope_theta=100.0, num_local_experts=5, num_experts_per_tok=3,
        intermediate_size=24),
    "olmo2": dict(model_type="olmo2", rope_theta=100.0, attention_bias=True),
    "olmo2-plain": dict(model_type="olmo2", rope_theta=100.0),
    "olmo3": dict(
        model_type="olmo3", num_hidden_layers=4, rope_theta=100.0, sliding_window=7, rope_scaling=dict(YARN, rope_type="yarn")),
    "smollm3": dict(
        model_type="smollm3", num_hidden_layers=4, rope_theta=100.0, no_rope_layer_interval=4, tie_word_embeddings=True),
    "smollm3-layers": dict(
        model_type="smollm3", num_hidden_layers=3, rope_theta=100.0, no_rope_layers=[0, 1, 1], attention_bias=True,
        tie_word_embeddings=False),
    "deepseek_v3": dict(
        SIGMOID, model_type="deepseek_v3", num_hidden_layers=3, num_key_value_heads=4, first_k_dense_replace=1,
        q_lora_rank=20, kv_lora_rank=14, qk_nope_head_dim=10, qk_rope_head_dim=6, v_head_dim=9, n_group=4, topk_group=2,
        routed_scaling_factor=1.5, norm_topk_prob=True, attention_bias=True, rope_theta=100.0,
        rope_scaling=dict(YARN, mscale=1.0, mscale_all_dim=0.8)),
    "deepseek_v3-plain": dict(
        SIGMOID, model_type="deepseek_v3", num_key_value_heads=4, first_k_dense_replace=0, q_lora_rank=None,
        kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=8, v_head_dim=12, n_group=1, topk_group=1,
        norm_topk_prob=True, rope_theta=100.0, rope_interleave=False),
    "deepseek_v2": dict(
        SIGMOID, model_type="deepseek_v2", num_key_value_heads=4, first_k_dense_replace=1, q_lora_rank=None,
        kv_lora_rank=14, qk_nope_head_dim=8, qk_rope_head_dim=4, v_head_dim=8, routed_scaling_factor=1.3,
        rope_theta=100.0),
    "deepseek_v2-groups": dict(
        SIGMOID, model_type="deepseek_v2", num_key_value_heads=4, first_k_dense_replace=0, q_lora_rank=18,
        kv_lora_rank=14, qk_nope_head_dim=8, qk_rope_head_dim=6, v_head_dim=8, n_group=4, topk_group=2,
        topk_method="group_limited_greedy", routed_scaling_factor=2.0, rope_theta=100.0,
        rope_scaling=dict(YARN, mscale=0.7, mscale_all_dim=0.7)),
    "glm4_moe_lite": dict(
        SIGMOID, model_type="glm4_moe_lite", num_hidden_layers=3, num_key_value_heads=4, q_lora_rank=20, kv_lora_rank=14,
        qk_nope_head_dim=10, qk_rope_head_dim=6, v_head_dim=16, n_group=1, topk_group=1, routed_scaling_factor=1.8,
        norm_topk_prob=True, rope_theta=100.0, mlp_layer_types=["sparse", "dense", "sparse"]),
    "qwen3_next": dict(
        HYBRID | MOE, model_type="qwen3_next", num_hidden_layers=4, shared_expert_intermediate_size=20, mlp_only_layers=[1],
        norm_topk_prob=False, layer_types=["linear_attention", "full_attention", "linear_attention", "full_attention"]),
    "qwen3_5": dict(
        HYBRID, model_type="qwen3_5_text", num_hidden_layers=2, full_attention_interval=2, tie_word_embeddings=True),
    "qwen3_5_moe": dict(
        HYBRID | MOE, model_type="qwen3_5_moe_text", num_hidden_layers=2, full_attention_interval=2,
        shared_expert_intermediate_size=20, linear_num_key_heads=3, linear_num_value_heads=3, linear_conv_kernel_dim=3),
    "ernie4_5_moe": dict(
        model_type="ernie4_5_moe", num_hidden_layers=3, head_dim=12, rope_theta=100.0, moe_num_experts=6, moe_k=2,
        moe_intermediate_size=24, moe_num_shared_experts=2, moe_layer_start_index=1, moe_layer_end_index=-1,
        moe_layer_interval=1, tie_word_embeddings=False),
    "ministral3": dict(
        model_type="ministral3", head_dim=12, sliding_window=None, rope_parameters=dict(
            type="yarn", rope_theta=200.0, factor=4.0, original_max_position_embeddings=16, max_position_embeddings=128,
            beta_fast=8.0, beta_slow=1.0, mscale=1.0, mscale_all_dim=1.0, llama_4_scaling_beta=0.4)),
    "gpt_oss": dict(
        model_type="gpt_oss", num_hidden_layers=3, head_dim=12, intermediate_size=32, num_local_experts=5, num_experts_per_tok=2,
        sliding_window=6, swiglu_alpha=1.5, swiglu_limit=1.25, rope_parameters=dict(
            rope_type="yarn", rope_theta=200.0, factor=8.0, original_max_position_embeddings=8, beta_fast=4.0,
            beta_slow=0.5, truncate=False)),
    "gemma4": dict(
        GELU, model_type="gemma4_text", num_hidden_layers=3, head_dim=8, global_head_dim=16, num_global_key_value_heads=1,
        attention_k_eq_v=True, sliding_window=6, hidden_size_per_layer_input=0, num_kv_shared_layers=0,
        final_logit_softcapping=4.0, layer_types=["sliding_attention", "full_attention", "full_attention"],
        rope_parameters=dict(
            full_attention=dict(rope_type="proportional", rope_theta=100.0, partial_rotary_factor=0.5),
            sliding_attention=dict(rope_type="default", rope_theta=40.0))),
    "gemma4-mixture": dict(
        GELU, model_type="gemma4_text", pad_token_id=0, head_dim=12, global_head_dim=8, sliding_window=6, hidden_size_per_layer_input=0,
        num_kv_shared_layers=0, attention_bias=True, enable_moe_block=True, num_experts=5, top_k_experts=2, moe_intermediate_size=24,
        layer_types=["sliding_attention", "full_attention"], rope_parameters=dict(
            full_attention=dict(rope_type="proportional", rope_theta=100.0, partial_rotary_factor=0.25, factor=2.0),
            sliding_attention=dict(rope_type="default", rope_theta=40.0))),
}

# Where a token stood so near between two experts that differences of the loss say nothing of its gradient.
SEEDS = {"glm4_moe_lite": 1001}

# Read images too: what is beside the text model's configuration, and how published checkpoints name its tensors.
WHOLE = {
    "gemma3-whole": dict(
        model_type="gemma3", text="gemma3", head="language_model.lm_head.", vision=dict(model_type="siglip_vision_model", image_size=8, patch_size=4),
        mm_tokens_per_image=1, image_token_index=62, boi_token_index=60, eoi_token_index=61),
    "qwen3_5_moe-whole": dict(
        model_type="qwen3_5_moe", text="qwen3_5_moe", head="lm_head.", vision=dict(
            depth=1, num_heads=2, out_hidden_size=32, patch_size=4, num_position_embeddings=4), image_token_id=62,
        video_token_id=61, vision_start_token_id=60, vision_end_token_id=59),
    "gemma4-whole": dict(
        model_type="gemma4", text="gemma4-mixture", head="lm_head.", vision=dict(
            model_type="gemma4_vision", patch_size=4, num_key_value_heads=2, head_dim=8, position_embedding_size=16),
        audio_config=None, image_token_id=62, boi_token_id=60, eoi_token_id=61),
    "mistral3-whole": dict(
        model_type="mistral3", text="mistral-window", head="language_model.lm_head.",
        vision=dict(model_type="pixtral", image_size=8, patch_size=4, head_dim=8), image_token_index=62),
}

# Written a second time as transformers 5 holds them: experts stacked.
STACKED = ["mixtral", "qwen2_moe", "qwen3_moe", "olmoe"]

# Written a second time with numbers of few bits and scales apart, as these models are published.
SCALED = {"gpt_oss": "gpt_oss-mxfp4", "deepseek_v3": "deepseek_v3-fp8"}
# Of rows and columns with one scale; published models have 128.
FP8_BLOCK = (8, 16)


def random_weights(model, generator):
    """Large enough that attention is far from even and routers are sure of themselves."""
    weights = {}
    for name, parameter in model.state_dict().items():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name:
            # Gemma and Qwen's hybrids store what differs from 1, the latter not in linear attention.
            differs = any(
                kind in model.config.model_type for kind in ("gemma2", "gemma3", "qwen3_next", "qwen3_5"))
            weight = (0 if differs and "linear_attn" not in name else 1) + 0.3 * noise
        elif name.endswith(("router.scale", "per_expert_scale", "layer_scalar")):
            weight = 1 + 0.3 * noise
        elif name.endswith(("A_log", "dt_bias")):
            weight = 0.5 * noise - 1
        elif name.endswith("e_score_correction_bias"):
            weight = 0.2 * noise
        elif name.endswith((".bias", "_bias", "sinks")):
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
        if model_type == "ernie4_5_moe":
            name = name.replace(".gate.moe_statics.", ".moe_statics.")
        if model_type == "granitemoe":
            name = name.replace("experts.gate_up_proj", "input_linear.weight")
            name = name.replace("experts.down_proj", "output_linear.weight").replace("router.weight", "router.layer.weight")
            result[name] = weight
        elif model_type in ("gpt_oss", "gemma4_text"):
            result[name] = weight
        elif match := re.fullmatch(r"(.*\.experts)\.gate_up_proj", name):
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


def reference(folder, ids, kind=transformers.AutoModelForCausalLM):
    model = kind.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager").eval()
    result = {"input_ids": ids.to(torch.int32)}

    def record(layer):
        def hook(module, arguments, output):
            _, weights, experts = output
            result[f"router.{layer}.experts"] = experts.to(torch.int32)
            result[f"router.{layer}.weights"] = weights.float()
        return hook

    text = getattr(model.model, "language_model", model.model)
    for layer, block in enumerate(text.layers):
        for part in ("mlp.gate", "block_sparse_moe.router", "mlp.router", "router"):
            try:
                block.get_submodule(part).register_forward_hook(record(layer))
            except AttributeError:
                pass
    with torch.no_grad():
        result["logits"] = model(input_ids=ids[None]).logits[0]
    return {key: value.contiguous() for key, value in result.items()}


def write_whole(name, case, text, weights, ids, values, versions):
    """The same text model in a checkpoint that reads images too, with the names that such checkpoints have on the hub."""
    sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    configuration = {key: value for key, value in case.items() if key not in ("text", "head", "vision")}
    configuration |= dict(
        architectures=[], text_config=text, vision_config=sizes | case["vision"],
        tie_word_embeddings=text.get("tie_word_embeddings", False))
    config = transformers.AutoConfig.for_model(**copy.deepcopy(configuration))
    model = transformers.AutoModelForImageTextToText.from_config(config, dtype=torch.float32)
    configuration["architectures"] = [type(model).__name__]
    generator = torch.Generator().manual_seed(1)
    renamed = {}
    old = case["head"].startswith("language_model")
    for key, weight in random_weights(model, generator).items():
        if key.startswith(("model.language_model.", "lm_head.")):
            continue
        renamed[re.sub(r"^model\.", "", key) if old else key] = weight
    for key, weight in weights.items():
        renamed["language_model." + key if old else key.replace("model.", "model.language_model.")] = weight
    folder = write(name, configuration, renamed)
    again = reference(folder, ids, transformers.AutoModelForImageTextToText)
    assert torch.equal(again["logits"], values["logits"]), (name, (again["logits"] - values["logits"]).abs().max())
    safetensors.torch.save_file(again, folder / "reference.safetensors", versions)
    print(name, sum(file.stat().st_size for file in folder.iterdir()))


def mxfp4(weights, generator):
    """Experts as random blocks and scales, and what transformers makes of these."""
    stored, made = {}, {}
    for name, weight in weights.items():
        if not name.endswith(("gate_up_proj", "down_proj")):
            stored[name] = made[name] = weight
            continue
        experts, inputs, outputs = weight.shape
        grid = (experts, outputs, inputs // 32)
        stored[name + "_blocks"] = torch.randint(0, 256, (*grid, 16), generator=generator, dtype=torch.uint8)
        stored[name + "_scales"] = torch.randint(122, 126, grid, generator=generator, dtype=torch.uint8)
        made[name] = convert_moe_packed_tensors(stored[name + "_blocks"], stored[name + "_scales"])
        assert made[name].shape == weight.shape
    return dict(quant_method="mxfp4", modules_to_not_convert=["model.layers.*.self_attn"]), stored, made


def fp8(weights):
    """Matrices of layers but routers' as E4M3 floats with a scale for each block, and their products."""
    stored, made = {}, {}
    rows, columns = FP8_BLOCK
    for name, weight in weights.items():
        if not re.search(r"layers.*(proj|proj_with_mqa).*weight$", name):
            stored[name] = made[name] = weight
            continue
        scales = torch.zeros(-(-weight.shape[0] // rows), -(-weight.shape[1] // columns))
        numbers = torch.zeros(weight.shape)
        product = torch.zeros(weight.shape)
        for i in range(scales.shape[0]):
            for j in range(scales.shape[1]):
                part = slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns)
                scales[i, j] = weight[part].float().abs().max() / 448
                numbers[part] = weight[part].float() / scales[i, j]
        numbers = numbers.to(torch.float8_e4m3fn)
        whole = scales.repeat_interleave(rows, 0)[:len(weight)].repeat_interleave(columns, 1)[:, :weight.shape[1]]
        stored[name], stored[name + "_scale_inv"] = numbers, scales
        made[name] = (numbers.float() * whole).to(torch.bfloat16)
    return dict(
        quant_method="fp8", fmt="e4m3", activation_scheme="dynamic", weight_block_size=list(FP8_BLOCK)), stored, made


def write_scaled(name, configuration, weights, ids, generator, versions):
    """The reference is computed from the same numbers as bfloat16."""
    quantization, stored, made = mxfp4(weights, generator) if "mxfp4" in name else fp8(weights)
    plain = write(name, configuration, made)
    values = reference(plain, ids)
    folder = write(name, configuration | dict(quantization_config=quantization), stored)
    safetensors.torch.save_file(values, folder / "reference.safetensors", versions)
    print(name, sum(file.stat().st_size for file in folder.iterdir()), float(values["logits"].std()))


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
        generator = torch.Generator().manual_seed(SEEDS.get(name, seed))
        config = transformers.AutoConfig.for_model(**copy.deepcopy(configuration))
        model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        weights = random_weights(model, generator)
        ids = torch.randint(0, SIZES["vocab_size"], (TOKENS,), generator=generator)
        folder = write(name, configuration, one_by_one(weights, configuration["model_type"]))
        values = reference(folder, ids)
        safetensors.torch.save_file(values, folder / "reference.safetensors", versions)
        print(name, sum(file.stat().st_size for file in folder.iterdir()), float(values["logits"].std()))
        for whole, case in WHOLE.items():
            if case["text"] == name:
                write_whole(whole, case, configuration, weights, ids, values, versions)
        if name in SCALED:
            named = one_by_one(weights, configuration["model_type"])
            write_scaled(SCALED[name], configuration, named, ids, generator, versions)
        if name in STACKED:
            stacked = write(name + "-stacked", configuration, weights)
            again = reference(stacked, ids)
            assert all(torch.equal(again[key], values[key]) for key in values), name


main()
