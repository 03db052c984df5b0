"""The files of an environment, which the rules read: the conda file, the requirements and the Dockerfile."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from policy.rule import Scene
from policy.subject import Resource

ENVIRONMENT = "azureml:Environment"
_MOST_BYTES = 5_000_000


def environment_files(resource: Resource, scene: Scene) -> Iterator[tuple[PurePosixPath, str]]:
    """Yield each of the files with its text."""
    if resource.type != ENVIRONMENT:
        return
    found = [conda_file(resource), dockerfile(resource), *requirements(resource)]
    for path in dict.fromkeys(each for each in found if each is not None):
        yield path, text_of(scene, path)


def conda_file(resource: Resource) -> PurePosixPath | None:
    """Return the path of the conda file, if the environment has one that is not written inline."""
    conda = resource.get("definition.conda_file")
    return PurePosixPath(conda) if isinstance(conda, str) else None


def dockerfile(resource: Resource) -> PurePosixPath | None:
    """Return the path of the Dockerfile, if the environment is built from one."""
    build = resource.get("definition.build")
    if not isinstance(build, Mapping):
        return None
    path, file = (resource.get(f"definition.build.{key}") or "" for key in ("path", "dockerfile_path"))
    return PurePosixPath(str(path), str(file or "Dockerfile"))


def requirements(resource: Resource) -> Iterator[PurePosixPath]:
    """Yield the paths of the files with requirements."""
    for file in resource.inputs.get("files") or ():
        path = PurePosixPath(file)
        if path.name.startswith("requirements") and path.suffix == ".txt":
            yield path


def text_of(scene: Scene, path: str | PurePosixPath) -> str:
    """Return a file of the project, or "" if it cannot be read. The plan reports such files.

    A file can name others, as with `-r`. What is elsewhere, or endless as a device, is not read: lines are shown.
    """
    folder = scene.place.program
    try:
        file = Path(folder, path).resolve()
        is_ours = file.is_relative_to(folder) and file.is_file() and file.stat().st_size <= _MOST_BYTES
        return file.read_text("utf-8-sig") if is_ours else ""
    except (OSError, ValueError):
        return ""
