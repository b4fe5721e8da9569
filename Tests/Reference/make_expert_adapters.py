"""Makes Tests/Reference/fixtures/expert-adapters: adapters of experts in the forms that PEFT has or had for them, for the tiny
models of make_models.py.

    python Tests/Reference/make_models.py && python Tests/Reference/make_expert_adapters.py

  MODEL-former   tensors for each expert, as before transformers 5, which PEFT converts
  MODEL-NAME     by target_parameters: gate-up and down alone, and a router's or a linear layer's weight

Each folder is an adapter, with expected.safetensors: the logits that PEFT computes with it.
"""
import json
import pathlib
import shutil

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file

here = pathlib.Path(__file__).parent / "fixtures"
out = here / "expert-adapters"
shutil.rmtree(out, ignore_errors=True)


def model(name):
    return transformers.AutoModelForCausalLM.from_pretrained(
        here / "models" / name, attn_implementation="eager", experts_implementation="eager").float().eval()


def expected(adapted, name, folder):
    sequences = json.loads((here / "models" / name / "expected.json").read_text())["sequences"]
    with torch.no_grad():
        save_file({f"logits.{index}": adapted(torch.tensor([sequence])).logits[0].contiguous()
                   for index, sequence in enumerate(sequences)}, folder / "expected.safetensors")
    (folder / "README.md").unlink(missing_ok=True)


def former(name, layers, module, names, shapes):
    """An adapter with tensors for each expert."""
    torch.manual_seed(len(name))
    folder = out / (name + "-former")
    folder.mkdir(parents=True)
    tensors = {}
    for layer in range(layers):
        prefix = f"base_model.model.model.layers.{layer}."
        for expert in range(5):
            for target in names:
                rows, columns = shapes[target]
                key = f"{prefix}{module}.experts.{expert}.{target}"
                tensors[key + ".lora_A.weight"] = torch.randn(2, columns) * 0.3
                tensors[key + ".lora_B.weight"] = torch.randn(rows, 2) * 0.3
        tensors[f"{prefix}{module}.gate.lora_A.weight"] = torch.randn(2, 24) * 0.3
        tensors[f"{prefix}{module}.gate.lora_B.weight"] = torch.randn(5, 2) * 0.3
        tensors[f"{prefix}self_attn.q_proj.lora_A.weight"] = torch.randn(2, 24) * 0.3
        tensors[f"{prefix}self_attn.q_proj.lora_B.weight"] = torch.randn(30, 2) * 0.3
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 6, "lora_dropout": 0.0, "bias": "none",
        "target_modules": ["q_proj", "gate", *names]}))
    adapted = PeftModel.from_pretrained(model(name), folder)
    expected(adapted, name, folder)


def parameters(name, label, targets, **settings):
    torch.manual_seed(len(label))
    folder = out / f"{name}-{label}"
    adapted = get_peft_model(model(name), LoraConfig(
        r=3, lora_alpha=6, lora_dropout=0.0, target_parameters=targets, **{"target_modules": [], **settings}))
    for key, parameter in adapted.named_parameters():
        if "lora_B" in key:
            parameter.data.normal_(0, 0.3)
    adapted.save_pretrained(folder)
    expected(adapted.eval(), name, folder)


former("mixtral-tiny", 2, "block_sparse_moe", ["w1", "w2", "w3"], {"w1": (14, 24), "w2": (24, 14), "w3": (14, 24)})
former("qwen3-moe-tiny", 2, "mlp", ["gate_proj", "up_proj", "down_proj"],
       {"gate_proj": (10, 24), "up_proj": (10, 24), "down_proj": (24, 10)})
parameters("qwen3-moe-tiny", "gate-up", ["experts.gate_up_proj"])
parameters("qwen3-moe-tiny", "down", ["experts.down_proj"], target_modules=["q_proj"], use_rslora=True)
parameters("gpt-oss-tiny", "both", ["mlp.experts.gate_up_proj", "mlp.experts.down_proj"],
           rank_pattern={"experts.down_proj": 1}, alpha_pattern={"experts.gate_up_proj": 9})
parameters("granitemoe-tiny", "router", ["router.weight", "self_attn.q_proj.weight"])
