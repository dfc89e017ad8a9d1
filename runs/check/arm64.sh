#!/usr/bin/env bash
# Compiles the C targets and the program that tests them (kernels.c) for this machine and for arm64, runs the one here
# and the other under qemu, and compares what is to be the same to the bit. Prints a row for runs/check.sh. Status 2:
# something that it needs is not here.
#
# Needs clang, as Swift's toolchain has it, and of Debian: gcc-aarch64-linux-gnu, libc6-dev-arm64-cross, qemu-user.
set -euo pipefail
cd "$(dirname "$0")/../.."

clang=$(command -v clang || echo "$(dirname "$(readlink -f "$(command -v swift)")")/clang")
missing=()
for program in "$clang" aarch64-linux-gnu-gcc qemu-aarch64; do
  command -v "$program" >/dev/null || missing+=("$program")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Not checked on arm64: ${missing[*]} not found;" \
    "apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2
  exit 2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
flags=(-O2 -std=gnu11 -Wall -Werror -ISources/CKernels/include -ISources/CFiles/include)

build() { # name, further flags
  mkdir "$folder/$1"
  for source in Sources/CKernels/*.c Sources/CFiles/*.c; do
    "$clang" "${flags[@]}" "${@:2}" -c "$source" -o "$folder/$1/$(basename "$source").o"
  done
  "$clang" "${flags[@]}" "${@:2}" -ffp-contract=off -c runs/check/kernels.c -o "$folder/$1/test.o"
}

build native
"$clang" "$folder"/native/*.o -lm -o "$folder/native/test"
build arm64 --target=aarch64-linux-gnu
# gcc knows where arm64's libraries are.
aarch64-linux-gnu-gcc -static "$folder"/arm64/*.o -lm -o "$folder/arm64/test"

lost=0
"$folder/native/test" >"$folder/native/hashes" || lost=$((lost + 1))
qemu-aarch64 "$folder/arm64/test" >"$folder/arm64/hashes" || lost=$((lost + 1))
diff "$folder/native/hashes" "$folder/arm64/hashes" >&2 || lost=$((lost + 1))
echo "| arm64 | C targets under qemu | $(wc -l <"$folder/arm64/hashes") | 0 | $lost |"
exit $((lost > 0))
