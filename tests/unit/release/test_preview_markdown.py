"""The preview as a comment: what comes first, what is folded, and what is left out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from release.comment.body import NAME, body, needs_attention
from release.cost.document import Cost, CostLine
from release.hosts.notes import mark, prefix
from release.markdown.cutting import length
from release.preview import markdown
from release.preview.document import Files, Key, PlannedChange, Preview
from tests.unit.release import comment_example as example


def test_the_documented_comment_is_current() -> None:
    current = example.PAGE.read_text("utf-8")
    assert current == example.page(), "run `python -m tests.unit.release.comment_example`"


def test_stacks_without_changes_are_only_counted() -> None:
    text = body([example.unchanged("local"), example.prod(), example.unchanged("dev")], None, 65_536)
    assert text.partition("\n")[2].startswith("\n## Preview: 1 of 3 stacks change\n\n### `prod`: 1 to update\n")
    assert "local" not in text
    assert "dev" not in text


@pytest.mark.parametrize("run", [None, example.RUN])
def test_without_any_change_it_says_so_in_a_line(run: str | None) -> None:
    text = body([example.unchanged("dev")], run, 65_536)
    source = f" From [this run]({run})." if run else ""
    content = "## Preview: no changes\n\nNo stack changes."
    assert text == f"{mark(NAME, content)}\n\n{content}{source}\n"


def test_what_is_lost_comes_before_what_changes_and_the_complete_list_is_folded() -> None:
    text = markdown.document(example.dev())
    places = [
        text.index(part)
        for part in (
            "### `dev`: 1 to create, 2 to update, 1 to delete, 1 to replace", "⚠️", "**Replaced**", "`monitoring`",
            "**Deleted**", "`data-airports`", "**Gate**", "**Quota**", "**Policy**", "**Monthly cost**",
            "**Assets by changed file**", "**Other changes**", "<summary>All changes of dev</summary>",
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_lines_without_a_price_are_named_beside_the_sums_and_with_their_meters() -> None:
    lines = [
        CostLine(resource="registry", before=50.7, after=50.7),
        CostLine(
            resource="vault",
            detail="10000 operations",
            before=None,
            after=None,
            unknown_before=["westeurope/vault"],
            unknown_after=["westeurope/vault"],
        ),
        CostLine(resource="endpoint", before=None, after=None, unknown_after=["westeurope/vm/D3"]),
    ]
    cost = Cost(
        currency="USD", before=50.7, after=50.7, difference=0, assumptions=[], lines=lines,
        unknown=["westeurope/vault", "westeurope/vm/D3"],
    )  # fmt: skip
    text = markdown.document(example.dev().model_copy(update={"cost": cost}))
    assert "50.70 → 50.70 `USD` (**+0.00**), without the unknown prices of `vault`, `endpoint`\n" in text
    assert "- No price in `release/cost/prices.yml`: `westeurope/vm/D3`\n" in text
    assert "10000 operations | unknown | unknown |\n" in text


def test_new_resources_are_counted_by_kind_because_a_new_stack_has_dozens() -> None:
    roles = [PlannedChange(operation="create", name=f"role-{n}", kind="a:RoleAssignment") for n in range(7)]
    vault = PlannedChange(operation="create", name="vault", kind="keyvault:Vault")
    text = markdown.document(Preview(stack="dev", changes=[*roles, vault]))
    assert "- create 7 `a:RoleAssignment`: `role-0`, `role-1`, `role-2`, `role-3`, `role-4` and 2 more\n" in text
    assert "- create `keyvault:Vault`: `vault`\n" in text
    assert "+ role-6 (a:RoleAssignment)" in text


def test_assets_are_listed_by_the_files_that_change_them_with_everything_that_follows() -> None:
    def update(name: str, files: list[str], dependants: list[str]) -> PlannedChange:
        return PlannedChange(
            operation="update", name=name, kind="azureml:Component", old="1", new="2", files=Files(changed=files),
            dependants=dependants,
        )  # fmt: skip

    changes = [
        update("common-a", ["ml/common/x.py"], ["whole"]),
        update("common-b", ["ml/common/x.py", "ml/b.py"], []),
        update("whole", [], ["nightly"]),
        update("nightly", [], []),
    ]
    text = markdown.document(Preview(stack="dev", changes=changes))
    assert [line for line in text.splitlines() if line.startswith("| `ml")] == [
        "| `ml/common/x.py` | `common-a` `1` → `2`, `common-b` `1` → `2` | `whole`, `nightly` |",
        "| `ml/b.py` | `common-b` `1` → `2` |  |",
    ]
    assert "Other changes" not in text


def test_the_first_line_tells_whether_the_content_is_the_same() -> None:
    """A thread that a reviewer resolved stays resolved until there is something new to see."""
    first = [
        body(previews, run, 65_536).partition("\n")[0]
        for previews, run in (
            ([example.dev()], example.RUN), ([example.dev()], f"{example.RUN}2"), ([example.prod()], example.RUN),
        )
    ]  # fmt: skip
    assert first[0] == first[1] != first[2]


def test_a_stack_whose_update_would_be_refused_is_shown_without_changes_too() -> None:
    refused = refusing(changes=[], policy=[{**POLICY, "severity": "mandatory"}])
    assert "### `prod`: no changes" in body([refused], None, 65_536)


def test_a_preview_that_failed_is_shown_with_the_reason() -> None:
    failed = Preview(stack="dev", changes=[], errors=["stack 'dev': no quota for @me\n  fix: ask for more"])
    text = body([failed, example.unchanged("prod")], None, 65_536)
    assert "### `dev`: the preview failed" in text
    assert "> **Error:** stack 'dev': no quota for &#64;\u200bme  \n> fix: ask for more  \n" in text


def refusing(**part: Any) -> Preview:
    return Preview.model_validate({**example.prod().model_dump(), **part})


POLICY = {"rule": "P1", "resource": "storage", "reason": "public", "fix": "close it"}
QUOTA = {"family": "f", "location": "westeurope", "needed": 8}


@pytest.mark.parametrize(
    ("preview", "verdict", "attention"),
    [
        (example.prod(), "✅ The update deletes and replaces nothing.", False),
        (example.dev(), "⚠️ **The update deletes or replaces resources.**", True),
        (refusing(policy=[{**POLICY, "severity": "advisory"}]), "✅", False),
        (refusing(policy=[{**POLICY, "severity": "mandatory"}]), "⛔ **The update would be refused.**", True),
        (refusing(quota=[{**QUOTA, "free": 8}]), "✅", False),
        (refusing(quota=[{**QUOTA, "free": 7}]), "⛔ **The update would be refused.**", True),
        (example.unchanged("dev"), "✅", False),
        (refusing(errors=["no quota"]), "⛔ **The preview failed.**", True),
    ],
)
def test_the_verdict_says_what_a_reviewer_must_do(preview: Preview, verdict: str, attention: bool) -> None:
    assert markdown.verdict(preview).startswith(verdict)
    assert needs_attention([preview]) is attention


def large(assets: int, keys: int = 3) -> Preview:
    """Return a preview of many changed assets, with long values."""
    changes = [
        PlannedChange(
            operation="update", name=f"component-{number:03d}", kind="azureml:Component",
            old=f"{number:012x}", new=f"{number + 1:012x}", files=Files(changed=[f"ml/c{number:03d}/src/main.py"]),
            keys=[Key(key=f"inputs.{key}.default", old="a" * 90, new="b" * 90) for key in range(keys)],
            dependants=[f"component-{number + 1:03d}"],
        )
        for number in range(assets)
    ]  # fmt: skip
    return Preview(stack="dev", changes=[*changes, *example.dev().changes])


@pytest.mark.parametrize("limit", [65_536, 150_000])
def test_a_long_preview_is_cut_where_it_matters_least_and_links_the_whole(limit: int) -> None:
    previews = [large(200, 9), example.prod()]
    whole = body(previews, example.RUN, 10**9)
    text = body(previews, example.RUN, limit)
    assert length(whole) > 1.5 * limit
    assert limit - 400 < length(text) <= limit
    assert text.endswith(f"**This comment is shortened.** [The summary of the run]({example.RUN}) shows the complete "
                         "preview.\n")  # fmt: skip
    assert "- `monitoring` (`insights:Component`): `location`" in text
    assert "- `data-airports` (`azureml:Data`)" in text
    assert len(re.findall(r"^\| `ml/c\d", text, re.MULTILINE)) == 200
    assert re.search(r"^# … \d+ more lines …$", text, re.MULTILINE)
    assert text.count("<details>") == text.count("</details>") == 2


def test_the_limit_holds_for_any_number_of_stacks() -> None:
    previews = [large(40).model_copy(update={"stack": f"stack-{number}"}) for number in range(150)]
    text = body(previews, example.RUN, 65_536)
    assert length(text) <= 65_536
    assert text.startswith(prefix(NAME))
    assert text.splitlines()[2] == "## Preview: 150 of 150 stacks change"
    assert text.count("```") % 2 == 0
