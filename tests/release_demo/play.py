"""What the chapters share: a clone with three environments on the local Azure, and its commands."""

from __future__ import annotations

import json
import os
import subprocess
import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from amlite.testing import LocalAzure
from infra import NAMESPACE
from tests.checkout import Checkout
from tests.load import Load
from tests.release_demo.drift import Receiver

_FOLDER = ".amlite/environments"
ENDPOINT = "flight-delay"
CALLERS = 2


@dataclass
class Play:
    """The clone, and what the chapters learn.

    Attributes:
        clone: A fresh clone.
        requests: The number of requests that production has to answer at least.
        receiver: Gets production's alerts.
        first: The job that trained the first model.
        load: Callers of production, while there are any.
        trainings: Trainings that run meanwhile, by name.
        trainer: Runs them, one after another.
        aside: Runs what else happens meanwhile.
        files: The stack files of staging and production, which are made meanwhile.
        stacks: Bring-ups that run meanwhile, by stack.
    """

    clone: Checkout
    requests: int
    receiver: Receiver
    first: str = ""
    load: Load | None = None
    trainings: dict[str, Future[dict[str, Any]]] = field(default_factory=dict)
    trainer: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    aside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))
    files: list[Future[None]] = field(default_factory=list)
    stacks: dict[str, Future[str]] = field(default_factory=dict)

    @cached_property
    def signed_in(self) -> Checkout:
        """The clone, in a shell that is signed in to its local Azure, which this starts."""
        self.clone.run(".venv/bin/amlite start")
        environment = self.azure.environment(self.clone.environment)
        folders = [str(self.clone.root / ".venv" / "bin"), environment["PATH"]]
        return Checkout(self.clone.root, {**environment, "PATH": os.pathsep.join(folders)})

    def run(self, command: str, expect: int = 0) -> str:
        """Run a command against the local Azure."""
        return self.signed_in.run(command, expect)

    def release(self, command: str, expect: int = 0) -> str:
        """Run one of the release's commands on the environments."""
        return self.run(f"release --cwd {_FOLDER} {command}", expect)

    def stack(self, name: str, values: dict[str, str], *without: str) -> None:
        """Make a stack and its file, without some values of the repository's file and with others."""
        self.run(f"python -m bootstrap.local_stack fit {name}")
        if without:
            keys = " ".join(f"'{NAMESPACE}:{key}'" for key in without)
            self.run(f"pulumi --cwd {_FOLDER} config rm-all -s {name} --path {keys}")
        pairs = " ".join(f"--plaintext '{NAMESPACE}:{key}={value}'" for key, value in values.items())
        self.run(f"pulumi --cwd {_FOLDER} config set-all -s {name} --path {pairs}")

    def outputs(self, stack: str) -> dict[str, Any]:
        """Return the outputs of a stack."""
        found: dict[str, Any] = json.loads(self.run(f"pulumi --cwd {_FOLDER} stack output --json -s {stack}"))
        return found

    def entries(self, stack: str) -> list[dict[str, Any]]:
        """Return the history of a stack."""
        found: list[dict[str, Any]] = json.loads(self.release(f"history -s {stack} --output json"))["entries"]
        return found

    def json(self, command: str, log: str) -> dict[str, Any]:
        """Run one of the release's commands, and return its result. Its progress is added to a log."""
        printed = self.release(f"{command} --output json 2>> .amlite/{log}")
        found: dict[str, Any] = json.loads(printed[printed.index("{") :])
        return found

    def train(self, *words: str) -> dict[str, Any]:
        """Train in dev, and return the outcome."""
        return self.json(f"train -s dev {' '.join(words)}", "train.log")

    def callers(self) -> Load:
        """Start the load on production's endpoint."""
        uri = self.outputs("prod")["endpoints"][ENDPOINT]["scoring_uri"]
        key = self.release(f"key {ENDPOINT} -s prod").strip()
        request = self.clone.root / "ml/deploy/sample-request.json"
        return Load.begin(uri, key, request, connections=CALLERS, environment=self.signed_in.environment)

    def timed(self, command: str) -> tuple[int, list[tuple[float, str]]]:
        """Run one of the release's commands. Return its exit code, and each line with the time it came at."""
        arguments = [".venv/bin/release", "--cwd", _FOLDER, *command.split()]
        process = subprocess.Popen(
            arguments, cwd=self.clone.root, env={**self.signed_in.environment, "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        assert process.stdout is not None
        lines = [(time.time(), line.rstrip()) for line in process.stdout]
        return process.wait(), lines

    def train_meanwhile(self, **trainings: str) -> None:
        """Train models one after another, while the story continues. `trained` waits for one of them."""
        for name, options in trainings.items():
            self.trainings[name] = self.trainer.submit(self.train, "--no-promote", options)

    def trained(self, name: str) -> dict[str, Any]:
        """Wait for a model that trains meanwhile, and return the outcome."""
        return self.trainings[name].result()

    @property
    def azure(self) -> LocalAzure:
        """The local Azure of the clone."""
        return LocalAzure(self.state)

    @property
    def state(self) -> Path:
        """The folder for the demo's own files."""
        return self.clone.state

    def stop(self) -> None:
        """End what still runs after a failure."""
        if self.load is not None:
            self.load.stop()
        for pool in (self.trainer, self.aside):
            pool.shutdown(cancel_futures=True)
