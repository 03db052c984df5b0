"""The folders of a project's YAML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pulumi_azureml.planning.ignore import selects


@dataclass(frozen=True, kw_only=True)
class Folders:
    """The folders of a project's YAML, relative to its root. `.` is the root itself.

    Attributes:
        assets: the folder of environments, components, data, models, datastores and endpoints.
        pipelines: the folder of pipelines and their schedules.
        shared: the folder of the assets that are shared through a registry.
        files: more files, as patterns in the syntax of `.gitignore`: `mlops/` for all YAML files below a folder,
            `!mlops/old/` for those to leave out again. They follow no convention: what a file defines shows in its
            `$schema` and its keys.
    """

    assets: str = "ml"
    pipelines: str = "pipelines"
    shared: str = "ml/shared"
    files: tuple[str, ...] = ()

    def roots(self) -> Iterator[str]:
        """Yield the folders that are not inside another one."""
        folders = {self.assets, self.pipelines, self.shared}
        for folder in sorted(folders):
            if not any(_inside(folder, other) is not None for other in folders - {folder}):
                yield folder

    def convention(self, path: str) -> str:
        """Return the path that a file would have with the default folders and without sharing."""
        for folder, usual in ((self.shared, "ml"), (self.pipelines, "pipelines"), (self.assets, "ml")):
            inner = _inside(path, folder)
            if inner is not None:
                return f"{usual}/{inner}"
        return path

    def selects(self, path: str) -> bool:
        """Whether a file that follows no convention belongs to the project."""
        return selects(self.files, path)

    def is_shared(self, path: str) -> bool:
        """Whether a file defines an asset that is shared through a registry."""
        return _inside(path, self.shared) is not None


def _inside(path: str, folder: str) -> str | None:
    """Return a path relative to a folder. Return None if it is outside the folder."""
    if folder == ".":
        return path
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None
