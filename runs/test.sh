#!/usr/bin/env bash
# Installs what is missing, lints, builds in release and runs all tests, the commands' own among them; and the commands' tests once
# more with a laser that was built with MPI, alone and as several processes.
set -euo pipefail
cd "$(dirname "$0")/.."

bash runs/install.sh libopenmpi-dev openmpi-bin
swift format lint --strict --recursive --parallel Package.swift Sources Tests
swift build -c release --build-tests
swift build -c release --traits MPI --scratch-path .build/mpi --product laser
export LASER_MPI_PROGRAM=$PWD/.build/mpi/release/laser
LASER_PROGRAM=$LASER_MPI_PROGRAM swift test -c release --skip-build --filter CommandTests
swift test -c release --skip-build
