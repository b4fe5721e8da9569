"""The text of Benchmarks/RESULTS.md from the JSON files of runs: python3 results.py RUN.json... > ../RESULTS.md"""
import json
import sys

import table

print("# Meno beside its peers\n\nMade by `Benchmarks/peers/results.py` from runs of `Benchmarks/peers/run`; its README says what "
      "is measured and how.\n")
for path in sys.argv[1:]:
    with open(path) as file:
        print(table.text(json.load(file)))
