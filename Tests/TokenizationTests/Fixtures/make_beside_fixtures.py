"""Makes beside.expected.json: what transformers' AutoTokenizer makes of files beside byte-level.json and prepend.json.

    python make_beside_fixtures.py

The file here was made with transformers 5.24.0 and tokenizers 0.23.3.
"""

import json
import pathlib
import tempfile

from transformers import AutoTokenizer

HERE = pathlib.Path(__file__).parent
TEXT = "a <|im_start|> user\nof it<|im_end|>  \n<|im_start|>assistant <image> x[INST] <|endoftext|>  </s> the\nend"


def token(content, **flags):
    return {"content": content, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False,
            "special": True} | flags


def added(content, **flags):
    return {"__type": "AddedToken"} | token(content, **flags)


CHATML = {"600": token("<|im_start|>"), "601": token("<|im_end|>")}
# A tokenizer of this folder, tokenizer_config.json, special_tokens_map.json, added_tokens.json.
CASES = [
    ("byte-level", {"added_tokens_decoder": {"0": token("<|endoftext|>")} | CHATML}, None, None),
    # The claimed ids count for nothing but the order.
    ("byte-level", {"added_tokens_decoder": {"900": token("<|im_end|>"), "700": token("<|im_start|>")}}, None, None),
    # Other flags of a token that tokenizer.json has.
    ("byte-level", {"added_tokens_decoder": {"0": token("<|endoftext|>", lstrip=True, rstrip=True)} | CHATML}, None, None),
    ("byte-level", {"eos_token": "<|im_end|>", "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]}, None, None),
    ("byte-level", {"eos_token": added("<|im_end|>", rstrip=True), "pad_token": "<|im_end|>"}, None, None),
    ("byte-level", {"pad_token": "<|im_end|>", "eos_token": added("<|im_end|>", rstrip=True)}, None, None),
    ("byte-level", {"extra_special_tokens": {"image_token": "<image>"}, "user_token": "[INST]"}, None, None),
    ("byte-level", {"additional_special_tokens": [added("[INST]", lstrip=True)], "extra_special_tokens": ["<image>"]},
     None, None),
    ("byte-level", {}, {"eos_token": token("<|im_end|>", rstrip=True) , "additional_special_tokens": ["<image>"]}, None),
    ("byte-level", {}, {"eos_token": "<|im_end|>"}, {"<|im_end|>": 601, "<|im_start|>": 600, "of": 602}),
    # Without added_tokens_decoder only.
    ("byte-level", {"added_tokens_decoder": {}}, {"eos_token": "<|im_end|>"}, {"<|im_start|>": 600}),
    # A token of the vocabulary becomes one that is found as it stands.
    ("byte-level", {"unk_token": "the", "mask_token": None}, None, None),
    ("byte-level", {"added_tokens_decoder": {"600": {"content": "<|im_end|>", "special": False}}, "eos_token": "<|im_end|>"},
     None, None),
    ("prepend", {"added_tokens_decoder": {"700": token("<|im_start|>", special=False, normalized=True),
                                          "701": token("<|im_end|>", normalized=True)}}, None, None),
    ("prepend", {"eos_token": "</s>", "pad_token": "<|im_end|>", "sep_token": "of"}, None, {"[INST]": 700}),
    # An object of tokenizer_config.json does not make a token of added_tokens.json special, one of the other file does.
    ("prepend", {"sep_token": added("<image>")}, None, {"<image>": 700}),
    ("prepend", {}, {"sep_token": token("<image>")}, {"<image>": 700}),
    ("prepend", {"extra_special_tokens": [added("<image>"), "[INST]"]}, None, {"<image>": 700, "[INST]": 701}),
]

expected = []
for name, settings, special, more in CASES:
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "config.json").write_text('{"model_type": "llama"}')
        (folder / "tokenizer.json").write_bytes((HERE / f"{name}.json").read_bytes())
        files = {"tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast"} | settings,
                 "special_tokens_map.json": special, "added_tokens.json": more}
        files = {file: contents for file, contents in files.items() if contents is not None}
        for file, contents in files.items():
            (folder / file).write_text(json.dumps(contents))
        ids = AutoTokenizer.from_pretrained(folder)(TEXT)["input_ids"]
        expected.append({"tokenizer": name, "files": files, "ids": ids})
(HERE / "beside.expected.json").write_text(json.dumps({"text": TEXT, "cases": expected}, ensure_ascii=False))
print(len(expected), "cases")
