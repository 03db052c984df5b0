"""Distributed jobs: what each process is told about the others, and the script that starts them on this machine.

The nodes of a job are groups of processes on this machine. Sources: the pages "Distributed GPU training guide" and
"CLI (v2) command job YAML schema" for the variables and the defaults. Each process has a log of its own, as in Azure.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path

from amlite.core.wire import Json
from amlite.services.jobs import graph, plan

Variables = dict[str, str]
_LOCAL = "127.0.0.1"
_KINDS = {"pytorch": "PyTorch", "mpi": "Mpi", "tensorflow": "TensorFlow"}
_SCRIPT = """\
# Starts the processes of a distributed job. The first that fails ends the job, and with it the others.
failed() {{
    read -r number code < "$ended"
    echo "Process $number ended with exit code $code. The end of its log:"
    tail -n 15 "{logs}_$number.txt"
    trap '' TERM
    kill -TERM 0
    exit "$code"
}}
trap failed USR1
ended={logs}_failed
run() {{
    "$@" > "{logs}_$number.txt" 2>&1 || {{ echo "$number $?" > "$ended"; kill -USR1 $$; }}
}}
{starts}
wait
"""


def processes(properties: Json, ports: Iterator[int]) -> list[Variables]:
    """Return the variables of each process of a job, or nothing for a job that is not distributed.

    `ports` yields free ports of this machine.
    """
    given = properties.get("distribution") or {}
    nodes = plan.instance_count(properties.get("resources"))
    match str(given.get("distributionType")).lower():
        case "pytorch":
            return _pytorch(nodes, int(given.get("processCountPerInstance") or 1), next(ports))
        case "mpi":
            return _mpi(nodes, int(given.get("processCountPerInstance") or 1), next(ports))
        case "tensorflow":
            workers = int(given.get("workerCount") or nodes)
            return _tensorflow(workers, int(given.get("parameterServerCount") or 0), ports)
    return []


def from_node(component: Json, spec: Json) -> Json:
    """Return the distribution of a pipeline's node, or of its component, as a job has it."""
    given = graph.in_models(spec.get("distribution") or component.get("distribution"))
    if not given:
        return {}
    kind = str(given.pop("type", None) or given.get("distributionType")).lower()
    if kind not in _KINDS:
        raise ValueError(f"distribution '{kind}' is not one of {', '.join(_KINDS)}")
    return {"distribution": {**given, "distributionType": _KINDS[kind]}}


def _ranks(nodes: int, each: int) -> Iterator[tuple[int, int, int]]:
    return ((node * each + local, node, local) for node in range(nodes) for local in range(each))


def _pytorch(nodes: int, each: int, port: int) -> list[Variables]:
    shared = {"MASTER_ADDR": _LOCAL, "MASTER_PORT": str(port), "WORLD_SIZE": str(nodes * each)}
    return [{**shared, "RANK": str(rank), "NODE_RANK": str(node), "LOCAL_RANK": str(local)}
            for rank, node, local in _ranks(nodes, each)]  # fmt: skip


def _mpi(nodes: int, each: int, port: int) -> list[Variables]:
    shared = {
        "AZ_BATCH_MASTER_NODE": f"{_LOCAL}:{port}",
        "AZ_BATCHAI_MPI_MASTER_NODE": _LOCAL,
        "OMPI_COMM_WORLD_SIZE": str(nodes * each),
        "OMPI_COMM_WORLD_LOCAL_SIZE": str(each),
    }
    return [{**shared, "OMPI_COMM_WORLD_RANK": str(rank), "OMPI_COMM_WORLD_LOCAL_RANK": str(local),
             "OMPI_COMM_WORLD_NODE_RANK": str(local)}
            for rank, _, local in _ranks(nodes, each)]  # fmt: skip


def _tensorflow(workers: int, servers: int, ports: Iterator[int]) -> list[Variables]:
    tasks = [("worker", number) for number in range(workers)] + [("ps", number) for number in range(servers)]
    cluster: dict[str, list[str]] = {}
    for kind, _ in tasks:
        cluster.setdefault(kind, []).append(f"{_LOCAL}:{next(ports)}")
    return [
        {"TF_CONFIG": json.dumps(
            {"cluster": cluster, "task": {"type": kind, "index": number}, "environment": "cloud"})}
        for kind, number in tasks
    ]  # fmt: skip


def launcher(line: Sequence[str], told: Sequence[Variables], logs: Path) -> list[str]:
    """Return a shell that runs a command once for each of the variables, with a log `<logs>_<number>.txt` for each."""
    starts = []
    for number, variables in enumerate(told):
        given = (f"{name}={value}" for name, value in variables.items())
        starts.append(f"number={number} && run {shlex.join(['env', *given, *line])} &")
    return ["bash", "-c", _SCRIPT.format(starts="\n".join(starts), logs=logs)]
