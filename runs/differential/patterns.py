#!/usr/bin/env python3
"""Random regular expressions and the known ones over random texts, by laser and by Hugging Face tokenizers.

    runs/differential/patterns.py [--count 500] [--seed 1] [--first 0]

Each number is a tokenizer.json whose pre-tokenizer is a Split by a random expression, with a random behaviour and
`invert`, or by one of the well-known expressions, and whose vocabulary has one token for every pair of bytes that occurs
in the text: any cut changes the ids. Laser must give the ids of tokenizers, or refuse the expression by name. An
expression that tokenizers refuses is counted. Prints what differs, and counts; the exit status is 1 if anything differs.
"""
import argparse, collections, json, pathlib, sys, tempfile

from common import CONTRACTION, DEEPSEEK3, HARD, LLAMA3, QWEN2, by_case, ids_of, rng
from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import ByteLevel

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--count", type=int, default=500)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--first", type=int, default=0, help="the number to begin with, to repeat one")
arguments = parser.parse_args()

SCALARS = list("abcABCsStTkKxyz0123456789 \t\n\r'._-/!?")
SCALARS += list("éÉßſıİЯяفЖ的國かカ한²½٣्َ́🙂") + ["\u00a0", "\u3000", "\u2028", "\u212a", "\u0085"]
SETS = [r"\s", r"\S", r"\d", r"\w", r"\W", r"\D", r"\p{L}", r"\p{Lu}", r"\p{Ll}", r"\p{N}", r"\p{P}", r"\p{S}", r"\p{M}",
        r"\P{L}", r"\p{^N}", r"\p{Han}", r"\p{Lo}", r"\h", "."]


def literal(draw):
    scalar = draw.choice(SCALARS)
    if scalar in ".^$*+?()[]{}|\\-":
        return "\\" + scalar
    if draw.random() < 0.1:
        return draw.choice([rf"\x{{{ord(scalar):x}}}", rf"\u{ord(scalar):04x}"]) if ord(scalar) < 0x10000 else scalar
    return {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(scalar, scalar)


def character_class(draw, depth=0):
    parts = []
    for _ in range(draw.randint(1, 4)):
        kind = draw.random()
        if kind < 0.35:
            parts.append(literal(draw))
        elif kind < 0.55:
            low, high = sorted(draw.sample([s for s in SCALARS if s not in "-]["], 2))
            escape = lambda s: "\\" + s if s in ".^$*+?(){}|\\&" else s
            parts.append(f"{escape(low)}-{escape(high)}")
        elif kind < 0.9 or depth > 1:
            parts.append(draw.choice(SETS[:-1]))
        else:
            parts.append(character_class(draw, depth + 1))
    if draw.random() < 0.1:
        parts.append("&&" + character_class(draw, depth + 1))
    return "[" + ("^" if draw.random() < 0.4 else "") + "".join(parts) + "]"


def atom(draw, depth):
    kind = draw.random()
    if kind < 0.35:
        return literal(draw)
    if kind < 0.55:
        return draw.choice(SETS)
    if kind < 0.75:
        return character_class(draw)
    if kind < 0.82 or depth > 2:
        words = ["".join(draw.choice("abdkrtxz'") for _ in range(draw.randint(1, 2))) for _ in range(draw.randint(1, 3))]
        return f"(?i:{'|'.join(words)})"
    if kind < 0.94:
        return draw.choice(["(?:", "(", "(?>"]) + expression(draw, depth + 1) + ")"
    return None


def condition(draw, depth):
    if draw.random() < 0.5:
        return draw.choice(["^", "$", r"\b", r"\B", r"\z", r"\A", r"\Z"])
    if draw.random() < 0.3:
        return draw.choice(["(?<=", "(?<!"]) + draw.choice([literal(draw), draw.choice(SETS)]) + ")"
    return draw.choice(["(?=", "(?!"]) + expression(draw, depth + 1) + ")"


def expression(draw, depth=0):
    branches = []
    for _ in range(draw.choice([1, 1, 1, 2, 2, 3, 5])):
        parts = []
        for _ in range(draw.randint(1, 4)):
            part = atom(draw, depth)
            if part is None:
                parts.append(condition(draw, depth))
                continue
            if draw.random() < 0.5:
                part += draw.choice(["*", "+", "?", "+", "*?", "+?", "??", "*+", "++", "?+", "{2}", "{1,3}", "{2,}", "{,2}",
                                     "{1,2}?"])
            parts.append(part)
        branches.append("".join(parts))
    return "|".join(branches)


KNOWN = [
    r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    LLAMA3, QWEN2, DEEPSEEK3,
    CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+",
    by_case(r"\p{N}", ""), by_case(r"\p{N}{1,3}", CONTRACTION + "?"),
    r"[\p{Han}]+|" + by_case(r"\p{N}{1,3}", "").replace(r"\p{M}]", r"\p{M}&&[^\p{Han}]]"),
    r"\d{1,3}(?=(?:\d{3})*\b)", r"(?=(\d{3})+(?!\d))", r"\s+$", r"(?:\r?\n)+(?!\r?\n)", "[一-龥ࠀ-一가-퟿]+",
    r" ?[^(\s|[.,!?…。，、।۔،])]+", r"[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\s+", r"\s?[!-/:-~！-／：-～‘-‟　-。]+",
]
BEHAVIORS = ["Isolated", "Removed", "MergedWithPrevious", "MergedWithNext", "Contiguous"]
ALPHABET = sorted(ByteLevel.alphabet())


def random_text(draw):
    if draw.random() < 0.5:
        lines = HARD.split("\n")
        start = draw.randrange(len(lines))
        return "\n".join(lines[start:start + draw.randint(1, 12)])[:400]
    return "".join(draw.choice(SCALARS) for _ in range(draw.randint(0, 150)))


def description(draw, text):
    """The tokenizer.json: merges join each pair of bytes that stands together in the text, in a random order."""
    spelled = "".join(piece for piece, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(text))
    pairs = sorted({(a, b) for a, b in zip(spelled, spelled[1:])})
    draw.shuffle(pairs)
    vocabulary = {token: i for i, token in enumerate(ALPHABET)}
    for a, b in pairs:
        vocabulary.setdefault(a + b, len(vocabulary))
    split = {"type": "Split", "pattern": {"Regex": draw.choice(KNOWN) if draw.random() < 0.3 else expression(draw)},
             "behavior": draw.choice(BEHAVIORS), "invert": draw.random() < 0.3}
    if draw.random() < 0.05:
        split["pattern"] = {"String": draw.choice([" ", "a", "..", "1"])}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]}, "post_processor": None,
        "decoder": byte_level,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                  "vocab": vocabulary, "merges": [list(pair) for pair in pairs]}}


counts, refusals = collections.Counter(), collections.Counter()
for number in range(arguments.first, arguments.first + arguments.count):
    draw = rng(arguments.seed * 1_000_003 + number)
    text = random_text(draw)
    file = description(draw, text)
    split = file["pre_tokenizer"]["pretokenizers"][0]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "tokenizer.json").write_text(json.dumps(file))
        (folder / "config.json").write_text('{"model_type": "llama"}')
        (folder / "text.txt").write_bytes(text.encode("utf-8"))
        try:
            expected = Tokenizer.from_str(json.dumps(file)).encode(text).ids
        except BaseException as error:
            expected = f"{type(error).__name__}: {error}"
        found = ids_of(folder, folder / "text.txt")
        if isinstance(expected, str):
            counts["tokenizers refuses" + ("" if isinstance(found, str) else ", laser reads")] += 1
            if not isinstance(found, str):
                print(f"{number}: tokenizers refuses {json.dumps(split, ensure_ascii=False)}: {expected}")
        elif isinstance(found, str):
            counts["laser refuses by name"] += 1
            refusals[found.split(" in the regular expression")[0].split(": ")[-1]] += 1
        elif found[0] == expected:
            counts["equal"] += 1
        else:
            counts["DIFFERENT"] += 1
            place = next((i for i, (a, b) in enumerate(zip(found[0], expected)) if a != b), -1)
            print(f"{number} DIFFERS at {place}: {json.dumps(split, ensure_ascii=False)} on {text!r}", flush=True)
print(", ".join(f"{value} {key}" for key, value in sorted(counts.items())))
for reason, count in refusals.most_common():
    print(f"  {count} {reason}")
sys.exit(counts["DIFFERENT"] > 0)
