from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bootstrap.errors import Interrupted, SetupError
from bootstrap.processes import Processes, reason_in


def test_output_goes_to_the_log_the_lines_and_the_result(tmp_path: Path) -> None:
    lines: list[str] = []
    log = tmp_path / "logs" / "x.log"
    output = Processes().run(["sh", "-c", "echo one; echo two >&2"], log=log, fix="", on_line=lines.append)
    assert lines == ["one", "two"]
    assert output == "one\ntwo\n"
    assert log.read_text() == "$ sh -c echo one; echo two >&2\none\ntwo\n"


def test_a_failure_names_the_command_its_last_line_the_log_and_the_fix(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    with pytest.raises(SetupError) as caught:
        Processes().run(["sh", "-c", "echo no such host; echo; exit 3"], log=log, fix="Check the network.")
    assert str(caught.value).splitlines() == [
        "`sh -c echo no such host; echo; exit 3` ended with code 3: no such host",
        f"  log: {log}",
        "  fix: Check the network.",
    ]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (
            ["npm error code ECONNREFUSED\n", "npm error A complete log of this run is in x\n"],
            "npm error code ECONNREFUSED",
        ),
        (["github.com/pkg/errors\n", "go: example.org: no such host\n", "\n"], "go: example.org: no such host"),
        (["Retrying\n", "ERROR: No matching distribution\n", "hint: check\n"], "ERROR: No matching distribution"),
        ([], "no output"),
    ],
)
def test_the_line_that_says_most_is_shown(lines: list[str], reason: str) -> None:
    assert reason_in(lines) == reason


def test_a_missing_program_is_a_setup_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="does not start"):
        Processes().run([tmp_path / "nothing"], log=tmp_path / "log", fix="")


def test_too_long_ends_the_program_and_says_so(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="took longer than 0 s"):
        Processes().run(["sh", "-c", "echo begun; sleep 600"], log=tmp_path / "log", fix="", seconds=0.1)


def test_interrupt_ends_the_whole_group_and_lets_nothing_start(tmp_path: Path) -> None:
    processes, begun = Processes(), threading.Event()
    caught: list[BaseException] = []

    def work() -> None:
        try:
            # The inner sh would keep the pipe open for ever if only its parent were ended.
            processes.run(
                ["sh", "-c", "sh -c 'echo begun; sleep 600'; true"],
                log=tmp_path / "log",
                fix="",
                on_line=lambda _: begun.set(),
            )
        except Interrupted as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    processes.interrupt()
    thread.join(10)
    assert not thread.is_alive()
    assert len(caught) == 1
    with pytest.raises(Interrupted):
        processes.run(["true"], log=tmp_path / "log", fix="")


def test_interrupt_gives_a_program_its_time_to_end(tmp_path: Path) -> None:
    processes, begun, gate, done = Processes(), threading.Event(), tmp_path / "gate", tmp_path / "done"

    def work() -> None:
        ending = f"until [ -e {gate} ]; do sleep 0.01; done; touch {done}; exit"
        script = f"trap '{ending}' TERM; echo begun; while :; do sleep 0.01; done"
        with pytest.raises(Interrupted):
            processes.run(["sh", "-c", script], log=tmp_path / "log", fix="", on_line=lambda _: begun.set(), grace=60)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(10)
    interrupting = threading.Thread(target=processes.interrupt)
    interrupting.start()
    gate.touch()
    interrupting.join(10)
    thread.join(10)
    assert done.exists()
