"""Hugging Face's tokenizer of SmolLM2, built from the vocabulary of its GGUF file."""
import gguf
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers


def smollm2_tokenizer(path):
    reader = gguf.GGUFReader(path)
    field = lambda key: reader.fields[key]
    strings = lambda key: [bytes(field(key).parts[i]).decode("utf-8") for i in field(key).data]
    tokens, merges = strings("tokenizer.ggml.tokens"), strings("tokenizer.ggml.merges")
    types = [int(field("tokenizer.ggml.token_type").parts[i][0]) for i in field("tokenizer.ggml.token_type").data]
    tokenizer = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [tuple(m.split(" ")) for m in merges]))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(t, special=True) for t, k in zip(tokens, types) if k == 3])
    return tokenizer


def smollm2(path):
    tokenizer = smollm2_tokenizer(path)
    return lambda text: tokenizer.encode(text, add_special_tokens=False).ids
