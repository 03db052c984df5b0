"""The resource of a document. Its id is its address, and its content decides whether it changes.

States keep this class by its import path: `stored.provider.DocumentProvider`.
"""

from __future__ import annotations

from typing import Any

import pulumi
from pulumi import dynamic

from stored import documents


class DocumentProvider(dynamic.ResourceProvider):
    """Creates, updates, reads and deletes a document."""

    serialize_as_secret_always = False

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> dynamic.DiffResult:
        """Compare the content. Another address is another document."""
        moved = [key for key in ("account", "path") if olds.get(key) != news.get(key)]
        return dynamic.DiffResult(changes=bool(moved) or olds.get("content") != news.get("content"), replaces=moved)

    def create(self, props: dict[str, Any]) -> dynamic.CreateResult:
        """Write the document."""
        address = documents.url(props["account"], props["path"])
        documents.write(address, props["content"])
        return dynamic.CreateResult(address, {**props, "url": address})

    def update(self, id_: str, _olds: dict[str, Any], news: dict[str, Any]) -> dynamic.UpdateResult:
        """Write the new content."""
        documents.write(id_, news["content"])
        return dynamic.UpdateResult({**news, "url": id_})

    def read(self, id_: str, props: dict[str, Any]) -> dynamic.ReadResult:
        """Read the content, so that a refresh shows what others changed."""
        content = documents.read(id_)
        if content is None:
            return dynamic.ReadResult("", {})
        return dynamic.ReadResult(id_, {**props, "content": content})

    def delete(self, id_: str, _props: dict[str, Any]) -> None:
        """Delete the document."""
        documents.remove(id_)


class Document(dynamic.Resource, module="tacos-burritos", name="Document"):
    """A document. Outputs: `url`, its address."""

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        account: pulumi.Input[str],
        path: pulumi.Input[str],
        content: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare the document at `path` of a storage account."""
        props = {"account": account, "path": path, "content": content, "url": None}
        super().__init__(DocumentProvider(), name, props, opts)
