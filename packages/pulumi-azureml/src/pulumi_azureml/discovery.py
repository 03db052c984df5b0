"""Where the kinds are found: each folder `kinds/` holds one module a kind, named after it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any


def each_in(package: str, folders: Iterable[str], attribute: str) -> Iterator[Any]:
    """Yield an attribute of the modules of a package that have it, in the order of the modules' names."""
    for found in pkgutil.iter_modules(folders):
        module = importlib.import_module(f"{package}.{found.name}")
        if hasattr(module, attribute):
            yield getattr(module, attribute)
