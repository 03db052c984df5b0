"""A Spark program: an entry file, run by spark-submit on this machine's cores in a virtual environment with PySpark.

If the job's environment has a conda file, PySpark is added to its packages. An image must contain Spark. Executors are
threads of the driver, so settings of executors and instances have no effect.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path

from amlite.core.access import Principal
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services import environments
from amlite.services.environments import Prepared, spark
from amlite.services.jobs import command
from amlite.services.jobs.documents import Job

_LISTS = {"pyFiles": "--py-files", "jars": "--jars", "files": "--files", "archives": "--archives"}
_SNAKE = {"pyFiles": "py_files", "jars": "jars", "files": "files", "archives": "archives"}


def problems(properties: Json) -> list[str]:
    """Return the undeclared names in the arguments, and an entry that is not a file."""
    found = command.problems(
        properties.get("args") or "", properties.get("inputs") or {}, properties.get("outputs") or {}
    )
    if not (properties.get("entry") or {}).get("file"):
        found.append("the entry of a spark job must be a file (entry.file)")
    return found


def from_node(component: Json, spec: Json) -> Json:
    """Return entry, arguments and settings, in which the node has the last word."""
    found = {name: spec.get(_SNAKE[name]) or component.get(_SNAKE[name]) for name in _LISTS}
    environment = spec.get("environment") or component.get("environment")
    conf = {**(component.get("conf") or {}), **(spec.get("conf") or {})}
    return {
        "entry": component.get("entry") or spec.get("entry"),
        "args": spec.get("args") or component.get("args"),
        "conf": {name: str(value) for name, value in conf.items()},
        **{name: value for name, value in found.items() if value},
        **({"codeId": component["code"]} if component.get("code") else {}),
        **({"environmentId": environment} if environment else {}),
    }  # fmt: skip


async def prepare(platform: Platform, job: Job, log: Callable[[str], None], who: Principal | None) -> Prepared:
    """Return the environment with PySpark, and with a Java of its own where this machine has none."""
    environment_id = job.properties.get("environmentId")
    if environment_id is None:
        found = spark.packages()
    elif environments.is_image(platform, environment_id):
        return await environments.prepare(platform, environment_id, log, principal=who)
    else:
        base = await environments.packages_of(platform, environment_id)
        found = spark.packages(base)
    wanted = (job.properties.get("resources") or {}).get("runtimeVersion")
    version = next(line for line in found.requirements if line.startswith("pyspark=="))[9:].split()[0]
    log(f"Spark {version} runs here" + (f", in place of the runtime {wanted}" if wanted else ""))
    return await environments.installed(platform, found, log)


def program(
    job: Job, inputs: Mapping[str, str | Path], outputs: Mapping[str, Path], folder: Path, prepared: Prepared
) -> tuple[list[str], dict[str, str]]:
    """Return spark-submit with the entry file."""
    properties = job.properties
    line = ["spark-submit", "--master", "local[*]", "--name", job.name]
    for name, value in {**(properties.get("conf") or {}), **spark.SETTINGS}.items():
        line += ["--conf", f"{name}={value}"]
    for name, option in _LISTS.items():
        if properties.get(name):
            line += [option, ",".join(properties[name])]
    arguments = shlex.split(command.line(properties.get("args") or "", inputs, outputs))
    for path in outputs.values():
        if path.is_dir():  # Spark creates the folder that it writes, and refuses an existing one
            path.rmdir()
    return [*line, properties["entry"]["file"], *arguments], spark.variables(prepared)
