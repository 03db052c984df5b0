"""The machine that runs the steps of a job: a clone whose local Azure answers for Azure."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from amlite.testing import LocalAzure
from tests.checkout import Checkout
from tests.ci.expressions import UnsupportedError

# The tests of this repository run these, so a test that ran them would run itself. The clone is set up already.
REPLACED = ("make setup", "make lint", "make test", "make release-demo")
# `amlite run` adds its own way to sign in, which a job on a host does not have.
_NOT_ON_A_HOST = (
    "ARM_CLIENT_ID", "ARM_CLIENT_SECRET", "ARM_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET", "AZURE_TENANT_ID",
    "AZURE_TOKEN_CREDENTIALS", "PULUMI_BACKEND_URL",
)  # fmt: skip
_LONGEST_SECONDS = 900.0


@dataclass(frozen=True)
class Executed:
    """A step that ran: where it is, what it printed, and its exit code."""

    job: str
    step: str
    script: str
    output: str = ""
    code: int = 0


@dataclass
class Machine:
    """Runs shell steps in a clone.

    Attributes:
        clone: The clone. Its local Azure runs.
        temporary: The folder for scripts and artifacts.
        executed: Every step so far.
    """

    clone: Checkout
    temporary: Path
    executed: list[Executed] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Find the local Azure, and the state that `amlite run` gives Pulumi."""
        self.azure = LocalAzure(self.clone.state)
        environment = self.azure.environment(self.clone.environment)
        self.backend = environment["PULUMI_BACKEND_URL"]
        # The stacks' files of the local Azure are in a folder of their own.
        self._environment = {
            **{name: value for name, value in environment.items() if name not in _NOT_ON_A_HOST},
            "PULUMI_OPTION_CWD": str(self.clone.state / "environments"),
        }
        self._tracked = {path.name for path in self.clone.root.iterdir()}
        self.keep()

    def keep(self) -> None:
        """Let later jobs begin with the stacks' files as they are now, as after a commit."""
        self._stack_files = {file: file.read_bytes() for file in (self.clone.state / "environments").glob("Pulumi.*")}

    def file(self, name: str) -> Path:
        """Return a file or folder of the working directory. The stacks' files are in a folder of their own."""
        stack_file = self.clone.state / "environments" / name
        return stack_file if stack_file in self._stack_files else self.clone.root / name

    def begin(self) -> None:
        """Begin a job as on a new machine: with the files of the repository, and nothing that an earlier job wrote."""
        for path in self.clone.root.iterdir():
            if path.name not in self._tracked:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for file, content in self._stack_files.items():
            file.write_bytes(content)

    def run(self, job: str, step: str, script: str, shell: Sequence[str], variables: Mapping[str, str]) -> Executed:
        """Run a shell step."""
        if script.strip() in REPLACED:
            return self._note(Executed(job, step, script))
        if script.lstrip().startswith("make"):
            raise UnsupportedError(f"{script}: see REPLACED")
        file = self.temporary / "step.sh"
        file.write_text(script, "utf-8")
        done = subprocess.run(
            [*shell, str(file)], cwd=self.clone.root, env={**self._environment, **variables}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=_LONGEST_SECONDS,
        )  # fmt: skip
        return self._note(Executed(job, step, script, done.stdout, done.returncode))

    def _note(self, executed: Executed) -> Executed:
        self.executed.append(executed)
        return executed

    def folder(self, *parts: str) -> Path:
        """Return a folder below the temporary one, and make it."""
        folder = self.temporary.joinpath(*parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder
