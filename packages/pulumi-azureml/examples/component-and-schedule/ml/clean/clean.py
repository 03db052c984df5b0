"""Drop the rows that miss a value."""

import csv
import sys
from pathlib import Path

source, target = map(Path, sys.argv[1:])
with source.open(newline="") as file:
    header, *rows = csv.reader(file)
whole = [row for row in rows if all(row)]
target.mkdir(parents=True, exist_ok=True)
with (target / "rows.csv").open("w", newline="") as file:
    csv.writer(file).writerows([header, *whole])
print(f"{len(whole)} of {len(rows)} rows are complete")
