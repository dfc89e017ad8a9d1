"""Writes mixtures.json: which types llama-quantize gives the matrices of models of several shapes.

    python make_mixtures.py PROGRAM

PROGRAM is runs/differential/mixture.cpp, compiled with the llama-quant.cpp of the llama.cpp within llama-cpp-python 0.3.36
(`runs/differential/quants.py` does so); it answers with llama_tensor_get_type. Lists are by layer; of equal ones there is
one.
"""
import json, pathlib, subprocess, sys

FILE_TYPES = {"q8_0": 7, "q4_0": 2, "q4_1": 3, "q5_0": 8, "q5_1": 9, "q2_k": 10, "q2_k_s": 21, "q3_k_s": 11, "q3_k_m": 12,
              "q3_k_l": 13, "q4_k_s": 14, "q4_k_m": 15, "q5_k_s": 16, "q5_k_m": 17, "q6_k": 18, "iq4_nl": 25, "iq4_xs": 30,
              "mxfp4_moe": 38, "f16": 1, "bf16": 32, "f32": 0}
# Architecture, layers, experts, heads, heads of keys, width, width of the feed-forward layer, tied.
SHAPES = [("llama", 32, 0, 32, 32, 4096, 11008, False), ("llama", 32, 0, 32, 8, 4096, 14336, False),
          ("llama", 32, 8, 32, 8, 4096, 14336, False), ("llama", 13, 4, 32, 8, 4096, 14336, True),
          ("llama", 80, 0, 64, 8, 8192, 28672, False), ("qwen2", 80, 0, 64, 8, 8192, 29568, False),
          ("llama", 30, 0, 9, 3, 576, 1536, True), ("qwen3moe", 48, 128, 32, 4, 2048, 768, False),
          ("qwen2", 7, 0, 14, 2, 896, 4864, True), ("llama", 2, 8, 4, 4, 100, 260, False)]


def types(program, name, shape, has_importance):
    architecture, layers, experts, heads, keys, width, inner, tied = shape
    is_70b = layers == 80
    lines = [f"model {FILE_TYPES[name]} {architecture} {layers} {experts} {heads} {keys} {int(is_70b)} {int(has_importance)}",
             f"token_embd.weight {width} 1000 1"]
    if not tied:
        lines.append(f"output.weight {width} 1000 1")
    ending = "_exps" if experts else ""
    for layer in range(layers):
        for role, columns in (("attn_q", width), ("attn_k", width), ("attn_v", width), ("attn_output", width),
                              ("ffn_gate" + ending, width), ("ffn_up" + ending, width), ("ffn_down" + ending, inner)):
            lines.append(f"blk.{layer}.{role}.weight {columns} 64 {experts if experts and 'ffn' in role else 1}")
    done = subprocess.run([program], input="\n".join(lines + ["end", ""]), capture_output=True, text=True, check=True)
    found = dict(line.split() for line in done.stdout.splitlines() if " " in line)
    result = {"embedding": [found["token_embd.weight"].upper()]}
    if not tied:
        result["head"] = [found["output.weight"].upper()]
    for role in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        by_layer = [found[f"blk.{layer}.{role}{ending if 'ffn' in role else ''}.weight"].upper() for layer in range(layers)]
        result[role] = by_layer if len(set(by_layer)) > 1 else by_layer[:1]
    return result


def main():
    cases = [{"type": name, "architecture": shape[0], "layers": shape[1], "experts": shape[2], "heads": shape[3],
              "keys": shape[4], "width": shape[5], "inner": shape[6], "tied": shape[7], "importance": has_importance,
              "types": types(sys.argv[1], name, shape, has_importance)}
             for shape in SHAPES for name in FILE_TYPES for has_importance in (False, True)]
    text = "[\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]\n"
    (pathlib.Path(__file__).parent / "mixtures.json").write_text(text)


if __name__ == "__main__":
    main()
