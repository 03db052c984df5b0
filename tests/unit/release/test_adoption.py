"""What adoption takes back: a file that the project's own checks refuse never stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError

from release.assets import adoption, contents, definitions
from release.assets.definitions import Found
from release.errors import ReleaseError

GOOD = "name: good\nversion: '1'\ntype: command\ncommand: echo 1\nenvironment: azureml:env:1\n"
BAD = "name: bad\nversion: '1'\ntype: command\ncommand: echo ${{inputs.rows}}\nenvironment: azureml:env:1\n"
NO_CLIENT: Any = None


def written(root: Path, *found: Found) -> dict[str, Found]:
    return {path: each for each in found for path in adoption.write(NO_CLIENT, root, each)}


def test_what_the_checks_refuse_is_taken_back_with_the_reason(tmp_path: Path) -> None:
    good = Found("component", "good", "1", {"ml/good/component.yml": GOOD})
    bad = Found("component", "bad", "1", {"ml/bad/component.yml": BAD, "ml/bad/notes.txt": "x"})
    (refused,) = adoption.settle(tmp_path, written(tmp_path, good, bad))
    assert refused.name == "bad"
    assert refused.reason == "the command uses ${{inputs.rows}}, which is not declared"
    assert [path.name for path in tmp_path.rglob("*.*")] == ["component.yml"]
    assert not (tmp_path / "ml/bad").exists()
    assert adoption.plan(tmp_path)["component", "good"].version == "1"


def test_problems_of_the_projects_own_files_are_its_own(tmp_path: Path) -> None:
    (tmp_path / "ml/mine").mkdir(parents=True)
    (tmp_path / "ml/mine/component.yml").write_text(BAD)
    good = Found("component", "good", "1", {"ml/good/component.yml": GOOD})
    with pytest.raises(ReleaseError, match=r"ml/mine/component.yml:4: the command uses"):
        adoption.settle(tmp_path, written(tmp_path, good))
    assert (tmp_path / "ml/good/component.yml").exists()


def adopt(files: dict[str, Found], root: Path, found: Found, error: BaseException) -> None:
    files.update(written(root, found))
    assert (root / "ml/good/notes.txt").exists()
    raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), HttpResponseError("gone"), ReleaseError("full")])
def test_an_adoption_that_ends_in_the_middle_leaves_no_file(error: BaseException, tmp_path: Path) -> None:
    """The next one would not write it again, and would not say what an endpoint needs to keep its name."""
    (tmp_path / "ml").mkdir()
    (tmp_path / "ml/mine.txt").touch()
    good = Found("component", "good", "1", {"ml/good/component.yml": GOOD, "ml/good/notes.txt": "x"})
    with pytest.raises(type(error)), adoption.undone_after_an_error(tmp_path) as files:
        adopt(files, tmp_path, good, error)
    assert [each.name for each in tmp_path.rglob("*")] == ["ml", "mine.txt"]


def test_an_interrupted_download_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> Iterator[tuple[str, bytes]]:
        yield "one.csv", b"1"
        raise KeyboardInterrupt

    monkeypatch.setattr(adoption, "_download", stop)
    with pytest.raises(KeyboardInterrupt):
        adoption.write(NO_CLIENT, tmp_path, Found("data", "days", "1", folders={"ml/days": "azureml://days"}))
    assert list(tmp_path.iterdir()) == []


def test_shared_assets_of_the_project_are_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / "ml/shared/tools").mkdir(parents=True)
    (tmp_path / "ml/shared/tools/environment.yml").write_text("name: tools\nversion: '1'\nimage: python:3.11\n")
    assert adoption.plan(tmp_path)["environment", "tools"].version == "1"


def test_an_endpoint_of_the_project_is_known_by_its_name_in_azure(tmp_path: Path) -> None:
    (tmp_path / "ml/deploy").mkdir(parents=True)
    (tmp_path / "ml/deploy/endpoint.yml").write_text("name: flights\nauth_mode: key\n")
    ml: Any = SimpleNamespace(online_endpoints=SimpleNamespace(list=lambda: [SimpleNamespace(name="flights-dev-a1")]))
    assert list(adoption.survey(ml, tmp_path, "online_endpoint", endpoints={"flights": "flights-dev-a1"})) == []


def test_a_model_that_the_projects_pipeline_trains_is_not_offered(tmp_path: Path) -> None:
    """Its versions belong to the pipeline. As files, each new version would be a difference to the project."""
    (tmp_path / "pipelines").mkdir()
    (tmp_path / "pipelines/training.yml").write_text("type: pipeline\njobs: {}\ninputs: {model_name: flights}\n")
    ml: Any = SimpleNamespace(models=SimpleNamespace(list=lambda: [SimpleNamespace(name="flights")]))
    for names in ((), ("flights",)):
        (found,) = adoption.survey(ml, tmp_path, "model", names)
        assert (found.name, found.reason) == ("flights", "pipeline 'training' registers its versions")


def test_a_download_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download_blob(name: str) -> Any:
        if name.endswith("two.py"):
            raise HttpResponseError("the blob is gone")
        return SimpleNamespace(readall=lambda: b"one")

    def list_blob_names(name_starts_with: str) -> Iterator[str]:
        return iter([f"{name_starts_with}/one.py", f"{name_starts_with}/sub/two.py"])

    client = SimpleNamespace(list_blob_names=list_blob_names, download_blob=download_blob)
    monkeypatch.setattr(contents, "files", lambda _ml, _uri: (nullcontext(client), "code/1"))
    found = Found("component", "good", "1", {"ml/good/component.yml": GOOD}, {"ml/good/src": "https://code"})
    with pytest.raises(ReleaseError, match="component 'good' cannot be written: the blob is gone"):
        adoption.write(NO_CLIENT, tmp_path, found)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("type_", "text", "value"),
    [
        ("integer", "60", 60),
        ("integer", "0123", "0123"),  # YAML reads an octal number
        ("number", "1.10", "1.10"),
        ("number", "1e-05", 1e-05),
        ("boolean", "True", True),
        ("boolean", "yes", "yes"),
    ],
)
def test_an_adopted_value_is_the_same_text_in_azure_again(type_: str, text: str, value: Any) -> None:
    holder = {
        "inputs": {"it": text},
        "jobs": {"a": {"component": "azureml:c:1", "inputs": {"x": "${{parent.inputs.it}}"}}},
    }
    component = SimpleNamespace(inputs={"x": SimpleNamespace(type=type_)})
    ml: Any = SimpleNamespace(components=SimpleNamespace(get=lambda _name, _version: component))
    definitions._with_types(ml, holder)
    assert holder["inputs"] == {"it": value}
    assert type(holder["inputs"]["it"]) is type(value)


def test_a_schedule_with_a_loop_is_not_written() -> None:
    job = SimpleNamespace(jobs={"loop": SimpleNamespace(type="do_while")})
    ml: Any = SimpleNamespace(schedules=SimpleNamespace(get=lambda _name: SimpleNamespace(create_job=job)))
    with pytest.raises(definitions.CannotBeWrittenError, match="a step of type do_while"):
        definitions.schedule(ml, "flows")
