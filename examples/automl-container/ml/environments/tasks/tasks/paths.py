"""The three kinds of paths that a task sees.

- Files of the image have absolute paths below its root. They do not depend on the working folder, which Azure ML
  chooses.
- Paths inside a configuration file are relative to that file. azure-ai-ml resolves them when it loads the file.
- Inputs and outputs are folders that Azure ML mounts. Their paths differ in each job, and arrive as arguments.
"""

from __future__ import annotations

from pathlib import Path

# `/app` in the image, and the build context in the repository.
ROOT = Path(__file__).resolve().parents[1]


def in_image(path: str) -> Path:
    """Return the absolute path of a file or folder of the image.

    Raises:
        FileNotFoundError: The image does not have it.
    """
    found = ROOT / path
    if not found.exists():
        raise FileNotFoundError(f"the image has no '{path}' in {ROOT}; copy it in the Dockerfile")
    return found


def write(mounted: Path, **values: str) -> None:
    """Write values for later tasks into a mounted output: one text file for each, which Bash can read too."""
    mounted.mkdir(parents=True, exist_ok=True)
    for name, value in values.items():
        (mounted / f"{name}.txt").write_text(value, "utf-8")


def read(mounted: Path, name: str) -> str:
    """Return a value that an earlier task wrote.

    Raises:
        FileNotFoundError: The mounted input does not have it.
    """
    found = mounted / f"{name}.txt"
    if not found.exists():
        raise FileNotFoundError(f"the input has no '{name}.txt'; the earlier task did not write it")
    return found.read_text("utf-8")
