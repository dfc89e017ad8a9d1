#!/usr/bin/env bash
# From five dense checkpoints to a lasered mixture of experts: merges runs/posy/parents, sweeps the experts per token,
# lasers the mixture relative to the base, compares the two, and writes the lasered one as GGUF.
set -euo pipefail
cd "$(dirname "$0")/.."

bash runs/install.sh
echo "Building (the first time takes a few minutes)"
swift build -c release --product laser 2>&1 | tail -n 1
laser=.build/release/laser
work=runs/posy/frankenmoe
rm -rf "$work"  # this script's own results: every run of it is a whole one
mkdir -p "$work"

echo
echo "Merging four fine-tunes of one base"
"$laser" merge runs/posy/merge.yaml --out "$work/merged"

echo
echo "With 1 to 4 experts for each token"
"$laser" perplexity "$work/merged" --text runs/posy/text/*.search.txt --context 256 --experts-per-token 1-4

echo
echo "Lasering the mixture relative to the base"
"$laser" run runs/posy/frankenmoe.yaml "$@"

echo
echo "Lasered against merged, on held-out text"
"$laser" compare "$work/merged" "$work/lasered" --text runs/posy/text/*.heldout.txt --context 256

echo
echo "As one GGUF file"
"$laser" convert "$work/lasered" --out "$work/lasered.gguf" --type q8_0
"$laser" perplexity "$work/lasered.gguf" --text runs/posy/text/*.heldout.txt --context 256
