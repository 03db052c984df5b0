"""A deployment's `dataCollector`: the collections, where each is stored, and which identity writes it.

Sources: the models `DataCollector` and `Collection`, "Collect production data from models for real-time inferencing"
(defaults, paths, at most five collections of a script), and azure-ai-ml's `mdc_config_resolver` and Microsoft's package
azureml-ai-monitoring (the file that tells the scoring script what to collect).
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass

from amlite.core.access import Principal
from amlite.core.errors import AzureError
from amlite.core.platform import Platform
from amlite.core.wire import Json
from amlite.services.machinelearning import endpoints, references
from amlite.services.managedidentity import identities
from amlite.services.storage.blobs import BlobPath

PAYLOAD = ("request", "response")
"""The collections of HTTP payloads. Every other collection belongs to the scoring script."""
_MOST_CUSTOM = 5
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")
_DEFAULT_PATH = "azureml://datastores/workspaceblobstore/paths/modelDataCollector"
_FOLDERS = {"Year": "%Y", "Month": "%Y/%m", "Day": "%Y/%m/%d", "Hour": "%Y/%m/%d/%H", "Minute": "%Y/%m/%d/%H/%M"}


@dataclass(frozen=True)
class Collection:
    """An enabled collection: the folder for its data, the share of it to keep, and the identity that writes it.

    A credential of the datastore writes instead, if there is one.
    """

    name: str
    target: BlobPath
    sampling: float
    writer: Principal


@dataclass(frozen=True)
class Collector:
    """What a deployment (its ARM id) collects: the enabled collections by their lower-case names."""

    source: str
    collections: Mapping[str, Collection]
    rolling: str
    headers: tuple[str, ...]

    def folder(self, at: dt.datetime) -> str:
        """Return the folder of a time below a collection's folder."""
        return at.strftime(_FOLDERS[self.rolling])

    def script_settings(self) -> Json:
        """Return the file that the package azureml-ai-monitoring reads. It samples the script's collections itself."""
        return {
            "runMode": "cloud",
            "collections": {
                name: {"enabled": True, "sampleRatePercentage": each.sampling * 100}
                for name, each in self.collections.items()
            },
        }


def read(platform: Platform, endpoint: Json, deployment: Json) -> Collector | None:
    """Return what a deployment collects, or None if it collects nothing. Both are ARM envelopes.

    Raises AzureError 400 for settings that Azure refuses, and 404 for a data asset that does not exist.
    """
    settings = deployment["properties"].get("dataCollector") or {}
    given: Json = settings.get("collections") or {}
    _check(given)
    workspace_id = endpoint["id"].rsplit("/", 2)[0]
    enabled = {}
    for name, collection in given.items():
        if str(collection.get("dataCollectionMode") or "Disabled").lower() != "enabled":
            continue
        where = f"properties.dataCollector.collections.{name}"
        uri = f"{_DEFAULT_PATH}/{endpoint['name']}/{deployment['name']}/{name}"
        if collection.get("dataId"):
            asset = references.asset(platform, workspace_id, collection["dataId"], "data").body["properties"]
            if asset["dataType"].lower() != "uri_folder":
                raise _refused(f"{where}.dataId", f"must be a data asset of type uri_folder, not {asset['dataType']}.")
            uri = asset["dataUri"]
        target = references.location(platform, workspace_id, uri)
        writer = _writer(platform, endpoint, collection)
        rate = collection.get("samplingRate")
        enabled[name.lower()] = Collection(name, target, 1.0 if rate is None else float(rate), writer)
    headers = (settings.get("requestLogging") or {}).get("captureHeaders") or ()
    if not enabled:
        return None
    return Collector(deployment["id"], enabled, settings.get("rollingRate") or "Hour", tuple(headers))


def _check(collections: Json) -> None:
    for name, collection in collections.items():
        where = f"properties.dataCollector.collections.{name}"
        if not _NAME.fullmatch(name):
            raise _refused(where, "a collection's name consists of letters, digits, '.', '_' and '-'.")
        rate = collection.get("samplingRate")
        if rate is not None and not 0 <= float(rate) <= 1:
            raise _refused(f"{where}.samplingRate", f"{rate} is not between 0 and 1.")
    custom = [name for name in collections if name.lower() not in PAYLOAD]
    if len(custom) > _MOST_CUSTOM:
        raise _refused(
            "properties.dataCollector.collections",
            f"a scoring script has at most {_MOST_CUSTOM} collections, not {len(custom)}: {', '.join(custom)}.",
        )


def _writer(platform: Platform, endpoint: Json, collection: Json) -> Principal:
    """Return the endpoint's identity with the collection's client id. Without one, the first identity writes."""
    wanted = str(collection.get("clientId") or "").lower()
    if not wanted:
        return endpoints.principal_of(platform, endpoint)
    named = endpoint["identity"].get("userAssignedIdentities") or {}
    own = [identities.principal_of(platform, name) for name in named] or [endpoints.principal_of(platform, endpoint)]
    for principal in own:
        if principal.client_id.lower() == wanted:
            return principal
    raise _refused("properties.dataCollector", f"the endpoint has no identity with the client id '{wanted}'.")


def _refused(where: str, why: str) -> AzureError:
    return AzureError(400, "BadArgument", f"{where}: {why}")
