#!/usr/bin/env bash
# Lasers the embedded model: installs what is missing, builds, runs runs/posy/relative.yaml and shows what it found.
# Anything after the command goes to `laser run`.
set -euo pipefail
cd "$(dirname "$0")/.."

bash runs/install.sh
echo "Building (the first time takes a few minutes)"
swift build -c release --product laser 2>&1 | tail -n 1

echo
echo "Lasering runs/posy/model, a mixture of four small experts, relative to the base they were tuned from"
rm -rf runs/posy/relative  # the demo's own results: every demo is a whole run
.build/release/laser run runs/posy/relative.yaml "$@"
