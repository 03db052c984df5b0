"""The packages of an environment, read from its conda file or from the files of its build context."""

from __future__ import annotations

import hashlib
import posixpath
import re
import socket
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from amlite.core import bodies
from amlite.core.proxy import is_this_machine
from amlite.core.wire import Json
from amlite.services.environments.errors import UnusableEnvironment

_CONDA_SPEC = re.compile(r"(?:[\w./-]+::)?(?P<name>[\w.-]+)\s*(?P<version>[^\s\w].*|\s\S.*)?")
_DOCKERFILE_PYTHON = re.compile(
    r"\bpython(?:-version)?(?:[=:@]{1,2}|\s+|(?=3))(?P<version>3\.\d+(?:\.\d+)?)\b", re.IGNORECASE
)
_FILE_OPTION = re.compile(
    r"(?:(?P<requirement>-r|--requirement)|-c|--constraint|-e|--editable)(?:\s*=\s*|\s+|(?<=-[rce]))(?P<path>\S+)"
)
_FILE_ADDRESS = re.compile(r"(?:^|[@=\s+])(?:file:|~?/)", re.IGNORECASE)
# In a line without its addresses: a path, something that is not an address, and what pip takes as a file or folder.
_ON_DISK = re.compile(
    r"^[^-\s=;][^\s=;]*[/\\]|[=\s@]\.*[/\\]|@\s*[^\s;]|(?:^-f|--find-links)[\s=]*\S"
    r"|\.(?:whl|zip|tgz|tbz|tar(?:\.\w+)?)(?![\w.])",
    re.IGNORECASE,
)
_URL = re.compile(r"(?<![a-z0-9+.-])[a-z0-9+.-]+://[^\s'\"]+", re.IGNORECASE)
_VERSIONS = re.compile(r"[\d.*,<>=!~]*")
_MOST_INCLUDED = 100
# What conda's pip brings, up to Python 3.12: older packages import pkg_resources and do not say that they need it.
_WITH_PIP = ("setuptools<81", "wheel")
_NAME = re.compile(r"[\w.-]+")
# What conda's channels and PyPI have by the same name, from the same project.
_ON_PYPI = frozenset((
    "adlfs", "bokeh", "click", "cython", "dask", "distributed", "fastparquet", "flask", "gcsfs", "h5py", "ipykernel",
    "jinja2", "joblib", "lightgbm", "matplotlib", "mlflow", "nltk", "numpy", "pandas", "pandas-datareader", "pillow",
    "psutil", "pyarrow", "pytest", "pyyaml", "requests", "s3fs", "scikit-image", "scikit-learn", "scipy", "seaborn",
    "statsmodels", "sympy", "toolz", "tqdm", "ujson", "xgboost",
))  # fmt: skip
# The first versions that work with NumPy 2. conda gives older ones the NumPy that they were built with. Their wheels do
# not name it.
_NUMPY_2_SINCE = {
    "fastparquet": (2024, 5), "h5py": (3, 11), "matplotlib": (3, 8, 4), "pandas": (2, 2, 2), "pyarrow": (16,),
    "scikit-image": (0, 23, 1), "scikit-learn": (1, 4, 2), "scipy": (1, 13), "statsmodels": (0, 14, 2),
}  # fmt: skip
_PINNED = re.compile(r"[\w.-]+(?:==|~=)(\d+(?:\.\d+)*)(?:\.\*)?")
OWN_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
CONDA_FILES = ("conda.yml", "conda.yaml", "environment.yml", "environment.yaml")
REQUIREMENTS_FILE = "requirements.txt"


@dataclass(frozen=True)
class Packages:
    """A Python version as uv takes it (`3.11`, `>=3.10`), lines of a requirements file, and the file they come from."""

    python: str
    requirements: tuple[str, ...]
    source: str

    @property
    def digest(self) -> str:
        """A hash of the installed packages, independent of the file that lists them."""
        return hashlib.sha256("\n".join([self.python, *self.requirements]).encode()).hexdigest()[:24]


def from_conda(text: str, source: str) -> Packages:
    """Read a conda file that asks conda for python, pip and packages of `_ON_PYPI`; UnusableEnvironment for any other.

    pip installs what PyPI calls by a name, conda what a channel calls so. The two need not be the same package, hence
    others are refused rather than guessed.
    """
    try:
        content = bodies.read_yaml(text)
    except ValueError as error:
        raise UnusableEnvironment(f"{source} is not YAML: {error}") from error
    if not isinstance(content, dict) or not isinstance(content.get("dependencies"), list):
        raise UnusableEnvironment(f"{source}: 'dependencies' must be a list")
    python = OWN_PYTHON
    requirements: list[str] = []
    of_conda: dict[str, str] = {}
    refused: list[str] = []
    for entry in content["dependencies"]:
        if isinstance(entry, dict):
            requirements += _pip_section(entry, source)
            continue
        spec = _CONDA_SPEC.fullmatch(str(entry).strip())
        name, version = (spec["name"].lower(), (spec["version"] or "").strip()) if spec else (str(entry), "")
        if name == "python":
            python = _python_version(version, source) or python
        elif name == "pip" or (name in _ON_PYPI and _VERSIONS.fullmatch(_pip_version(version))):
            of_conda[name] = f"{name}{_pip_version(version)}"
            requirements.append(of_conda[name])
        else:
            refused.append(name)
    if refused:
        raise UnusableEnvironment(
            f"{source}: amlite installs from PyPI, where these names may be other packages: {', '.join(refused)}. "
            "Move them under 'pip:' (by their names on PyPI), or build an image of the environment."
        )
    if any(_is_of_numpy_1(name, line) for name, line in of_conda.items()):
        requirements.append("numpy<2")
    found = _normalised(requirements)
    named = {name[0].lower() for line in found if (name := _NAME.match(line))}
    has_pip = "pip" in named or any(isinstance(entry, dict) for entry in content["dependencies"])  # conda adds it
    brought = [each for each in _WITH_PIP if has_pip and each.partition("<")[0] not in named]
    return Packages(python, (*found, *brought), source)


def from_context(files: Mapping[str, str]) -> Packages:
    """Read a build context's files (name -> text): its conda file, else its requirements.txt.

    With requirements.txt the Python version is the one that the Dockerfile names (`python:3.11`, `--python 3.11`,
    `python=3.11`), else that of amlite itself. Raises UnusableEnvironment where there is neither file.
    """
    for name in CONDA_FILES:
        if name in files and isinstance(_mapping(files[name]).get("dependencies"), list):
            return from_conda(files[name], name)
    if REQUIREMENTS_FILE not in files:
        raise UnusableEnvironment(
            f"the build context has neither {REQUIREMENTS_FILE} nor {CONDA_FILES[0]} at its top. Without a Docker "
            "image, amlite needs one of them: add it, or build the image, push it and name it in the environment."
        )
    named = _DOCKERFILE_PYTHON.search(files.get("Dockerfile", ""))
    lines = _with_included(files, REQUIREMENTS_FILE, (), [])
    return Packages(named["version"] if named else OWN_PYTHON, _normalised(lines), REQUIREMENTS_FILE)


def _with_included(files: Mapping[str, str], name: str, parents: tuple[str, ...], every: list[str]) -> list[str]:
    """Return the lines of a requirements file, with those of the files that it includes (`-r base.txt`) in place.

    Their paths are relative to the file that includes them, as for pip. `every` gets what was included so far: if each
    file includes the next one twice, that is more than there are files.
    """
    lines: list[str] = []
    every.append(name)
    if len(every) > _MOST_INCLUDED:
        raise UnusableEnvironment(f"{REQUIREMENTS_FILE} includes more than {_MOST_INCLUDED} files.")
    for line in _normalised(files[name].removeprefix("\ufeff").splitlines()):
        option = _FILE_OPTION.match(line)
        if option is None:
            lines.append(line)
            continue
        included = posixpath.normpath(posixpath.join(posixpath.dirname(name), option["path"]))
        if not option["requirement"]:
            raise UnusableEnvironment(
                f"{name}: '{line}' is for pip in an image only. List the packages themselves, or build the image."
            )
        if included not in files or included in (name, *parents):
            problem = "includes itself" if included in files else "is not in the build context"
            raise UnusableEnvironment(f"{name}: '{line}' names {included}, which {problem}.")
        lines += _with_included(files, included, (*parents, name), every)
    return lines


def _mapping(text: str) -> Json:
    try:
        content = bodies.read_yaml(text)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _pip_section(entry: Json, source: str) -> list[str]:
    if set(entry) != {"pip"} or not isinstance(entry["pip"], list):
        raise UnusableEnvironment(f"{source}: the only section that 'dependencies' may hold is 'pip:', a list")
    lines = [line for text in entry["pip"] for line in str(text).splitlines()]
    for line in lines:
        if re.match(r"\s*(-r|-c|-e|--requirement|--constraint|--editable|\.)", line):
            raise UnusableEnvironment(
                f"{source}: '{line}' names a file that is not part of the environment. List the packages themselves."
            )
    return lines


def _python_version(version: str, source: str) -> str:
    found = version.replace(" ", "")
    if not re.match(r"[<>!~]", version) and "," not in version:
        # conda: name=version=build, '=' matches any patch release, as uv's bare version does.
        found = found.lstrip("=").partition("=")[0].removesuffix(".*")
    if _VERSIONS.fullmatch(found) is None:  # uv would run the program of a path
        raise UnusableEnvironment(f"{source}: 'python{version}' has no version of Python, such as python=3.11.")
    return found


def _pip_version(version: str) -> str:
    if not version or re.match(r"[<>!~]|==", version):
        return version.replace(" ", "")
    number = version.lstrip("= ").partition("=")[0]
    return f"=={number}" if number.endswith("*") else f"=={number}.*"


def _is_of_numpy_1(name: str, requirement: str) -> bool:
    """Whether conda has the requested version of a package for NumPy 1 only."""
    pinned = _PINNED.fullmatch(requirement)
    since = _NUMPY_2_SINCE.get(name)
    return since is not None and pinned is not None and tuple(map(int, pinned[1].split("."))) < since


def _normalised(lines: Iterable[str]) -> tuple[str, ...]:
    """Drop comments, blank lines and surrounding space, so that a comment does not make another environment.

    Raises UnusableEnvironment for a line that reads what is not the environment's: uv runs with your rights.
    """
    bare = (re.sub(r"(^|\s)#.*", "", line).strip() for text in lines for line in text.splitlines())
    kept = tuple(line for line in bare if line)
    for line in kept:
        _check(line)
    return kept


def _check(line: str) -> None:
    if "${" in line:
        raise UnusableEnvironment(f"'{line}' names an environment variable, and amlite gives packages none.")
    included = _FILE_OPTION.match(line)  # a file of the build context, or refused
    if _FILE_ADDRESS.search(line) or (not included and _ON_DISK.search(_URL.sub("", line))):
        raise UnusableEnvironment(f"'{line}' names a file of this machine, which is not part of the environment.")
    for url in _URL.findall(line):
        if _is_here(url):
            raise UnusableEnvironment(f"'{line}' names this machine, which a node on Azure cannot reach.")


def _is_here(url: str) -> bool:
    """Whether a URL names this machine, in one of the forms of its addresses."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return True
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return False
    return any(is_this_machine(str(each[4][0])) for each in found)
