"""actionlint, the linter of GitHub workflows, built from Go modules. Only `make lint` needs it."""

from __future__ import annotations

from bootstrap import golang
from bootstrap.files import digest, new_directory
from bootstrap.layout import Layout
from bootstrap.phases import Found, Task

PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


class Actionlint:
    """The program in the user's cache, built once for all checkouts."""

    name = "actionlint"
    title = "actionlint"

    def inputs(self, layout: Layout) -> str:
        """See `Phase`."""
        recipe = layout.recipes / self.name
        return digest((recipe / "go.mod").read_bytes(), (recipe / "go.sum").read_bytes())

    def still_holds(self, found: Found) -> bool:
        """See `Phase`."""
        return True

    def run(self, task: Task) -> Found:
        """See `Phase`."""
        root = task.layout.cache / f"{self.name}-{self.inputs(task.layout)}"
        if not root.is_dir():
            with new_directory(root) as folder:
                golang.build(task, task.layout.recipes / self.name, PACKAGE, folder / self.name)
        return Found("built from Go modules", {self.name: str(root / self.name)})
