"""Scoring code of online and batch deployments."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class CodeConfigurationArgs:
    """The folder with the scoring code, relative to the project, and its script."""

    code: str
    scoring_script: str
