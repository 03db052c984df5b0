"""Finds the contract age below which customers tend to cancel, and writes it as a model."""

import argparse
import csv
import json
from pathlib import Path


def read(path: Path) -> list[tuple[int, bool]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(int(row["months"]), row["churned"] == "yes") for row in csv.DictReader(file)]


def accuracy(customers: list[tuple[int, bool]], threshold: int) -> float:
    return sum((months < threshold) == churned for months, churned in customers) / len(customers)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    arguments = parser.parse_args()
    customers = read(arguments.customers)
    best = max({months for months, _ in customers}, key=lambda threshold: accuracy(customers, threshold))
    print(f"accuracy {accuracy(customers, best):.2f} with a threshold of {best} months")
    model = {"threshold": best, "accuracy": accuracy(customers, best)}
    (arguments.model / "model.json").write_text(json.dumps(model), encoding="utf-8")


if __name__ == "__main__":
    main()
