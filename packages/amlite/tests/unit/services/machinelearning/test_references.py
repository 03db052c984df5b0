from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from amlite import SUBSCRIPTION_ID
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.processes import Children
from amlite.core.store import Store
from amlite.services.machinelearning import references
from amlite.services.machinelearning.references import PROVIDER, asset, compute, datastore, location
from amlite.services.storage.blobs import BlobPath

GUID = "0b1f8ac4-2f6f-4b8e-9a53-6ac9c9f9a001"
WORKSPACE = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg/providers/{PROVIDER}/workspaces/ws"
LONG = f"azureml://subscriptions/{SUBSCRIPTION_ID}/resourcegroups/RG/workspaces/WS/datastores/store/paths"


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Return a platform that holds one workspace with an asset of every kind; nothing runs."""
    store = Store(tmp_path / "amlite.db")

    def put(path: str, kind: str, properties: dict[str, object]) -> None:
        body = {"id": path, "name": path.rpartition("/")[2], "properties": properties}
        store.put(path, f"{PROVIDER}/{kind}", body)

    put(WORKSPACE, "workspaces", {"workspaceId": GUID})
    put(f"{WORKSPACE}/computes/cpu", "workspaces/computes", {})
    for name, container in (("store", "files"), ("workspaceartifactstore", "azureml"), ("workspaceblobstore", "blobs")):
        kind = {"datastoreType": "AzureBlob", "accountName": "account", "containerName": container}
        put(f"{WORKSPACE}/datastores/{name}", "workspaces/datastores", kind)
    put(
        f"{WORKSPACE}/datastores/share",
        "workspaces/datastores",
        {"datastoreType": "AzureFile", "accountName": "account"},
    )
    for number in ("1", "2", "3"):
        path = f"{WORKSPACE}/environments/env/versions/{number}"
        put(path, "workspaces/environments/versions", {"isArchived": number == "3"})
    uri = "azureml://datastores/store/paths/LocalUpload/x/"
    put(f"{WORKSPACE}/data/d/versions/1", "workspaces/data/versions", {"dataUri": uri, "isArchived": False})
    model = "azureml://jobs/job-1/outputs/artifacts/paths/model"
    put(f"{WORKSPACE}/models/m/versions/1", "workspaces/models/versions", {"modelUri": model, "isArchived": False})
    put(f"{WORKSPACE}/jobs/job-2", "workspaces/jobs", {"outputs": {"out": {"uri": f"{LONG}/job-2/out"}, "other": None}})
    yield Platform(tmp_path, store, Children(tmp_path))
    store.close()


@pytest.mark.parametrize(
    ("reference", "version"),
    [
        ("azureml:env:1", "1"),
        ("env:2", "2"),
        ("azureml:env", "2"),
        ("azureml:env@latest", "2"),
        (f"{WORKSPACE}/environments/env/versions/1", "1"),
        (f"azureml:{WORKSPACE}/environments/env/versions/3", "3"),
        (f"{WORKSPACE.upper()}/ENVIRONMENTS/env/versions/azureml_default", "2"),
        (f"azureml://locations/westeurope/workspaces/{GUID}/environments/env/versions/1", "1"),
    ],
)
def test_asset_takes_every_spelling(platform: Platform, reference: str, version: str) -> None:
    found = asset(platform, WORKSPACE, reference, "environments")
    assert found.id == f"{WORKSPACE}/environments/env/versions/{version}"


@pytest.mark.parametrize(
    ("reference", "status", "said"),
    [
        ("azureml:env:9", 404, "env:9"),
        ("azureml:none", 404, "none"),
        ("azureml:env@staging", 404, "staging"),
        ("azureml:a:b:c", 400, "not a valid reference"),
        ("", 400, "not a valid reference"),
        (f"{WORKSPACE}/models/m/versions/1", 400, "not a valid reference"),
        (f"azureml://locations/westeurope/workspaces/{GUID}/models/m/versions/1", 400, "not a valid reference"),
        ("azureml://locations/westeurope/workspaces/elsewhere/environments/env/versions/1", 404, "elsewhere"),
        ("azureml://registries/shared/environments/env/versions/1", 404, "registry 'shared'"),
    ],
)
def test_asset_refuses(platform: Platform, reference: str, status: int, said: str) -> None:
    with pytest.raises(AzureError, match=said) as refused:
        asset(platform, WORKSPACE, reference, "environments")
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("reference", "kind", "expected"),
    [
        ("azureml://datastores/store/paths/a/b.csv", "data", ("files", "a/b.csv")),
        (f"{LONG}/a/", "data", ("files", "a")),
        ("azureml://datastores/store", "data", ("files", "")),
        ("azureml:d:1", "data", ("files", "LocalUpload/x")),
        ("azureml:m:1", "models", ("azureml", "ExperimentRun/dcid.job-1/model")),
        ("runs:/job-1/model", "models", ("azureml", "ExperimentRun/dcid.job-1/model")),
        ("azureml://jobs/job-2/outputs/out/paths/model", "models", ("files", "job-2/out/model")),
        ("azureml://jobs/job-2/outputs/other", "data", ("blobs", "azureml/job-2/other")),
        ("https://account.blob.core.windows.net/files/a%20b/c", "data", ("files", "a b/c")),
        ("wasbs://files@account.blob.core.windows.net/a", "data", ("files", "a")),
    ],
)
def test_location_takes_every_spelling(
    platform: Platform, reference: str, kind: str, expected: tuple[str, str]
) -> None:
    assert location(platform, WORKSPACE, reference, kind) == BlobPath("account", *expected)


@pytest.mark.parametrize(
    ("reference", "status", "said"),
    [
        ("azureml://datastores/none/paths/a", 404, "none"),
        ("azureml://datastores/share/paths/a", 400, "holds no blobs"),
        ("azureml://jobs/none/outputs/out/paths/a", 404, "none"),
        ("https://example.com/data.csv", 400, "reads nothing from the web"),
        ("azureml:none:1", 404, "none:1"),
    ],
)
def test_location_refuses(platform: Platform, reference: str, status: int, said: str) -> None:
    with pytest.raises(AzureError, match=said) as refused:
        location(platform, WORKSPACE, reference)
    assert refused.value.status == status


def test_compute_and_datastore_are_found_by_name_and_id(platform: Platform) -> None:
    for reference in ("azureml:cpu", "cpu", f"{WORKSPACE}/computes/cpu", f"azureml:{WORKSPACE}/computes/cpu"):
        assert compute(platform, WORKSPACE, reference).id == f"{WORKSPACE}/computes/cpu"
    assert datastore(platform, WORKSPACE, "azureml:store").id == f"{WORKSPACE}/datastores/store"
    with pytest.raises(AzureError, match="gpu"):
        compute(platform, WORKSPACE, "azureml:gpu")
    with pytest.raises(AzureError, match="find datastore"):
        datastore(platform, WORKSPACE, f"{WORKSPACE}/environments/env/versions/1")


def test_is_data_tells_uris_from_assets() -> None:
    assert references.is_data("azureml://datastores/store/paths/a")
    assert references.is_data("runs:/job-1/model")
    assert not references.is_data("azureml:d:1")
