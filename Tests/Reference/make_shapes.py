"""Makes Tests/Reference/fixtures/sources/shapes.json: records of the shapes people have, and the turns that other programs make of
them. Dialogues in `messages`, `conversations` and `prompt`/`completion` go through TRL (`maybe_convert_to_chatml`); the shapes that
TRL does not know are converted as LLaMA-Factory documents it (data/README.md: Alpaca and ShareGPT formats).

    pip install trl
    python Tests/Reference/make_shapes.py
"""
import copy
import json
import pathlib

from trl.data_utils import maybe_convert_to_chatml

trl = [
    {"messages": [{"role": "system", "content": "短く"}, {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]},
    {"messages": [{"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Yes?"}]},
    {"conversations": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]},
    {"conversations": [{"from": "user", "value": "Hi"}, {"from": "assistant", "value": "Yes?"}]},
    {"conversations": [{"role": "user", "value": "Hi"}, {"from": "assistant", "content": "Yes?"}]},
    {"prompt": [{"role": "user", "content": "Hi"}], "completion": [{"role": "assistant", "content": "Yes?"}]},
    {"prompt": [{"from": "user", "value": "Hi"}], "completion": [{"from": "assistant", "value": "Yes?"}]},
]


def by_trl(record):
    converted = maybe_convert_to_chatml(copy.deepcopy(record))
    return converted.get("messages") or converted["prompt"] + converted["completion"]


# LLaMA-Factory's names of roles in ShareGPT's format.
roles = {"human": "user", "gpt": "assistant", "observation": "tool", "system": "system"}


def by_llama_factory(record):
    turns = []
    if record.get("system"):
        turns.append({"role": "system", "content": record["system"]})
    if "conversations" in record:
        turns += [{"role": roles[turn["from"]], "content": turn["value"]} for turn in record["conversations"]]
        return turns
    for asked, answered in record.get("history") or []:
        turns += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
    asked = [record["instruction"], record.get("input")]
    turns.append({"role": "user", "content": "\n".join(text for text in asked if text)})
    return turns + [{"role": "assistant", "content": record["output"]}]


factory = [
    {"instruction": "Add.", "input": "1+1", "output": "2"},
    {"instruction": "Say hi.", "input": "", "output": "Hi."},
    {"instruction": "Say hi.", "output": "Hi."},
    {"instruction": "And 2+2?", "input": None, "output": "4", "system": "Be brief.", "history": [["1+1?", "2"], ["Sure?", "Yes."]]},
    {"conversations": [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}], "system": "Be brief."},
    {"conversations": [{"from": "system", "value": "s"}, {"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Yes?"}]},
    {"conversations": [{"from": "human", "value": "9?"}, {"from": "observation", "value": "9"}, {"from": "gpt", "value": "9."}]},
]
made = [{"record": record, "turns": by_trl(record)} for record in trl]
made += [{"record": record, "turns": by_llama_factory(record)} for record in factory]
path = pathlib.Path(__file__).parent / "fixtures" / "sources" / "shapes.json"
path.write_text("[\n" + ",\n".join(json.dumps(case, ensure_ascii=False) for case in made) + "\n]\n")
