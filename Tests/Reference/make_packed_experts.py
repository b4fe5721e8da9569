"""Makes Tests/Reference/fixtures/packed-experts: tiny mixtures of experts whose experts are packed, and the logits that transformers
computes with their decoded weights.

    python Tests/Reference/make_packed_experts.py

  gpt-oss      a folder with MXFP4 in the two tensors that gpt-oss has for each stack, decoded by transformers
  experts.gguf a Qwen 3-MoE with gates in Q8_0, ups in Q4_0 and downs in MXFP4, decoded by the gguf package
"""
import json
import pathlib
import shutil

import gguf
import torch
import transformers
from gguf import quants
from safetensors.torch import save_file
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

import gguf_models

out = pathlib.Path(__file__).parent / "fixtures/packed-experts"
shutil.rmtree(out, ignore_errors=True)
sizes = dict(vocab_size=47, hidden_size=32, num_attention_heads=3, num_key_value_heads=1, num_hidden_layers=1, head_dim=8,
             max_position_embeddings=64, num_experts_per_tok=2, attn_implementation="eager", experts_implementation="eager",
             pad_token_id=0, bos_token_id=1, eos_token_id=2)
sequence = torch.arange(3, 30)


def randomise(model):
    for name, parameter in model.named_parameters():
        parameter.data.normal_(1 if "norm" in name else 0, 0.3)
    return model.float().eval()


def logits(model):
    with torch.no_grad():
        return model(sequence[None]).logits[0].contiguous()


torch.manual_seed(3)
model = randomise(transformers.GptOssForCausalLM(transformers.GptOssConfig(
    **sizes, intermediate_size=64, num_local_experts=3, layer_types=["full_attention"])))
tensors = {}
for name, parameter in list(model.named_parameters()):
    if not name.endswith(("experts.gate_up_proj", "experts.down_proj")):
        tensors[name] = parameter.detach().clone()
        continue
    experts, columns, rows = parameter.shape
    blocks = torch.randint(0, 256, (experts, rows, columns // 32, 16), dtype=torch.uint8)
    scales = torch.randint(121, 126, (experts, rows, columns // 32), dtype=torch.uint8)
    tensors[name + "_blocks"], tensors[name + "_scales"] = blocks, scales
    parameter.data = convert_moe_packed_tensors(blocks, scales, dtype=torch.float32)
model.config.save_pretrained(out / "gpt-oss")
path = out / "gpt-oss/config.json"
config = json.loads(path.read_text())
config["quantization_config"] = {"quant_method": "mxfp4", "modules_to_not_convert": ["model.layers.*.self_attn", "lm_head"]}
config["architectures"] = ["GptOssForCausalLM"]
path.write_text(json.dumps(config, indent=1))
save_file(tensors, out / "gpt-oss/model.safetensors", metadata={"format": "pt"})
expected = {"gpt-oss": logits(model)}

model = randomise(transformers.Qwen3MoeForCausalLM(transformers.Qwen3MoeConfig(
    **sizes, intermediate_size=32, moe_intermediate_size=32, num_experts=3, norm_topk_prob=True)))
kinds = {"gate_proj": "Q8_0", "up_proj": "Q4_0", "down_proj": "MXFP4"}


class PackedWriter(gguf.GGUFWriter):
    """Packs experts."""
    def add_tensor(self, name, values, **kwargs):
        kind = next((kinds[key] for key, part in (("gate_proj", "ffn_gate_exps"), ("up_proj", "ffn_up_exps"),
                                                  ("down_proj", "ffn_down_exps")) if part in name), None)
        if not kind:
            return super().add_tensor(name, values, **kwargs)
        kind = gguf.GGMLQuantizationType[kind]
        super().add_tensor(name, quants.quantize(values, kind), raw_dtype=kind)


def decoded(values, kind):
    kind = gguf.GGMLQuantizationType[kind]
    return torch.from_numpy(quants.dequantize(quants.quantize(values.numpy(), kind), kind))


gguf_models.gguf.GGUFWriter = PackedWriter
gguf_models.write_gguf(model, "qwen3moe", out / "experts.gguf")
for name, parameter in model.named_parameters():
    if name.endswith("experts.gate_up_proj"):
        gate, up = parameter.data.chunk(2, dim=1)
        parameter.data = torch.cat([decoded(gate.contiguous(), "Q8_0"), decoded(up.contiguous(), "Q4_0")], dim=1)
    if name.endswith("experts.down_proj"):
        parameter.data = decoded(parameter.data, "MXFP4")
expected["experts"] = logits(model)
save_file(expected, out / "expected.safetensors")
