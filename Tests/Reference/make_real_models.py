"""Makes Tests/Reference/fixtures/real: what transformers computes, in float32, with the real models' dequantised weights.

    python Tests/Reference/make_real_models.py FOLDER_OF_GGUF_FILES
"""
import json
import pathlib
import sys

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

out = pathlib.Path(__file__).parent / "fixtures/real"
out.mkdir(parents=True, exist_ok=True)
chats = {
    "gemma-3-270m-q4_k_m.gguf": "<bos><start_of_turn>user\n勇気とは、危険を恐れないことだと思います。<end_of_turn>\n"
    "<start_of_turn>model\n君は恐れを知らない者を勇気があると呼ぶのだね。では、崖に気づかず歩く者も勇敢なのかね？<end_of_turn>\n",
    "SmolLM2-135M-Instruct.Q4_1.gguf": "<|im_start|>user\nCourage means not fearing danger.<|im_end|>\n"
    "<|im_start|>assistant\nIs the man who walks toward a cliff he cannot see a brave man, then?<|im_end|>\n",
}
for file, text in chats.items():
    tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(sys.argv[1], gguf_file=file, dtype=torch.float32).eval()
    ids = tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids
    with torch.no_grad():
        logits = model(ids).logits[0, :-1]
    nll = torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none")
    print(file, ids.shape, nll.mean().item(), getattr(model.config, "sliding_window", None))
    (out / (file + ".json")).write_text(json.dumps({"ids": ids[0].tolist(), "nll": nll.tolist()}))
