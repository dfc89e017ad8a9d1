#!/usr/bin/env python3
"""Makes uncut.json and patterns.expected.json: how the tokenizers of well-known models cut words.

    python make_pattern_fixtures.py TEXT

Normalizer, pre-tokenizer and model options are those of the models' own tokenizer.json. The vocabulary is not: it is
trained here without any cutting, on the very texts, so that nearly every cut changes the ids. Made with tokenizers
0.23.3 from the first text of the posy corpus.
"""

import json
import pathlib
import sys

from make_fixtures import CASES, HARD_CASES, HERE, fingerprint, write
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

TEXTS = CASES + [
    "camelCase XMLHttpRequest iPhone McDonald's ÉcoleÀParis СловоСлово ΑβΓδ ǅungla ʰh", "don'T I'LL we'RE it'ſ They'Dx'tis",
    "हिन्दी में नमस्ते, বাংলা ভাষা ไทยแลนด์", "x/y//z/\n/ a/\r\n//", "1234567 12,345,678.9 1,234.5x 100000000000",
    "￥100、「かな」カナ漢字ㄅㄆ。Ａｂｃ１２３", "²³ ½x ¼ x²", "a\u0301B\u0301c\u0301 \u0301x", "foo.bar(baz)!qux #tag @me $x _y `z`",
    "\r\n\r\n\n  x \n ", "tail  \n  ", "a\t\tb \t c\u00a0d\u3000e\u2028f", "١٢٣٤٥٦٧ 一二三四 Ⅻ", "{\"a\": [1, 22, 333, 4444]}",
    "한국어abc漢字かなDEF", "end.\n\n\nNext!!\r\n\r\n?!\n", "\u0085x\u0085", "🙂🙂 ©® ∑x±1 →→ a→b", "l'été d'où 'tis 'Twas rock'n'roll",
]

CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
MODERN = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
QWEN35 = CONTRACTION + (
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def by_case(number, ending, han=""):
    """tekken's and o200k's."""
    upper, lower = rf"[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}{han}]", rf"[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}{han}]"
    before = r"[^\r\n\p{L}\p{N}]?"
    return (
        f"{before}{upper}*{lower}+{ending}|{before}{upper}+{lower}*{ending}|{number}"
        r"| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
    )


CASED = (
    "A-Za-zµÀ-ÖØ-öø-ƺƼ-ƿǄ-ʓʕ-ʯͰ-ͳͶͷͻ-ͽͿΆΈ-ΊΌΎ-ΡΣ-ϵϷ-ҁҊ-ԯԱ-ՖႠ-ჅᎠ-Ᏽᏸ-ᏽᲐ-ᲺᲽ-Ჿᴀ-ᴫᵫ-ᵷᵹ-ᶚḀ-ἕἘ-Ἕἠ-ὅὈ-Ὅὐ-ὗὙὛὝὟ-ώᾀ"
    "-ᾴᾶ-ᾼιῂ-ῄῆ-ῌῐ-ΐῖ-Ίῠ-Ῥῲ-ῴῶ-ῼℂℇℊ-ℓℕℙ-ℝℤΩℨK-ℭℯ-ℴℹℼ-ℿⅅ-ⅉⅎↃↄⰀ-ⱻⱾ-ⳤⳫ-ⳮⳲⳳꙀ-ꙭꚀ-ꚛꜢ-ꝯꝱ-ꞇꞋ-ꞎꭰ-ꮿﬀ-ﬆﬓ-ﬗＡ-Ｚａ-ｚ𐐀-𐑏𐒰"
    "-𐓓𐓘-𐓻𐲀-𐲲𐳀-𐳲𑢠-𑣟𞤀-𞥃"
)


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def byte_level(use_regex=False):
    return {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": use_regex}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


DIGITS = {"type": "Digits", "individual_digits": True}
NFC = {"type": "NFC"}
SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}

# Pre-tokenizer, normalizer, ignore_merges, and the file that has the vocabulary.
KINDS = {
    "tekken": (sequence(split(by_case(r"\p{N}", "")), byte_level()), None, True, "uncut"),
    "o200k": (sequence(split(by_case(r"\p{N}{1,3}", CONTRACTION + "?")), byte_level()), None, False, "uncut"),
    "phi-4": (sequence(split(CL100K % "{1,3}", "Removed", True), byte_level()), None, False, "uncut"),
    "bailing": (sequence(split(CL100K % ""), byte_level()), None, False, "uncut"),
    "glm4": (sequence(split(MODERN % "{1,3}"), byte_level()), None, True, "uncut"),
    "qwen3.5": (sequence(split(QWEN35), byte_level()), NFC, False, "uncut"),
    "deepseek-v3": (
        sequence(
            split(r"\p{N}{1,3}"),
            split("[一-龥\u3040-ゟ゠-ヿ]+"),
            split(
                "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
                "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
            ),
            byte_level(),
        ), None, False, "uncut",
    ),
    "deepseek-llm": (
        sequence(
            split("[\r\n]"), split(rf"\s?[{CASED}]+"), split(r"\s?[!-/:-~！-／：-～‘-‟　-。]+"), split(r"\s+$"),
            split("[一-龥ࠀ-一가-퟿]+"), DIGITS, byte_level(),
        ), None, False, "uncut",
    ),
    "command-r": (sequence(DIGITS, byte_level(True)), NFC, False, "uncut"),
    "tiny-aya": (
        sequence(split(r"\d{1,3}(?=(?:\d{3})*\b)"), split(by_case(r"\p{N}{1,3}", CONTRACTION + "?")), byte_level()),
        None, False, "uncut",
    ),
    "superbpe": (sequence(split(r"\p{N}+"), split(r"(?=(\d{3})+(?!\d))"), byte_level()), None, False, "uncut"),
    "bloom": (sequence(split(r" ?[^(\s|[.,!?…。，、।۔،])]+"), byte_level()), None, False, "uncut"),
    "seed-coder": (
        sequence(
            split(
                CONTRACTION + "|[^\r\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1}| ?[^\\s\\p{L}\\p{N}\r\n]+|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"
            ),
            byte_level(),
        ), None, False, "uncut",
    ),
    "exaone": (
        sequence(
            split(
                CONTRACTION + r"|[^\r\n\p{L}\p{N}]?(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]?"
                r"|\s*[\r\n]|\s+(?!\S)|\s+"
            ),
            byte_level(),
        ), None, False, "uncut",
    ),
    "kimi": (
        sequence(split(r"[\p{Han}]+|" + by_case(r"\p{N}{1,3}", CONTRACTION + "?", r"&&[^\p{Han}]")), byte_level()),
        None, False, "uncut",
    ),
    "laguna": (
        sequence(split(r"(?:\r?\n)+(?!\r?\n)", "MergedWithNext"), split(MODERN % ""), byte_level()), None, False, "uncut",
    ),
    "gemma": (split(" ", "MergedWithPrevious", kind="String"), SPACES, False, "prepend"),
    "gemma-uncut": (None, SPACES, False, "prepend"),
}


def uncut(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False, max_token_length=8
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def main():
    text = pathlib.Path(sys.argv[1]).read_text(encoding="utf-8")[:20_000]
    (HERE / "uncut.json").write_text(uncut(TEXTS + HARD_CASES.split("\n") + [text]).to_str(), encoding="utf-8")
    kinds = {}
    for name, (pre_tokenizer, normalizer, ignore_merges, base) in KINDS.items():
        description = json.loads((HERE / f"{base}.json").read_text(encoding="utf-8"))
        description |= {"pre_tokenizer": pre_tokenizer, "normalizer": normalizer}
        description["model"]["ignore_merges"] = ignore_merges
        tokenizer = Tokenizer.from_str(json.dumps(description))
        kinds[name] = {
            "vocabulary": base, "pre_tokenizer": pre_tokenizer, "normalizer": normalizer, "ignore_merges": ignore_merges,
            "texts": [fingerprint(tokenizer.encode(text).ids)["fnv1a"] for text in TEXTS],
            "hard": fingerprint(tokenizer.encode(HARD_CASES).ids),
        }
    write("patterns.expected", {"texts": TEXTS, "kinds": kinds})


if __name__ == "__main__":
    main()
