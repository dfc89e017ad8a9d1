#!/bin/bash
# Runs laser on a checkpoint four times the memory it may take: a Mixtral of random weights in real layer shapes.
#
#     runs/bench/streaming.sh FOLDER [LAYERS]
#
# FOLDER needs room for 0.5 GB and 2.9 GB for each layer (4 by default); the checkpoint is removed at the end. As root, the
# commands run in a memory cgroup of LIMIT bytes, the system's cache of files included; else only what they report of
# themselves is printed. Peak memory is that of the process; pages of files that it has given back are not in it.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=${1:?the folder for the checkpoint} layers=${2:-4}
laser=${LASER:-.build/release/laser} limit=${LIMIT:-3221225472} memory=${MEMORY:-2500M}

mkdir -p "$folder"
trap 'rm -rf "$folder/synthetic" "$folder/search"' EXIT
"$laser" synthesize --out "$folder/synthetic" --layers "$layers" --tokenizer runs/posy/model --quiet
head -c 3000 runs/posy/text/tales.search.txt > "$folder/search.txt"
head -c 1500 runs/posy/text/plays.heldout.txt > "$folder/heldout.txt"

group=
for parent in /sys/fs/cgroup/memory /sys/fs/cgroup; do
  if [ -e "$parent/cgroup.procs" ] && mkdir -p "$parent/laser-streaming" 2> /dev/null; then
    for file in memory.limit_in_bytes memory.max; do
      if [ -e "$parent/laser-streaming/$file" ] && echo "$limit" > "$parent/laser-streaming/$file"; then
        group=$parent/laser-streaming
      fi
    done
    break
  fi
done
if [ -n "$group" ]; then echo "limited to $limit bytes by $group"; else echo "not limited by the system"; fi
sync
echo 3 2> /dev/null > /proc/sys/vm/drop_caches || echo "the system's cache of files could not be emptied"

# Runs a command within the limit.
limited() {
  (
    if [ -n "$group" ]; then echo "$BASHPID" > "$group/cgroup.procs"; fi
    exec /usr/bin/time -f "%e s; processor %U s + %S s; peak %M kB; %I blocks of 512 bytes read; %F waits for a page" "$@"
  )
}

limited "$laser" perplexity "$folder/synthetic" --text "$folder/search.txt" --context 256 --memory "$memory" --quiet
limited "$laser" search "$folder/synthetic" --text "$folder/search.txt" --held-out "$folder/heldout.txt" \
  --out "$folder/search" --layers $((layers > 2 ? layers - 3 : 0)) --experts 0 --roles w1 --ranks 64,8 --context 64 \
  --memory "$memory" --quiet
if [ -n "$group" ]; then rmdir "$group"; fi
