"""What an update says: the engine's errors, its counts, and which failures are worth another attempt."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from pulumi.automation import events

from infra import ROLL_OUT_AT_ONCE
from release.errors import ExistingError, PassingError, ReleaseError
from release.stack import PulumiStack
from tests.unit.release.stacks import FakeStack, diagnostic


def test_a_failed_update_says_each_of_the_engines_errors_once(fake: FakeStack) -> None:
    problem = (
        "2 problems in the catalogue:\nml/prep/component.yml:3: unknown key 'comand'\n    fix: did you mean command?"
    )
    fake.events = [
        diagnostic("error", problem),
        diagnostic("info", "hello"),
        diagnostic("error", problem),
        diagnostic("error", "an unhandled error occurred: the program ended with exit code 1"),
        diagnostic("error", "update failed"),
    ]
    fake.fails = "Traceback (most recent call last):\n  everything that pulumi printed"
    with pytest.raises(ReleaseError) as raised:
        PulumiStack("local").up(lambda _event: None)
    assert raised.value.message == f"stack 'local': {problem}"


def test_what_grpc_says_before_a_provider_s_error_is_left_out(fake: FakeStack) -> None:
    fake.events = [diagnostic("error", "Exception calling application: deployment 'blue-2' failed its checks")]
    fake.fails = "update failed"
    with pytest.raises(ReleaseError, match=r"^stack 'local': deployment 'blue-2' failed its checks$"):
        PulumiStack("local").up(lambda _event: None)


def test_what_the_engine_says_before_the_error_of_a_hook_is_left_out(fake: FakeStack) -> None:
    said = 'Preview failed: before hook "names" failed: Azure does not let this stack have the names.\n  first'
    fake.events = [diagnostic("error", said)]
    fake.fails = "preview failed"
    with pytest.raises(ReleaseError, match=r"^stack 'local': Azure does not let this stack have the names\.\n  first$"):
        PulumiStack("local").up(lambda _event: None)


@pytest.mark.parametrize("error", [SystemExit(1), OSError("no space left on device")], ids=["closed", "full"])
def test_an_output_that_breaks_ends_no_update(error: BaseException, fake: FakeStack) -> None:
    """Pulumi's engine waited for ever, with its lock, for somebody to read its events."""
    fake.events = [diagnostic("info", "one"), diagnostic("error", "two"), diagnostic("info", "three")]
    seen: list[events.EngineEvent] = []

    def show(event: events.EngineEvent) -> None:
        seen.append(event)
        raise error

    with pytest.raises(type(error)):
        PulumiStack("local").up(show)
    assert (len(seen), len(fake.messages)) == (1, 1)
    fake.fails = "update failed"
    with pytest.raises(ReleaseError, match="stack 'local': two"):
        PulumiStack("local").up(show)


def test_a_failure_without_an_event_says_the_lines_of_the_error(fake: FakeStack) -> None:
    fake.fails = "Updating (local)\nerror: the stack is currently locked by 1 lock(s)\nsomething else"
    with pytest.raises(ReleaseError, match=r"^stack 'local': the stack is currently locked by 1 lock\(s\)$"):
        PulumiStack("local").up(lambda _event: None)


def test_what_was_done_is_counted(fake: FakeStack) -> None:
    summary = {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {"same": 5}, "policyPacks": {}}
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "summaryEvent": summary})]
    assert PulumiStack("local").up(lambda _event: None).unchanged
    summary["resourceChanges"] = {"same": 5, "update": 1}
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "summaryEvent": summary})]
    assert not PulumiStack("local").up(lambda _event: None).unchanged


@pytest.mark.parametrize("word", ["canceled", "cancelled"])
def test_a_cancelled_update_says_what_is_kept(word: str, fake: FakeStack) -> None:
    fake.events = [diagnostic("error", "update failed"), diagnostic("error", f"update {word}")]
    fake.fails = f"pulumi:pulumi:Stack x-local running error: update failed\nerror: update {word}"
    with pytest.raises(
        ReleaseError,
        match=r"^stack 'local': the update was cancelled\. Completed changes are kept, and the next",
    ):
        PulumiStack("local").up(lambda _event: None)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_cancels_an_update_that_saves_its_state_first(number: signal.Signals, fake: FakeStack) -> None:
    """The engine was killed by its closed output, and left its lock. A host of CI jobs tells `release` alone."""
    script = "import signal, time; signal.signal(2, lambda *_: exit(7)); print(flush=True); time.sleep(60)"

    def engine(_event: events.EngineEvent) -> None:
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            os.kill(os.getpid(), number)
            if number == signal.SIGINT:  # a terminal tells both
                process.send_signal(number)
            assert process.wait() == 7

    fake.events = [diagnostic("error", "Connection reset by peer")]
    fake.fails = "error: update canceled"
    with pytest.raises(ReleaseError, match=r"^stack 'local': the update was cancelled\. Completed") as raised:
        PulumiStack("local").up(engine)
    assert not isinstance(raised.value, PassingError)
    fake.fails = ""
    with pytest.raises(KeyboardInterrupt):
        PulumiStack("local").up(engine)


@pytest.mark.usefixtures("heard")
def test_a_later_signal_does_not_wait_for_the_engine(fake: FakeStack) -> None:
    def engine(_event: events.EngineEvent) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(1.1)
        raise AssertionError

    fake.events = [diagnostic("info", "one")]
    with pytest.raises(KeyboardInterrupt):
        PulumiStack("local").up(engine)


@pytest.mark.usefixtures("heard")
def test_a_signal_that_arrives_twice_is_one(fake: FakeStack) -> None:
    """`timeout 60 make up` tells make and its command, and make tells its command again."""

    def engine(_event: events.EngineEvent) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    fake.events = [diagnostic("error", "Connection reset by peer")]
    fake.fails = "error: update canceled"
    with pytest.raises(ReleaseError, match=r"^stack 'local': the update was cancelled\. Completed"):
        PulumiStack("local").up(engine)


def test_a_later_signal_shows_no_error_of_a_thread() -> None:
    """A thread of Pulumi's library reads the engine's output until it is closed, and says so with a traceback."""
    script = (
        "import os, signal, threading, time, warnings\n"
        "from release.interrupting import Cancellation\n"
        "def reads(): ended.wait(); warnings.warn('Error in event stream'); raise ValueError('closed file')\n"
        "ended = threading.Event(); thread = threading.Thread(target=reads); thread.start()\n"
        "try:\n"
        "    with Cancellation().awaited():\n"
        "        for _ in range(2): os.kill(os.getpid(), signal.SIGTERM); time.sleep(1.1)\n"
        "except KeyboardInterrupt:\n"
        "    ended.set(); thread.join(); print('interrupted')"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30)
    assert (result.stdout, result.stderr) == ("interrupted\n", "")


def test_an_update_says_why_it_ran_and_whether_the_program_rolls_out_at_once(fake: FakeStack) -> None:
    stack = PulumiStack("local")
    stack.up(lambda _: None, at_once=True, why="Deploy delays version 3")
    assert fake.messages == ["Deploy delays version 3"]
    assert fake.workspace.env_vars[ROLL_OUT_AT_ONCE] == "true"
    stack.up(lambda _: None)
    assert fake.workspace.env_vars[ROLL_OUT_AT_ONCE] == ""


def test_an_update_names_the_resources_that_exist(fake: FakeStack) -> None:
    id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a"
    refused = {
        "severity": "error", "urn": "urn:account", "color": "never",
        "message": f"cannot create already existing resource '{id}'. Please import this resource instead",
    }  # fmt: skip
    fake.events = [events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": refused})]
    fake.fails = "error: update failed"
    with pytest.raises(ExistingError, match="already existing") as failed:
        PulumiStack("local").up(lambda _: None, keep_going=True)
    assert failed.value.existing == {"urn:account": id}


@pytest.mark.parametrize(
    ("messages", "passes"),
    [
        (["TooManyRequests: The request was throttled.", "Traceback: ResourceRegistrationFailed: resource b"], True),
        (["<Error><Code>InternalError</Code></Error>"], True),
        (["ExpiredAuthenticationToken: The access token has expired.", "('Connection aborted.', 1)"], True),
        (["InternalServerError: The service stumbled.", "AuthorizationFailed: The client does not have"], False),
        (["size 'Standard_500' is unknown"], False),
        ([], False),
    ],
)
def test_only_failures_of_azure_that_pass_are_worth_another_attempt(
    messages: list[str], passes: bool, fake: FakeStack
) -> None:
    fake.events = [diagnostic("error", each) for each in messages]
    fake.fails = "error: update failed"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert isinstance(failed.value, PassingError) is passes


@pytest.mark.parametrize(
    ("messages", "passes"),
    [
        (["endpoint a refused 10 % to a-1: (InternalServerError) x (another attempt can succeed)"], True),
        (["component prep: something new (another attempt can succeed)", "503 Service Unavailable"], True),
        (["deployment 'a-1' on endpoint a failed its checks at 10 % of the traffic: 12 of 400 got 503"], False),
        (["deployment 'a-1' on endpoint a did not start: its log ends with: Connection reset"], False),
        (["job 'plum_1' ended as Failed: the server said 503"], False),
        (["component prep: x (another attempt can succeed)", "size 'Standard_500' is unknown"], False),
    ],
)
def test_our_provider_says_itself_which_of_its_failures_pass(
    messages: list[str], passes: bool, fake: FakeStack
) -> None:
    """The first error is our provider's. Words count in others', such as azure-native's, only."""
    urn = "urn:pulumi:dev::p::azureml:index:Assets$pulumi-python:dynamic/azureml:OnlineEndpoint::endpoint-a"
    ours = {
        "severity": "error", "urn": urn, "color": "never", "message": f"Exception calling application: {messages[0]}\n",
    }  # fmt: skip
    fake.events = [
        events.EngineEvent.from_json({"sequence": 1, "timestamp": 0, "diagnosticEvent": ours}),
        *(diagnostic("error", each) for each in messages[1:]),
    ]
    fake.fails = "error: update failed"
    with pytest.raises(ReleaseError) as failed:
        PulumiStack("local").up(lambda _: None)
    assert isinstance(failed.value, PassingError) is passes
    assert "another attempt" not in str(failed.value)
