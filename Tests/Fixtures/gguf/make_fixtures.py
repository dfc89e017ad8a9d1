"""Writes the GGUF fixtures of this folder: python make_fixtures.py PATH_OF_LIBGGML

Made with gguf 0.19.0 and numpy 2.4.6. Quantised bytes are those of ggml's reference C code, called in a shared library that
has it (libggml-base.so of a llama.cpp built with -ffp-contract=off and -DNDEBUG; here ggml-quants.c of the llama.cpp within
llama-cpp-python 0.3.36, clang 21, -O2). De-quantised numbers are those of gguf.quants; of Q2_0, which it has not, of ggml.

blocks.gguf   for each type T: T.blocks (random blocks of finite scale) and T.numbers (their values in F32); where T is written,
              T.quantized and T.weighted (the numbers of `source` quantised by ggml, without and with `importance`).
              Metadata of every kind.
split-*.gguf  three tensors in three files.
"""
import ctypes
import pathlib
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType, GGUFWriter, quants

folder = pathlib.Path(__file__).parent
ggml = ctypes.CDLL(sys.argv[1])
types = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "MXFP4", "IQ4_NL", "IQ4_XS"]
read_only = ["NVFP4", "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ3_XXS", "IQ3_S", "TQ1_0", "TQ2_0", "Q1_0"]
random = np.random.default_rng(5)


def pointer(array):
    return array.ctypes.data_as(ctypes.c_void_p)


def expanded(blocks, kind, size):
    """Values of blocks."""
    if kind != GGMLQuantizationType.Q1_0:
        return quants.dequantize(blocks, kind)
    blocks, result = np.ascontiguousarray(blocks), np.zeros(blocks.size // 18 * size, np.float32)
    ggml.dequantize_row_q1_0(pointer(blocks), pointer(result), ctypes.c_int64(result.size))
    return result.reshape(*blocks.shape[:-1], -1)


def finite_blocks(kind, count):
    """Random bytes, drawn again until every value of every block is finite."""
    size, byte_count = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, size=(count, byte_count), dtype=np.uint8)
    while True:
        with np.errstate(all="ignore"):
            bad = ~np.isfinite(expanded(blocks, kind, size)).reshape(count, size).all(axis=1)
        if not bad.any():
            return blocks
        blocks[bad] = random.integers(0, 256, size=(bad.sum(), byte_count), dtype=np.uint8)


def source():
    """Rows as weights are, of mixed magnitudes, with ties, sparse, of one sign, constant, tiny, zero."""
    normal = random.standard_normal((8, 256))
    rows = [
        normal[0] * 0.02,
        (normal[1].reshape(16, 16) * 10.0 ** random.integers(-3, 3, size=(16, 1))).reshape(256),
        random.integers(-8, 8, size=256) / 8,
        normal[2] * (random.random(256) < 0.1),
        np.abs(normal[3]),
        np.where(np.arange(256) < 128, 0.3, -0.3),
        normal[4] * 1e-30,
        np.zeros(256),
    ]
    return np.stack(rows).astype(np.float32)


def quantized(numbers, name, importance=None):
    kind = GGMLQuantizationType[name]
    size, byte_count = GGML_QUANT_SIZES[kind]
    result = np.zeros((numbers.shape[0], numbers.shape[1] // size * byte_count), np.uint8)
    function = getattr(ggml, f"quantize_{name.lower().replace('_k', '_K')}")
    rows, columns = numbers.shape
    weights = pointer(importance) if importance is not None else None
    function(pointer(numbers), pointer(result), ctypes.c_int64(rows), ctypes.c_int64(columns), weights)
    return result


def blocks_file():
    writer = GGUFWriter(folder / "blocks.gguf", "fixture")
    writer.add_uint8("value.uint8", 200)
    writer.add_int8("value.int8", -100)
    writer.add_uint16("value.uint16", 60000)
    writer.add_int16("value.int16", -30000)
    writer.add_uint32("value.uint32", 4000000000)
    writer.add_int32("value.int32", -2000000000)
    writer.add_uint64("value.uint64", 2**64 - 1)
    writer.add_int64("value.int64", -(2**62))
    writer.add_float32("value.float32", 1.5)
    writer.add_float64("value.float64", 1e300)
    writer.add_bool("value.boolean", True)
    writer.add_string("value.string", "zwölf Boxkämpfer\n")
    writer.add_array("array.strings", ["one", "zwei", "три"])
    writer.add_array("array.integers", [1, -2, 3])
    writer.add_array("array.numbers", [0.5, -0.25])
    writer.add_array("array.booleans", [True, False])
    numbers = source()
    writer.add_tensor("source", numbers)
    for name in types + read_only:
        kind = GGMLQuantizationType[name]
        size, byte_count = GGML_QUANT_SIZES[kind]
        blocks = finite_blocks(kind, 4 * 256 // size).reshape(4, -1)
        writer.add_tensor(f"{name}.blocks", blocks, raw_dtype=kind)
        writer.add_tensor(f"{name}.numbers", expanded(blocks, kind, size))
        if name in types:
            writer.add_tensor(f"{name}.quantized", quantized(numbers, name), raw_dtype=kind)
    importance = (random.random(256) ** 4 * 10).astype(np.float32)
    importance[:8] = 0
    writer.add_tensor("importance", importance)
    for name in types:
        kind = GGMLQuantizationType[name]
        writer.add_tensor(f"{name}.weighted", quantized(numbers, name, importance), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def split_files():
    writer = GGUFWriter(folder / "split.gguf", "fixture", split_max_tensors=1)
    for index in range(3):
        writer.add_tensor(f"tensor.{index}", np.arange(32, dtype=np.float32).reshape(2, 16) + 100 * index)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


blocks_file()
split_files()
