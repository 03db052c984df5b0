"""A project of one's own is made from this repository, without its example."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from pulumi_azureml import CatalogueSettings, load_catalogue
from release.cli import main
from release.errors import ReleaseError
from release.starting.template import render

ROOT = Path(__file__).parents[3]
ANSWERS = {"project": "churn", "prefix": "retail", "region": "northeurope", "owner": "fabrikam"}


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """This repository's own template, with a part of its files. `tests/long/test_new_project.py` renders all."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    parts = ("ml/", "pipelines/", "tests/long/", "tests/project/", "bootstrap/Pulumi", "examples/hosts/")
    folder = tmp_path / "template"
    for name in filter(None, names):
        if (name.startswith(parts) or "/" not in name) and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())
    commit(folder, "template")
    return folder


def commit(folder: Path, message: str) -> None:
    for command in ("init --quiet", "add --all", f"-c user.name=a -c user.email=a@b commit --quiet -m {message}"):
        subprocess.run(["git", *command.split()], cwd=folder, check=True)


def test_a_project_has_the_given_names_and_nothing_of_the_example(template: Path, tmp_path: Path) -> None:
    made = tmp_path / "churn"
    render(str(template), made, ANSWERS, asks=False)
    found = {path.relative_to(made).as_posix() for path in made.rglob("*") if path.is_file()}
    assert found >= {"LICENSE", "Makefile", "README.md", "__main__.py", ".copier-answers.yml"}
    assert not {each for each in found if each.startswith(("examples/", "tests/")) or each.endswith(".jinja")} - {
        "tests/project/test_project.py"
    }
    assert {each for each in found if each.startswith(("ml/", "pipelines/")) and "/gate/src/" not in each} == {
        "ml/starter/component.yml",
        "ml/starter/src/starter.py",
        "pipelines/starter.yml",
    }
    assert [each for each in sorted(found) if b"flight" in (made / each).read_bytes().lower()] == []
    for stack in ("dev", "staging", "prod"):
        config = yaml.safe_load((made / f"Pulumi.{stack}.yaml").read_text())["config"]
        assert config["azure-native:location"] == "northeurope"
        naming = config["azureml-platform:naming"]
        assert (naming["namespace"], naming["workspace"]) == ("retail", "churn")
        assert config["azureml-platform:identities"]["github"][0]["repository"] == "fabrikam/churn"
    plan = load_catalogue(made, CatalogueSettings(frozenset({"cpu-cluster"}), cache_folder=None))
    assert [str(asset.id) for asset in plan.assets] == ["component starter", "pipeline job starter"]


def test_the_command_says_what_comes_next(template: Path, tmp_path: Path) -> None:
    made = tmp_path / "my churn"
    options = [word for name, value in ANSWERS.items() for word in (f"--{name}", value)]
    done = CliRunner().invoke(main, ["new", str(made), "--from", str(template), *options, "--defaults"])
    assert done.exit_code == 0, done.output
    assert f"  cd '{made}'\n" in done.stdout
    assert "  make up\n" in done.stdout
    assert "release import FOLDER --stack local" in done.stdout


def test_the_help_has_the_settings_of_the_targets_that_a_project_has(template: Path, tmp_path: Path) -> None:
    made = tmp_path / "churn"
    render(str(template), made, ANSWERS, asks=False)

    def settings(folder: Path) -> set[str]:
        text = subprocess.run(["make", "help"], cwd=folder, check=True, capture_output=True, text=True).stdout
        shown = text.partition("\nSettings")[2].splitlines()[1:]
        return {name for line in shown for name in line[2:26].replace(",", " ").split()}

    theirs, ours = settings(made), settings(ROOT)
    assert {"STACK", "AZURE", "TESTS"} <= theirs
    assert ours - theirs == {"NAME", "WALKTHROUGH", "POINTS", "SEED", "FAULTS", "KILLS"}


def test_an_update_brings_a_new_version_and_keeps_what_was_changed(template: Path, tmp_path: Path) -> None:
    import copier

    made = tmp_path / "churn"
    render(str(template), made, ANSWERS, asks=False)
    mine = made / "Pulumi.dev.yaml"
    mine.write_text(mine.read_text().replace("maxNodes: 4", "maxNodes: 6"))
    commit(made, "mine")
    tracked = subprocess.run(["git", "ls-files"], cwd=made, check=True, capture_output=True, text=True).stdout.split()
    assert {"bootstrap/Pulumi.local.yaml", ".copier-answers.yml"} <= {*tracked}
    source = template / "Makefile"
    source.write_text(source.read_text() + "\n# A new version.\n")
    commit(template, "next")
    copier.run_update(made, vcs_ref="HEAD", defaults=True, overwrite=True, quiet=True)
    assert (made / "Makefile").read_text().endswith("# A new version.\n")
    assert "maxNodes: 6" in mine.read_text()


@pytest.mark.parametrize(
    ("answers", "message"),
    [({**ANSWERS, "project": "Not a name"}, "2-12 lower-case letters or digits"), ({}, "fix: use --project")],
)
def test_a_wrong_or_missing_answer_makes_nothing(
    template: Path, tmp_path: Path, answers: dict[str, str], message: str
) -> None:
    with pytest.raises(ReleaseError, match=message):
        render(str(template), tmp_path / "churn", answers, asks=False)
    assert not (tmp_path / "churn").exists()


@pytest.mark.parametrize("end", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("exists", [True, False])
def test_a_project_that_is_not_finished_is_removed(
    end: BaseException, exists: bool, template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same command would find a folder that is not empty."""
    made = tmp_path / "churn"
    if exists:
        made.mkdir()

    def stop(_source: str, folder: Path, **_: object) -> None:
        (folder / "ml").mkdir(parents=True)
        (folder / "README.md").touch()
        raise end

    monkeypatch.setattr("copier.run_copy", stop)
    with pytest.raises((KeyboardInterrupt, ReleaseError)):
        render(str(template), made, ANSWERS, asks=False)
    assert made.exists() == exists
    assert not exists or list(made.iterdir()) == []


def test_a_folder_with_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ReleaseError, match="is not an empty folder"):
        render(str(ROOT), tmp_path, ANSWERS, asks=False)


def test_the_template_is_a_git_repository(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReleaseError, match="is not a git repository"):
        render(str(tmp_path / "folder"), tmp_path / "churn", ANSWERS, asks=False)
