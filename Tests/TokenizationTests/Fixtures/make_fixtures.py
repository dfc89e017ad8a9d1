"""Makes the tokenizers and the expected ids in this folder.

    python make_fixtures.py TEXT...

trains small tokenizers on the texts and records what Hugging Face tokenizers, and SentencePiece for its own model,
answer for the cases below and for hard-cases.txt. The files here were made with tokenizers 0.23.3, sentencepiece 0.2.3
and Python 3.11 from the eight texts of the posy corpus, in the order of their names.
"""

import io
import json
import pathlib
import sys

import sentencepiece
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
HARD_CASES = (HERE / "hard-cases.txt").read_bytes().decode("utf-8")

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


MODERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def by_pattern(tokenizer, pattern, normalizer=None, ignore_merges=False, before=None):
    """The byte-level vocabulary behind a pattern of its own, as Llama 3 and Qwen2 have it."""
    description = json.loads(tokenizer.to_str())
    description["model"]["ignore_merges"] = ignore_merges
    tokenizer = Tokenizer.from_str(json.dumps(description))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    if normalizer:
        tokenizer.normalizer = normalizer
    steps = [processors.ByteLevel(trim_offsets=False)]
    if before:
        steps.append(processors.TemplateProcessing(single=f"{before[0]} $A", special_tokens=[before]))
    tokenizer.post_processor = processors.Sequence(steps)
    return tokenizer


def all_characters():
    """Characters of every kind that normalization knows, alone and among marks."""
    blocks = [(0x80, 0x3100), (0xA600, 0xAC20), (0xD780, 0xD7B0), (0xF900, 0x10000), (0x1D100, 0x1F300), (0x2F800, 0x2FA20)]
    codes = [code for first, end in blocks for code in range(first, end)]
    return " ".join(f"{chr(code)}\u0323\u0301\u0334" for code in codes)


def fingerprint(numbers):
    """FNV-1a over the numbers as 32-bit words."""
    value = 0xCBF29CE484222325
    for number in numbers:
        value = (value ^ number) * 0x100000001B3 % 2**64
    return {"count": len(numbers), "fnv1a": f"{value:016x}"}


def piece_model(texts):
    """SentencePiece's model, and what SentencePiece answers."""
    file = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line for text in texts for line in text.split("\n") if line),
        model_writer=file, model_type="bpe", vocab_size=700, byte_fallback=True, character_coverage=0.999,
        normalization_rule_name="identity", remove_extra_whitespaces=False, split_digits=True,
        allow_whitespace_only_pieces=True, control_symbols=["<pause>"], user_defined_symbols=["<left>", "▁▁▁", "ough"],
        num_threads=1, minloglevel=2,
    )
    (HERE / "pieces.model").write_bytes(file.getvalue())
    model = sentencepiece.SentencePieceProcessor(model_proto=file.getvalue())
    pieces = []
    for index in range(model.get_piece_size()):
        kinds = [model.is_unknown, model.is_control, None, model.is_unused, model.is_byte]
        kind = next((number for number, test in enumerate(kinds, 2) if test and test(index)), 1)
        if model.id_to_piece(index) in ("<left>", "▁▁▁", "ough"):
            kind = 4
        pieces.append([model.id_to_piece(index), model.get_score(index), kind])
    # Control symbols in a text are symbols to transformers and characters to SentencePiece.
    cases = [text for text in CASES if "<s>" not in text and "</s>" not in text and "<unk>" not in text]
    write(
        "pieces.expected",
        {
            "pieces": pieces,
            "cases": [
                {"text": text, "ids": model.encode(text), "decoded": model.decode(model.encode(text))}
                for text in cases + ["through tough  enough", "a   b    c", "<left>a <left>  b"]
            ],
            "hard": fingerprint(model.encode(HARD_CASES)),
        },
    )


def write(name, value):
    (HERE / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


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
        "llama3": by_pattern(by_bytes, MODERN % "{1,3}", ignore_merges=True, before=("<|endoftext|>", 0)),
        "qwen2": by_pattern(by_bytes, MODERN % "", normalizers.NFC()),
    }
    hard = {}
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
        write(f"{name}.expected", expected)
        hard[name] = fingerprint(tokenizer.encode(HARD_CASES).ids)
    write("hard-cases.expected", hard)
    forms = {}
    for form in ["NFC", "NFD", "NFKC", "NFKD"]:
        normalized = getattr(normalizers, form)().normalize_str(all_characters())
        forms[form] = fingerprint(by_bytes.encode(normalized).ids)
    write("normalization.expected", forms)
    piece_model(texts)


if __name__ == "__main__":
    main()
