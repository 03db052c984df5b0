"""Benchmarks. They use the helpers of the packages' tests, which pytest finds by its setting `pythonpath`."""

import sys
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_SETTINGS = tomllib.loads((_ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["pytest"]["ini_options"]
sys.path += [str(_ROOT / folder) for folder in _SETTINGS["pythonpath"] if str(_ROOT / folder) not in sys.path]
