"""Check that a CSV of predictions holds the numbers that this environment's Python gives."""

import csv
import sys
from pathlib import Path

import perovshell
from perovshell.serve.batch import cell

model, given, written = sys.argv[1:]
with Path(given).open(newline="") as file:
    rows = list(csv.DictReader(file))
with Path(written).open(newline="") as file:
    found = list(csv.DictReader(file))
for row, answer in zip(found, perovshell.load(model).predict(rows), strict=True):
    for name, value in answer.items():
        if row[name] != cell(value):
            sys.exit(f"{name}: the wheel gave {row[name]!r}, this environment {cell(value)!r}")
print(f"{len(found)} rows equal in both environments")
