"""The command template of a job: `${{inputs.x}}`, `${{outputs.y}}` and the optional `$[[ … ]]`."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

_REFERENCE = re.compile(r"\$\{\{\s*(inputs|outputs)\.([\w.-]+)\s*\}\}")
_ANY = re.compile(r"\$\{\{(.*?)\}\}")
_OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)


def problems(template: str, inputs: Collection[str], outputs: Collection[str]) -> list[str]:
    """Return what is wrong with a template, given the names of the declared inputs and outputs."""
    known = {"inputs": inputs, "outputs": outputs}
    found = []
    for expression in _ANY.finditer(template):
        reference = _REFERENCE.fullmatch(expression[0])
        if reference is None:
            found.append(f"'{expression[0]}' is neither an input nor an output, as ${{{{inputs.name}}}} would be")
        elif reference[2] not in known[reference[1]]:
            names = ", ".join(sorted(known[reference[1]])) or "none"
            found.append(f"'{expression[0]}' is not declared; the {reference[1]} are: {names}")
    return found


def render(template: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """Return the command with every reference replaced, as text: quoting is the template's own business.

    A part in `$[[ … ]]` goes when one of the inputs it names has no value.
    """
    values = {"inputs": inputs, "outputs": outputs}

    def optional(part: re.Match[str]) -> str:
        wanted = [found[2] for found in _REFERENCE.finditer(part[1]) if found[1] == "inputs"]
        return part[1] if all(name in inputs for name in wanted) else ""

    return _REFERENCE.sub(lambda found: values[found[1]][found[2]], _OPTIONAL.sub(optional, template))
