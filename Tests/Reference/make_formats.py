"""Makes Tests/Reference/fixtures/formats: every GGUF storage type with what the gguf package dequantises it to.

    pip install gguf==0.19.0 numpy safetensors && python Tests/Reference/make_formats.py
"""
import pathlib
import numpy as np
import gguf
from gguf import GGMLQuantizationType as Q
from safetensors.numpy import save_file

out = pathlib.Path(__file__).parent / "fixtures/formats"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(1)
writer = gguf.GGUFWriter(out / "storage.gguf", "llama")
writer.add_string("test.text", "ソクラテス")
writer.add_uint32("test.number", 7)
writer.add_array("test.strings", ["a", "い", ""])
expected = {}


def halves(count):
    return (rng.standard_normal(count) * 0.05).astype(np.float16).view(np.uint8).reshape(count, 2)


def k_blocks(size, places):
    blocks = rng.integers(0, 256, (2, size), dtype=np.uint8)
    for place in places:
        blocks[:, place:place + 2] = halves(2)
    return blocks.reshape(1, -1)


values = (rng.standard_normal((2, 256)) * 3).astype(np.float32)
for kind in (Q.Q4_0, Q.Q4_1, Q.Q5_0, Q.Q5_1, Q.Q8_0, Q.BF16):
    raw = gguf.quants.quantize(values, kind)
    writer.add_tensor(kind.name, raw, raw_dtype=kind)
    expected[kind.name] = gguf.quants.dequantize(raw, kind)
for kind, size, places in ((Q.Q4_K, 144, (0, 2)), (Q.Q5_K, 176, (0, 2)), (Q.Q6_K, 210, (208,))):
    raw = k_blocks(size, places)
    writer.add_tensor(kind.name, raw, raw_dtype=kind)
    expected[kind.name] = gguf.quants.dequantize(raw, kind)
writer.add_tensor("F32", values)
writer.add_tensor("F16", values.astype(np.float16))
expected["F32"] = values
expected["F16"] = values.astype(np.float16).astype(np.float32)

def random_blocks(size, places):
    blocks = rng.integers(0, 256, (4, size), dtype=np.uint8)
    for place in places:
        blocks[:, place:place + 2] = (rng.standard_normal(4) * 0.05).astype(np.float16).view(np.uint8).reshape(4, 2)
    return blocks


for kind, size, places in ((Q.IQ4_NL, 18, (0,)), (Q.IQ4_XS, 136, (0,)), (Q.Q2_K, 84, (80, 82)), (Q.Q3_K, 110, (108,))):
    raw = random_blocks(size, places).reshape(2, -1)
    writer.add_tensor(kind.name, raw, raw_dtype=kind)
    expected[kind.name] = gguf.quants.dequantize(raw, kind)
# Of MXFP4 also the exponents whose scales are subnormal numbers, and the largest.
raw = random_blocks(17, ())
raw[:, 0] = (0, 1, 120, 254)
raw = np.concatenate([raw, gguf.quants.quantize(values[:1, :128].reshape(4, 32), Q.MXFP4)]).reshape(2, -1)
writer.add_tensor("MXFP4", raw, raw_dtype=Q.MXFP4)
with np.errstate(over="ignore"):
    expected["MXFP4"] = gguf.quants.dequantize(raw, Q.MXFP4)
writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
save_file({name: np.ascontiguousarray(tensor, dtype=np.float32) for name, tensor in expected.items()},
          out / "storage.safetensors")
