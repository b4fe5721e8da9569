"""Makes Tests/Reference/fixtures/sources: the same records in every kind of file, and Parquet files of every form that pyarrow and
datasets write, with the values that pyarrow reads out of them.

    pip install pyarrow datasets
    python Tests/Reference/make_sources.py
"""
import csv
import gzip
import json
import math
import os
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

folder = pathlib.Path(__file__).parent / "fixtures" / "sources"
folder.mkdir(parents=True, exist_ok=True)

# --- The same records in every kind of file ---

records = [
    {"prompt": "1+1=", "completion": "2", "source": "sums"},
    {"prompt": "勇気とは、何ですか。", "completion": "「恐れ」を知り、\nそれでも進むことです。", "source": "ja"},
    {"prompt": 'He said "no", then left.', "completion": " Why?\t", "source": "quotes, commas"},
    {"prompt": "an emoji 🦉", "completion": " owl", "source": None},
]
lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
(folder / "records.jsonl").write_text(lines)
(folder / "records.jsonl.gz").write_bytes(gzip.compress(lines.encode(), mtime=0))
(folder / "records.jsonl.zst").write_bytes(pa.compress(lines.encode(), codec="zstd", asbytes=True))
(folder / "records.json").write_text(json.dumps(records, ensure_ascii=False, indent=1))
(folder / "records-utf16.json").write_bytes(json.dumps(records, ensure_ascii=False).encode("utf-16"))
for name, delimiter in ("csv", ","), ("tsv", "\t"):
    with open(folder / f"records.{name}", "w", newline="") as file:
        writer = csv.DictWriter(file, list(records[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(records)
pq.write_table(pa.Table.from_pylist(records), folder / "records.parquet")

# --- Values of every kind ---

random.seed(7)


def row(index):
    return {
        "flag": index % 3 == 0,
        "small": index - 20,
        "large": (index - 20) * 10**15,
        "single": index / 8,
        "double": math.sqrt(index),
        "text": f"text {index % 7} " + "é勇🦉"[index % 3] * (index % 5),
        "maybe": None if index % 4 == 1 else f"maybe {index}",
        "nothing": None,
        "list": None if index % 9 == 8 else [f"{index}.{inner}" for inner in range(index % 4)],
        "deep": [[inner, None][: index % 3] for inner in range(index % 3)],
        "struct": {"a": index, "b": None if index % 2 else {"c": f"c{index}"}},
        "messages": [
            {"role": "user" if turn % 2 == 0 else "assistant", "content": None if turn == 3 else f"turn {turn} of {index}"}
            for turn in range(index % 5)
        ],
        "unsigned": index,
    }


schema = pa.schema(
    [
        ("flag", pa.bool_()), ("small", pa.int32()), ("large", pa.int64()), ("single", pa.float32()),
        ("double", pa.float64()), ("text", pa.string()), ("maybe", pa.string()), ("nothing", pa.string()),
        ("list", pa.list_(pa.string())), ("deep", pa.list_(pa.list_(pa.int64()))),
        ("struct", pa.struct([("a", pa.int16()), ("b", pa.struct([("c", pa.large_string())]))])),
        ("messages", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))),
        ("unsigned", pa.uint32()),
    ]
)
rows = [row(index) for index in range(60)]
table = pa.Table.from_pylist(rows, schema)
with open(folder / "values.json", "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in table.to_pylist()) + "\n]\n")

plain = [field.name for field in schema if not pa.types.is_nested(field.type)]
forms = {
    "default": {},
    "v2-zstd": {"data_page_version": "2.0", "compression": "zstd"},
    "gzip": {"compression": "gzip", "use_dictionary": False},
    "none": {"compression": "none", "data_page_size": 200, "row_group_size": 17},
    "lz4": {"compression": "lz4", "version": "1.0"},
    "v2-none": {"data_page_version": "2.0", "compression": "none", "write_batch_size": 8, "data_page_size": 100},
    "delta": {
        "use_dictionary": False,
        "column_encoding": {
            "flag": "RLE", "small": "DELTA_BINARY_PACKED", "large": "DELTA_BINARY_PACKED", "single": "BYTE_STREAM_SPLIT",
            "double": "BYTE_STREAM_SPLIT", "text": "DELTA_BYTE_ARRAY", "maybe": "DELTA_LENGTH_BYTE_ARRAY",
            "messages.list.element.content": "DELTA_BYTE_ARRAY", "unsigned": "DELTA_BINARY_PACKED",
        },
    },
}
for name, options in forms.items():
    pq.write_table(table, folder / f"values-{name}.parquet", **options)
    assert pq.read_table(folder / f"values-{name}.parquet").to_pylist() == table.to_pylist(), name

import datasets  # noqa: E402

datasets.disable_progress_bars()
datasets.Dataset(table).to_parquet(folder / "values-datasets.parquet")

for path in sorted(folder.iterdir()):
    print(path.name, os.path.getsize(path))
