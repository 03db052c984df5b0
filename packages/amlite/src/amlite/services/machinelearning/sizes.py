"""The VM sizes that Azure ML runs on. The table is `vm_sizes.txt`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from amlite.core.errors import AzureError

_ALL_TYPES = ("AmlCompute", "ComputeInstance")


@dataclass(frozen=True)
class Size:
    """A VM size: vCPUs, memory in GB, GPUs, and the family whose quota it uses (`standardDSv2Family`)."""

    name: str
    cores: int
    memory: float
    gpus: int
    family: str
    compute_types: tuple[str, ...]


def _read() -> dict[str, Size]:
    found = {}
    for line in Path(__file__).with_name("vm_sizes.txt").read_text("utf-8").splitlines():
        if line.startswith("#"):
            continue
        name, cores, memory, gpus, family, *types = line.split()
        found[name.lower()] = Size(name, int(cores), float(memory), int(gpus), family, (*_ALL_TYPES, *types))
    return found


_SIZES = _read()
SIZES = tuple(_SIZES.values())
FAMILIES = tuple(dict.fromkeys(size.family for size in SIZES))


def find(name: str) -> Size | None:
    """Return the size with a name, ignoring case, or None."""
    return _SIZES.get(name.lower())


def require(name: str | None) -> Size:
    """Return the size that a compute names. Raises AzureError 400 without a name, and for an unknown one."""
    if not name:
        raise AzureError(400, "ValidationError", "properties.properties.vmSize: The vmSize field is required.")
    found = find(name)
    if found is None:
        raise AzureError(
            400,
            "BadRequest",
            f"The specified Azure ML Compute VM size '{name}' is not supported in this subscription or region.",
        )
    return found


def family_of(text: str) -> str | None:
    """Return the family for the name or title of a family or the name of a VM size, or None for any other text."""
    size = find(text)
    if size is not None:
        return size.family
    plain = _plain(text).removesuffix("clusterdedicatedvcpus")
    return next((family for family in FAMILIES if _plain(family) == plain), None)


def _plain(text: str) -> str:
    return re.sub("[ _]", "", text).lower()


def title(family: str) -> str:
    """Return the title of a family: `Standard DSv2 Family`."""
    return f"Standard {family.removeprefix('standard').removesuffix('Family')} Family"
