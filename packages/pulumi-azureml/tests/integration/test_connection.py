"""The connections that all requests to Azure share: whom they trust, and how often that is read."""

from __future__ import annotations

import os
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import certifi
import pytest
import requests
from requests import Session

from amlite.testing import LocalAzure
from amlite_fixtures.azure import ARM
from pulumi_azureml.operations.connection import transport


@pytest.fixture
def session(amlite: LocalAzure) -> Session:
    """Return the session of a transport that has no connection yet."""
    assert amlite
    made = transport.__wrapped__()
    made.open()
    return made.session


def test_refuses_a_server_that_the_bundle_does_not_vouch_for(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the environment names is asked for each connection: another bundle is another judgement."""
    assert session.get(ARM).status_code == 401
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(ARM)


def test_trusts_certifi_where_the_environment_names_no_bundle(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As requests does: the local Azure's own authority is none of certifi's."""
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    with pytest.raises(requests.exceptions.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
        session.get(ARM)


def test_reads_the_certificates_once_for_all_connections(session: Session) -> None:
    """Four connections at the same time have one bundle."""
    together = threading.Barrier(4)

    def ask(_: int) -> int:
        together.wait()
        return session.get(ARM, stream=True).status_code  # its connection is not free for the next

    reads: list[dict[str, str]] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *places: str, **named: str) -> None:
        reads.append(named)
        load(context, *places, **named)

    with mock.patch.object(ssl.SSLContext, "load_verify_locations", counted):
        assert session.get(ARM).status_code == 401
        with ThreadPoolExecutor(4) as threads:
            assert list(threads.map(ask, range(4))) == [401] * 4
    assert reads == [{"cafile": os.environ["REQUESTS_CA_BUNDLE"]}]
