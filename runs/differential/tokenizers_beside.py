#!/usr/bin/env python3
"""Random tokenizer.json files with random files beside them, by laser and by transformers' AutoTokenizer.

    runs/differential/tokenizers_beside.py [--count 500] [--seed 1] [--first 0]

The files beside name added tokens with other flags, tokens that tokenizer.json lacks, special tokens as texts and as
objects: tokenizer_config.json, special_tokens_map.json, added_tokens.json. The ids of a text with such tokens in it must
be equal, or laser must refuse by name. Prints what differs, and counts; the exit status is 1 if anything differs.
"""
import argparse, collections, json, logging, pathlib, sys, tempfile

from common import NAMES, ids_of, random_text, random_token, random_tokenizer, rng
from tokenizers import AddedToken
from transformers import AutoTokenizer, logging as transformers_logging

transformers_logging.set_verbosity(logging.CRITICAL)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--first", type=int, default=0, help="the number to begin with, to repeat one")
arguments = parser.parse_args()


def added(token):
    return AddedToken(**token)


def named(draw, value):
    """A special token as a text, or as an object."""
    return value["content"] if draw.random() < 0.6 else {"__type": "AddedToken", **value}


def beside(draw, tokenizer):
    """The three files' contents; None for one that is not there."""
    settings, special, more = {"tokenizer_class": "PreTrainedTokenizerFast"}, None, None
    own = {str(i): {k: getattr(t, k) for k in ("content", "single_word", "lstrip", "rstrip", "normalized", "special")}
           for i, t in tokenizer.get_added_tokens_decoder().items()}
    size = tokenizer.get_vocab_size()
    if draw.random() < 0.5:
        decoder = {i: token for i, token in own.items() if draw.random() < 0.9}
        for token in decoder.values():
            if draw.random() < 0.3:
                token["lstrip"], token["rstrip"] = draw.random() < 0.5, draw.random() < 0.5
        for i in range(draw.randint(0, 4)):
            token = random_token(draw)
            if draw.random() < 0.3:
                del token["normalized"]
            if token["content"] not in {t["content"] for t in decoder.values()}:
                decoder[str(size + i)] = token
        settings["added_tokens_decoder"] = decoder
    for name in ("bos", "eos", "unk", "pad", "sep"):
        if draw.random() < 0.4:
            settings[name + "_token"] = named(draw, random_token(draw, True))
    for key in ("additional_special_tokens", "extra_special_tokens"):
        if draw.random() < 0.3:
            settings[key] = [named(draw, random_token(draw, True)) for _ in range(draw.randint(0, 3))]
    if draw.random() < 0.1:
        settings["extra_special_tokens"] = {"image_token": draw.choice(NAMES)}
    if draw.random() < 0.1:
        settings["tool_token"] = draw.choice(NAMES)
    if draw.random() < 0.4:
        special = {}
        for name in ("bos", "eos", "pad"):
            if draw.random() < 0.5:
                token = random_token(draw, True)
                del token["special"]
                special[name + "_token"] = draw.choice([token, token["content"]])
        if draw.random() < 0.5:
            special["additional_special_tokens"] = [draw.choice(NAMES) for _ in range(draw.randint(1, 2))]
    if draw.random() < 0.4:
        more = {}
        for _ in range(draw.randint(1, 4)):
            more.setdefault(draw.choice(NAMES), size + len(more) + draw.choice([0, 0, 3]))
    return settings, special, more


counts = collections.Counter()
for number in range(arguments.first, arguments.first + arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    tokenizer, kind = random_tokenizer(draw)
    for token in [random_token(draw) for _ in range(draw.randint(0, 4))]:
        tokenizer.add_tokens([added(token)])
    settings, special, more = beside(draw, tokenizer)
    text = random_text(draw)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        tokenizer.save(str(folder / "tokenizer.json"))
        (folder / "config.json").write_text('{"model_type": "llama"}')
        for name, contents in (("tokenizer_config", settings), ("special_tokens_map", special), ("added_tokens", more)):
            if contents is not None:
                (folder / f"{name}.json").write_text(json.dumps(contents))
        (folder / "text.txt").write_bytes(text.encode("utf-8"))
        try:
            expected = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
        except Exception as error:
            expected = f"{type(error).__name__}: {error}"
        found = ids_of(folder, folder / "text.txt")
        if isinstance(expected, str):
            counts["transformers fails" + ("" if isinstance(found, str) else ", laser reads")] += 1
        elif isinstance(found, str):
            counts["laser refuses"] += 1
            print(f"{number} ({kind}): {found}")
        elif found[0] == expected:
            counts["equal"] += 1
        else:
            counts["DIFFERENT"] += 1
            place = next((i for i, (a, b) in enumerate(zip(found[0], expected)) if a != b), -1)
            print(f"{number} ({kind}) DIFFERS at {place}: {found[0][place:place + 6]} for {expected[place:place + 6]}; "
                  f"{json.dumps([settings, special, more], ensure_ascii=False)}", flush=True)
print(", ".join(f"{value} {key}" for key, value in sorted(counts.items())))
sys.exit(counts["DIFFERENT"] > 0)
