"""Write `listing.txt`: each input of the corpus, and the one error that it gets.

python -m azureml_fixtures.bad_input.listing
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from azureml_fixtures.bad_input import CASES
from azureml_fixtures.planned_project import Project
from pulumi_azureml.planning import CatalogueErrors

LISTING = Path(__file__).with_name("listing.txt")


def errors(name: str, root: Path, cache: Path) -> list[str]:
    """Return the errors that a preview shows for an input."""
    project = Project(root, cache)
    CASES[name](project)
    try:
        project.load(check_with_azure=True, build_images=True, login_server="x", datastores=frozenset())
    except CatalogueErrors as found:
        return [str(each) for each in found.problems]
    return []


def read() -> dict[str, str]:
    """Return the listed error of each input."""
    entries = LISTING.read_text("utf-8").rstrip("\n").split("\n\n")
    return {entry.partition("\n")[0]: entry.partition("\n")[2] for entry in entries}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        parts = []
        for number, name in enumerate(CASES):
            found = errors(name, Path(folder, str(number)), Path(folder, "cache"))
            parts.append("\n".join([name, *found]))
        LISTING.write_text("\n\n".join(parts) + "\n", "utf-8")
