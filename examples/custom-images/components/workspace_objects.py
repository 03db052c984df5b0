"""What a Databricks workspace holds, as Pulumi resources: storage credentials, external locations, files and jobs.

Databricks has a Pulumi provider of its own. It is a plugin from a registry that this repository does not need for
anything else, so four small objects are a dynamic resource over the REST API. States keep the class of the provider by
its import path: `components.workspace_objects.WorkspaceObjectProvider`.
"""

from __future__ import annotations

import base64
from typing import Any

import pulumi
from azure.core.exceptions import ResourceNotFoundError
from pulumi import dynamic

from components import rest

_CATALOG = "/api/2.1/unity-catalog"
_CATALOGED = {"storage-credential": f"{_CATALOG}/storage-credentials", "location": f"{_CATALOG}/external-locations"}
_JOBS, _FILES = "/api/2.1/jobs", "/api/2.0/workspace"


class WorkspaceObjectProvider(dynamic.ResourceProvider):
    """Creates, updates, reads and deletes an object of a workspace. Its id is its name, path or number."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the definition. Another workspace or name is another object."""
        moved = [key for key in ("host", "kind", "name") if olds.get(key) != news.get(key)]
        changed = olds.get("definition") != news.get("definition")
        return dynamic.DiffResult(changes=bool(moved) or changed, replaces=moved, delete_before_replace=True)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Create the object, or take over one of that name."""
        host, kind, name, definition = (props[key] for key in ("host", "kind", "name", "definition"))
        if kind == "file":
            _import(host, name, definition)
            return dynamic.CreateResult(name, props)
        if kind == "job":
            made = rest.send("POST", host, f"{_JOBS}/create", {"name": name, **definition})
            return dynamic.CreateResult(str(made["job_id"]), {**props, "number": str(made["job_id"])})
        try:
            rest.send("PATCH", host, f"{_CATALOGED[kind]}/{name}", definition)
        except ResourceNotFoundError:
            rest.send("POST", host, _CATALOGED[kind], {"name": name, **definition})
        return dynamic.CreateResult(name, props)

    def update(self, id_: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Give the object its new definition."""
        host, kind, name, definition = (news[key] for key in ("host", "kind", "name", "definition"))
        if kind == "file":
            _import(host, name, definition)
        elif kind == "job":
            settings = {"name": name, **definition}
            rest.send("POST", host, f"{_JOBS}/reset", {"job_id": int(id_), "new_settings": settings})
        else:
            rest.send("PATCH", host, f"{_CATALOGED[kind]}/{name}", definition)
        return dynamic.UpdateResult({**news, "number": olds.get("number")})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Look whether the object exists."""
        host, kind = props["host"], props["kind"]
        try:
            if kind == "file":
                rest.send("GET", host, f"{_FILES}/get-status", query={"path": id_})
            elif kind == "job":
                rest.send("GET", host, f"{_JOBS}/get", query={"job_id": id_})
            else:
                rest.send("GET", host, f"{_CATALOGED[kind]}/{id_}")
        except ResourceNotFoundError:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, props)

    def delete(self, id_: str, props: dict[str, Any]) -> None:
        """Delete the object, if it is there."""
        host, kind = props["host"], props["kind"]
        try:
            if kind == "file":
                rest.send("POST", host, f"{_FILES}/delete", {"path": id_})
            elif kind == "job":
                rest.send("POST", host, f"{_JOBS}/delete", {"job_id": int(id_)})
            else:
                rest.send("DELETE", host, f"{_CATALOGED[kind]}/{id_}")
        except ResourceNotFoundError:
            return


class WorkspaceObject(dynamic.Resource):
    """An object of a workspace. Outputs: `number`, the id of a job."""

    number: pulumi.Output[str]

    def __init__(
        self,
        resource_name: str,
        *,
        host: pulumi.Input[str],
        kind: str,
        name: pulumi.Input[str],
        definition: pulumi.Input[Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare an object of a kind (`storage-credential`, `location`, `file` or `job`) by its definition.

        The definition is the body of the REST API without the name. That of a file is its text.
        """
        props = {"host": host, "kind": kind, "name": name, "definition": definition, "number": None}
        super().__init__(WorkspaceObjectProvider(), resource_name, props, opts)


def _import(host: str, path: str, text: str) -> None:
    rest.send("POST", host, f"{_FILES}/mkdirs", {"path": path.rpartition("/")[0]})
    content = base64.b64encode(text.encode()).decode()
    rest.send("POST", host, f"{_FILES}/import", {"path": path, "format": "AUTO", "overwrite": True, "content": content})
