"""Write `machinelearning.json` from the ARM models that azure-ai-ml ships.

Run `python -m amlite.services.machinelearning.published.generate`. It parses the source and does not import it. The
file is JSON with one model or enumeration per line:

    "models": {name: {"base": name?, "kind": [discriminator, {value: model}]?, "fields": {wire name: [type, marks]}}}
    "enums": {name: [value, ...]}

A type is `str int float bool any datetime duration`, `enum:Name`, `model:Name`, `list:<type>` or `map:<type>`. Marks
are `r` (required), `o` (read-only: the service sets it) and `i` (immutable after creation).
"""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# The bodies of the requests that amlite serves. The types that they refer to are added.
ROOTS = (
    "BatchDeployment", "BatchEndpoint", "CodeContainer", "CodeVersion", "ComponentContainer", "ComponentVersion",
    "ComputeResource", "DataContainer", "DataVersionBase", "Datastore", "EnvironmentContainer", "EnvironmentVersion",
    "JobBase", "ManagedNetworkProvisionOptions", "ModelContainer", "ModelVersion", "OnlineDeployment", "OnlineEndpoint",
    "OutboundRuleBasicResource", "Registry", "Schedule", "Workspace", "WorkspaceConnectionPropertiesV2BasicResource",
)  # fmt: skip
TARGET = Path(__file__).with_name("machinelearning.json")
_SCALARS = {
    "str": "str", "int": "int", "float": "float", "bool": "bool", "Any": "any",
    "datetime.datetime": "datetime", "datetime.timedelta": "duration",
}  # fmt: skip

Model = dict[str, Any]


def source() -> Path:
    """Return the folder of the models inside the installed azure-ai-ml."""
    found = importlib.util.find_spec("azure.ai.ml")
    if found is None or found.origin is None:
        raise SystemExit("azure-ai-ml is not installed; run: pip install azure-ai-ml")
    return Path(found.origin).parent / "_restclient" / "arm_ml_service" / "models"


def published(folder: Path, roots: Iterable[str] = ROOTS) -> dict[str, Any]:
    """Return the models that `roots` reach, and their enumerations."""
    enums = _enums(ast.parse((folder / "_enums.py").read_text("utf-8")))
    models = _models(ast.parse((folder / "_models.py").read_text("utf-8")), enums)
    reached = _reached(models, roots)
    used = {kind.rpartition(":")[2] for model in reached.values() for kind, _ in model["fields"].values()}
    return {
        "models": dict(sorted(reached.items())),
        "enums": {name: values for name, values in sorted(enums.items()) if name in used},
    }


def text(content: dict[str, Any]) -> str:
    """Return the file's text, with one entry per line, so that a diff shows what changes in the models."""
    parts = []
    for part in ("models", "enums"):
        lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in content[part].items())
        parts.append(f'"{part}": {{\n{lines}\n}}')
    return "{" + ",\n".join(parts) + "}\n"


def _enums(tree: ast.Module) -> dict[str, list[str]]:
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            values = [entry.value for entry in node.body if isinstance(entry, ast.Assign)]
            found[node.name] = [str(value.value) for value in values if isinstance(value, ast.Constant)]
    return found


def _models(tree: ast.Module, enums: dict[str, list[str]]) -> dict[str, Model]:
    models: dict[str, Model] = {}
    for node in tree.body:
        if not isinstance(node, ast.ClassDef):
            continue
        model: Model = {"fields": {}}
        base = ast.unparse(node.bases[0])
        if base in models:
            model["base"] = base
        for entry in node.body:
            if isinstance(entry, ast.AnnAssign) and isinstance(entry.value, ast.Call):
                _add_field(model, entry, entry.value, enums)
        models[node.name] = model
        value = next((word.value for word in node.keywords if word.arg == "discriminator"), None)
        if isinstance(value, ast.Constant):
            _add_kind(models, node.name, str(value.value))
    return models


def _add_field(model: Model, entry: ast.AnnAssign, call: ast.Call, enums: dict[str, list[str]]) -> None:
    function = ast.unparse(call.func)
    words = {word.arg: word.value for word in call.keywords}
    wire = ast.literal_eval(words["name"]) if "name" in words else ast.unparse(entry.target)
    if function == "rest_discriminator":
        # A subclass repeats its base's discriminator with its own value. Only the first one is relevant.
        if not ast.unparse(entry.annotation).startswith("Literal"):
            model["kind"] = [wire, {}]
        return
    visibility = ast.literal_eval(words["visibility"])
    optional, kind = _type(entry.annotation, enums)
    marks = "o" if visibility == ["read"] else "" if optional else "r"
    model["fields"][wire] = [kind, marks + ("i" if "create" in visibility and "update" not in visibility else "")]


def _add_kind(models: dict[str, Model], name: str, value: str) -> None:
    """Record a subclass with its nearest ancestor that has a discriminator."""
    ancestor = models[name].get("base")
    while ancestor is not None and "kind" not in models[ancestor]:
        ancestor = models[ancestor].get("base")
    if ancestor is not None:
        models[ancestor]["kind"][1][value] = name


def _type(annotation: ast.expr, enums: dict[str, list[str]]) -> tuple[bool, str]:
    """Return whether an annotation is optional, and its type."""
    if isinstance(annotation, ast.Constant):
        name = str(annotation.value).removeprefix("_models.")
        return False, f"enum:{name}" if name in enums else f"model:{name}"
    if isinstance(annotation, ast.Subscript):
        outer, inner = ast.unparse(annotation.value), annotation.slice
        if outer == "Optional":
            return True, _type(inner, enums)[1]
        if outer == "Union":  # text or a value of an enumeration
            return False, _type(_second(inner), enums)[1]
        if outer == "list":
            return False, f"list:{_type(inner, enums)[1]}"
        if outer == "dict":
            return False, f"map:{_type(_second(inner), enums)[1]}"
    return False, _SCALARS[ast.unparse(annotation)]


def _second(arguments: ast.expr) -> ast.expr:
    if not isinstance(arguments, ast.Tuple):
        raise TypeError(f"expected two type arguments, found {ast.unparse(arguments)}")
    return arguments.elts[1]


def _reached(models: dict[str, Model], roots: Iterable[str]) -> dict[str, Model]:
    waiting, reached = list(roots), {}
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        model = reached[name] = models[name]
        waiting += [kind.rpartition("model:")[2] for kind, _ in model["fields"].values() if "model:" in kind]
        waiting += model["kind"][1].values() if "kind" in model else []
        waiting += [model["base"]] if "base" in model else []
    return reached


if __name__ == "__main__":
    TARGET.write_text(text(published(source())), "utf-8")
