from __future__ import annotations

from amlite.services.machinelearning.published import generate


def test_committed_models_are_what_azure_ai_ml_ships() -> None:
    current = generate.text(generate.published(generate.source()))
    assert generate.TARGET.read_text("utf-8") == current, (
        "run: python -m amlite.services.machinelearning.published.generate"
    )


def test_every_type_that_a_field_names_is_there() -> None:
    content = generate.published(generate.source())
    for name, model in content["models"].items():
        for kind, _ in model["fields"].values():
            outer, _, inner = kind.rpartition(":")
            if outer.endswith("model"):
                assert inner in content["models"], name
            if outer.endswith("enum"):
                assert inner in content["enums"], name
