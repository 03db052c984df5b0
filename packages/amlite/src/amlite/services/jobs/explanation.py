"""The artifacts of a model's explanation, with the names and the format of azureml-interpret 1.62.

`ExplanationClient` of that package also registers them in version 1 of the run history, which amlite does not have.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_BLOCK, _BLOCKS = 100, 3


def files(explanation_id: str, importance: Mapping[str, float]) -> dict[str, bytes]:
    """Return the artifacts by their paths. `importance` has the most important column first."""
    folder, names = f"explanation/{explanation_id[:8]}", list(importance)
    found: dict[str, list[Any]] = {f"{folder}/features.interpret.json": names}
    ranked: dict[str, list[Any]] = {
        "global_names": names,
        "global_values": list(importance.values()),
        "global_rank": list(range(len(names))),
    }
    for name, values in ranked.items():
        for number, block in enumerate(_blocks(values)):
            found[f"{folder}/{name}/{number}.interpret.json"] = block
    return {path: json.dumps(values).encode() for path, values in found.items()}


def _blocks(values: list[Any]) -> list[list[Any]]:
    """Split values into blocks. The last block has the rest."""
    count = min(_BLOCKS, -(-len(values) // _BLOCK))
    starts = [number * _BLOCK for number in range(count)]
    return [values[start : start + _BLOCK] if start != starts[-1] else values[start:] for start in starts]
