"""Runs of TRL's trainers of preferences on a tiny random model: fixtures/preferences.

    python Tests/Reference/make_preferences.py [NAME …]

Writes pairs.jsonl and judged.jsonl (what is trained on, in letters: each is a token), results.json (for each loss, what twenty
steps measured, and what became of the adapter).
"""
import json
import pathlib
import random
import sys
import tempfile

import torch
from datasets import Dataset
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer
from trl.experimental.cpo import CPOConfig, CPOTrainer
from trl.experimental.orpo import ORPOConfig, ORPOTrainer

torch.set_num_threads(1)
here = pathlib.Path(__file__).parent / "fixtures"
out = here / "preferences"
out.mkdir(exist_ok=True)
tiny = here / "models" / "gemma3-tiny"
letters = "abcdefghijklmnopqrstuvwxyz ,.?"
steps = 20


def tokenizer(folder):
    """Each letter is a token, as in MenoTesting's TinyModel; no token begins a text, and <eos> ends it."""
    vocabulary = {"<pad>": 0, "<bos>": 1, "<eos>": 2, "<unk>": 3}
    for letter in letters:
        vocabulary[letter] = len(vocabulary)
    special = [{"id": vocabulary[t], "content": t, "special": True, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False} for t in ("<pad>", "<bos>", "<eos>", "<unk>")]
    file = folder / "tokenizer.json"
    file.write_text(json.dumps({
        "version": "1.0", "added_tokens": special, "normalizer": None, "pre_tokenizer": None, "post_processor": None,
        "decoder": None, "truncation": None, "padding": None,
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [], "unk_token": "<unk>"}}))
    # The experimental trainers add a token that begins texts wherever the tokenizer names one.
    return PreTrainedTokenizerFast(
        tokenizer_file=str(file), eos_token="<eos>", pad_token="<pad>", unk_token="<unk>")


def records():
    """Pairs of a prompt and two completions of unlike lengths, some of which begin alike."""
    draw = random.Random(7)
    text = lambda low, high: "".join(draw.choice(letters) for _ in range(draw.randint(low, high)))
    pairs = []
    for index in range(8):
        start = text(2, 4) if index % 3 == 0 else ""
        pairs.append({"prompt": "x" + text(4, 14), "chosen": start + "a" + text(3, 12), "rejected": start + "b" + text(3, 16)})
    judged = []
    for index, pair in enumerate(pairs):
        side = "chosen" if index % 2 == 0 else "rejected"
        judged.append({"prompt": pair["prompt"], "completion": pair[side], "label": side == "chosen"})
    # A step of TRL's KTO takes its batch in this order: one has good completions alone.
    judged[3]["label"] = True
    return pairs, judged


def policy(start):
    model = AutoModelForCausalLM.from_pretrained(tiny, dtype=torch.float32, attn_implementation="eager")
    if start == "full":
        return model
    model = PeftModel.from_pretrained(model, tiny / "adapter", is_trainable=True)
    if start == "new":
        # As PEFT begins an adapter: the model as it is.
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.data.zero_()
        config = model.peft_config["default"]
        fresh = get_peft_model(model.unload(), LoraConfig(
            r=config.r, lora_alpha=config.lora_alpha, lora_dropout=0.0, target_modules=config.target_modules))
        saved = load_file(tiny / "adapter" / "adapter_model.safetensors")
        for name, parameter in fresh.named_parameters():
            if "lora_A" in name:
                parameter.data.copy_(saved[name.replace(".default", "")])
        return fresh
    return model


kept = ["loss", "grad_norm", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
        "logps/rejected", "kl", "nll_loss", "log_odds_ratio", "log_odds_chosen"]


def short(value):
    return float(f"{value:.9g}")


def run(trainer, config, data, start, **options):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        arguments = config(
            output_dir=str(folder / "out"), max_steps=steps, per_device_train_batch_size=2, gradient_accumulation_steps=1,
            learning_rate=1e-3, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0, logging_steps=1,
            save_strategy="no", report_to=[], bf16=False, use_cpu=True, disable_tqdm=True, gradient_checkpointing=False,
            per_device_eval_batch_size=16, seed=0, train_sampling_strategy="sequential", **options)
        model = policy(start)
        torch.manual_seed(0)
        made = trainer(model=model, args=arguments, train_dataset=Dataset.from_list(data),
                       eval_dataset=Dataset.from_list(data), processing_class=tokenizer(folder))
        made.train()
        log = [{key: short(entry[key]) for key in kept if key in entry} for entry in made.state.log_history if "loss" in entry]
        evaluation = made.evaluate()
        values = {k.removeprefix("eval_"): v for k, v in evaluation.items()}
        adapter = {k: v.detach().clone() for k, v in made.model.named_parameters() if "lora_" in k and ".ref." not in k}
        assert len(log) == steps, len(log)
        return {"steps": log, "evaluation": {k: short(values[k]) for k in kept if k in values}}, adapter


pairs, judged = records()
dpo = lambda start="given", **o: (DPOTrainer, DPOConfig, pairs, start, o)
cpo = lambda **o: (CPOTrainer, CPOConfig, pairs, "given", o)
runs = {
    "sigmoid": dpo(beta=0.5), "sigmoid-new": dpo("new", beta=0.5), "sigmoid-full": dpo("full", beta=0.5),
    "hinge": dpo(loss_type=["hinge"], beta=0.5), "ipo": dpo(loss_type=["ipo"], beta=0.2),
    "robust": dpo(loss_type=["robust"], label_smoothing=0.1), "exo_pair": dpo(loss_type=["exo_pair"], label_smoothing=1e-3),
    "nca_pair": dpo(loss_type=["nca_pair"]), "sft": dpo(loss_type=["sft"]),
    "sigmoid-sft": dpo(loss_type=["sigmoid", "sft"], loss_weights=[0.8, 0.3], beta=0.3),
    "bco_pair": dpo(loss_type=["bco_pair"]), "sppo_hard": dpo(loss_type=["sppo_hard"]),
    "apo_zero": dpo(loss_type=["apo_zero"]), "apo_down": dpo(loss_type=["apo_down"]),
    "sigmoid_norm": dpo(loss_type=["sigmoid_norm"], beta=1.0),
    "kto": (KTOTrainer, KTOConfig, judged, "given", dict(beta=0.3, desirable_weight=1.2, undesirable_weight=0.8)),
    "apo_zero_unpaired": (KTOTrainer, KTOConfig, judged, "given", dict(loss_type="apo_zero_unpaired", beta=0.3)),
    "orpo": (ORPOTrainer, ORPOConfig, pairs, "given", dict(beta=0.4)),
    "cpo": cpo(label_smoothing=0.1), "cpo-hinge": cpo(loss_type="hinge"), "cpo-ipo": cpo(loss_type="ipo", cpo_alpha=0.5),
    "simpo": cpo(loss_type="simpo", beta=2.0, simpo_gamma=1.0, cpo_alpha=0.0),
    "alphapo": cpo(loss_type="alphapo", beta=2.0, alpha=0.25),
}

wanted = sys.argv[1:] or list(runs)
file = out / "results.json"
results = json.loads(file.read_text()) if file.exists() and sys.argv[1:] else {}
for name in wanted:
    trainer, config, data, start, options = runs[name]
    results[name], adapter = run(trainer, config, data, start, **options)
    if options.get("cpo_alpha") == 0 or options.get("loss_type") == "alphapo":
        # What is not computed there is logged as 0.
        for entry in [*results[name]["steps"], results[name]["evaluation"]]:
            del entry["nll_loss"]
    first, last = results[name]["steps"][0], results[name]["steps"][-1]
    print(name, first["loss"], last["loss"], last["grad_norm"])
    # Of the adapter after the last step: A's and B's values, as far as a number tells.
    results[name]["squares"] = {
        part: short(sum(float((v.double() ** 2).sum()) for k, v in adapter.items() if part in k)) for part in ("lora_A", "lora_B")}
file.write_text(json.dumps(results, separators=(",", ":")))
for name, rows in [("pairs", pairs), ("judged", judged)]:
    (out / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
