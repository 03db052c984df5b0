"""Write docs/preview.schema.json and docs/doctor.schema.json. Run `python -m release.documentation`."""

import json
from pathlib import Path

from pydantic import BaseModel

from release.doctor.findings import Report
from release.preview.document import Preview

_DOCS = Path(__file__).parents[1] / "docs"


def preview_schema() -> str:
    """Return the JSON Schema of `release preview --output json`."""
    return _schema(Preview)


def doctor_schema() -> str:
    """Return the JSON Schema of `release doctor --output json`."""
    return _schema(Report)


def _schema(model: type[BaseModel]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(mode="serialization"),
    }
    return json.dumps(schema, indent=2) + "\n"


if __name__ == "__main__":
    (_DOCS / "preview.schema.json").write_text(preview_schema())
    (_DOCS / "doctor.schema.json").write_text(doctor_schema())
