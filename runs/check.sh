#!/usr/bin/env bash
# What tests of behaviour do not find: damaged files for as long as one likes, and commands that are killed, run twice at once, on
# full disks and on files that change. Prints one table; exit status 1 if anything was found. docs/reliability.md says what it
# means.
#
#   runs/check.sh                                                     about half an hour on two cores
#   FUZZ_SECONDS=5 KILLS=5 PAIRS=2 CHANGES=3 runs/check.sh            minutes
#
# FUZZ_SECONDS: for each target. KILLS, PAIRS, CHANGES: for each command. SEED: of all that is random.
set -uo pipefail
cd "$(dirname "$0")/.."

fuzz_seconds=${FUZZ_SECONDS-60}
seed=${SEED-1}
log=$(mktemp -d)
# Files are made many times a second: in memory, where that is possible.
[ -d /dev/shm ] && export TMPDIR=${TMPDIR-/dev/shm}
found=0
rows=()

row() { # kind, what, runs, refused, lost
  rows+=("| $1 | $2 | $3 | $4 | $5 |")
  echo "${rows[-1]}" >&2
  [ "$5" = 0 ] || found=1
}

swift build -c release --product laser || exit 1
swift build -c release --product fuzz || exit 1

for target in $(.build/release/fuzz | sed 's/^usage: fuzz //; s/ .*//; s/|/ /g'); do
  # A file that needs more memory than any of its size should ends the run, as one that takes ten seconds does.
  (ulimit -v 8388608 && .build/release/fuzz "$target" "$fuzz_seconds" "$seed") >"$log/fuzz" 2>&1
  code=$?
  files=$(sed -n 's/^\([0-9]*\) files, .*/\1/p' "$log/fuzz")
  taken=$(sed -n 's/^[0-9]* files, \([0-9]*\) taken.*/\1/p' "$log/fuzz")
  [ "$code" = 0 ] || tail -n 3 "$log/fuzz" >&2
  row fuzz "$target" "${files:-unknown}" "$((${files:-0} - ${taken:-0}))" "$((code != 0))"
done

while read -r line; do
  rows+=("$line")
  case $line in *" 0 |") ;; *) found=1 ;; esac
done < <(runs/check/faults.py --rows --kills "${KILLS-30}" --pairs "${PAIRS-12}" --changes "${CHANGES-12}" --seed "$seed")

line=$(runs/check/arm64.sh)
code=$? # 2: what it needs is not here
[ -z "$line" ] || rows+=("$line")
case $code in 0 | 2) ;; *) found=1 ;; esac

echo
echo "| check | of | runs | killed or refused | lost or crashed |"
echo "| --- | --- | --- | --- | --- |"
printf '%s\n' "${rows[@]}"
exit "$found"
