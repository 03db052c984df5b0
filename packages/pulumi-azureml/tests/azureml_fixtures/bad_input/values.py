"""Types, ranges, enumerations, times and expressions."""

from azureml_fixtures.bad_input.changes import (
    COMPONENT,
    DATA,
    DEPLOYMENT,
    ENDPOINT,
    PIPELINE,
    SCHEDULE,
    USED,
    Change,
    add,
    both,
    put,
    swap,
)  # fmt: skip

_PORT = "share: {type: number, default: 0.5, min: 0, max: 1}"
_CRON = 'type: cron, expression: "0 6 * * *", time_zone: W. Europe Standard Time'


def _port(text: str) -> Change:
    return swap(COMPONENT, _PORT, f"share: {text}")


def _trigger(text: str) -> Change:
    return swap(SCHEDULE, _CRON, text)


CASES: dict[str, Change] = {
    "a default below its minimum": _port("{type: number, default: -1, min: 0, max: 1}"),
    "a default above its maximum": _port("{type: integer, default: 11, min: 0, max: 10}"),
    "a default that is not in its choices": _port("{type: string, default: c, enum: [a, b]}"),
    "a default of another type": _port("{type: integer, default: many}"),
    "a default with a fraction for an integer": _port("{type: integer, default: 0.5}"),
    "a default that is no Boolean": _port("{type: boolean, default: maybe}"),
    "a default that is a list": _port("{type: string, default: [a]}"),
    "a default that is not a number": _port("{type: number, default: .nan}"),
    "a default without an end": _port("{type: number, default: .inf}"),
    "a default beyond every number": _port("{type: number, default: 1.0e+999}"),
    "a minimum above the maximum": _port("{type: number, optional: true, min: 2, max: 1}"),
    "a minimum that is a text": _port("{type: number, min: low}"),
    "a maximum that is not a number": _port("{type: number, max: .nan}"),
    "choices that are a text": _port("{type: string, enum: a}"),
    "choices that are empty": _port("{type: string, enum: []}"),
    "choices with a mapping": _port("{type: string, enum: [{a: b}]}"),
    "an input without a type": _port("{default: 1}"),
    "an input of an unknown type": _port("{type: float}"),
    "an input with a null type": _port("{type: }"),
    "an input that is a text": _port("number"),
    "an input that is a list": _port("[number]"),
    "an optional that is no Boolean": _port("{type: number, optional: maybe}"),
    "an input with an unknown mode": _port("{type: uri_file, mode: mounted}"),
    "inputs that are a list": put(
        "ml/x/component.yml", "name: x\ntype: command\ncommand: x\nenvironment: azureml:training\ninputs: [a]\n"
    ),
    "outputs that are a text": put(
        "ml/x/component.yml", "name: x\ntype: command\ncommand: x\nenvironment: azureml:training\noutputs: a\n"
    ),
    "an output of an unknown type": swap(COMPONENT, "rows: {type: uri_folder}", "rows: {type: uri_foldr}"),
    "an input with a space in its name": swap(COMPONENT, "  share:", '  "the share":'),
    "an input with a hyphen in its name": swap(COMPONENT, "  share:", "  the-share:"),
    "an input with an empty name": swap(COMPONENT, "  share:", "  '':"),
    "a command that is a list": swap(USED, "command: python", "command: [python]\n#"),
    "an empty command": swap(USED, "command: python", "command:\n#"),
    "a blank command": swap(USED, "command: python", "command: ' '\n#"),
    "a value above its maximum through a binding": both(
        swap(USED, "steps: {type: integer}", "steps: {type: integer, max: 5}")
    ),
    "a value that is not in the choices through a binding": swap(
        USED, "steps: {type: integer}", "steps: {type: string, enum: [a, b]}"
    ),
    "a value of another type through a binding": swap(PIPELINE, "  steps: 10", "  steps: many"),
    "a value that is not a number": swap(PIPELINE, "  steps: 10", "  steps: .nan"),
    "a value that is a list": swap(PIPELINE, "  steps: 10", "  steps: [1]"),
    "a value that is missing": swap(PIPELINE, "  steps: 10", "  steps:"),
    "a value with an unknown type": swap(PIPELINE, "  steps: 10", "  steps: {type: int, value: 10}"),
    "an octal number": swap(DEPLOYMENT, "instance_count: 1", "instance_count: 010"),
    "a number with a fraction for a count": swap(DEPLOYMENT, "instance_count: 1", "instance_count: 1.5"),
    "a negative count": swap(DEPLOYMENT, "instance_count: 1", "instance_count: -1"),
    "a count of zero": swap(DEPLOYMENT, "instance_count: 1", "instance_count: 0"),
    "a count that is a text": swap(DEPLOYMENT, "instance_count: 1", "instance_count: one"),
    "a count that is Boolean": swap(DEPLOYMENT, "instance_count: 1", "instance_count: true"),
    "a count that is a list": swap(DEPLOYMENT, "instance_count: 1", "instance_count: [1]"),
    "a count that is null": swap(DEPLOYMENT, "instance_count: 1", "instance_count:"),
    "a cron expression of four fields": _trigger('type: cron, expression: "0 6 * *"'),
    "a cron expression of six fields": _trigger('type: cron, expression: "0 0 6 * * *"'),
    "a cron expression of a day of the month": _trigger('type: cron, expression: "0 6 1 * *"'),
    "a cron expression of a month": _trigger('type: cron, expression: "0 6 1 1,7 *"'),
    "a cron expression of a month without a day": _trigger('type: cron, expression: "0 6 * 6 *"'),
    "a cron macro": _trigger('type: cron, expression: "@daily"'),
    "a cron expression in words": _trigger('type: cron, expression: "every day at six o clock"'),
    "a minute of 60": _trigger('type: cron, expression: "60 6 * * *"'),
    "an hour of 24": _trigger('type: cron, expression: "0 24 * * *"'),
    "a day of the week of 7": _trigger('type: cron, expression: "0 6 * * 7"'),
    "a range backwards": _trigger('type: cron, expression: "0 6 * * 5-1"'),
    "a step of zero": _trigger('type: cron, expression: "*/0 6 * * *"'),
    "the last day of the month": _trigger('type: cron, expression: "0 6 L * *"'),
    "a question mark": _trigger('type: cron, expression: "0 6 ? * 1"'),
    "an empty expression": _trigger("type: cron, expression: ''"),
    "no expression": _trigger("type: cron"),
    "an expression that is a list": _trigger("type: cron, expression: [0, 6]"),
    "an unknown time zone": _trigger('type: cron, expression: "0 6 * * *", time_zone: Berlin'),
    "an IANA time zone": _trigger('type: cron, expression: "0 6 * * *", time_zone: Europe/Berlin'),
    "a time zone as an offset": _trigger('type: cron, expression: "0 6 * * *", time_zone: "+01:00"'),
    "a time zone that is a path": _trigger('type: cron, expression: "0 6 * * *", time_zone: ../../etc/passwd'),
    "a time zone that is a list": _trigger('type: cron, expression: "0 6 * * *", time_zone: [UTC]'),
    "a start that is no time": _trigger('type: cron, expression: "0 6 * * *", start_time: soon'),
    "a start on the 30th of February": _trigger('type: cron, expression: "0 6 * * *", start_time: 2026-02-30'),
    "a start that is a number": _trigger('type: cron, expression: "0 6 * * *", start_time: 20260101'),
    "an end before the start": _trigger(
        'type: cron, expression: "0 6 * * *", start_time: 2026-02-01, end_time: 2026-01-01'
    ),
    "a trigger without a type": _trigger('expression: "0 6 * * *"'),
    "a trigger of an unknown type": _trigger("type: crone, expression: 0 6 * * *"),
    "a trigger that is a text": swap(SCHEDULE, f"{{{_CRON}}}", "daily"),
    "a trigger that is missing": swap(SCHEDULE, f"trigger: {{{_CRON}}}\n", ""),
    "a trigger that is null": swap(SCHEDULE, f"{{{_CRON}}}", ""),
    "an unknown frequency": _trigger("type: recurrence, frequency: daily, interval: 1"),
    "a frequency in the plural": _trigger("type: recurrence, frequency: days, interval: 1"),
    "a recurrence without a frequency": _trigger("type: recurrence, interval: 1"),
    "a recurrence without an interval": _trigger("type: recurrence, frequency: day"),
    "an interval of zero": _trigger("type: recurrence, frequency: day, interval: 0"),
    "a negative interval": _trigger("type: recurrence, frequency: day, interval: -1"),
    "an interval with a fraction": _trigger("type: recurrence, frequency: day, interval: 1.5"),
    "an interval that is a text": _trigger("type: recurrence, frequency: day, interval: two"),
    "an hour of 25": _trigger("type: recurrence, frequency: day, interval: 1, schedule: {hours: 25, minutes: 0}"),
    "a minute that is negative": _trigger(
        "type: recurrence, frequency: day, interval: 1, schedule: {hours: 1, minutes: -1}"
    ),
    "hours without minutes": _trigger("type: recurrence, frequency: day, interval: 1, schedule: {hours: 1}"),
    "an unknown day of the week": _trigger(
        "type: recurrence, frequency: week, interval: 1, schedule: {hours: 1, minutes: 0, week_days: fryday}"
    ),
    "days of the week every day": _trigger(
        "type: recurrence, frequency: day, interval: 1, schedule: {hours: 1, minutes: 0, week_days: friday}"
    ),
    "days of the month every week": _trigger(
        "type: recurrence, frequency: week, interval: 1, schedule: {hours: 1, minutes: 0, month_days: 1}"
    ),
    "the last day as -1": _trigger(
        "type: recurrence, frequency: month, interval: 1, schedule: {hours: 1, minutes: 0, month_days: -1}"
    ),
    "a pattern every hour": _trigger(
        "type: recurrence, frequency: hour, interval: 1, schedule: {hours: 1, minutes: 0}"
    ),
    "a pattern that is a text": _trigger("type: recurrence, frequency: day, interval: 1, schedule: daily"),
    "an enabled that is no Boolean": add(SCHEDULE, "is_enabled: maybe"),
    "an authentication that does not exist": swap(ENDPOINT, "auth_mode: key", "auth_mode: keys"),
    "an authentication that is a list": swap(ENDPOINT, "auth_mode: key", "auth_mode: [key]"),
    "traffic that does not add up": add(ENDPOINT, "traffic: {blue: 90}"),
    "traffic that is negative": add(ENDPOINT, "traffic: {blue: -100}"),
    "traffic with a fraction": add(ENDPOINT, "traffic: {blue: 99.5}"),
    "traffic that is a text": add(ENDPOINT, "traffic: all"),
    "traffic to nobody": add(ENDPOINT, "traffic: {green: 100}"),
    "data of an unknown type": swap(DATA, "type: uri_file", "type: csv"),
    "data of a type in upper case": swap(DATA, "type: uri_file", "type: URI-FILE"),
}
