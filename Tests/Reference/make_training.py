"""Learning rates and optimizers as transformers and torch compute them: fixtures/training/*.json.

    python Tests/Reference/make_training.py
"""
import json
import pathlib

import torch
from transformers import get_scheduler
from transformers.optimization import Adafactor

out = pathlib.Path(__file__).parent / "fixtures" / "training"
out.mkdir(parents=True, exist_ok=True)


def rates(name, warmup, total, **options):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=2e-4)
    schedule = get_scheduler(name, optimizer, warmup, total, scheduler_specific_kwargs=dict(options))
    values = []
    for _ in range(total + 3):
        values.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return {"name": name, "warmup": warmup, "total": total, "options": options, "rates": values}


json.dump([
    *[rates(name, warmup, total) for name in ["linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup",
                                              "polynomial", "inverse_sqrt"] for warmup, total in [(0, 7), (3, 20), (5, 6)]],
    rates("cosine_with_restarts", 2, 23, num_cycles=3),
    *[rates("cosine", 2, 23, num_cycles=cycles) for cycles in [1, 0.25]],
    rates("polynomial", 2, 23, power=2.0, lr_end=1e-5),
    rates("inverse_sqrt", 4, 12, timescale=9),
    rates("warmup_stable_decay", 3, 20, num_decay_steps=2),
    *[rates("warmup_stable_decay", 4, 30, num_decay_steps=10, min_lr_ratio=0.1, decay_type=kind)
      for kind in ["linear", "cosine", "1-sqrt"]],
    rates("warmup_stable_decay", 0, 6, num_decay_steps=6),
], open(out / "schedules.json", "w"), indent=None)


def lion(parameters, decay):
    """Lion, as in algorithm 2 of its paper; torch has no implementation."""
    state = [torch.zeros_like(p) for p in parameters]

    def step(rate):
        for p, m in zip(parameters, state):
            direction = torch.sign(0.9 * m + 0.1 * p.grad)
            p.data -= rate * (direction + (decay if p.dim() > 1 else 0) * p.data)
            m.copy_(0.99 * m + 0.01 * p.grad)
    return step


def torch_step(make):
    def build(parameters, decay):
        groups = [{"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
                  {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0}]
        optimizer = make(groups)

        def step(rate):
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
        return step
    return build


kinds = {
    "adamw_torch": torch_step(lambda groups: torch.optim.AdamW(groups, lr=1, betas=(0.9, 0.99), eps=1e-8)),
    "sgd": torch_step(lambda groups: torch.optim.SGD(groups, lr=1)),
    "adafactor": torch_step(lambda groups: Adafactor(groups, lr=1, scale_parameter=False, relative_step=False)),
    "lion": lion,
}
torch.manual_seed(0)
start = [torch.randn(3, 5), torch.randn(4)]
gradients = [[torch.randn_like(p) * 10 ** (-step) for p in start] for step in range(4)]
results = {}
for name, make in kinds.items():
    parameters = [torch.nn.Parameter(p.clone()) for p in start]
    step = make(parameters, 0.1)
    values = []
    for index, gradient in enumerate(gradients):
        for p, g in zip(parameters, gradient):
            p.grad = g.clone()
        step(1e-2 * (index + 1))
        values.append([p.detach().flatten().tolist() for p in parameters])
    results[name] = values
json.dump({"start": [p.flatten().tolist() for p in start],
           "gradients": [[g.flatten().tolist() for g in gradient] for gradient in gradients], "results": results},
          open(out / "optimizers.json", "w"), indent=None)
