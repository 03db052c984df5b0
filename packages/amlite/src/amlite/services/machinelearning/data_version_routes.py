"""Versions of data assets in the data plane of a region, where mltable reads them.

Sources: the models of `azure.ai.ml._restclient.dataset_dataplane`, and what mltable 1.7 reads of them.
"""

from __future__ import annotations

from aiohttp import web

from amlite.core.routing import Call, reply
from amlite.services.machinelearning import references
from amlite.services.machinelearning.addresses import WORKSPACE, data_routes, workspace_of
from amlite.services.machinelearning.references import WORKSPACE_TYPE

# As the data plane spells them.
_TYPES = {"uri_file": "UriFile", "uri_folder": "UriFolder", "mltable": "MLTable"}

routes = data_routes()


@routes.get(
    f"/data/v1.0{WORKSPACE}/dataversion/{{name}}/versions/{{version}}", action=f"{WORKSPACE_TYPE}/data/versions/read"
)
async def get_version(call: Call) -> web.Response:
    """Describe a version of a data asset."""
    workspace_id, name, version = workspace_of(call).id, call.parameters["name"], call.parameters["version"]
    properties = references.version(call.platform, workspace_id, "data", name, version).body["properties"]
    found = {
        "dataContainerName": name,
        "versionId": version,
        "dataType": _TYPES[properties["dataType"].lower()],
        "dataUri": properties["dataUri"],
        "mutableProps": {
            "isArchived": properties.get("isArchived", False),
            "description": properties.get("description"),
            "tags": properties.get("tags") or {},
        },
        "properties": properties.get("properties") or {},
    }
    return reply({"dataVersion": found, "isV2": True})
