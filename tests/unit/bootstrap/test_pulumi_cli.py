from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bootstrap import pulumi_cli
from bootstrap.errors import SetupError
from bootstrap.layout import PULUMI_VERSION
from bootstrap.network import answers
from bootstrap.phases import Task
from bootstrap.pulumi_cli import PLUGINS, PulumiCli, good_enough

REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def installer_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_cli, "answers", lambda _: False)


def place(folder: Path, version: str) -> None:
    """A folder with everything a CLI consists of."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("pulumi", *PLUGINS):
        (folder / name).write_text(f"#!/bin/sh\necho v{version}\n")
        (folder / name).chmod(0o755)


def go_that_builds(programs: Callable[[str, str], Path], modules: Path) -> None:
    """A `go` that answers as the real one does, and builds a shell script that prints the version it was given."""
    sdk = modules / "github.com/pulumi/pulumi/sdk" / f"v3@v{PULUMI_VERSION}" / "python"
    for name in ("cmd/pulumi-language-python-exec", "dist/pulumi-resource-pulumi-python"):
        (sdk / name).parent.mkdir(parents=True, exist_ok=True)
        (sdk / name).write_text("#!/bin/sh\n")
    programs(
        "go",
        f"""case "$1" in
        version) echo go version go1.26.0 linux/amd64 ;;
        list) echo "go: downloading example.org/module v1.0.0"; echo fmt; echo "$3" ;;
        env) echo {modules} ;;
        build)
            while [ $# -gt 0 ]; do
                case "$1" in -o) output=$2 ;; -ldflags) flags=$2 ;; esac
                shift
            done
            echo fmt
            mkdir -p "$(dirname "$output")"
            printf '#!/bin/sh\\necho %s\\n' "${{flags##*=}}" > "$output"
            chmod +x "$output" ;;
        *) exit 9 ;;
        esac""",
    )


def test_a_good_cli_on_path_is_taken(programs: Callable[[str, str], Path], task: Task) -> None:
    folder = programs("pulumi", "true").parent
    place(folder, "3.300.1")
    found = PulumiCli().run(task)
    assert found.summary == "3.300.1 on PATH"
    assert found.tools["pulumi-language-python"] == str(folder / "pulumi-language-python")


@pytest.mark.parametrize("version", ["3.258.9", "4.0.0"])
def test_another_cli_on_path_is_passed_over_for_an_installed_one(
    programs: Callable[[str, str], Path], task: Task, version: str
) -> None:
    place(programs("pulumi", "true").parent, version)
    root = task.layout.pulumi_home / "versions" / PULUMI_VERSION
    place(root / "bin", PULUMI_VERSION)
    found = PulumiCli().run(task)
    assert found.summary == f"{PULUMI_VERSION} by the official installer"
    assert found.tools["pulumi"] == str(root / "bin" / "pulumi")


def test_a_cli_without_its_python_host_is_passed_over(programs: Callable[[str, str], Path], task: Task) -> None:
    programs("pulumi", f"echo v{PULUMI_VERSION}")
    place(task.layout.pulumi_home / "versions" / PULUMI_VERSION / "bin", PULUMI_VERSION)
    assert "on PATH" not in PulumiCli().run(task).summary


def test_a_cli_whose_copy_was_cut_off_is_passed_over(programs: Callable[[str, str], Path], task: Task) -> None:
    folder = programs("pulumi", "true").parent
    place(folder, PULUMI_VERSION)
    (folder / PLUGINS[-1]).write_text("")
    place(task.layout.pulumi_home / "versions" / PULUMI_VERSION / "bin", PULUMI_VERSION)
    assert "on PATH" not in PulumiCli().run(task).summary


def test_out_of_reach_it_is_built_from_go_modules_once(
    programs: Callable[[str, str], Path], task: Task, details: list[str], tmp_path: Path
) -> None:
    go_that_builds(programs, tmp_path / "modules")
    found = PulumiCli().run(task)
    assert found.summary == f"{PULUMI_VERSION} built from Go modules"
    assert set(found.tools) == {"pulumi", *PLUGINS}
    assert "downloading modules (1)" in details
    assert "compiling 1 of at most 2 packages" in details
    programs("go", "exit 9")
    assert PulumiCli().run(task) == found


def test_an_interrupted_build_leaves_no_cli(programs: Callable[[str, str], Path], task: Task, tmp_path: Path) -> None:
    go_that_builds(programs, tmp_path / "modules")
    programs("go", 'case "$1" in version) echo go1.26.0 ;; list) echo fmt ;; *) echo out of memory; exit 1 ;; esac')
    with pytest.raises(SetupError, match="out of memory"):
        PulumiCli().run(task)
    assert not (task.layout.pulumi_home / "versions" / PULUMI_VERSION).exists()
    go_that_builds(programs, tmp_path / "modules")
    assert PulumiCli().run(task).facts["version"] == PULUMI_VERSION


def test_a_changed_language_host_replaces_the_installed_one_without_a_build(
    programs: Callable[[str, str], Path], task: Task, tmp_path: Path
) -> None:
    go_that_builds(programs, tmp_path / "modules")
    before = PulumiCli().inputs(task.layout)
    PulumiCli().run(task)
    host = task.layout.recipes / pulumi_cli.LANGUAGE_HOST
    host.write_text(host.read_text() + "# changed\n")
    programs("go", "exit 9")
    assert PulumiCli().inputs(task.layout) != before
    PulumiCli().run(task)
    root = task.layout.pulumi_home / "versions" / PULUMI_VERSION
    assert (root / pulumi_cli.LANGUAGE_HOST).read_text() == host.read_text()


def test_the_official_installer_comes_before_the_build(
    programs: Callable[[str, str], Path], task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulumi_cli, "answers", lambda _: True)
    programs("go", "exit 9")
    root = task.layout.pulumi_home / "versions" / PULUMI_VERSION
    prepared = task.layout.cache / "prepared"
    place(prepared, PULUMI_VERSION)
    python = Path(task.need("python").facts["python_path"])
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] || exit 9\nmkdir -p {root}\ncp -R {prepared} {root}/bin\n')
    python.chmod(0o755)
    assert PulumiCli().run(task).facts["origin"] == "by the official installer"


def test_a_failing_official_installer_leads_to_the_build(
    programs: Callable[[str, str], Path], task: Task, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pulumi_cli, "answers", lambda _: True)
    go_that_builds(programs, tmp_path / "modules")
    python = Path(task.need("python").facts["python_path"])
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)
    assert PulumiCli().run(task).facts["origin"] == "built from Go modules"


def test_an_old_go_gives_way_to_the_wheel(programs: Callable[[str, str], Path], task: Task, tmp_path: Path) -> None:
    programs("go", "echo go version go1.21.0 linux/amd64")
    good = tmp_path / "good"
    good.mkdir()
    go_that_builds(lambda name, script: _script(good / name, script), tmp_path / "modules")
    uv = Path(task.need("uv").facts["uv_path"])
    # `uv pip install --python X --target FOLDER ...`
    uv.write_text(f'#!/bin/sh\nmkdir -p "$6/go/bin"\ncp {good}/go "$6/go/bin/go"\n')
    uv.chmod(0o755)
    assert PulumiCli().run(task).facts["version"] == PULUMI_VERSION


def _script(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("version", "good"),
    [((3, 259, 0), True), ((3, 259, 1), True), ((3, 300, 0), True), ((3, 258, 9), False), ((4, 0, 0), False)],
)
def test_good_enough(version: tuple[int, int, int], good: bool) -> None:
    assert good_enough(version) is good


def test_a_silent_host_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not answers(f"http://127.0.0.1:{silent.getsockname()[1]}/", 0.2)


def test_the_version_is_the_same_everywhere() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["dependencies"]
    assert f"pulumi=={PULUMI_VERSION}" in project
    modules = (REPOSITORY / "bootstrap/pulumi-cli/go.mod").read_text()
    assert set(re.findall(r"github.com/pulumi/pulumi/(?:pkg|sdk)/v3 v(\S+)", modules)) == {PULUMI_VERSION}
    host = (REPOSITORY / "bootstrap/pulumi_language_python.py").read_text()
    assert re.findall(r'^VERSION = "(.*)"$', host, re.MULTILINE) == [PULUMI_VERSION]
