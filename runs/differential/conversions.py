#!/usr/bin/env python3
"""Random tokenizers into GGUF and back: the ids of hard texts in the folder, in the GGUF file and in the folder made of it.

    runs/differential/conversions.py [--count 500] [--seed 1]

A small random Llama with a random tokenizer becomes a GGUF file (`laser convert`) and a folder again. Ids must be the
folder's, except of texts that the command's notes name (a space in front, behind special tokens, lstrip and rstrip,
normal forms); a file that laser writes it must read. Those of the new folder must be the file's, always, by laser and by
tokenizers. Prints what differs, and counts; the exit status is 1 if anything differs.
"""
import argparse, collections, json, pathlib, sys, tempfile, unicodedata

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer

from common import HARD, ids_of, laser, random_text, random_token, random_tokenizer, rng

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()


def model(folder, rows):
    """A Llama of one layer and random weights."""
    config = {"model_type": "llama", "vocab_size": rows, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
              "num_attention_heads": 2, "num_key_value_heads": 1, "rms_norm_eps": 1e-5, "tie_word_embeddings": True}
    (folder / "config.json").write_text(json.dumps(config))
    layer, shapes = "model.layers.0.", {"input_layernorm": [16], "post_attention_layernorm": [16], "self_attn.q_proj": [16, 16],
        "self_attn.k_proj": [8, 16], "self_attn.v_proj": [8, 16], "self_attn.o_proj": [16, 16], "mlp.gate_proj": [16, 16],
        "mlp.up_proj": [16, 16], "mlp.down_proj": [16, 16]}
    tensors = {layer + name + ".weight": torch.randn(shape) for name, shape in shapes.items()}
    tensors |= {"model.embed_tokens.weight": torch.randn(rows, 16), "model.norm.weight": torch.randn(16)}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


counts = collections.Counter()
for number in range(arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    tokenizer, kind = random_tokenizer(draw)
    pieces = kind.split()[0] in ("prepend", "first", "always", "never")
    for token in [random_token(draw) for _ in range(draw.randint(0, 3))]:
        if pieces:
            # As Llama's fast tokenizers have them.
            token["normalized"] = False
        tokenizer.add_tokens([AddedToken(**token)])
    mixed = random_text(draw)
    # In normal form, without a space in front, without special tokens; ſ after an apostrophe is another letter to llama.cpp.
    plain = unicodedata.normalize("NFC", HARD).replace("ſ", "s").lstrip()
    for token in tokenizer.get_added_tokens_decoder().values():
        plain = plain.replace(token.content, "")
    plain = unicodedata.normalize("NFC", plain)
    with tempfile.TemporaryDirectory() as root:
        root = pathlib.Path(root)
        folder, file, again = root / "folder", root / "model.gguf", root / "again"
        folder.mkdir()
        tokenizer.save(str(folder / "tokenizer.json"))
        model(folder, tokenizer.get_vocab_size() + draw.choice([0, 0, 7]))
        texts = [root / "plain.txt", root / "mixed.txt"]
        for path, text in zip(texts, (plain, mixed)):
            path.write_bytes(text.encode("utf-8"))
        before = ids_of(folder, *texts)
        done = laser("convert", folder, "--out", file)
        if isinstance(before, str) or done.returncode:
            reason = done.stderr.strip().split(": tokenizer ", 1)[-1][:70]
            counts["refused"] += 1
            counts["  " + reason] += 1
            continue
        notes = done.stderr
        middle = ids_of(file, *texts)
        done = laser("convert", file, "--out", again, "--to", "safetensors")
        after = ids_of(again, *texts) if not done.returncode else done.stderr.strip()
        if isinstance(middle, str) or isinstance(after, str):
            counts["UNREADABLE"] += 1
            print(f"{number} ({kind}): {middle if isinstance(middle, str) else after}", flush=True)
            continue
        peer = [Tokenizer.from_file(str(again / "tokenizer.json")).encode(text).ids for text in (plain, mixed)]
        problems = []
        if middle[0] != before[0] and "ids of a sample" not in notes:
            place = next((i for i, (a, b) in enumerate(zip(middle[0], before[0])) if a != b), -1)
            problems.append(f"plain text at {place}: {middle[0][place:place + 5]} for {before[0][place:place + 5]}")
        if middle[1] != before[1] and "note:" not in notes:
            problems.append("mixed text, without a note")
        if after != middle or peer != middle:
            problems.append("the folder made of the file")
        key = "equal" if middle == before else "equal but for what a note names"
        counts["DIFFERENT" if problems else key] += 1
        if problems:
            print(f"{number} ({kind}) DIFFERS: {'; '.join(problems)}; notes: {notes!r}", flush=True)
print("\n".join(f"{value} {key}" for key, value in sorted(counts.items())))
sys.exit(counts["DIFFERENT"] + counts["UNREADABLE"] > 0)
