"""What the unmodified client takes, the catalogue plans."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

from azure.ai.ml.entities import _load_functions

from azureml_fixtures import corpus
from azureml_fixtures.corpus_page import PAGE, outcomes, page, share

_PERCENT = 98


def test_the_client_loads_every_file_of_the_corpus(tmp_path: Path) -> None:
    corpus.write(tmp_path)
    for path, loader in corpus.SUBMITTED.items():
        with contextlib.redirect_stderr(io.StringIO()):
            getattr(_load_functions, f"load_{loader}")(tmp_path / path)


def test_nearly_all_of_them_are_planned_and_the_page_has_the_others(tmp_path: Path) -> None:
    found = outcomes(tmp_path)
    assert share(found) >= _PERCENT
    assert PAGE.read_text(encoding="utf-8") == page(found)
