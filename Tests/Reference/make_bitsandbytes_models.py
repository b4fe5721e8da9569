"""Makes Tests/Reference/fixtures/bitsandbytes: tiny models that bitsandbytes has quantised, and what transformers and PEFT compute.

    pip install torch==2.13.0 transformers==5.24.0 peft==0.21.2 bitsandbytes==0.50.2 accelerate
    python Tests/Reference/make_bitsandbytes_models.py

Each folder holds a model as save_pretrained writes it, a LoRA adapter in PEFT's form, and
  expected.json         sequences; examples, and the eight optimizer steps of Trainer with PEFT from that adapter on the dequantised
                        weights ("dequantised") and, of four bits, on the quantised model itself ("quantised")
  expected.safetensors  logits.N of every sequence alone, of the dequantised weights; decoded.NAME of a few weights

With a gradient, transformers' layers dequantise whole matrices on a CPU, too; without one bitsandbytes rounds scales to bfloat16, so
that no logits of theirs are kept. Of eight bits they quantise activations as well: there only the dequantised weights are compared.
"""
import json
import pathlib
import shutil
import tempfile

import bitsandbytes.functional as F
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file
from trainer_steps import logits, trajectory
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, LlamaConfig, LlamaForCausalLM

torch.set_num_threads(1)
out = pathlib.Path(__file__).parent / "fixtures/bitsandbytes"
config = LlamaConfig(
    vocab_size=96, hidden_size=64, intermediate_size=128, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=128, tie_word_embeddings=False, attn_implementation="eager", pad_token_id=0, bos_token_id=1,
    eos_token_id=2)
kinds = {
    "nf4": dict(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True),
    "fp4": dict(load_in_4bit=True, bnb_4bit_quant_type="fp4", llm_int8_skip_modules=["down_proj", "lm_head"]),
    "int8": dict(load_in_8bit=True),
}


def decoded(module):
    weight = module.weight
    if hasattr(weight, "quant_state"):
        return F.dequantize_4bit(weight.data, weight.quant_state)
    if weight.dtype == torch.int8:
        # Before a pass the scales belong to the weight, afterwards to the layer.
        scales = weight.SCB if weight.SCB is not None else module.state.SCB
        return F.int8_vectorwise_dequant(weight.data, scales)
    return weight.data


def plain_copy(quantised):
    """A model of ordinary layers with the values that the quantised ones decode to."""
    model = LlamaForCausalLM(config).float()
    layers = dict(quantised.named_modules())
    for name, module in model.named_modules():
        if hasattr(module, "weight"):
            module.weight.data.copy_(decoded(layers[name]))
    return model.eval()


for index, (name, settings) in enumerate(kinds.items()):
    torch.manual_seed(40 + index)
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    original = LlamaForCausalLM(config).float()
    for parameter_name, parameter in original.named_parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.2) if "norm" in parameter_name else parameter.data.normal_(0, 0.12)
    with tempfile.TemporaryDirectory() as place:
        original.save_pretrained(place)
        load = lambda where, **more: AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, device_map="cpu", **more)
        load(place, quantization_config=BitsAndBytesConfig(**settings)).save_pretrained(folder)
    # What a user loads.
    quantised = load(folder)
    plain = plain_copy(quantised)
    tensors = {f"decoded.{n}": decoded(m).clone() for n, m in quantised.named_modules()
               if n.endswith(("layers.0.self_attn.k_proj", "layers.1.mlp.down_proj"))}
    sequences = [torch.randint(3, config.vocab_size, (length,)) for length in (5, 21)]
    with torch.no_grad():
        tensors.update({f"logits.{i}": logits(plain, sequence).contiguous() for i, sequence in enumerate(sequences)})
    adapted = get_peft_model(plain, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=["q_proj", "v_proj", "down_proj"],
                                               task_type="CAUSAL_LM"))
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_B" in parameter_name:
            parameter.data.normal_(0, 0.1)
    adapted.peft_config["default"].target_modules = sorted(adapted.peft_config["default"].target_modules)
    adapted.save_pretrained(folder / "adapter")
    examples, steps = trajectory(adapted)
    expected = {"sequences": [s.tolist() for s in sequences], "examples": examples, "dequantised": steps}
    if "load_in_4bit" in settings:
        trained = PeftModel.from_pretrained(quantised, folder / "adapter", is_trainable=True)
        # Where the input of a layer needs no gradient, as of the first one, bitsandbytes rounds scales to bfloat16.
        trained.enable_input_require_grads()
        expected["quantised"] = trajectory(trained)[1]
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps(expected))
    (folder / "adapter/README.md").unlink(missing_ok=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
