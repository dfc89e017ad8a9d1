#!/usr/bin/env python3
"""Makes Sources/Tokenization/Pattern/CategoryTable.swift: the general category of every scalar, as the regular
expressions of Hugging Face tokenizers know them (Oniguruma's tables).

    python make_category_table.py

Run with tokenizers 0.23.3. Also prints how the classes \\s, \\d, \\w and \\p{Han} differ from what
`ScalarSet+Properties.swift` makes of the categories: nothing, if that file is right.
"""

import pathlib

from tokenizers import Regex, pre_tokenizers

OUTPUT = pathlib.Path(__file__).parents[3] / "Sources/Tokenization/Pattern/CategoryTable.swift"
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn".split()
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"
SCALARS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def members(expression):
    """The scalars that the expression matches, found by removing all others."""
    split = pre_tokenizers.Split(Regex(expression), behavior="removed", invert=True)
    found = set()
    for start in range(0, len(SCALARS), 4096):
        text = "".join(map(chr, SCALARS[start:start + 4096]))
        for piece, _ in split.pre_tokenize_str(text):
            found.update(map(ord, piece))
    return found


def main():
    category = {code: "Cs" for code in range(0xD800, 0xE000)}
    for name in CATEGORIES:
        if name == "Cs":
            continue
        for code in members(rf"\p{{{name}}}"):
            assert code not in category, (name, code)
            category[code] = name
    assert len(category) == 0x110000
    runs = []
    for code in range(0x110000):
        letter = LETTERS[CATEGORIES.index(category[code])]
        if runs and runs[-1][0] == letter:
            runs[-1][1] += 1
        else:
            runs.append([letter, 1])
    words = "".join(letter + (str(count) if count > 1 else "") for letter, count in runs)
    lines = [words[start:start + 112] for start in range(0, len(words), 112)]
    text = "\n".join(f"    {line}\\" for line in lines[:-1]) + f"\n    {lines[-1]}"
    OUTPUT.write_text(f'''/// The general categories of all Unicode scalars, as Oniguruma has them in Hugging Face tokenizers 0.23.3 (Unicode 16).
///
/// Made by Tests/TokenizationTests/Fixtures/make_category_table.py.
enum CategoryTable {{
  /// In the order of the letters of `runs`: A to Z, then a to d.
  static let names = [
    {", ".join(f'"{name}"' for name in CATEGORIES[:15])},
    {", ".join(f'"{name}"' for name in CATEGORIES[15:])},
  ]

  /// Runs of scalars from U+0000 on: a letter for the category, and how many, if more than one.
  static let runs = """
{text}
    """
}}
''', encoding="utf-8")
    print(len(runs), "runs,", len(words), "characters")

    def of(*names):
        return {code for code, name in category.items() if name in names or name[0] in names} - set(range(0xD800, 0xE000))

    def difference(title, expected, expression):
        found = members(expression)
        for label, codes in (("more", found - expected), ("fewer", expected - found)):
            ranges = []
            for code in sorted(codes):
                if ranges and ranges[-1][1] == code - 1:
                    ranges[-1][1] = code
                else:
                    ranges.append([code, code])
            print(title, label, ", ".join(f"0x{a:X}...0x{b:X}" for a, b in ranges))

    difference(r"\d", of("Nd"), r"\d")
    difference(r"\s", of("Z") | set(range(9, 14)) | {0x85}, r"\s")
    difference(r"\w", of("L", "M", "Nd", "Nl", "Pc"), r"\w")
    difference(r"\p{Han}", set(), r"\p{Han}")


main()
