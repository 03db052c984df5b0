"""Write `schema.json`: the keys and types of every kind of YAML, from azure-ai-ml's own schemas.

    python -m pulumi_azureml.planning.generate_schema

The catalogue reads the result. It can then report a misspelt key, its line and a suggestion without importing
azure-ai-ml (1.2 s). A test compares the file with the installed azure-ai-ml. Run this again after an upgrade.

Shape of a node: `{"any": true}`, `{"ref": name}`, `{"one_of": [node, ...]}`, `{"by": key, "cases": {type: node},
"other": node}`, or `{"type": "string"|"integer"|"number"|"boolean"|"list"|"mapping", ...}`. A string can have
`choices`, a list `items`, a mapping `values` (free keys) or `keys`, `required` and `open` (unknown keys are accepted).
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

from azure.ai.ml._schema.core import fields as azure_fields
from azure.ai.ml._schema.pipeline.condition_node import ConditionNodeSchema
from azure.ai.ml._schema.pipeline.control_flow_job import DoWhileSchema, ParallelForSchema
from azure.ai.ml.constants._common import BASE_PATH_CONTEXT_KEY
from marshmallow import INCLUDE, Schema, fields

from pulumi_azureml.planning.kinds import KINDS

PATH = Path(__file__).with_name("schema.json")

Node = dict[str, Any]


class Generator:
    """Visits each marshmallow schema once and names it, so that recursion ends (a pipeline in a pipeline)."""

    def __init__(self) -> None:
        self.definitions: dict[str, Node] = {}
        self._classes: dict[str, type[Schema]] = {}

    def schema(self, schema: Schema) -> Node:
        """Return the node of a schema: a reference into `definitions`."""
        is_open = schema.unknown == INCLUDE
        if "<locals>" in type(schema).__qualname__:
            # azure-ai-ml makes many classes of this name, which differ.
            return self._mapping(schema, is_open=is_open)
        name = type(schema).__name__
        if self._classes.setdefault(name, type(schema)) is not type(schema):
            # Two modules have a class of this name: those of deployments, and of deployment templates.
            name = f"{type(schema).__module__.rpartition('.')[2]}.{name}"
        name += "*" if is_open else ""
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._mapping(schema, is_open=is_open)
        return {"ref": name}

    def _mapping(self, schema: Schema, *, is_open: bool) -> Node:
        keys: dict[str, Node] = {}
        required: list[str] = []
        for attribute, field in schema.fields.items():
            key = field.data_key or attribute
            keys[key] = {"any": True} if field.dump_only else self.field(field)
            if field.required:
                required.append(key)
        node: Node = {"type": "mapping", "keys": dict(sorted(keys.items()))}
        if required:
            node["required"] = sorted(required)
        if is_open:
            node["open"] = True
        return node

    def field(self, field: Any) -> Node:
        """Return the node of one field."""
        if isinstance(field, azure_fields.ExperimentalField):
            return self.field(field._experimental_field)
        if isinstance(field, azure_fields.TypeSensitiveUnionField):
            cases = {
                name: self._one_of([self.field(alternative) for alternative in alternatives])
                for name, alternatives in sorted(
                    field._type_sensitive_fields_dict.items(), key=lambda item: str(item[0])
                )
            }
            if "pipeline" in cases:  # the steps of a pipeline
                cases |= {
                    each: self.schema(schema(context=_CONTEXT, unknown=INCLUDE))
                    for each, schema in _CONTROL_FLOW.items()
                }
            covered = [id(each) for group in field._type_sensitive_fields_dict.values() for each in group]
            others = [self.field(each) for each in field._union_fields if id(each) not in covered]
            return {"by": field.type_field_name, "cases": cases, "other": self._one_of(others)}
        if isinstance(field, azure_fields.UnionField):
            return self._one_of([self.field(alternative) for alternative in field._union_fields])
        if isinstance(field, fields.Nested):
            return self.schema(field.schema)
        if isinstance(field, fields.List):
            return {"type": "list", "items": self.field(field.inner)}
        if isinstance(field, fields.Dict):
            return {"type": "mapping", "values": self.field(field.value_field) if field.value_field else {"any": True}}
        if isinstance(field, azure_fields.StringTransformedEnum):
            return {"type": "string", "choices": sorted(str(getattr(o, "value", o)) for o in field.allowed_values)}
        for classes, name in SCALARS:
            if isinstance(field, classes):
                return {"type": name}
        return {"any": True}

    @staticmethod
    def _one_of(nodes: list[Node]) -> Node:
        unique = [node for index, node in enumerate(nodes) if node not in nodes[:index]]
        return unique[0] if len(unique) == 1 else {"one_of": unique}


_CONTEXT = {BASE_PATH_CONTEXT_KEY: Path()}
# azure-ai-ml has them among the steps only if a variable is set.
_CONTROL_FLOW: dict[str, type[Schema]] = {
    "do_while": DoWhileSchema,
    "if_else": ConditionNodeSchema,
    "parallel_for": ParallelForSchema,
}
SCALARS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((fields.Boolean,), "boolean"),
    ((fields.Integer,), "integer"),
    ((fields.Number,), "number"),
    ((fields.String, azure_fields.ArmStr, azure_fields.RegistryStr, azure_fields.FileRefField), "string"),
)


def generate() -> dict[str, Any]:
    """Return the whole document: `{"kinds": {kind: {type: node}}, "definitions": {name: node}}`."""
    generator = Generator()
    kinds = {}
    for kind in KINDS.values():
        kinds[kind.name] = {
            name: generator.schema(_schema_class(place)(context=_CONTEXT)) for name, place in kind.schemas.items()
        }
    return {"kinds": kinds, "definitions": dict(sorted(generator.definitions.items()))}


def _schema_class(place: str) -> type[Schema]:
    module, _, name = place.partition(":")
    found: type[Schema] = getattr(importlib.import_module(f"azure.ai.ml._schema.{module}"), name)
    return found


if __name__ == "__main__":
    PATH.write_text(json.dumps(generate(), indent=1, sort_keys=True) + "\n", encoding="utf-8")
