"""Names, versions, tags and keys."""

from azureml_fixtures.bad_input.changes import (
    BUILT,
    COMPONENT,
    DATA,
    DEPLOYMENT,
    ENDPOINT,
    ENVIRONMENT,
    MODEL,
    SCHEDULE,
    STORE,
    USED,
    Change,
    add,
    batch,
    both,
    put,
    swap,
)  # fmt: skip

_MODEL = "name: {}\ntype: custom_model\npath: ../data/days/days.csv\n"
_STORE = "name: {}\ntype: azure_blob\naccount_name: stflights\ncontainer_name: days\n"
_DATA = "name: {}\ntype: uri_file\npath: ../days/days.csv\n"
_MORE = "ml/data/more/data.yml"
_COMPONENT = "name: {}\ntype: command\ncommand: x\nenvironment: azureml:training\n"

CASES: dict[str, Change] = {
    "an environment without a name": swap(BUILT, "name: training\n", ""),
    "an environment with an empty name": swap(BUILT, "name: training", "name:"),
    "an environment with an empty text as name": swap(BUILT, "name: training", "name: ''"),
    "an environment with a blank name": swap(ENVIRONMENT, "name: serving", "name: ' '"),
    "an environment with a list as name": swap(BUILT, "name: training", "name: [training]"),
    "an environment with a mapping as name": swap(BUILT, "name: training", "name: {a: b}"),
    "a component with an empty name": swap(USED, "name: train", "name:"),
    "data with an empty name": swap(DATA, "name: days", "name:"),
    "an endpoint with an empty name": swap(ENDPOINT, "name: flights", "name:"),
    "a deployment with an empty name": swap(DEPLOYMENT, "name: blue", "name:"),
    "a deployment with an empty endpoint": swap(DEPLOYMENT, "endpoint_name: flights", "endpoint_name:"),
    "a deployment without an endpoint": swap(DEPLOYMENT, "endpoint_name: flights\n", ""),
    "a schedule with an empty name": swap(SCHEDULE, "name: daily", "name:"),
    "a schedule without a name": swap(SCHEDULE, "name: daily\n", ""),
    "a model with an empty name": put(MODEL, _MODEL.format("")),
    "a datastore with an empty name": put(STORE, _STORE.format("")),
    "a name with a space": put(_MORE, _DATA.format("more days")),
    "a name with a slash": put(_MORE, _DATA.format("more/days")),
    "a name with a backslash": put(_MORE, _DATA.format("more\\days")),
    "a name with a colon": put(_MORE, _DATA.format("more:days")),
    "a name with an at sign": put(_MORE, _DATA.format("more@days")),
    "a name with dots only": put(_MORE, _DATA.format("'..'")),
    "a name with an umlaut": put(_MORE, _DATA.format("verspätung")),
    "a name in Cyrillic that looks Latin": put(_MORE, _DATA.format("d\u0430ys")),
    "a name with a zero-width space": put(_MORE, _DATA.format("da\u200bys")),
    "a name with an emoji": put(_MORE, _DATA.format("days🛫")),
    "a name with a line break": put(_MORE, _DATA.format('"da\\nys"')),
    "a name that starts with a hyphen": put(_MORE, _DATA.format("-days")),
    "a name of 256 characters": put(_MORE, _DATA.format("d" * 256)),
    "a name of a million characters": put(_MORE, _DATA.format("d" * 1_000_000)),
    "a name that is a reference": put(_MORE, _DATA.format("azureml:days")),
    "a name that is an expression": put(_MORE, _DATA.format("${{parent.inputs.days}}")),
    "a name in other case as another": put(_MORE, _DATA.format("days")),
    "a component with upper case": put("ml/x/component.yml", _COMPONENT.format("Score")),
    "a component with a hyphen": put("ml/x/component.yml", _COMPONENT.format("score-it")),
    "a component that starts with a digit": put("ml/x/component.yml", _COMPONENT.format("1st")),
    "a component of 300 characters": put("ml/x/component.yml", _COMPONENT.format("s" * 300)),
    "two components with one name": put("ml/x/component.yml", _COMPONENT.format("prep")),
    "a schedule with a space": swap(SCHEDULE, "name: daily", "name: every day"),
    "a schedule with a dot": swap(SCHEDULE, "name: daily", "name: daily.6"),
    "a model with a space": put(MODEL, _MODEL.format("my model")),
    "a model with a colon": put(MODEL, _MODEL.format("delay:1")),
    "a datastore with a default name": put(STORE, _STORE.format("workspaceblobstore")),
    "an endpoint with an underscore": both(
        swap(ENDPOINT, "flights", "my_flights"), swap(DEPLOYMENT, "name: flights", "name: my_flights")
    ),
    "an endpoint of two characters": both(
        swap(ENDPOINT, "flights", "ab"), swap(DEPLOYMENT, "name: flights", "name: ab")
    ),
    "an endpoint of 33 characters": both(
        swap(ENDPOINT, "flights", "f" * 33), swap(DEPLOYMENT, "name: flights", f"name: {'f' * 33}")
    ),
    "an endpoint with two hyphens": both(
        swap(ENDPOINT, "flights", "a--b"), swap(DEPLOYMENT, "name: flights", "name: a--b")
    ),
    "a deployment with an underscore": swap(DEPLOYMENT, "name: blue", "name: blue_1"),
    "a deployment with a dot": swap(DEPLOYMENT, "name: blue", "name: blue.1"),
    "two endpoints with one name": batch("endpoint_name: flights", "name: flights\n"),
    "a version with a space": add(DATA, "version: 1 2"),
    "a version with a slash": add(DATA, "version: 1/2"),
    "a version that is a label": add(DATA, "version: '@latest'"),
    "a version of a thousand characters": add(DATA, f"version: {'1' * 1000}"),
    "a version that is a list": add(DATA, "version: [1]"),
    "a version that is a mapping": add(DATA, "version: {a: 1}"),
    "an empty version": add(DATA, "version: ''"),
    "a version with a line break": add(DATA, 'version: "1\\n2"'),
    "tags that are a list": add(DATA, "tags: [a, b]"),
    "tags that are a text": add(DATA, "tags: a"),
    "a tag that is a mapping": add(DATA, "tags: {a: {b: c}}"),
    "a tag that is a list": add(COMPONENT, "tags: {a: [b]}"),
    "a description that is a list": add(DATA, "description: [a]"),
    "a description that is a mapping": swap(COMPONENT, "description: Makes rows.", "description: {a: b}"),
    "a display name that is a list": add(COMPONENT, "display_name: [a]"),
    "an unknown key": add(DATA, "colour: red"),
    "a misspelt key": add(DATA, "descripton: x"),
    "a key in camel case": add(COMPONENT, "displayName: x"),
    "a key in upper case": add(COMPONENT, "DESCRIPTION: x"),
    "a key that is a number": add(DATA, "7: x"),
    "a key that is Boolean": add(DATA, "yes: x"),
    "an empty key": add(DATA, "'': x"),
}
