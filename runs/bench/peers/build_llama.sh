#!/usr/bin/env bash
# Builds llama.cpp's perplexity tool for this machine's processor, from the sources that llama-cpp-python carries, and prints
# where it is.
#
#     runs/bench/peers/build_llama.sh FOLDER
#
# Needs a compiler and python3; cmake and ninja are put into FOLDER. Takes minutes.
set -euo pipefail
mkdir -p "${1:?the folder to build in}"
cd "$1"

python3 -m venv tools
tools/bin/pip install --quiet cmake ninja
if [ ! -e source ]; then
  tools/bin/pip download --quiet --no-deps --no-binary llama-cpp-python --dest . llama-cpp-python==0.3.36
  mkdir -p source.part
  tar -xzf llama_cpp_python-0.3.36.tar.gz -C source.part --strip-components 3 llama_cpp_python-0.3.36/vendor/llama.cpp
  rm -f source.part/.git  # of a repository that is not there
  mv source.part source
fi
PATH=$PWD/tools/bin:$PATH
cmake -S source -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF \
  -DLLAMA_OPENSSL=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF > cmake.log 2>&1
cmake --build build --target llama-perplexity > build.log 2>&1
echo "$PWD/build/bin/llama-perplexity"
