"""What jobs use, whatever their type: environments, code, data, computes, and what their trials and entries name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pulumi_azureml.planning.documents import KeyPath
from pulumi_azureml.planning.drafts import Draft, compute, source, use
from pulumi_azureml.planning.references import is_asset, names_asset
from pulumi_azureml.planning.settings import CatalogueSettings

MODELS = frozenset({"custom_model", "mlflow_model", "triton_model"})
# Keys of an AutoML job with the data that it trains on, in place of inputs.
_TABLES = ("training_data", "validation_data", "test_data")
# Where a job or a component can have an environment and code: a parallel one has them in its task.
_HOLDERS: tuple[KeyPath, ...] = ((), ("task",))


def collect_job(draft: Draft, settings: CatalogueSettings) -> None:
    """Note what a job that is not a pipeline uses."""
    data = draft.definition
    compute(draft, ("compute",), data.get("compute"), settings)
    collect_run(draft, ())
    collect_inputs(draft, ())
    if isinstance(data.get("trial"), dict):
        collect_run(draft, ("trial",))


def collect_run(draft: Draft, keys: KeyPath) -> None:
    """Note the environment, the code and the further files of a job, a trial, a step or a component."""
    for holder in _HOLDERS:
        inner = mapping(_at(draft.definition, (*keys, *holder)))
        use(draft, (*keys, *holder, "environment"), "environment", inner.get("environment"))
        _code(draft, (*keys, *holder, "code"), inner.get("code"))
    _warn_of_nodes(draft, keys)
    includes = mapping(_at(draft.definition, keys)).get("additional_includes")
    for index, path in enumerate(includes if isinstance(includes, list) else ()):
        source(draft, (*keys, "additional_includes", index), path, may_be_packed=True)


def _code(draft: Draft, keys: KeyPath, value: Any) -> None:
    """Note the code. azure-ai-ml loads a name and a git address, and refuses them when it submits the job."""
    if isinstance(value, str) and (is_asset(value) or value.startswith("git+")):
        fix = "write the path of a folder or of a file"
        draft.problem(keys, f"azure-ai-ml takes no code from '{value}'", fix)
    else:
        source(draft, keys, value)


def _warn_of_nodes(draft: Draft, keys: KeyPath) -> None:
    """Warn of several nodes for a command that no `distribution` starts on each of them."""
    run = mapping(_at(draft.definition, keys))
    count = mapping(run.get("resources")).get("instance_count")
    if isinstance(count, int) and count > 1 and isinstance(run.get("command"), str) and not run.get("distribution"):
        message = f"{count} nodes and no `distribution`: nothing starts the command on each node"
        fix = "add `distribution:` with `type: pytorch`, `mpi` or `tensorflow`, or use one node"
        draft.warnings.append(draft.document.problem((*keys, "resources", "instance_count"), message, fix))


def collect_inputs(draft: Draft, keys: KeyPath) -> None:
    """Note the assets and the local files among a job's or a step's inputs."""
    holder = mapping(_at(draft.definition, keys))
    places: dict[KeyPath, Any] = {("inputs", name): value for name, value in mapping(holder.get("inputs")).items()}
    places |= {(key,): holder.get(key) for key in _TABLES}
    for place_of, value in places.items():
        if not isinstance(value, dict):
            continue
        path, place = value.get("path"), (*keys, *place_of, "path")
        if isinstance(path, str) and names_asset(path):
            use(draft, place, "model" if value.get("type") in MODELS else "data", path)
        elif isinstance(path, str) and "${{" not in path:
            source(draft, place, path, wanted="file" if value.get("type") == "uri_file" else "any")


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a value that is a mapping, and an empty one for any other."""
    return value if isinstance(value, dict) else {}


def _at(value: Any, keys: KeyPath) -> Any:
    for key in keys:
        value = mapping(value).get(str(key))
    return value
