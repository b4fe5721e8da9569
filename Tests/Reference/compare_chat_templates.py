"""Compares published chat templates with jinja2 as transformers sets it up: each of them with every conversation of make_jinja.py.

    pip install transformers trl
    python Tests/Reference/compare_chat_templates.py [FOLDER]

The templates are those of FOLDER (`*.jinja`), else those that the TRL package brings: of Llama 3 to 3.2, Gemma to Gemma 4, Qwen 2.5 to
3.8, Phi 3, Cohere, DeepSeek, GLM-4.5, gpt-oss, LFM 2, Nemotron and others. Build the tests first.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from make_jinja import CONVERSATIONS, run

root = pathlib.Path(__file__).resolve().parents[2]
if sys.argv[1:]:
    templates = pathlib.Path(sys.argv[1])
else:
    import importlib.util
    templates = pathlib.Path(importlib.util.find_spec("trl").origin).parent / "chat_templates"
variables = {name: {"bos_token": "<s>", "eos_token": "</s>", "messages": messages, **more}
             for name, (messages, more) in CONVERSATIONS.items()}
with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(temporary)
    (folder / "templates").mkdir()
    chats = []
    for path in sorted(templates.glob("*.jinja")):
        text = path.read_text("utf-8")
        # What a template takes for the present is not the same twice.
        if "strftime_now" in text:
            text = text.replace("strftime_now(", "string(")
        (folder / "templates" / path.name).write_text(text, "utf-8")
        chats += [run(f"{path.stem}: {name}", text, values) for name, values in variables.items()]
    (folder / "cases.json").write_text(json.dumps(
        {"common": {}, "conversations": variables, "snippets": [], "chats": chats}, ensure_ascii=False, indent=0), "utf-8")
    flags = os.environ.get("MENO_SWIFT_TEST", "swift test --skip-build").split()
    done = subprocess.run([*flags, "--filter", "publishedTemplatesGiveWhatJinja2Gives"], cwd=root, capture_output=True, text=True,
                          env=os.environ | {"MENO_CHAT_TEMPLATES": str(folder)})
    wrong = [line for line in (done.stdout + done.stderr).splitlines() if "recorded an issue" in line or "error:" in line]
    print(f"{len(list(templates.glob('*.jinja')))} templates, {len(chats)} conversations, "
          f"{sum('error' in chat for chat in chats)} errors in jinja2, {len(wrong)} differ")
    for line in wrong[:20]:
        print("   ", line[:300])
    has_passed = "publishedTemplatesGiveWhatJinja2Gives() passed" in done.stdout + done.stderr
    if not has_passed and not wrong:
        print(done.stdout[-2000:], done.stderr[-2000:])
    sys.exit(not has_passed)
