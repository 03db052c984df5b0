"""A foreign project of `az ml` YAML becomes part of this one with the layout that it has."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from pulumi_azureml.planning.tree import LISTED_FILES
from release.errors import ReleaseError
from release.importing import command
from release.importing.source import brought
from release.importing.survey import survey
from release.project import CWD_VARIABLE
from release.starting.template import render

SCHEMA = "$schema: https://azuremlschemas.azureedge.net/latest/{}.schema.json\n"
ENVIRONMENT = "environment: azureml://registries/azureml/environments/sklearn-1.5/labels/latest\n"
FILES = {
    "mlops/train/pipeline.yml": SCHEMA.format("pipelineJob")
    + "type: pipeline\nsettings: {default_compute: azureml:cpu-cluster}\njobs:\n  train:\n    component: ./train.yml\n",
    "mlops/train/train.yml": SCHEMA.format("commandComponent")
    + f"name: train\ntype: command\ncode: ../../src\ncommand: python main.py\n{ENVIRONMENT}",
    "mlops/train/other.yml": SCHEMA.format("pipelineJob")
    + "type: pipeline\njobs:\n  train:\n    component: ./broken.yml\n",
    "mlops/train/broken.yml": SCHEMA.format("commandComponent") + "name: broken\ncommand: python main.py\n",
    "mlops/compute.yml": SCHEMA.format("amlCompute") + "name: cpu-cluster\ntype: amlcompute\n",
    "src/main.py": "print()\n",
}


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    for path, text in FILES.items():
        (tmp_path / "foreign" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "foreign" / path).write_text(text, encoding="utf-8")
    return tmp_path / "foreign"


def test_a_survey_says_what_is_managed_and_what_is_left_and_why(foreign: Path) -> None:
    found = survey(foreign.parent, "foreign")
    assert {(asset.kind, asset.name) for asset in found.managed} == {
        ("component", "train"),
        ("pipeline_job", "foreign-mlops-train-pipeline"),
    }
    assert {(each.path.rpartition("/")[2], each.what, each.why) for each in found.left} == {
        ("compute.yml", "a compute target", "the platform's configuration has it"),
        ("broken.yml", "refused", "line 1: 'environment' is missing; add `environment:`"),
        ("other.yml", "refused", "it refers to foreign/mlops/train/broken.yml"),
    }
    assert found.patterns[0] == "/foreign/"
    assert set(found.patterns[1:]) == {"!/foreign/mlops/train/broken.yml", "!/foreign/mlops/train/other.yml"}
    assert found.computes == ("cpu-cluster",)


@pytest.mark.parametrize(
    "name", ["b[1]roken.yml", "a*b?.yml", "a\\b.yml", "!x.yml", "#x.yml", "end .yml", "a\nb.yml", "a\u2028.yml"]
)
def test_a_file_is_left_out_whatever_its_name_has(name: str, foreign: Path) -> None:
    """A name can have what a pattern means something else by, or a line break, which would begin another pattern."""
    broken = foreign / "mlops/train/broken.yml"
    broken.rename(broken.with_name(name))
    (foreign / "mlops/train/other.yml").unlink()
    found = survey(foreign.parent, "foreign")
    assert f"foreign/mlops/train/{name}" in {each.path for each in found.left}
    assert {asset.name for asset in found.managed} == {"train", "foreign-mlops-train-pipeline"}
    assert not any(len(each.splitlines()) > 1 for each in found.patterns)


@pytest.mark.parametrize("name", ["foreign [1]", "a*", "a "])
def test_a_folder_is_imported_whatever_its_name_has(name: str, foreign: Path) -> None:
    found = survey(foreign.rename(foreign.with_name(name)).parent, name)
    assert "train" in {asset.name for asset in found.managed}


def test_a_folder_of_the_project_stays_where_it_is(foreign: Path) -> None:
    with brought(str(foreign / "mlops"), foreign.parent, None) as found:
        assert found == ("foreign/mlops", False)


def test_a_folder_from_elsewhere_is_copied_as_it_is(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "own"
    root.mkdir()
    monkeypatch.syspath_prepend(root)  # Python imports from the folder that the command runs in
    with brought(str(foreign), root, "taxi") as found:
        assert found == ("taxi", True)
    assert (root / "taxi/mlops/train/pipeline.yml").read_text() == FILES["mlops/train/pipeline.yml"]
    with pytest.raises(ReleaseError, match="exists already"), brought(str(foreign), root, "taxi"):
        pass
    assert (root / "taxi").exists()


@pytest.mark.parametrize("as_url", [False, True])
@pytest.mark.parametrize("end", [ReleaseError("no"), KeyboardInterrupt()], ids=["error", "interruption"])
def test_an_import_that_fails_leaves_no_copy_and_touches_no_folder_of_the_project(
    end: BaseException, as_url: bool, foreign: Path, tmp_path: Path
) -> None:
    make_repository(foreign)
    root = tmp_path / "own"
    root.mkdir()
    with pytest.raises(type(end)), brought(foreign.as_uri() if as_url else str(foreign), root, None) as (folder, _):
        stop(end, root / folder / "src/main.py")
    assert list(root.iterdir()) == []
    with pytest.raises(type(end)), brought(str(foreign), tmp_path, None):
        raise end
    assert foreign.exists()


def stop(end: BaseException, copied: Path) -> None:
    assert copied.exists()
    raise end


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_import_that_a_signal_ends_leaves_no_copy(number: signal.Signals, foreign: Path, tmp_path: Path) -> None:
    """As of a job that a CI host cancels, or a terminal that is closed."""
    root = tmp_path / "own"
    root.mkdir()
    (root / "Pulumi.dev.yaml").write_text("config: {}\n")
    wait = "command.survey = lambda *_, **__: (print('copied', flush=True), time.sleep(60))"
    code = f"import time; from release import cli; from release.importing import command; {wait}; cli.main()"
    with subprocess.Popen(
        [sys.executable, "-c", code, "import", str(foreign)],
        env={**os.environ, CWD_VARIABLE: str(root)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "copied\n"
        assert (root / "foreign/src/main.py").exists()
        process.send_signal(number)
        assert process.stderr.read() == "\nAborted!\n"
    assert process.returncode == 1
    assert [each.name for each in root.iterdir()] == ["Pulumi.dev.yaml"]


def test_a_copy_that_fails_in_the_middle_is_removed(foreign: Path, tmp_path: Path) -> None:
    os.mkfifo(foreign / "pipe")
    root = tmp_path / "own"
    root.mkdir()
    with pytest.raises(ReleaseError, match=r"cannot be copied.*pipe"), brought(str(foreign), root, None):
        pass
    assert list(root.iterdir()) == []


def make_repository(folder: Path) -> None:
    for git in ("init --quiet", "add .", "-c user.name=a -c user.email=a@b commit --quiet -m first"):
        subprocess.run(["git", *git.split()], cwd=folder, check=True)


def test_a_git_repository_is_imported_without_its_history(foreign: Path, tmp_path: Path) -> None:
    make_repository(foreign)
    root = tmp_path / "own"
    root.mkdir()
    with brought(foreign.as_uri(), root, None) as (folder, _):
        assert folder == "foreign"
    assert (root / "foreign/src/main.py").read_text() == FILES["src/main.py"]
    assert not (root / "foreign/.git").exists()
    with pytest.raises(ReleaseError, match="git cannot clone"), brought((tmp_path / "none").as_uri(), root, None):
        pass


STACK_FILE = """\
# A stack.
config:
  # The place.
  azure-native:location: westeurope
  azureml-platform:compute:
    - name: small
"""


@pytest.fixture
def importing(foreign: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Return the command, run in a project with a stack `dev`."""
    (foreign.parent / "Pulumi.dev.yaml").write_text(STACK_FILE)
    monkeypatch.setenv(CWD_VARIABLE, str(foreign.parent))
    return lambda *arguments: CliRunner().invoke(command.import_project, [str(each) for each in arguments])


def test_the_stack_file_gets_the_patterns_that_it_does_not_have(
    importing: Callable[..., Result], foreign: Path
) -> None:
    """Without Pulumi, which would need a backend and a stack."""
    for _ in range(2):
        done = importing(foreign, "--stack", "dev")
        assert done.exit_code == 0, done.output
        assert "Pulumi.dev.yaml has the patterns of these files now. Next: make preview STACK=dev" in done.output
        assert "Pulumi.dev.yaml has no cpu-cluster. Add it to azureml-platform:compute" in done.output
    text = (foreign.parent / "Pulumi.dev.yaml").read_text()
    patterns = ["/foreign/", "!/foreign/mlops/train/broken.yml", "!/foreign/mlops/train/other.yml"]
    assert yaml.safe_load(text)["config"]["azureml-platform:assets"] == {"files": patterns}
    assert [line for line in STACK_FILE.splitlines() if line not in text.splitlines()] == []


def test_a_mended_file_is_managed_when_its_pattern_is_gone(importing: Callable[..., Result], foreign: Path) -> None:
    """The table said `managed`, and no update planned the file, because the first import had left it out."""
    importing(foreign, "--stack", "dev")
    broken = foreign / "mlops/train/broken.yml"
    broken.write_text(broken.read_text() + ENVIRONMENT)
    done = importing(foreign, "--stack", "dev").output
    managed, _, left = done.partition("left to az ml")
    assert "broken.yml" not in managed
    assert "other.yml" not in managed
    assert "the pattern '!/foreign/mlops/train/broken.yml'; remove it to manage this file" in " ".join(left.split())
    file = foreign.parent / "Pulumi.dev.yaml"
    file.write_text("".join(line for line in file.read_text().splitlines(keepends=True) if "!/foreign" not in line))
    managed, _, left = importing(foreign, "--stack", "dev").output.partition("left to az ml")
    assert "broken.yml" in managed
    assert "remove it to manage" not in left


def test_what_is_refused_has_the_line_and_the_fix(importing: Callable[..., Result], foreign: Path) -> None:
    text = importing(foreign).output
    assert "line 1: 'environment' is missing; add `environment:`" in text
    assert "Next: release import foreign --stack STACK" in text


def test_a_folder_without_assets_says_so(importing: Callable[..., Result], foreign: Path) -> None:
    done = importing(foreign / "src", "--stack", "dev")
    assert done.exit_code == 1
    assert "no YAML file below foreign/src/ defines an asset of Azure Machine Learning" in done.output
    assert (foreign.parent / "Pulumi.dev.yaml").read_text() == STACK_FILE


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder outside of the project."""
    return tmp_path_factory.mktemp("elsewhere")


def test_a_folder_from_elsewhere_without_assets_is_not_kept(
    importing: Callable[..., Result], elsewhere: Path, tmp_path: Path
) -> None:
    (elsewhere / "main.py").write_text("print()\n")
    done = importing(elsewhere, "--into", "rides")
    assert "no YAML file below rides/ defines an asset" in done.output
    assert not (tmp_path / "rides").exists()


def test_an_unknown_stack_is_refused_before_files_are_copied(
    importing: Callable[..., Result], elsewhere: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "brought", lambda *_: pytest.fail("it copies"))
    done = importing(elsewhere, "--into", "taxi", "--stack", "prd")
    assert "stack 'prd' has no file Pulumi.prd.yaml; stacks of this project: dev" in done.output
    assert not (tmp_path / "taxi").exists()


@pytest.mark.parametrize("source", ["nowhere", "--upload-pack=x", "ext::sh -c true"])
def test_only_a_folder_or_a_git_url_is_imported(source: str, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="neither a folder nor the URL"), brought(source, tmp_path, None):
        pass


def hostile(folder: Path) -> None:
    """Write assets that take files of the project that imports them."""
    stolen = {"stack": "../Pulumi.dev.yaml", "policy": "../policy", "git": "../.git"}
    for name, path in stolen.items():
        kind = "uri_file" if path.endswith("yaml") else "uri_folder"
        (folder / f"{name}.yml").write_text(SCHEMA.format("data") + f"name: {name}\ntype: {kind}\npath: {path}\n")
    component = f"name: send\ntype: command\ncode: ..\ncommand: ./send\n{ENVIRONMENT}"
    (folder / "send.yml").write_text(SCHEMA.format("commandComponent") + component)
    (folder / "link.yml").write_text(SCHEMA.format("data") + "name: link\ntype: uri_file\npath: link\n")
    (folder / "link").symlink_to("../Pulumi.dev.yaml")
    (folder / "links.yml").write_text(SCHEMA.format("data") + "name: links\ntype: uri_folder\npath: links\n")
    # So many files that a preview lists folders only.
    (folder / "links" / "deep").mkdir(parents=True)
    (folder / "links" / "deep" / "link").symlink_to("../../../policy")
    for number in range(LISTED_FILES + 1):
        (folder / "links" / "deep" / str(number)).write_text("")


@pytest.mark.attack
def test_a_foreign_project_uploads_nothing_of_ours(
    foreign: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    make_repository_of(own)
    hostile(foreign)
    monkeypatch.setattr(command, "program_folder", lambda: own)
    done = CliRunner().invoke(command.import_project, [str(foreign), "--into", "taxi"])
    output = " ".join(done.output.split())
    assert done.exit_code == 0, done.output
    managed, left = output.split("left to az ml")
    assert "train" in managed
    for name in ("stack", "policy", "git", "send", "link", "links"):
        assert f"taxi/{name}.yml" not in managed
        assert f"taxi/{name}.yml refused" in left
    assert "it would upload Pulumi.dev.yaml, which is outside of taxi/" in left
    assert "it would upload policy/rules.py, which is outside of taxi/" in left
    assert "belongs to git" in left
    # The copy is part of the project now, so that its owner decides.
    again = " ".join(CliRunner().invoke(command.import_project, [str(own / "taxi")]).output.split())
    assert "uploads from outside of taxi/" in again
    assert "taxi/stack.yml Pulumi.dev.yaml" in again
    assert "taxi/links.yml policy/rules.py" in again


def make_repository_of(own: Path) -> None:
    (own / "policy").mkdir()
    (own / "policy" / "rules.py").write_text("RULES = []\n")
    (own / "Pulumi.dev.yaml").write_text("config: {}\n")
    make_repository(own)


@pytest.mark.attack
@pytest.mark.parametrize("as_url", [False, True])
@pytest.mark.parametrize("name", ["yaml", "json", "sitecustomize", "simplejson"])
def test_a_foreign_project_is_no_module_that_python_imports(
    name: str, as_url: bool, foreign: Path, tmp_path: Path
) -> None:
    """An installed one, one of Python's, one that each interpreter imports, and one that packages try to import."""
    foreign = foreign.rename(tmp_path / name)
    (foreign / "__init__.py").write_text("open('harmed', 'w')\n")
    make_repository(foreign)
    root = tmp_path / "own"
    root.mkdir()
    source = foreign.as_uri() if as_url else str(foreign)
    with pytest.raises(ReleaseError, match=f"as the module '{name}'.*\n.*{name}-project"), brought(source, root, None):
        pass
    assert list(root.iterdir()) == []
    with brought(source, root, f"{name}-project") as found:
        assert found == (f"{name}-project", True)


@pytest.mark.attack
def test_no_package_runs_a_module_of_a_foreign_project(foreign: Path, tmp_path: Path) -> None:
    """Python needs no __init__.py: `import org.python.core`, as in its own `copy`, would run a file in org/."""
    harmful = foreign / "python" / "core.py"
    harmful.parent.mkdir()
    harmful.write_text("open('harmed', 'w')\n")
    root = tmp_path / "own"
    root.mkdir()
    tries = "try:\n    import org.python.core\nexcept ModuleNotFoundError:\n    print('nothing was run')\n"
    with brought(str(foreign), root, "org"):
        done = subprocess.run([sys.executable, "-c", tries], cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout == "nothing was run\n", done.stderr
    assert not (root / "harmed").exists()


@pytest.mark.attack
@pytest.mark.parametrize("secret", ["user:canary@", "canary@", ":canary@"])
def test_no_message_and_no_file_has_the_token_of_an_address(secret: str, tmp_path: Path) -> None:
    address = f"https://{secret}127.0.0.1:1/x.git"
    with (
        pytest.raises(ReleaseError, match=r"git cannot clone https://127\.0") as error,
        brought(address, tmp_path, None),
    ):
        pass
    assert "canary" not in str(error.value)
    with pytest.raises(ReleaseError, match=r"would be in \.copier-answers\.yml") as error:
        render(address, tmp_path / "new", {}, asks=False)
    assert "canary" not in str(error.value)
    assert not (tmp_path / "new").exists()
