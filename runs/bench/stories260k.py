#!/usr/bin/env python3
"""Checks that the known greedy text of stories260K (karpathy/tinyllamas, llama2.c's format) comes out of `laser generate`.

    runs/bench/stories260k.py FOLDER

FOLDER holds stories260K.bin, tok512.bin and stories260K.md, which has the text. To be run by an interpreter with numpy and
gguf, after `swift build -c release`. The model becomes a GGUF file, which has the order of queries and keys and the kind of
vocabulary that llama2.c has, and that a Hugging Face folder (`laser convert --to safetensors`); both must continue the empty
text as llama2.c does. The exit status is 1 if one does not.
"""
import pathlib, struct, subprocess, sys, tempfile
import gguf, numpy

folder = pathlib.Path(sys.argv[1])
laser = str(pathlib.Path(__file__).parent / "../../.build/release/laser")


def convert(path):
    """Source: llama2.c, run.c (`memory_map_weights`, `build_tokenizer`)."""
    data = (folder / "stories260K.bin").read_bytes()
    dim, hidden, layers, heads, kv_heads, vocabulary, length = struct.unpack("7i", data[:28])
    kv = dim // heads * kv_heads
    numbers, position = numpy.frombuffer(data[28:], numpy.float32), 0

    def take(*shape):
        nonlocal position
        count = int(numpy.prod(shape))
        position += count
        return numbers[position - count:position].reshape(shape)

    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_context_length(length)
    writer.add_embedding_length(dim)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tensor("token_embd.weight", take(abs(vocabulary), dim))  # and the output's, if vocabulary > 0
    assert vocabulary > 0
    stacks = [
        ("attn_norm", [dim]), ("attn_q", [dim, dim]), ("attn_k", [kv, dim]), ("attn_v", [kv, dim]),
        ("attn_output", [dim, dim]), ("ffn_norm", [dim]), ("ffn_gate", [hidden, dim]), ("ffn_down", [dim, hidden]),
        ("ffn_up", [hidden, dim]),
    ]
    for name, shape in stacks:
        for layer, weights in enumerate(take(layers, *shape)):
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights)
    writer.add_tensor("output_norm.weight", take(dim))

    words, tokens, scores, types = (folder / "tok512.bin").read_bytes()[4:], [], [], []
    for id in range(vocabulary):
        score, size = struct.unpack("fi", words[:8])
        text, words = words[8:8 + size].decode(), words[8 + size:]
        tokens.append(["<unk>", "<s>", "</s>"][id] if id < 3 else text.replace(" ", "▁"))
        scores.append(score)
        types.append([2, 3, 3][id] if id < 3 else 6 if id < 259 else 1)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(types)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


known = (folder / "stories260K.md").read_text().split("-t 0.0\n", 1)[1].split("\n```", 1)[0]
with tempfile.TemporaryDirectory() as place:
    file, made = pathlib.Path(place) / "stories260K.gguf", pathlib.Path(place) / "stories260K"
    convert(file)
    subprocess.run([laser, "convert", file, "--out", made, "--to", "safetensors"], check=True, stdout=subprocess.DEVNULL)
    failed = False
    for model in file, made:
        run = [laser, "generate", model, "--prompt", "", "--tokens", "256"]
        text = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
        same = text.startswith(known.strip())
        failed |= not same
        print(f"{model.name}: {len(known)} known characters, {'equal' if same else 'DIFFERENT'}")
        if not same:
            print(text)
sys.exit(failed)
