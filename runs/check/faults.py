#!/usr/bin/env python3
"""Runs laser's commands while something goes wrong, and counts what was lost. Prints one table.

    runs/check/faults.py [--laser PROGRAM] [--kills N] [--pairs N] [--changes N] [--signals N] [--seed N] [--rows]

kills    each command is killed N times at random moments, run again to its end and compared with a run that nobody
         disturbed; until then its output must be absent, the one before, or whole
full     each command on a file system that is too small for its output, at several sizes (needs the right to mount one)
limit    the same with a limit on the size of files
pairs    each command twice at once, N times: no output but one of the two's, and nobody's remains beside it
changes  a model that is cut off, overwritten or replaced at a random moment: the command fails with one line, or its output
         is that of the model before or after
signals  each command on a larger model is asked to stop (SIGTERM, SIGINT) N times at random moments: it ends within two
         seconds, with at most one line, and leaves no output that is not whole

The exit status is 1 if anything was lost, 2 if the program itself is missing.
"""
import argparse, hashlib, os, pathlib, random, re, shutil, signal, subprocess, sys, tempfile, time

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
POSY = REPOSITORY / "runs/posy"

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--laser", type=pathlib.Path, default=REPOSITORY / ".build/release/laser")
parser.add_argument("--kills", type=int, default=25, help="of each command")
parser.add_argument("--pairs", type=int, default=15, help="of each command")
parser.add_argument("--changes", type=int, default=10, help="of each command")
parser.add_argument("--signals", type=int, default=10, help="of each command")
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--rows", action="store_true", help="print the table's rows alone")
options = parser.parse_args()
if not options.laser.is_file():
    sys.exit(f"{options.laser}: no such program; build it with 'swift build -c release --product laser'") or 2
random.seed(options.seed)


def digest(path, skipped=()):
    """What an output consists of: names and bytes. Lines with times differ from run to run."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    result = []
    for file in files:
        if not file.is_file() or file.name in skipped:
            continue
        text = file.read_bytes()
        if file.suffix == ".json":
            text = b"\n".join(line for line in text.split(b"\n") if not any(key in line for key in (b'"seconds"', b'"started"')))
        result.append((str(file.relative_to(path.parent)).split("/", 1)[-1] if path.is_dir() else "", hashlib.sha256(text).hexdigest()))
    return result or None if path.exists() else None


class Command:
    """A command line with OUT and MODEL to be put in, and what its output is."""

    def __init__(self, name, arguments, ending="", run=False):
        self.name, self.arguments, self.ending, self.run = name, arguments, ending, run

    def line(self, out, model):
        return [str(options.laser)] + [argument.replace("OUT", str(out)).replace("MODEL", str(model)) for argument in self.arguments]

    def digest(self, out):
        # Of a run, what people take from it: the rest has times in it, and what a killed one had done already.
        if not self.run:
            return digest(out)
        return digest(out, {"journal.jsonl", "spectra.jsonl", "directions.jsonl", "report.html", "report.md"})


def remains(folder, allowed):
    return [name for name in os.listdir(folder) if name not in allowed]


class Bench:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.rows = []
        self.lost = []
        run = lambda *arguments: subprocess.run([str(options.laser), *map(str, arguments)], check=True, capture_output=True)
        self.texts = []
        for name in ("tales.search", "tales.heldout"):
            path = self.folder / f"{name}.txt"
            path.write_text((POSY / f"text/{name}.txt").read_text()[:6000])
            self.texts.append(path)
        for seed, name in enumerate(("model", "other")):
            run("synthesize", "--out", self.folder / name, "--layers", 2, "--hidden", 64, "--intermediate", 96, "--experts", 2,
                "--heads", 4, "--kv-heads", 2, "--vocabulary", 2048, "--tokenizer", POSY / "model", "--seed", seed)
        self.model = self.folder / "model"
        run("convert", self.model, "--out", self.folder / "model.gguf")
        search = ["search", "MODEL", "--text", str(self.texts[0]), "--held-out", str(self.texts[1]), "--context", "64",
                  "--confidence", "0.5", "--fdr", "1", "--out", "OUT", "--quiet"]
        run(*[a.replace("OUT", str(self.folder / "found")).replace("MODEL", str(self.model)) for a in search], "--strategy", "sweep",
            "--ranks", "32,8")
        self.plan = self.folder / "found/plan.yaml"
        for name in ("a", "b"):
            self.dense(self.folder / name)
        (self.folder / "merge.yaml").write_text(
            "base_model: a\ngate_mode: random\nexperts_per_token: 1\nexperts:\n- source_model: a\n- source_model: b\n")
        force = ["--force", "--out", "OUT"]
        self.commands = [
            Command("convert", ["convert", "MODEL", *force], ".gguf"),
            Command("convert to folder", ["convert", str(self.folder / "model.gguf"), "--to", "safetensors", *force]),
            Command("apply", ["apply", "MODEL", "--plan", str(self.plan), "--any-model", *force]),
            Command("apply --factored", ["apply", "MODEL", "--plan", str(self.plan), "--any-model", "--factored", *force]),
            Command("apply --to gguf", ["apply", "MODEL", "--plan", str(self.plan), "--any-model", "--to", "gguf", *force], ".gguf"),
            Command("merge", ["merge", str(self.folder / "merge.yaml"), *force]),
            Command("synthesize", ["synthesize", "--layers", "2", "--hidden", "64", "--intermediate", "96", "--heads", "4",
                                   "--kv-heads", "2", "--vocabulary", "2048", *force]),
            Command("spectrum --svg", ["spectrum", "MODEL", "--force", "--svg", "OUT"], ".svg"),
            Command("search sweep", search + ["--strategy", "sweep", "--ranks", "32,16,8,4,2"], run=True),
            Command("search greedy", search + ["--strategy", "greedy", "--ranks", "32,16,8", "--layers", "1"], run=True),
            Command("search filters", search, run=True),
        ]

    def dense(self, folder):
        """A dense Llama of random numbers, which merge takes."""
        import json, struct
        hidden, inner, vocabulary = 64, 96, 2048
        shapes = {"model.embed_tokens.weight": [vocabulary, hidden], "model.norm.weight": [hidden], "lm_head.weight": [vocabulary, hidden]}
        for layer in range(2):
            prefix = f"model.layers.{layer}."
            for name, shape in (("input_layernorm", [hidden]), ("post_attention_layernorm", [hidden]), ("self_attn.q_proj", [64, 64]),
                                ("self_attn.k_proj", [64, 64]), ("self_attn.v_proj", [64, 64]), ("self_attn.o_proj", [64, 64]),
                                ("mlp.gate_proj", [inner, hidden]), ("mlp.up_proj", [inner, hidden]), ("mlp.down_proj", [hidden, inner])):
                shapes[f"{prefix}{name}.weight"] = shape
        folder.mkdir()
        header, offset = {}, 0
        for name, shape in shapes.items():
            size = 2 * (shape[0] * shape[1] if len(shape) == 2 else shape[0])
            header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, offset + size]}
            offset += size
        generator = random.Random(str(folder.name))
        numbers = bytes(b for _ in range(offset // 2) for b in (generator.randrange(256), 0x3C | generator.randrange(2) << 7))
        text = json.dumps(header).encode()
        (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + numbers)
        (folder / "config.json").write_text(json.dumps({
            "model_type": "llama", "hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": 2, "num_attention_heads": 4,
            "num_key_value_heads": 4, "vocab_size": vocabulary, "rms_norm_eps": 1e-5, "torch_dtype": "bfloat16"}))
        shutil.copy(POSY / "model/tokenizer.json", folder)

    # What is expected.

    def fresh(self):
        """An empty folder for outputs."""
        place = self.folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place

    def undisturbed(self, command, model=None):
        out = self.fresh() / ("out" + command.ending)
        start = time.monotonic()
        subprocess.run(command.line(out, model or self.model), check=True, capture_output=True)
        return command.digest(out), time.monotonic() - start

    def fail(self, kind, command, what):
        self.lost.append(f"{kind}, {command.name}: {what}")
        print(f"LOST {self.lost[-1]}", file=sys.stderr, flush=True)

    def add(self, kind, name, runs, disturbed, lost):
        self.rows.append((kind, name, runs, disturbed, len(self.lost) - lost))
        print("  ".join(map(str, self.rows[-1])), file=sys.stderr, flush=True)

    # Kills.

    def kills(self, command, count):
        whole, duration = self.undisturbed(command)
        lost, killed, runs = len(self.lost), 0, 0
        place = self.fresh()
        out = place / ("out" + command.ending)
        longest = duration
        while killed < count:
            runs += 1
            process = subprocess.Popen(command.line(out, self.model), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                process.wait(random.uniform(0, longest))
            except subprocess.TimeoutExpired:
                process.kill()
            _, error = process.communicate()
            if process.returncode == -signal.SIGKILL:
                killed += 1
                # A search goes on where it was: after some kills it would never be killed again.
                if command.run and killed % 5 == 0:
                    self.finish(command, out, place, whole)
                    place = self.fresh()
                    out = place / ("out" + command.ending)
            elif process.returncode != 0:
                self.fail("kill", command, f"after a kill it ends with {process.returncode}: {error.decode()}")
                place = self.fresh()
                out = place / ("out" + command.ending)
            elif command.run:
                place = self.fresh()
                out = place / ("out" + command.ending)
            if not command.run and out.exists() and command.digest(out) != whole:
                self.fail("kill", command, "an output that is not whole")
            longest = min(longest * 1.05, 2 * duration)
        self.finish(command, out, place, whole)
        self.add("kills", command.name, runs, killed, lost)

    def finish(self, command, out, place, whole):
        done = subprocess.run(command.line(out, self.model), capture_output=True)
        if done.returncode != 0 or command.digest(out) != whole:
            self.fail("kill", command, f"it does not end as if nothing had happened: {done.stderr.decode()}")
        left = remains(place, {out.name})
        if left:
            self.fail("kill", command, f"{left} are left")

    # Too little room.

    def room(self, command, sizes, place, shell=None):
        kind = "limit" if shell else "full"
        lost, refused, runs = len(self.lost), 0, 0
        whole, _ = self.undisturbed(command)
        place = self.fresh() if shell else place
        for size in sizes:
            runs += 1
            target = place if shell else mount(place, size)
            out = target / ("out" + command.ending)
            line = command.line(out, self.model)
            if shell:
                line = ["/bin/sh", "-c", f'ulimit -f {size // 512}; exec "$0" "$@"', *line]
            done = subprocess.run(line, capture_output=True)
            error = done.stderr.decode()
            if done.returncode == 0:
                if command.digest(out) != whole:
                    self.fail(kind, command, f"{size} bytes: another output, and exit 0")
            else:
                refused += 1
                if done.returncode != 1 or not error.startswith("Error: ") or error.count("\n") != 1:
                    self.fail(kind, command, f"{size} bytes: ends with {done.returncode}: {error}")
                if not command.run and (out.exists() or remains(target, set())):
                    self.fail(kind, command, f"{size} bytes: {os.listdir(target)} are left")
            if not shell:
                subprocess.run(["umount", str(place)], check=True)
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
        self.add(kind, command.name, runs, refused, lost)

    # Two at once.

    def pairs(self, command, count):
        whole, duration = self.undisturbed(command)
        lost, refused = len(self.lost), 0
        for _ in range(count):
            place = self.fresh()
            out = place / ("out" + command.ending)
            first = subprocess.Popen(command.line(out, self.model), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(random.uniform(0, 0.3 * duration))
            second = subprocess.Popen(command.line(out, self.model), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            ends = [(process.communicate()[1].decode(), process.returncode) for process in (first, second)]
            for error, code in ends:
                if code == 0:
                    continue
                refused += 1
                if code != 1 or not re.search("another laser is writing|is at work there", error) or error.count("\n") != 1:
                    self.fail("pair", command, f"ends with {code}: {error}")
            if all(code != 0 for _, code in ends):
                self.fail("pair", command, "neither of two ends well")
            elif command.digest(out) != whole:
                self.fail("pair", command, "the output is neither's")
            left = remains(place, {out.name})
            if left:
                self.fail("pair", command, f"{left} are left")
        self.add("pairs", command.name, count, refused, lost)

    # Inputs that change.

    def changes(self, command, count):
        # Outputs have the model's name in them.
        model = self.folder / "changing"
        expected = []
        for original in (self.model, self.folder / "other"):
            shutil.rmtree(model, ignore_errors=True)
            shutil.copytree(original, model)
            output, duration = self.undisturbed(command, model)
            expected.append(output)
        lost, noticed = len(self.lost), 0
        for number in range(count):
            place = self.fresh()
            out = place / ("out" + command.ending)
            shutil.rmtree(model, ignore_errors=True)
            shutil.copytree(self.model, model)
            file, other = model / "model.safetensors", self.folder / "other/model.safetensors"
            process = subprocess.Popen(command.line(out, model), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            time.sleep(random.uniform(0, duration))
            kind = ("cut off", "overwritten", "replaced")[number % 3]
            if kind == "cut off":
                os.truncate(file, 4096)
            elif kind == "overwritten":
                with open(file, "r+b") as stream:
                    stream.write(other.read_bytes())
            else:
                shutil.copy(other, model / "new")
                os.rename(model / "new", file)
            error, code = process.communicate()[1].decode(), process.returncode
            if code == 0:
                # Before it was opened, or after it was read.
                if not command.run and command.digest(out) not in expected:
                    self.fail("change", command, f"{kind}: an output of neither model, and exit 0")
            else:
                noticed += 1
                if code != 1 or not error.startswith("Error: ") or error.count("\n") != 1:
                    self.fail("change", command, f"{kind}: ends with {code}: {error}")
                if not command.run and out.exists():
                    self.fail("change", command, f"{kind}: an output, and exit 1")
        self.add("changes", command.name, count, noticed, lost)

    # Asked to stop.

    def heavy_commands(self):
        """Commands on a model with which each takes seconds, and what they need."""
        self.large = self.folder / "large"
        run = lambda *arguments: subprocess.run([str(options.laser), *map(str, arguments)], check=True, capture_output=True)
        run("synthesize", "--out", self.large, "--layers", 2, "--hidden", 1024, "--intermediate", 3584, "--experts", 2,
            "--heads", 8, "--kv-heads", 2, "--vocabulary", 2048, "--tokenizer", POSY / "model")
        run("search", self.large, "--text", self.texts[0], "--held-out", self.texts[1], "--context", 64, "--strategy", "noise-edge",
            "--layers", 1, "--out", self.folder / "heavy", "--quiet")
        text, force = ["--text", str(POSY / "text/tales.search.txt"), "--context", "256"], ["--force", "--out", "OUT"]
        apply = ["apply", "MODEL", "--plan", str(self.folder / "heavy/plan.yaml"), *force]
        search = ["search", "MODEL", "--text", str(POSY / "text/tales.search.txt"), "--held-out", str(self.texts[1]), "--context", "256",
                  "--out", "OUT"]
        return [
            Command("perplexity", ["perplexity", "MODEL", *text]),
            Command("compare", ["compare", "MODEL", "MODEL", *text]),
            Command("generate", ["generate", "MODEL", "--prompt", "Once", "--tokens", "4000"]),
            Command("estimate", ["estimate", *search[1:-2]]),
            Command("spectrum", ["spectrum", "MODEL"]),
            Command("convert", ["convert", "MODEL", *force], ".gguf"),
            Command("convert --type q4_k_m", ["convert", "MODEL", "--type", "q4_k_m", *force], ".gguf"),
            Command("convert --imatrix", ["convert", "MODEL", "--type", "q4_k_m", "--imatrix", text[1], *force], ".gguf"),
            Command("apply", apply), Command("apply --factored", [*apply, "--factored"]),
            Command("search sweep", [*search, "--strategy", "sweep"], run=True),
            Command("search greedy", [*search, "--strategy", "greedy"], run=True),
            Command("search filters", search, run=True),
        ]

    def signals(self, command, count):
        lost, stopped = len(self.lost), 0
        for number in range(count):
            place = self.fresh()
            out = place / ("out" + command.ending)
            # A shell's background jobs, and what they start, are deaf to SIGINT.
            process = subprocess.Popen(command.line(out, self.large), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                       preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
            time.sleep(random.uniform(0, 8))
            asked = (signal.SIGTERM, signal.SIGINT)[number % 2]
            if process.poll() is not None:
                process.communicate()
                continue
            process.send_signal(asked)
            start = time.monotonic()
            error = process.communicate()[1]
            seconds = time.monotonic() - start
            stopped += process.returncode != 0
            lines = [line for line in re.split("[\r\n]", error) if "Error:" in line]
            if seconds > 2:
                self.fail("signal", command, f"it took {seconds:.1f} s to end")
            if process.returncode not in (0, 1, -asked) or process.returncode == 1 and len(lines) != 1:
                self.fail("signal", command, f"ends with {process.returncode}: {error}")
            if process.returncode != 0 and not command.run and out.exists():
                self.fail("signal", command, "an output is there")
        self.add("signals", command.name, count, stopped, lost)

    def table(self):
        lines = [] if options.rows else ["| fault | command | runs | killed or refused | lost |", "| --- | --- | --- | --- | --- |"]
        for kind in dict.fromkeys(row[0] for row in self.rows):
            rows = [row for row in self.rows if row[0] == kind]
            lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
            lines.append(f"| {kind} | all | {' | '.join(str(sum(row[i] for row in rows)) for i in (2, 3, 4))} |")
        return "\n".join(lines)


def mount(place, size):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], check=True, capture_output=True)
    return place


def main():
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(folder)
        for command in bench.commands:
            bench.kills(command, options.kills)
        sizes = [4096 * size for size in (1, 8, 64, 128, 160, 1024)]
        place = bench.folder / "small"
        place.mkdir()
        try:
            mount(place, 4096)
            subprocess.run(["umount", str(place)], check=True)
            for command in bench.commands:
                bench.room(command, sizes, place)
        except subprocess.CalledProcessError:
            print("no file system can be mounted here: full disks are left out", file=sys.stderr)
        for command in bench.commands:
            bench.room(command, sizes, place, shell=True)
        for command in bench.commands:
            bench.pairs(command, options.pairs)
        for command in bench.commands:
            if any("MODEL" in argument for argument in command.arguments):
                bench.changes(command, options.changes)
        if options.signals:
            for command in bench.heavy_commands():
                bench.signals(command, options.signals)
        print(bench.table())
        sys.exit(1 if bench.lost else 0)


main()
