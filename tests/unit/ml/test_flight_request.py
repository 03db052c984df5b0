import json

import pytest

from ml.deploy.score.flight_request import MAX_FLIGHTS, Field, RequestError, parse_request, read_fields
from tests.unit.ml.conftest import ROOT

FIELDS = [
    Field("carrier", numeric=False, required=True),
    Field("weekday", numeric=True, required=True),
    Field("temperature_f", numeric=True, required=False),
]


def request(*flights: object) -> str:
    return json.dumps({"flights": flights})


def test_flights_come_back_with_every_field_in_the_models_order() -> None:
    body = request({"weekday": 4, "carrier": "UA"}, {"carrier": "DL", "weekday": 0, "temperature_f": 31.5})
    assert [list(row.items()) for row in parse_request(body, FIELDS)] == [
        [("carrier", "UA"), ("weekday", 4.0), ("temperature_f", None)],
        [("carrier", "DL"), ("weekday", 0.0), ("temperature_f", 31.5)],
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ('{"flights": [{', "the body is not JSON: .*line 1 column 15"),
        ("", "the body is not JSON"),
        ("[]", 'one key, "flights"'),
        ("null", 'one key, "flights"'),
        ('{"flights": {}}', 'one key, "flights"'),
        ('{"flights": [], "mode": 1}', 'one key, "flights"'),
        ('{"flights": []}', "1 to 1000 flights, not 0"),
        ('{"flights": [7]}', r"flights\[0\]: must be an object"),
        (request({"carrier": "UA"}), r"flights\[0\].weekday: is required"),
        (request({"carrier": "UA", "weekday": None}), r"flights\[0\].weekday: is required"),
        (request({"carrier": 3, "weekday": 1}), r"flights\[0\].carrier: must be text"),
        (request({"carrier": "UA", "weekday": "1"}), r"flights\[0\].weekday: must be a finite number"),
        (request({"carrier": "UA", "weekday": True}), r"flights\[0\].weekday: must be a finite number"),
        ('{"flights": [{"carrier": "UA", "weekday": NaN}]}', r"flights\[0\].weekday: must be a finite number"),
        (request({"carrier": "UA", "weekday": 1, "dep_delay": 9}), r"flights\[0\].dep_delay: unknown field"),
    ],
)
def test_request_that_cannot_be_scored_is_refused_with_the_reason(body: str, reason: str) -> None:
    with pytest.raises(RequestError, match=reason):
        parse_request(body, FIELDS)


SEEN = [
    Field("carrier", numeric=False, required=True, values=frozenset({"AA", "UA"})),
    Field("weekday", numeric=True, required=True, values=frozenset(map(float, range(7)))),
    Field("temperature_f", numeric=True, required=False, least=10.0, greatest=100.0),
]


@pytest.mark.parametrize(
    ("flight", "reason"),
    [
        ({"carrier": "??", "weekday": 1}, "carrier: the training has not seen '??'; it has seen AA, UA"),
        ({"carrier": "", "weekday": 1}, "carrier: the training has not seen ''; it has seen AA, UA"),
        ({"carrier": "UA", "weekday": 99}, "weekday: the training has not seen 99; it has seen 0, 1, 2, 3, 4, ..."),
        ({"carrier": "UA", "weekday": 1.5}, "weekday: the training has not seen 1.5; it has seen 0, 1, 2, 3, 4, ..."),
        (
            {"carrier": "UA", "weekday": 1, "temperature_f": 1e9},
            "temperature_f: 1e+09 is far from the 10 to 100 of the training",
        ),
    ],
)
def test_what_training_never_saw_is_refused(flight: dict[str, object], reason: str) -> None:
    with pytest.raises(RequestError) as refused:
        parse_request(request(flight), SEEN)
    assert str(refused.value) == f"flights[0].{reason}"


def test_weather_may_set_a_record() -> None:
    row = {"carrier": "UA", "weekday": 6, "temperature_f": 119}
    assert parse_request(request(row), SEEN) == [{"carrier": "UA", "weekday": 6.0, "temperature_f": 119.0}]


def test_all_problems_are_told_at_once_up_to_a_limit() -> None:
    with pytest.raises(RequestError, match=r"flights\[0\].carrier.*flights\[4\].weekday: is required; and 10 more"):
        parse_request(request(*[{}] * 10), FIELDS)


def test_too_many_flights_are_refused() -> None:
    with pytest.raises(RequestError, match="not 1001"):
        parse_request(request(*[{}] * (MAX_FLIGHTS + 1)), FIELDS)


def test_huge_whole_number_is_refused_like_infinity() -> None:
    with pytest.raises(RequestError, match="must be a finite number"):
        parse_request('{"flights": [{"carrier": "UA", "weekday": 1' + "0" * 400 + "}]}", FIELDS)


def test_fields_are_those_of_the_models_signature() -> None:
    inputs = '[{"type": "string", "name": "carrier"}, {"type": "double", "name": "weekday", "required": false}]'
    assert read_fields({"inputs": inputs}, {}) == [
        Field("carrier", numeric=False, required=True),
        Field("weekday", numeric=True, required=False),
    ]


def test_sample_request_has_the_features_that_prep_makes() -> None:
    from ml.prep.src.features import CATEGORIES, FEATURES, NUMBERS

    sample = (ROOT / "ml/deploy/sample-request.json").read_text()
    fields = [Field(name, numeric=name in NUMBERS, required=name in CATEGORIES) for name in FEATURES]
    assert len(parse_request(sample, fields)) == 2
    assert all(set(flight) == set(FEATURES) for flight in json.loads(sample)["flights"])
