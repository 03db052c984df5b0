"""Callers of an endpoint, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# An instance takes two requests at once, unless the deployment says more: request_settings of Azure's schema.
_DEPLOYMENT = Path("ml/deploy/blue-deployment.yml")
_TIMEOUT = "  request_timeout_ms: 10000\n"


def allow(root: Path, connections: int) -> None:
    """Let each instance of the deployment take a number of requests at once. The next update applies it."""
    file = root / _DEPLOYMENT
    text = file.read_text("utf-8")
    if _TIMEOUT not in text:
        raise ValueError(f"{_DEPLOYMENT} has no line {_TIMEOUT!r}")
    more = f"{_TIMEOUT}  max_concurrent_requests_per_instance: {connections}\n"
    file.write_text(text.replace(_TIMEOUT, more), "utf-8")


@dataclass
class Load:
    """Callers that run. Each keeps its connection open and sends one request after another."""

    process: subprocess.Popen[str]

    @classmethod
    def begin(
        cls, address: str, key: str, request: Path, *, connections: int, environment: Mapping[str, str] | None = None
    ) -> Load:
        """Let callers send a file's content. `address` is a URL, or the path of a socket."""
        command = [sys.executable, "-m", "tests.load", address, str(request), "--connections", str(connections)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert process.stdin is not None
        process.stdin.write(f"{key}\n")  # a command line could be read by every user of the machine
        process.stdin.flush()
        return cls(process)

    def count(self) -> dict[str, int]:
        """Return the number of requests by result."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._read()

    def end(self) -> dict[str, int]:
        """End the load. Return the number of requests by result."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        found = self._read()
        self.stop()
        return found

    def stop(self) -> None:
        """End the callers, also after a failure."""
        with self.process:  # closes the pipes and waits
            if self.process.poll() is None:
                self.process.terminate()

    def _read(self) -> dict[str, int]:
        assert self.process.stdout is not None
        found: dict[str, int] = json.loads(self.process.stdout.readline())
        return found
