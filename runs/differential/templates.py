#!/usr/bin/env python3
"""Random dialogues through chat templates, by laser and by transformers' own environment of Jinja.

    runs/differential/templates.py TOKENIZER TEMPLATE... [--count 20] [--seed 1]

TOKENIZER is a folder with a tokenizer.json; each TEMPLATE a file, as llama.cpp's sources have many in models/templates.
Every dialogue's ids must be equal, or both must refuse it, or laser must name what it does not support. Python's
strftime_now is taken away: laser has no today's date. Prints a line for each template; the exit status is 1 if anything
differs.
"""
import argparse, json, pathlib, sys, tempfile

from common import ids_of, random_text, rng
from transformers import AutoTokenizer
from transformers.utils.chat_template_utils import _alias_reasoning_fields, _cached_compile_jinja_template

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("tokenizer", type=pathlib.Path)
parser.add_argument("templates", nargs="+", type=pathlib.Path)
parser.add_argument("--count", type=int, default=20)
parser.add_argument("--seed", type=int, default=1)
arguments = parser.parse_args()
tokenizer = AutoTokenizer.from_pretrained(arguments.tokenizer)
NAMES = {"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"}


def dialogue(draw):
    """Messages in turn, now and then with a system's message, reasoning, or turns out of order."""
    def content():
        text = random_text(draw)[:draw.randint(1, 200)].replace("\r", "")
        return draw.choice([text, f"  {text}\n", f"<think>\n{text}\n</think>\n\nYes.", "Yes", text + "\n\n"])
    messages = [{"role": "system", "content": content()}] if draw.random() < 0.4 else []
    for _ in range(draw.randint(1, 3)):
        messages.append({"role": "user", "content": content()})
        messages.append({"role": "assistant", "content": content()})
        if draw.random() < 0.1:
            messages[-1]["reasoning_content"] = content()
    if draw.random() < 0.05:
        draw.shuffle(messages)
    return messages


def expected(template, messages):
    """The ids, or None where the template refuses the messages."""
    compiled = _cached_compile_jinja_template(template)
    environment = compiled.environment
    environment.globals.pop("strftime_now", None)
    try:
        text = environment.from_string(template).render(
            messages=_alias_reasoning_fields(messages), tools=None, documents=None, add_generation_prompt=False, **NAMES)
    except Exception as error:
        return None, str(error)
    return tokenizer.encode(text, add_special_tokens=False), text


bad = 0
for path in arguments.templates:
    template = path.read_text(encoding="utf-8")
    draw, counts, said = rng(arguments.seed), dict(equal=0, refused=0, unsupported=0, different=0), ""
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "tokenizer.json").write_bytes((arguments.tokenizer / "tokenizer.json").read_bytes())
        (folder / "tokenizer_config.json").write_text(json.dumps(
            {"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": template, **NAMES}))
        for number in range(arguments.count):
            messages = dialogue(draw)
            (folder / "dialogue.jsonl").write_text(json.dumps(
                {"messages": [m | {"score": m is messages[-1]} for m in messages]}, ensure_ascii=False) + "\n")
            ids, text = expected(template, messages)
            ours = ids_of(folder, folder / "dialogue.jsonl")
            if isinstance(ours, str):
                # What cannot be scored was written all the same.
                kind = "refused" if ids is None else "unsupported"
                said = ours.split(": ", 2)[-1]
            else:
                kind = "equal" if ids == ours[0] else "different"
                if kind == "different":
                    print(f"{path.name} {number}: {tokenizer.decode(ours[0])!r}\n  instead of {text!r}")
            counts[kind] += 1
    bad += counts["different"]
    print(f"{path.name}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
          + (f" ({said[:150]})" if counts["unsupported"] else ""), flush=True)
sys.exit(1 if bad else 0)
