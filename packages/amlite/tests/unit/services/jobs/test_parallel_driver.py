"""The driver of parallel jobs, run as it is run in a job: in a process of its own, on a script of its user's."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from amlite.services.jobs import drivers
from amlite.services.jobs.drivers import table_steps
from amlite.services.jobs.drivers.parallel import Batch, batches
from amlite.services.jobs.tables import of_files

SCRIPT = """
import os, pathlib, sys, time

def init():
    pathlib.Path("inits", str(os.getpid())).touch()

def run(mini_batch):
    found = []
    for file in mini_batch:
        word = pathlib.Path(file).read_text()
        if word == "hang":
            time.sleep(600)
        if word == "once" and not pathlib.Path("once").exists():
            pathlib.Path("once").touch()
            raise ValueError("only the first time")
        if word == "die":
            os._exit(3)
        if word != "skip":
            found.append(word + sys.argv[1])
    return found

def shutdown():
    pathlib.Path("shutdowns", str(os.getpid())).touch()
"""


def drive(
    folder: Path, words: list[str], python: str = sys.executable, **settings: Any
) -> subprocess.CompletedProcess[str]:
    for name in ("data", "inits", "shutdowns"):
        (folder / name).mkdir()
    for number, word in enumerate(words):
        (folder / "data" / f"{number:02}").write_text(word, "utf-8")
    (folder / "entry.py").write_text(SCRIPT, "utf-8")
    whole = {
        "script": "entry.py", "arguments": ["!"], "source": str(folder / "data"), "table": None, "size": 1,
        "groups": None, "results": "results.txt", "workers": 2, "timeout": 60, "retries": 1, "error_threshold": -1,
        "batch_error_threshold": -1, **settings,
    }  # fmt: skip
    (folder / "settings.json").write_text(json.dumps(whole), "utf-8")
    command = [python, str(drivers.path("parallel")), "settings.json"]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)


def results(folder: Path) -> list[str]:
    return (folder / "results.txt").read_text("utf-8").splitlines()


def test_every_batch_is_run_once_in_order_of_its_data(tmp_path: Path) -> None:
    done = drive(tmp_path, ["a", "b", "c", "d", "e"], size=2, error_threshold=0)
    assert (done.returncode, results(tmp_path)) == (0, ["a!", "b!", "c!", "d!", "e!"]), done.stderr
    inits, shutdowns = (list((tmp_path / name).iterdir()) for name in ("inits", "shutdowns"))
    assert len(inits) == len(shutdowns) == 2


@pytest.mark.parametrize("version", ["3.7", "3.8", "3.9"])
def test_the_driver_runs_with_the_python_of_the_job(tmp_path: Path, version: str) -> None:
    """The linter checks the syntax for 3.7. What only fails at run time needs such an interpreter."""
    found = sorted((Path.home() / ".pyenv" / "versions").glob(f"{version}.*/bin/python"))
    if not found:
        pytest.skip(f"no Python {version} of pyenv here")
    done = drive(tmp_path, ["a", "b"], python=str(found[0]), error_threshold=0)
    assert (done.returncode, results(tmp_path)) == (0, ["a!", "b!"]), done.stderr


def test_a_batch_that_fails_is_tried_again(tmp_path: Path) -> None:
    done = drive(tmp_path, ["a", "once", "b"], error_threshold=0, batch_error_threshold=0)
    assert (done.returncode, results(tmp_path)) == (0, ["a!", "once!", "b!"]), done.stderr
    assert "only the first time" in done.stderr


@pytest.mark.parametrize("word", ["hang", "die"])
def test_a_worker_that_hangs_or_dies_is_replaced(tmp_path: Path, word: str) -> None:
    done = drive(tmp_path, ["a", word, "b"], timeout=1, workers=1, batch_error_threshold=1)
    assert (done.returncode, results(tmp_path)) == (0, ["a!", "b!"]), done.stderr
    assert "1 items and 1 mini batches failed" in done.stdout


@pytest.mark.parametrize(
    ("words", "settings", "said"),
    [
        (["a", "skip", "skip"], {"error_threshold": 1}, "2 items failed, and error_threshold allows 1"),
        (["die"], {"batch_error_threshold": 0}, "1 mini batches failed, and mini_batch_error_threshold allows 0"),
    ],
)
def test_too_many_failures_end_the_job(tmp_path: Path, words: list[str], settings: Any, said: str) -> None:
    done = drive(tmp_path, words, **settings)
    assert (done.returncode, (tmp_path / "results.txt").exists()) == (1, False)
    assert said in done.stderr


def test_as_many_failures_as_allowed_do_not(tmp_path: Path) -> None:
    done = drive(tmp_path, ["a", "skip"], error_threshold=1)
    assert (done.returncode, results(tmp_path)) == (0, ["a!"])


def test_a_script_that_cannot_start_ends_the_job(tmp_path: Path) -> None:
    done = drive(tmp_path, ["a"], script="none.py")
    assert done.returncode == 1
    assert "init() of none.py failed" in done.stderr


def test_a_table_is_cut_by_its_size(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("name;n\nanna;1\nbert;2\ncarl;3\n", "utf-8")
    table = {**of_files([str(file)], "delimited"), "delimiter": ";"}
    found = list(batches({"table": table, "size": 12, "source": "", "groups": None}))
    header = ["name", "n"]
    cut = [[["anna", "1"], ["bert", "2"]], [["carl", "3"]]]
    assert found == [Batch(rows=[(str(file), header, rows)]) for rows in cut]
    assert [batch.items for batch in found] == [2, 1]


def test_the_rows_that_a_table_chooses_are_cut_by_their_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "table_steps", table_steps)
    for name, rows in (("a.csv", "anna,1\nbert,2\n"), ("b.csv", "carl,3\ndora,4\n")):
        (tmp_path / name).write_text(f"name,n\n{rows}", "utf-8")
    table = {**of_files([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")], "delimited"), "whole": True}
    settings = {"table": {**table, "steps": [["skip", 1]]}, "size": 12, "source": "", "groups": None}
    found = list(batches(settings))
    assert [batch.frame.to_numpy().tolist() for batch in found] == [[["bert", 2], ["carl", 3]], [["dora", 4]]]
    assert [batch.items for batch in found] == [2, 1]
    assert list(batches({**settings, "table": {**table, "steps": [["take", 0]]}})) == []


CONTEXT = """
def run(mini_batch, mini_batch_context):
    values = mini_batch_context.partition_key_value
    return [f"{mini_batch_context.minibatch_index} {values} {len(mini_batch)}"] * len(mini_batch)
"""


def test_a_script_gets_a_batch_for_each_value_of_the_partition_keys(tmp_path: Path) -> None:
    (tmp_path / "context.py").write_text(CONTEXT, "utf-8")
    groups = [{"values": {"store": "a"}, "files": ["1", "2"]}, {"values": {"store": "b"}, "files": ["3"]}]
    done = drive(tmp_path, [], script="context.py", groups=groups, error_threshold=0)
    assert done.returncode == 0, done.stderr
    assert results(tmp_path) == ["0 {'store': 'a'} 2", "0 {'store': 'a'} 2", "1 {'store': 'b'} 1"]


LOGS = """
from azureml_user.parallel_run import EntryScript

def init():
    EntryScript().logger.debug("ready")

def run(mini_batch):
    EntryScript().logger.info("%s files", len(mini_batch))
    return mini_batch
"""


def test_a_script_logs_by_the_logger_that_azure_gives_it(tmp_path: Path) -> None:
    """Source: "Troubleshooting the ParallelRunStep": its lines are in the files under logs/user."""
    (tmp_path / "logs.py").write_text(LOGS, "utf-8")
    done = drive(tmp_path, ["a", "b"], script="logs.py", size=2, workers=1)
    assert done.returncode == 0, done.stderr
    (log,) = (tmp_path / "logs" / "user").iterdir()
    assert [line.rpartition(" DEBUG ")[2].rpartition(" INFO ")[2] for line in log.read_text().splitlines()] == [
        "ready", "2 files",
    ]  # fmt: skip
