"""Each endpoint's own sample request."""

from __future__ import annotations

from pathlib import Path

import pytest

from release.samples import sample_of


@pytest.mark.parametrize(
    ("endpoint", "sample"),
    [
        ("flights", "ml/deploy/sample-request.json"),
        ("weather", "ml/deploy/weather/sample-request.json"),
        ("trains", None),
        ("nowhere", None),
    ],
)
def test_a_sample_belongs_to_the_endpoint_beside_it(tmp_path: Path, endpoint: str, sample: str | None) -> None:
    for name, folder in (("flights", "."), ("weather", "weather"), ("trains", "trains")):
        (tmp_path / "ml/deploy" / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "ml/deploy" / folder / "endpoint.yml").write_text(f"name: {name}\n", "utf-8")
        if name != "trains":
            (tmp_path / "ml/deploy" / folder / "sample-request.json").write_text("{}", "utf-8")
    found = sample_of(endpoint, tmp_path)
    assert (found and found.as_posix()) == sample
