"""uv, and the checkout's virtual environment, which uv installs from `requirements.lock`."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

from bootstrap.errors import SetupError
from bootstrap.files import digest, new_directory
from bootstrap.layout import Layout
from bootstrap.phases import Found, Task, state_of, which
from bootstrap.versions import Version, dotted, version_in

UV_AT_LEAST: Version = (0, 5, 0)
NETWORK_FIX = "Check the network (HTTPS_PROXY, UV_DEFAULT_INDEX and SSL_CERT_FILE are honoured) and run it again."


def index_environment(environment: dict[str, str]) -> dict[str, str]:
    """Return the environment for uv. Variables of uv that are not set get pip's package index and certificates."""
    result = dict(environment)
    for pip, uv in (
        ("PIP_INDEX_URL", "UV_DEFAULT_INDEX"),
        ("PIP_EXTRA_INDEX_URL", "UV_INDEX"),
        ("PIP_CERT", "SSL_CERT_FILE"),
    ):
        if pip in environment and uv not in environment and "UV_INDEX_URL" not in environment:
            result[uv] = environment[pip]
    # The target must not be an activated environment of another project.
    result.pop("VIRTUAL_ENV", None)
    result["UV_NO_PROGRESS"] = "1"
    return result


def install_wheel(task: Task, name: str) -> Path:
    """Install `bootstrap/tools/<name>.lock` into its own folder in the cache, once.

    Returns:
        The folder, with the layout of `pip install --target`.
    """
    lock = task.layout.recipes / "tools" / f"{name}.lock"
    target = task.layout.cache / f"{name}-{digest(lock.read_bytes())}"
    if not target.is_dir():
        uv = task.need("uv").facts["uv_path"]
        with new_directory(target) as folder:
            task.run(
                [uv, "pip", "install", "--python", sys.executable, "--target", folder, "--require-hashes", "-r", lock],
                fix=NETWORK_FIX,
                environment=index_environment(dict(os.environ)),
                on_line=task.detail,
            )
    return target


class Uv:
    """uv from PATH. If it is missing, pip installs it into the cache without changing the system's Python."""

    name = "uv"
    title = "uv"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        lock = layout.recipes / "tools" / "uv.lock"
        return digest(state_of(which("uv", layout)), lock.read_bytes(), str(layout.cache))

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        on_path = which("uv", task.layout)
        if on_path is not None:
            version = self._version(task, on_path)
            if version is not None and version >= UV_AT_LEAST:
                return Found(f"{dotted(version)} on PATH", facts={"uv_path": on_path})
        lock = task.layout.recipes / "tools" / "uv.lock"
        target = task.layout.cache / f"uv-{digest(lock.read_bytes())}"
        program = target / "bin" / "uv"
        if not program.exists():
            with new_directory(target) as folder:
                self._install(task, lock, folder)
        version = self._version(task, str(program))
        if version is None:
            raise SetupError(f"{program} does not run", log=task.log, fix=f"Delete {target} and run it again.")
        return Found(f"{dotted(version)} in the cache", facts={"uv_path": str(program)})

    @staticmethod
    def _version(task: Task, program: str) -> Version | None:
        try:
            return version_in(task.run([program, "--version"], fix="", seconds=20))
        except SetupError:
            return None

    @staticmethod
    def _install(task: Task, lock: Path, folder: Path) -> None:
        """Install uv with `pip install --target`, which an externally managed Python (PEP 668) allows."""
        pip = pip_command(task, folder / "pip")
        task.run(
            [*pip, "install", "--target", folder, "--require-hashes", "-r", lock, "--disable-pip-version-check"],
            fix="Check the network (HTTPS_PROXY, PIP_INDEX_URL and PIP_CERT are honoured) and run it again.",
            # A user-wide `user = true` cannot be combined with --target.
            environment={**os.environ, "PIP_USER": "0"},
            on_line=task.detail,
        )


def pip_command(task: Task, folder: Path) -> list[str]:
    """Return the command for pip: this interpreter's pip, or else pip in a private virtual environment.

    Args:
        task: Runs the programs.
        folder: The folder for the virtual environment.

    Raises:
        SetupError: This Python has neither pip nor ensurepip.
    """
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    fix = (
        "Install one of them (Debian and Ubuntu: `apt-get install python3-venv`; Fedora: `dnf install python3-pip`), "
        "or install uv and put it on PATH."
    )
    if importlib.util.find_spec("ensurepip") is None or importlib.util.find_spec("venv") is None:
        raise SetupError(f"{sys.executable} has neither pip nor ensurepip, so nothing can be installed", fix=fix)
    task.run([sys.executable, "-m", "venv", folder], fix=fix)
    return [str(folder / "bin" / "python"), "-m", "pip"]


class PythonEnvironment:
    """`.venv`: the locked packages and the project itself (editable)."""

    name = "python"
    title = "Python environment"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        files = [folder / "pyproject.toml" for folder in projects(layout.repository)]
        # The tables that determine the installation. The linters' settings do not.
        installed = [
            [project["project"], project["build-system"], project["tool"].get("hatch")]
            for project in (tomllib.loads(file.read_text()) for file in files)
        ]
        return digest(
            (layout.repository / "requirements.lock").read_bytes(),
            json.dumps(installed, sort_keys=True),
            str(layout.repository),
        )

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        uv = task.need("uv").facts["uv_path"]
        repository, python = task.layout.repository, task.layout.bin / "python"
        environment = index_environment(dict(os.environ))
        if not runs(python):
            task.detail("making .venv")
            task.run(
                [uv, "venv", "--clear", "--python", sys.executable, task.layout.venv],
                fix=f"Delete {task.layout.venv} and run it again.",
                environment=environment,
            )
        lock = repository / "requirements.lock"
        task.run(
            [uv, "pip", "sync", "--python", python, "--require-hashes", lock],
            fix=NETWORK_FIX,
            environment=environment,
            on_line=task.detail,
        )
        task.detail("installing the project")
        task.run(
            # The build backend is in the lock, so this needs no network.
            [
                uv,
                "pip",
                "install",
                "--python",
                python,
                "--no-deps",
                "--no-build-isolation",
                "--offline",
                *(part for project in projects(repository) for part in ("-e", project)),
            ],
            fix="Does pyproject.toml name folders that do not exist?",
            environment=environment,
        )
        version = version_in(task.run([python, "--version"], fix="")) or (0, 0, 0)
        packages = sum(1 for line in lock.read_text().splitlines() if "==" in line)
        return Found(
            f"Python {dotted(version)}, {packages} locked packages",
            facts={"python_path": str(python), "version": dotted(version)},
        )


def projects(repository: Path) -> list[Path]:
    """Return the folders of the workspace's projects: its packages, then the repository itself."""
    workspace = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]
    members = {folder for pattern in workspace["members"] for folder in repository.glob(pattern)}
    return [*sorted(member for member in members if (member / "pyproject.toml").is_file()), repository]


def runs(python: Path) -> bool:
    """Whether a program is a working Python that is new enough."""
    try:
        probe = "import sys; sys.exit(sys.version_info < (3, 11))"
        return subprocess.run([python, "-c", probe], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
