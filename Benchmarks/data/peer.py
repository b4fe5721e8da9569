"""datasets and TRL on a file of records, up to the first step: python peer.py DATA MODEL [inspect]

MODEL is a Hugging Face folder.
"""
import sys

from datasets import load_dataset

data = load_dataset("json", data_files=sys.argv[1])["train"]
print(f"records {len(data)}", flush=True)
if sys.argv[3:] != ["inspect"]:
    from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
    from trl import SFTConfig, SFTTrainer

    class Told(TrainerCallback):
        def on_step_end(self, arguments, state, control, **_):
            print(f"step {state.global_step}", flush=True)

    def roles(record):
        return {"messages": [dict(turn, role={"model": "assistant"}.get(turn["role"], turn["role"])) for turn in record["messages"]]}

    tokenizer = AutoTokenizer.from_pretrained(sys.argv[2])
    if tokenizer.chat_template is None:
        tokenizer.chat_template = (
            "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}")
    data = data.map(roles, num_proc=2, remove_columns=[name for name in data.column_names if name != "messages"])
    SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(sys.argv[2]), processing_class=tokenizer, train_dataset=data,
        args=SFTConfig(
            output_dir="/tmp/peer-run", max_steps=2, max_length=256, per_device_train_batch_size=2,
            gradient_accumulation_steps=8, dataset_num_proc=2, use_cpu=True, report_to="none", save_strategy="no"),
        callbacks=[Told()]).train()
