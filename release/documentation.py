"""Write the JSON Schemas of the release's documents to docs/. Run `python -m release.documentation`."""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from ml.gate.src import rules
from release.doctor.findings import Report
from release.gate.decision import Decision
from release.history.served import History
from release.preview.document import Preview
from release.publishing.metadata import Release

_DOCS = Path(__file__).parents[1] / "docs"


def preview_schema() -> str:
    """Return the JSON Schema of `release preview --output json`."""
    return _schema(Preview)


def doctor_schema() -> str:
    """Return the JSON Schema of `release doctor --output json`."""
    return _schema(Report)


def decision_schema() -> str:
    """Return the JSON Schema of the gate's decision.json."""
    return _schema(Decision)


def rules_schema() -> str:
    """Return the JSON Schema of a gate.yml, for editors."""
    return _text(rules.json_schema())


def history_schema() -> str:
    """Return the JSON Schema of `release history --output json`."""
    return _schema(History)


def metadata_schema() -> str:
    """Return the JSON Schema of the file that `release publish` writes."""
    return _schema(Release)


def _schema(model: type[BaseModel]) -> str:
    return _text(model.model_json_schema(mode="serialization"))


def _text(schema: dict[str, Any]) -> str:
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}, indent=2) + "\n"


if __name__ == "__main__":
    (_DOCS / "preview.schema.json").write_text(preview_schema())
    (_DOCS / "doctor.schema.json").write_text(doctor_schema())
    (_DOCS / "gate-decision.schema.json").write_text(decision_schema())
    (_DOCS / "gate.schema.json").write_text(rules_schema())
    (_DOCS / "history.schema.json").write_text(history_schema())
    (_DOCS / "release-metadata.schema.json").write_text(metadata_schema())
