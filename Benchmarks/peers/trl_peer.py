"""TRL's SFTTrainer + PEFT, one variant, in this process: python trl_peer.py SPECIFICATION.json

Padding-free, a step has the examples that everybody else's has, laid end to end. Packed, rows are filled with whole examples as
they fit, so that its steps hold others: only its tokens per second compare.
"""
import torch
from datasets import Dataset
from peer import Bounded, model_with_adapter, read_specification, rows, training_arguments
from transformers import AutoTokenizer
from trl import SFTConfig, SFTTrainer


class PeerTrainer(Bounded, SFTTrainer):
    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def main():
    specification = read_specification()
    ids, batch = rows(specification, "train"), specification["batch"]
    tokens = sum(map(len, ids)) / specification["steps"]
    arguments = training_arguments(specification)
    if specification["packing"]:
        # As many rows as make about the tokens of everybody else's step.
        length = max(1024, specification["length"])
        row_count = max(1, round(tokens / length))
        arguments.update(packing=True, max_length=length, per_device_train_batch_size=1, gradient_accumulation_steps=row_count)
    else:
        arguments.update(padding_free=specification["padding_free"], max_length=None)
    trainer = PeerTrainer(
        model=model_with_adapter(specification, trainable=True), args=SFTConfig(**arguments),
        train_dataset=Dataset.from_dict({"input_ids": ids}),
        processing_class=AutoTokenizer.from_pretrained(specification["model_folder"]))
    trainer.bind(specification["step_limit"], tokens)
    trainer.train()


main()
