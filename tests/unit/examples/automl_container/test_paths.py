"""The three kinds of paths in a container: those of the image, relative ones in its files, and mounted ones."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import yaml

Task = Callable[[str], ModuleType]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that has nothing to do with the image, as Azure ML chooses one."""
    folder = tmp_path / "wd"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.usefixtures("elsewhere")
def test_a_path_of_the_image_does_not_depend_on_the_working_folder(task: Task, image: Path) -> None:
    paths = task("paths")
    assert paths.in_image("configs/automl-job.yml") == image / "configs" / "automl-job.yml"
    assert paths.in_image("data").is_absolute()
    with pytest.raises(FileNotFoundError, match="copy it in the Dockerfile"):
        paths.in_image("configs/missing.yml")


def test_the_dockerfile_copies_every_file_that_a_task_reads_to_where_it_reads_it(image: Path) -> None:
    dockerfile = (image / "Dockerfile").read_text("utf-8")
    copied = dict(re.findall(r"^COPY (\w+) /app/(\w+)$", dockerfile, re.MULTILINE))
    assert copied == {name: name for name in ("bin", "configs", "data", "tasks")}
    assert "PYTHONPATH=/app\n" in dockerfile
    assert "PATH=/app/bin:" in dockerfile
    named = {
        path
        for file in (image / "tasks").glob("*.py")
        for path in re.findall(r'in_image\("([^"]+)"\)', file.read_text("utf-8"))
    }
    named |= set(re.findall(r"\$app/([\w./-]+)", (image / "bin" / "smoke-test").read_text("utf-8")))
    assert named >= {"configs/automl-job.yml", "configs/sample-request.json", "data"}
    for path in named:
        assert (image / path).exists(), path
        assert path.partition("/")[0] in copied, path


@pytest.mark.usefixtures("elsewhere")
def test_a_relative_path_in_a_file_of_the_image_is_relative_to_that_file(task: Task, image: Path) -> None:
    from azure.ai.ml import load_data

    data = load_data(task("paths").in_image("configs/dataset.yml"))
    assert (Path(data.base_path) / data.path).resolve() == image / "data"
    table = yaml.safe_load((image / "data" / "MLTable").read_text("utf-8"))
    (file,) = table["paths"]
    assert (image / "data" / file["file"]).resolve() == image / "data" / "wine.csv"


@pytest.mark.usefixtures("elsewhere")
def test_values_pass_through_mounted_folders_whose_paths_have_spaces(task: Task, tmp_path: Path) -> None:
    paths = task("paths")
    mounted = tmp_path / "cap" / "data capability" / "OUTPUT_job"
    paths.write(mounted, name="run-1-automl", score="0.98")
    assert paths.read(mounted, "name") == "run-1-automl"
    with pytest.raises(FileNotFoundError, match="the earlier task did not write it"):
        paths.read(mounted, "version")


@pytest.fixture
def app(image: Path, tmp_path: Path) -> Path:
    """The files of the image at another place, as in the container, and an `az` that notes its calls."""
    app = tmp_path / "app folder"
    shutil.copytree(image, app, ignore=shutil.ignore_patterns("__pycache__"))
    az = tmp_path / "bin" / "az"
    az.parent.mkdir()
    az.write_text(
        "#!/usr/bin/env bash\n"
        f'printf "%s|" "$@" >> "{tmp_path}/calls"; echo >> "{tmp_path}/calls"\n'
        'if [ "$1 $2" = "login --identity" ] && [ -n "${REFUSED:-}" ]; then\n'
        '    echo "ERROR: 400, No managed identity" >&2; echo "Run the command below" >&2; exit 1; fi\n'
        'if [ "$1" = rest ]; then echo "$ANSWER"; fi\n',
        "utf-8",
    )
    az.chmod(0o755)
    return app


def run(app: Path, elsewhere: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    path = f"{app.parent / 'bin'}:{app / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(app), **variables}
    return subprocess.run(
        ["bash", *words], cwd=elsewhere, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


def calls(app: Path) -> list[list[str]]:
    return [line.split("|")[:-1] for line in (app.parent / "calls").read_text("utf-8").splitlines()]


@pytest.mark.usefixtures("task")
def test_the_smoke_test_finds_its_files_from_any_working_folder(app: Path, elsewhere: Path, tmp_path: Path) -> None:
    mounted = tmp_path / "INPUT deployment"
    mounted.mkdir()
    (mounted / "name.txt").write_text("automl-3", "utf-8")
    (mounted / "scoring_uri.txt").write_text("https://wine.westeurope.inference.ml.azure.com/score", "utf-8")
    answer = json.dumps(["barolo", "grignolino", "barbera"])
    done = run(app, elsewhere, str(app / "bin" / "smoke-test"), "compute", str(mounted), ANSWER=answer)
    assert done.returncode == 0, done.stderr
    assert "deployment automl-3 answers" in done.stdout
    sent = calls(app)[-1]
    assert sent[sent.index("--url") + 1] == "https://wine.westeurope.inference.ml.azure.com/score"
    assert "azureml-model-deployment=automl-3" in sent
    assert sent[-1] == f"@{app}/configs/sample-request.json"


@pytest.mark.usefixtures("task")
def test_the_smoke_test_fails_if_the_answer_is_no_known_cultivar(app: Path, elsewhere: Path, tmp_path: Path) -> None:
    for name in ("name", "scoring_uri"):
        (tmp_path / f"{name}.txt").write_text("x", "utf-8")
    done = run(app, elsewhere, str(app / "bin" / "smoke-test"), "compute", str(tmp_path), ANSWER='["merlot"]')
    assert done.returncode == 1
    assert done.stderr == (
        "check_answer: the deployment must answer 3 of the labels ['barbera', 'barolo', 'grignolino'], "
        "and it answers ['merlot']\n"
    )


@pytest.mark.usefixtures("task")
def test_the_sign_in_takes_the_identity_of_the_cluster_and_fails_with_one_line(app: Path, elsewhere: Path) -> None:
    script = str(app / "bin" / "sign-in")
    assert run(app, elsewhere, script, "compute").returncode == 0
    identity = os.environ["DEFAULT_IDENTITY_CLIENT_ID"]
    assert calls(app)[0][:4] == ["login", "--identity", "--client-id", identity]
    done = run(app, elsewhere, script, "nobody", REFUSED="yes")
    assert done.returncode == 1
    assert done.stderr == (
        "sign-in: cannot sign in as managed identity 'nobody': ERROR: 400, No managed identity "
        "Fix: assign the identity to the cluster.\n"
    )
    done = run(app, elsewhere, script, "compute", DEFAULT_IDENTITY_CLIENT_ID="")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The compute has no managed identity" in done.stderr
