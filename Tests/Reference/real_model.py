"""A real model and its chats as transformers and PEFT have them: what the comparisons here and Benchmarks/peers share."""
import pathlib

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer

from smollm2_tokenizer import smollm2


def is_gemma(path):
    return pathlib.Path(path).name.startswith("gemma")


def chat_text(messages, gemma):
    """A dialogue as the model reads it, in Gemma's turns or in ChatML."""
    if gemma:
        return "<bos>" + "".join(
            f"<start_of_turn>{'user' if m['role'] == 'user' else 'model'}\n{m['content'].strip()}<end_of_turn>\n" for m in messages)
    return "".join(
        f"<|im_start|>{'user' if m['role'] == 'user' else 'assistant'}\n{m['content']}<|im_end|>\n" for m in messages)


def template(path):
    """What Meno calls the template that `chat_text` writes. (SmolLM2's own adds a system turn.)"""
    return "gemma" if is_gemma(path) else "chatml"


def encoder(path):
    """The ids of a dialogue's messages by Hugging Face's tokenizer of a GGUF file."""
    path = pathlib.Path(path)
    if is_gemma(path):
        tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
        return lambda messages: tokenizer(chat_text(messages, True), add_special_tokens=False).input_ids
    encode = smollm2(path)
    return lambda messages: encode(chat_text(messages, False))


def load(path, dtype=torch.float32):
    """The model of a GGUF file with its weights dequantised."""
    path = pathlib.Path(path)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, dtype=dtype)
    # The weights are plain numbers by now; the marks of their origin would make Trainer refuse them.
    model.is_quantized, model.hf_quantizer = False, None
    del model.config.quantization_config
    return model


def adapted(model, dropout=0.0, seed=1, noise_in_b=True):
    """The model with the notebook's adapters (r 8, alpha 16, on q, k and v)."""
    torch.manual_seed(seed)
    model = get_peft_model(model, LoraConfig(
        r=8, lora_alpha=16, lora_dropout=dropout, target_modules=["q_proj", "k_proj", "v_proj"], task_type="CAUSAL_LM"))
    for name, parameter in model.named_parameters():
        if noise_in_b and "lora_B" in name:  # not zero, so that the gradient of A is not zero either
            torch.nn.init.normal_(parameter, std=0.02)
    return model


def padded_length(rows):
    """The length that `collate` gives to rows of ids: the longest, rounded up to a multiple of 8 as the notebook's collator does."""
    return (max(map(len, rows)) + 7) // 8 * 8


def collate(rows):
    """A padded batch. Padding is masked by its place, never by its id, which may be a token that is to be learnt."""
    ids = [row["input_ids"] for row in rows]
    length = padded_length(ids)
    pad = lambda values, filler: [list(v) + [filler] * (length - len(v)) for v in values]
    return {"input_ids": torch.tensor(pad(ids, 0)), "labels": torch.tensor(pad(ids, -100)),
            "attention_mask": torch.tensor(pad([[1] * len(i) for i in ids], 0))}


class InOrder(Trainer):
    """A Trainer that takes its examples in the order of the data set."""

    def _get_train_sampler(self, *_):
        return torch.utils.data.SequentialSampler(self.train_dataset)


def compute_metrics(predictions):
    """The notebook's metrics, corrected: labels are shifted. It is given every logit of the evaluation."""
    logits, labels = predictions
    logits, labels = torch.tensor(logits)[:, :-1], torch.tensor(labels)[:, 1:]
    loss = torch.nn.functional.cross_entropy(logits.reshape(-1, logits.size(-1)), labels.reshape(-1), ignore_index=-100)
    return {"perplexity": torch.exp(loss).item(), "shifted_loss": loss.item()}
