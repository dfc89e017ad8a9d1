#!/usr/bin/env bash
# Installs what is missing, lints, builds in release and runs all tests, the commands' own among them.
set -euo pipefail
cd "$(dirname "$0")/.."

bash runs/install.sh
swift format lint --strict --recursive --parallel Package.swift Sources Tests
swift build -c release --build-tests
swift test -c release --skip-build
