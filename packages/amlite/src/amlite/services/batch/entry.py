"""The entry script of a batch deployment: the driver of parallel jobs calls it, and it calls the scoring script.

It gives the scoring script the variables and folders that Azure ML's batch deployments have. It runs in the
deployment's environment, in the folder of the scoring script, and therefore uses only the standard library.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

_loaded: dict[str, Any] = {}


def init() -> None:
    """Load the scoring script and call its `init()`."""
    parser = argparse.ArgumentParser()
    for name in ("script", "score", "model", "model-name", "logging-level"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(sys.argv[1:])
    logging.basicConfig(level=options.logging_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    os.environ["AZUREML_BI_OUTPUT_PATH"] = options.score
    os.environ["AZUREML_MODEL_DIR"] = str(show_model(Path(options.model), options.model_name))
    script = _loaded["script"] = load(Path(options.script))
    if hasattr(script, "init"):
        script.init()


def run(mini_batch: list[str]) -> Any:
    """Return the script's results, a list or a DataFrame. Raises TypeError for any other type."""
    results = _loaded["script"].run(mini_batch)
    if not isinstance(results, (list, tuple)) and not hasattr(results, "columns") and not hasattr(results, "tolist"):
        raise TypeError(f"run() must return a list or a pandas DataFrame, not {type(results).__name__}")
    return results


def load(script: Path) -> Any:
    """Import the scoring script, which can import the modules in its folder. Raises ImportError if it is not valid."""
    sys.path.insert(0, str(script.resolve().parent))
    spec = importlib.util.spec_from_file_location(script.stem, script)
    if spec is None or spec.loader is None:
        raise ImportError(f"{script} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[script.stem] = module
    spec.loader.exec_module(module)
    if not hasattr(module, "run"):
        raise ImportError(f"the scoring script {script.name} has no function run(mini_batch)")
    return module


def show_model(path: Path, name: str) -> Path:
    """Return the folder for AZUREML_MODEL_DIR. If the model is a folder, it is a subfolder with its own name."""
    if not name:
        return path
    root = Path("azureml-models").resolve()
    root.mkdir(exist_ok=True)
    target = root / name
    if not target.exists():
        # A real folder, as in Azure. Scripts walk through it, and a walk does not follow links.
        with tempfile.TemporaryDirectory(dir=".") as scratch:
            shutil.copytree(path, Path(scratch, "model"), copy_function=_linked)
            with contextlib.suppress(OSError):  # another process of this job made it first
                Path(scratch, "model").rename(target)
    return root


def _linked(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # it is on another disk
        shutil.copyfile(source, target)
