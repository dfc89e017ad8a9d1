#!/usr/bin/env python3
"""laser score beside lm-evaluation-harness, question by question.

Both get the same questions: for each file a task is made of lm-evaluation-harness's own kinds (multiple_choice, multiple
inputs, loglikelihood), and its own evaluator scores it. Compared are every choice's log-likelihood, the answers by every
rule, and the scores with their standard errors. Prints a table; ends with status 1 where anything differs by more than
--tolerance, or where an answer differs whose choices are further apart than that.

    runs/differential/scores.py MODEL FILE... [--limit 200] [--mutual-info] [--query-suffix TEXT] [--batch 8]

To be run by an interpreter with lm_eval 0.4.13, torch and transformers 5.
"""
import argparse, json, logging, pathlib, sys, tempfile, time

from common import laser

logging.disable(logging.WARNING)
RULES = ["acc", "acc_norm", "acc_bytes", "acc_mutual_info"]


def task(path, arguments, folder):
    """A task of lm-evaluation-harness for a file, its first questions as data."""
    lines = [line for line in open(path, encoding="utf-8") if line.strip()][: arguments.limit]
    questions = [json.loads(line) for line in lines]
    for question in questions:
        if "query" in question:
            question["query"] += arguments.query_suffix
    data = folder / pathlib.Path(path).name
    data.write_text("".join(json.dumps(question) + "\n" for question in questions), encoding="utf-8")
    first = questions[0]
    config = {"task": pathlib.Path(path).stem, "dataset_path": "json", "test_split": "test",
              "dataset_kwargs": {"data_files": {"test": str(data)}}}
    rules = ["acc", "acc_norm", "acc_bytes"]
    if "query" in first:
        rules += ["acc_mutual_info"] if arguments.mutual_info else []
        config |= {"output_type": "multiple_choice", "doc_to_text": lambda doc: doc["query"],
                   "doc_to_choice": lambda doc: doc["choices"], "doc_to_target": lambda doc: doc["gold"]}
    elif "context_options" in first:
        # As winogrande has it: the text is the number of the right context, the target what follows them all.
        config |= {"output_type": "multiple_choice", "doc_to_text": lambda doc: doc["gold"],
                   "doc_to_choice": lambda doc: doc["context_options"],
                   "doc_to_target": lambda doc: doc["continuation"]}
    else:
        rules = ["acc", "perplexity"]
        config |= {"output_type": "loglikelihood", "doc_to_text": lambda doc: doc["context"],
                   "doc_to_target": lambda doc: " " + doc["continuation"]}
    if config["output_type"] == "multiple_choice":
        rules.append("brier_score")
    config["metric_list"] = [{"metric": rule} for rule in rules]
    return config


def reference(arguments, folder):
    """What lm-evaluation-harness finds: its results and samples by task, and the seconds of the evaluation."""
    import torch
    from lm_eval import evaluator
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.models.huggingface import HFLM

    torch.set_num_threads(arguments.threads)
    # The softmax in float64: in float32 its rounding alone takes 1e-5 nats off every token, 2.5e-3 off a long choice.
    model = HFLM(pretrained=arguments.model, device="cpu", dtype="float32", softmax_dtype="float64",
                 batch_size=arguments.batch)
    tasks = {}
    for path in arguments.files:
        config = task(path, arguments, folder)
        tasks[config["task"]] = ConfigurableTask(config=config)
    start = time.monotonic()
    found = evaluator.evaluate(lm=model, task_dict=tasks, bootstrap_iters=0, log_samples=True)
    return found, time.monotonic() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--limit", type=int, default=200)
    parser.add_argument("--mutual-info", action="store_true")
    parser.add_argument("--query-suffix", default="")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tolerance", type=float, default=1e-3)
    arguments = parser.parse_args()

    command = ["score", arguments.model, "--json", "--answers", "--quiet", "--limit", str(arguments.limit),
               "--threads", str(arguments.threads), "--questions", *arguments.files]
    command += ["--mutual-info"] if arguments.mutual_info else []
    command += ["--query-suffix=" + arguments.query_suffix] if arguments.query_suffix else []
    start = time.monotonic()
    done = laser(*command)
    seconds = time.monotonic() - start
    if done.returncode:
        sys.exit(done.stderr)
    ours = json.loads(done.stdout)
    with tempfile.TemporaryDirectory() as folder:
        theirs, reference_seconds = reference(arguments, pathlib.Path(folder))

    print("| questions | count | acc, laser | acc, lm-eval | other answers | largest difference of a log-likelihood |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    failures = []
    for file in ours["files"]:
        name = pathlib.Path(file["questions"]).stem
        samples = sorted(theirs["samples"][name], key=lambda sample: sample["doc_id"])
        results = theirs["results"][name]
        largest, others = 0.0, 0
        for number, (answer, sample) in enumerate(zip(file["answers"], samples, strict=True)):
            values = [(float(likelihood), str(greedy) == "True") for likelihood, greedy in
                      (response[0] if isinstance(response[0], (list, tuple)) else response
                       for response in sample["resps"])]
            mine = answer["log_likelihoods"] + answer.get("without_context", [])
            if len(mine) != len(values):
                failures.append(f"{name} {number + 1}: {len(mine)} likelihoods and {len(values)}")
                continue
            differences = [abs(a - b) for a, (b, _) in zip(mine, values)]
            largest = max(largest, *differences)
            if answer["right"] != bool(sample["acc"]):
                others += 1
                best = sorted((b for b, _ in values[: len(answer["log_likelihoods"])]), reverse=True)
                if len(best) < 2 or best[0] - best[1] > arguments.tolerance:
                    failures.append(f"{name} {number + 1}: another answer")
        if largest > arguments.tolerance:
            failures.append(f"{name}: a log-likelihood differs by {largest:.2e}")
        for rule in RULES + ["brier_score", "perplexity"]:
            expected = results.get(f"{rule},none")
            if expected is None:
                continue
            found = file[rule] if rule == "perplexity" else file[rule]["value"]
            if abs(found - expected) > max(arguments.tolerance, arguments.tolerance * abs(expected)):
                failures.append(f"{name}: {rule} is {found}, not {expected}")
        for rule in RULES:
            error = results.get(f"{rule}_stderr,none")
            if isinstance(error, float) and abs(file[rule]["standard_error"] - error) > arguments.tolerance:
                failures.append(f"{name}: the error of {rule} is {file[rule]['standard_error']}, not {error}")
        print(f"| {name} | {file['count']} | {file['acc']['value']:.4f} | {results['acc,none']:.4f} | {others} "
              f"| {largest:.1e} |")
    print(f"\nlaser {ours['seconds']:.1f} s ({seconds:.1f} s with loading), {ours['tokens']} tokens run; "
          f"lm-eval {reference_seconds:.1f} s, batches of {arguments.batch}; {arguments.threads} threads each.")
    if failures:
        sys.exit("\n".join(failures))


if __name__ == "__main__":
    main()
