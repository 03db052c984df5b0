"""Checks of a deployment before it gets more traffic: its errors, its latency and the user's command.

Azure Monitor counts an endpoint's requests by the minute, with the deployment and the status code as dimensions. It
publishes a minute about three minutes later. A reading therefore covers only the first part of a step.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from pulumi_azureml.operations.arm import send
from pulumi_azureml.operations.scoring import ScoringTarget, access_key
from pulumi_azureml.planning.project import project_root

_API_VERSION = "2023-10-01"
_STAMP = "%Y-%m-%dT%H:%M:%SZ"
_MOST_SERIES = "500"
# The status codes of a faulty deployment: too slow, a model error, too busy; and every 5xx.
_FAULTS = frozenset({"408", "424", "429"})
# The only environment variables of the deployer that a command gets. None of them is an Azure credential.
_ENVIRONMENT = (
    "PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "HTTPS_PROXY", "https_proxy", "NO_PROXY",
    "no_proxy", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
)  # fmt: skip
_TAIL_LINES = 40
_SHORTEST_SECRET = 6


class CheckError(Exception):
    """A deployment must not get more traffic. The message gives the reason."""


@dataclass(frozen=True)
class Measured:
    """A deployment's metrics over a period: requests, failed requests, and 95th percentile latency in ms."""

    requests: float
    failed: float
    latency_ms: float | None


class Checks:
    """The checks of one rollout on one endpoint.

    `settings` contains the values of `ChecksArgs` except limits that are None. If it is empty, nothing is checked.
    """

    def __init__(self, settings: Mapping[str, Any], endpoint: str, target: ScoringTarget) -> None:
        """Take the endpoint's name and location."""
        self._endpoint = endpoint
        self._target = target
        self._most_errors: float | None = settings.get("max_error_percent")
        self._most_latency: float | None = settings.get("max_latency_ms")
        self._enough: int = settings.get("min_requests", 0)
        self._quiet_passes: bool = settings.get("when_quiet") == "pass"
        self._command: list[str] = list(settings.get("command") or [])
        self._command_seconds: float = settings.get("command_seconds", 0)
        self._command_variables: list[str] = list(settings.get("command_variables") or [])
        self._command_key: bool = settings.get("command_key", False)

    @property
    def any(self) -> bool:
        """Whether anything is checked."""
        return self.measures or bool(self._command)

    @property
    def measures(self) -> bool:
        """Whether metrics are read."""
        return self._most_errors is not None or self._most_latency is not None

    def early(self, deployment: str, since: datetime, until: datetime) -> None:
        """Raise CheckError if enough requests show during a bake that a limit is exceeded."""
        measured = self._measure(deployment, since, until)
        if measured.requests >= self._enough:
            self._hold(measured)

    def final(self, deployment: str, percent: int, since: datetime, until: datetime) -> str:
        """Return a summary of the measurements at the end of a step's bake.

        Raises:
            CheckError: a limit is exceeded, there was too little traffic to decide, or the command failed.
        """
        said = []
        if self.measures:
            measured = self._measure(deployment, since, until)
            if measured.requests >= self._enough:
                self._hold(measured)
            elif not self._quiet_passes:
                raise CheckError(
                    f"not enough traffic to judge it: {measured.requests:g} requests since "
                    f"{since.strftime(_STAMP)}, {self._enough} are needed. Bake longer (bake_seconds), "
                    "require fewer (min_requests), or let a quiet deployment pass (when_quiet)"
                )
            said.append(_in_words(measured))
        if self._command:
            self._run_command(deployment, percent)
            said.append(f"{self._command[0]} passed")
        return ", ".join(said)

    def _hold(self, measured: Measured) -> None:
        """Raise CheckError if a measurement exceeds a limit."""
        percent = 100 * measured.failed / measured.requests if measured.requests else 0.0
        if self._most_errors is not None and percent > self._most_errors:
            raise CheckError(
                f"{percent:.1f} % of its {measured.requests:g} requests failed "
                f"(max_error_percent is {self._most_errors:g})"
            )
        latency = measured.latency_ms
        if self._most_latency is not None and latency is not None and latency > self._most_latency:
            raise CheckError(
                f"95 % of its requests took up to {latency:.0f} ms (max_latency_ms is {self._most_latency:g})"
            )

    def _measure(self, deployment: str, since: datetime, until: datetime) -> Measured:
        from pulumi_azureml.operations.sdk import AzureError

        span = f"{since.strftime(_STAMP)}/{until.strftime(_STAMP)}"
        try:
            counted = list(self._read("RequestsPerMinute", span, deployment, " and statusCode eq '*'"))
            latencies = list(self._read("RequestLatency_P95", span, deployment, "")) if self._most_latency else []
        except AzureError as error:
            raise CheckError(f"its metrics cannot be read: {error}") from error
        by_minute: dict[str, float] = {}
        failed = 0.0
        for status, minute, requests in counted:
            by_minute[minute] = by_minute.get(minute, 0.0) + requests
            failed += requests if status in _FAULTS or status.startswith("5") else 0.0
        # Weight each minute by its requests.
        weighed = [(value, by_minute.get(minute, 1.0)) for _status, minute, value in latencies]
        weight = sum(each for _value, each in weighed)
        latency = sum(value * each for value, each in weighed) / weight if weight else None
        return Measured(sum(by_minute.values()), failed, latency)

    def _read(self, metric: str, span: str, deployment: str, further: str) -> Iterator[tuple[str, str, float]]:
        """Yield the status code (empty if it is not a dimension), the minute and the value of a deployment's metric."""
        query = {
            "metricnames": metric,
            "timespan": span,
            "interval": "PT1M",
            "aggregation": "Average",
            "$filter": f"deployment eq '{deployment}'{further}",
            "top": _MOST_SERIES,
        }
        answer = send("GET", f"{self._target.id}/providers/Microsoft.Insights/metrics", _API_VERSION, query=query)
        return _values(answer)

    def _run_command(self, deployment: str, percent: int) -> None:
        variables = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        asked = {name: os.environ[name] for name in self._command_variables if name in os.environ}
        if self._command_key:
            asked["ENDPOINT_KEY"] = access_key(self._target)
        variables |= asked | {
            "ENDPOINT_NAME": self._endpoint,
            "DEPLOYMENT_NAME": deployment,
            "SCORING_URI": self._target.scoring_uri,
            "TRAFFIC_PERCENT": str(percent),
        }
        shown = " ".join(self._command)
        with tempfile.TemporaryFile() as output:
            try:
                code = self._finished(variables, output)
            except OSError as error:
                raise CheckError(f"the command '{shown}' cannot be run: {error}") from error
            tail = _tail(output, asked.values())
        if code is None:
            raise CheckError(f"the command '{shown}' did not end within {self._command_seconds:g} s{tail}")
        if code != 0:
            raise CheckError(f"the command '{shown}' ended with exit code {code}{tail}")

    def _finished(self, variables: Mapping[str, str], output: IO[bytes]) -> int | None:
        """Return the command's exit code. On a timeout, end the command and its child processes, and return None."""
        process = subprocess.Popen(
            self._command,
            cwd=project_root(),
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            return process.wait(self._command_seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _values(answer: Mapping[str, Any]) -> Iterator[tuple[str, str, float]]:
    for metric in answer.get("value", []):
        for series in metric.get("timeseries", []):
            named = {each["name"]["value"].lower(): each["value"] for each in series.get("metadatavalues", [])}
            for point in series.get("data", []):
                if point.get("average") is not None:
                    yield str(named.get("statuscode", "")), point["timeStamp"], float(point["average"])


def _in_words(measured: Measured) -> str:
    latency = "" if measured.latency_ms is None else f", p95 {measured.latency_ms:.0f} ms"
    return f"{measured.requests:g} requests, {measured.failed:g} failed{latency}"


def _tail(output: IO[bytes], secrets: Iterable[str]) -> str:
    """Return the end of a command's output for a message, without the secrets that the command received."""
    output.seek(0)
    text = "\n".join(output.read().decode("utf-8", "replace").splitlines()[-_TAIL_LINES:])
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return f"\nlast lines of its output:\n{text}" if text else ""
