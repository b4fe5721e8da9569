"""The names and defaults of every field of transformers' TrainingArguments and PEFT's LoraConfig: fixtures/configuration/fields.json.

    python Tests/Reference/make_configuration.py
"""
import dataclasses
import enum
import json
import pathlib

import peft
import transformers

out = pathlib.Path(__file__).parent / "fixtures/configuration"
out.mkdir(exist_ok=True)


def default(field):
    value = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
    if isinstance(value, enum.Enum):
        value = value.value
    if dataclasses.is_dataclass(value):
        value = dataclasses.asdict(value)
    return value


def fields(kind):
    return {field.name: default(field) for field in dataclasses.fields(kind)}


(out / "fields.json").write_text(json.dumps({
    "transformers": transformers.__version__, "peft": peft.__version__,
    "training": fields(transformers.TrainingArguments), "lora": fields(peft.LoraConfig)}, indent=1) + "\n")
