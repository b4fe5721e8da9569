"""Random weights and adapters for tiny models. Used by the scripts that make or compare such models."""
import torch
from peft import LoraConfig, get_peft_model
from transformers.models.phimoe import modeling_phimoe as phimoe

# What adapters adapt of mixtures of experts, as `all-linear` does by itself where PEFT knows their names from before
# transformers 5: gates and ups together have the ranks of both.
routers = {"qwen2_moe": "mlp.gate.weight", "granitemoe": "router.weight", "granitemoehybrid": "router.weight",
           "phimoe": "router.weight", "gpt_oss": "router.weight"}


def plainly(*args, training, **kwargs):
    """Experts that Phi-MoE chooses without sampling, in training too."""
    return sparsemixer(*args, training=False, **kwargs)


sparsemixer, phimoe.sparsemixer = phimoe.sparsemixer, plainly


def randomise(model, deviation):
    for name, parameter in model.named_parameters():
        if "norm" in name and not name.endswith("bias"):
            parameter.data.add_(torch.randn_like(parameter) * 0.3)
        else:
            parameter.data.normal_(0, deviation)
    for name, buffer in model.named_buffers():
        if name.endswith("e_score_correction_bias"):
            buffer.normal_(0, 0.2)


def adapt(model, targets, rank):
    router = routers.get(model.config.model_type)
    settings = {}
    if router and any(".experts." in key for key, _ in model.named_parameters()):
        settings = dict(target_parameters=[router, "experts.gate_up_proj", "experts.down_proj"], exclude_modules=["router"],
                        rank_pattern={r".*\.gate_up_proj": 4}, alpha_pattern={r".*\.gate_up_proj": 16})
    return get_peft_model(model, LoraConfig(r=rank, lora_alpha=8, lora_dropout=0.0, target_modules=targets,
                                            task_type="CAUSAL_LM", **settings))
