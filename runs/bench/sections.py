"""What `bench.py all` measures, section by section, and the targets. A section yields rows of the table of results, and
texts that belong below it. One that lacks what it needs raises Skipped."""
import json, os, sys

import contenders
import growth as growing
from contenders import (laser_apply, laser_perplexity, laser_spectrum, laser_tokenize, llama_perplexity, tokenizers_encode,
                        torch_svd, transformers_perplexity)
from measuring import HERE, REPOSITORY, in_turn, median, run, times_as_fast
from tables import Row, contenders_table, profile_table

POSY = os.path.join(REPOSITORY, "runs", "posy", "model")


class Skipped(Exception):
    pass


def needed(what, option):
    if not what:
        raise Skipped(f"needs {option}")
    return what


def model(setup, name):
    folder = os.path.join(needed(setup.models, "--models"), name)
    if not os.path.exists(os.path.join(folder, "config.json")):
        raise Skipped(f"no {folder}")
    return folder


def posy_texts(part="search"):
    folder = os.path.join(REPOSITORY, "runs", "posy", "text")
    return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(f".{part}.txt"))


def beginning(setup, size, name):
    """So many bytes of the text, whole characters, as a file."""
    path = os.path.join(setup.scratch, name)
    with open(setup.text, "rb") as source, open(path, "wb") as target:
        target.write(source.read(size).decode(errors="ignore").encode())
    return path


def seconds(results):
    return f"{median(results):.2f} s"


def megabytes(results):
    return f"{median(results, 'memory'):,.0f} MB"


def beside_transformers(setup, label, folder, texts, context, targets=(None, None)):
    """laser and transformers on the same texts, float32 and bf16."""
    python = setup.peer_python
    runs = {f"laser {precision}": lambda precision=precision: laser_perplexity(folder, texts, context, precision)
            for precision in ("float32", "bf16")}
    if python:
        runs |= {f"transformers {name}": lambda dtype=dtype: transformers_perplexity(python, folder, texts, context, dtype)
                 for name, dtype in (("float32", "float32"), ("bf16", "bfloat16"))}
    results = in_turn(runs, setup.runs)
    yield f"### Perplexity, {label}\n\n{contenders_table(results)}"
    for precision, target in zip(("float32", "bf16"), targets):
        ours, peer = results[f"laser {precision}"], results.get(f"transformers {precision}")
        if peer:
            yield Row(f"perplexity, {label}, {precision}, transformers", seconds(ours), seconds(peer), times_as_fast(ours, peer), target)
            yield Row(f"peak memory of that", megabytes(ours), megabytes(peer), 1 / times_as_fast(peer, ours, "memory"))


def shares_of_peak(folder, texts, context):
    """A profiled run in each precision. The whole is by the clock: products' operations over seconds, threads and peak."""
    profiles, wholes = {}, {}
    for precision in ("float32", "bf16"):
        found = laser_perplexity(folder, texts, context, precision, more=["--profile"])
        profile = profiles[precision] = found["profile"]
        operations = sum(stage["seconds"] * stage["gflops"] for stage in profile["stages"])
        wholes[precision] = operations / (found["seconds"] * os.cpu_count() * profile["peak_gflops"])
    return profiles, wholes


def profiled(label, folder, texts, context, target=None):
    profiles, wholes = shares_of_peak(folder, texts, context)
    for precision, profile in profiles.items():
        peak = f"{profile['peak_gflops']:.0f} GFLOP/s a thread"
        experts = next((stage for stage in profile["stages"] if stage["stage"] == "experts"), None)
        if experts:
            share = experts["gflops"] / profile["peak_gflops"]
            yield Row(f"GEMM peak, {label}, {precision}, experts", f"{experts['gflops']:.0f}", peak, share, target)
        yield Row(f"GEMM peak, {label}, {precision}, all by the clock", f"{wholes[precision] * profile['peak_gflops']:.0f}", peak, wholes[precision], target)
    yield f"### Share of the GEMM peak, {label}\n\n{profile_table(profiles)}"


def posy(setup):
    yield from beside_transformers(setup, "posy", POSY, posy_texts(), 256)
    yield from profiled("posy", POSY, posy_texts(), 256)


def smollm2_135m(setup):
    folder, text = model(setup, "smollm2-135m"), beginning(setup, 30000, "30k.txt")
    yield from beside_transformers(setup, "smollm2-135m", folder, [text], 512)


def smollm2_4x135m(setup):
    folder, text = model(setup, "smollm2-4x135m"), beginning(setup, 30000, "30k.txt")
    yield from beside_transformers(setup, "smollm2-4x135m", folder, [text], 512, targets=(2.5, 1.5))
    yield from profiled("smollm2-4x135m", folder, [text], 512)


def mixtral(setup):
    """Layers of Mixtral's shape. The vocabulary is the tokenizer's, so that layers are what is measured."""
    folder, text = os.path.join(setup.scratch, "mixtral"), beginning(setup, setup.mixtral_bytes, "mixtral.txt")
    label = f"{setup.mixtral_layers} synthetic Mixtral layers"
    run([contenders.laser, "synthesize", "--out", folder, "--layers", setup.mixtral_layers, "--vocabulary", 2048, "--tokenizer", POSY,
         "--force", "--quiet"])
    try:
        yield from beside_transformers(setup, label, folder, [text], 512, targets=(2.0, 1.0))
        yield from profiled(label, folder, [text], 512, target=0.75)
    finally:
        run(["rm", "-r", folder])


def llama(setup):
    """The same GGUF files by laser and by llama.cpp's perplexity tool, counted as the tool counts."""
    folder, text = model(setup, "smollm2-135m"), beginning(setup, 30000, "30k.txt")
    program = needed(setup.llama_perplexity, "--llama-perplexity")
    files = {type: os.path.join(setup.scratch, f"{type}.gguf") for type in ("f16", "bf16")}
    for type, file in files.items():
        run([contenders.laser, "convert", folder, "--out", file, "--type", type, "--force", "--quiet"])
    results = in_turn({
        "laser float32, F16 file": lambda: laser_perplexity(files["f16"], [text], 512, "float32", "llama.cpp"),
        "laser bf16, BF16 file": lambda: laser_perplexity(files["bf16"], [text], 512, "bf16", "llama.cpp"),
        "llama.cpp, F16 file": lambda: llama_perplexity(program, files["f16"], text, 512),
        "llama.cpp, BF16 file": lambda: llama_perplexity(program, files["bf16"], text, 512),
    }, setup.runs)
    yield f"### Perplexity, smollm2-135m, llama.cpp's convention\n\n{contenders_table(results)}"
    pairs = [("laser float32, F16 file", "llama.cpp, F16 file"), ("laser bf16, BF16 file", "llama.cpp, BF16 file")]
    for ours, peer in pairs:
        apart = abs(results[ours][0]["nll"] - results[peer][0]["nll"])
        if apart > 0.005:
            print(f"bench.py: {ours} and {peer} are {apart:.4f} nats apart: they do not compute the same", file=sys.stderr)
        yield Row(f"perplexity, smollm2-135m, {ours}, llama.cpp", seconds(results[ours]), seconds(results[peer]), times_as_fast(results[ours], results[peer]))
    ours, peer = (min((results[pair[side]] for pair in pairs), key=median) for side in (0, 1))
    yield Row("the faster of each", seconds(ours), seconds(peer), times_as_fast(ours, peer))
    # Only so is it the same work: the softmax that the tool's own time leaves out is in ours.
    whole = [f"{median(result, 'whole'):.2f} s" for result in (ours, peer)]
    yield Row("the faster of each, whole programs", *whole, times_as_fast(ours, peer, "whole"), 1.5)


def decomposition(setup):
    """One matrix of Mixtral's w1. torch decomposes as large a random one."""
    rows, columns, python = setup.rows, setup.columns, setup.peer_python
    folder, out = os.path.join(setup.scratch, "one"), os.path.join(setup.scratch, "reduced")
    heads, full_rank = max(1, columns // 128), min(rows, columns)
    run([contenders.laser, "synthesize", "--out", folder, "--layers", 1, "--hidden", columns, "--intermediate", rows, "--experts", 1,
         "--experts-per-token", 1, "--heads", heads, "--kv-heads", heads, "--vocabulary", 16, "--force", "--quiet"])
    contestants = {
        "laser spectrum": lambda: laser_spectrum(folder),
        "laser apply, half the rank": lambda: laser_apply(folder, out, full_rank // 2, full_rank),
    }
    if python:
        contestants["torch.linalg.svd float64"] = lambda: torch_svd(python, rows, columns)
    results = in_turn(contestants, setup.runs)
    yield f"### Decomposition, {rows} × {columns}\n\n{contenders_table(results)}"
    peer = results.get("torch.linalg.svd float64")
    for name, target in (("laser spectrum", 4.0), ("laser apply, half the rank", None)):
        if peer:
            yield Row(f"decomposition, {rows} × {columns}, {name}", seconds(results[name]), seconds(peer), times_as_fast(results[name], peer), target)
            yield Row("peak memory of that", megabytes(results[name]), megabytes(peer), 1 / times_as_fast(peer, results[name], "memory"))


def loading(setup):
    """Whole processes on a text of a window or two."""
    python, text = needed(setup.peer_python, "--peer-python"), beginning(setup, 2600, "short.txt")
    for label, folder in (("posy", lambda: POSY), ("smollm2-4x135m", lambda: model(setup, "smollm2-4x135m"))):
        try:
            folder = folder()
        except Skipped as reason:
            print(f"  {label} left out: {reason}", file=sys.stderr)
            continue

        def ours_once():
            result = laser_perplexity(folder, [text], 512, "float32")
            return result | {"seconds": result["whole"]}

        def peer_once():
            result = transformers_perplexity(python, folder, [text], 512, "float32", warm=False)
            return result | {"seconds": result["whole"], "imported": result["load"] + result["seconds"]}

        results = in_turn({"laser": ours_once, "transformers": peer_once}, setup.runs)
        ours, peer = results["laser"], results["transformers"]
        yield Row(f"start, load and one window, {label}", seconds(ours), seconds(peer), times_as_fast(ours, peer))
        imported = [result | {"seconds": result["imported"]} for result in peer]
        yield Row("the same without the peer's start and imports", seconds(ours), seconds(imported), times_as_fast(ours, imported))


def tokenizing(setup):
    """One core; reading the tokenizer is not counted."""
    python = needed(setup.peer_python, "--peer-python")
    size = os.path.getsize(setup.text) / 1e6
    for label, folder in (("posy", lambda: POSY), ("smollm2-135m", lambda: model(setup, "smollm2-135m"))):
        try:
            folder = folder()
        except Skipped as reason:
            print(f"  {label} left out: {reason}", file=sys.stderr)
            continue
        results = in_turn({"laser": lambda: laser_tokenize(folder, setup.text),
                           "tokenizers": lambda: tokenizers_encode(python, folder, setup.text)}, setup.runs)
        ours, peer = results["laser"], results["tokenizers"]
        if ours[0]["tokens"] != peer[0]["tokens"]:
            print(f"bench.py: {label} has {ours[0]['tokens']} tokens for laser, {peer[0]['tokens']} for tokenizers", file=sys.stderr)
        yield Row(f"tokenizing {size:.1f} MB, {label}", f"{size / median(ours):.1f} MB/s", f"{size / median(peer):.1f} MB/s", times_as_fast(ours, peer))


def search(setup):
    """The search of posy and brute force, once; minutes."""
    python = needed(setup.peer_python, "--peer-python")
    result = run([sys.executable, os.path.join(HERE, "search.py"), POSY, "--text", *posy_texts(), "--held-out", *posy_texts("heldout"),
                  "--peer-python", python, "--laser", contenders.laser, "--scratch", os.path.join(setup.scratch, "search"), "--json"])
    found = json.loads(result["output"])
    peer = found["brute_force"]
    for name, key in (("laser search", "laser"), ("laser search, exhaustive, any decrease", "exhaustive")):
        ours = found[key]
        yield Row(f"search, posy, {name}, brute force", f"{ours:.1f} s", f"{peer:.1f} s", peer / ours)
    yield f"### Search\n\n{found['table']}"


def growth(setup):
    yield growing.report(setup.scratch, setup.runs, setup.growth_svg)


# In the order in which they run; the long ones last.
ALL = {"posy": posy, "smollm2-135m": smollm2_135m, "llama": llama, "smollm2-4x135m": smollm2_4x135m, "mixtral": mixtral,
       "decomposition": decomposition, "loading": loading, "tokenizing": tokenizing, "growth": growth, "search": search}
