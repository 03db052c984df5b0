"""Every kind of job beside plain commands, through the real azure-ai-ml client: nested, parallel, sweep, ..."""

from __future__ import annotations

import json
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from amlite.testing import LocalAzure, Workspace
from amlite_fixtures.jobs import CLUSTER, CONDA, children, equip, history, processes, step, submit, until

if TYPE_CHECKING:
    from azure.ai.ml import MLClient


Json = dict[str, Any]
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
WRITE = "import pathlib, sys\npathlib.Path(sys.argv[1]).write_text(sys.argv[2])\n"
SPLIT = """
import pathlib, sys
for number in range(5):
    pathlib.Path(sys.argv[1], f"{number}.txt").write_text(str(number))
"""
SQUARE = """
import argparse, os, pathlib

def init():
    global plus
    parser = argparse.ArgumentParser()
    parser.add_argument("--plus", type=int)
    plus = parser.parse_args().plus

def run(mini_batch):
    assert len(mini_batch) <= 2
    found = []
    for file in mini_batch:
        number = int(pathlib.Path(file).read_text())
        if number != 3:
            found.append(f"{pathlib.Path(file).name} {number ** 2 + plus}")
    return found
"""
TRIAL = """
import pathlib, sys, time
import mlflow
rate, depth = float(sys.argv[1]), int(sys.argv[2])
mlflow.log_metric("loss", abs(depth - 3) + rate)
while depth > 10:  # hopeless, until somebody ends it
    time.sleep(0.2)
    mlflow.log_metric("loss", depth)
pathlib.Path(sys.argv[3], "depth").write_text(str(depth))
"""


@pytest.fixture(scope="module")
def kinds(amlite: LocalAzure) -> Workspace:
    """Return a workspace with a cluster, and environments without packages and with MLflow."""
    workspace = equip(Workspace.create(amlite, "kinds"))
    properties = {"image": IMAGE, "condaFile": CONDA}
    workspace.azure.put(f"{workspace.id}/environments/tracking/versions/1", {"properties": properties})
    return workspace


@pytest.fixture(scope="module")
def client(kinds: Workspace) -> MLClient:
    """Return the real client of that workspace."""
    return kinds.client()


def output(client: MLClient, name: str, key: str, folder: Path) -> dict[str, str]:
    """Download an output and return its files' texts by their names."""
    client.jobs.download(name, download_path=str(folder), output_name=key)
    found = (folder / "named-outputs").rglob("*")
    return {path.name: path.read_text("utf-8", "replace") for path in found if path.is_file()}


def table(folder: Path, rows: str) -> str:
    """Write a table of comma-separated values with its description, and return its folder."""
    folder.mkdir()
    (folder / "MLTable").write_text(
        "paths:\n- file: ./rows.csv\ntransformations:\n- read_delimited:\n    delimiter: ','\n", "utf-8"
    )
    (folder / "rows.csv").write_text(rows, "utf-8")
    return str(folder)


ENDING = """
type: pipeline
name: ending
version: "1"
inputs:
  before: {type: uri_file}
  text: {type: string, default: "!"}
outputs:
  whole: {type: uri_file}
jobs:
  last:
    type: command
    component: azureml:write:1
    inputs: {text: "${{parent.inputs.text}}"}
  both:
    type: command
    component: azureml:join:1
    inputs: {a: "${{parent.inputs.before}}", b: "${{parent.jobs.last.outputs.o}}"}
    outputs: {o: "${{parent.outputs.whole}}"}
"""


def test_a_pipeline_component_is_a_step_with_steps_of_its_own(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, dsl, load_component

    line = "python main.py ${{outputs.o}} ${{inputs.text}}"
    files = {"a": Input(type="uri_file"), "b": Input(type="uri_file")}
    made = {"o": Output(type="uri_file")}
    write = step(tmp_path, "write", WRITE, {"text": Input(type="string")}, made, line)
    join = step(tmp_path, "join", "", files, made, "cat ${{inputs.a}} ${{inputs.b}} > ${{outputs.o}}")
    write, _ = (client.components.create_or_update(each) for each in (write, join))
    (tmp_path / "ending.yml").write_text(ENDING, "utf-8")
    ending = client.components.create_or_update(load_component(tmp_path / "ending.yml"))

    @dsl.pipeline(name="outer", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def outer(word):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        first = write(text=word)
        inner = ending(before=first.outputs.o)
        again = ending(before=inner.outputs.whole, text="?")
        return {"said": again.outputs.whole}

    name = client.jobs.create_or_update(outer(word="hello")).name
    assert until(client, name).status == "Completed", history(client, name).error
    assert output(client, name, "said", tmp_path) == {"o": "hello!?"}
    steps = children(client, name)
    assert set(steps) == {"first", "inner", "again"}
    inner = children(client, steps["inner"].name)
    assert {key: child.status for key, child in inner.items()} == {"last": "Completed", "both": "Completed"}
    assert history(client, inner["both"].name).root_run_id == name


SETTINGS = """
type: pipeline
experiment_name: tests
settings: {default_compute: azureml:serverless}
inputs:
  where: CLUSTER
  level: high
  rows: {type: uri_file, path: ./rows.csv}
outputs:
  copied:
jobs:
  plain:
    command: echo $AZUREML_RUN_ID
    environment: azureml:ENVIRONMENT
  bound:
    command: echo $LEVEL
    environment: azureml:ENVIRONMENT
    compute: ${{parent.inputs.where}}
    environment_variables: {LEVEL: "${{parent.inputs.level}}"}
  inner:
    type: pipeline
    component: ./inner.yml
    inputs: {where: "${{parent.inputs.where}}", rows: "${{parent.inputs.rows}}"}
    outputs: {copied: "${{parent.outputs.copied}}"}
"""
INNER = """
type: pipeline
name: bound_inner
inputs:
  where: {type: string}
  elsewhere: {type: string, optional: true}
  rows: {type: uri_file}
outputs:
  copied: {type: uri_folder}
jobs:
  copy:
    type: command
    component: ./copy.yml
    compute: ${{parent.inputs.where}}
    inputs: {rows: "${{parent.inputs.rows}}"}
    outputs: {copied: "${{parent.outputs.copied}}"}
  nowhere:
    command: echo here
    environment: azureml:ENVIRONMENT
    compute: ${{parent.inputs.elsewhere}}
"""
COPY = """
type: command
name: copy_of_a_path
inputs: {rows: {type: path}}
outputs: {copied: {type: path}}
command: cp ${{inputs.rows}} ${{outputs.copied}}/
environment: azureml:ENVIRONMENT
"""


def test_settings_of_steps_take_the_inputs_of_the_pipeline(client: MLClient, tmp_path: Path) -> None:
    """The compute of a step, and of a step of a step. Also serverless compute by its name, and inputs of any path."""
    from azure.ai.ml import load_job

    for name, text in (("job.yml", SETTINGS), ("inner.yml", INNER), ("copy.yml", COPY), ("rows.csv", "a\n1\n")):
        said = text.replace("CLUSTER", CLUSTER).replace("ENVIRONMENT", "plain:1")
        (tmp_path / name).write_text(said, "utf-8")
    name = client.jobs.create_or_update(load_job(tmp_path / "job.yml")).name
    assert until(client, name).status == "Completed", history(client, name).error
    assert output(client, name, "copied", tmp_path) == {"rows.csv": "a\n1\n"}
    steps = children(client, name)
    inner = children(client, steps["inner"].name)
    used = {key: history(client, child.name).compute.target for key, child in [*steps.items(), *inner.items()]}
    assert {key: str(target).lower() for key, target in used.items() if key != "inner"} == {
        "plain": "serverless", "bound": CLUSTER, "copy": CLUSTER, "nowhere": "serverless",
    }  # fmt: skip
    client.jobs.download(steps["bound"].name, download_path=tmp_path / "bound")
    assert (tmp_path / "bound/artifacts/user_logs/std_log.txt").read_text("utf-8") == "high\n"


def test_a_failure_in_a_step_of_a_step_is_told_at_the_top(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Output, dsl

    broken = step(tmp_path, "broken", "", {}, {"o": Output(type="uri_file")}, "echo out of paper; exit 4")

    @dsl.pipeline(name="printing")  # type: ignore[call-overload]
    def printing():  # type: ignore[no-untyped-def] # noqa: ANN202
        return {"page": broken().outputs.o}

    @dsl.pipeline(name="office", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def office():  # type: ignore[no-untyped-def] # noqa: ANN202
        return {"page": printing().outputs.page}

    name = client.jobs.create_or_update(office()).name
    assert until(client, name).status == "Failed"
    message = history(client, name).error.error.message
    assert "Failed nodes: /printing" in message
    assert "Failed nodes: /broken" in message
    assert "out of paper" in message


def test_cancelling_a_pipeline_ends_the_steps_of_its_steps(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Output, dsl

    wait = step(tmp_path, "wait", "", {}, {"o": Output(type="uri_folder")}, "sleep 300")

    @dsl.pipeline(name="waiting")  # type: ignore[call-overload]
    def wait_inside():  # type: ignore[no-untyped-def] # noqa: ANN202
        wait()

    @dsl.pipeline(name="outside", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def outside():  # type: ignore[no-untyped-def] # noqa: ANN202
        wait_inside()

    name = client.jobs.create_or_update(outside()).name
    inner: dict[str, Any] = {}
    while not (inner and inner["wait"].status == "Running"):
        found = children(client, name)
        inner = children(client, found["waiting"].name) if found else {}
    client.jobs.begin_cancel(name).result()
    assert client.jobs.get(name).status == "Canceled"
    assert history(client, children(client, name)["waiting"].name).status == "Canceled"
    assert history(client, inner["wait"].name).status == "Canceled"


def parallel_pipeline(folder: Path, error_threshold: int) -> Any:
    """Return a pipeline of a step that writes five files and one that squares their numbers, all but 3."""
    from azure.ai.ml import Input, Output, dsl
    from azure.ai.ml.parallel import RunFunction, parallel_run_function

    split = step(folder, "split", SPLIT, {}, {"o": Output(type="uri_folder")}, "python main.py ${{outputs.o}}")
    code = folder / "square"
    code.mkdir()
    (code / "square.py").write_text(SQUARE, "utf-8")
    retries: Any = {"max_retries": 1, "timeout": 60}
    square = parallel_run_function(
        name="square", inputs={"numbers": Input(type="uri_folder"), "plus": Input(type="integer", default=1)},
        outputs={"squares": Output(type="uri_file")}, input_data="${{inputs.numbers}}", mini_batch_size="2",
        instance_count=1, max_concurrency_per_instance=2, error_threshold=error_threshold,
        mini_batch_error_threshold=0, retry_settings=retries,
        task=RunFunction(
            code=str(code), entry_script="square.py", environment="plain:1",
            program_arguments="--plus ${{inputs.plus}}", append_row_to="${{outputs.squares}}",
        ),
    )  # fmt: skip

    @dsl.pipeline(name="parallel", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def squares():  # type: ignore[no-untyped-def] # noqa: ANN202
        numbers = split()
        squared: Any = square(numbers=numbers.outputs.o)
        return {"squares": squared.outputs.squares}

    return squares()


def test_a_parallel_step_works_through_files(client: MLClient, tmp_path: Path) -> None:
    name = client.jobs.create_or_update(parallel_pipeline(tmp_path, 1)).name
    assert until(client, name).status == "Completed", history(client, name).error
    assert output(client, name, "squares", tmp_path) == {"squares": "0.txt 1\n1.txt 2\n2.txt 5\n4.txt 17\n"}


def test_a_parallel_step_fails_past_its_error_threshold(client: MLClient, tmp_path: Path) -> None:
    name = client.jobs.create_or_update(parallel_pipeline(tmp_path, 0)).name
    assert until(client, name).status == "Failed"
    assert "1 items failed, and error_threshold allows 0" in history(client, name).error.error.message


PARTITION = """
import pathlib, sys
folder = pathlib.Path(sys.argv[1])
for store in ("a", "b"):
    for day in ("1", "2"):
        file = folder / store / f"{day}.txt"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"{store}{day}")
(folder / "MLTable").write_text(
    "type: mltable\\npaths: [{pattern: ./**/*.txt}]\\n"
    "transformations:\\n- extract_columns_from_partition_format: {partition_format: '{store}/{day}.txt'}\\n"
)
"""
JOIN = """
import pathlib
def run(mini_batch, mini_batch_context):
    texts = [pathlib.Path(file).read_text() for file in mini_batch]
    return [f"{mini_batch_context.partition_key_value['store']}: {' '.join(texts)}"] * len(mini_batch)
"""


def test_a_parallel_step_has_a_mini_batch_for_each_partition(client: MLClient, tmp_path: Path) -> None:
    """In the manner of cli/jobs/parallel/1a_oj_sales_prediction of Azure/azureml-examples."""
    from azure.ai.ml import Output, load_job

    step_folder = tmp_path / "join"
    step_folder.mkdir()
    (step_folder / "join.py").write_text(JOIN, "utf-8")
    cut = step(tmp_path, "cut", PARTITION, {}, {"o": Output(type="mltable")}, "python main.py ${{outputs.o}}")
    cut.dump(tmp_path / "cut.yml")
    (tmp_path / "pipeline.yml").write_text(
        f"""
type: pipeline
experiment_name: tests
settings: {{default_compute: azureml:{CLUSTER}}}
outputs:
  joined: {{type: uri_file}}
jobs:
  cut: {{type: command, component: ./cut.yml}}
  join:
    type: parallel
    inputs:
      stores: {{type: mltable, mode: direct, path: "${{{{parent.jobs.cut.outputs.o}}}}"}}
    outputs:
      joined: ${{{{parent.outputs.joined}}}}
    input_data: ${{{{inputs.stores}}}}
    partition_keys: [store]
    error_threshold: 0
    task:
      type: run_function
      code: ./join
      entry_script: join.py
      environment: azureml:plain:1
      append_row_to: ${{{{outputs.joined}}}}
""",
        "utf-8",
    )
    name = client.jobs.create_or_update(load_job(tmp_path / "pipeline.yml")).name
    assert until(client, name).status == "Completed", history(client, name).error
    assert output(client, name, "joined", tmp_path) == {"joined": "a: a1 a2\na: a1 a2\nb: b1 b2\nb: b1 b2\n"}


def trial(folder: Path) -> Any:
    """Return a component whose loss is least at depth 3."""
    from azure.ai.ml import Input, Output

    component = step(
        folder, "trial", TRIAL, {"rate": Input(type="number"), "depth": Input(type="integer")},
        {"o": Output(type="uri_folder")}, "python main.py ${{inputs.rate}} ${{inputs.depth}} ${{outputs.o}}",
    )  # fmt: skip
    component.environment = "tracking:1"
    return component


def test_a_sweep_keeps_the_best_trial(client: MLClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from azure.ai.ml.sweep import Choice

    component = trial(tmp_path)
    tried = component(rate=0.25, depth=Choice([1, 3, 5]))
    job = tried.sweep(compute=CLUSTER, primary_metric="loss", goal="minimize", sampling_algorithm="grid")
    job.set_limits(max_total_trials=3, max_concurrent_trials=2, timeout=600)
    job.experiment_name = "tests"
    name = client.jobs.create_or_update(job).name
    client.jobs.stream(name)
    capsys.readouterr()
    found = client.jobs.get(name)
    assert (found.status, found.type) == ("Completed", "sweep")
    trials = {child.name: child for child in client.jobs.list(parent_job_name=name)}
    assert set(trials) == {f"{name}_0", f"{name}_1", f"{name}_2"}
    assert found.properties["best_child_run_id"] == f"{name}_1"
    best = history(client, f"{name}_1")
    assert json.loads(best.tags["hyperparameters"]) == {"depth": 3}
    assert output(client, name, "o", tmp_path) == {"depth": "3"}


def test_a_sweep_step_gives_up_what_is_hopeless_and_hands_its_best_output_on(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, dsl
    from azure.ai.ml.sweep import BanditPolicy, Choice

    component = trial(tmp_path)
    read = step(tmp_path, "read", "", {"a": Input(type="uri_folder")}, {"o": Output(type="uri_file")},
                "cat ${{inputs.a}}/depth > ${{outputs.o}}")  # fmt: skip

    @dsl.pipeline(name="tuned", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def tuned():  # type: ignore[no-untyped-def] # noqa: ANN202
        tried = component(rate=0.1, depth=Choice([99, 3]))
        search = tried.sweep(primary_metric="loss", goal="minimize", sampling_algorithm="grid", compute=CLUSTER)
        search.set_limits(max_total_trials=2, max_concurrent_trials=2, timeout=600)
        search.early_termination = BanditPolicy(slack_amount=1, delay_evaluation=1, evaluation_interval=1)
        result = read(a=search.outputs.o)
        return {"depth": result.outputs.o}

    name = client.jobs.create_or_update(tuned()).name
    assert until(client, name).status == "Completed", history(client, name).error
    assert output(client, name, "depth", tmp_path) == {"o": "3"}
    trials = client.jobs.list(parent_job_name=children(client, name)["search"].name)
    assert [history(client, trial.name).status for trial in trials] == ["Canceled", "Completed"]


def waiting(limit: str) -> Json:
    """Return a sweep of trials that would take minutes, with a time limit for all of it."""
    return {
        "jobType": "Sweep",
        "trial": {"command": "sleep ${{search_space.x}}", "environmentId": "azureml:plain:1"},
        "searchSpace": {"x": ["uniform", [300, 301]]},
        "samplingAlgorithm": {"samplingAlgorithmType": "Random"},
        "objective": {"goal": "Minimize", "primaryMetric": "loss"},
        "limits": {"jobLimitsType": "Sweep", "maxTotalTrials": 3, "maxConcurrentTrials": 2, "timeout": limit},
        "computeId": CLUSTER,
    }


@pytest.mark.parametrize(("limit", "status"), [("PT1H", "Canceled"), ("PT1S", "Failed")])
def test_a_sweep_that_is_canceled_or_out_of_time_ends_its_trials(
    client: MLClient, kinds: Workspace, limit: str, status: str
) -> None:
    name = f"waiting-{limit}"
    kinds.azure.put(f"{kinds.id}/jobs/{name}", {"properties": waiting(limit)})
    if status == "Canceled":
        while len(processes(f"{name}_0") + processes(f"{name}_1")) < 2:
            time.sleep(0.05)
        client.jobs.begin_cancel(name).result()
    assert until(client, name).status == status
    trials = [history(client, trial.name).status for trial in client.jobs.list(parent_job_name=name)]
    assert trials == ["Canceled", "Canceled"]
    assert processes(f"{name}_0") + processes(f"{name}_1") == []


def test_automl_finds_a_model(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, automl, dsl

    rows = "".join(f"{n % 7},{'ab'[n % 2]},{'yes' if n % 2 else 'no'}\n" for n in range(120))
    path = table(tmp_path / "table", "number,letter,answer\n" + rows)

    @dsl.pipeline(name="searched", experiment_name="tests", default_compute=CLUSTER)  # type: ignore[call-overload]
    def searched(rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        search = automl.classification(
            training_data=rows, target_column_name="answer", primary_metric="accuracy", n_cross_validations=2,
            outputs={"best_model": Output(type="mlflow_model")},
        )  # fmt: skip
        search.set_limits(timeout_minutes=5, max_trials=2)
        search.set_training(allowed_training_algorithms=["LightGBM"])
        return {"model": search.outputs.best_model}

    name = client.jobs.create_or_update(searched(rows=Input(type="mltable", path=path))).name
    assert until(client, name).status == "Completed", history(client, name).error
    (child,) = children(client, name).values()
    assert history(client, child.name).status == "Completed"
    files = output(client, name, "model", tmp_path)
    assert "loader_module: mlflow.sklearn" in files["MLmodel"]
    # Steps that register the model read its run from here, as in pipelines/automl of azureml-examples.
    assert re.search(rf"^run_id: {child.name}_[01]$", files["MLmodel"], re.MULTILINE)
    assert "lightgbm==" in files["requirements.txt"]


def test_spark_counts_rows(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, dsl, spark

    code = tmp_path / "count"
    code.mkdir()
    (code / "count.py").write_text(COUNT, "utf-8")
    (tmp_path / "rows.csv").write_text("kind,n\na,1\nb,2\na,3\n", "utf-8")
    count = spark(
        name="count", code=str(code), entry={"file": "count.py"}, driver_cores=1, driver_memory="1g",
        executor_cores=1, executor_memory="1g", executor_instances=1,
        inputs={"rows": Input(type="uri_file", mode="direct")},
        outputs={"sums": Output(type="uri_folder", mode="direct")},
        args="--rows ${{inputs.rows}} --sums ${{outputs.sums}}", conf=QUICK,
        resources={"instance_type": "Standard_E4S_V3", "runtime_version": "3.4"},
    )  # fmt: skip

    @dsl.pipeline(name="counted", experiment_name="tests")  # type: ignore[call-overload]
    def counted(rows):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        node: Any = count(rows=rows)
        node.resources = {"instance_type": "Standard_E4S_V3", "runtime_version": "3.4"}
        return {"sums": node.outputs.sums}

    name = client.jobs.create_or_update(counted(rows=Input(type="uri_file", path=str(tmp_path / "rows.csv")))).name
    assert until(client, name).status == "Completed", history(client, name).error
    texts = output(client, name, "sums", tmp_path)
    assert sorted(line for name, text in texts.items() if name.endswith(".csv") for line in text.split()) == [
        "a,4",
        "b,2",
    ]


def test_automl_and_spark_jobs_of_their_own_are_shown_as_they_were_sent(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Input, Output, automl, spark

    rows = Input(type="mltable", path=table(tmp_path / "table", "x,y\n1,2\n"))
    search = automl.regression(
        training_data=rows, target_column_name="y", primary_metric="r2_score", compute=CLUSTER,
        experiment_name="tests", outputs={"best_model": Output(type="mlflow_model")},
    )  # fmt: skip
    search.set_limits(timeout_minutes=7, max_trials=3)
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "entry.py").write_text("", "utf-8")
    counted = spark(
        code=str(tmp_path / "code"), entry={"file": "entry.py"}, driver_cores=1, driver_memory="1g", executor_cores=1,
        executor_memory="1g", executor_instances=1, experiment_name="tests",
        resources={"instance_type": "Standard_E4S_V3", "runtime_version": "3.4"},
    )  # fmt: skip
    sent: list[Any] = [client.jobs.create_or_update(job) for job in (search, counted)]
    for job in sent:
        client.jobs.begin_cancel(job.name).result()
    first, second = (client.jobs.get(job.name) for job in sent)
    assert (first.type, first.limits.timeout_minutes, first.target_column_name) == ("automl", 7, "y")
    assert (second.type, second.entry.entry, second.status) == ("spark", "entry.py", "Canceled")


# Three rows are not worth compiling for.
QUICK = {
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.shuffle.partitions": "1",
    "spark.ui.enabled": "false",
}
COUNT = """
import argparse
import pyspark.pandas  # as the samples for Spark do: it needs a pyarrow that fits numpy
from pyspark.sql import SparkSession
parser = argparse.ArgumentParser()
parser.add_argument("--rows")
parser.add_argument("--sums")
given = parser.parse_args()
spark = SparkSession.builder.getOrCreate()
rows = spark.read.csv(given.rows, header=True, schema="kind string, n int")
rows.groupBy("kind").sum("n").coalesce(1).write.csv(given.sums)
"""


def test_an_r_script_runs_where_r_is(client: MLClient, tmp_path: Path) -> None:
    from azure.ai.ml import Output

    (tmp_path / "fit.R").write_text("cat(6 * 7, file = commandArgs(trailingOnly = TRUE)[1])", "utf-8")
    options: Json = {"code": str(tmp_path / "fit.R"), "outputs": {"o": Output(type="uri_file")}}
    name = submit(client, "Rscript fit.R ${{outputs.o}}", **options)
    ended = until(client, name).status
    if shutil.which("Rscript"):
        assert ended == "Completed", history(client, name).error
        assert output(client, name, "o", tmp_path) == {"o": "42"}
    else:
        assert (
            "Install it in an environment with a Docker build context (r-base for R)"
            in history(client, name).error.error.message
        )


def test_a_program_that_is_missing_is_named_with_the_way_to_get_it(client: MLClient) -> None:
    name = submit(client, "Rscript-9 fit.R")
    assert until(client, name).status == "Failed"
    message = history(client, name).error.error.message
    assert "'Rscript-9' is neither in the environment (Python 3.11 venv from the conda file)" in message
    assert "Install it in an environment with a Docker build context" in message
