"""Writes Sources/Tokenization/NormalizationTables.swift: how Hugging Face tokenizers decomposes characters.

    python make_normalization_tables.py

Its normalizers know an older Unicode (combining classes of 9.0) than Swift and Python, so they are asked for every
code point. The file was made with tokenizers 0.23.3.
"""

import pathlib

from tokenizers import normalizers

OUT = pathlib.Path(__file__).parents[3] / "Sources" / "Tokenization" / "NormalizationTables.swift"
nfc, nfd, nfkd = (getattr(normalizers, form)().normalize_str for form in ("NFC", "NFD", "NFKD"))


def entries(decompositions):
    """`code:d.d`, with `!` behind what does not compose again; `first-last:d` for a run onto neighbouring characters."""
    result, codes = [], sorted(decompositions)
    while codes:
        first = last = codes.pop(0)
        parts, suffix = decompositions[first]
        if len(parts) == 1:
            while codes and codes[0] == last + 1 and decompositions[codes[0]] == ([parts[0] + codes[0] - first], suffix):
                last = codes.pop(0)
        span = f"{first:X}" if first == last else f"{first:X}-{last:X}"
        result.append(f"{span}:{'.'.join(f'{part:X}' for part in parts)}{suffix}")
    return result


def literal(name, comment, items):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) > 110:
            lines.append(line + " \\")
            line = ""
        line += (" " if line else "") + item
    body = "\n".join("    " + text for text in [*lines, line])
    return f'  /// {comment}\n  static let {name} = """\n{body}\n    """\n'


canonical, compatibility = {}, {}
for code in range(0x110000):
    # Surrogates are no characters; Hangul syllables are computed.
    if 0xD800 <= code < 0xE000 or 0xAC00 <= code < 0xD7A4:
        continue
    character = chr(code)
    decomposed, expanded = nfd(character), nfkd(character)
    if decomposed != character:
        parts = [ord(part) for part in decomposed]
        canonical[code] = (parts, "" if len(parts) == 1 or nfc(character) == character else "!")
    if expanded != decomposed:
        compatibility[code] = ([ord(part) for part in expanded], "")

OUT.write_text(
    "// Made by Tests/TokenizationTests/Fixtures/make_normalization_tables.py.\n\n"
    "/// Full decompositions as Hugging Face tokenizers knows them, in hexadecimal: `C0:41.300` decomposes U+00C0, "
    "`!` forbids\n/// to compose it again, `FF21-FF3A:41` maps a run onto another.\n"
    "enum NormalizationTables {\n"
    + literal("canonical", "Of NFD.", entries(canonical))
    + "\n"
    + literal("compatibility", "Of NFKD, where NFD differs.", entries(compatibility))
    + "}\n"
)
