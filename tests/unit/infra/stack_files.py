"""The shipped stack files as the engine hands them to the program."""

import itertools
import json
import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
STACKS = ("local", "dev", "staging", "prod")
PLACEHOLDER = "00000000-0000-0000-0000-000000000000"


def raw(stack: str, project: Path = ROOT) -> dict[str, str]:
    """Full key to text: structured values become JSON, as the engine does."""
    # That of `local` is made from a template.
    folder = ROOT / "bootstrap" if stack == "local" else project
    document = yaml.safe_load((folder / f"Pulumi.{stack}.yaml").read_text())
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in document["config"].items()
        if ":" in key
    }


def filled_in(stack: str, project: Path = ROOT) -> dict[str, str]:
    """The same with a real id, each another one, in place of every documented placeholder."""
    count = itertools.count(1)
    return {
        key: re.sub(PLACEHOLDER, lambda _: f"3f2504e0-4f89-41d3-9a0c-{next(count):012d}", value)
        for key, value in raw(stack, project).items()
    }
