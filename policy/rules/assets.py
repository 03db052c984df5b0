"""Rules about what an asset is made of: images, packages and references to other assets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from policy.rule import Scene, rule
from policy.subject import Resource, texts

_ENVIRONMENT = "azureml:Environment"
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE)
_LATEST = re.compile(r"@latest$|/labels/latest$", re.IGNORECASE)
# What installs the packages. Its version changes no result.
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "uv"))
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


@rule(
    "pinned-image", "mandatory", _ENVIRONMENT,
    reason="Without a fixed tag or digest, two builds of the same version can use different images.",
    fix="use a tag other than `latest`, or a digest",
    elsewhere="advisory",
)  # fmt: skip
def pinned_image(resource: Resource, scene: Scene) -> Iterator[str]:
    """The image of an environment, and every base image of its Dockerfile, has a fixed tag or a digest."""
    image = resource.get("definition.image")
    if isinstance(image, str) and not _is_pinned(image):
        yield f"image {image} has no fixed tag or digest"
    build = resource.get("definition.build")
    if isinstance(build, Mapping):
        path = PurePosixPath(str(build.get("path", "")), str(build.get("dockerfile_path") or "Dockerfile"))
        stages: set[str] = set()
        for base, stage in _FROM.findall(_text(scene, path)):
            if base not in stages and base != "scratch" and "$" not in base and not _is_pinned(base):
                yield f"{path}: image {base} has no fixed tag or digest"
            stages.add(stage)


@rule(
    "pinned-packages", "mandatory", _ENVIRONMENT,
    reason="A new version of a package can change a model's results or break a later build.",
    fix="pin each package with `==`",
    elsewhere="advisory",
)  # fmt: skip
def pinned_packages(resource: Resource, scene: Scene) -> Iterator[str]:
    """Each package in the conda file and in the files `requirements*.txt` has a version."""
    conda = resource.get("definition.conda_file")
    if isinstance(conda, str):
        yield from (f"{conda}: {name} has no version" for name in _unpinned(_yaml(scene, conda)))
    elif isinstance(conda, Mapping):
        yield from (f"conda_file: {name} has no version" for name in _unpinned(conda))
    for file in resource.inputs.get("files") or ():
        path = PurePosixPath(file)
        if path.name.startswith("requirements") and path.suffix == ".txt":
            for line in _text(scene, path).splitlines():
                if not _is_exact(line):
                    yield f"{path}: {line.strip()} has no version"


@rule(
    "pinned-reference", "mandatory",
    "azureml:OnlineEndpoint", "azureml:BatchDeployment", "azureml:Schedule", "azureml:PipelineJob",
    reason="With `@latest`, a newly registered version changes production without a review.",
    fix="promote a version with `release promote`, or set the version in the YAML",
    elsewhere="off",
)  # fmt: skip
def pinned_reference(resource: Resource, scene: Scene) -> Iterator[str]:
    """References have a version instead of `@latest`. Those to the project's own assets get one automatically."""
    del scene
    for part in ("definition", "deployment.definition"):
        for path, text in texts(resource.get(part) or {}):
            if _LATEST.search(text):
                yield f"{path} is {text}"


def _is_pinned(image: str) -> bool:
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return bool(digest) or tag not in ("", "latest")


def _unpinned(conda: Any) -> Iterator[str]:
    """Yield the packages of a conda file that have no version."""
    entries = conda.get("dependencies") if isinstance(conda, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str) and "=" not in entry and entry.partition("::")[2] not in _INSTALLERS:
            if entry not in _INSTALLERS:
                yield entry
        elif isinstance(entry, Mapping):
            yield from (str(each) for each in entry.get("pip") or () if not _is_exact(str(each)))


def _is_exact(line: str) -> bool:
    """Whether a line of requirements has an exact version, or is an option, a comment or a file with a hash."""
    requirement = line.partition(" #")[0].strip()
    if not requirement or requirement.startswith(("#", "-", "\\")):
        return True
    name = _NAME.match(requirement)
    return "==" in requirement or " @ " in requirement or (name is not None and name[0] in _INSTALLERS)


def _text(scene: Scene, path: str | PurePosixPath) -> str:
    """Return a file of the project, or "" if it cannot be read. The plan reports such files."""
    try:
        return Path(scene.place.folder, path).read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _yaml(scene: Scene, path: str) -> Any:
    try:
        return yaml.safe_load(_text(scene, path))
    except yaml.YAMLError:
        return None
