"""The steps' own code, as far as it needs no packages of theirs."""

import hashlib
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml


def module(folder: Path, name: str) -> ModuleType:
    """Import a module of a step, which is a folder of its own and not a package."""
    sys.path.insert(0, str(folder))
    try:
        return __import__(name)
    finally:
        sys.path.remove(str(folder))


def size(name: str, price: float | None, p95: float, memory: int = 100) -> dict[str, Any]:
    return {"name": name, "price": price, "p95_ms": p95, "memory_mb": memory, "memory_gb": 4}


def test_the_cheapest_size_that_meets_the_target_is_selected(example: Path) -> None:
    profile = module(example / "ml" / "steps" / "profile", "profile_model")
    sizes = [size("dear", 0.4, 20), size("slow", 0.1, 90), size("good", 0.2, 40), size("free?", None, 10)]
    rows, selected = profile.judged([*sizes, size("small", 0.1, 10, memory=3000)], 50)
    assert selected == "good"
    assert [row["verdict"] for row in rows] == [
        "meets the target", "p95 of 90 ms is above 50 ms", "cheapest", "no known price", "too little memory",
    ]  # fmt: skip
    with pytest.raises(profile.NoSizeError, match="no instance size answers within 5 ms at a known price: dear: p95"):
        profile.judged(sizes, 5)


def test_weights_that_could_run_code_are_refused(example: Path, tmp_path: Path) -> None:
    weights = module(example / "ml" / "steps" / "train", "weights")
    file = tmp_path / "weights.pth"
    with file.open("wb") as stream:
        for part in (0x1950A86A20F9469CFC6C, 1001, {}):
            pickle.dump(part, stream, protocol=2)
        pickle.dump(hashlib.sha256, stream, protocol=2)
    with pytest.raises(weights.WeightsError, match="is not allowed in a file of weights"):
        weights.read(file)
    file.write_bytes(pickle.dumps(1))
    with pytest.raises(weights.WeightsError, match="is not a PyTorch file of before version"):
        weights.read(file)


def test_each_drawing_names_its_source_and_its_license(example: Path) -> None:
    drawings = example / "ml" / "steps" / "preprocess" / "drawings"
    styles = yaml.safe_load((drawings / "styles.yml").read_text("utf-8"))["styles"]
    assert sorted(each["style"] for each in styles) == sorted(path.name for path in drawings.iterdir() if path.is_dir())
    assert {each["licence"] for each in styles} <= {"Apache-2.0", "MIT", "CC-BY-4.0", "CC-BY-SA-4.0"}
    for style in styles:
        for label in ("taco", "burrito"):
            assert (drawings / style["style"] / f"{label}.svg").read_text("utf-8").startswith("<svg ")
