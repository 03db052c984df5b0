"""The driver as a job runs it: a process of its own, with real scripts over real files."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from amlite.batch import driver

ECHO = "def run(mini_batch):\n    return [open(path).read() for path in mini_batch]\n"


@dataclass
class Scored:
    """How a run of the driver ended."""

    code: int
    log: str
    rows: list[str] | None


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Scored]:
    """Return a function that scores the files a, b and c with a script."""

    def scored(script: str, *extra: str, **options: object) -> Scored:
        data, score = tmp_path / "data", tmp_path / "score"
        for folder in (data, score):
            folder.mkdir()
        for name in "abc":
            (data / name).write_text(name.upper())
        (tmp_path / "score.py").write_text(script)
        shutil.copy(str(driver.__file__), tmp_path / "driver.py")
        given = {
            "script": tmp_path / "score.py",
            "data": data,
            "score": score,
            "output-action": "AppendRow",
            "output-file-name": "out.csv",
            "logging-level": "Info",
            "mini-batch-size": 2,
            "processes": 1,
            "error-threshold": -1,
            "max-retries": 0,
            "timeout": 30,
            **{name.replace("_", "-"): value for name, value in options.items()},
        }
        line = [sys.executable, "driver.py", *(f"--{name}={value}" for name, value in given.items()), *extra]
        done = subprocess.run(line, cwd=tmp_path, check=False, capture_output=True, text=True)
        written = score / "out.csv"
        rows = written.read_text().splitlines() if written.exists() else None
        return Scored(done.returncode, done.stdout + done.stderr, rows)

    return scored


def test_results_are_appended_in_mini_batches(run: Callable[..., Scored]) -> None:
    done = run("def run(mini_batch):\n    print('got', len(mini_batch))\n    return [str(p)[-1] for p in mini_batch]\n")
    assert (done.code, done.rows) == (0, ["a", "b", "c"])
    assert [line for line in done.log.splitlines() if line.startswith("got")] == ["got 2", "got 1"]


def test_a_frame_is_written_without_header_and_by_spaces() -> None:
    class Frame:
        columns = ("a", "b")

        def __len__(self) -> int:
            return 2

        def to_csv(self, *, header: bool, index: bool, sep: str) -> str:
            assert not header
            assert not index
            return sep.join("12") + "\n" + sep.join("34") + "\n"

    assert driver.rows(Frame()) == (2, "1 2\n3 4\n")


@pytest.mark.parametrize("result", ["text", None, 3])
def test_what_is_no_list_of_results_is_refused(result: object) -> None:
    with pytest.raises(TypeError, match="must return a list or a pandas DataFrame"):
        driver.rows(result)


def test_init_is_called_once_in_each_process(run: Callable[..., Scored]) -> None:
    script = "import os\ndef init():\n    print('init', os.getpid())\n" + ECHO
    done = run(script, mini_batch_size=1, processes=2)
    assert len({line for line in done.log.splitlines() if line.startswith("init")}) == 2
    assert sorted(done.rows or []) == ["A", "B", "C"]


def test_a_failed_mini_batch_is_tried_again(run: Callable[..., Scored]) -> None:
    script = (
        "import pathlib\n"
        "def run(mini_batch):\n"
        "    seen = pathlib.Path('seen')\n"
        "    if not seen.exists():\n"
        "        seen.write_text('')\n"
        "        raise ValueError('not yet')\n"
        "    return [path[-1] for path in mini_batch]\n"
    )
    done = run(script, mini_batch_size=3, max_retries=1, error_threshold=0)
    assert (done.code, done.rows) == (0, ["a", "b", "c"])
    assert "ValueError: not yet; it is tried again" in done.log


def test_a_mini_batch_that_takes_too_long_is_ended(run: Callable[..., Scored]) -> None:
    script = (
        "import time\ndef run(mini_batch):\n    time.sleep(300 if mini_batch[0][-1] == 'a' else 0)\n    return [1]\n"
    )
    done = run(script, mini_batch_size=1, timeout=0.5, error_threshold=0)
    assert done.code == 1
    assert "it took longer than 0.5 seconds; it is given up" in done.log
    assert "1 files failed, which is more than the error threshold of 0 allows" in done.log


def test_a_process_that_ends_takes_only_its_mini_batch_with_it(run: Callable[..., Scored]) -> None:
    script = "import os\ndef run(mini_batch):\n    if mini_batch[0][-1] == 'a':\n        os._exit(3)\n    return [1]\n"
    done = run(script, mini_batch_size=1)
    assert (done.code, done.rows) == (0, ["1", "1"])
    assert "its process ended with exit code 3" in done.log
    assert "3 files, 1 failed" in done.log


def test_results_that_are_missing_count_as_failed(run: Callable[..., Scored]) -> None:
    done = run("def run(mini_batch):\n    return mini_batch[:1]\n", mini_batch_size=3, error_threshold=1)
    assert done.code == 1
    assert "2 files failed" in done.log


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        (
            "def init():\n    raise KeyError('weights')\n" + ECHO,
            "init() of the scoring script failed: KeyError: 'weights'",
        ),
        ("import nothing_of_that_name\n" + ECHO, "No module named 'nothing_of_that_name'"),
        ("def score(x):\n    return x\n", "score.py has no function run(mini_batch)"),
        ("import os\ndef init():\n    os._exit(5)\n" + ECHO, "ended before its first mini batch"),
    ],
)
def test_a_script_that_cannot_be_loaded_fails_the_job(run: Callable[..., Scored], script: str, reason: str) -> None:
    done = run(script)
    assert done.code == 1
    assert reason in done.log


def test_a_model_that_is_a_folder_lies_under_its_own_name(run: Callable[..., Scored], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "w").write_text("7")
    script = (
        "import os\nfrom pathlib import Path\n"
        "def run(mini_batch):\n"
        "    return [Path(os.environ['AZUREML_MODEL_DIR'], 'weights', 'w').read_text()] * len(mini_batch)\n"
    )
    done = run(script, f"--model={tmp_path / 'model'}", "--model-name=weights")
    assert done.rows == ["7", "7", "7"], done.log


def test_a_summary_writes_only_what_the_script_writes(run: Callable[..., Scored], tmp_path: Path) -> None:
    script = (
        "import os\nfrom pathlib import Path\n"
        "def run(mini_batch):\n"
        "    Path(os.environ['AZUREML_BI_OUTPUT_PATH'], 'mine').write_text('1')\n"
        "    return mini_batch\n"
    )
    done = run(script, output_action="SummaryOnly")
    assert (done.code, done.rows) == (0, None)
    assert [path.name for path in (tmp_path / "score").iterdir()] == ["mine"]


def test_no_file_at_all_fails_the_job(run: Callable[..., Scored], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    done = run(ECHO, f"--data={tmp_path / 'empty'}")
    assert done.code == 1
    assert "there is no file in the input" in done.log
