"""Runs programs beside each other, in turn, and keeps what each run took."""
import os, statistics, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.dirname(os.path.dirname(HERE))
LASER = os.path.join(REPOSITORY, ".build", "release", "laser")


def environment(**more):
    """What every program runs in: nothing that picks kernels or threads for a library, and threads that sleep while they
    wait, so that processor seconds count work."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENBLAS_", "OMP_", "GOMP_", "MKL_"))}
    return kept | {"OMP_WAIT_POLICY": "PASSIVE"} | more


class Failed(Exception):
    """A program that did not do its work."""


def first_to_go():
    """Where memory runs out, this process is the one that the system ends."""
    try:
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
    except OSError:
        pass


def run(command, environment=environment(), both=False):
    """What a program printed (with `both` on standard error too), its seconds, its processor seconds (of all threads), and
    its peak memory in MB."""
    with tempfile.TemporaryFile("w+") as errors:
        start = time.perf_counter()
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT if both else errors,
                                   text=True, env=environment, preexec_fn=first_to_go)
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            errors.seek(0)
            said = (output if both else errors.read()).strip()[-500:]
            raise Failed(f"{os.path.basename(str(command[0]))} failed with {os.waitstatus_to_exitcode(status)}: {said}")
    return {"output": output, "whole": seconds, "processor": usage.ru_utime + usage.ru_stime, "memory": usage.ru_maxrss / 1024}


def in_turn(contenders, runs):
    """Runs every contender once, then all of them again: the results of each, in order."""
    results = {name: [] for name in contenders}
    for number in range(runs):
        for name, contender in contenders.items():
            result = contender()
            results[name].append(result)
            print(f"  run {number + 1}: {name}, {result['seconds']:.2f} s, processor {result['processor']:.2f} s", file=sys.stderr, flush=True)
    return results


def median(results, key="seconds"):
    return statistics.median(result[key] for result in results)


def times_as_fast(ours, peer, key="seconds"):
    """The median, over the rounds, of how many times as fast ours was in the same round."""
    return statistics.median(theirs[key] / our[key] for our, theirs in zip(ours, peer))
