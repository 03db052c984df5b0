"""Azure ML's published models, which request bodies are checked against."""

from __future__ import annotations

from pathlib import Path

from amlite.core.published import Models

MODELS = Models(Path(__file__).with_name("machinelearning.json"), code="ValidationError")
validate, writable = MODELS.validate, MODELS.writable
