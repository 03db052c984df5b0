"""The control flow of pipelines: `if_else`, `do_while` and `parallel_for`, which stay with `az ml`.

azure-ai-ml accepts them in YAML only with its private features. It takes a loop only if the component of its body is a
local file, and a plan refers to registered components.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_TYPES = ("do_while", "if_else", "parallel_for")
WHY = "a private preview; submit it with `az ml` and AZURE_ML_CLI_PRIVATE_FEATURES_ENABLED=true"


def is_control(step: Any) -> bool:
    """Return whether a step of a pipeline controls others."""
    return isinstance(step, dict) and step.get("type") in _TYPES


def first(data: Mapping[str, Any]) -> str | None:
    """Return the name of a pipeline's first step that controls others."""
    jobs = data.get("jobs")
    steps = jobs if isinstance(jobs, dict) else {}
    return next((str(name) for name, step in steps.items() if is_control(step)), None)
