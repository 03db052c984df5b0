"""One issue that says what others changed in Azure, for both hosts: their REST APIs answer on loopback."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from markdown_it import MarkdownIt

from release import cli
from release.drift.body import NAME, body
from release.hosts.notes import prefix
from release.markdown.cutting import length
from release.preview.document import Key, Preview
from tests.hosts import azure_devops, github
from tests.hosts.azure_devops import FakeAzureDevOps
from tests.hosts.github import FakeGitHub
from tests.unit.release import comment_example as example

FakeHost = FakeGitHub | FakeAzureDevOps


def drift(stack: str, *names: str) -> Preview:
    """Return a preview in which others changed resources, and a change that is not drift."""
    size = Key(key="properties.size", old=9, new=3, drifted=True)
    kind = "machinelearning:Compute"
    changed = [example.change("update", name, kind, keys=[size], drifted=True) for name in names]
    return Preview(stack=stack, changes=[*changed, example.change("create", "planned", kind)])


def report(variables: Mapping[str, str], folder: Path, *previews: Preview, options: tuple[str, ...] = ()) -> Result:
    files = [folder / f"{preview.stack}.json" for preview in previews]
    for path, preview in zip(files, previews, strict=True):
        path.write_text(preview.model_dump_json())
    return CliRunner(env=dict(variables)).invoke(cli.main, ["report-drift", *map(str, files), *options])


def issues(host: FakeHost) -> list[tuple[str, str, str]]:
    """Return state, title and text of the release's issues, open or closed."""
    if isinstance(host, FakeGitHub):
        found = [each for each in host.issues.values() if each["body"].startswith(prefix(NAME))]
        return [(each["state"], each["title"], each["body"]) for each in found]
    fields = [
        each["fields"] for each in host.items.values() if each["fields"]["System.Tags"] == "azureml-platform-drift"
    ]
    return [(each["System.State"], each["System.Title"], each["System.Description"]) for each in fields]


OPEN = ("open", "To Do")
CLOSED = ("closed", "Done")


def test_an_issue_is_opened_updated_and_closed(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    opened = report(variables, tmp_path, drift("dev", "cluster"), drift("prod"))
    assert opened.exit_code == 0
    assert opened.output.splitlines()[-1].startswith("Drift: issue created: http")
    ((state, title, text),) = issues(host)
    assert (state in OPEN, title) == (True, "Drift in Azure: dev (1)")
    assert "cluster" in text
    assert "planned" not in text
    assert report(variables, tmp_path, drift("dev", "cluster", "vault"), drift("prod", "cluster")).exit_code == 0
    ((state, title, text),) = issues(host)
    assert (state in OPEN, title) == (True, "Drift in Azure: dev (2), prod (1)")
    closed = report(variables, tmp_path, drift("dev"), drift("prod"))
    assert closed.output.splitlines()[-1].startswith("No drift: issue closed: http")
    ((state, title, text),) = issues(host)
    assert (state in CLOSED, title) == (True, "No drift in Azure")
    assert "Azure is as the program says." in text


def test_without_drift_and_issue_nothing_is_written(host: FakeHost, tmp_path: Path) -> None:
    done = report(host.variables(tmp_path), tmp_path, drift("dev"), drift("prod"))
    assert (done.exit_code, done.output) == (0, "No drift, and there is no open issue.\n")
    assert issues(host) == []
    assert host.sent("PATCH") == []


def test_a_preview_that_failed_closes_no_issue(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    report(variables, tmp_path, drift("dev", "cluster"), drift("prod"))
    failed = Preview(stack="dev", changes=[], errors=["Azure cannot be reached"])
    done = report(variables, tmp_path, failed, drift("prod"))
    assert (done.exit_code, done.output) == (1, "Error: stack 'dev' could not be checked: Azure cannot be reached\n")
    assert [state in OPEN for state, _, _ in issues(host)] == [True]
    done = report(variables, tmp_path, failed, drift("prod", "vault"))
    assert done.exit_code == 1
    ((_, title, text),) = issues(host)
    assert title == "Drift in Azure: prod (1)"
    assert "Not compared, because the preview failed:" in text


def test_a_missing_preview_closes_no_issue(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    report(variables, tmp_path, drift("dev", "cluster"))
    done = report(variables, tmp_path, drift("dev"), options=(str(tmp_path / "prod.json"),))
    assert done.exit_code == 1
    assert "stack 'prod' could not be checked: The preview wrote no result: prod.json does not exist" in done.output
    assert [state in OPEN for state, _, _ in issues(host)] == [True]


def test_new_drift_opens_a_new_issue(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    for names in (["cluster"], [], ["cluster"]):
        assert report(variables, tmp_path, drift("dev", *names)).exit_code == 0
    assert [state in OPEN for state, _, _ in issues(host)] == [False, True]


def test_an_issue_is_found_behind_the_first_page_and_pull_requests_are_no_issues(tmp_path: Path) -> None:
    with FakeGitHub(page=2) as host:
        mine = f"{prefix(NAME)}0)"
        host.issues[github.PULL_REQUEST]["body"] = mine
        for number in range(5):
            host.open(f"Bug {number}", "It does not work")
        host.open("Drift in Azure: dev (9)", mine)
        assert report(host.variables(tmp_path), tmp_path, drift("dev", "cluster")).exit_code == 0
        assert host.sent("POST") == []
        assert [title for _, title, _ in issues(host)] == ["A pull request", "Drift in Azure: dev (1)"]


def test_what_two_runs_opened_is_one_issue_again(host: FakeHost, tmp_path: Path) -> None:
    variables = host.variables(tmp_path)
    report(variables, tmp_path, drift("dev", "cluster"))
    if isinstance(host, FakeGitHub):
        host.open("Drift", body([drift("dev", "cluster")], None, 9000))
    else:
        (first,) = host.items.values()
        host.items[first["id"] + 1] = {"id": first["id"] + 1, "rev": 1, "fields": dict(first["fields"])}
    assert report(variables, tmp_path, drift("dev", "vault")).exit_code == 0
    assert [state in OPEN for state, _, _ in issues(host)] == [True, False]


def test_a_work_item_has_the_table_as_html(on_azure_devops: FakeAzureDevOps, tmp_path: Path) -> None:
    report(on_azure_devops.variables(tmp_path), tmp_path, drift("dev", "<b>@me</b>"))
    ((_, _, text),) = issues(on_azure_devops)
    assert "<td><code>&lt;b&gt;@me&lt;/b&gt;</code></td>" in text
    assert "azureml-platform" not in text


def test_a_missing_permission_is_named(host: FakeHost, tmp_path: Path) -> None:
    host.refuse("POST", 403, github.READ_ONLY if isinstance(host, FakeGitHub) else azure_devops.NO_PERMISSION)
    done = report(host.variables(tmp_path), tmp_path, drift("dev", "cluster"))
    assert done.exit_code == 1
    permission = "`issues: write`" if isinstance(host, FakeGitHub) else "*Edit work items in this node*"
    assert permission in done.output


def test_a_dry_run_prints_the_issue_and_sends_nothing(host: FakeHost, tmp_path: Path) -> None:
    done = report(host.variables(tmp_path), tmp_path, drift("dev", "cluster"), options=("--dry-run",))
    assert (
        "| `cluster` | `machinelearning:Compute` | changed; the next update reverts it | `properties.size` |"
        in done.output
    )
    assert host.requests == []


def test_the_issue_says_what_happened_to_each_resource() -> None:
    kind = "azureml:Component"
    changes = [
        example.change("create", "gone", kind, drifted=True),
        example.change("same", "right", kind, drifted=True, keys=[Key(key="tags.a", old="1", new="2", drifted=True)]),
    ]
    text = body([Preview(stack="dev", changes=changes)], example.RUN, 65_536)
    assert "| `gone` | `azureml:Component` | deleted; the next update creates it again |  |" in text
    assert "| `right` | `azureml:Component` | changed to what the program wants | `tags.a` |" in text
    assert text.endswith(f"From [this run]({example.RUN}).\n")
    assert MarkdownIt("commonmark").enable("table").render(text).count("<tr>") == 3


def test_a_long_issue_fits_the_limit() -> None:
    text = body([drift("dev", *(f"resource-{number}" for number in range(2000)))], example.RUN, 65_536)
    assert length(text) <= 65_536
    assert text.endswith(f"**This text is shortened.** [The run]({example.RUN}) shows everything.\n")


@pytest.mark.attack
def test_the_issue_of_a_stranger_is_left_alone(on_github: FakeGitHub, tmp_path: Path) -> None:
    """In a public repository, everybody can open an issue that begins with the mark."""
    number = on_github.open("Drift", f"{prefix(NAME)}0)\n\nNothing.", author="stranger")
    assert report(on_github.variables(tmp_path), tmp_path, drift("dev", "cluster")).exit_code == 0
    assert report(on_github.variables(tmp_path), tmp_path, drift("dev")).exit_code == 0
    stranger, ours = on_github.issues[number], [each for each in issues(on_github) if "Nothing." not in each[2]]
    assert (stranger["state"], stranger["title"]) == ("open", "Drift")
    assert [each[0] for each in ours] == ["closed"]
