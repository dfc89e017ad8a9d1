"""How laser and its peers are asked for the same work. Each function runs a program once and says what that took:
`seconds` of what is compared, `whole` seconds of the process, `processor` seconds, `memory` in MB, and what it found."""
import json, math, os, re

from measuring import HERE, LASER, environment, run

laser = LASER  # the program; a command line may name another


def read_once(model):
    """Brings a checkpoint into the system's cache of files: laser reads weights while it evaluates, so a disk would be timed,
    where transformers has read them before its clock starts."""
    files = [os.path.join(model, name) for name in os.listdir(model)] if os.path.isdir(model) else [model]
    for path in filter(os.path.isfile, files):
        with open(path, "rb") as file:
            while file.read(1 << 24):
                pass


def laser_perplexity(model, texts, context, precision, convention="windows", more=()):
    """Processor seconds are of the whole process."""
    read_once(model)
    result = run([laser, "perplexity", model, "--text", *texts, "--context", context, "--convention", convention,
                  "--precision", precision, "--json", "--quiet", *more])
    found = json.loads(result.pop("output"))
    tokens = sum(row["scored_tokens"] for row in found["corpora"])
    nll = sum(row["nll"] * row["scored_tokens"] for row in found["corpora"]) / tokens
    return result | {"seconds": found["seconds"], "tokens": tokens, "nll": nll, "profile": found.get("profile")}


def transformers_perplexity(python, model, texts, context, dtype, warm=True):
    """Processor seconds are of the evaluation alone."""
    result = run([python, os.path.join(HERE, "peers", "transformers_perplexity.py"), model, context, dtype, int(warm), *texts])
    return result | json.loads(result.pop("output").splitlines()[-1])


def llama_perplexity(program, file, text, context):
    """llama.cpp's own tool. Seconds are its `prompt eval time`, which leaves its softmax out and is said from verbosity 4 on. Its
    threads meet many times in a layer, so they wait as its makers mean them to."""
    variables = environment()
    del variables["OMP_WAIT_POLICY"]
    result = run([program, "-m", file, "-f", text, "-c", context, "-t", os.cpu_count(), "-lv", 4], variables, both=True)
    output = result.pop("output")
    perplexity = re.search(r"Final estimate: PPL = ([0-9.]+)", output)
    seconds = re.search(r"prompt eval time =\s*([0-9.]+) ms", output)
    return result | {"seconds": float(seconds[1]) / 1000, "nll": math.log(float(perplexity[1]))}


def laser_spectrum(model):
    """The decomposition of every w1, with what it takes to read and show it."""
    result = run([laser, "spectrum", model, "--roles", "w1", "--json", "--quiet"])
    return result | {"seconds": result["whole"]}


def laser_apply(model, out, rank, full_rank):
    """The first w1 decomposed, truncated, rounded and written: what applying takes less what copying takes."""
    tensor = "model.layers.0.block_sparse_moe.experts.0.w1.weight"
    entry = f"\n- {{tensor: {tensor}, layer: 0, expert: 0, role: w1, kind: weights, rank: {rank}, full_rank: {full_rank}}}"

    def apply(entries):
        plan = out + ".yaml"
        with open(plan, "w") as file:
            file.write(f"laser_plan: 1\nmodel: any\nreductions: {entries}\n")
        return run([laser, "apply", model, "--plan", plan, "--any-model", "--out", out, "--force", "--quiet"])

    copying, reducing = apply("[]"), apply(entry)
    return {"seconds": reducing["whole"] - copying["whole"], "processor": reducing["processor"] - copying["processor"],
            "memory": reducing["memory"]}


def torch_svd(python, rows, columns):
    """torch.linalg.svd in float64, what the published scripts call."""
    result = run([python, os.path.join(HERE, "peers", "torch_svd.py"), rows, columns, "float64"])
    return result | json.loads(result.pop("output"))


def laser_tokenize(model, text):
    result = run([laser, "tokenize", model, "--text", text, "--json"])
    found = json.loads(result.pop("output"))["texts"][0]
    return result | {"seconds": found["seconds"], "tokens": found["tokens"]}


def tokenizers_encode(python, model, text):
    result = run([python, os.path.join(HERE, "peers", "encode.py"), os.path.join(model, "tokenizer.json"), text])
    return result | json.loads(result.pop("output"))
