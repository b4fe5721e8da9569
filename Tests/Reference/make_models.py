"""Makes Tests/Reference/fixtures/models: tiny random models, and what transformers and PEFT compute with them.

    pip install torch==2.13.0 transformers==5.23.0 peft==0.21.2 && python Tests/Reference/make_models.py

Each folder holds a model as save_pretrained writes it, a LoRA adapter as PEFT writes it, and
  expected.json         sequences, labels (-100: no loss), the loss per label with the adapter, greedy continuations
  expected.safetensors  logits.N, adapted_logits.N of every sequence alone, gradient.NAME of every adapter tensor
"""
import json
import pathlib
import shutil

import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from transformers import (Gemma2Config, Gemma2ForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig,
                          LlamaForCausalLM)

out = pathlib.Path(__file__).parent / "fixtures/models"
sizes = dict(vocab_size=96, hidden_size=16, intermediate_size=32, num_attention_heads=4, head_dim=8,
             max_position_embeddings=128, attn_implementation="eager", pad_token_id=0, bos_token_id=1, eos_token_id=2)
models = {
    "gemma3-tiny": (Gemma3ForCausalLM, Gemma3TextConfig(
        **sizes, num_hidden_layers=4, num_key_value_heads=1, sliding_window=8, query_pre_attn_scalar=12,
        layer_types=["sliding_attention", "sliding_attention", "full_attention", "sliding_attention"],
        rope_parameters={"full_attention": {"rope_type": "default", "rope_theta": 1e6},
                         "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}})),
    "gemma2-tiny": (Gemma2ForCausalLM, Gemma2Config(
        **sizes, num_hidden_layers=4, num_key_value_heads=2, sliding_window=8, query_pre_attn_scalar=12,
        attn_logit_softcapping=3.0, final_logit_softcapping=2.0)),
    "llama-tiny": (LlamaForCausalLM, LlamaConfig(
        **sizes, num_hidden_layers=3, num_key_value_heads=2, tie_word_embeddings=True,
        rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0,
                         "high_freq_factor": 4.0, "original_max_position_embeddings": 32})),
    "llama-untied": (LlamaForCausalLM, LlamaConfig(
        **sizes, num_hidden_layers=2, num_key_value_heads=4, tie_word_embeddings=False)),
}


def randomise(model, deviation):
    for name, parameter in model.named_parameters():
        if "norm" in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
        else:
            parameter.data.normal_(0, deviation)


for seed, (name, (kind, config)) in enumerate(models.items()):
    torch.manual_seed(seed)
    folder = out / name
    shutil.rmtree(folder, ignore_errors=True)
    model = kind(config).float().eval()
    randomise(model, 0.4)
    model.save_pretrained(folder, max_shard_size="20KB" if name == "llama-tiny" else "5GB")
    sequences = [torch.randint(3, 96, (length,)) for length in (5, 13, 21)]
    labels = []
    for index, sequence in enumerate(sequences):
        label = sequence.clone()
        label[: index + 1] = -100
        label[-2] = -100
        labels.append(label)
    tensors = {}
    continuations = []
    with torch.no_grad():
        for index, sequence in enumerate(sequences):
            tensors[f"logits.{index}"] = model(sequence[None]).logits[0].contiguous()
            tokens = sequence.clone()
            for _ in range(12):
                tokens = torch.cat([tokens, model(tokens[None]).logits[0, -1].argmax()[None]])
            continuations.append(tokens[len(sequence):].tolist())
    targets = (["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
               if name != "llama-untied" else ["q_proj", "v_proj"])
    adapted = get_peft_model(model, LoraConfig(r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets,
                                               task_type="CAUSAL_LM"))
    for parameter_name, parameter in adapted.named_parameters():
        if "lora_B" in parameter_name:
            parameter.data.normal_(0, 0.2)
    adapted.save_pretrained(folder / "adapter")
    total, count = 0, 0
    for index, (sequence, label) in enumerate(zip(sequences, labels)):
        logits = adapted(sequence[None]).logits[0]
        tensors[f"adapted_logits.{index}"] = logits.detach().contiguous()
        total = total + torch.nn.functional.cross_entropy(logits[:-1], label[1:], reduction="sum")
        count += int((label[1:] != -100).sum())
    (total / count).backward()
    for parameter_name, parameter in adapted.named_parameters():
        if parameter.grad is not None:
            tensors["gradient." + parameter_name.removeprefix("base_model.model.").replace(".default", "")] = parameter.grad
    save_file(tensors, folder / "expected.safetensors")
    (folder / "expected.json").write_text(json.dumps({
        "sequences": [s.tolist() for s in sequences], "labels": [l.tolist() for l in labels],
        "loss": (total / count).item(), "labelCount": count, "continuations": continuations}))
    (folder / "adapter/README.md").unlink(missing_ok=True)
    (folder / "generation_config.json").unlink(missing_ok=True)
