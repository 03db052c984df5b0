from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from amlite.tools import debian
from amlite.tools.base import Task, ToolError
from amlite.tools.debian import is_debian, no_new_daemons

Programs = Callable[[str, str], Path]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose policy and units are files of this test."""
    (tmp_path / "units").mkdir()
    monkeypatch.setattr(debian, "POLICY", tmp_path / "policy-rc.d")
    monkeypatch.setattr(debian, "UNITS", tmp_path / "units")
    return tmp_path


async def test_packages_are_installed_without_running_their_daemons(
    programs: Programs, task: Task, machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = machine / "calls"
    script = f"""\
echo "apt-get $*" >> {calls}
[ "$1 $6" = "install it" ] || exit 0
cat {machine}/policy-rc.d >> {calls}
touch {machine}/units/it.service {machine}/units/it@.service
"""
    programs("apt-get", script)
    programs("systemctl", f'echo "systemctl $*" >> {calls}')
    monkeypatch.setattr(debian, "_now", lambda: ["--now"])
    await debian.install(task, ["it"])
    install = "apt-get install --yes --no-install-recommends -o DPkg::Lock::Timeout=120"
    assert calls.read_text().splitlines() == [
        f"{install} --download-only it", f"{install} it", "#!/bin/sh", "exit 101", "systemctl disable --now it.service",
    ]  # fmt: skip
    assert not (machine / "policy-rc.d").exists()


async def test_missing_package_lists_are_fetched(
    programs: Programs, task: Task, machine: Path, said: list[str]
) -> None:
    lists = machine / "lists"
    programs("apt-get", f'[ "$1" = update ] && touch {lists} && exit 1\n[ -e {lists} ] || exit 100')
    await debian.install(task, ["it"])
    assert said == ["downloading it", "apt-get update", "downloading it", "installing it"]


async def test_a_failure_says_what_to_run_by_hand(programs: Programs, task: Task, machine: Path) -> None:
    programs("apt-get", 'echo "E: Unable to locate package it"; exit 100')
    with pytest.raises(ToolError, match=r"Unable to locate.*\n.*\n  fix: Run `apt-get update && apt-get install it`"):
        await debian.install(task, ["it"])
    assert not (machine / "policy-rc.d").exists()


def test_only_root_on_debian_may(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert debian.why_not() == "only root can install one"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    del programs  # there is no apt-get
    assert debian.why_not() == "amlite installs one on Debian and Ubuntu only"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("ID=debian\n", True), ('ID=pop\nID_LIKE="ubuntu debian"\n', True), ("ID=fedora\n", False), ("", False)],
)
def test_debian_and_its_children(programs: Programs, tmp_path: Path, text: str, expected: bool) -> None:
    programs("apt-get", "true")
    (tmp_path / "os-release").write_text(text)
    assert is_debian(tmp_path / "os-release") is expected
    assert not is_debian(tmp_path / "nothing")


def test_daemons_are_kept_from_starting_and_the_machines_own_policy_stays(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_new_daemons(policy):
        assert policy.read_text().endswith("exit 101\n")
        assert os.access(policy, os.X_OK)
    assert not policy.exists()
    policy.write_text("theirs")
    with no_new_daemons(policy):
        assert policy.read_text() == "theirs"
    assert policy.read_text() == "theirs"
