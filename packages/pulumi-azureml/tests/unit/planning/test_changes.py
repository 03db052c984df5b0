from pulumi_azureml.planning import explain
from pulumi_azureml.planning.changes import MISSING


def test_files_and_keys_that_differ_are_named() -> None:
    change = explain(
        {"a": "1", "b": "1", "c": "1"},
        {"b": "2", "c": "1", "d": "1"},
        {"version": "1", "command": "x", "inputs": {"n": {"type": "integer"}}, "tags": {}},
        {"version": "2", "command": "y", "inputs": {"n": {"type": "number"}, "m": {"type": "string"}}, "tags": {}},
    )
    assert (change.added, change.removed, change.changed) == (("d",), ("a",), ("b",))
    assert change.keys == {
        "command": ("x", "y"),
        "inputs.n.type": ("integer", "number"),
        "inputs.m.type": (MISSING, "string"),
    }
    assert change


def test_nothing_different_is_false() -> None:
    assert not explain({"a": "1"}, {"a": "1"}, {"version": "1", "x": [1]}, {"version": "2", "x": [1]})
