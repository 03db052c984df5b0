"""The processes of a distributed job: what each is told, and how they end.

Sources: "Distributed GPU training guide" and "CLI (v2) command job YAML schema".
"""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from amlite.services.jobs import distribution
from amlite.services.jobs.kinds import command, sweep


def told(given: dict[str, Any], nodes: int = 1) -> list[dict[str, str]]:
    properties = {"distribution": given, "resources": {"instanceCount": nodes}}
    return distribution.processes(properties, itertools.count(5000))


def run(line: list[str], variables: list[dict[str, str]], folder: Path) -> subprocess.CompletedProcess[str]:
    wanted = distribution.launcher(line, variables, folder / "log")
    return subprocess.run(wanted, capture_output=True, text=True, timeout=20, check=False, start_new_session=True)


def test_a_job_without_distribution_is_one_process() -> None:
    assert told({}) == []


def test_processes_of_pytorch_know_their_ranks() -> None:
    found = told({"distributionType": "PyTorch", "processCountPerInstance": 2}, nodes=2)
    ranks = [(each["RANK"], each["NODE_RANK"], each["LOCAL_RANK"], each["WORLD_SIZE"]) for each in found]
    assert ranks == [("0", "0", "0", "4"), ("1", "0", "1", "4"), ("2", "1", "0", "4"), ("3", "1", "1", "4")]
    assert {(each["MASTER_ADDR"], each["MASTER_PORT"]) for each in found} == {("127.0.0.1", "5000")}


def test_processes_of_mpi_have_the_variables_of_open_mpi() -> None:
    first, last = told({"distributionType": "Mpi", "processCountPerInstance": 2})
    assert (first["OMPI_COMM_WORLD_RANK"], last["OMPI_COMM_WORLD_RANK"]) == ("0", "1")
    assert (last["OMPI_COMM_WORLD_SIZE"], last["OMPI_COMM_WORLD_LOCAL_RANK"]) == ("2", "1")
    assert last["AZ_BATCH_MASTER_NODE"] == "127.0.0.1:5000"


def test_tasks_of_tensorflow_know_their_cluster() -> None:
    found = [json.loads(each["TF_CONFIG"]) for each in told({"distributionType": "TensorFlow", "workerCount": 2,
                                                              "parameterServerCount": 1})]  # fmt: skip
    cluster = {"worker": ["127.0.0.1:5000", "127.0.0.1:5001"], "ps": ["127.0.0.1:5002"]}
    assert [each["cluster"] for each in found] == [cluster] * 3
    assert [each["task"] for each in found] == [
        {"type": "worker", "index": 0}, {"type": "worker", "index": 1}, {"type": "ps", "index": 0}
    ]  # fmt: skip
    assert len(told({"distributionType": "TensorFlow"}, nodes=3)) == 3


def test_each_process_has_a_log_of_its_own(tmp_path: Path) -> None:
    ended = run(["bash", "-c", 'echo "it\'s $RANK"; true'], [{"RANK": "0"}, {"RANK": "1"}], tmp_path)
    assert (ended.returncode, ended.stdout) == (0, "")
    assert [(tmp_path / f"log_{rank}.txt").read_text() for rank in (0, 1)] == ["it's 0\n", "it's 1\n"]


def test_a_process_that_fails_ends_the_job_with_its_code(tmp_path: Path) -> None:
    line = ["bash", "-c", "[ $RANK = 0 ] && sleep 60; echo broken; exit 3"]
    ended = run(line, [{"RANK": "0"}, {"RANK": "1"}], tmp_path)
    assert ended.returncode == 3
    assert ended.stdout == "Process 1 ended with exit code 3. The end of its log:\nbroken\n"


def test_a_node_takes_the_distribution_of_its_component() -> None:
    component = {"command": "x", "environment": "azureml:e:1", "distribution": {"type": "pytorch"}}
    wanted = {"distributionType": "PyTorch"}
    assert command.from_node(component, {})["distribution"] == wanted
    own = {"distribution": {"distribution_type": "Mpi", "process_count_per_instance": 3}}
    assert command.from_node(component, own)["distribution"] == {
        "distributionType": "Mpi",
        "processCountPerInstance": 3,
    }
    objective = {"objective": {"goal": "minimize", "primary_metric": "m"}}
    assert sweep.from_node(component, objective)["trial"]["distribution"] == wanted
    with pytest.raises(ValueError, match="distribution 'ray' is not one of"):
        command.from_node({**component, "distribution": {"type": "ray"}}, {})
