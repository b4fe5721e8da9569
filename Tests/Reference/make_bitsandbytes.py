"""Makes Tests/Reference/fixtures/formats/bitsandbytes.safetensors: matrices that bitsandbytes quantised on the CPU, and what it
decodes them to.

    pip install bitsandbytes==0.50.2 torch safetensors && python Tests/Reference/make_bitsandbytes.py
"""
import pathlib
import bitsandbytes.functional as F
import torch
from safetensors.torch import save_file

out = pathlib.Path(__file__).parent / "fixtures/formats/bitsandbytes.safetensors"
torch.manual_seed(4)
tensors = {}


def add(name, **parts):
    # Bytes are written as float32 numbers, which is what a reader of weights gives.
    tensors.update({f"{name}.{part}": tensor.detach().float().clone().contiguous() for part, tensor in parts.items()})


def four_bits(kind, values):
    codes, state = F.quantize_4bit(values, blocksize=64, quant_type=kind)
    add(kind, values=values, codes=codes.view(len(values), -1), codebook=state.code, scales=state.absmax,
        decoded=F.dequantize_4bit(codes, state))


def nested_four_bits(kind, values):
    codes, state = F.quantize_4bit(values, blocksize=64, quant_type=kind, compress_statistics=True)
    add(kind + "_nested", values=values, codes=codes.view(len(values), -1), codebook=state.code, scale_codes=state.absmax,
        scale_codebook=state.state2.code, scale_scales=state.state2.absmax, scale_offset=state.offset.view(1),
        decoded=F.dequantize_4bit(codes, state))


# Rows of whole blocks: where they end within one, the CPU kernel of this version decodes with the scales of other blocks.
values = torch.randn(4, 384) * 0.05
for kind in ("nf4", "fp4"):
    four_bits(kind, values)
codes, scales, _ = F.int8_vectorwise_quant(values.half())
add("int8", codes=codes.view(torch.uint8), scales=scales, decoded=F.int8_vectorwise_dequant(codes, scales))
nested_four_bits("fp4", values)
# More scales than one block of them.
nested_four_bits("nf4", torch.randn(300, 64) * 0.05)
save_file(tensors, out)
