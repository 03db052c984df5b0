"""Steps as processes, where there is no Docker engine.

Each step gets a virtual environment from its requirements.txt. What differs from containers: nothing separates a step
from this machine, limits of CPU and memory do not apply, and the step's Dockerfile is not tested.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline_runner.errors import RunnerError
from pipeline_runner.step import Outcome, Say, Step

_APP = "/app"
_KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR")


class ProcessEngine:
    """Runs a step from its folder below `steps`. The last part of the image's repository is the name of the folder."""

    def __init__(self, steps: Path, cache: Path) -> None:
        self._steps = steps
        self._cache = cache

    @property
    def label(self) -> str:
        """See `Engine`."""
        return "processes of this machine, without containers and their limits"

    def prepare(self, image: str, say: Say) -> None:
        """Install the packages of a step, once for each content of its requirements.txt."""
        folder = self._folder(image)
        environment = self._environment(folder)
        if (environment / "bin" / "python").exists():
            return
        program = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
        if program is None:
            raise RunnerError("the steps run as processes only if `uv` is installed, which makes their environments")
        say(f"installing the packages of {folder.name}")
        building = environment.with_name(f"{environment.name}.{os.getpid()}")
        for command in (
            [program, "venv", "--quiet", "--no-project", "--relocatable", "--python", sys.executable, str(building)],
            [
                *(program, "pip", "install", "--quiet", "--python", str(building / "bin" / "python")),
                *("--requirement", str(folder / "requirements.txt")),
            ],
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                shutil.rmtree(building, ignore_errors=True)
                raise RunnerError(f"the packages of {folder.name} cannot be installed:\n{done.stderr[-2000:]}")
        shutil.rmtree(environment, ignore_errors=True)
        building.rename(environment)

    def run(self, step: Step, line: Say) -> Outcome:
        """See `Engine`. Paths of the container become paths of this machine."""
        folder = self._folder(step.image)
        places = {**{inside: str(source) for inside, source in step.mounts.items()}, _APP: str(folder)}
        binaries = self._environment(folder) / "bin"
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        variables = {
            **kept,
            **{name: _moved(value, places) for name, value in step.environment.items()},
            "PATH": f"{binaries}{os.pathsep}{kept.get('PATH', os.defpath)}",
            "PYTHONUNBUFFERED": "1",
        }
        command = [_moved(each, places) for each in step.command]
        command[0] = shutil.which(command[0], path=variables["PATH"]) or command[0]
        try:
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env=variables,
                cwd=folder, text=True, errors="replace", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise RunnerError(f"{step.task}: {command[0]} cannot be started: {error.strerror}") from error
        with process:
            try:
                for text in process.stdout or ():
                    line(text.rstrip("\n"))
            except BaseException:
                process.kill()
                raise
        return Outcome(process.returncode)

    def _folder(self, image: str) -> Path:
        name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
        folder = self._steps / name
        if not (folder / "requirements.txt").is_file():
            raise RunnerError(f"the image {image} has no folder {folder} with a requirements.txt, so it needs Docker")
        return folder

    def _environment(self, folder: Path) -> Path:
        content = (folder / "requirements.txt").read_bytes() + sys.version.encode()
        return self._cache / hashlib.sha256(content).hexdigest()[:16]


def _moved(text: str, places: dict[str, str]) -> str:
    """Return a text with the path of a mount, at its beginning, replaced by the folder of this machine."""
    for inside, outside in places.items():
        if text == inside or text.startswith(f"{inside}/"):
            return outside + text[len(inside) :]
    return text
