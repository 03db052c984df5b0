"""The command template of a job: `${{inputs.x}}`, `${{outputs.y}}` and the optional `$[[ … ]]`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

_REFERENCE = re.compile(r"\$\{\{\s*(inputs|outputs|search_space)\.([\w.-]+)\s*\}\}")
# None has another beginning inside: a text of beginnings alone would be read again from each of them.
_ANY = re.compile(r"\$\{\{((?:(?!\$\{\{).)*?)\}\}")
# The pattern of `command` in the specification of Microsoft.MachineLearningServices.
_SOMETHING = re.compile(r"[a-zA-Z0-9_]")
_OPTIONAL = re.compile(r"\$\[\[((?:(?!\$\[\[).)*?)\]\]", re.DOTALL)


def problems(
    template: str, inputs: Collection[str], outputs: Collection[str], searched: Collection[str] = ()
) -> list[str]:
    """Return the problems of a template, given the names of inputs, outputs and searched parameters.

    As in `render`, a part in `$[[ … ]]` whose inputs have no value does not count.
    """
    template = _OPTIONAL.sub(lambda part: part[1] if _has_values(part, inputs) else "", template)
    known = {"inputs": inputs, "outputs": outputs, **({"search_space": searched} if searched else {})}
    found = []
    for expression in _ANY.finditer(template):
        reference = _REFERENCE.fullmatch(expression[0])
        if reference is None or reference[1] not in known:
            found.append(f"'{expression[0]}' is neither an input nor an output, as ${{{{inputs.name}}}} would be")
        elif reference[2] not in known[reference[1]]:
            names = ", ".join(sorted(known[reference[1]])) or "none"
            found.append(f"'{expression[0]}' is not declared; the {reference[1]} are: {names}")
    return found


def check(template: str) -> list[str]:
    """Return the problem of a command that the service takes for none."""
    if _SOMETHING.search(template) is None:
        return [f"the command '{template[:100]}' has no letter, digit or underscore"]
    return []


def render(template: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """Return the command with every reference replaced by text. The template must quote it.

    A part in `$[[ … ]]` is omitted if one of its inputs has no value.
    """
    values = {"inputs": inputs, "outputs": outputs}

    whole = _OPTIONAL.sub(lambda part: part[1] if _has_values(part, inputs) else "", template)
    return _REFERENCE.sub(lambda found: values[found[1]][found[2]], whole)


def _has_values(part: re.Match[str], inputs: Collection[str]) -> bool:
    return all(found[2] in inputs for found in _REFERENCE.finditer(part[1]) if found[1] == "inputs")


def try_parameters(template: str, parameters: Mapping[str, str]) -> str:
    """Return a trial's command, with its values in place of `${{search_space.x}}`."""
    return _REFERENCE.sub(lambda found: parameters[found[2]] if found[1] == "search_space" else found[0], template)


def search(template: str, names: Collection[str]) -> str:
    """Return a component's command for trials: searched inputs become `${{search_space.x}}`."""
    return _REFERENCE.sub(
        lambda found: f"${{{{search_space.{found[2]}}}}}" if found[1] == "inputs" and found[2] in names else found[0],
        template,
    )


def line(template: str, inputs: Mapping[str, str | Path], outputs: Mapping[str, str | Path]) -> str:
    """Return the command for a shell: paths are quoted, texts are inserted as they are."""
    return render(
        template,
        {name: shlex.quote(str(value)) if isinstance(value, Path) else value for name, value in inputs.items()},
        {name: shlex.quote(str(path)) for name, path in outputs.items()},
    )
