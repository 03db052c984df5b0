"""A local Azure in a state folder of its own, the commands that run against it, and what they leave behind."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amlite import SUBSCRIPTION_ID
from tests.chaos import victims

ROOT = Path(__file__).resolve().parents[2]
_BIN = ROOT / ".venv" / "bin"
_STACK = "local"
_LONGEST_SECONDS = 1200.0
# Operations and run records of other attempts stay in Azure, too.
_HISTORY = ("/jobs", "/codes", "/runs", "/datastores/", "operations")


@dataclass(frozen=True)
class Ground:
    """A local Azure. Nothing of it is left after `clear`."""

    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        docker = os.environ.get("AMLITE_DOCKER", "off")
        return {**os.environ, "AMLITE_STATE": str(self.state), "AMLITE_DOCKER": docker, "NO_COLOR": "1"}

    def start(self, command: str, log: Path) -> subprocess.Popen[bytes]:
        """Start a command against it. Its output goes to a log."""
        with log.open("ab") as output:
            words = [str(_BIN / "amlite"), "run", "--", *command.split()]
            return subprocess.Popen(
                words, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True,
            )  # fmt: skip

    def run(self, command: str, log: Path) -> int:
        """Run a command against it, and return its exit code."""
        process = self.start(command, log)
        try:
            return process.wait(_LONGEST_SECONDS)
        finally:
            process.kill()

    def command(self, *arguments: str) -> str:
        """Run `amlite ARGUMENTS…` on it, and return what it prints."""
        words = [_BIN / "amlite", *arguments]
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=True).stdout

    def requests(self) -> int:
        """Return the number of requests that it has received."""
        file = self.state / "logs" / "requests.jsonl"
        return len(file.read_bytes().splitlines()) if file.exists() else 0

    def prepare(self, log: Path) -> None:
        """Make the stack."""
        self.run(f"{_BIN / 'python'} -m bootstrap.local_stack fit {_STACK}", log)

    def resources(self) -> Counter[str]:
        """Return the number of Azure's resources by type. Names differ between two local Azures."""
        file = self.state / "amlite.db"
        if not file.exists():
            return Counter()
        database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
        try:
            owned = f"/subscriptions/{SUBSCRIPTION_ID}/%"  # not Azure's own public registry
            rows = database.execute("select type, id from documents where key like ?", (owned,)).fetchall()
        finally:
            database.close()
        return Counter(kind for kind, id in rows if not any(each in id.lower() for each in _HISTORY))

    def differences(self, end: Counter[str]) -> list[str]:
        """Return the resources that are too many or too few, compared with the end state of another run."""
        now = self.resources()
        extra = [f"orphan: {count} {kind}" for kind, count in (now - end).items()]
        return extra + [f"lost: {count} {kind}" for kind, count in (end - now).items()]

    def left_in_state(self) -> list[str]:
        """Return the locks of the backend and the pending operations of the stack."""
        backend = self.state / "pulumi" / ".pulumi"
        left = [f"lock {each.name}" for each in (backend / "locks").rglob("*") if each.is_file()]
        for file in (backend / "stacks").rglob(f"{_STACK}.json"):
            latest = json.loads(file.read_text("utf-8"))["checkpoint"].get("latest") or {}
            left += [f"pending {each['type']}" for each in latest.get("pending_operations") or ()]
        return left

    def stop(self) -> list[str]:
        """Stop it, and return the processes that are left. They are ended too."""
        subprocess.run([_BIN / "amlite", "stop"], env=self.environment, capture_output=True, check=False)
        left = victims.running(self.state)
        told = [" ".join(each.cmdline())[:100] for each in left]
        for each in left:
            each.kill()
        return told

    def clear(self) -> None:
        """Stop it and delete its state."""
        self.stop()
        subprocess.run([_BIN / "amlite", "reset", "--yes"], env=self.environment, capture_output=True, check=False)
        shutil.rmtree(self.state, ignore_errors=True)

    def copy_to(self, other: Ground) -> None:
        """Copy the state of this stopped local Azure."""
        shutil.copytree(self.state, other.state, symlinks=True, ignore=shutil.ignore_patterns("run", "lock"))
