"""The entry script as a job runs it: called by the driver of parallel jobs, over real files."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from amlite.services.batch import entry
from amlite.services.jobs import drivers


@dataclass
class Scored:
    """How a run of the driver ended."""

    code: int
    log: str
    rows: list[str]


@pytest.fixture
def run(tmp_path: Path) -> Callable[[str], Scored]:
    """Return a function that scores the files a, b and c with a script and a model, a folder `weights`."""

    def scored(script: str) -> Scored:
        data, score, model = (tmp_path / name for name in ("data", "score", "model"))
        for folder in (data, score, model):
            folder.mkdir()
        for name in "abc":
            (data / name).write_text(name.upper())
        (model / "w").write_text("7")
        (tmp_path / "score.py").write_text(script)
        shutil.copy(str(entry.__file__), tmp_path / "entry.py")
        shutil.copy(drivers.path("parallel"), tmp_path / "driver.py")
        arguments = [f"--score={score}", f"--model={model}", "--model-name=weights", "--logging-level=Info"]
        settings = {
            "script": "entry.py",
            "arguments": ["--script=score.py", *arguments],
            "source": str(data),
            "table": None,
            "groups": None,
            "size": 2,
            "results": str(score / "out.csv"),
            "workers": 2,
            "timeout": 30,
            "retries": 0,
            "error_threshold": 0,
            "batch_error_threshold": -1,
        }
        (tmp_path / "driver.json").write_text(json.dumps(settings))
        line = [sys.executable, "driver.py", "driver.json"]
        done = subprocess.run(line, cwd=tmp_path, check=False, capture_output=True, text=True)
        written = score / "out.csv"
        return Scored(
            done.returncode, done.stdout + done.stderr, written.read_text().splitlines() if written.exists() else []
        )

    return scored


def test_a_script_gets_files_model_and_output_as_in_azure(run: Callable[[str], Scored], tmp_path: Path) -> None:
    script = (
        "import logging, os\n"
        "from pathlib import Path\n"
        "def init():\n"
        "    global weight\n"
        "    weight = Path(os.environ['AZUREML_MODEL_DIR'], 'weights', 'w').read_text()\n"
        "    logging.getLogger().info('loaded %s', weight)\n"
        "def run(mini_batch):\n"
        "    for path in mini_batch:\n"
        "        Path(os.environ['AZUREML_BI_OUTPUT_PATH'], Path(path).name).write_text('mine')\n"
        "    return [Path(path).read_text() + weight for path in mini_batch]\n"
    )
    done = run(script)
    assert (done.code, done.rows) == (0, ["A7", "B7", "C7"]), done.log
    assert "INFO root: loaded 7" in done.log
    assert sorted(path.name for path in (tmp_path / "score").iterdir()) == ["a", "b", "c", "out.csv"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "def init():\n    raise KeyError('weights')\ndef run(mini_batch):\n    return mini_batch\n",
            "KeyError: 'weights'",
        ),
        ("import nothing_of_that_name\n", "No module named 'nothing_of_that_name'"),
        ("def score(x):\n    return x\n", "score.py has no function run(mini_batch)"),
        ("def run(mini_batch):\n    return 'text'\n", "run() must return a list or a pandas DataFrame, not str"),
        ("def run(mini_batch):\n    return mini_batch[:1]\n", "1 items failed, and error_threshold allows 0"),
    ],
)
def test_a_script_that_cannot_score_fails_the_job(run: Callable[[str], Scored], script: str, reason: str) -> None:
    done = run(script)
    assert done.code == 1
    assert reason in done.log


def test_a_model_that_is_one_file_lies_in_its_folder(tmp_path: Path) -> None:
    assert entry.show_model(tmp_path, "") == tmp_path
