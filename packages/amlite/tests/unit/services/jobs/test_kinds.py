"""What pipelines' nodes of each kind become, and what is refused of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from amlite.services.jobs.data import DataAccessError
from amlite.services.jobs.kinds import parallel, sweep

TRIAL = {"command": "run ${{inputs.rate}} ${{inputs.data}}", "environment": "azureml:e:1", "code": "azureml:c:1"}
NODE = {
    "search_space": {"rate": {"type": "uniform", "min_value": 0, "max_value": 1}},
    "objective": {"goal": "minimize", "primary_metric": "loss"},
    "limits": {"max_total_trials": 4, "max_concurrent_trials": 2, "timeout": 600, "trial_timeout": 60},
    "sampling_algorithm": "random",
    "early_termination": {"policy_type": "MedianStopping", "delay_evaluation": 1, "evaluation_interval": 2},
}


def test_a_sweep_node_is_written_as_a_sweep_job() -> None:
    found = sweep.from_node(TRIAL, NODE)
    assert found["trial"]["command"] == "run ${{search_space.rate}} ${{inputs.data}}"
    assert found["searchSpace"] == {"rate": ["uniform", [0, 1]]}
    assert found["samplingAlgorithm"] == {"samplingAlgorithmType": "Random"}
    assert found["objective"] == {"goal": "Minimize", "primaryMetric": "loss"}
    limits = {"maxTotalTrials": 4, "maxConcurrentTrials": 2, "timeout": "PT600S", "trialTimeout": "PT60S"}
    assert found["limits"] == {"jobLimitsType": "Sweep", **limits}
    policy = {"policyType": "MedianStopping", "delayEvaluation": 1, "evaluationInterval": 2}
    assert found["earlyTermination"] == policy
    assert sweep.problems({**found, "inputs": {"data": {}}, "outputs": {}}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"objective": {}}, "must name its objective"),
        ({"search_space": {"rate": {"type": "even"}}}, "'even' is not a valid distribution"),
        ({"search_space": {"rate": {"type": "uniform", "min_value": 0}}}, "a uniform distribution needs max_value"),
    ],
)
def test_a_sweep_node_that_says_too_little_is_refused(change: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        sweep.from_node(TRIAL, {**NODE, **change})


def test_a_sweep_job_is_held_against_its_command() -> None:
    job = {
        "trial": {"command": "run ${{search_space.depth}}"},
        "searchSpace": {"rate": ["uniform", [0, 1]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Grid"},
    }
    undeclared, grid = sweep.problems(job)
    assert "'${{search_space.depth}}' is not declared; the search_space are: rate" in undeclared
    assert "grid sampling takes choices only" in grid


TASK = {"type": "run_function", "entry_script": "s.py", "code": "azureml:c:1", "environment": "azureml:e:1"}


def parallel_job(**change: Any) -> dict[str, Any]:
    component = {"task": TASK, "input_data": "${{inputs.d}}", "mini_batch_size": "10", "error_threshold": 5}
    found = parallel.from_node(component, change)
    return {**found, "inputs": {"d": {}}, "outputs": {"o": {}}}


def test_a_parallel_node_overrules_its_component(tmp_path: Path) -> None:
    job = parallel_job(error_threshold=0, retry_settings={"max_retries": 0, "timeout": 5})
    assert parallel.problems(job) == []
    found = parallel.settings(job, {"d": tmp_path}, {"o": tmp_path})
    wanted = {"size": 10, "error_threshold": 0, "retries": 0, "timeout": 5, "workers": 1, "results": None}
    assert {name: found[name] for name in wanted} == wanted


def test_a_parallel_job_appends_to_a_file_or_in_a_folder(tmp_path: Path) -> None:
    job = parallel_job(task={"append_row_to": "${{outputs.o}}"}, mini_batch_size="2kb")
    found = parallel.settings(job, {"d": tmp_path}, {"o": tmp_path})
    assert (found["results"], found["size"]) == (str(tmp_path / "parallel_run_step.txt"), 2048)
    assert parallel.settings(job, {"d": tmp_path}, {"o": tmp_path / "rows"})["results"] == str(tmp_path / "rows")


def test_a_parallel_job_has_a_batch_for_each_value_of_its_partition_keys(tmp_path: Path) -> None:
    for store in ("a", "b"):
        (tmp_path / store).mkdir()
        (tmp_path / store / "rows.csv").write_text("x\n1\n", "utf-8")
    job = parallel_job(partition_keys='["store"]')
    assert parallel.problems(job) == []
    with pytest.raises(DataAccessError, match="the input has no MLTable"):
        parallel.settings(job, {"d": tmp_path}, {})
    (tmp_path / "MLTable").write_text(
        "paths: [{pattern: '*/*.csv'}]\ntransformations:\n"
        "- extract_columns_from_partition_format: {partition_format: '{store}/{file}.csv'}\n",
        "utf-8",
    )
    found = parallel.settings(job, {"d": tmp_path}, {})
    assert [group["values"] for group in found["groups"]] == [{"store": "a"}, {"store": "b"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"task": {"append_row_to": "${{outputs.none}}"}}, "'${{outputs.none}}' is not declared"),
        ({"task": {"type": "model"}}, "type run_function only"),
        ({"mini_batch_size": "many"}, "mini_batch_size is 'many'"),
        ({"partition_keys": "a"}, "partition_keys is 'a' and must be a list of names"),
        ({"input_data": "folder"}, "must be one input"),
    ],
)
def test_a_parallel_node_that_cannot_run_is_refused(change: Any, said: str) -> None:
    assert any(said in problem for problem in parallel.problems(parallel_job(**change)))
