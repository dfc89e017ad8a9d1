"""The tables that bench.py prints: Markdown, one of results and targets, then what lies behind each."""
import datetime, os, platform, subprocess
from dataclasses import dataclass

import contenders
from measuring import REPOSITORY, environment, median


@dataclass
class Row:
    """One comparison. `ratio` says how many times as good ours is, in whatever sense `what` names."""
    what: str
    ours: str
    peer: str
    ratio: float
    target: float | None = None

    @property
    def cells(self):
        if self.target is None:
            return [self.what, self.ours, self.peer, f"{self.ratio:.2f}", ""]
        return [self.what, self.ours, self.peer, f"**{self.ratio:.2f}**", f"{self.target:.2f}: " + ("held" if self.ratio >= self.target else "**missed**")]


def markdown(head, rows, left=1):
    """The first `left` columns are words, the others numbers."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left), *rows]
    return "".join("| " + " | ".join(line) + " |\n" for line in lines)


def results_table(rows):
    return markdown(["what", "ours", "peer", "ratio", "target"], [row.cells for row in rows])


def contenders_table(results):
    """Medians of every contender of a comparison."""
    rows = []
    for name, found in results.items():
        tokens, nll = found[0].get("tokens"), found[0].get("nll")
        spread = f"{median(found):.2f} ({min(r['seconds'] for r in found):.2f} to {max(r['seconds'] for r in found):.2f})"
        rows.append([name, spread, f"{median(found, 'processor'):.2f}", f"{tokens / median(found):,.0f}" if tokens else "",
                     f"{median(found, 'memory'):,.0f}", f"{nll:.5f}" if nll else ""])
    return markdown(["", "seconds", "processor seconds", "tokens/s", "peak MB", "nll"], rows)


def profile_table(profiles):
    """Stage by stage: share of the processor's time and of the fastest product, for each precision."""
    head, names = ["stage"], []
    for precision, profile in profiles.items():
        head += [f"{precision}: share", "of the fastest"]
        names += [stage["stage"] for stage in profile["stages"] if stage["stage"] not in names]
    rows = []
    for name in names:
        row = [name]
        for profile in profiles.values():
            whole = sum(stage["seconds"] for stage in profile["stages"])
            stage = next((stage for stage in profile["stages"] if stage["stage"] == name), None)
            row += [f"{100 * stage['seconds'] / whole:.0f} %" if stage else "",
                    f"{100 * stage['gflops'] / profile['peak_gflops']:.0f} %" if stage and stage["gflops"] > 1 else ""]
        rows.append(row)
    return markdown(head, rows)


def machine_facts(python, llama):
    """The processor, its cores, and what was compared."""
    def answer(*command):
        try:
            done = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd=REPOSITORY, env=environment())
        except OSError:
            return ""
        return done.stdout.strip() + "\n" + done.stderr.strip()

    with open("/proc/cpuinfo") as file:
        about = dict(line.split(":", 1) for line in file.read().split("\n\n")[0].splitlines())
    about = {key.strip(): value.strip() for key, value in about.items()}
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in about.get("flags", "").split()]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    spectrum = answer(contenders.laser, "spectrum", "runs/posy/model", "--layers", "0", "--experts", "0", "--verbose")
    blas = [line.strip() for line in spectrum.splitlines() if line.startswith(("OpenBLAS", "kernels"))]
    versions = ("import torch, transformers, tokenizers; "
                "print(', '.join(f'{m.__name__} {m.__version__}' for m in (torch, transformers, tokenizers)))")
    lines = [
        f"Processor: {about.get('model name', platform.processor())}, family {about.get('cpu family')} model {about.get('model')}, "
        f"{os.cpu_count()} cores, {', '.join(flags)}; {memory:.0f} GB of memory; Linux {platform.release()}",
        f"laser: commit {answer('git', 'describe', '--always', '--dirty').strip()}, {', '.join(blas)}",
        f"peers: {answer(python, '-c', versions).strip()}" if python else "",
        f"llama.cpp: {next((line for line in answer(llama, '--version').splitlines() if 'version' in line), '')}" if llama else "",
        f"{datetime.date.today()}, load {os.getloadavg()[0]:.1f}",
    ]
    return "".join(f"- {line}\n" for line in lines if line)
