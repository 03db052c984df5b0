"""The chapters of the demo. Each runs the same commands that a team and its CI run, and checks the result."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.release_demo.drift import POLL_MINUTES, SCHEDULE, ended, retraining
from tests.release_demo.play import ENDPOINT, Play

REGISTRY = "mlops-models"
# The endpoint of dev that serves what is published, from the same files as the one that serves what is trained.
PUBLISHED = f"auto-{ENDPOINT}"
_COPY = f"overrides.endpoints.{PUBLISHED}.copyOf"
_GROUP = "rg-mlops-flights-dev-001"
_COMPONENT = "ml/train/src/train.py"
# How long each step of production's canary bakes, and how much longer than that a return may take.
BAKE = 4
_RETURN = 2
# The threshold of numbers in ml/monitoring/src/thresholds.yml.
_THRESHOLD = 0.5
# A first model, that a later one can beat.
_FIRST = "--input max_iter=12"
_WORSE = "--input max_iter=5 --input learning_rate=0.02"
# The same model passes a gate that somebody loosened, and predicts something else.
_LOOSENED = f"{_WORSE} --input gate_overrides=roc_auc.minimum=0.5,roc_auc.margin=none"


@dataclass(frozen=True)
class Chapter:
    """A chapter: its title, and what happens. It returns what was seen."""

    title: str
    play: Callable[[Play], str]


def _development(play: Play) -> str:
    """Bring up dev, which creates the registry. Beside that, staging and production get their stack files."""
    play.stack("dev", {"sharing.registry": REGISTRY, "sharing.create": "true", _COPY: ENDPOINT})
    play.files.append(play.aside.submit(_other_files, play))
    play.release("up -s dev --no-train --no-doctor")
    return f"registry {play.outputs('dev')['registry']}"


def _other_files(play: Play) -> None:
    """Make the stack files of staging and production."""
    shared = {"sharing.registry": REGISTRY, "sharing.resourceGroup": _GROUP}
    play.stack("staging", shared, "rollout")
    words = ["python", str(play.clone.root / "tests/release_demo/compare.py"), *map(str, _files(play))]
    check = {f"rollout.checks.command[{number}]": word for number, word in enumerate(words)}
    canary = {"rollout.bakeSeconds": str(BAKE), "rollout.checks.commandKey": "true", **check}
    # Production has callers all the time. One request of ten is enough to see drift.
    sampled = {f"overrides.endpoints.{ENDPOINT}.deployments.blue.samplingRate": "0.1"}
    # The schedules are paused, so that nothing but drift starts a training, at whatever time of day the demo plays.
    paused = {f"overrides.schedules.{name}.isEnabled": "false" for name in (SCHEDULE, "flight-delay-monitoring")}
    retrain = {"monitoring.retrain.schedule": SCHEDULE, "monitoring.retrain.pollMinutes": str(POLL_MINUTES)}
    alerts = {"monitoring.webhooks.team": f"{play.receiver.url}/alerts"}
    play.stack("prod", {**shared, **canary, **alerts, **retrain, **sampled, **paused}, "rollout.checks")


def _pull_request(play: Play) -> str:
    """Change a component. The comment of the pull request names it. Beside the story, staging and prod come up."""
    file = play.clone.root / _COMPONENT
    file.write_text(file.read_text("utf-8") + "\n# The change of this pull request.\n", "utf-8")
    for made in play.files:
        made.result()
    for stack in ("staging", "prod"):
        play.stacks[stack] = play.aside.submit(play.release, f"up -s {stack} --no-train --no-doctor")
    play.release("preview -s dev --output-file .amlite/dev.json > .amlite/preview.log")
    comment = play.release("comment .amlite/dev.json --dry-run")
    assert "component-train" in comment, comment
    heading = next(line for line in comment.splitlines() if line.startswith("#"))
    return f"the comment begins: {heading.lstrip('# ')}"


def _merge(play: Play) -> str:
    """Merge it: dev gets the component."""
    play.clone.run("git add -A && git -c user.name=Ann -c user.email=ann@contoso.com commit --quiet -m 'Tune training'")
    before = play.outputs("dev")["assets"]["component"]["train"]
    play.release("up -s dev --no-train")
    after = play.outputs("dev")["assets"]["component"]["train"]
    assert before != after
    return f"component train is {after} instead of {before}"


def _training(play: Play) -> str:
    """Train. The gate accepts the first model."""
    outcome = play.train(_FIRST)
    assert (outcome["registered"], outcome["version"]) == (True, "1"), outcome["reason"]
    play.first = str(outcome["job"])
    # The month goes on beside the story: the daily training, and what people try.
    play.train_meanwhile(better="", worse=_WORSE, loosened=_LOOSENED)
    return f"job {outcome['job']}: {outcome['reason']}"


def _publish(play: Play) -> str:
    """Share the model, its components and environments, with lineage."""
    play.release(f"publish -s dev --job {play.first} --output-file .amlite/release-1.json")
    metadata = json.loads((play.state / "release-1.json").read_text("utf-8"))
    assert metadata["metadata_version"] == 1
    head = play.clone.run("git rev-parse HEAD").strip()
    assert metadata["commit"] == head, (metadata["commit"], head)
    shared = [f"{each['name']}:{each['version']}" for each in metadata["components"] + metadata["environments"]]
    assert len(shared) >= 6, shared
    return f"flight-delay:{metadata['model']['version']} of commit {head[:12]}, and {', '.join(shared)}"


def _staging(play: Play) -> str:
    """Deploy the release to staging, without training. Beside that, dev serves the model from both places."""
    development = play.aside.submit(play.release, "up -s dev --no-train")
    play.stacks["staging"].result()
    printed = play.release("deploy .amlite/release-1.json -s staging --approved-by 'Release manager'")
    assert "smoke test passed" in printed, printed
    development.result()
    models = play.outputs("dev")["models"]
    assert models[ENDPOINT] == {"name": "flight-delay", "version": "1"}, models
    assert models[PUBLISHED] == {**models[ENDPOINT], "registry": REGISTRY}, models
    return (
        f"{ENDPOINT} of staging serves version 1 of the registry; smoke test passed\n    {ENDPOINT} of dev serves the "
        f"workspace's version, {PUBLISHED} the registry's"
    )


def _production(play: Play) -> str:
    """Deploy it to production, and let callers in."""
    play.stacks["prod"].result()
    play.release("deploy .amlite/release-1.json -s prod --approved-by 'Jane Doe'")
    play.load = play.callers()
    return "version 1 serves in production, approved by Jane Doe; callers begin"


def _canary(play: Play) -> str:
    """A later training is better: publish it, and roll it out step by step under load."""
    outcome = play.trained("better")
    assert (outcome["registered"], outcome["version"]) == (True, "2"), outcome["reason"]
    noting = play.aside.submit(_note_predictions, play)
    play.release(f"publish -s dev --job {outcome['job']} --output-file .amlite/release-2.json")
    noting.result()
    printed = play.release("deploy .amlite/release-2.json -s prod --approved-by 'Jane Doe'")
    steps = [int(each) for each in re.findall(r"passed its checks at (\d+) %", printed)]
    assert steps == [10, 50, 100], printed
    return f"version 2 got 10 %, 50 % and 100 % of the traffic; {_answered(play)}"


def _refused(play: Play) -> str:
    """A bad model: the gate refuses it, so there is nothing to publish."""
    outcome = play.trained("worse")
    assert not outcome["registered"], outcome["reason"]
    printed = play.release(f"publish -s dev --job {outcome['job']} --output-file .amlite/no.json", expect=1)
    assert "the gate refused the model" in printed, printed
    return str(outcome["reason"])


def _bad_canary(play: Play) -> str:
    """A model that passes the gate fails in the canary. The traffic returns by itself, and nobody sees an error."""
    outcome = play.trained("loosened")
    assert outcome["registered"], outcome["reason"]
    noting = play.aside.submit(_note_predictions, play)
    play.release(f"publish -s dev --job {outcome['job']} --output-file .amlite/release-3.json")
    noting.result()
    before = play.clone.root / ".amlite/environments/Pulumi.prod.yaml"
    text = before.read_text("utf-8")
    code, lines = play.timed("deploy .amlite/release-3.json -s prod --approved-by Jane")
    assert code == 1, lines
    assert before.read_text("utf-8") == text
    refused = float(_files(play)[1].read_text("utf-8"))
    returned = next(at for at, line in lines if at >= refused and "traffic:" in line and line.endswith("100 %"))
    took = max(returned - refused, 0.0)
    assert took <= BAKE + _RETURN, f"the traffic returned {took:.1f} s after the check failed"
    served = [each for each in play.entries("prod") if each["result"] == "serving"]
    assert [each["version"] for each in served] == ["2"], served
    return f"all traffic was back at version 2 {took:.1f} s after the check failed; {_answered(play)}"


def _drift(play: Play) -> str:
    """Callers ask about other flights than those of the training: an alert arrives, and a training starts by itself."""
    metrics = play.json("run pipeline monitoring -s prod --input window_hours=1", "monitoring.log")["metrics"]
    assert metrics["drift.detected"] == 1, metrics
    measured = metrics["monitoring.drift.data_drift.temperature_f"]
    assert measured > _THRESHOLD, metrics
    azure, workspace = play.azure, play.outputs("prod")["workspace_id"]
    with azure.session:
        alert = play.receiver.alert("drift")
        assert alert["monitorCondition"] == "Fired", alert
        job = retraining(azure, workspace)
        status = ended(azure, f"{workspace}/jobs/{job}")
    assert status == "Completed", f"{job}: {status}"
    return (
        f"in {metrics['drift.rows']:.0f} collected rows, temperature_f differs by {measured:.2f} standard deviations, "
        f"and {_THRESHOLD} is the threshold\n    the webhook got alert {alert['alertRule']}: {alert['description']}\n"
        f"    {job} started by itself and ended {status}; {_answered(play)}"
    )


def _rollback(play: Play) -> str:
    """Go back to a named earlier version, still under load."""
    printed = play.release(f"rollback {ENDPOINT} --to 99 -s prod", expect=1)
    assert "never served version 99. It served: flight-delay 1" in printed, printed
    began = time.monotonic()
    play.release(f"rollback {ENDPOINT} --to 1 -s prod --approved-by 'Max Weber'")
    return f"version 1 serves again after {time.monotonic() - began:.0f} s; {_answered(play)}"


def _callers(play: Play) -> str:
    """Count what the callers got, from before the first canary to after the rollback."""
    assert play.load is not None
    while sum(play.load.count().values()) < play.requests:
        time.sleep(1)
    found = play.load.end()
    play.load = None
    lost = {result: count for result, count in found.items() if result != "answered"}
    assert lost == {}, f"requests that were lost: {lost}"
    return f"{found['answered']:,} requests, 0 lost"


def _history(play: Play) -> str:
    """Ask what served where, when, from which commit, approved by whom."""
    entries = play.entries("prod")
    seen = [(each["version"], each["result"], each["approved_by"]) for each in entries]
    assert seen == [
        ("1", "served", "Jane Doe"),
        ("2", "served", "Jane Doe"),
        ("3", "failed", "Jane"),
        ("1", "serving", "Max Weber"),
    ], seen
    head = play.clone.run("git rev-parse HEAD").strip()
    assert {each["commit"] for each in entries} == {head}
    return "\n" + play.release("history -s prod").rstrip()


CHAPTERS = (
    Chapter("dev comes up, with a registry", _development),
    Chapter("a pull request changes a component", _pull_request),
    Chapter("it is merged", _merge),
    Chapter("a model is trained", _training),
    Chapter("the model is published", _publish),
    Chapter("dev and staging serve it", _staging),
    Chapter("production serves it", _production),
    Chapter("a better model: canary", _canary),
    Chapter("a bad model: the gate", _refused),
    Chapter("a bad model: the canary", _bad_canary),
    Chapter("drift", _drift),
    Chapter("rollback", _rollback),
    Chapter("the callers", _callers),
    Chapter("history", _history),
)


def _files(play: Play) -> tuple[Path, Path]:
    return play.state / "predictions.json", play.state / "refused-at"


def _note_predictions(play: Play) -> None:
    """Write what production predicts now, for the check of the canary."""
    scored = json.loads(play.release(f"score {ENDPOINT} -s prod").strip().splitlines()[-1])
    found = [each["delay_probability"] for each in scored["predictions"]]
    _files(play)[0].write_text(json.dumps(found), "utf-8")


def _answered(play: Play) -> str:
    assert play.load is not None
    found = play.load.count()
    return (
        f"callers so far: {found.get('answered', 0):,} answered, {sum(found.values()) - found.get('answered', 0)} lost"
    )
