"""Plain fine-tuning of the matrices that filters weigh, on the same text and by the same protocol: what the search text is
worth to a model whose weights may go anywhere.

    python finetune.py MODEL_DIR --text FILE... --held-out FILE... [--roles experts|all] [--rates 3e-5,1e-4,3e-4,1e-3] [--epochs 4]

Adam on batches of 4 windows. Every second window trains, the others judge learning rate and number of epochs; the best pair then trains
anew on all windows. Prints one JSON object: nats per token against the original, judged and held out, with paired errors.
"""
import argparse, json, os, random, time
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
import common

p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
p.add_argument("model"); p.add_argument("--text", nargs="+", required=True); p.add_argument("--held-out", nargs="+", required=True)
p.add_argument("--roles", default="all", choices=["experts", "all"]); p.add_argument("--rates", default="3e-5,1e-4,3e-4,1e-3")
p.add_argument("--epochs", type=int, default=4); p.add_argument("--context", type=int, default=256)
a = p.parse_args()
start = time.perf_counter()
tok = PreTrainedTokenizerFast(tokenizer_file=os.path.join(a.model, "tokenizer.json"))


def windows(files):
    """By file: its tokens in windows, back to back, the incomplete tail dropped."""
    for name in files:
        ids = common.token_ids(tok, open(name, encoding="utf-8").read())
        yield [torch.as_tensor(ids[i:i + a.context]) for i in range(0, len(ids) - a.context + 1, a.context)]


def loss(model, window):
    logits = model(window[None]).logits[0, :-1].float()
    return torch.nn.functional.cross_entropy(logits, window[1:], reduction="sum")


@torch.no_grad()
def scores(model, rows): return [loss(model, w).item() for w in rows]


def change(before, after):
    deltas = [y - x for x, y in zip(before, after)]
    n, mean = len(deltas), sum(deltas) / len(deltas)
    error = (sum((d - mean) ** 2 for d in deltas) / (n - 1) / n) ** 0.5
    return mean / (a.context - 1), error / (a.context - 1)


def train(rows, rate, epochs, after_epoch=lambda model, epoch: None):
    model = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)
    words = [".experts.", ".w1.", ".w2.", ".w3."] + ([".self_attn."] if a.roles == "all" else [])
    for name, parameter in model.named_parameters(): parameter.requires_grad = any(w in name for w in words)
    adam = torch.optim.Adam([q for q in model.parameters() if q.requires_grad], lr=rate)
    draw = random.Random(1)
    for epoch in range(1, epochs + 1):
        order = list(range(len(rows))); draw.shuffle(order)
        for at in range(0, len(order), 4):
            batch = [rows[i] for i in order[at:at + 4]]
            adam.zero_grad()
            (sum(loss(model, w) for w in batch) / (len(batch) * (a.context - 1))).backward()
            adam.step()
        after_epoch(model, epoch)
    return model


text, held = list(windows(a.text)), [w for rows in windows(a.held_out) for w in rows]
fitting = [w for rows in text for w in rows[0::2]]
judging = [w for rows in text for w in rows[1::2]]
original = AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)
judged_before, held_before = scores(original, judging), scores(original, held)
found = []
for rate in map(float, a.rates.split(",")):
    train(fitting, rate, a.epochs, lambda model, epoch: found.append((change(judged_before, scores(model, judging)), rate, epoch)))
(judged, rate, epochs) = min(found)
model = train([w for rows in text for w in rows], rate, epochs)
print(json.dumps({"rate": rate, "epochs": epochs, "judged": judged, "held_out": change(held_before, scores(model, held)),
                  "tried": [[r, e, d[0]] for d, r, e in found], "seconds": time.perf_counter() - start}))
