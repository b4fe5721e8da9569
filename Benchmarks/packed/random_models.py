"""Models of random weights in the shapes of published ones, written a tensor at a time.

    python random_models.py SHAPE bf16|Q4_K|Q8_0 TARGET GGUF

`bf16` makes a Hugging Face folder, the others a .gguf file in which every matrix has that type. The tokenizer is that of GGUF, a file
of SmolLM2 (its ids are fewer than those of any shape). Needs numpy, gguf and tokenizers.
"""
import json
import pathlib
import shutil
import struct
import sys

import gguf
import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "Tests/Reference"))
from smollm2_tokenizer import smollm2_tokenizer  # noqa: E402

# model_type, general.architecture, layers, hidden, intermediate, heads, key-value heads, size of a head, vocabulary, tied.
SHAPES = {
    "gemma-2-2b": ("gemma2", "gemma2", 26, 2304, 9216, 8, 4, 256, 256000, True),
    "llama-7b": ("llama", "llama", 32, 4096, 11008, 32, 32, 128, 32000 + 17152, False),
    "llama-1b": ("llama", "llama", 16, 2048, 8192, 32, 8, 64, 49152, True),
    "llama-135m": ("llama", "llama", 30, 576, 1536, 9, 3, 64, 49152, True),
}
TEMPLATE = ("{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n{% endfor %}"
            "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
CHUNK = 1 << 22


def tensors(shape):
    """Names by transformers, sizes, and whether it is a norm."""
    kind, _, layers, hidden, inner, heads, keys, head, vocabulary, tied = SHAPES[shape]
    norms = ["input_layernorm", "post_attention_layernorm"]
    if kind == "gemma2":
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    yield "model.embed_tokens.weight", (vocabulary, hidden), False
    for layer in range(layers):
        block = f"model.layers.{layer}."
        for name, size in {
            "self_attn.q_proj": (heads * head, hidden), "self_attn.k_proj": (keys * head, hidden),
            "self_attn.v_proj": (keys * head, hidden), "self_attn.o_proj": (hidden, heads * head),
            "mlp.gate_proj": (inner, hidden), "mlp.up_proj": (inner, hidden), "mlp.down_proj": (hidden, inner),
        }.items():
            yield block + name + ".weight", size, False
        for norm in norms:
            yield block + norm + ".weight", (hidden,), True
    yield "model.norm.weight", (hidden,), True
    if not tied:
        yield "lm_head.weight", (vocabulary, hidden), False


def repeated(pattern, count, start):
    """`count` elements of a pattern that goes on from where it ends, a part at a time."""
    place = start % len(pattern)
    while count:
        part = pattern[place:place + count]
        yield part
        count -= len(part)
        place = 0


def write_folder(shape, folder, source):
    kind, _, layers, hidden, inner, heads, keys, head, vocabulary, tied = SHAPES[shape]
    folder.mkdir(parents=True)
    config = dict(
        model_type=kind, architectures=[{"gemma2": "Gemma2ForCausalLM", "llama": "LlamaForCausalLM"}[kind]], vocab_size=vocabulary,
        hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=keys,
        head_dim=head, max_position_embeddings=8192, tie_word_embeddings=tied, rms_norm_eps=1e-6, torch_dtype="bfloat16",
        hidden_activation="gelu_pytorch_tanh", hidden_act="gelu_pytorch_tanh" if kind == "gemma2" else "silu", rope_theta=10000.0,
        query_pre_attn_scalar=head, sliding_window=4096, attn_logit_softcapping=50.0, final_logit_softcapping=30.0)
    (folder / "config.json").write_text(json.dumps(config))
    tokenizer = smollm2_tokenizer(source)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({
        "tokenizer_class": "PreTrainedTokenizerFast", "chat_template": TEMPLATE, "bos_token": "<|im_start|>", "eos_token": "<|im_end|>",
        "pad_token": "<|im_end|>"}))
    # Of one normal distribution, as wide as initialisation makes it. bfloat16 is the upper half of float32.
    pattern = (np.random.default_rng(0).standard_normal(CHUNK + 1).astype(np.float32) * 0.02).view(np.uint32) >> 16
    pattern = pattern.astype(np.uint16)
    one = np.full(1 << 14, 0 if kind == "gemma2" else 0x3F80, dtype=np.uint16)
    header, place = {}, 0
    for name, size, _ in tensors(shape):
        header[name] = {"dtype": "BF16", "shape": list(size), "data_offsets": [place, place + 2 * int(np.prod(size))]}
        place += 2 * int(np.prod(size))
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(folder / "model.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for index, (name, size, is_norm) in enumerate(tensors(shape)):
            for part in repeated(one if is_norm else pattern, int(np.prod(size)), 0 if is_norm else 7919 * index):
                file.write(part.tobytes())


def write_gguf(shape, kind, path, source):
    model, architecture, layers, hidden, inner, heads, keys, head, vocabulary, tied = SHAPES[shape]
    writer = gguf.GGUFWriter(path, architecture, use_temp_file=True)
    writer.add_context_length(8192)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(keys)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(head)
    writer.add_layer_norm_rms_eps(1e-6)
    if model == "gemma2":
        writer.add_sliding_window(4096)
        writer.add_attn_logit_softcapping(50.0)
        writer.add_final_logit_softcapping(30.0)
    for key, field in gguf.GGUFReader(source).fields.items():
        if not key.startswith("tokenizer."):
            continue
        values = field.contents()
        if field.types[0] == gguf.GGUFValueType.ARRAY:
            writer.add_array(key, values)
        else:
            writer.add_key_value(key, values, field.types[0])
    type_ = gguf.GGMLQuantizationType[kind]
    elements, size = gguf.GGML_QUANT_SIZES[type_]
    generator = np.random.default_rng(0)
    blocks = generator.integers(0, 256, (1 << 14, size), dtype=np.uint8)
    # Scales that make weights about 0.02 wide.
    factors = {"Q4_K": ((0, 0.02 / 300), (2, 0.02 / 70)), "Q8_0": ((0, 0.02 / 74),)}[kind]
    for start, width in factors:
        blocks[:, start:start + 2] = np.full(len(blocks), width, dtype=np.float16).view(np.uint8).reshape(-1, 2)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH[architecture.upper()], layers)
    for index, (name, shape_, is_norm) in enumerate(tensors(shape)):
        stored = names.get_name(name, try_suffixes=(".weight",))
        if is_norm:
            writer.add_tensor(stored, np.ones(shape_, dtype=np.float32))
            continue
        count = int(np.prod(shape_)) // elements
        data = np.concatenate([part for part in repeated(blocks, count, 7919 * index)])
        writer.add_tensor(stored, data.reshape(shape_[0], -1), raw_dtype=type_)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    shape, form, target, source = sys.argv[1], sys.argv[2], pathlib.Path(sys.argv[3]), pathlib.Path(sys.argv[4])
    try:
        if form == "bf16":
            write_folder(shape, target, source)
        else:
            write_gguf(shape, form, target, source)
    except BaseException:
        # No half of a model is left that would be taken for a whole one.
        if target.is_dir():
            shutil.rmtree(target, ignore_errors=True)
        else:
            target.unlink(missing_ok=True)
        raise
