#!/usr/bin/env bash
# Installs what laser builds with: Debian or Ubuntu packages for OpenBLAS and LAPACKE, and those that are named. Does
# nothing where they are.
set -euo pipefail

packages=(libopenblas-dev liblapacke-dev "$@")
missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
  echo "Installing ${missing[*]}"
  elevate=()
  [ "$(id -u)" -eq 0 ] || elevate=(sudo)
  "${elevate[@]}" apt-get update -qq
  "${elevate[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}" >/dev/null
fi

if ! command -v swift >/dev/null; then
  echo "Swift 6.1 or later is needed: install it as swift.org/install/linux says, then run this again." >&2
  exit 1
fi
