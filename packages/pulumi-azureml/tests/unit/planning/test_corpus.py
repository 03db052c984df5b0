"""What the unmodified client takes, the catalogue plans."""

from __future__ import annotations

import contextlib
import io
import json
import warnings
from pathlib import Path

from azure.ai.ml.entities import _load_functions

from azureml_fixtures import corpus, public_examples
from azureml_fixtures.corpus_page import PAGE, documented, outcomes, page


def test_the_client_loads_every_file_of_the_corpus(tmp_path: Path) -> None:
    corpus.write(tmp_path)
    for path, loader in corpus.SUBMITTED.items():
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            # The class of a batch deployment without a `type` is deprecated.
            warnings.simplefilter("ignore", UserWarning)
            getattr(_load_functions, f"load_{loader}")(tmp_path / path)


def test_none_of_them_is_refused_and_the_page_has_those_that_are_left(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert {path: each.refused for path, each in found.items() if each.refused} == {}
    assert PAGE.read_text(encoding="utf-8") == page(found)


def test_azure_refuses_every_public_example_that_the_client_submits_and_the_catalogue_refuses() -> None:
    record = json.loads(public_examples.RECORD.read_text(encoding="utf-8"))
    assert [path for path, why in record["refused"].items() if not documented(why)] == []
