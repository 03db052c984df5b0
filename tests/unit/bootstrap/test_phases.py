from __future__ import annotations

import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from bootstrap.command import main, set_up
from bootstrap.errors import SetupError
from bootstrap.layout import Layout
from bootstrap.phases import Found, Phase, SideBySide, Task, Toolchain, which
from bootstrap.processes import Processes
from bootstrap.progress import Progress


class Fake:
    """A phase that counts how often it runs."""

    def __init__(self, name: str, action: Callable[[Task], Found] = lambda _: Found("there")) -> None:
        self.name = name
        self.title = name.title()
        self.action = action
        self.input = "as ever"
        self.holds = True
        self.runs = 0

    def inputs(self, layout: Layout) -> str:
        return self.input

    def still_holds(self, found: Found) -> bool:
        return self.holds

    def run(self, task: Task) -> Found:
        self.runs += 1
        return self.action(task)


def run(layout: Layout, phases: Sequence[Phase]) -> dict[str, Found]:
    progress = Progress(io.StringIO())
    return SideBySide(phases, layout, Toolchain(layout.toolchain), progress, Processes()).run()


def tool(layout: Layout, name: str) -> Path:
    path = layout.cache / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_a_second_run_does_nothing_and_says_so(layout: Layout, capsys: pytest.CaptureFixture[str]) -> None:
    path = tool(layout, "tool")
    phase = Fake("one", lambda _: Found("there", {"tool": str(path)}))
    set_up(layout, [phase])
    assert (layout.bin / "tool").readlink() == path
    capsys.readouterr()
    set_up(layout, [phase])
    assert phase.runs == 1
    assert capsys.readouterr().out.startswith("Set-up: everything is there")


def test_links_that_went_missing_are_made_again_without_running_a_phase(layout: Layout) -> None:
    path = tool(layout, "tool")
    phase = Fake("one", lambda _: Found("there", {"tool": str(path)}))
    set_up(layout, [phase])
    (layout.bin / "tool").unlink()
    set_up(layout, [phase])
    assert (layout.bin / "tool").exists()
    assert phase.runs == 1


def test_only_phases_with_new_inputs_or_missing_files_or_a_changed_machine_run_again(layout: Layout) -> None:
    path = tool(layout, "tool")
    same, changed, lost, moved = (
        Fake("same"),
        Fake("changed"),
        Fake("lost", lambda _: Found("", {"tool": str(path)})),
        Fake("moved"),
    )
    phases = [same, changed, lost, moved]
    run(layout, phases)
    changed.input = "another lock file"
    path.unlink()
    moved.holds = False
    run(layout, phases)
    assert [phase.runs for phase in phases] == [1, 2, 2, 2]


def test_a_phase_waits_for_the_one_it_needs(layout: Layout) -> None:
    first = Fake("first", lambda _: Found("", facts={"answer": 42}))
    second = Fake("second", lambda task: Found(str(task.need("first").facts["answer"])))
    assert run(layout, [second, first])["second"].summary == "42"
    second.input = "changed"
    # This time the first one is remembered, not run.
    assert run(layout, [second, first])["second"].summary == "42"
    assert first.runs == 1


def test_phases_run_side_by_side(layout: Layout) -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet(_: Task) -> Found:
        meeting.wait()
        return Found("")

    run(layout, [Fake("one", meet), Fake("two", meet)])


def test_a_failure_ends_the_others_keeps_what_is_finished_and_is_told(layout: Layout) -> None:
    finished, waiting = threading.Event(), threading.Event()

    def finish(_: Task) -> Found:
        finished.set()
        return Found("there")

    def fail(_: Task) -> Found:
        assert finished.wait(10)
        assert waiting.wait(10)
        raise SetupError("the disk is full", fix="Make room.")

    def work_long(task: Task) -> Found:
        task.run(["sh", "-c", "echo begun; sleep 600"], fix="", on_line=lambda _: waiting.set())
        return Found("")

    good, bad, long = Fake("good", finish), Fake("bad", fail), Fake("long", work_long)
    with pytest.raises(SetupError, match="the disk is full"):
        run(layout, [long, bad, good])
    bad.action = long.action = lambda _: Found("now")
    run(layout, [long, bad, good])
    assert [good.runs, bad.runs, long.runs] == [1, 2, 2]


def test_whoever_needs_a_failed_phase_fails_with_its_error(layout: Layout) -> None:
    def fail(_: Task) -> Found:
        raise SetupError("no network", fix="Check it.")

    second = Fake("second", lambda task: task.need("first"))
    with pytest.raises(SetupError, match="no network"):
        run(layout, [second, Fake("first", fail)])


def test_an_interrupted_phase_is_forgotten_even_when_its_inputs_come_back(layout: Layout) -> None:
    phase = Fake("one")
    run(layout, [phase])

    def fail(_: Task) -> Found:
        raise SetupError("half done", fix="")

    phase.input, phase.action = "B", fail
    with pytest.raises(SetupError):
        run(layout, [phase])
    phase.input, phase.action = "as ever", lambda _: Found("there")
    run(layout, [phase])
    assert phase.runs == 3


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 0, "phases": {}}', '{"phases": {}}'])
def test_an_unreadable_toolchain_file_counts_as_none(layout: Layout, content: str) -> None:
    layout.toolchain.write_text(content)
    phase = Fake("one")
    run(layout, [phase])
    assert phase.runs == 1
    assert json.loads(layout.toolchain.read_text())["phases"]["one"]["summary"] == "there"


def test_which_does_not_find_our_own_links(
    layout: Layout, programs: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = layout.bin / "node"
    ours.write_text("#!/bin/sh\n")
    ours.chmod(0o755)
    theirs = programs("node", "true")
    monkeypatch.setenv("PATH", f"{layout.bin}:{theirs.parent}")
    assert which("node", layout) == str(theirs)
    theirs.unlink()
    assert which("node", layout) is None


def test_folders_are_the_same_wherever_a_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-up linked programs to a relative HOME, and to a relative folder on the PATH."""
    monkeypatch.chdir(tmp_path)
    assert Layout.of(tmp_path, {"HOME": "home"}).pulumi_home == tmp_path / "home/.pulumi"
    given = Layout.of(tmp_path, {"HOME": "home", "XDG_CACHE_HOME": "cache", "PULUMI_HOME": "pulumi"})
    assert given.cache == tmp_path / "cache/azureml-platform"
    assert given.pulumi_home == tmp_path / "pulumi"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/tool").touch(0o755)
    monkeypatch.setenv("PATH", "bin")
    assert which("tool", given) == str(tmp_path / "bin/tool")


@pytest.mark.skipif(os.geteuid() != 0, reason="root may open what is closed, and makes files of another user")
def test_what_another_user_has_closed_counts_as_missing() -> None:
    """A copy of a checkout has the results of a user whose home is closed."""
    with tempfile.TemporaryDirectory() as base:
        file = Path(base, "closed", "tool")
        file.parent.mkdir(mode=0o700)
        file.touch()
        Path(base).chmod(0o755)
        if not (child := os.fork()):
            os.setuid(65534)
            code = 2
            try:
                code = int(Found("", {"tool": str(file)}).is_there())
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.attack
def test_a_cache_of_another_user_is_not_used(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    layout.check()
    layout.pulumi_home.mkdir(parents=True)
    layout.check()
    if layout.pulumi_home.stat().st_uid == 0:
        os.chown(layout.pulumi_home, 65534, -1)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(SetupError, match=f"{layout.pulumi_home} belongs to another user"):
        layout.check()


def test_a_file_that_may_not_be_used_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/cache/setup.lock")

    monkeypatch.setattr(sys.modules["bootstrap.command"], "set_up", closed)
    assert main([]) == 1
    assert "Set-up failed: you may not use /cache/setup.lock\n  fix: Set XDG_CACHE_HOME" in capsys.readouterr().err
