"""Trainer + PEFT, one variant, in this process: python trainer_peer.py SPECIFICATION.json"""
import statistics

from peer import Bounded, model_with_adapter, read_specification, rows, training_arguments
from real_model import InOrder, collate, padded_length
from transformers import TrainingArguments


class PeerTrainer(Bounded, InOrder):
    pass


def main():
    specification = read_specification()
    ids, batch, per_device = rows(specification, "train"), specification["batch"], specification["per_device"]
    trainer = PeerTrainer(
        model=model_with_adapter(specification, trainable=True), data_collator=collate,
        train_dataset=[{"input_ids": row} for row in ids], args=TrainingArguments(**training_arguments(specification)))
    padded = [sum(per_device * padded_length(ids[at:at + per_device]) for at in range(begin, begin + batch, per_device))
              for begin in range(0, len(ids), batch)]
    trainer.bind(specification["step_limit"], statistics.median(padded))
    trainer.train()


main()
