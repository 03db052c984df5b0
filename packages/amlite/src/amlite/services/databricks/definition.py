"""The settings of a job: what Databricks accepts, and what amlite runs of it."""

from __future__ import annotations

import json
import re
from graphlib import CycleError, TopologicalSorter

from amlite.core.published import Models
from amlite.core.wire import Json
from amlite.services.databricks.errors import invalid

_JOB_KEYS = {
    "access_control_list",
    "description",
    "edit_mode",
    "environments",
    "format",
    "job_clusters",
    "max_concurrent_runs",
    "name",
    "parameters",
    "run_name",
    "tags",
    "tasks",
    "timeout_seconds",
}
_TASK_KEYS = {
    "depends_on",
    "description",
    "environment_key",
    "job_cluster_key",
    "max_retries",
    "min_retry_interval_millis",
    "new_cluster",
    "spark_python_task",
    "task_key",
    "timeout_seconds",
}
_CLUSTER_KEYS = {
    "autoscale",
    "azure_attributes",
    "custom_tags",
    "data_security_mode",
    "driver_node_type_id",
    "is_single_node",
    "kind",
    "node_type_id",
    "num_workers",
    "runtime_engine",
    "single_user_name",
    "spark_conf",
    "spark_env_vars",
    "spark_version",
}
_PYTHON_KEYS = {"parameters", "python_file", "source"}
# What the fields hold, in the format of published models.
_SHAPES = Models(
    {
        "models": {
            "job": {
                "fields": {
                    "name": ["str", ""],
                    "run_name": ["str", ""],
                    "max_concurrent_runs": ["int", ""],
                    "timeout_seconds": ["int", ""],
                    "tasks": ["list:model:task", ""],
                    "job_clusters": ["list:model:job cluster", ""],
                    "environments": ["list:model:environment", ""],
                    "parameters": ["list:model:parameter", ""],
                }
            },
            "task": {
                "fields": {
                    "task_key": ["str", "r"],
                    "depends_on": ["list:model:dependency", ""],
                    "spark_python_task": ["model:python", ""],
                    "new_cluster": ["model:cluster", ""],
                    "job_cluster_key": ["str", ""],
                    "environment_key": ["str", ""],
                    "timeout_seconds": ["int", ""],
                    "max_retries": ["int", ""],
                    "min_retry_interval_millis": ["int", ""],
                }
            },
            "dependency": {"fields": {"task_key": ["str", "r"]}},
            "python": {"fields": {"python_file": ["str", ""], "parameters": ["list:str", ""], "source": ["str", ""]}},
            "job cluster": {"fields": {"job_cluster_key": ["str", "r"], "new_cluster": ["model:cluster", "r"]}},
            "cluster": {
                "fields": {
                    "spark_version": ["str", ""],
                    "node_type_id": ["str", ""],
                    "num_workers": ["int", ""],
                    "spark_conf": ["map:str", ""],
                    "spark_env_vars": ["map:str", ""],
                }
            },
            "environment": {"fields": {"environment_key": ["str", "r"], "spec": ["model:spec", ""]}},
            "spec": {"fields": {"dependencies": ["list:str", ""]}},
            "parameter": {"fields": {"name": ["str", "r"], "default": ["str", ""]}},
        }
    },
    code="INVALID_PARAMETER_VALUE",
)
_KEY = re.compile(r"[\w-]{1,100}")
_VARIABLE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
# Sources: "Resource limits" of Azure Databricks, and the field `parameters` of the Jobs API.
_MOST_TASKS = 1000
_MOST_PARAMETER_BYTES = 10_000
_REFERENCE = re.compile(r"\{\{\s*([\w.]+)\s*\}\}")


def check(settings: Json) -> None:
    """Raise DatabricksError 400 for a job that amlite cannot run."""
    if problems := _SHAPES.problems("job", settings):
        raise invalid(" ".join(f"{path}: {what}" for path, what in problems))
    _only("The job", settings, _JOB_KEYS)
    tasks = settings.get("tasks") or []
    if not tasks:
        raise invalid("The job has no tasks.")
    if len(tasks) > _MOST_TASKS:
        raise invalid(f"The job has {len(tasks)} tasks, and the maximum is {_MOST_TASKS}.")
    named = [each["task_key"] for task in tasks for each in (task, *(task.get("depends_on") or ()))]
    if wrong := [each for each in named if not isinstance(each, str)]:
        raise invalid(f"A task_key must be text, not {wrong[0]}.")
    keys = [str(task["task_key"]) for task in tasks]
    if len(set(keys)) < len(keys):
        raise invalid("Two tasks have the same task_key.")
    for cluster in settings.get("job_clusters") or []:
        _check_cluster(f"The job cluster '{cluster.get('job_cluster_key')}'", cluster.get("new_cluster") or {})
    for environment in settings.get("environments") or []:
        if (environment.get("spec") or {}).get("dependencies"):
            raise invalid(
                f"The environment '{environment.get('environment_key')}' has dependencies, which amlite does not "
                "install."
            )
    for task in tasks:
        _check_task(task, keys, settings)
    try:
        TopologicalSorter(before(tasks)).prepare()
    except CycleError as error:
        raise invalid(f"The tasks depend on each other in a circle: {' -> '.join(error.args[1])}.") from error


def before(tasks: list[Json]) -> dict[str, list[str]]:
    """Return the tasks that each task depends on, by their keys."""
    return {task["task_key"]: [each["task_key"] for each in task.get("depends_on") or []] for task in tasks}


def cluster_of(settings: Json, task: Json) -> Json:
    """Return the cluster that a task runs on; {} for serverless compute."""
    if task.get("new_cluster"):
        return dict(task["new_cluster"])
    named = {each["job_cluster_key"]: each["new_cluster"] for each in settings.get("job_clusters") or []}
    return dict(named.get(task.get("job_cluster_key"), {}))


def parameters_of(settings: Json, given: Json) -> dict[str, str]:
    """Return a value for each parameter of a job. Raises DatabricksError for a value of an unknown one."""
    defaults = {str(each["name"]): str(each.get("default", "")) for each in settings.get("parameters") or []}
    if wrong := sorted(given.keys() - defaults.keys()):
        raise invalid(f"Job parameter '{wrong[0]}' is not defined in the job.")
    return {**defaults, **{name: str(value) for name, value in given.items()}}


def resolved(text: str, values: dict[str, str]) -> str:
    """Return a text with its dynamic value references replaced."""
    return _REFERENCE.sub(lambda found: values.get(found[1], found[0]), text)


def _check_task(task: Json, keys: list[str], settings: Json) -> None:
    key = str(task.get("task_key"))
    if _KEY.fullmatch(key) is None:
        raise invalid(f"'{key}' is not a valid task_key.")
    kinds = sorted(name for name in task if name.endswith("_task"))
    if kinds != ["spark_python_task"]:
        raise invalid(f"The task '{key}' has {', '.join(kinds) or 'no work'}; amlite runs a spark_python_task only.")
    _only(f"The task '{key}'", task, _TASK_KEYS)
    work = task["spark_python_task"]
    _only(f"The spark_python_task of '{key}'", work, _PYTHON_KEYS)
    if not str(work.get("python_file")).startswith("/") or work.get("source", "WORKSPACE") != "WORKSPACE":
        raise invalid(
            f"The task '{key}': amlite runs a python_file of the workspace, such as /Workspace/Shared/prepare.py."
        )
    if len(json.dumps({"python_params": work.get("parameters") or []}).encode()) > _MOST_PARAMETER_BYTES:
        raise invalid(f"The parameters of the task '{key}' have more than {_MOST_PARAMETER_BYTES} bytes in JSON.")
    for name in before([task])[key]:
        if name not in keys:
            raise invalid(f"The task '{key}' depends on the unknown task '{name}'.")
    clusters = {each.get("job_cluster_key") for each in settings.get("job_clusters") or []}
    environments = {each.get("environment_key") for each in settings.get("environments") or []}
    if task.get("new_cluster"):
        _check_cluster(f"The cluster of the task '{key}'", task["new_cluster"])
    elif "job_cluster_key" in task:
        if task["job_cluster_key"] not in clusters:
            raise invalid(f"The task '{key}' names the unknown job cluster '{task['job_cluster_key']}'.")
    elif task.get("environment_key") not in environments:
        raise invalid(f"The task '{key}' needs a new_cluster, a job_cluster_key or an environment_key of the job.")


def _check_cluster(where: str, cluster: Json) -> None:
    _only(where, cluster, _CLUSTER_KEYS)
    if wrong := [name for name in cluster.get("spark_env_vars") or {} if _VARIABLE.fullmatch(name) is None]:
        raise invalid(f"{where}: '{wrong[0]}' is not a name of an environment variable.")
    for name in ("spark_version", "node_type_id"):
        if not cluster.get(name):
            raise invalid(f"{where} needs a {name}.")
    if cluster.get("num_workers") is None and not cluster.get("autoscale") and not cluster.get("is_single_node"):
        raise invalid(f"{where} needs num_workers, autoscale or is_single_node.")


def _only(where: str, given: Json, known: set[str]) -> None:
    if wrong := sorted(name for name in given.keys() - known if given[name] not in (None, {}, [])):
        raise invalid(f"{where}: {wrong[0]} is not part of this local Azure.")
