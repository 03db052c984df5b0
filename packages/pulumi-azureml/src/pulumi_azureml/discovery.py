"""Discovery of the kinds: each folder `kinds/` holds one module per kind, named after it."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from typing import Any


def each_in(package: str, folders: Iterable[str], attribute: str) -> Iterator[Any]:
    """Yield an attribute of each module in a package that defines it, ordered by module name."""
    for found in pkgutil.iter_modules(folders):
        module = importlib.import_module(f"{package}.{found.name}")
        if hasattr(module, attribute):
            yield getattr(module, attribute)
