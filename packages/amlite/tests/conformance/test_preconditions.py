"""Two who change the same resource: the second one is told, if it says what it has seen."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from amlite.testing import LocalAzure
from amlite_fixtures.azure import GROUP_ID

pytestmark = pytest.mark.attack
Json = dict[str, Any]
FACTORIES = "2018-06-01"
WAIT: Json = {"properties": {"activities": [{"name": "w", "type": "Wait", "typeProperties": {"waitTimeInSeconds": 1}}]}}


def send(azure: LocalAzure, method: str, path: str, body: Json | None = None, **headers: str) -> requests.Response:
    token = azure.credential.get_token("https://management.azure.com/.default").token
    return azure.session.request(
        method,
        f"https://management.azure.com{path}?api-version={FACTORIES}",
        json=body,
        headers={
            "Authorization": f"Bearer {token}",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        },
    )


@pytest.fixture(scope="module")
def factory(amlite: LocalAzure) -> Iterator[str]:
    path = f"{GROUP_ID}/providers/Microsoft.DataFactory/factories/adf-{uuid.uuid4().hex[:8]}"
    amlite.put(path, {"location": "westeurope", "properties": {}}, FACTORIES)
    yield path
    amlite.remove(path, FACTORIES)


def test_a_pipeline_is_not_overwritten_by_who_has_not_seen_it(amlite: LocalAzure, factory: str) -> None:
    path = f"{factory}/pipelines/shared"
    assert send(amlite, "PUT", path, WAIT, If_Match='"none"').status_code == 412
    made = send(amlite, "PUT", path, WAIT)
    seen = made.json()["etag"]
    assert made.headers["ETag"] == f'"{seen}"'
    assert send(amlite, "GET", path).json()["etag"] == seen
    (listed,) = send(amlite, "GET", f"{factory}/pipelines").json()["value"]
    assert listed["etag"] == seen
    assert send(amlite, "PUT", path, WAIT, If_Match=seen).status_code == 200
    late = send(amlite, "PUT", path, WAIT, If_Match=seen)
    assert (late.status_code, late.json()["error"]["code"]) == (412, "PreconditionFailed")
    assert send(amlite, "PUT", path, WAIT, If_Match="*").status_code == 200
    assert send(amlite, "PUT", path, WAIT, If_None_Match="*").status_code == 412
    assert send(amlite, "DELETE", path, If_Match=seen).status_code == 412
    assert send(amlite, "DELETE", path, If_Match=send(amlite, "GET", path).headers["ETag"]).status_code == 200


def test_a_change_of_tags_has_a_condition_too(amlite: LocalAzure, factory: str) -> None:
    seen = send(amlite, "GET", factory).json()["eTag"]
    assert send(amlite, "PATCH", factory, {"tags": {"a": "1"}}, If_Match=seen).status_code == 200
    assert send(amlite, "PATCH", factory, {"tags": {"a": "2"}}, If_Match=seen).status_code == 412
    assert send(amlite, "GET", factory).json()["tags"] == {"a": "1"}
