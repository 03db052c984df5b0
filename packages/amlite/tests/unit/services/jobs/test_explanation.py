"""The names of a model's explanation: those that azureml-interpret 1.62 writes and reads."""

import json

from amlite.services.jobs.explanation import files


def test_explanation_has_the_names_of_azureml_interpret() -> None:
    found = {path: json.loads(content) for path, content in files("0123456789", {"age": 0.7, "city": 0.1}).items()}
    assert found == {
        "explanation/01234567/features.interpret.json": ["age", "city"],
        "explanation/01234567/global_names/0.interpret.json": ["age", "city"],
        "explanation/01234567/global_values/0.interpret.json": [0.7, 0.1],
        "explanation/01234567/global_rank/0.interpret.json": [0, 1],
    }


def test_explanation_of_many_columns_has_at_most_three_blocks() -> None:
    found = files("0123456789", {str(number): 1.0 for number in range(450)})
    blocks = [json.loads(found[f"explanation/01234567/global_names/{number}.interpret.json"]) for number in range(3)]
    assert [len(block) for block in blocks] == [100, 100, 250]
    assert len(found) == 1 + 3 * 3
