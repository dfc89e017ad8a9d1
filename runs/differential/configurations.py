#!/usr/bin/env python3
"""Random configurations of every architecture, by laser and by transformers in float32.

    runs/differential/configurations.py [--count 500] [--seed 1] [--kinds gemma2,qwen3_next]

Small random weights under random keys of config.json: biases, tied matrices (also with a head of its own under the flag),
windows, kinds of rotary scaling, dense layers, experts, keys that are left out for the class's defaults, tensors under
names without `model.`, in one file or in two with an index that says less or more than they hold. Some are reduced
first (`laser search --strategy denoise`, `laser apply`): transformers must load the result and agree. The nats per token of
a text must agree to 2e-5. Prints what differs, and counts; the exit status is 1 if anything differs.
"""
import argparse, collections, json, logging, pathlib, sys, tempfile

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM, logging as transformers_logging

from common import PROSE, byte_level, laser, rng

transformers_logging.set_verbosity(logging.CRITICAL)
transformers_logging.disable_progress_bar()
torch.set_num_threads(1)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--kinds", help="only these, with commas between")
arguments = parser.parse_args()
TYPES = ["llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "olmoe", "phi3", "gemma2", "gemma3_text",
         "glm4_moe", "glm4_moe_lite", "dots1", "granite", "granitemoe", "olmo2", "olmo3", "smollm3", "ministral3",
         "deepseek_v2", "deepseek_v3", "qwen3_next", "qwen3_5_text", "qwen3_5_moe_text",
         "ernie4_5_moe", "gpt_oss", "gemma4_text"]
SCALED = {"llama", "mistral", "mixtral", "qwen2", "qwen3", "qwen2_moe", "qwen3_moe", "olmoe", "granite", "granitemoe", "olmo2",
          "smollm3", "glm4_moe", "dots1", "deepseek_v2", "deepseek_v3", "glm4_moe_lite"}
HYBRIDS = {"qwen3_next", "qwen3_5_text", "qwen3_5_moe_text"}
LATENT = {"deepseek_v2", "deepseek_v3", "glm4_moe_lite"}
CONTEXT = 64


def rope(draw, kind):
    """Keys of rotary embedding; transformers 4's spelling or 5's."""
    keys = {"rope_theta": draw.choice([1e4, 1e6])}
    scaling = draw.choice([None, None, "linear", "llama3", "yarn"]) if kind in SCALED else None
    if scaling is None:
        return keys
    factor = draw.choice([2.0, 4.0])
    parameters = {"rope_type": scaling, "factor": factor}
    if scaling == "llama3":
        parameters |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
    if scaling == "yarn":
        parameters["original_max_position_embeddings"] = 32
        if draw.random() < 0.3:
            parameters["factor"] = None
        if draw.random() < 0.4:
            parameters |= {"mscale": draw.choice([0, 0.7, 1.0]), "mscale_all_dim": draw.choice([0, 0.5, 1.0])}
        if draw.random() < 0.3:
            parameters |= {"beta_fast": draw.choice([16, 32]), "beta_slow": draw.choice([1, 2])}
        if draw.random() < 0.2:
            parameters["attention_factor"] = 1.3
    if draw.random() < 0.5:
        return {"rope_parameters": parameters | keys}
    return keys | {"rope_scaling": parameters}


def newer(draw, kind, config):
    """The keys of families with their own."""
    layers, heads = config["num_hidden_layers"], config["num_attention_heads"]
    config["head_dim"] = draw.choice([8, 16])
    config["attention_bias"] = draw.random() < 0.4
    if kind in ("gemma2", "gemma3_text"):
        del config["hidden_act"]
        config |= {"query_pre_attn_scalar": draw.choice([8, 24]), "sliding_window": draw.choice([16, 40]),
                   "final_logit_softcapping": draw.choice([None, 5.0])}
        if draw.random() < 0.5:
            config["layer_types"] = [draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]
    if kind == "gemma4_text":
        del config["hidden_act"]
        config |= {"sliding_window": draw.choice([16, 40]), "final_logit_softcapping": draw.choice([None, 5.0]),
                   "hidden_size_per_layer_input": 0, "num_kv_shared_layers": 0, "global_head_dim": draw.choice([8, 16, 32]),
                   "attention_k_eq_v": draw.random() < 0.5, "pad_token_id": 0}
        config.pop("rope_theta")
        if draw.random() < 0.7:
            config["num_global_key_value_heads"] = draw.choice([1, heads])
        if draw.random() < 0.7:
            config["rope_parameters"] = {
                "full_attention": {"rope_type": draw.choice(["proportional", "default"]), "rope_theta": 1e6},
                "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}
            if config["rope_parameters"]["full_attention"]["rope_type"] == "proportional":
                config["rope_parameters"]["full_attention"]["partial_rotary_factor"] = draw.choice([0.25, 0.5, 1.0])
        config["layer_types"] = [draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers - 1)]
        config["layer_types"].append("full_attention")
        if draw.random() < 0.6:
            config |= {"enable_moe_block": True, "num_experts": 8, "top_k_experts": draw.choice([1, 2, 3]),
                       "moe_intermediate_size": 16}
    if kind == "gpt_oss":
        config |= {"num_local_experts": 8, "num_experts_per_tok": draw.choice([1, 2, 3]), "sliding_window": draw.choice([16, 40]),
                   "swiglu_limit": draw.choice([0.5, 7.0]), "swiglu_alpha": draw.choice([1.0, 1.702])}
        if draw.random() < 0.5:
            config["layer_types"] = [draw.choice(["full_attention", "sliding_attention"]) for _ in range(layers)]
        if draw.random() < 0.6:
            config["rope_parameters"] = {
                "rope_type": "yarn", "rope_theta": 150000, "factor": 4.0, "original_max_position_embeddings": 32,
                "truncate": draw.random() < 0.5}
    if kind == "gemma2":
        config["attn_logit_softcapping"] = draw.choice([None, 6.0])
    if kind == "gemma3_text":
        config |= {"rope_theta": 1e6, "rope_local_base_freq": draw.choice([1e4, 1e3])}
        config["rope_scaling"] = draw.choice([None, {"rope_type": "linear", "factor": 8.0}])
    if kind in ("glm4_moe", "dots1", "deepseek_v2", "deepseek_v3", "glm4_moe_lite"):
        groups = draw.choice([1, 2, 4])
        config |= {"n_routed_experts": 8, "num_experts_per_tok": draw.choice([1, 2, 3]), "moe_intermediate_size": 16,
                   "n_shared_experts": draw.choice([1, 2]), "routed_scaling_factor": draw.choice([1.0, 2.5]),
                   "n_group": groups, "topk_group": groups if groups < 4 else draw.choice([2, 4]),
                   "norm_topk_prob": draw.random() < 0.5, "first_k_dense_replace": draw.randint(0, layers)}
    if kind == "glm4_moe":
        config |= {"use_qk_norm": draw.random() < 0.5, "partial_rotary_factor": draw.choice([0.5, 1.0])}
        config.pop("rope_scaling", None)
        config["rope_parameters"] = {"rope_type": "default", "rope_theta": 1e4,
                                     "partial_rotary_factor": config.pop("partial_rotary_factor")}
    if kind == "dots1" and draw.random() < 0.5:
        config |= {"sliding_window": 24, "max_window_layers": draw.randint(0, layers)}
    if kind in LATENT:
        del config["head_dim"]
        config |= {"num_key_value_heads": heads, "q_lora_rank": draw.choice([None, 12]), "kv_lora_rank": draw.choice([10, 16]),
                   "qk_nope_head_dim": draw.choice([6, 8]), "qk_rope_head_dim": draw.choice([4, 8]),
                   "v_head_dim": draw.choice([8, 10])}
        if kind == "deepseek_v2":
            config["topk_method"] = draw.choice(["greedy", "group_limited_greedy"])
        else:
            config["rope_interleave"] = draw.random() < 0.5
        if kind == "glm4_moe_lite":
            config["mlp_layer_types"] = [draw.choice(["dense", "sparse"]) for _ in range(layers)]
    if kind == "ministral3":
        config["rope_parameters"] = {
            "rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "original_max_position_embeddings": 32,
            "llama_4_scaling_beta": draw.choice([0.1, 0.5]), "mscale": 1.0, "mscale_all_dim": 1.0}
        config.pop("rope_scaling", None)
        config.pop("attention_bias")
    if kind in HYBRIDS:
        config.pop("attention_bias")
        values = draw.choice([2, 4])
        config |= {"linear_num_key_heads": 2, "linear_num_value_heads": values, "linear_key_head_dim": draw.choice([4, 8]),
                   "linear_value_head_dim": draw.choice([6, 8]), "linear_conv_kernel_dim": draw.choice([2, 4]),
                   "layer_types": [draw.choice(["full_attention", "linear_attention"]) for _ in range(layers)],
                   "rope_parameters": {"rope_type": "default", "rope_theta": 1e4,
                                       "partial_rotary_factor": draw.choice([0.25, 0.5])}}
        config.pop("rope_scaling", None)
        if kind != "qwen3_5_text":
            config |= {"num_experts": 8, "num_experts_per_tok": draw.choice([1, 2, 3]), "moe_intermediate_size": 16,
                       "shared_expert_intermediate_size": 24}
        if kind == "qwen3_next":
            config |= {"norm_topk_prob": draw.random() < 0.5, "mlp_only_layers": draw.choice([[], [0]])}


def configuration(draw, kind, vocabulary):
    heads, kv = draw.choice([(4, 4), (4, 2), (4, 1), (2, 2)])
    hidden = draw.choice([32, 48]) if kind == "olmoe" or heads == 2 else 32
    config = {"model_type": kind, "vocab_size": vocabulary, "hidden_size": hidden, "intermediate_size": draw.choice([40, 64]),
              "num_hidden_layers": draw.choice([1, 2, 3]), "num_attention_heads": heads, "num_key_value_heads": kv,
              "max_position_embeddings": 128, "rms_norm_eps": draw.choice([1e-5, 1e-6]), "hidden_act": "silu",
              "tie_word_embeddings": draw.random() < 0.4, "torch_dtype": "float32", "pad_token_id": None, "bos_token_id": 0,
              "eos_token_id": 1}
    layers = config["num_hidden_layers"]
    config |= rope(draw, kind)
    if kind in LATENT | HYBRIDS | {
            "gemma2", "gemma3_text", "gemma4_text", "gpt_oss", "glm4_moe", "dots1", "ministral3"}:
        newer(draw, kind, config)
    if kind in ("granite", "granitemoe", "olmo2", "olmo3", "smollm3"):
        config["attention_bias"] = draw.random() < 0.4
    if kind in ("granite", "granitemoe"):
        config |= {"embedding_multiplier": draw.choice([1, 3.5]), "residual_multiplier": draw.choice([0.3, 1.0]),
                   "attention_multiplier": draw.choice([0.2, 0.5]), "logits_scaling": draw.choice([1.0, 4.0])}
    if kind == "ernie4_5_moe":
        config |= {"moe_num_experts": 8, "moe_k": draw.choice([1, 2, 3]), "moe_intermediate_size": 16,
                   "moe_num_shared_experts": draw.choice([1, 2]), "moe_layer_start_index": draw.randint(0, layers - 1),
                   "moe_layer_end_index": draw.choice([-1, layers - 1]), "head_dim": draw.choice([8, 16])}
    if kind == "olmo3":
        config |= {"sliding_window": draw.choice([16, 40]), "rope_theta": 5e5}
        if draw.random() < 0.5:
            config["rope_scaling"] = {"rope_type": "yarn", "factor": 2.0, "original_max_position_embeddings": 32}
    if kind == "smollm3" and draw.random() < 0.6:
        config["no_rope_layers"] = [draw.randint(0, 1) for _ in range(layers)]
    older = ("llama", "mistral", "mixtral", "qwen3", "qwen3_moe")
    if kind in older and draw.random() < 0.5:
        config["head_dim"] = draw.choice([8, 16])
    if kind in ("llama", "qwen3", "qwen3_moe", "olmoe"):
        config["attention_bias"] = draw.random() < 0.4
    if kind in ("mistral", "mixtral", "phi3"):
        config["sliding_window"] = draw.choice([None, 16, 40])
    if kind in ("qwen2", "qwen3", "qwen2_moe", "qwen3_moe") and draw.random() < 0.4:
        config |= {"use_sliding_window": True, "sliding_window": 24, "max_window_layers": draw.randint(0, layers)}
    if kind == "qwen2_moe":
        config["qkv_bias"] = draw.random() < 0.7
        config["shared_expert_intermediate_size"] = 24
    if kind in ("mixtral", "qwen2_moe", "qwen3_moe", "olmoe", "granitemoe"):
        name = "num_local_experts" if kind in ("mixtral", "granitemoe") else "num_experts"
        config[name] = draw.choice([4, 8])
        config["num_experts_per_tok"] = draw.choice([1, 2, 3])
        if kind in ("qwen2_moe", "qwen3_moe"):
            config["moe_intermediate_size"] = 16
            if draw.random() < 0.4:
                config["mlp_only_layers"] = [draw.randrange(layers)]
            if draw.random() < 0.3:
                config["decoder_sparse_step"] = 2
        if kind not in ("mixtral", "granitemoe"):
            config["norm_topk_prob"] = draw.random() < 0.5
        # The class's defaults.
        if kind == "mixtral" and draw.random() < 0.3:
            del config["num_local_experts"]
        if draw.random() < 0.3:
            del config["num_experts_per_tok"]
            if kind in ("qwen3_moe", "olmoe"):
                config[name] = 8
    if kind == "phi3":
        config["partial_rotary_factor"] = draw.choice([1.0, 0.5])
        config |= {"pad_token_id": 0, "original_max_position_embeddings": 128}
    if draw.random() < 0.3:
        config["unrelated"] = draw.choice([float("nan"), float("inf"), float("-inf")])
    return config


def store(draw, folder, tensors):
    """The tensors in one file, or in two with an index that need not be exact."""
    tensors = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    if draw.random() < 0.6:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    names, index = sorted(tensors), {}
    for number in (0, 1):
        part = {name: tensors[name] for name in names[number::2]}
        file = f"model-0000{number + 1}-of-00002.safetensors"
        save_file(part, folder / file, metadata={"format": "pt"})
        index |= {name: file for name in part}
    if draw.random() < 0.5:
        index.pop(draw.choice(names[1:]))
    if draw.random() < 0.5:
        index["model.layers.0.self_attn.rotary_emb.inv_freq"] = "model-00001-of-00002.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": index}))


counts, kinds = collections.Counter(), collections.Counter()
tokenizer = byte_level("gpt-2", 500)
text = PROSE[:1200]
ids = tokenizer.encode(text).ids
for number in range(arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    kind = draw.choice(arguments.kinds.split(",") if arguments.kinds else TYPES)
    config = configuration(draw, kind, 500)
    torch.manual_seed(number)
    with tempfile.TemporaryDirectory() as folder:
        texts = pathlib.Path(folder)
        folder = texts / "model"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(config))
        tokenizer.save(str(folder / "tokenizer.json"))
        (texts / "text.txt").write_text(text, encoding="utf-8")
        try:
            read = AutoConfig.from_pretrained(folder)
            model = AutoModelForCausalLM.from_config(read, attn_implementation="eager").float()
            with torch.no_grad():
                for name, tensor in model.named_parameters():
                    tensor.normal_(0, 0.3 if tensor.dim() > 1 else 0.1)
                    centred = kind in ("gemma2", "gemma3_text") or kind in HYBRIDS and "linear_attn" not in name
                    if ("norm" in name or name.endswith(("router.scale", "per_expert_scale"))) and not centred:
                        tensor.add_(1)
                for name, tensor in model.named_buffers():
                    if name.endswith("e_score_correction_bias"):
                        tensor.normal_(0, 0.2)
                    if name.endswith("layer_scalar"):
                        tensor.normal_(1, 0.2)
            model.save_pretrained(folder / "saved")
            tensors = load_file(folder / "saved/model.safetensors")
            ties = config["tie_word_embeddings"]
            if ties and draw.random() < 0.5:
                head = tensors["model.embed_tokens.weight"].clone()
                tensors["lm_head.weight"] = head + (0.2 * torch.randn_like(head) if draw.random() < 0.6 else 0)
            if draw.random() < 0.15 and ties:
                tensors = {name.removeprefix("model."): tensor for name, tensor in tensors.items()}
            store(draw, folder, tensors)
            model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
            if draw.random() < 0.2:
                done = laser("search", folder, "--strategy", "denoise", "--text", texts / "text.txt", "--context", CONTEXT,
                             "--out", texts / "run")
                if done.returncode == 0:
                    done = laser("apply", folder, "--plan", texts / "run/plan.yaml", "--out", texts / "reduced")
                if done.returncode:
                    counts["laser refuses"] += 1
                    print(f"{number} ({kind}): {done.stderr.strip()}")
                    continue
                counts["reduced"] += 1
                folder = texts / "reduced"
                model = AutoModelForCausalLM.from_pretrained(
                    folder, dtype=torch.float32, attn_implementation="eager").eval()
        except Exception as error:
            counts["transformers fails"] += 1
            print(f"{number} ({kind}): transformers: {type(error).__name__}: {str(error)[:150]}")
            continue
        done = laser("perplexity", folder, "--json", "--context", CONTEXT, "--text", texts / "text.txt")
        if done.returncode:
            counts["laser refuses"] += 1
            print(f"{number} ({kind}): {done.stderr.strip()}")
            continue
        found = json.loads(done.stdout)
        # The convention "windows": each whole window's tokens after its first are scored.
        total, scored = 0.0, 0
        for start in range(0, len(ids) - CONTEXT + 1, CONTEXT):
            window = torch.tensor([ids[start:start + CONTEXT]])
            with torch.no_grad():
                logits = model(window, use_cache=False).logits[0, :-1].double()
            total += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
            scored += window.shape[1] - 1
        nll = found["corpora"][0]["nll"]
        kinds[kind] += 1
        if scored == found["corpora"][0]["scored_tokens"] and abs(nll - total / scored) < 2e-5 * max(1, nll):
            counts["equal"] += 1
        else:
            counts["DIFFERENT"] += 1
            print(f"{number} ({kind}) DIFFERS: {nll} for {total / scored}; scored {found['corpora'][0]['scored_tokens']}, "
                  f"{scored}; {json.dumps(config)}", flush=True)
print(", ".join(f"{value} {key}" for key, value in sorted(counts.items())))
print(", ".join(f"{value} {key}" for key, value in sorted(kinds.items())))
sys.exit(counts["DIFFERENT"] > 0)
