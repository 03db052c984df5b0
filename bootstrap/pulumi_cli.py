"""The Pulumi CLI: from PATH, from the official installer, or built from Go modules."""

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

from bootstrap import golang
from bootstrap.errors import SetupError
from bootstrap.files import digest, new_directory, write_text
from bootstrap.layout import PULUMI_VERSION, Layout
from bootstrap.network import answers
from bootstrap.phases import Found, Task, state_of, which
from bootstrap.versions import Version, dotted, version_in

INSTALLER = "https://get.pulumi.com/install.sh"

PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
VERSION_FLAG = f"-X github.com/pulumi/pulumi/sdk/v3/go/common/version.Version=v{PULUMI_VERSION}"
PLUGINS = ("pulumi-language-python", "pulumi-language-python-exec", "pulumi-resource-pulumi-python")
"""The programs that the CLI needs for Python programs and dynamic providers."""

LANGUAGE_HOST = "pulumi_language_python.py"
LAUNCHER = """\
#!/bin/sh
# Starts the Python language host with a Python that has the Pulumi SDK: the one beside this file, else that of
# the active virtual environment, else that of the project we are started in, else python3.
for folder in "$(dirname "$0")" "${{VIRTUAL_ENV:-/nonexistent}}/bin" .venv/bin; do
    [ -x "$folder/python" ] && exec "$folder/python" {host} "$@"
done
exec python3 {host} "$@"
"""


class PulumiCli:
    """The CLI with its Python language host and dynamic-provider launcher."""

    name = "pulumi"
    title = "Pulumi CLI"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        recipe = layout.recipes / "pulumi-cli"
        return digest(
            (recipe / "go.mod").read_bytes(),
            (recipe / "go.sum").read_bytes(),
            (layout.recipes / LANGUAGE_HOST).read_bytes(),
            state_of(which("pulumi", layout)),
            LAUNCHER,
            PULUMI_VERSION,
        )

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        root = task.layout.pulumi_home / "versions" / PULUMI_VERSION
        on_path = which("pulumi", task.layout)
        if on_path is not None:
            found = self._usable(task, Path(on_path).parent, "on PATH")
            if found is not None:
                return found
        found = self._installed(task, root)
        if found is not None:
            return found
        if answers(INSTALLER):
            found = self._install(task, root)
            if found is not None:
                return found
        self._build(task, root)
        found = self._installed(task, root)
        if found is None:
            raise SetupError(
                f"the Pulumi CLI in {root} does not run", log=task.log, fix=f"Delete {root}, run it again."
            )
        return found

    def _installed(self, task: Task, root: Path) -> Found | None:
        """Find a CLI of an earlier run or of the official tools, in the folder in which Pulumi keeps its versions."""
        if (root / LANGUAGE_HOST).is_file():
            place_language_host(task.layout, root)
            return self._usable(task, root / "bin", "built from Go modules")
        return self._usable(task, root / "bin", "by the official installer")

    @staticmethod
    def _usable(task: Task, folder: Path, origin: str) -> Found | None:
        """Return the CLI in a folder if it and its plugins exist and are new enough."""
        tools = {name: folder / name for name in ("pulumi", *PLUGINS)}
        # A copy that a power cut ended is empty.
        if not all(path.is_file() and path.stat().st_size for path in tools.values()):
            return None
        environment = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        try:
            version = version_in(task.run([tools["pulumi"], "version"], fix="", seconds=30, environment=environment))
        except SetupError:
            return None
        if version is None or not good_enough(version):
            return None
        return Found(
            f"{dotted(version)} {origin}",
            {name: str(path) for name, path in tools.items()},
            {"version": dotted(version), "origin": origin},
        )

    def _install(self, task: Task, root: Path) -> Found | None:
        """Run the official installer, as the Automation API does. Return None if it fails."""
        python = task.need("python").facts["python_path"]
        task.detail("running the official installer")
        program = f"import pulumi.automation as a; a.PulumiCommand.install(root={str(root)!r})"
        try:
            task.run([python, "-c", program], fix="", seconds=300)
        except SetupError as error:
            task.detail(f"the official installer failed: {error.what[:80]}")
            return None
        return self._installed(task, root)

    @staticmethod
    def _build(task: Task, root: Path) -> None:
        """Build the CLI from Go modules, which the module proxy serves. This takes minutes, once."""
        with new_directory(root) as folder:
            modules = golang.build(
                task,
                task.layout.recipes / "pulumi-cli",
                PACKAGE,
                folder / "bin" / "pulumi",
                linker_flags=VERSION_FLAG,
            )
            sdk = modules / "github.com" / "pulumi" / "pulumi" / "sdk" / f"v3@v{PULUMI_VERSION}" / "python"
            for source in (sdk / "cmd" / "pulumi-language-python-exec", sdk / "dist" / "pulumi-resource-pulumi-python"):
                shutil.copyfile(source, folder / "bin" / source.name)
                (folder / "bin" / source.name).chmod(0o755)
            place_language_host(task.layout, folder, final=root)


def place_language_host(layout: Layout, folder: Path, *, final: Path | None = None) -> None:
    """Put the language host of set-up, with its launcher, beside a CLI that was built from source.

    Args:
        layout: The layout, with the source of the language host.
        folder: The CLI's folder. The programs are in its `bin`.
        final: The final name of the folder.
    """
    write_text(folder / LANGUAGE_HOST, (layout.recipes / LANGUAGE_HOST).read_text())
    host = shlex.quote(str((final or folder) / LANGUAGE_HOST))
    write_text(folder / "bin" / "pulumi-language-python", LAUNCHER.format(host=host), mode=0o755)


def good_enough(version: Version) -> bool:
    """Whether this CLI can run the program. It needs the SDK's version, or a later one of the same major version."""
    wanted = version_in(PULUMI_VERSION)
    return wanted is not None and version[0] == wanted[0] and version >= wanted
