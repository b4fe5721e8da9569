"""Prints a table of the families: how far their tiny models are from transformers and PEFT, from a Hugging Face folder and from
a GGUF file, what all-linear adapts, and how many lines the file of the architecture has.

    MENO_FAMILY_FIGURES=$PWD/figures.tsv scripts/test --filter FamilyFigures
    python Tests/Reference/family_table.py figures.tsv
"""
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sources = sorted((root / "Sources/MenoModels/Architectures").glob("*.swift"))
rows = {}
for line in pathlib.Path(sys.argv[1]).read_text().splitlines():
    name, kind, folder, gguf, gradient, targets = line.split("\t")
    row = rows.setdefault(kind, {"folder": 0.0, "gguf": None, "gradient": 0.0, "targets": set(), "models": 0})
    row["models"] += 1
    row["folder"] = max(row["folder"], float(folder))
    row["gradient"] = max(row["gradient"], float(gradient))
    row["targets"] |= set(targets.split())
    if gguf != "-":
        row["gguf"] = max(row["gguf"] or 0.0, float(gguf))
print("| family | models | folder: logits | GGUF: logits | gradients | adapted | lines of its file |")
print("|---|---|---|---|---|---|---|")
for kind, row in rows.items():
    file = next((source for source in sources if f'modelType: "{kind}"' in source.read_text()), None)
    lines = f"{file.name} {len(file.read_text().splitlines())}" if file else "?"
    gguf = f"{row['gguf']:.1e}" if row["gguf"] is not None else "-"
    print(f"| {kind} | {row['models']} | {row['folder']:.1e} | {gguf} | {row['gradient']:.1e} "
          f"| {' '.join(sorted(row['targets']))} | {lines} |")
