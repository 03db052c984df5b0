"""The programs that the local Azure needs. Set-up runs amlite, which installs them, beside the other phases."""

from __future__ import annotations

from bootstrap.files import digest, write_text
from bootstrap.layout import Layout
from bootstrap.phases import Found, Task

GRACE_SECONDS = 120.0
"""The time for a package manager to finish."""


class LocalAzure:
    """`amlite tools`: Node, Azurite, a container registry and, where the machine allows it, a Docker engine.

    The tools belong to the user and not to the checkout, so a new clone does not install them again.
    """

    name = "amlite"
    title = "Local Azure"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`. amlite itself reinstalls a tool that is missing later."""
        folder = layout.repository / "packages" / "amlite" / "src" / "amlite" / "tools"
        files = sorted(path for path in folder.rglob("*") if path.suffix in {".json", ".lock", ".mod", ".py", ".sum"})
        return digest(*(path.read_bytes() for path in files))

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        done = task.layout.cache / "amlite-tools" / self.inputs(task.layout)
        if not done.exists():
            task.need("python")
            task.run(
                [task.layout.bin / "amlite", "tools"],
                fix="The lines above show the missing tool and its fix.",
                on_line=task.say,
                grace=GRACE_SECONDS,
            )
            write_text(done, "")
        return Found("amlite has its tools")
