"""The checks themselves: the user's command, and what is asked of Azure Monitor."""

from __future__ import annotations

import contextlib
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from azureml_fixtures.fake_endpoint import ID
from pulumi_azureml.operations import checks
from pulumi_azureml.operations.checks import CheckError, Checks
from pulumi_azureml.operations.scoring import ScoringTarget
from pulumi_azureml.resources.arguments import plain
from pulumi_azureml.resources.rollout import ChecksArgs

TARGET = ScoringTarget(ID, "https://flights.westeurope.inference.ml.azure.com/score", "key")
SINCE = datetime(2026, 1, 31, 12, tzinfo=UTC)
UNTIL = SINCE + timedelta(minutes=5)


@pytest.fixture(autouse=True)
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(checks, "project_root", lambda: tmp_path)
    monkeypatch.setattr(checks, "access_key", lambda _target: "the-endpoints-key")
    return tmp_path


def command(program: str, **more: Any) -> str:
    """Check a deployment by a Python program, and return what was seen."""
    return checked(command=[sys.executable, "-c", program], **more).final("blue-2", 10, SINCE, UNTIL)


def checked(**settings: Any) -> Checks:
    return Checks(plain(ChecksArgs(**settings)), "flights", TARGET)


def test_a_command_knows_what_it_checks_and_where_it_is(root: Path) -> None:
    names = "ENDPOINT_NAME", "DEPLOYMENT_NAME", "SCORING_URI", "TRAFFIC_PERCENT"
    program = f"import os; open('seen', 'w').write(' '.join(os.environ[name] for name in {names}))"
    assert command(program) == f"{sys.executable} passed"
    assert (root / "seen").read_text() == f"flights blue-2 {TARGET.scoring_uri} 10"


def test_a_command_sees_no_secret_that_it_was_not_given(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "a-deployers-secret")
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "a-passphrase")
    program = "import os; open('seen', 'w').write(repr(dict(os.environ)))"
    command(program)
    seen = (root / "seen").read_text()
    assert "a-deployers-secret" not in seen
    assert "a-passphrase" not in seen
    assert "the-endpoints-key" not in seen
    command(program, command_key=True, command_variables=["AZURE_CLIENT_SECRET", "NOT_SET"])
    seen = (root / "seen").read_text()
    assert "'AZURE_CLIENT_SECRET': 'a-deployers-secret'" in seen
    assert "'ENDPOINT_KEY': 'the-endpoints-key'" in seen
    assert "a-passphrase" not in seen


def test_a_failing_command_is_told_with_the_end_of_its_output_and_without_secrets() -> None:
    program = (
        "import os, sys\nfor number in range(100): print('line', number)\n"
        "sys.stdout.flush()\nprint(os.environ['ENDPOINT_KEY'], file=sys.stderr)\nsys.exit(3)"
    )
    with pytest.raises(CheckError, match=r"(?s)ended with exit code 3\nlast lines of its output:.*line 99") as raised:
        command(program, command_key=True)
    text = str(raised.value)
    assert "\nline 61\n" in text
    assert "\nline 60\n" not in text
    assert "the-endpoints-key" not in text
    assert text.endswith("***")


def test_a_command_that_does_not_end_is_ended_with_all_that_it_started(root: Path) -> None:
    endless = checked(command=["sh", "-c", "sleep 600 & echo $! > child; echo waiting; wait"], command_seconds=3)
    with pytest.raises(CheckError, match=r"(?s)did not end within 3 s\nlast lines of its output:\nwaiting"):
        endless.final("blue-2", 10, SINCE, UNTIL)
    with contextlib.suppress(psutil.NoSuchProcess):
        child = psutil.Process(int((root / "child").read_text()))
        assert psutil.wait_procs([child], timeout=60) == ([child], [])


def test_a_command_that_is_not_there_fails() -> None:
    with pytest.raises(CheckError, match=r"the command '\./no-such-check --fast' cannot be run: .*No such file"):
        checked(command=["./no-such-check", "--fast"]).final("blue-2", 10, SINCE, UNTIL)


def test_metrics_are_asked_for_by_their_documented_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def send(method: str, id_: str, version: str, query: dict[str, str]) -> Any:
        asked.append((method, id_, version, query))
        return {"value": [{"timeseries": []}]}

    monkeypatch.setattr(checks, "send", send)
    with pytest.raises(CheckError, match="not enough traffic to judge it: 0 requests"):
        checked(max_error_percent=1, max_latency_ms=100).final("blue-2", 10, SINCE, UNTIL)
    assert {(method, id_) for method, id_, _, _ in asked} == {("GET", f"{ID}/providers/Microsoft.Insights/metrics")}
    requests, latency = (query for _, _, _, query in asked)
    assert (requests["metricnames"], latency["metricnames"]) == ("RequestsPerMinute", "RequestLatency_P95")
    assert requests["$filter"] == "deployment eq 'blue-2' and statusCode eq '*'"
    assert latency["$filter"] == "deployment eq 'blue-2'"
    assert requests["timespan"] == "2026-01-31T12:00:00Z/2026-01-31T12:05:00Z"
    assert (requests["interval"], requests["aggregation"]) == ("PT1M", "Average")


def test_a_minute_counts_for_the_latency_as_much_as_it_had_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    def series(status: str, **minutes: float) -> Any:
        named = [{"name": {"value": "statuscode"}, "value": status}]
        return {"metadatavalues": named, "data": [{"timeStamp": at, "average": value} for at, value in minutes.items()]}

    def send(_method: str, _id: str, _version: str, query: dict[str, str]) -> Any:
        counted = [series("200", a=90, b=8), series("503", b=2)]
        values = counted if query["metricnames"] == "RequestsPerMinute" else [series("", a=100.0, b=1000.0)]
        return {"value": [{"timeseries": values}]}

    monkeypatch.setattr(checks, "send", send)
    passing = checked(max_error_percent=2, max_latency_ms=190)
    assert passing.final("blue-2", 10, SINCE, UNTIL) == "100 requests, 2 failed, p95 190 ms"
    with pytest.raises(CheckError, match="took up to 190 ms"):
        checked(max_latency_ms=189).early("blue-2", SINCE, UNTIL)
    with pytest.raises(CheckError, match=r"2\.0 % of its 100 requests failed"):
        checked(max_error_percent=1.9).early("blue-2", SINCE, UNTIL)
