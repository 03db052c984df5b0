"""Text from others stays text, and a document fits the limit of the host that shows it."""

from __future__ import annotations

import html
import random
import re
from collections.abc import Iterator

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from release.markdown.cutting import Block, fit, length
from release.markdown.escaping import code, fences, one_line, prose

# What either host would turn into a link or a notification, outside of code.
NOTIFIES = re.compile(r"(?<![\w/])@[\w/-]|[#!]\d|\bGH-\d|://|\bwww\.", re.IGNORECASE)
HOSTILE = [
    "@octocat", "mail@example.com", "@org/team", "#1", "GH-12", "gh-12", "AB#12", "!17", "org/repo#12",
    "https://evil.example/x", "www.evil.example", "mailto:a@b.example",
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "</details>", "<!-- x -->", "&lt;b&gt;",
    "&#64;octocat",
    "[text](https://evil.example)", "![image](https://evil.example/pixel.png)", "[//]: <> (azureml-platform:preview)",
    "a|b", r"a\|b", r"a\\|b", "|", "||", "\\", "`", "``", "```", "`|`", "a ``` b", "` @octocat `",
    "**bold**", "_em_", "~~gone~~", "$x$", "$`x`$", "# heading", "- item", "1. item", "> quote", "---", "===", "+ x",
    "two\nlines", "two\r\n\r\n# lines", "\u2028x", "\u202eright to left", "tab\there", "\x00\x1b[31m", "", " ",
    "😀" * 3,
    "```\n@octocat", "x" * 5000,
]  # fmt: skip
ALPHABET = "ab1 @#!|\\`*_[]()<>&~$:/.-+=\n\r\t\"'{}^%?;,é😀\u200b"


def hostile() -> Iterator[str]:
    """Yield the texts above, and random ones of the characters that mean something."""
    yield from HOSTILE
    chance = random.Random(11)
    for _ in range(2000):
        yield "".join(chance.choices(ALPHABET, k=chance.randint(1, 30)))


PARSER = MarkdownIt("commonmark").enable("table").enable("strikethrough")


def inline(markdown: str, kind: str) -> list[list[Token]]:
    """Return the content of each inline token below an opening of a kind."""
    tokens = PARSER.parse(markdown)
    return [tokens[place + 1].children or [] for place, each in enumerate(tokens) if each.type == kind]


def plain(tokens: list[Token]) -> str:
    return "".join(each.content for each in tokens if each.type in ("text", "text_special"))


def check_is_text(tokens: list[Token], expected: str) -> None:
    assert {each.type for each in tokens} <= {"text", "text_special"}
    assert plain(tokens).replace("\u200b", "") == expected
    assert not NOTIFIES.search(plain(tokens))


def check_is_code(tokens: list[Token], expected: str) -> None:
    if [each.type for each in tokens] == ["code_inline"]:
        assert tokens[0].content == expected
        return
    assert [tokens[0].content, tokens[-1].content] == ["<code>", "</code>"]
    assert {each.type for each in tokens[1:-1]} <= {"text", "text_special"}
    assert plain(tokens[1:-1]) == expected


def test_any_text_is_shown_as_it_is_in_a_table() -> None:
    for text in hostile():
        cells = inline(f"| a | b |\n|---|---|\n| {code(text)} | {prose(text)} |\n", "td_open")
        assert len(cells) == 2, text
        check_is_code(cells[0], one_line(text, 200))
        check_is_text(cells[1], one_line(text))


def test_any_text_is_shown_as_it_is_at_the_beginning_of_a_list_item() -> None:
    for text in hostile():
        (paragraph,) = inline(f"- {prose(text)}\n", "paragraph_open")
        check_is_text(paragraph, one_line(text))
        (paragraph,) = inline(f"- {code(text)}\n", "paragraph_open")
        check_is_code(paragraph, one_line(text, 200))


def test_any_text_is_shown_as_it_is_in_a_summary() -> None:
    for text in hostile():
        source = f"<details><summary>{prose(text)}</summary>\n\n</details>\n"
        tokens = PARSER.parse(source)
        assert [each.type for each in tokens] == ["html_block", "html_block"]
        inner = tokens[0].content.removeprefix("<details><summary>").removesuffix("</summary>\n")
        assert "<" not in inner
        assert html.unescape(inner).replace("\u200b", "") == one_line(text)


def test_no_line_ends_a_code_block() -> None:
    lines = [one_line(text) for text in hostile()]
    first, last = fences(lines, "diff")
    tokens = PARSER.parse("\n".join([first, *lines, last, "after"]))
    assert [each.type for each in tokens] == ["fence", "paragraph_open", "inline", "paragraph_close"]
    assert tokens[0].content == "".join(f"{line}\n" for line in lines)


def blocks(chance: random.Random) -> Iterator[Block]:
    yield Block(head=("MARK", ""))
    for number in range(chance.randint(1, 6)):
        letters = chance.choice(("ab", "é1", "😀x"))
        lines = tuple(
            f"- {number}.{place} " + "".join(chance.choices(letters, k=chance.randint(0, 60)))
            for place in range(chance.randint(0, 80))
        )
        yield Block(lines, ("<details>", "", "```"), ("```", "", "</details>"), weight=chance.randint(0, 3))


def test_a_document_never_passes_the_limit_and_keeps_its_beginning_its_end_and_its_blocks() -> None:
    chance = random.Random(5)
    for _ in range(400):
        made, limit = list(blocks(chance)), chance.randint(300, 9000)
        text = fit(made, limit, "\nTHE END\n")
        whole = "".join(map(str, made))
        assert length(text) <= limit
        assert text.startswith("MARK\n")
        assert text == whole if length(whole) <= limit else text.endswith("\nTHE END\n")
        assert text.count("<details>") == text.count("</details>")
        assert text.count("```") == 2 * text.count("<details>")


def test_lines_are_left_out_from_the_middle_of_the_least_important_block_and_counted() -> None:
    detail = Block(tuple(f"detail {number:02}" for number in range(30)), weight=0)
    list_ = Block(tuple(f"item {number:02}" for number in range(30)), weight=1)
    text = fit([Block(head=("MARK",)), list_, detail], 400)
    assert all(f"item {number:02}" in text for number in range(30))
    left = [line for line in text.splitlines() if line.startswith("detail")]
    assert left[0] == "detail 00"
    assert left[-1] == "detail 29"
    assert f"… {30 - len(left)} more …" in text
    # No more than necessary is left out.
    assert length(text) > 400 - len("detail 00\n") - len("… 30 more …\n")


@pytest.mark.parametrize(("text", "units"), [("abc", 3), ("é", 1), ("→", 1), ("😀", 2)])
def test_characters_are_counted_as_azure_devops_does(text: str, units: int) -> None:
    assert length(text) == units
