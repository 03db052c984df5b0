"""Rules about what an asset is made of: images, packages and references to other assets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

import yaml
from packaging.requirements import InvalidRequirement, Requirement

from policy.rule import Scene, rule
from policy.rules.dockerfile_commands import installed
from policy.rules.environment_files import ENVIRONMENT, conda_file, dockerfile, requirements, text_of
from policy.subject import Resource, readable, texts

_CONTINUED = re.compile(r"[\\`][ \t]*\n")
_COMMENT = re.compile(r"^\s*#.*$", re.MULTILINE)
_FRONTEND = re.compile(r"\A(?:\s*#.*\n)*?\s*#\s*syntax\s*=\s*(\S+)", re.IGNORECASE)
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE | re.MULTILINE)
_ARGUMENT = re.compile(r"^\s*ARG\s+(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", re.IGNORECASE | re.MULTILINE)
_VALUE = re.compile(r"^\s*ENV\s+(\w+)[=\s](\"[^\"]*\"|'[^']*'|\S*)", re.IGNORECASE | re.MULTILINE)
_VARIABLE = re.compile(r"\$(?:(\w+)|\{(\w+)(?::-([^{}]*))?\})")
# `COPY --from=IMAGE` and `RUN --mount=…,from=IMAGE`. A number is a stage.
_COPIED = re.compile(r"^\s*(?:COPY|ADD|RUN)\s.*?(?:--from=|--mount=\S*?\bfrom=)([^\s,]+)", re.IGNORECASE | re.MULTILINE)
_DIGEST = re.compile(r"sha\d+:\w+")
# A label, such as `latest`, is another version tomorrow.
_LABEL = re.compile(r"azureml:[^@\s]+@\S+|(?:azureml:/|/subscriptions/)\S*/labels/[^/\s]+|\S*@latest", re.IGNORECASE)
# What installs the packages. Its version changes no result.
_INSTALLERS = frozenset(("pip", "setuptools", "wheel", "uv"))
# `numpy=2.4`, `numpy==2.4.6`, `numpy=2.4.6=py313_0`, `conda-forge::numpy 2.4.6`.
_CONDA = re.compile(r"(?:[^\s:]+::)?(?P<name>[\w.-]+)(?:\s*==?\s*|\s+)\d[\w.!+-]*?(?:\.\*)?(?:\s*=?\s*[\w.*]+)?")
_NAME = re.compile(r"(?:[^\s:]+::)?([\w.-]+)")
_INCLUDED = re.compile(r"(?:-r|--requirement|-c|--constraint)[\s=]*(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)[\s=]*(\S+)")
_REPOSITORIES = ("git+", "hg+", "svn+", "bzr+")
_COMMIT = re.compile(r"@[0-9a-f]{40}(?:#|$)")


@rule(
    "pinned-image", "mandatory", ENVIRONMENT,
    reason="Without a fixed tag or digest, two builds of the same version can use different images.",
    fix="use a tag with a version, or a digest",
    elsewhere="advisory",
)  # fmt: skip
def pinned_image(resource: Resource, scene: Scene) -> Iterator[str]:
    """The image of an environment, and every image in its Dockerfile, has a tag with a number, or a digest."""
    image = resource.get("definition.image")
    if isinstance(image, str) and not _is_pinned(image):
        yield f"image {image} has no fixed tag or digest"
    path = dockerfile(resource)
    if path is not None:
        for base in dict.fromkeys(_images(text_of(scene, path))):
            if not _is_pinned(base):
                yield f"{path}: image {base} has no fixed tag or digest"


@rule(
    "pinned-packages", "mandatory", ENVIRONMENT,
    reason="A new version of a package can change a model's results or break a later build.",
    fix="pin each package with `==`",
    elsewhere="advisory",
)  # fmt: skip
def pinned_packages(resource: Resource, scene: Scene) -> Iterator[str]:
    """Each package in the conda file, `requirements*.txt` and a Dockerfile's pip and conda commands has a version."""
    path = conda_file(resource)
    if path is not None:
        conda = _unpinned(_yaml(scene, path), scene, path.parent)
        yield from (f"{where or path}: {name} has no version" for where, name in conda)
    else:
        conda = _unpinned(resource.get("definition.conda_file"), scene, None)
        yield from (f"{where or 'conda_file'}: {name} has no version" for where, name in conda)
    named = [each for file in requirements(resource) for each in _inexact(scene, file, set())]
    found = [*named, *_in_dockerfile(resource, scene)]
    yield from dict.fromkeys(f"{where}: {line} has no version" for where, line in found)


@rule(
    "pinned-reference", "mandatory",
    "azureml:OnlineEndpoint", "azureml:BatchDeployment", "azureml:Schedule", "azureml:PipelineJob", "azureml:Component",
    reason="With a label such as `@latest`, a newly registered version changes production without a review.",
    fix="promote a version with `release promote`, or set the version in the YAML",
    elsewhere="off",
)  # fmt: skip
def pinned_reference(resource: Resource, scene: Scene) -> Iterator[str]:
    """References have a version instead of a label. Those to the project's own assets get one automatically."""
    del scene
    for part in ("definition", "deployment.definition"):
        for path, text in texts(resource.get(part) or {}):
            if _LABEL.fullmatch(text.strip()):
                yield f"{path} is {text}"


def _images(text: str) -> Iterator[str]:
    """Yield the images that a Dockerfile uses, with the defaults of its arguments in place of their names."""
    if frontend := _FRONTEND.match(text):
        yield frontend[1]
    lines = _joined(text)
    defaults = {name: value.strip("\"'") for name, value in _ARGUMENT.findall(lines)}
    stages = {"scratch"}
    for base, stage in _FROM.findall(lines):
        image = _filled(base, defaults)
        if image.lower() not in stages:
            yield image
        if stage:
            stages.add(stage.lower())
    for source in _COPIED.findall(lines):
        image = _filled(source, defaults)
        if image.lower() not in stages and not image.isdecimal():
            yield image


def _joined(text: str) -> str:
    """Return a Dockerfile without comments, and with each instruction on one line."""
    return _CONTINUED.sub(" ", _COMMENT.sub("", text))


def _in_dockerfile(resource: Resource, scene: Scene) -> Iterator[tuple[PurePosixPath | None, str]]:
    """Yield what the Dockerfile's commands install without a version, and such lines of the files that they name."""
    path = dockerfile(resource)
    lines = _joined(text_of(scene, path)) if path is not None else ""
    values = {name: value.strip("\"'") for name, value in (*_ARGUMENT.findall(lines), *_VALUE.findall(lines))}
    for command in installed(_filled(lines, values)):
        for package in command.packages:
            if not ("$" in package or _is_fixed_conda(package) if command.by_conda else _is_fixed_argument(package)):
                yield path, package
        names = {PurePosixPath(name).name for name in command.files}
        for file in map(PurePosixPath, resource.inputs.get("files") or ()):
            if file.name in names:
                yield from _inexact(scene, file, set())


def _is_fixed_argument(package: str) -> bool:
    """Whether an argument of `pip install` has an exact version or is a file."""
    if "$" in package:  # only the build knows the value
        return package.startswith("$") or "==" in package
    if "://" in package and " @ " not in package:
        return not package.startswith(_REPOSITORIES) or _COMMIT.search(package) is not None
    is_file = "/" in package or package.startswith(".") or package.endswith((".whl", ".gz", ".zip"))
    return package.isdecimal() or is_file or _is_exact(package)


def _is_fixed_conda(package: str) -> bool:
    name = _NAME.match(package)
    is_installer = name is not None and name[1] in _INSTALLERS
    return is_installer or _CONDA.fullmatch(package) is not None


def _filled(text: str, defaults: Mapping[str, str]) -> str:
    """Return a text with the values of its variables. One without a value, which a build must give, stays."""

    def value(found: re.Match[str]) -> str:
        return defaults.get(found[1] or found[2]) or found[3] or found[0]

    return _VARIABLE.sub(value, text)


def _is_pinned(image: str) -> bool:
    name, _, digest = image.partition("@")
    if _DIGEST.fullmatch(digest):
        return True
    tag = name.rpartition("/")[2].partition(":")[2].lower()
    # The person who runs the build gives a variable without a default.
    return "latest" not in tag and (any(map(str.isdigit, tag)) or "$" in name)


def _unpinned(conda: Any, scene: Scene, folder: PurePosixPath | None) -> Iterator[tuple[PurePosixPath | None, str]]:
    """Yield the packages of a conda file that have no version, with the file of those that are in another one.

    Files that it names are relative to its folder. One that is written inline has none.
    """
    entries = readable(conda.get("dependencies"), "dependencies") if isinstance(conda, Mapping) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, str):
            if not _is_fixed_conda(entry.strip()):
                yield None, entry.strip()
        elif isinstance(entry, Mapping):
            for each in entry.get("pip") or ():
                yield from _inexact_line(str(each), scene, folder, None, set())


def _inexact(scene: Scene, file: PurePosixPath, seen: set[PurePosixPath]) -> Iterator[tuple[PurePosixPath | None, str]]:
    """Yield the lines of a file with requirements, and of those that it includes, that have no exact version."""
    if file not in seen:
        seen.add(file)
        for line in _CONTINUED.sub(" ", text_of(scene, file)).splitlines():
            yield from _inexact_line(line, scene, file.parent, file, seen)


def _inexact_line(
    line: str, scene: Scene, folder: PurePosixPath | None, file: PurePosixPath | None, seen: set[PurePosixPath]
) -> Iterator[tuple[PurePosixPath | None, str]]:
    written = re.sub(r"(^|\s+)#.*$", "", line).strip()
    included, editable = _INCLUDED.match(written), _EDITABLE.match(written)
    if included and "://" not in included[1]:
        if folder is not None:
            yield from _inexact(scene, folder / included[1], seen)
    elif editable:
        if "://" in editable[1] and not _COMMIT.search(editable[1]):
            yield file, written
    elif included or (written and not written.startswith("-") and not _is_exact(re.split(r"\s+--", written)[0])):
        yield file, written


def _is_exact(requirement: str) -> bool:
    """Whether a requirement has an exact version, or is a file or a commit at an address."""
    try:
        parsed = Requirement(requirement)
    except InvalidRequirement:
        return False
    if parsed.url is not None:
        return not parsed.url.startswith(_REPOSITORIES) or _COMMIT.search(parsed.url) is not None
    exact = any(each.operator in ("==", "===") and not each.version.endswith(".*") for each in parsed.specifier)
    return exact or parsed.name in _INSTALLERS


def _yaml(scene: Scene, path: PurePosixPath) -> Any:
    try:
        return yaml.safe_load(text_of(scene, path))
    except yaml.YAMLError:
        return None
