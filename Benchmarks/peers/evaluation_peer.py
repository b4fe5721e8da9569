"""Evaluation by Trainer, in this process: python evaluation_peer.py SPECIFICATION.json

`metrics`: with the notebook's compute_metrics, which is given all logits; otherwise the loss alone, for which Trainer keeps none.
"""
import time

import torch
from peer import leave, model_with_adapter, read_specification, rows, tell
from processes import PeakMemory
from real_model import collate, compute_metrics
from transformers import Trainer, TrainingArguments


class PeerTrainer(Trainer):
    passes, begin, limit, batches = 0, 0.0, 0.0, 0

    def prediction_step(self, *arguments, **keywords):
        result = super().prediction_step(*arguments, **keywords)
        self.passes += 1
        seconds = time.perf_counter() - self.begin
        tell("pass", seconds=seconds)
        if self.passes <= 2 and seconds / self.passes * self.batches > self.limit:
            tell("extrapolated", seconds=seconds / self.passes * self.batches)
            leave()
        return result


def main():
    specification = read_specification()
    ids = rows(specification, "evaluation")[:specification["samples"]]
    trainer = PeerTrainer(
        model=model_with_adapter(specification, trainable=False), data_collator=collate,
        eval_dataset=[{"input_ids": row} for row in ids], compute_metrics=compute_metrics if specification["metrics"] else None,
        args=TrainingArguments(
            output_dir=specification["folder"] + "/trainer", per_device_eval_batch_size=2, eval_accumulation_steps=4,
            bf16=specification["autocast"], prediction_loss_only=not specification["metrics"], report_to=[],
            use_cpu=not torch.cuda.is_available(), disable_tqdm=True, remove_unused_columns=False))
    trainer.limit, trainer.batches = specification["limit"], (len(ids) + 1) // 2
    with PeakMemory() as used:
        trainer.begin = time.perf_counter()
        metrics = trainer.evaluate()
        seconds = time.perf_counter() - trainer.begin
    # Without the metrics Trainer averages its batches' means, which is not the loss of the set: it is told as what it is.
    tell("evaluated", seconds=seconds, above=used.above, loss=metrics.get("eval_shifted_loss", metrics["eval_loss"]))


main()
