"""The published models of resource types: what a property holds. Which ones are required, each type says itself."""

from __future__ import annotations

from pathlib import Path

from amlite.core.published import Models

MODELS = Models(Path(__file__).with_name("arm.json"), code="InvalidRequestContent", types_only=True)
