"""Makes the tokenizers and the expected ids in this folder.

    python make_fixtures.py TEXT...

trains small tokenizers on the texts and records what Hugging Face tokenizers answers for the hard cases below.
The files here were made with tokenizers 0.23.3 and Python 3.11 from the eight texts of the posy corpus, in the order
of their names.
"""

import json
import pathlib
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent

CASES = [
    "", " ", "  ", "▁", "▁▁ ▁", "a▁b", " ▁ a", "\n", "\r\n", "a\r\nb", "\t\t\tx", "x" * 100, " " * 70, "\n" * 40,
    "a b  c   d    e\t\tf \t g\n \n  h", "The quick brown fox, who was not quick, sat down to read.",
    "I'm you're he's we'll they'd I've can't 'S 'LL ''s ' s", "1234567890", "3.14159e-10", " 1 2  3   4",
    "٠١٢٣ ۱۲۳ ½ ² Ⅻ 一二三 ๑๒๓ 𝟘𝟙", "½a a½ 1½", "cafe\u0301 caf\u00e9 \u1ea5 a\u0302\u0301 Å Å Ω Ω K K",
    "👨‍👩‍👧‍👦 👍🏽 🇫🇷 ❤️", "\u200b\u200c\u200d\u2060\ufeff", "\u0000\u0001\u001f\u007f\u0085\u00a0\u2028\u2029\u3000",
    "日本語のテキスト。中文文本，한국어 텍스트", "שלום مرحبا हिन्दी ไทย", "<s>", "</s>", "<s>a</s>", "a <s> b </s> c", "x<unk>y",
    "<|endoftext|>", "a<|endoftext|>b", "<s", "<s><s> <s>", "<0x41><0x0A>", "  leading", "trailing  ", "\n\nend\n\n\n",
    "def f(x):\n    return x ** 2  # comment\n", "the\u00a0cat\u00a0sat", "a \nb", "a\n b", "a \n\n b", "\U0010ffff \ufffd",
    "a <mask> b<mask>", "left  <left>\n<left>x", "right<right>  \n x<right> y", "word words <word> a<word> <word>",
    "Sum summary Sum", "<mask><maskfull>", "_<word>_ -<word>- é<word>",
]


def special(*contents):
    return [AddedToken(content, normalized=False, special=True) for content in contents]


def byte_level(texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=600,
            special_tokens=special("<|endoftext|>"),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    return tokenizer


def byte_level_with_prefix(tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.post_processor = processors.RobertaProcessing(("<|endoftext|>", 0), ("!", 1))
    return tokenizer


def metaspace(texts):
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    byte_tokens = [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=750,
            special_tokens=special("<unk>", "<s>", "</s>", *byte_tokens),
            show_progress=False,
        ),
    )
    description = json.loads(tokenizer.to_str())
    description["added_tokens"] = description["added_tokens"][:3]
    return Tokenizer.from_str(json.dumps(description))


def prepend(tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    description = json.loads(tokenizer.to_str())
    description["pre_tokenizer"] = None
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def added_tokens(tokenizer):
    tokenizer = Tokenizer.from_str(tokenizer.to_str())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, normalized=False)])
    tokenizer.add_tokens(
        [
            AddedToken("<maskfull>", normalized=False),
            AddedToken("<left>", lstrip=True, normalized=False),
            AddedToken("<right>", rstrip=True, normalized=False),
            AddedToken("<word>", single_word=True, normalized=False),
            AddedToken("Sum", single_word=True, normalized=True),
        ]
    )
    return tokenizer


def main():
    texts = [pathlib.Path(name).read_text(encoding="utf-8") for name in sys.argv[1:]]
    by_bytes = byte_level(texts)
    by_metaspace = metaspace(texts)
    tokenizers = {
        "byte-level": by_bytes,
        "byte-level-prefix": byte_level_with_prefix(by_bytes),
        "metaspace": by_metaspace,
        "prepend": prepend(by_metaspace),
        "added-tokens": added_tokens(by_metaspace),
    }
    cases = CASES + [texts[0][:1500]]
    for name, tokenizer in tokenizers.items():
        (HERE / f"{name}.json").write_text(tokenizer.to_str(), encoding="utf-8")
        expected = []
        for text in cases:
            ids = tokenizer.encode(text).ids
            expected.append(
                {
                    "text": text,
                    "ids": ids,
                    "ids_without_special": tokenizer.encode(text, add_special_tokens=False).ids,
                    "decoded": tokenizer.decode(ids, skip_special_tokens=False),
                    "decoded_without_special": tokenizer.decode(ids, skip_special_tokens=True),
                }
            )
        (HERE / f"{name}.expected.json").write_text(
            json.dumps(expected, ensure_ascii=False, separators=(",", ":")), encoding="utf-8"
        )


main()
