"""amlite's own sets of packages, for the components that Azure ML provides for a job: AutoML, Spark, Java.

Each is a requirements file beside this one, pinned and hashed. They are not part of the project's own environment: they
are installed once per user, when a job first needs them.
"""

from __future__ import annotations

import re
from pathlib import Path

from amlite.services.environments.packages import OWN_PYTHON, Packages

_REQUIREMENT = re.compile(r"^[^\s#-].*?(?:\\\n.*?)*(?<!\\)$", re.MULTILINE)


def packages(*sets: str, base: Packages | None = None, only: tuple[str, ...] = ()) -> Packages:
    """Return the packages of some sets, in addition to those of `base`; `only` names the packages to take of them."""
    requirements = [
        line.strip().removesuffix("\\").strip()
        for name in sets
        for found in _REQUIREMENT.findall(Path(__file__).with_name(f"{name}.txt").read_text("utf-8"))
        if not only or found.partition("==")[0] in only
        for line in found.replace("\\\n", " ").splitlines()
    ]
    if base is None:
        return Packages(OWN_PYTHON, tuple(requirements), f"what amlite brings for {' and '.join(sets)}")
    source = f"{base.source} with {' and '.join(sets)}"
    return Packages(base.python, (*base.requirements, *requirements), source)
