"""The files of a workspace, below `/Workspace`."""

from __future__ import annotations

import base64
import binascii

from amlite.core.platform import Platform
from amlite.core.store import Document
from amlite.core.wire import Json
from amlite.services.databricks import workspaces
from amlite.services.databricks.errors import DatabricksError, invalid, unknown

TYPE = "databricks/files"
_CONTENT = "databricks/file-contents"
_MOST_BYTES = 10 << 20
_FORMATS = ("AUTO", "RAW")


def write(platform: Platform, workspace: Document, given: Json) -> None:
    """Store a file. Raises DatabricksError."""
    path = _path(given)
    if given.get("format", "AUTO") not in _FORMATS:
        raise invalid(f"format: amlite imports files ({' or '.join(_FORMATS)}), not notebooks")
    try:
        data = base64.b64decode(str(given.get("content") or ""), validate=True)
    except binascii.Error as error:
        raise invalid("content must be base64.") from error
    if len(data) > _MOST_BYTES:
        raise DatabricksError(400, "MAX_NOTEBOOK_SIZE_EXCEEDED", "The file is larger than 10 MB.")
    if data.startswith(b"# Databricks notebook source"):
        raise invalid(f"{path} is a notebook, which amlite does not run.")
    key = workspaces.content(workspace, "files") + path
    if platform.store.get(key) is not None and not given.get("overwrite"):
        raise DatabricksError(400, "RESOURCE_ALREADY_EXISTS", f"Path ({path}) already exists.")
    if platform.store.get(_parent(key)) is None:
        raise unknown(f"The parent folder ({path.rpartition('/')[0]}) does not exist.")
    platform.store.put(key, TYPE, {"path": path, "object_type": "FILE", "size": len(data)})
    body = {"content": base64.b64encode(data).decode()}
    platform.store.put(_content_key(workspace, path), _CONTENT, body)


def make_folder(platform: Platform, workspace: Document, given: Json) -> None:
    """Create a folder with the folders above it."""
    key = workspaces.content(workspace, "files")
    for part in _path(given).strip("/").split("/"):
        key = f"{key}/{part}"
        if platform.store.get(key) is None:
            path = key.removeprefix(workspaces.content(workspace, "files"))
            platform.store.put(key, TYPE, {"path": path, "object_type": "DIRECTORY"})


def delete(platform: Platform, workspace: Document, given: Json) -> None:
    """Delete a file, or a folder with its contents. Raises DatabricksError."""
    found = get(platform, workspace, _path(given))
    key = workspaces.content(workspace, "files") + found["path"]
    if platform.store.below(key) and not given.get("recursive"):
        raise DatabricksError(400, "DIRECTORY_NOT_EMPTY", f"Folder ({found['path']}) is not empty")
    platform.store.delete(key)
    platform.store.delete(_content_key(workspace, found["path"]))


def content(platform: Platform, workspace: Document, file: Json) -> bytes:
    """Return the content of a file. It is not a part of the file's document, of which lists read many."""
    document = platform.store.get(_content_key(workspace, file["path"]))
    return base64.b64decode(document.body["content"]) if document is not None else b""


def get(platform: Platform, workspace: Document, path: str) -> Json:
    """Return a file or folder. Raises DatabricksError."""
    wanted = _path({"path": path})
    document = platform.store.get(workspaces.content(workspace, "files") + wanted)
    if document is None:
        raise unknown(f"Path ({wanted}) doesn't exist.")
    return document.body


def below(platform: Platform, workspace: Document, path: str) -> list[Json]:
    """Return what is directly in a folder. Raises DatabricksError."""
    found = get(platform, workspace, path)
    inside = platform.store.below(workspaces.content(workspace, "files") + found["path"], TYPE)
    return [each.body for each in inside if each.body["path"].rpartition("/")[0] == found["path"]]


def shown(body: Json) -> Json:
    """Return a file as lists show it."""
    return {name: body[name] for name in ("path", "object_type", "size") if name in body}


def _path(given: Json) -> str:
    path = str(given.get("path") or "").rstrip("/")
    if not path.startswith("/") or any(part in ("", ".", "..") for part in path[1:].split("/")):
        raise invalid(f"Path ({path}) must be absolute")
    return path.removeprefix("/Workspace") or "/"


def _content_key(workspace: Document, path: str) -> str:
    return workspaces.content(workspace, "file-contents") + path


def _parent(key: str) -> str:
    return key.rpartition("/")[0]
