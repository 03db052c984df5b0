"""What all threads share on the way to Azure: connections, and one sign-in."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from azure.ai.ml._artifacts._blob_storage_helper import BlobStorageClient
from azure.ai.ml._restclient.arm_ml_service import models
from azure.core.credentials import AccessTokenInfo
from azure.identity import DefaultAzureCredential

from pulumi_azureml.operations import connection
from pulumi_azureml.operations.connection import Workspace, connect, credential, transport

WORKSPACE = Workspace("00000000-0000-0000-0000-000000000001", "rg", "mlw")
UPLOAD = "https://account.blob.core.windows.net/container?sig=x"


def test_threads_have_clients_of_their_own_over_the_same_connections() -> None:
    started = threading.Barrier(4)

    def open_client(_: int) -> tuple[Any, Any]:
        started.wait()
        client = connect(WORKSPACE)
        assert connect(WORKSPACE) is client
        return client, client._kwargs["transport"]

    with ThreadPoolExecutor(4) as threads:
        clients, transports = zip(*threads.map(open_client, range(4)), strict=True)
    assert len(set(map(id, clients))) == 4
    assert set(transports) == {transport()}


LOADED = """
import sys
from pulumi_azureml.operations import connection
parts = ("rest", "polling", "pipeline.policies", "pipeline.transport._requests_basic")
wanted = [f"azure.core.{part}" for part in parts]
assert not any(name in sys.modules for name in [*wanted, "azure.identity"]), "an import of ours is slow"
connection.credential()
assert all(name in sys.modules for name in wanted), sys.modules.keys()
"""


def test_the_sdk_is_whole_before_threads_ask() -> None:
    """`cannot import name '_format_parameters_helper' from partially initialized module` ended a first preview."""
    subprocess.run([sys.executable, "-c", LOADED], check=True)


@pytest.mark.parametrize(
    "place",
    [
        {"credential": "", "account_url": UPLOAD},
        {"credential": "key", "account_url": "https://account.blob.core.windows.net", "container_name": "container"},
    ],
    ids=["signature", "credential"],
)
def test_an_upload_shares_the_connections(place: dict[str, str]) -> None:
    """It hangs on names in a private module of azure-ai-ml: here shows when they go."""
    connect(WORKSPACE)
    blob = BlobStorageClient(**place).container_client.get_blob_client("src/main.py")
    assert type(blob._config.retry_policy).__name__ == "Patience"
    inner = blob._pipeline._transport
    while hasattr(inner, "_transport"):
        inner = inner._transport
    assert inner is transport()


def test_the_first_use_of_a_model_class_does_not_disturb_another_thread() -> None:
    """A new attribute of a class breaks a thread that iterates over its attributes, and the client hides the error."""
    connect(WORKSPACE)
    seen = 0
    for model in (models.PipelineJob, models.Schedule, models.OnlineDeployment, models.ComponentVersion):
        before = set(vars(model))
        model._calculated.discard(f"{model.__module__}.{model.__qualname__}")
        model.__new__(model)
        assert set(vars(model)) == before
        seen += "_attr_to_rest_field" in before and model._attr_to_rest_field != {}
    assert seen == 4


def test_many_threads_ask_for_a_token_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[int] = []
    most: list[int] = []

    def ask(_self: Any, *_scopes: str, **_options: Any) -> AccessTokenInfo:
        asking.append(1)
        most.append(len(asking))
        time.sleep(0)  # lets the others run
        asking.pop()
        return AccessTokenInfo("token", int(time.time()) + 3600)

    monkeypatch.setattr(DefaultAzureCredential, "get_token_info", ask)
    connection.sign_in_again()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: credential().get_token_info("https://management.azure.com/.default"), range(64)))
    assert max(most) == 1
    connection.sign_in_again()
