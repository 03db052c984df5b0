"""A script that is given a part of its data at a time: `init()` once a worker, `run(mini_batch)` for every part."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.environments import Prepared
from amlite.services.jobs import command, data, drivers, plan, tables
from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.documents import Job
from amlite.services.jobs.kinds import command as one_command

_REFERENCE = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w.-]+)\s*\}\}")
_SIZE = re.compile(r"(\d+)\s*(|kb|mb|gb)", re.IGNORECASE)
_UNITS = {"": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_FILES, _BYTES = 10, 1 << 20
_RESULTS = "parallel_run_step.txt"


def problems(properties: Json) -> list[str]:
    """Return the undeclared names in the task, and settings that are not supported here."""
    inputs, outputs, task = properties["inputs"], properties["outputs"], properties["task"]
    found = command.problems(task.get("program_arguments") or "", inputs, outputs)
    found += command.problems(properties["inputData"], inputs, ())
    found += command.problems(task.get("append_row_to") or "", (), outputs)
    if task.get("type") != "run_function":
        found.append(f"amlite runs parallel tasks of type run_function only, got '{task.get('type')}'")
    if _REFERENCE.fullmatch(properties["inputData"]) is None:
        found.append(f"input_data is '{properties['inputData']}' and must be one input, as ${{{{inputs.name}}}}")
    size = properties.get("miniBatchSize")
    if size is not None and _SIZE.fullmatch(str(size).strip()) is None:
        found.append(f"mini_batch_size is '{size}', not a number of files such as 10 or a size such as 10kb")
    if _keys(properties) is None:
        found.append(f"partition_keys is '{properties['partitionKeys']}' and must be a list of names")
    return found


def from_node(component: Json, spec: Json) -> Json:
    """Return the task and how it is cut, in which the node has the last word."""

    def said(name: str) -> Any:
        return spec[name] if spec.get(name) is not None else component.get(name)

    task = {**(component.get("task") or {}), **(spec.get("task") or {})}
    return {
        "task": task,
        "environmentId": task.get("environment"),
        **({"codeId": task["code"]} if task.get("code") else {}),
        "inputData": said("input_data") or "",
        "miniBatchSize": said("mini_batch_size"),
        "partitionKeys": said("partition_keys"),
        "errorThreshold": said("error_threshold"),
        "miniBatchErrorThreshold": said("mini_batch_error_threshold"),
        "maxConcurrencyPerInstance": said("max_concurrency_per_instance"),
        "retrySettings": said("retry_settings") or {},
    }


def data_input(properties: Json) -> str:
    """Return the name of the input that is cut into mini batches."""
    return _named(properties["inputData"])


async def prepare(platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None) -> Prepared:
    """Return the job's environment, once it is sure that the job can keep its progress."""
    data.require_progress(platform, job, who)
    return await one_command.prepare(platform, job, log, who)


def program(
    job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
) -> tuple[list[str], dict[str, str]]:
    """Return the driver with its settings."""
    driver = folder / "driver.py"
    shutil.copyfile(drivers.path("parallel"), driver)
    shutil.copyfile(drivers.path("table_steps"), folder / "table_steps.py")
    said = settings(job.properties, inputs, outputs)
    driver.with_suffix(".json").write_text(json.dumps(said), "utf-8")
    return ["python", str(driver), str(driver.with_suffix(".json"))], {}


def settings(properties: Json, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path]) -> Json:
    """Return the driver's input; raises DataAccessError for a table that cannot be read."""
    task = properties["task"]
    source = inputs[data_input(properties)]
    table = tables.read(Path(source)) if tables.is_table(Path(source)) else None
    keys = _keys(properties)
    if keys and table is None:
        raise DataAccessError(f"partition_keys: the input has no {tables.FILE}, which describes its partitions")
    if table and table["format"] not in ("files", "delimited"):
        raise DataAccessError(f"a parallel job reads files and delimited tables here, not {table['format']}")
    count, unit = _size(properties.get("miniBatchSize"))
    append = task.get("append_row_to")
    target = outputs[_named(append)] if append else None
    if target is not None and target.is_dir():
        target /= task.get("append_row_file_name") or _RESULTS
    retries = properties["retrySettings"]
    instances = plan.instance_count(properties.get("resources"))
    workers = int(properties.get("maxConcurrencyPerInstance") or 1) * instances
    return {
        "script": task["entry_script"],
        "arguments": shlex.split(command.line(task.get("program_arguments") or "", inputs, outputs)),
        "source": str(source),
        "table": table,
        "groups": tables.groups(table, keys) if table and keys else None,
        "size": count * _UNITS[unit] if count else _BYTES if table and table["format"] != "files" else _FILES,
        "results": str(target) if target else None,
        "workers": workers,
        "timeout": int(retries.get("timeout") or 60),
        "retries": int(retries.get("max_retries") if retries.get("max_retries") is not None else 2),
        "error_threshold": _threshold(properties.get("errorThreshold")),
        "batch_error_threshold": _threshold(properties.get("miniBatchErrorThreshold")),
    }


def _keys(properties: Json) -> list[str] | None:
    """Return the partition keys, which azure-ai-ml sends as JSON. Return None for anything but a list of names."""
    given = properties.get("partitionKeys") or []
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except ValueError:
            return None
    is_list = isinstance(given, list) and all(isinstance(key, str) for key in given)
    return given if is_list else None


def _size(given: Any) -> tuple[int, str]:
    found = _SIZE.fullmatch(str(given).strip()) if given is not None else None
    return (int(found[1]), found[2].lower()) if found else (0, "")


def _threshold(given: Any) -> int:
    return -1 if given is None else int(given)


def _named(reference: str) -> str:
    found = _REFERENCE.fullmatch(reference)
    assert found is not None  # noqa: S101 - `problems` has seen to it
    return found[2]
