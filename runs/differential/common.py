"""What the differential runs share: the program, texts, random tokenizers and random models.

LASER in the environment names the program; .build/release/laser of this checkout by default. To be run by an interpreter
with torch, transformers 5, tokenizers and safetensors.
"""
import json, os, pathlib, random, subprocess

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["HF_HUB_OFFLINE"] = "1"
ROOT = pathlib.Path(__file__).resolve().parents[2]
LASER = os.environ.get("LASER", str(ROOT / ".build/release/laser"))
HARD = (ROOT / "Tests/TokenizationTests/Fixtures/hard-cases.txt").read_bytes().decode("utf-8")
PROSE = (ROOT / "runs/posy/text/tales.search.txt").read_text(encoding="utf-8")


def laser(*arguments):
    """The finished run; its output is text."""
    return subprocess.run([LASER, *map(str, arguments)], capture_output=True, text=True)


def ids_of(model, *texts):
    """The ids of some files by `laser tokenize`; a string says why there are none."""
    done = laser("tokenize", model, "--ids", "--json", "--text", *texts)
    if done.returncode:
        return done.stderr.strip()
    return [text["ids"] for text in json.loads(done.stdout)["texts"]]


# Tokenizers --------------------------------------------------------------------------------------------------------

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"


def by_case(number, ending):
    """The expression of tekken and o200k: words end before a capital."""
    upper, lower, before = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]", r"[^\r\n\p{L}\p{N}]?"
    return (f"{before}{upper}*{lower}+{ending}|{before}{upper}+{lower}*{ending}|{number}"
            r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")


DEEPSEEK3 = ("[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
             "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+")
SPLITS = {"llama3": [LLAMA3], "qwen2": [QWEN2], "tekken": [by_case(r"\p{N}", "")],
          "o200k": [by_case(r"\p{N}{1,3}", CONTRACTION + "?")],
          "deepseek-v3": [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3]}
_trained = {}


def byte_level(kind, size):
    """A byte-level BPE whose words are cut in one of the ways that GGUF has names for."""
    digits = pre_tokenizers.Digits(individual_digits=True)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    inner = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    steps = {"gpt-2": plain, "smollm": pre_tokenizers.Sequence([digits, plain])}
    for name, patterns in SPLITS.items():
        steps[name] = pre_tokenizers.Sequence([*(pre_tokenizers.Split(Regex(p), "isolated") for p in patterns), inner])
    key = (kind, size)
    if key not in _trained:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = steps[kind]
        trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                      show_progress=False)
        tokenizer.train_from_iterator([HARD, PROSE], trainer)
        _trained[key] = json.loads(tokenizer.to_str())["model"]
    model = dict(_trained[key])
    model["ignore_merges"] = kind in ("llama3", "tekken")
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": model}))
    tokenizer.pre_tokenizer = steps[kind]
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def pieces(spaces, size, before=None):
    """BPE with a fallback to bytes, SentencePiece's kind.

    spaces: how spaces are marked: "prepend" (Prepend and Replace), or Metaspace's "first", "always", "never".
    before: a pre-tokenizer before Metaspace.
    """
    if size not in _trained:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"▁[^▁]*|[^▁]+"), "isolated")
        special = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
        trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=special, limit_alphabet=200, show_progress=False)
        tokenizer.train_from_iterator([PROSE, HARD], trainer)
        _trained[size] = json.loads(tokenizer.to_str())["model"]
    model = dict(_trained[size]) | {"byte_fallback": True, "fuse_unk": True, "unk_token": "<unk>"}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [], "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
        "model": model}))
    if spaces == "prepend":
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        strip = [decoders.Strip(" ", 1, 0)]
    else:
        meta = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=spaces, split=False)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([before, meta]) if before else meta
        strip = [] if spaces == "never" else [decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *strip])
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in ("<unk>", "<s>", "</s>")])
    return tokenizer


def random_tokenizer(draw):
    """A tokenizer, and a word for its kind."""
    size = draw.choice([500, 700, 1000])
    if draw.random() < 0.5:
        kind = draw.choice(["gpt-2", "smollm", *SPLITS])
        tokenizer = byte_level(kind, size)
        if kind == "qwen2" and draw.random() < 0.5:
            tokenizer.normalizer = normalizers.NFC()
    else:
        kind = draw.choice(["prepend", "first", "always", "never"])
        before = pre_tokenizers.Digits(individual_digits=True) if kind != "prepend" and draw.random() < 0.2 else None
        tokenizer = pieces(kind, size, before)
        kind += " after Digits" if before else ""
    return tokenizer, kind


NAMES = ["<|im_start|>", "<|im_end|>", "<|eot|>", "[INST]", "[/INST]", "<pad>", "<tool>", "of", "the", "<image>", "é", "▁▁"]


def random_token(draw, special=None):
    """An added token with random flags, as tokenizer.json and tokenizer_config.json describe it, without its id."""
    special = draw.random() < 0.6 if special is None else special
    return {"content": draw.choice(NAMES), "single_word": draw.random() < 0.1, "lstrip": draw.random() < 0.2,
            "rstrip": draw.random() < 0.2, "normalized": draw.random() < 0.2, "special": special}


def random_text(draw):
    """Lines of the hard cases with added tokens written among them."""
    lines = HARD.splitlines(keepends=True)
    parts = []
    for _ in range(40):
        parts.append(draw.choice(lines)[: draw.randint(1, 60)])
        parts.append(draw.choice(["", " ", "  ", "\n"]) + draw.choice(NAMES) + draw.choice(["", " ", "  ", "x"]))
    return draw.choice(["", " "]) + "".join(parts)


def rng(seed):
    return random.Random(seed)
