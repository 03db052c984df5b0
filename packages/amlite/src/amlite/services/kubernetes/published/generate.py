"""Write `kubernetes.json` from Kubernetes' OpenAPI document, `api/openapi-spec/swagger.json` of a release.

Run `python -m amlite.services.kubernetes.published.generate SWAGGER`. The file is JSON with one schema per line:

    {name: {field: type}}

A type is `str int bool num any`, `quantity`, `time`, `ref:Name`, `list:<type>` or `map:<type>`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_ROOTS = (
    "io.k8s.api.core.v1.Namespace",
    "io.k8s.api.core.v1.PersistentVolumeClaim",
    "io.k8s.api.core.v1.Secret",
    "io.k8s.api.core.v1.ServiceAccount",
    "io.k8s.api.storage.v1.StorageClass",
)
_SCALARS = {"string": "str", "integer": "int", "boolean": "bool", "number": "num", "object": "any"}
_SPECIAL = {"Quantity": "quantity", "Time": "time", "FieldsV1": "any"}
OUTPUT = Path(__file__).with_name("kubernetes.json")


def schemas(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the schemas of the kinds and of everything in them."""
    definitions = document["definitions"]
    found: dict[str, dict[str, str]] = {}
    waiting = list(_ROOTS)
    while waiting:
        name = waiting.pop()
        short = _short(name)
        if short in found or short in _SPECIAL:
            continue
        fields: dict[str, str] = {}
        for field, schema in definitions[name].get("properties", {}).items():
            fields[field] = _type(schema, waiting)
        found[short] = dict(sorted(fields.items()))
    return dict(sorted(found.items()))


def _type(schema: dict[str, Any], waiting: list[str]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        waiting.append(name)
        return _SPECIAL.get(_short(name)) or f"ref:{_short(name)}"
    if schema.get("type") == "array":
        return f"list:{_type(schema['items'], waiting)}"
    if isinstance(schema.get("additionalProperties"), dict):
        return f"map:{_type(schema['additionalProperties'], waiting)}"
    return _SCALARS[schema.get("type", "object")]


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def main() -> None:
    """Write the file."""
    found = schemas(json.loads(Path(sys.argv[1]).read_text("utf-8")))
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(fields)}" for name, fields in found.items())
    OUTPUT.write_text("{\n" + lines + "\n}\n", "utf-8")


if __name__ == "__main__":
    main()
