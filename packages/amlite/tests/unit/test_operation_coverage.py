"""docs/coverage.md is true: it lists every operation, its counts are right, and its tests exist."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from operation_coverage import answers, job_settings, left_out, page, record
from operation_coverage.operations import (
    MACHINE_LEARNING,
    PUBLISHED,
    Operation,
    machine_learning,
    others,
    read,
)
from operation_coverage.page import Degree, covered

_ROW = re.compile(r"^\| `(\w+)` \| `([A-Z]+) ([^`]+)` \| (full|partial|none) \| (.*?) \| (.*?) ?\|$", re.MULTILINE)


@pytest.fixture(scope="module")
def text() -> str:
    return page.FILE.read_text("utf-8")


@pytest.fixture(scope="module")
def operations() -> dict[str, Operation]:
    return {each.id: each for each in (*machine_learning(), *others())}


def test_the_page_is_current(text: str) -> None:
    assert text == page.generate(), "run: PYTHONPATH=packages/amlite/tests python -m operation_coverage.page"


def requests(operations: list[Operation]) -> list[tuple[str, str]]:
    """Return (method, path below the provider, without the parameters' names) of each operation."""
    return [(each.method, each.request[1].partition(f"{MACHINE_LEARNING.lower()}/")[2]) for each in operations]


def rows(text: str) -> list[tuple[tuple[str, str], str]]:
    """Return (request, how much of it there is) of each row."""
    found = _ROW.findall(text)
    return [((method, re.sub(r"\{\w+\}", "{}", path).lower()), degree) for _, method, path, degree, _, _ in found]


def test_every_operation_of_both_lists_has_a_row(text: str) -> None:
    assert sorted(request for request, _ in rows(text)) == sorted(requests(machine_learning()))
    assert set(requests(read(PUBLISHED, MACHINE_LEARNING))) <= {request for request, _ in rows(text)}


def test_the_counts_at_the_top_are_those_of_the_rows(text: str) -> None:
    tops = re.findall(r"^\| (?:Microsoft|of these).*? \| [\d-]+ \| (\d+ \| \d+ \| \d+ \| \d+) \|$", text, re.MULTILINE)
    published = requests(read(PUBLISHED, MACHINE_LEARNING))
    for top, listed in zip(tops, (requests(machine_learning()), published), strict=True):
        degrees = Counter(degree for request, degree in rows(text) if request in listed)
        counts = (degrees.total(), degrees["full"], degrees["partial"], degrees["none"])
        assert top == " | ".join(map(str, counts))
        assert degrees.total() == len(listed)


def test_full_has_a_test_and_partial_a_reason(text: str) -> None:
    for name, _, path, degree, test, missing in _ROW.findall(text):
        if degree == "full":
            assert (bool(test), missing) == (True, ""), (name, path)
        if degree == "partial":
            assert missing, (name, path)
        if degree == "none":
            assert not test, (name, path)


def test_each_recorded_test_and_operation_exists(operations: dict[str, Operation]) -> None:
    recorded = record.load()
    assert recorded.keys() - operations.keys() == set()
    assert {test for tests in recorded.values() for test in tests if not record.exists(test)} == set(), (
        "record again: see operation_coverage.record"
    )


def test_what_is_recorded_is_answered(operations: dict[str, Operation]) -> None:
    assert [name for name in record.load() if answers.find(operations[name]) is None] == []


def test_every_reviewed_entry_names_an_operation_that_is_answered(operations: dict[str, Operation]) -> None:
    entries = (*left_out.MISSING, *left_out.REFUSED)
    assert [name for name in entries if name not in operations or answers.find(operations[name]) is None] == []
    assert left_out.REFUSED.keys() & record.load().keys() == set()


def test_an_operation_knows_its_request_and_its_models(operations: dict[str, Operation]) -> None:
    cancel = operations[f"{MACHINE_LEARNING}/Jobs.cancel"]
    assert (cancel.method, cancel.sample.rpartition("/workspaces/")[2]) == ("POST", "sample/jobs/sample/cancel")
    assert cancel.resource_type == f"{MACHINE_LEARNING}/workspaces/jobs"
    put = operations[f"{MACHINE_LEARNING}/Compute.create_or_update"]
    assert (put.body, put.result) == ("ComputeResource", "ComputeResource")
    assert "listViewType" in operations[f"{MACHINE_LEARNING}/Jobs.list"].query
    assert put.matches(put.sample.upper())
    assert not put.matches(f"{put.sample}/start")


@pytest.mark.parametrize(
    ("name", "service"),
    [
        (f"{MACHINE_LEARNING}/Jobs.cancel", "jobs"),  # a route
        (f"{MACHINE_LEARNING}/Workspaces.list_keys", "machinelearning"),  # an action of a resource type
        (f"{MACHINE_LEARNING}/Registries.get", "registries"),  # a resource type
        (f"{MACHINE_LEARNING}/Compute.list_keys", None),  # an action that the type does not have
        (f"{MACHINE_LEARNING}/ServerlessEndpoints.get", None),  # a type that is not there
        ("Microsoft.Resources/ResourceGroups.check_existence", "arm"),
        ("Microsoft.Storage/StorageAccounts.failover", None),
    ],
)
def test_the_service_that_answers_is_found(operations: dict[str, Operation], name: str, service: str | None) -> None:
    found = answers.find(operations[name])
    assert (found.service if found else None) == service


def test_what_no_service_acts_on_is_partial(operations: dict[str, Operation]) -> None:
    name = "Microsoft.Storage/BlobServices.set_service_properties"
    judged = covered(operations[name], {name: ["a test"]})
    assert (judged.degree, judged.missing) == (Degree.PARTIAL, ("only kept: no service checks it or acts on it",))


def test_query_parameters_and_settings_that_nothing_reads_are_named(operations: dict[str, Operation]) -> None:
    models = covered(operations[f"{MACHINE_LEARNING}/ModelVersions.list"], {})
    assert "ignores" in " ".join(models.missing)
    assert "`listViewType`" not in " ".join(models.missing)
    deployment = covered(operations[f"{MACHINE_LEARNING}/OnlineDeployments.create_or_update"], {})
    assert "`startupProbe`" in " ".join(deployment.missing)
    assert "`environmentVariables`" not in " ".join(deployment.missing)


def test_without_a_test_an_operation_is_partial(operations: dict[str, Operation]) -> None:
    name = f"{MACHINE_LEARNING}/Jobs.cancel"
    assert covered(operations[name], {}).missing == ("no conformance test",)
    assert covered(operations[name], {name: ["a test"]}).degree == Degree.FULL


def test_a_record_keeps_what_did_not_run_and_begins_with_the_most_telling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "exists", lambda test: test != "t.py::test_gone")
    before = {
        "P/Jobs.cancel": ["t.py::test_ran", "t.py::test_gone", "t.py::test_kept"],
        "P/Jobs.get": ["t.py::test_ran"],
    }
    run = {
        "t.py::test_ran": [],
        "t.py::test_job_is_canceled": ["P/Jobs.cancel"],
        "t.py::test_cancel_job": ["P/Jobs.cancel"],
    }
    assert record.merged(before, run) == {
        "P/Jobs.cancel": ["t.py::test_cancel_job", "t.py::test_job_is_canceled", "t.py::test_kept"]
    }


def test_every_setting_of_a_job_is_honoured_refused_or_without_effect() -> None:
    told = [setting for setting, _, _ in job_settings.rows() if setting not in job_settings.REFUSED_KINDS]
    assert sorted(told) == sorted(job_settings.published())
