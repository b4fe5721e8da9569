"""Eight optimizer steps of transformers' Trainer, with what each of them computed. Used by the scripts that make fixtures."""
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments


def logits(model, sequence):
    # A rotary scaling by length keeps the frequencies of the longest sequence until it meets a short one.
    model(sequence[None, :3])
    return model(sequence[None]).logits[0]


def collate(examples):
    """Pads on the right to a multiple of 8; padding is known by its position."""
    length = -(-max(len(e["input_ids"]) for e in examples) // 8) * 8
    pad = lambda e, value: e["input_ids"] + [value] * (length - len(e["input_ids"]))
    return {"input_ids": torch.tensor([pad(e, 0) for e in examples]),
            "labels": torch.tensor([pad(e, -100) for e in examples]),
            "attention_mask": torch.tensor([[1] * len(e["input_ids"]) + [0] * (length - len(e["input_ids"]))
                                            for e in examples])}


class Recorder(TrainerCallback):
    def __init__(self):
        self.rates, self.norms = [], []

    def on_pre_optimizer_step(self, args, state, control, optimizer=None, **kwargs):
        self.rates.append(optimizer.param_groups[0]["lr"])

    def on_log(self, args, state, control, logs=None, **kwargs):
        if "grad_norm" in logs:
            self.norms.append(float(logs["grad_norm"]))


class SequentialTrainer(Trainer):
    """Keeps the order of the examples and the unrounded loss of every pass."""
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.losses = []

    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)

    def _get_num_items_in_batch(self, batch_samples, device):
        # Of GPT-2, whose class has another name than those of other models, Trainer counts the first tokens too.
        return sum((batch["labels"][..., 1:] != -100).sum() for batch in batch_samples)

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        self.losses.append(loss.item())
        return loss


def trajectory(model):
    generator = torch.Generator().manual_seed(9)
    lengths = torch.randint(4, 20, (64,), generator=generator).tolist()
    vocabulary = model.config.vocab_size
    examples = [torch.randint(3, vocabulary, (length,), generator=generator).tolist() for length in lengths]
    logits(model, torch.tensor(examples[0]))
    recorder = Recorder()
    trainer = SequentialTrainer(
        model=model, train_dataset=[{"input_ids": e} for e in examples], data_collator=collate, callbacks=[recorder],
        args=TrainingArguments(
            output_dir="/tmp/meno-reference", max_steps=8, per_device_train_batch_size=2, gradient_accumulation_steps=4,
            learning_rate=2e-3, weight_decay=0.01, warmup_steps=1, lr_scheduler_type="cosine", max_grad_norm=1.0,
            logging_steps=1, save_strategy="no", report_to=[], use_cpu=True, disable_tqdm=True,
            remove_unused_columns=False, dataloader_pin_memory=False))
    trainer.train()
    steps = [{"loss": sum(trainer.losses[4 * i:4 * i + 4]), "gradientNorm": recorder.norms[i],
              "learningRate": recorder.rates[i]} for i in range(8)]
    logged = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    print([(round(s["loss"], 4), l) for s, l in zip(steps, logged)], [round(s["gradientNorm"], 3) for s in steps])
    return examples, steps
