"""The persistent state of amlite, in one SQLite file.

A document is a JSON object with an id. ARM resources have their resource id, which is compared without case as in ARM.
Other documents (operations, keys, settings) have a path such as `operations/<uuid>`.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from amlite.core.errors import StartError
from amlite.core.wire import Json

DATABASE = "amlite.db"
"""The file of the store in the state folder."""
_FORMAT = 1
"""The format of the documents. Raise it with a change that an earlier or a later amlite would read wrongly."""
_SCHEMA = f"""
PRAGMA user_version = {_FORMAT};
CREATE TABLE IF NOT EXISTS documents (
    key TEXT PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, body TEXT NOT NULL, etag TEXT NOT NULL,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_by_type ON documents (type, key);
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Document:
    """One stored object: its id as written, lower-case type, body, entity tag and creation order."""

    id: str
    type: str
    body: Json
    etag: str
    sequence: int


class Store:
    """SQLite in write-ahead mode. Every call is one transaction, which is fast enough for the event loop.

    It does not wait for the disk, which takes 4 ms instead of 0.07 ms: a kill loses nothing, a power failure the last
    transactions.
    """

    def __init__(self, path: Path) -> None:
        """Open or create the file at `path`. Raises StartError if an amlite with another format wrote it."""
        self._db = sqlite3.connect(path, isolation_level=None)
        written, is_there = (self._number(f"PRAGMA {name}_version") for name in ("user", "schema"))
        if is_there and (written or 1) != _FORMAT:  # files without a number have the first format
            self._db.close()
            writer = "a newer amlite" if written > _FORMAT else "an older amlite"
            raise StartError(
                f"{path} was written by {writer}, and this one cannot read it (format {written or 1}, not {_FORMAT}). "
                "Use that amlite, or forget this local Azure with: amlite reset"
            )
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file. The store cannot be used afterwards."""
        self._db.close()

    def _number(self, query: str) -> int:
        return int(self._db.execute(query).fetchone()[0])

    @property
    def is_empty(self) -> bool:
        """Whether nothing was ever written: an amlite writes its settings when it starts."""
        return self._db.execute("SELECT 1 FROM documents LIMIT 1").fetchone() is None

    def get(self, id: str) -> Document | None:
        """Return the document with an id, which is compared without case, or None."""
        row = self._db.execute(
            "SELECT id, type, body, etag, sequence FROM documents WHERE key = ?", (id.lower(),)
        ).fetchone()
        return _document(row) if row else None

    def put(self, id: str, type: str, body: Json) -> Document:
        """Write a document. An existing document keeps its place in the creation order and gets a new entity tag."""
        row = self._db.execute(
            "INSERT INTO documents (key, id, type, body, etag, sequence) VALUES (?, ?, ?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET body = excluded.body, etag = excluded.etag, type = excluded.type "
            "RETURNING id, type, body, etag, sequence",
            (id.lower(), id, type.lower(), json.dumps(body, allow_nan=False), uuid.uuid4().hex, self.next("documents")),
        ).fetchone()
        return _document(row)

    def delete(self, id: str) -> int:
        """Delete a document and everything below it (`id/...`). Return the number of deleted documents."""
        key = id.lower()
        return self._db.execute(
            "DELETE FROM documents WHERE key = ? OR (key >= ? AND key < ?)", (key, key + "/", key + "0")
        ).rowcount

    def below(self, id: str, type: str | None = None) -> list[Document]:
        """Return the documents below `id/`, oldest first, of one type if given."""
        key = id.lower()
        sql = "SELECT id, type, body, etag, sequence FROM documents WHERE key >= ? AND key < ?"
        values: list[str] = [key + "/", key + "0"]
        if type is not None:
            sql += " AND type = ?"
            values.append(type.lower())
        return [_document(row) for row in self._db.execute(sql + " ORDER BY sequence", values)]

    def of_type(self, type: str) -> Iterator[Document]:
        """Yield every document of a type, oldest first."""
        rows = self._db.execute(
            "SELECT id, type, body, etag, sequence FROM documents WHERE type = ? ORDER BY sequence", (type.lower(),)
        ).fetchall()
        return map(_document, rows)

    def next(self, counter: str) -> int:
        """Return the next number (from 1) of a named counter that never goes back."""
        row = self._db.execute(
            "INSERT INTO counters VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            (counter,),
        ).fetchone()
        return int(row[0])


def _document(row: tuple[str, str, str, str, int]) -> Document:
    return Document(id=row[0], type=row[1], body=json.loads(row[2]), etag=row[3], sequence=row[4])
