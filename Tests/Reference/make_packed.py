"""Makes Tests/Reference/fixtures/packed: tiny models as GGUF files with quantised weights.

    pip install gguf==0.19.0 numpy torch transformers && python Tests/Reference/make_packed.py

The weights are random; what they decode to is checked by make_formats.py's fixtures.
"""
import pathlib
import numpy as np
import gguf
from gguf import GGMLQuantizationType as Q

out = pathlib.Path(__file__).parent / "fixtures/packed"
out.mkdir(parents=True, exist_ok=True)
rng = np.random.default_rng(2)


def quantised(shape, kind):
    values = (rng.standard_normal(shape) * shape[-1] ** -0.5).astype(np.float32)
    return gguf.quants.quantize(values, kind) if kind not in (Q.Q4_K, Q.Q5_K, Q.Q6_K) else k_blocks(shape, kind)


def k_blocks(shape, kind):
    """The package cannot quantise these: random blocks with small scales."""
    size, places = {Q.Q4_K: (144, (0, 2)), Q.Q5_K: (176, (0, 2)), Q.Q6_K: (210, (208,))}[kind]
    blocks = rng.integers(0, 256, (int(np.prod(shape)) // 256, size), dtype=np.uint8)
    for place in places:
        blocks[:, place:place + 2] = (rng.standard_normal(len(blocks)) * 1e-4).astype(np.float16).view(np.uint8).reshape(-1, 2)
    return blocks.reshape(shape[0], -1)


def write(name, architecture, hidden, layers, heads, keys, size, head, feed_forward, kinds, extra):
    writer = gguf.GGUFWriter(out / name, architecture)
    writer.add_context_length(128)
    writer.add_embedding_length(hidden)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(feed_forward)
    writer.add_head_count(heads)
    writer.add_head_count_kv(keys)
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-6)
    kinds = iter(kinds * 100)

    def matrix(name, *shape):
        kind = next(kinds)
        writer.add_tensor(name + ".weight", quantised(shape, kind), raw_dtype=kind)

    def norm(name, width=hidden):
        writer.add_tensor(name + ".weight", np.abs(1 + 0.1 * rng.standard_normal(width)).astype(np.float32))

    matrix("token_embd", size, hidden)
    norm("output_norm")
    for layer in range(layers):
        block = f"blk.{layer}."
        norm(block + "attn_norm")
        norm(block + "ffn_norm")
        matrix(block + "attn_q", heads * head, hidden)
        matrix(block + "attn_k", keys * head, hidden)
        matrix(block + "attn_v", keys * head, hidden)
        matrix(block + "attn_output", hidden, heads * head)
        matrix(block + "ffn_gate", feed_forward, hidden)
        matrix(block + "ffn_up", feed_forward, hidden)
        matrix(block + "ffn_down", hidden, feed_forward)
        if architecture == "gemma3":
            norm(block + "attn_q_norm", head)
            norm(block + "attn_k_norm", head)
            norm(block + "post_attention_norm")
            norm(block + "post_ffw_norm")
    extra(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


write("llama-q8_0.gguf", "llama", 64, 2, 4, 2, 96, 16, 128, [Q.Q8_0, Q.Q4_0, Q.Q5_1], lambda w: w.add_rope_dimension_count(16))
write("gemma3-mixed.gguf", "gemma3", 256, 1, 1, 1, 96, 256, 256, [Q.Q6_K, Q.Q4_K, Q.Q5_K, Q.F16, Q.Q4_1, Q.Q5_0, Q.Q8_0],
      lambda w: w.add_sliding_window(16))
