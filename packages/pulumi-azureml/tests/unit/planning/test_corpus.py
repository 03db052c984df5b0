"""What the unmodified client takes, the catalogue plans."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

from azure.ai.ml.entities import _load_functions

from azureml_fixtures import corpus, public_examples
from azureml_fixtures.corpus_page import PAGE, documented, outcomes, page, previews
from pulumi_azureml.planning.control_flow import VARIABLE


def test_the_client_loads_every_file_of_the_corpus(tmp_path: Path) -> None:
    corpus.write(tmp_path)
    for path, loader in corpus.SUBMITTED.items():
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            # The class of a batch deployment without a `type` is deprecated.
            warnings.simplefilter("ignore", UserWarning)
            getattr(_load_functions, f"load_{loader}")(tmp_path / path)


def test_the_client_loads_the_private_previews_of_the_corpus(tmp_path: Path) -> None:
    corpus.write(tmp_path)
    load = (
        "import sys; from azure.ai.ml.entities import _load_functions as all_; "
        "[getattr(all_, f'load_{loader}')(path)"
        " for loader, path in (each.split('=') for each in sys.argv[1:])]"
    )
    files = [f"{loader}={path}" for path, loader in corpus.PREVIEWS.items()]
    # azure-ai-ml reads the variable when it is imported.
    environment = {**os.environ, VARIABLE: "true"}
    subprocess.run([sys.executable, "-W", "ignore", "-c", load, *files], env=environment, cwd=tmp_path, check=True)


def test_none_of_them_is_refused_and_the_page_has_those_that_are_left(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert {path: each.refused for path, each in found.items() if each.refused} == {}
    private = previews(tmp_path)
    assert [path for path, (without, _) in private.items() if not without.left] == []
    assert [path for path, (_, each) in private.items() if not each.planned] == []
    assert PAGE.read_text(encoding="utf-8") == page(found, private)


def test_azure_refuses_every_public_example_that_the_client_submits_and_the_catalogue_refuses() -> None:
    record = json.loads(public_examples.RECORD.read_text(encoding="utf-8"))
    assert [path for path, why in record["refused"].items() if not documented(why)] == []
