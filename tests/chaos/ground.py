"""A local Azure in a state folder of its own, the commands that run against it, and what they leave behind."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from amlite import SUBSCRIPTION_ID
from tests.chaos import victims

ROOT = Path(__file__).resolve().parents[2]
_BIN = ROOT / ".venv" / "bin"
_STACK = "local"
# A promotion writes the model's version into it.
_STACK_FILE = ROOT / f"Pulumi.{_STACK}.yaml"
_LONGEST_SECONDS = 1200.0
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The outputs and logs of jobs, whose killed attempts stay in Azure, too, and the collected requests of an endpoint.
_OF_JOBS = re.compile(r"/(azureml|ExperimentRun|dcid\.)[/.]|insights-|/monitoring/|^collected-data/")
# Operations and run records of other attempts stay in Azure, too.
_HISTORY = ("/jobs", "/codes", "/runs", "/datastores/", "operations")


def end_on_a_signal() -> None:
    """Let SIGTERM end this process as Ctrl+C does, so that nothing that it started stays."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))


@dataclass(frozen=True)
class End:
    """What a run left in a local Azure: how many resources of each type, blobs and Docker containers."""

    found: Counter[str]

    def differences(self, usual: End) -> list[str]:
        """Return what is too much or missing, compared with the end of another run."""
        extra = [f"orphan: {count} {kind}" for kind, count in (self.found - usual.found).items()]
        return extra + [f"lost: {count} {kind}" for kind, count in (usual.found - self.found).items()]


@dataclass(frozen=True)
class Ground:
    """A local Azure. Nothing of it is left after `clear`."""

    state: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        docker = os.environ.get("AMLITE_DOCKER", "off")
        return {**os.environ, "AMLITE_STATE": str(self.state), "AMLITE_DOCKER": docker, "NO_COLOR": "1"}

    @property
    def is_stopped(self) -> bool:
        """Whether it exists and was stopped, so that it can be copied."""
        return (self.state / _STACK_FILE.name).exists()

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

    def end(self) -> tuple[End, list[str]]:
        """Stop it. Return what is in Azure, and what should not be left on this machine: locks and processes."""
        found = self._resources() + self._containers()
        left = self._left_in_state() + [f"left: {each}" for each in self.stop()]
        return End(found + self.blobs()), left

    def _resources(self) -> Counter[str]:
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

    def blobs(self) -> Counter[str]:
        """Return the blobs and their containers, without what jobs wrote.

        Containers of code have a random name in Azure. Here the name is a hash of the content.
        """
        file = self.state / "azurite" / "__azurite_db_blob__.json"
        if not file.exists():
            return Counter()
        tables = {each["name"]: each["data"] for each in json.loads(file.read_text("utf-8"))["collections"]}
        found = Counter(f"container {_GUID.sub('*', each['name'])}" for each in tables["$CONTAINERS_COLLECTION$"])
        names = (f"{_GUID.sub('*', each['containerName'])}/{each['name']}" for each in tables["$BLOBS_COLLECTION$"])
        return found + Counter(f"blob {name}" for name in names if not _OF_JOBS.search(name))

    def _containers(self) -> Counter[str]:
        """Return the containers of its own Docker engine."""
        socket = self.state / "run" / "docker.sock"
        if not socket.exists():
            return Counter()
        words = ["docker", "-H", f"unix://{socket}", "ps", "--all", "--format", "{{.Image}}"]
        listed = subprocess.run(words, capture_output=True, text=True, check=False).stdout
        return Counter(f"Docker container of {_GUID.sub('*', image)}" for image in listed.splitlines())

    def _left_in_state(self) -> list[str]:
        """Return the locks of the backend and the pending operations of the stack."""
        backend = self.state / "pulumi" / ".pulumi"
        left = [f"lock {each.name}" for each in (backend / "locks").rglob("*") if each.is_file()]
        for file in (backend / "stacks").rglob(f"{_STACK}.json"):
            latest = json.loads(file.read_text("utf-8"))["checkpoint"].get("latest") or {}
            left += [f"pending {each['type']}" for each in latest.get("pending_operations") or ()]
        return left

    def stop(self) -> list[str]:
        """Stop it, keep the stack's file, and return the processes that are left. They are ended too."""
        subprocess.run([_BIN / "amlite", "stop"], env=self.environment, capture_output=True, check=False)
        if self.state.is_dir():
            shutil.copyfile(_STACK_FILE, self.state / _STACK_FILE.name)
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
        """Copy the state of this stopped local Azure, and the stack's file that belongs to it."""
        shutil.copytree(self.state, other.state, symlinks=True, ignore=shutil.ignore_patterns("run", "lock"))
        shutil.copyfile(other.state / _STACK_FILE.name, _STACK_FILE)
