"""Shared code of the peers' processes: the model with its adapter, a trainer that reports the end of each step, and the report."""
import json
import multiprocessing
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Reference"))

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, TrainerCallback


def tell(event, **values):
    print("@" + json.dumps({"event": event, **values}), flush=True)


def leave():
    """Ends the process at once, and its data loader's workers."""
    for child in multiprocessing.active_children():
        child.kill()
    os._exit(0)


def read_specification():
    return json.loads(pathlib.Path(sys.argv[1]).read_text())


def model_with_adapter(specification, trainable):
    model = AutoModelForCausalLM.from_pretrained(specification["model_folder"], dtype=getattr(torch, specification["weights"]))
    model.config.use_cache = False
    model = PeftModel.from_pretrained(model, pathlib.Path(specification["folder"]) / "initial", is_trainable=trainable)
    if specification["checkpointing"]:
        model.enable_input_require_grads()
    return model


def rows(specification, part):
    return json.loads((pathlib.Path(specification["folder"]) / "ids.json").read_text())[part]


def training_arguments(specification):
    """Section 4.3 of the notebook, with a variant's changes. The rate is constant: a few steps do not need a schedule."""
    return dict(
        output_dir=str(pathlib.Path(specification["folder"]) / "trainer"), max_steps=specification["steps"],
        per_device_train_batch_size=specification["per_device"],
        gradient_accumulation_steps=specification["batch"] // specification["per_device"],
        learning_rate=2e-4, weight_decay=0.01, warmup_steps=0, lr_scheduler_type="constant", max_grad_norm=1.0,
        optim="adamw_torch", bf16=specification["autocast"], gradient_checkpointing=specification["checkpointing"],
        torch_compile=specification["compile"], dataloader_num_workers=1, logging_steps=1, save_strategy="no", eval_strategy="no",
        report_to=[], use_cpu=not torch.cuda.is_available(), disable_tqdm=True, remove_unused_columns=False, seed=42)


class Told(TrainerCallback):
    """Reports the end of each step and does nothing else during training."""

    def __init__(self, trainer):
        self.trainer = trainer

    def on_train_begin(self, *_, **__):
        self.begin = time.perf_counter()
        tell("begin")

    def on_step_end(self, args, state, control, **_):
        now = time.perf_counter()
        tell("step", seconds=now - self.begin, tokens=self.trainer.tokens, step=state.global_step)
        self.begin, self.trainer.tokens = now, 0

    def on_log(self, args, state, control, logs=None, **_):
        if "loss" in logs:
            tell("loss", step=state.global_step, loss=logs["loss"])


class Bounded:
    """A mixin for trainers: reports the first micro-batch's time, and ends the process if a step would exceed the time limit.
    """
    tokens = 0
    passes = 0

    def bind(self, limit, padded_step):
        """`padded_step`: the tokens that a typical step computes, padding with them."""
        self.limit, self.padded_step = limit, padded_step
        self.add_callback(Told(self))

    def training_step(self, model, inputs, *arguments, **keywords):
        padded = inputs["input_ids"].numel()
        real = int(inputs["attention_mask"].sum()) if "attention_mask" in inputs else padded
        start = time.perf_counter()
        loss = super().training_step(model, inputs, *arguments, **keywords)
        self.tokens += real
        self.passes += 1
        if self.passes <= 2:
            self._consider(time.perf_counter() - start, padded)
        return loss

    def _consider(self, seconds, padded):
        step = seconds * self.padded_step / padded
        tell("micro", seconds=seconds, step=step)
        # A first pass is slower than the next ones: where there is time for it, the second decides.
        if step > self.limit and (self.passes == 2 or seconds > self.limit / 4):
            tell("extrapolated", seconds=step, micro=seconds)
            leave()
